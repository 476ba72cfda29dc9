# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flow record: who may talk to whom, on which port, and why.

Policies are rendered from it, and whatever judges them later judges against the same record:
one definition of its fields, one reader, one writer.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options, selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.canonical import canonical_json, digest
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import Network, parse_network

Selector = dict[str, t.Any]
Record = dict[str, t.Any]

DIRECTIONS = ("ingress", "egress")
TARGETS = ("api_server", "dns")

_KEYS = ("id", "direction", "subject", "peer", "protocol", "port", "end_port", "expect", "reason")
_WORDS = ("id", "reason")


@dataclass(frozen=True)
class Subject:
    """The pod group that a flow starts from or ends at; the name becomes part of its policy's name."""

    name: str
    pod_selector: Selector

    def as_record(self) -> Record:
        return {"name": self.name, "pod_selector": self.pod_selector}


@dataclass(frozen=True)
class Pods:
    """Pods by label; without a namespace selector those of the subject's own namespace."""

    pod_selector: Selector | None = None
    namespace_selector: Selector | None = None

    def as_record(self) -> Record:
        named = {"namespace_selector": self.namespace_selector, "pod_selector": self.pod_selector}
        return {"pods": {key: value for key, value in named.items() if value is not None}}

    def atoms(self) -> list[str]:
        return [_atom(self.namespace_selector, self.pod_selector)]


@dataclass(frozen=True)
class Namespaces:
    """Namespaces by their names, all their pods or those with the labels."""

    names: tuple[str, ...]
    pod_selector: Selector | None = None

    def as_record(self) -> Record:
        record: Record = {"namespaces": list(self.names)}
        return record if self.pod_selector is None else {**record, "pod_selector": self.pod_selector}

    def atoms(self) -> list[str]:
        return [_atom(selectors.namespaces_by_name([name]), self.pod_selector) for name in self.names]


@dataclass(frozen=True)
class Block:
    """Addresses outside of the pod network."""

    network: Network
    excluded: tuple[Network, ...] = ()

    def as_record(self) -> Record:
        record: Record = {"cidr": str(self.network)}
        return {**record, "except": [str(block) for block in self.excluded]} if self.excluded else record

    def atoms(self) -> list[str]:
        return [json.dumps(self.as_record())]


@dataclass(frozen=True)
class Target:
    """Something that is resolved from the live cluster: the API server or its DNS."""

    target: str

    def as_record(self) -> Record:
        return {"target": self.target}

    def atoms(self) -> list[str]:
        return [self.target]


# ansible-test's pylint does not know "|" between these classes.
Peer = t.Union[Pods, Namespaces, Block, Target]  # noqa: UP007


@dataclass(frozen=True)
class Flow:
    """One way of traffic that is allowed or, for a judge, expected to be denied. Only a Target has no port."""

    id: str
    direction: str
    subject: Subject
    peer: Peer
    protocol: str
    port: int | None
    reason: str
    end_port: int | None = None
    expect: str = "allow"

    def as_record(self) -> Record:
        """The plain form, with every key, that crosses templates and module boundaries."""
        return {
            "id": self.id,
            "direction": self.direction,
            "subject": self.subject.as_record(),
            "peer": self.peer.as_record(),
            "protocol": self.protocol,
            "port": self.port,
            "end_port": self.end_port,
            "expect": self.expect,
            "reason": self.reason,
        }

    def ports(self) -> range:
        """Every port of the flow; empty for a Target, whose port is not known yet."""
        return range(0) if self.port is None else range(self.port, (self.end_port or self.port) + 1)


def flows_digest(flows: t.Iterable[Flow]) -> str:
    """What the flows allow, as a digest: names, reasons, order and repetition make no difference."""
    told = ({key: value for key, value in flow.as_record().items() if key not in _WORDS} for flow in flows)
    return digest(sorted({canonical_json(record) for record in told}))


def parse_flows(records: t.Any, where: str = "flows") -> list[Flow]:
    """All records, with ids that are unique."""
    listed = options.entries(records, where)
    flows = [parse_flow(item, f"{where}[{index}]") for index, item in enumerate(listed)]
    ids = [flow.id for flow in flows]
    repeated = sorted({name for name in ids if ids.count(name) > 1})
    if repeated:
        raise options.invalid(where, f"id {', '.join(repeated)} used twice")
    return flows


def parse_flow(record: t.Any, where: str) -> Flow:
    """The typed form of a record, or an error that names the field."""
    fields = options.mapping(record, where)
    options.reject_unknown(fields, _KEYS, where)
    peer = parse_peer(fields.get("peer"), f"{where}.peer")
    port, end_port = _ports(fields, peer, where)
    return Flow(
        id=options.dns_label(fields.get("id"), f"{where}.id", 253),
        direction=options.choice(fields.get("direction"), f"{where}.direction", DIRECTIONS),
        subject=_subject(fields.get("subject"), f"{where}.subject"),
        peer=peer,
        protocol=options.choice(fields.get("protocol"), f"{where}.protocol", options.PROTOCOLS),
        port=port,
        end_port=end_port,
        expect=options.choice(fields.get("expect", "allow"), f"{where}.expect", ("allow", "deny")),
        reason=options.text(fields.get("reason"), f"{where}.reason"),
    )


