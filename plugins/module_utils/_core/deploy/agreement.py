# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what was rendered is what was meant: it is read as any Ignite's configuration is, and compared."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config import findings as levels
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.ignite import (
    Config,
    Ignite,
    read_ignite,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.listeners import ROLE_PORTS
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.versions import read_version
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.workload import Workload

Record = t.Mapping[str, t.Any]

# Findings that tell the user nothing: the deployment says it itself, or the user's settings ask for it.
_OWN = ("starts_inactive", "weak_probe", "one_address_of_a_name")


@dataclass(frozen=True)
class Agreement:
    findings: list[levels.Finding]
    errors: list[LockdownError]

    def as_record(self) -> dict[str, t.Any]:
        return {
            "findings": [finding.as_record() for finding in self.findings],
            "errors": [str(error) for error in self.errors],
        }


def compare(objects: t.Sequence[Record], meant: Record) -> Agreement:
    """:arg objects: the rendered objects.
    :arg meant: the deployment that they were rendered from.
    """
    errors: list[LockdownError] = []
    findings: list[levels.Finding] = []
    with options.collected(errors):
        ignite = _read(objects, meant)
        findings = [finding for finding in ignite.findings if finding.code not in _OWN]
        errors += [_refused(f"{found.where}: {found.message}") for found in findings if found.level == levels.ERROR]
        errors += [_refused(why) for why in _differences(ignite, meant)]
    return Agreement([finding for finding in findings if finding.level != levels.ERROR], errors)


def _read(objects: t.Sequence[Record], meant: Record) -> Ignite:
    by_kind = {item["kind"]: item for item in objects}
    workload = Workload.of(by_kind["StatefulSet"])
    config_map = by_kind["ConfigMap"]
    where = f"ConfigMap {meant['namespace']}/{config_map['metadata']['name']}, key ignite.xml"
    config = Config(config_map["data"]["ignite.xml"], where, is_open=True)
    return read_ignite(config, workload, read_version(meant["version"], "version"))


def _differences(ignite: Ignite, meant: Record) -> t.Iterator[str]:
    read: dict[str, tuple[t.Any, t.Any]] = {
        "the ports": (_ports(ignite, meant["ports"]), dict(meant["ports"])),
        "the discovery": (ignite.discovery.mode, meant["finder"]["mode"]),
        "TLS between servers": (ignite.security.nodes_tls, meant["tls"] is not None),
        "TLS of thin clients": (ignite.security.thin_clients_tls, meant["tls"] is not None),
        "authentication": (ignite.security.authentication, meant["authentication"]),
        "persistence": (ignite.security.persistence, meant["persistence"] is not None),
    }
    for what, (found, wanted) in read.items():
        if found != wanted:
            yield f"{what} in the rendered configuration: {found}, and the variables say {wanted}"
    if not meant["names_resolved"]:
        yield from ignite.minimal.reasons


def _ports(ignite: Ignite, meant: t.Collection[str]) -> dict[str, int | None]:
    """Ports that are read. One that a JVM option opens and no variable names is open to nobody."""
    active = [listener for listener in ignite.listeners if listener.counts]
    return {listener.name: listener.port for listener in active if listener.name in (*ROLE_PORTS, *meant)}


def _refused(why: str) -> LockdownError:
    return LockdownError(
        "configuration_differs",
        "Refused the deployment",
        why,
        "Change the variable concerned; what is rendered must be what the policies hold",
    )
