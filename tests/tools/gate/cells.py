# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cells of the test matrix: which ansible-core, Python and kubernetes client run together."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gate.pythons import choose, interpreters


@dataclass(frozen=True)
class Cell:
    """One combination; its pins are in tests/requirements/<name>.txt."""

    name: str
    pythons: tuple[str, ...]
    fallbacks: tuple[str, ...] = ()

    def python(self) -> Path:
        """Return the interpreter of this cell, in CI only one that runs the pinned newest or oldest core."""
        wanted = self.pythons if in_ci() else self.pythons + self.fallbacks
        chosen = choose(wanted)
        if chosen is None:
            have = ", ".join(sorted(interpreters())) or "none"
            raise SystemExit(f"cell {self.name!r} needs one of Python {', '.join(wanted)} with venv; found: {have}")
        return chosen[1]


CELLS = {
    cell.name: cell
    for cell in (
        Cell("newest", ("3.13", "3.12", "3.14"), fallbacks=("3.11",)),
        Cell("oldest", ("3.11", "3.12")),
    )
}


def in_ci() -> bool:
    """Tell whether this is a CI run, which must not leave a cell out."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def selected() -> list[str]:
    """Return the names of the cells to run: all in CI, else the newest."""
    return list(CELLS) if in_ci() else ["newest"]