def parse_peer(record: t.Any, where: str) -> Peer:
    """Exactly one of the four forms; nothing else, for an absent peer would mean everyone."""
    fields = options.mapping(record, where)
    for key, reader in _READERS.items():
        if key in fields:
            return reader(fields, where)
    raise options.invalid(where, f"a peer has one of {', '.join(_READERS)}")


def end_port(value: t.Any, first: int, where: str) -> int | None:
    """The last port of a range that starts at `first`."""
    if options.is_unset(value):
        return None
    last = options.port(value, where)
    if last < first:
        raise options.invalid(where, f"end port {last} is smaller than port {first}")
    return last


def is_part(one: Network, network: Network) -> bool:
    """Whether a block lies in another one and is smaller."""
    return one.version == network.version and one != network and t.cast("t.Any", one).subnet_of(network)


def same_traffic(flows: t.Sequence[Flow]) -> list[tuple[Flow, Flow]]:
    """Pairs of flows that allow the same peer on the same port: one of the two is a mistake."""
    seen: dict[tuple[str, str, str, str], list[Flow]] = {}
    pairs: list[tuple[Flow, Flow]] = []
    for flow in flows:
        for atom in flow.peer.atoms():
            earlier = seen.setdefault((flow.direction, flow.subject.name, flow.protocol, atom), [])
            pairs += [(other, flow) for other in earlier if _share_a_port(other, flow)]
            earlier.append(flow)
    return pairs


def _share_a_port(one: Flow, other: Flow) -> bool:
    if one.port is None or other.port is None:
        return True
    return one.port in other.ports() or other.port in one.ports()


def _atom(namespace_selector: Selector | None, pod_selector: Selector | None) -> str:
    return json.dumps([namespace_selector, pod_selector], sort_keys=True)


def _ports(fields: Record, peer: Peer, where: str) -> tuple[int | None, int | None]:
    if isinstance(peer, Target):
        if fields.get("port") is not None or fields.get("end_port") is not None:
            raise options.invalid(where, f"the port of target {peer.target} is resolved, it cannot be given")
        return None, None
    port = options.port(fields.get("port"), f"{where}.port")
    return port, end_port(fields.get("end_port"), port, f"{where}.end_port")


def _subject(record: t.Any, where: str) -> Subject:
    fields = options.mapping(record, where)
    options.reject_unknown(fields, ("name", "pod_selector"), where)
    selector = fields.get("pod_selector")
    selectors.validate(selector, f"{where}.pod_selector")
    return Subject(options.dns_label(fields.get("name"), f"{where}.name"), dict(selector or {}))


def _selector(value: t.Any, where: str) -> Selector | None:
    if value is None:
        return None
    selectors.validate(value, where)
    return dict(value)


def _read_pods(fields: Record, where: str) -> Pods:
    options.reject_unknown(fields, ("pods",), where)
    place = f"{where}.pods"
    parts = options.mapping(fields["pods"], place)
    options.reject_unknown(parts, ("namespace_selector", "pod_selector"), place)
    pods = Pods(
        pod_selector=_selector(parts.get("pod_selector"), f"{place}.pod_selector"),
        namespace_selector=_selector(parts.get("namespace_selector"), f"{place}.namespace_selector"),
    )
    if pods.pod_selector is None and pods.namespace_selector is None:
        raise options.invalid(place, "it names neither pods nor namespaces")
    return pods


def _read_namespaces(fields: Record, where: str) -> Namespaces:
    options.reject_unknown(fields, ("namespaces", "pod_selector"), where)
    place = f"{where}.namespaces"
    names = options.words(fields["namespaces"], place)
    if not names:
        raise options.invalid(place, "it names no namespace")
    return Namespaces(
        names=tuple(options.dns_label(name, place) for name in names),
        pod_selector=_selector(fields.get("pod_selector"), f"{where}.pod_selector"),
    )


def _read_block(fields: Record, where: str) -> Block:
    options.reject_unknown(fields, ("cidr", "except"), where)
    network = parse_network(fields["cidr"], f"{where}.cidr")
    place = f"{where}.except"
    excluded = [parse_network(item, place) for item in options.words(fields.get("except"), place)]
    for block in excluded:
        if not is_part(block, network):
            raise options.invalid(place, f"{block} is not a part of {network}")
    return Block(network, tuple(excluded))


def _read_target(fields: Record, where: str) -> Target:
    options.reject_unknown(fields, ("target",), where)
    return Target(options.choice(fields["target"], f"{where}.target", TARGETS))


_READERS: dict[str, t.Callable[[Record, str], Peer]] = {
    "pods": _read_pods,
    "namespaces": _read_namespaces,
    "cidr": _read_block,
    "target": _read_target,
}
