# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings with what to change. Light: filters bring it, and not the reader of configurations."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core import clients

# A policy cannot hold it, or Ignite does not work so | a reviewer should change it | a reviewer should know it.
ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True)
class Finding(clients.Finding):
    """`fix` says what to change. `listener` is the one whose port is concerned, empty if it is more than a port."""

    fix: str
    listener: str = field(default="", compare=False)

    def as_record(self) -> dict[str, str]:
        return {**super().as_record(), "fix": self.fix, "listener": self.listener}
