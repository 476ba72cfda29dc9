# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every judge of pods has to know of them."""

from __future__ import annotations

import typing as t


def has_ended(pod: t.Mapping[str, t.Any]) -> bool:
    """Whether a pod has completed: it counts for nothing, and its address may belong to another one by now."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
