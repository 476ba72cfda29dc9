# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared libraries of this machine that programs in an image need."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from lab.cluster.archive import Layer
from lab.errors import LabError


def add_libraries(layer: Layer, programs: Iterable[Path], own: Path | None = None) -> None:
    """Add what the programs link, by the path where the loader looks for it, but nothing of their own folder."""
    for program in programs:
        for path in re.findall(r"(/\S+) \(0x", _linked(program)):
            if own is None or not Path(path).is_relative_to(own):
                layer.add(path.lstrip("/"), Path(path).resolve())


def _linked(program: Path) -> str:
    answer = subprocess.run(["ldd", str(program)], capture_output=True, text=True, timeout=60, check=False)
    if answer.returncode != 0:
        raise LabError(f"ldd {program} ended with code {answer.returncode}", answer.stderr.strip()[-2000:])
    return answer.stdout
