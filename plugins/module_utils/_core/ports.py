# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of Ignite's ports by their names, and why a port has none."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.versions import Version

# Ports of what is not on by itself; they have no default number.
OPTIONAL = ("jmx", "jmx_rmi", "metrics")


@dataclass(frozen=True)
class Ports:
    """:arg absent: why ports have no number.
    :arg version: Ignite's version, which decides what some clients dial; None if it is not known.
    """

    numbers: dict[str, int]
    absent: dict[str, str] = field(default_factory=dict)
    version: Version | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.numbers, *self.absent)

    def number(self, name: str, where: str) -> int:
        if name in self.numbers:
            return self.numbers[name]
        raise LockdownError(
            "port_not_configured",
            f"Refused {where}",
            f"it needs port {name}, and {self.absent.get(name, 'it is not known')}",
            "Configure Ignite to listen there, or remove it",
        )

    def name_of(self, number: int) -> str:
        """The name of a port, else its digits."""
        return next((name for name, port in self.numbers.items() if port == number), str(number))
