# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resolved targets against flows: every target is there, and no block reaches into the cluster's ranges."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options, peers, ranges, selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import (
    Network,
    host_network,
    is_metadata,
    parse_address,
    parse_network,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.clients import Finding
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import Block, Flow, Target

Fields = t.Mapping[str, t.Any]


@dataclass
class Judged:
    """What rules are rendered from, typed; with errors, nothing may be rendered."""

    api_server: list[dict[str, t.Any]] = field(default_factory=list)
    endpoints: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    dns: dict[str, t.Any] | None = None
    findings: list[Finding] = field(default_factory=list)
    errors: list[LockdownError] = field(default_factory=list)

    def as_record(self) -> dict[str, t.Any]:
        return {
            "api_server": self.api_server,
            "endpoints": self.endpoints,
            "kept": self.kept,
            "dns": self.dns,
            "findings": [finding.as_record() for finding in self.findings],
            "errors": [str(error) for error in self.errors],
        }


def judge_targets(targets: t.Any, flows: t.Sequence[Flow], accepted: t.Collection[str]) -> Judged:
    """Typed targets for the flows that need them.

    :arg targets: the result of module cluster_network_info, or a file of that shape.
    :arg accepted: ids of the flows whose wide peer the user accepted.
    """
    judged = Judged()
    wanted = {flow.peer.target for flow in flows if isinstance(flow.peer, Target)}
    protocols = sorted({flow.protocol for flow in flows if flow.peer == Target("dns")})
    steps: tuple[t.Callable[[Fields], None], ...] = (
        lambda fields: _api_server(judged, fields) if "api_server" in wanted else None,
        lambda fields: None if "dns" in wanted else _refuse_names(fields),
        lambda fields: _dns(judged, fields, protocols) if "dns" in wanted else None,
        lambda fields: _ranges(judged, fields, flows, accepted),
    )
    for step in steps:
        with options.collected(judged.errors):
            step(options.mapping(targets, "targets"))
    return judged


def _api_server(judged: Judged, fields: Fields) -> None:
    part = options.mapping(fields.get("api_server"), "targets.api_server")
    where = "targets.api_server.targets"
    listed = options.entries(part.get("targets"), where)
    if not listed:
        raise options.invalid(where, "it holds no address, and a rule without one would allow everyone")
    judged.api_server = [_rule(entry, f"{where}[{index}]") for index, entry in enumerate(listed)]
    kept_where = "targets.api_server.kept"
    judged.kept = [_kept(entry, kept_where) for entry in options.entries(part.get("kept"), kept_where)]
    judged.endpoints = [
        _pair(cidr.partition("/")[0], rule["port"])
        for index, rule in enumerate(judged.api_server)
        for cidr in rule["cidrs"]
        if listed[index].get("via") == "endpoints"
    ]


def _refuse_names(fields: Fields) -> None:
    """Without DNS, pods that are told to dial the API server by a name cannot reach it."""
    part = options.mapping(fields.get("api_server"), "targets.api_server")
    hosts = options.entries(part.get("foreign_hosts"), "targets.api_server.foreign_hosts")
    if hosts:
        raise LockdownError(
            "api_server_by_name",
            "Refused flows without DNS",
            f"pods are told to dial the API server as {', '.join(str(entry.get('host')) for entry in hosts)}",
            "Use profile standard on this cluster",
        )


def _rule(entry: Fields, where: str) -> dict[str, t.Any]:
    """One rule: some addresses on one port; every block must be one address, and no metadata service."""
    cidrs = options.words(entry.get("cidrs"), f"{where}.cidrs")
    if not cidrs:
        raise options.invalid(where, "it holds no address, and a rule without one would allow everyone")
    for cidr in cidrs:
        network = parse_network(cidr, f"{where}.cidrs")
        if network != host_network(network.network_address):
            raise options.invalid(f"{where}.cidrs", f"{cidr} is wider than the one address of an API server")
        if is_metadata(network.network_address):
            raise options.invalid(f"{where}.cidrs", f"{cidr} is an address of metadata services")
    return {
        "protocol": options.choice(entry.get("protocol"), f"{where}.protocol", ("TCP",)),
        "port": options.port(entry.get("port"), f"{where}.port"),
        "cidrs": cidrs,
    }


def _kept(entry: Fields, where: str) -> str:
    address = str(parse_address(entry.get("address"), where))
    moment = options.text(entry.get("vanished_at"), f"{where}.vanished_at")
    return f"{_pair(address, options.port(entry.get('port'), f'{where}.port'))}={moment}"


def _pair(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _dns(judged: Judged, fields: Fields, protocols: t.Sequence[str]) -> None:
    where = "targets.dns"
    part = options.mapping(fields.get("dns"), where)
    selector = part.get("pod_selector")
    selectors.validate(selector, f"{where}.pod_selector")
    if peers.is_wide(selector):
        raise options.invalid(f"{where}.pod_selector", "it demands no label, so any pod would be DNS")
    ports = [
        {
            "protocol": options.choice(entry.get("protocol"), f"{where}.ports", options.PROTOCOLS),
            "port": options.port(entry.get("port"), f"{where}.ports"),
        }
        for entry in options.entries(part.get("ports"), f"{where}.ports")
    ]
    missing = [name for name in protocols if all(port["protocol"] != name for port in ports)]
    if missing:
        raise options.invalid(f"{where}.ports", f"it holds no {' and no '.join(missing)} port")
    judged.dns = {
        "namespace": options.dns_label(part.get("namespace"), f"{where}.namespace"),
        "pod_selector": selector,
        "ports": ports,
    }


def _ranges(judged: Judged, fields: Fields, flows: t.Sequence[Flow], accepted: t.Collection[str]) -> None:
    part = options.mapping(fields.get("cluster"), "targets.cluster")
    blocks = [flow for flow in flows if isinstance(flow.peer, Block)]
    for kind, key in (("pod", "pod_cidrs"), ("service", "service_cidrs")):
        where = f"targets.cluster.{key}"
        known: list[Network] = [parse_network(cidr, where) for cidr in options.words(part.get(key), where)]
        addresses = _service_addresses(fields) if kind == "service" else []
        judged.errors += ranges.in_ranges(blocks, accepted, kind, [*known, *addresses])
        if blocks and not known:
            message = f"The cluster's {kind} range is unknown, so CIDR blocks could not be compared with it"
            judged.findings.append(Finding("range_unknown", "warning", where, message))


def _service_addresses(fields: Fields) -> list[Network]:
    """The Services that were resolved: known even where the range of all Services is not."""
    found: list[Network] = []
    for name in ("api_server", "dns"):
        service = _part(_part(fields, "targets", name), f"targets.{name}", "service")
        where = f"targets.{name}.service.cluster_ips"
        found += [host_network(parse_address(item, where)) for item in options.words(service.get("cluster_ips"), where)]
    return found


def _part(fields: Fields, where: str, name: str) -> Fields:
    """A mapping that may be left out."""
    return {} if fields.get(name) is None else options.mapping(fields[name], f"{where}.{name}")
