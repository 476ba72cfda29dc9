# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that the API server is about to remove."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError, ObjectRef


def refuse(live: t.Mapping[str, t.Any], reference: ObjectRef) -> None:
    """What is written into an object that is being deleted goes with it, and so does what stands as wanted."""
    since = live["metadata"].get("deletionTimestamp")
    if since:
        raise LockdownError(
            "being_deleted",
            f"Cannot write {reference}",
            f"it is being deleted since {since}",
            "Wait until it is gone, or see which finalizer keeps it, and run again",
            obj=reference,
        )
