# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies as the evaluator needs them, read from objects as the API returns them or people write them."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options, policy, selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import Network
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import objects, ports
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.addresses import Point, Range, of_network
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.ports import PortSet
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw

INGRESS, EGRESS = "ingress", "egress"


class PodPeer(t.NamedTuple):
    """Pods by label. Without a namespace selector those of the policy's own namespace."""

    pod_selector: selectors.Selector | None
    namespace_selector: selectors.Selector | None


class BlockPeer(t.NamedTuple):
    block: Range
    holes: tuple[Range, ...]


# The entity of name servers that answer at an address themselves, be it that of a Service.
NAME_SERVER = "name server"


class EntityPeer(t.NamedTuple):
    """The addresses behind a name that an engine, or a flow, gives to a part of the world."""

    entity: str
    addresses: tuple[Point, ...]


Peer = t.Union[PodPeer, BlockPeer, EntityPeer]  # noqa: UP007 - ansible-test's pylint does not know "|" here


class NamedPortRef(t.NamedTuple):
    """A port by the name that the destination pod's containers give it."""

    name: str
    protocol: str


class Rule(t.NamedTuple):
    """:arg number: its index in its direction.
    :arg peers: None is everyone.
    :arg numbered: the ports by number, and `named` those by name; both None is every port.
    """

    direction: str
    number: int
    peers: tuple[Peer, ...] | None
    numbered: PortSet | None
    named: tuple[NamedPortRef, ...]


class Policy(t.NamedTuple):
    """:arg isolates: the directions in which the pods that it selects may do only what rules allow.
    :arg opaque: why what it does cannot be told; such a policy has no rules here.
    :arg namespace_selector: the namespaces of a policy of the whole cluster; None is the policy's own.
    :arg fallback: whether it counts only for pods that no NetworkPolicy isolates.
    """

    kind: str
    namespace: str
    name: str
    pod_selector: selectors.Selector
    isolates: tuple[str, ...]
    rules: tuple[Rule, ...]
    opaque: str = ""
    namespace_selector: selectors.Selector | None = None
    fallback: bool = False

    def __str__(self) -> str:
        prefix = "" if self.kind == "NetworkPolicy" else f"{self.kind} "
        return f"{prefix}{self.namespace}/{self.name}" if self.namespace else f"{prefix}{self.name}"


def read_network_policy(raw: Raw, where: str) -> Policy:
    spec = options.mapping(raw.get("spec") or {}, f"{where} spec")
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    unknown = sorted(set(map(str, types)) - {"Ingress", "Egress"})
    if unknown:
        raise bad_policy(f"{where} spec.policyTypes", f"{', '.join(unknown)} is neither Ingress nor Egress")
    selector = spec.get("podSelector") or {}
    selectors.validate(selector, f"{where} spec.podSelector")
    isolates = tuple(key for name, key, _peers in policy.DIRECTIONS if name in types)
    return Policy(
        kind="NetworkPolicy",
        namespace=objects.namespace_of(raw),
        name=objects.name_of(raw, where),
        pod_selector=selector,
        isolates=isolates,
        rules=tuple(
            _rule(rule, key, peers, index, f"{where} spec.{key}[{index}]")
            for _name, key, peers in policy.DIRECTIONS
            if key in isolates
            for index, rule in enumerate(options.sequence(spec.get(key), f"{where} spec.{key}"))
        ),
    )


def bad_policy(where: str, why: str) -> LockdownError:
    return LockdownError("invalid_policy", f"Invalid policy: {where}", why, "Correct the policy")


def _rule(raw: t.Any, direction: str, peers_key: str, index: int, where: str) -> Rule:
    fields = options.mapping(raw or {}, where)
    peers = options.sequence(fields.get(peers_key), f"{where}.{peers_key}")
    listed = options.sequence(fields.get("ports"), f"{where}.ports")
    numbered, named = read_ports(listed, where)
    return Rule(
        direction=direction,
        number=index,
        peers=tuple(_peer(peer, f"{where}.{peers_key}[{n}]") for n, peer in enumerate(peers)) or None,
        numbered=numbered,
        named=named,
    )


def read_ports(listed: t.Sequence[t.Any], where: str) -> tuple[PortSet | None, tuple[NamedPortRef, ...]]:
    """Ports by number and by name; (None, ()) where the list is empty and means every port."""
    numbered, named = ports.NONE, []
    for index, raw in enumerate(listed):
        place = f"{where}.ports[{index}]"
        entry = options.mapping(raw or {}, place)
        protocol = options.choice(entry.get("protocol") or "TCP", f"{place}.protocol", options.PROTOCOLS)
        if isinstance(entry.get("port"), str):
            if entry.get("endPort") is not None:
                raise bad_policy(place, "endPort needs a port by number")
            named.append(NamedPortRef(entry["port"], protocol))
        else:
            numbered = ports.union(numbered, _numbers(entry, protocol, place))
    return (numbered, tuple(named)) if listed else (None, ())


def _numbers(entry: Raw, protocol: str, where: str) -> PortSet:
    first, last = entry.get("port"), entry.get("endPort")
    if first is None:
        if last is not None:
            raise bad_policy(where, "endPort needs a port")
        return ports.ports(protocol)
    first = options.port(first, f"{where}.port")
    last = first if last is None else options.port(last, f"{where}.endPort")
    if last < first:
        raise bad_policy(where, f"endPort {last} is smaller than port {first}")
    return ports.ports(protocol, first, last)


def _peer(raw: t.Any, where: str) -> Peer:
    fields = {key: value for key, value in options.mapping(raw or {}, where).items() if value is not None}
    if set(fields) == {"ipBlock"}:
        return _block(options.mapping(fields["ipBlock"], f"{where}.ipBlock"), f"{where}.ipBlock")
    if not fields or not set(fields) <= {"podSelector", "namespaceSelector"}:
        raise bad_policy(where, "a peer has podSelector, namespaceSelector or both, or ipBlock alone")
    for key, selector in fields.items():
        selectors.validate(selector, f"{where}.{key}")
    return PodPeer(fields.get("podSelector"), fields.get("namespaceSelector"))


def _block(fields: Raw, where: str) -> BlockPeer:
    block = of_network(network(fields.get("cidr"), f"{where}.cidr"))
    holes = tuple(of_network(network(text, f"{where}.except")) for text in fields.get("except") or [])
    for hole in holes:
        if hole.family != block.family or hole.first < block.first or hole.last > block.last:
            raise bad_policy(f"{where}.except", f"{', '.join(hole.describe())} is not inside {fields['cidr']}")
    return BlockPeer(block, holes)


def network(text: t.Any, where: str) -> Network:
    """A block as the API server takes it: host bits may be set in objects that are stored."""
    try:
        if isinstance(text, str) and "/" in text:
            return ipaddress.ip_network(text, strict=False)
    except ValueError:
        pass
    raise bad_policy(where, f"{text!r} is not a CIDR block")
