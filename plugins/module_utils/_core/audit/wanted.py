# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What flows permit, in the terms of the evaluator: the measure that policies are judged by."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options, selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import parse_address, parse_network
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import (
    Block,
    Flow,
    Namespaces,
    Pods,
    Target,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import ports
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.addresses import Point, of_network, point
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.policies import (
    NAME_SERVER,
    BlockPeer,
    EntityPeer,
    Peer,
    PodPeer,
    Rule,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw

_ENTITY = "kube-apiserver"


class Wanted(t.NamedTuple):
    """:arg rules: of which each permits a part of the flow; the flow is all of them."""

    flow: Flow
    rules: tuple[Rule, ...]


class Grace(t.NamedTuple):
    """An address that has vanished and is kept for a while."""

    point: Point
    port: int
    vanished_at: str
    until: str


def wanted(flows: t.Sequence[Flow], targets: Raw | None) -> list[Wanted]:
    """Each flow with what it permits.

    :arg targets: the result of module cluster_network_info, for flows whose peer is a target.
    """
    return [Wanted(flow, tuple(_rules(flow, targets))) for flow in flows]


def grace(targets: Raw | None) -> list[Grace]:
    """The addresses that the resolver keeps beyond their end."""
    where = "targets.api_server.kept"
    listed = options.entries(((targets or {}).get("api_server") or {}).get("kept"), where)
    return [
        Grace(
            point=point(str(parse_address(entry.get("address"), where))),
            port=options.port(entry.get("port"), f"{where}.port"),
            vanished_at=str(entry.get("vanished_at", "")),
            until=str(entry.get("until", "")),
        )
        for entry in listed
    ]


def _rules(flow: Flow, targets: Raw | None) -> t.Iterator[Rule]:
    peer = flow.peer
    if isinstance(peer, Target):
        readers = {"api_server": _api_server, "dns": _dns}
        for peers, numbered in readers[peer.target](flow, _target(targets, peer.target)):
            yield Rule(flow.direction, 0, peers, numbered, ())
        return
    first = flow.port or 1
    numbered = ports.ports(flow.protocol, first, flow.end_port or first)
    yield Rule(flow.direction, 0, (_peer(peer),), numbered, ())


def _peer(peer: Pods | Namespaces | Block) -> Peer:
    if isinstance(peer, Pods):
        return PodPeer(peer.pod_selector, peer.namespace_selector)
    if isinstance(peer, Namespaces):
        return PodPeer(peer.pod_selector, selectors.namespaces_by_name(peer.names))
    return BlockPeer(of_network(peer.network), tuple(of_network(block) for block in peer.excluded))


def _target(targets: Raw | None, name: str) -> Raw:
    part = (targets or {}).get(name)
    if not part:
        raise LockdownError(
            "targets_missing",
            f"Flows with target {name} cannot be judged",
            f"targets holds no {name}, so their addresses are unknown",
            "Give the result of module cluster_network_info as targets",
        )
    return options.mapping(part, f"targets.{name}")


def _api_server(flow: Flow, part: Raw) -> t.Iterator[tuple[tuple[Peer, ...], ports.PortSet]]:
    """By address whatever an engine's blocks match: the flow means these addresses."""
    where = "targets.api_server.targets"
    for index, entry in enumerate(options.entries(part.get("targets"), where)):
        place = f"{where}[{index}]"
        blocks = [parse_network(text, f"{place}.cidrs") for text in options.words(entry.get("cidrs"), f"{place}.cidrs")]
        points = tuple(Point(block.version, int(block.network_address)) for block in blocks)
        protocol = options.choice(entry.get("protocol"), f"{place}.protocol", options.PROTOCOLS)
        if protocol == flow.protocol:
            yield (
                (EntityPeer(_ENTITY, points),),
                ports.ports(protocol, *[options.port(entry.get("port"), f"{place}.port")] * 2),
            )


def _dns(flow: Flow, part: Raw) -> t.Iterator[tuple[tuple[Peer, ...], ports.PortSet]]:
    """The DNS pods, the name servers that are reached by address, or both."""
    where = "targets.dns"
    addresses = options.entries(part.get("addresses"), f"{where}.addresses")
    if part.get("pod_selector") is not None or not addresses:
        selectors.validate(part.get("pod_selector"), f"{where}.pod_selector")
        namespace = options.dns_label(part.get("namespace"), f"{where}.namespace")
        peer = PodPeer(part["pod_selector"], selectors.namespaces_by_name([namespace]))
        for numbered in _dns_ports(flow, part.get("ports"), f"{where}.ports"):
            yield (peer,), numbered
    for index, entry in enumerate(addresses):
        place = f"{where}.addresses[{index}]"
        block = parse_network(entry.get("cidr"), f"{place}.cidr")
        server = EntityPeer(NAME_SERVER, (Point(block.version, int(block.network_address)),))
        for numbered in _dns_ports(flow, entry.get("ports"), f"{place}.ports"):
            yield (server,), numbered


def _dns_ports(flow: Flow, given: t.Any, where: str) -> t.Iterator[ports.PortSet]:
    for entry in options.entries(given, where):
        if entry.get("protocol") == flow.protocol:
            number = options.port(entry.get("port"), where)
            yield ports.ports(flow.protocol, number, number)
