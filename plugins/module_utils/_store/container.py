# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this process runs in a container, and what is mounted there."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.keeping import Surroundings

_MARK_FILES = ("/.dockerenv", "/run/.containerenv")
_MARK_VARIABLES = ("KUBERNETES_SERVICE_HOST", "container", "AWX_ISOLATED_DATA_DIR", "RUNNER_OMIT_EVENTS")
_MOUNTS = Path("/proc/self/mountinfo")


def surroundings() -> Surroundings:
    marks = [path for path in _MARK_FILES if Path(path).exists()]
    marks += [f"variable {name}" for name in _MARK_VARIABLES if os.environ.get(name)]
    try:
        mounts = _MOUNTS.read_text(errors="replace")
    except OSError:
        mounts = ""
    return Surroundings(tuple(marks), mounts)
