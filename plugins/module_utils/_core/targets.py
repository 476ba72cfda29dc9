# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resolved targets against flows: every target is there, and no block reaches into the cluster's ranges."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core import (
    cilium_policy,
    options,
    peers,
    ranges,
    selectors,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import (
    Network,
    host_network,
    is_metadata,
    parse_address,
    parse_network,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.clients import Finding
from ansible_collections.netguard.lockdown.plugins.module_utils._core.dns_service import DNS_PORT
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import Block, Flow, Target
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.master_url import judge_master_url

Fields = t.Mapping[str, t.Any]


@dataclass
class Judged:
    """What rules are rendered from, typed; with errors, nothing may be rendered."""

    api_server: list[dict[str, t.Any]] = field(default_factory=list)
    entity: dict[str, t.Any] | None = None
    endpoints: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    dns: dict[str, t.Any] | None = None
    findings: list[Finding] = field(default_factory=list)
    errors: list[LockdownError] = field(default_factory=list)

    def as_record(self) -> dict[str, t.Any]:
        return {
            "api_server": self.api_server,
            "entity": self.entity,
            "endpoints": self.endpoints,
            "kept": self.kept,
            "dns": self.dns,
            "findings": [finding.as_record() for finding in self.findings],
            "errors": [str(error) for error in self.errors],
        }


def judge_targets(
    targets: t.Any,
    flows: t.Sequence[Flow],
    accepted: t.Collection[str],
    helpers: t.Sequence[Flow] = (),
    discovery: Fields | None = None,
) -> Judged:
    """Typed targets for the flows that need them.

    :arg targets: the result of module cluster_network_info, or a file of that shape.
    :arg accepted: ids of the flows whose wide peer the user accepted.
    :arg helpers: flows of policies that are offered for clients; they may need targets, too.
    :arg discovery: how the servers find each other, where their configuration was read.
    """
    judged = Judged()
    wanted = {flow.peer.target for flow in (*flows, *helpers) if isinstance(flow.peer, Target)}
    protocols = sorted({flow.protocol for flow in flows if flow.peer == Target("dns")})
    steps: tuple[t.Callable[[Fields], None], ...] = (
        lambda fields: _api_server(judged, fields) if "api_server" in wanted else None,
        lambda fields: None if "dns" in wanted else _refuse_names(fields),
        lambda fields: _dns(judged, fields, protocols) if "dns" in wanted else None,
        lambda fields: _ranges(judged, fields, flows, accepted),
        lambda fields: _engine(judged, fields),
        lambda fields: _master_url(judged, fields, discovery or {}),
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
    judged.entity = _entity(part.get("entity"), "targets.api_server.entity")
    kept_where = "targets.api_server.kept"
    judged.kept = [_kept(entry, kept_where) for entry in options.entries(part.get("kept"), kept_where)]
    judged.endpoints = [
        _pair(cidr.partition("/")[0], rule["port"])
        for index, rule in enumerate(judged.api_server)
        for cidr in rule["cidrs"]
        if listed[index].get("via") == "endpoints"
    ]


def _master_url(judged: Judged, fields: Fields, discovery: Fields) -> None:
    for found in judge_master_url(discovery, _part(fields, "targets", "api_server"), judged.api_server):
        if isinstance(found, Finding):
            judged.findings.append(found)
        else:
            judged.errors.append(found)


def _entity(given: t.Any, where: str) -> dict[str, t.Any] | None:
    """The API server as Cilium names it. No other entity is an API server."""
    if options.is_unset(given):
        return None
    fields = options.mapping(given, where)
    if options.words(fields.get("entities"), f"{where}.entities") != [cilium_policy.ENTITY]:
        raise options.invalid(f"{where}.entities", f"the only one is {cilium_policy.ENTITY}")
    ports = [options.port(port, f"{where}.ports") for port in options.sequence(fields.get("ports"), f"{where}.ports")]
    if not ports:
        raise options.invalid(f"{where}.ports", "it holds no port, and a rule without one would allow all")
    return {"ports": ports, "additive": options.flag(fields.get("additive"), f"{where}.additive")}


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
    addresses = [
        _dns_address(entry, f"{where}.addresses[{index}]")
        for index, entry in enumerate(options.entries(part.get("addresses") or [], f"{where}.addresses"))
    ]
    selector = part.get("pod_selector")
    if selector is not None or not addresses:
        selectors.validate(selector, f"{where}.pod_selector")
        if peers.is_wide(selector):
            raise options.invalid(f"{where}.pod_selector", "it demands no label, so any pod would be DNS")
    ports = _dns_ports(part.get("ports"), f"{where}.ports") if selector is not None else []
    every = [*ports, *(port for address in addresses for port in address["ports"])]
    missing = [name for name in protocols if all(port["protocol"] != name for port in every)]
    if missing:
        raise options.invalid(f"{where}.ports", f"it holds no {' and no '.join(missing)} port")
    judged.dns = {
        "namespace": options.dns_label(part.get("namespace"), f"{where}.namespace") if selector is not None else None,
        "pod_selector": selector,
        "ports": ports,
        "addresses": addresses,
    }
    if part.get("forwards_outside") is True:
        message = (
            "The cluster's DNS asks servers outside for names that it does not know: data can leave in such names. "
            "Only profile minimal closes that"
        )
        judged.findings.append(Finding("dns_forwards_outside", "warning", where, message))


def _dns_ports(given: t.Any, where: str) -> list[dict[str, t.Any]]:
    return [
        {
            "protocol": options.choice(entry.get("protocol"), where, options.PROTOCOLS),
            "port": options.port(entry.get("port"), where),
        }
        for entry in options.entries(given, where)
    ]


def _dns_address(entry: Fields, where: str) -> dict[str, t.Any]:
    """A name server by its address. Under a metadata service's address, other ports hand out credentials."""
    network = parse_network(entry.get("cidr"), f"{where}.cidr")
    if network != host_network(network.network_address):
        raise options.invalid(f"{where}.cidr", f"{network} is wider than the one address of a name server")
    ports = _dns_ports(entry.get("ports"), f"{where}.ports")
    odd = [port["port"] for port in ports if port["port"] != DNS_PORT]
    if odd and is_metadata(network.network_address):
        raise options.invalid(f"{where}.ports", f"an address of metadata services may get port {DNS_PORT} only")
    return {"cidr": str(network), "ports": ports}


def _engine(judged: Judged, fields: Fields) -> None:
    """What a reviewer must know about the engine."""
    part = _part(fields, "targets", "engine")
    name = part.get("name") or "unknown"
    if part.get("enforces") is False:
        message = f"NOTHING IS ISOLATED: {name} enforces no network policy"
        judged.findings.append(Finding("not_enforced", "warning", "targets.engine", message))
    for limit in options.words(part.get("limits"), "targets.engine.limits"):
        judged.findings.append(Finding("engine_limit", "note", "targets.engine", f"{name}: {limit}"))


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
