# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one bench returns."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field


@dataclass
class Measured:
    """Figures for bench.json, and the budgets that they miss, in words."""

    figures: dict[str, t.Any]
    missed: list[str] = field(default_factory=list)

    def budget(self, what: str, value: float, goal: float) -> None:
        if value > goal:
            self.missed.append(f"{what} is {value:.2f}, the goal is at most {goal}")
