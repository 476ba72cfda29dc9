# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible imports every filter of a collection to find one by its name: none may bring what few runs need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FILTERS = Path(__file__).resolve().parents[3] / "plugins" / "filter"
CORE = "ansible_collections.netguard.lockdown.plugins.module_utils._core"
HEAVY = ("kubernetes", f"{CORE}.evidence", f"{CORE}.audit", f"{CORE}.reach", f"{CORE}.ignite_config.spring")


def test_importing_the_filters_brings_nothing_heavy() -> None:
    names = [f"ansible_collections.netguard.lockdown.plugins.filter.{path.stem}" for path in FILTERS.glob("*.py")]
    assert len(names) > 1
    code = f"import sys, {', '.join(names)}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []
