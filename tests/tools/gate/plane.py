# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control plane for as long as a tier runs."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gate.context import Context


@contextmanager
def up(context: Context) -> Iterator[Path]:
    """Start a control plane with the example's objects, yield its state directory, and take it down again."""
    with tempfile.TemporaryDirectory(prefix="netguard-") as directory:
        state = Path(directory) / "state"
        if context.run("python", "-m", "lab", "up", "--state", state):
            sys.exit("the control plane did not start")
        try:
            yield state
        finally:
            context.run("python", "-m", "lab", "down", "--state", state)
