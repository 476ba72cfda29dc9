# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role takes from a configuration that was read: ports, discovery, fitness, and what stops it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.advice import (
    ERROR,
    WARNING,
    Finding,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.versions import (
    Version,
    read_version,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ports import OPTIONAL, Ports

Json = dict[str, t.Any]

_PARTS = ("config", "workload", "version", "ports", "listeners", "discovery", "security", "minimal", "sources")
_MODES = ("kubernetes", "dns", "static")
_ACCEPT = "ignite_lockdown_accept_config_findings"


@dataclass(frozen=True)
class Adopted:
    """A result of module ignite_config_info, as the role uses it."""

    record: Json

    @property
    def where(self) -> str:
        return str(self.record["config"])

    @property
    def version(self) -> Version | None:
        text = self.record.get("version")
        return read_version(text, "version") if text else None

    @property
    def mode(self) -> str:
        """How the servers find each other; what no policy can hold is an error of its own."""
        found = str(self.record["discovery"]["mode"])
        return found if found in _MODES else _MODES[0]

    def summary(self) -> Json:
        """What stays in results and evidence."""
        return {name: self.record.get(name) for name in _PARTS}

    def ports(self, given: t.Mapping[str, int], where: str) -> tuple[Ports, list[LockdownError]]:
        """Every port that is known, with the errors of those that the user gives otherwise.

        :arg given: numbers by the user, for ports that the configuration leaves open.
        """
        numbers: dict[str, int] = {}
        absent: dict[str, str] = {}
        errors: list[LockdownError] = []
        for name, found in self._listeners().items():
            known, place = found.get("port"), found.get("where") or self.where
            if found.get("enabled") is False:
                absent[name] = f"it is switched off in {place}"
                if name in given:
                    errors.append(_differs(f"{where}.{name}", str(given[name]), f"{place} switches it off"))
            elif known is not None:
                numbers[name] = known
                if given.get(name, known) != known:
                    errors.append(_differs(f"{where}.{name}", str(given[name]), f"{place} sets {known}"))
            elif name in given:
                numbers[name] = given[name]
            else:
                absent[name] = f"{place} does not tell its number; give it as {where}.{name} if you know it"
        return Ports(numbers, absent, self.version), errors

    def _listeners(self) -> dict[str, Json]:
        listed = {str(found["name"]): found for found in self.record["listeners"]}
        return {**{name: {} for name in OPTIONAL}, **{name: one for name, one in listed.items() if name != "multicast"}}

    def judge(
        self, needed: t.Collection[str], accepted: t.Collection[str]
    ) -> tuple[list[Finding], list[LockdownError]]:
        """Findings, and errors for those that stop the run.

        :arg needed: names of the ports in the policies. What is wrong with another one does no harm.
        :arg accepted: codes of errors that the user accepts.
        """
        findings: list[Finding] = []
        errors: list[LockdownError] = []
        for found in (_finding(record) for record in self.record["findings"]):
            if found.level != ERROR:
                findings.append(found)
            elif found.code in accepted:
                message = f"Accepted: {found.message}"
                findings.append(Finding(found.code, WARNING, found.where, message, found.fix, found.listener))
            elif found.listener and found.listener not in needed:
                findings.append(Finding(found.code, WARNING, found.where, found.message, found.fix, found.listener))
            else:
                errors.append(_refusal(found))
        return findings, errors

    def refuse_minimal(self) -> t.Iterator[LockdownError]:
        """Profile minimal, on an Ignite that needs DNS."""
        for reason in self.record["minimal"]["reasons"]:
            yield LockdownError(
                "minimal_not_fit",
                f"Refused profile minimal for {self.where}",
                str(reason),
                "Change the configuration, or use profile standard",
            )


def _finding(record: Json) -> Finding:
    return Finding(
        record["code"], record["level"], record["where"], record["message"], record["fix"], record.get("listener") or ""
    )


def _refusal(found: Finding) -> LockdownError:
    step = f"{found.fix}; or accept it in {_ACCEPT} as {found.code}"
    return LockdownError(found.code, f"Refused the Ignite of {found.where}", found.message, step)


def _differs(where: str, given: str, configured: str) -> LockdownError:
    return LockdownError(
        "port_differs",
        f"Invalid value of {where}",
        f"{given} is given, and {configured}",
        f"Remove {where}, or correct the configuration and restart Ignite",
    )


def read_accepted(value: t.Any, where: str) -> list[str]:
    """Codes of findings; a wrong one would accept nothing, which is no harm."""
    return options.words(value, where)
