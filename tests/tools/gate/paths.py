# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the gate reads and writes."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"
LOGS = BUILD / "logs"
RESULTS = BUILD / "results"
REQUIREMENTS = ROOT / "tests" / "requirements"


def cache_base() -> Path:
    """Return the user's cache directory."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute()


def cache_dir() -> Path:
    """Return the directory for what outlives the checkout: environments, ansible-test's own files, binaries."""
    return cache_base() / "netguard-lockdown"
