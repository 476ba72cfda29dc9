# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each step found, counted from the tools' own reports, and kept for one closing line over all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from gate.paths import RESULTS

# ansible-test says this of a test that has no file to look at, or no interpreter that it could use.
NOTHING_TO_DO = ("No tests applicable.", "because it could not be found.", "because it is unsupported.")


@dataclass
class Result:
    """The count of one step; names say which tests failed or were skipped."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Tell whether something ran, and nothing failed or was left out."""
        return self.passed > 0 and not self.failed and not self.skipped

    def __add__(self, other: Result) -> Result:
        return Result(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def save(self, step: str) -> None:
        """Keep the count of a step for the summary."""
        RESULTS.mkdir(parents=True, exist_ok=True)
        _path(step).write_text(json.dumps(asdict(self)))


def load(step: str) -> Result | None:
    """Return the count of a step, None if it did not get as far as counting."""
    return Result(**json.loads(_path(step).read_text())) if _path(step).exists() else None


def forget(step: str) -> None:
    """Drop the count of an earlier run."""
    _path(step).unlink(missing_ok=True)


def from_junit(reports: Iterable[Path]) -> Result:
    """Count JUnit reports: pytest's one, or ansible-test sanity's many."""
    result = Result()
    for report in reports:
        for case in ElementTree.parse(report).getroot().iter("testcase"):
            _count(case, result)
    return result


def _count(case: ElementTree.Element, result: Result) -> None:
    name = f"{case.get('classname')}::{case.get('name')}"
    skipped = case.find("skipped")
    if case.find("failure") is not None or case.find("error") is not None:
        result.failed.append(name)
    elif skipped is None:
        result.passed += 1
    elif not (skipped.text or "").strip().endswith(NOTHING_TO_DO):
        reason = skipped.get("message") or skipped.text or ""
        result.skipped.append(f"{name}: {reason.strip()}")


def _path(step: str) -> Path:
    return RESULTS / f"{step}.json"
