# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's errors: what failed, why, and what to do next."""

from __future__ import annotations

import typing as t


class LabError(Exception):
    """Something the lab could not do; the text is meant for the person who runs the tests."""

    def __init__(self, what: str, why: str = "", next_step: str = "") -> None:
        self.what, self.why, self.next_step = what, why, next_step
        lines = [what, why, f"Next step: {next_step}" if next_step else ""]
        super().__init__("\n".join(line for line in lines if line))


class ApiError(LabError):
    """The API server answered with an error status."""

    def __init__(self, method: str, path: str, status: int, answer: dict[str, t.Any]) -> None:
        self.status, self.answer = status, answer
        self.reason = str(answer.get("reason", ""))
        super().__init__(f"{method} {path}: HTTP {status} {self.reason}".rstrip(), str(answer.get("message", "")))
