# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was expected, what was observed: one row per cell, as text and as build/enforced-ENGINE.json."""

from __future__ import annotations

import json
import time
import types
import typing as t
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

REACHED = ("connected", "answered")
DROPPED = "timed out"


@dataclass(frozen=True)
class Row:
    """One cell of the table."""

    engine: str
    case: str
    cell: str
    expected: str
    observed: str
    seconds: float


class Table:
    """The rows of a run."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.rows: list[Row] = []

    def case(self, name: str) -> Case:
        return Case(self, name)

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([asdict(row) for row in self.rows], indent=2) + "\n", encoding="utf-8")

    def __str__(self) -> str:
        heads = ("case", "cell", "expected", "observed", "seconds")
        lines = [(row.case, row.cell, row.expected, row.observed, f"{row.seconds:.1f}") for row in self.rows]
        widths = [max(len(line[column]) for line in [heads, *lines]) for column in range(len(heads))]
        text = (
            "  ".join(part.ljust(width) for part, width in zip(line, widths, strict=True)) for line in [heads, *lines]
        )
        return "\n".join(line.rstrip() for line in text)


class Case:
    """One case; as a context manager it fails at its end, so that every cell is recorded."""

    def __init__(self, table: Table, name: str) -> None:
        self._table, self._name, self._wrong = table, name, list[str]()

    def __enter__(self) -> Case:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        if error is None and self._wrong:
            raise AssertionError(f"{self._name}:\n" + "\n".join(self._wrong))

    def cell(self, name: str, expected: str, observe: Callable[[], str]) -> str:
        """Observe something and record it."""
        began = time.monotonic()
        observed = observe()
        return self.record(name, expected, observed, time.monotonic() - began)

    def record(self, name: str, expected: str, observed: str, seconds: float = 0.0) -> str:
        """Record what was observed; `expected` may be the beginning of it."""
        row = Row(self._table.engine, self._name, name, expected, observed, round(seconds, 2))
        self._table.rows.append(row)
        if not observed.startswith(expected):
            self._wrong.append(f"  {name}: expected {expected}, observed {observed}")
        return observed

    def reached(self, seen: Mapping[str, str], cells: Mapping[str, str]) -> None:
        """Cells, each a name with its target, that must have been reached."""
        for name, target in cells.items():
            expected = "answered" if target.startswith("dns") else "connected"
            self.record(name, expected, seen[target])

    def blocked(self, seen: Mapping[str, str], control: Mapping[str, str], cells: Mapping[str, str]) -> None:
        """Cells that must have been dropped, while the same targets answered a control that nothing restricts."""
        for name, target in cells.items():
            alive = control[target] in REACHED
            self.record(name, DROPPED, seen[target] if alive else f"invalid, the control saw: {control[target]}")


def described(values: t.Iterable[object]) -> str:
    """Several observations as one text: the value if all are the same, else each."""
    texts = [str(value) for value in values]
    return texts[0] if len(set(texts)) == 1 else ", ".join(texts)
