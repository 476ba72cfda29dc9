# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which connections to try: one cell for each flow, pod and address."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options
from ansible_collections.netguard.lockdown.plugins.module_utils._core import probe_tools as tools
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import Address, host_network
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import Block, Flow, Target
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_targets import Targets
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_world import World, WorldPod


@dataclass(frozen=True)
class Place:
    """What is dialled. `kind` is pod, service, node, api_server or address."""

    kind: str
    name: str
    namespace: str
    address: Address
    port: int
    protocol: str = "TCP"
    dns: bool = False

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "namespace": self.namespace,
            "address": str(self.address),
            "port": self.port,
            "protocol": self.protocol,
        }

    def destination(self, asked: Address | None) -> tools.Destination:
        """How to try it; `asked` is the address whose name a DNS server is asked for."""
        if self.dns:
            return tools.dns_destination(self.protocol, str(self.address), self.port, str(asked or self.address))
        return tools.Destination(tools.TCP, str(self.address), self.port)


@dataclass(frozen=True)
class Cell:
    """One connection to try; with `obstacle` it cannot be tried, and that is why."""

    flow: str
    reason: str
    direction: str
    source: WorldPod | None
    place: Place | None
    expect: str
    obstacle: str = ""

    @property
    def pair(self) -> tuple[t.Any, ...] | None:
        """What makes two cells the same connection."""
        if self.source is None or self.place is None:
            return None
        return self.source.key, self.place.address, self.place.port, self.place.protocol


@dataclass(frozen=True)
class LeftOut:
    """What was left out, and why; it does not change the verdict."""

    flow: str
    why: str
    pod: str = ""

    def as_dict(self) -> dict[str, str]:
        return {"flow": self.flow, "pod": self.pod, "why": self.why}


class Plan:
    """The cells, no connection twice, and what was left out."""

    def __init__(self) -> None:
        self.cells: list[Cell] = []
        self.left_out: list[LeftOut] = []
        self._pairs: dict[tuple[t.Any, ...], Cell] = {}

    def add(self, cell: Cell) -> None:
        earlier = self._pairs.setdefault(cell.pair, cell) if cell.pair else cell
        if earlier is cell:
            self.cells.append(cell)
        elif earlier.expect != cell.expect:
            why = f"{earlier.flow} and {cell.flow} expect opposite things of the connection to {_text(cell.place)}"
            raise options.invalid("flows", why)

    def leave_out(self, flow: Flow, why: str, pod: str = "") -> None:
        self.left_out.append(LeftOut(flow.id, why, pod))


def plan_flows(namespace: str, flows: t.Sequence[Flow], targets: Targets, world: World, most: int) -> Plan:
    """The cells of all flows.

    :arg most: from each pod at most so many pods of a peer are tried, and so many clients of a flow.
    Raises LockdownError where a flow has no pod to start from, or two flows contradict each other.
    """
    plan = Plan()
    # Egress first: among peers it is the same connections as ingress.
    for flow in sorted(flows, key=lambda flow: flow.direction):
        ready = _ready_subjects(namespace, flow, world, plan)
        if len(flow.ports()) > 1:
            _cannot(plan, flow, f"of ports {flow.port} to {flow.end_port} only the first is tried")
        if flow.protocol == "SCTP" or (flow.protocol == "UDP" and flow.peer != Target("dns")):
            _cannot(plan, flow, f"an open {flow.protocol} port gives no sign that it was reached")
        elif flow.direction == "egress":
            _egress(plan, flow, ready, targets, world, namespace, flows, most)
        else:
            _ingress(plan, flow, ready, world, namespace, most)
    return plan


def _ready_subjects(namespace: str, flow: Flow, world: World, plan: Plan) -> list[WorldPod]:
    every = world.subjects(namespace, flow.subject)
    ready = [pod for pod in every if pod.ready and pod.addresses]
    if not ready:
        raise LockdownError(
            "no_pods",
            f"No pod of {flow.subject.name} can be probed",
            f"of {len(every)} pods in namespace {namespace} that flow {flow.id} selects, none is ready",
            "Correct the selector, or wait until the pods are ready",
            details={"flow": flow.id, "pods": [pod.name for pod in every]},
        )
    for pod in every:
        if pod not in ready:
            plan.leave_out(flow, "the pod is not ready", pod.name)
    return ready


def _cannot(plan: Plan, flow: Flow, why: str) -> None:
    """Something that cannot be tried: left out where it is allowed, inconclusive where it must not work."""
    if flow.expect == "allow":
        plan.leave_out(flow, why)
    else:
        plan.add(_cell(flow, None, None, why))


def _egress(
    plan: Plan,
    flow: Flow,
    ready: t.Sequence[WorldPod],
    targets: Targets,
    world: World,
    namespace: str,
    flows: t.Sequence[Flow],
    most: int,
) -> None:
    if isinstance(flow.peer, Target):
        for pod in ready:
            for place in target_places(targets, flow.peer.target, flow.protocol):
                _add(plan, flow, pod, place)
    elif isinstance(flow.peer, Block):
        _block(plan, flow, flow.peer, ready, flows)
    else:
        peers = [pod for pod in world.peers(flow.peer, namespace) if pod.ready]
        if not [pod for pod in peers if len(ready) > 1 or pod not in ready]:
            _cannot(plan, flow, "no other pod of the peer is ready")
        for index, pod in enumerate(ready):
            _to_pods(plan, flow, pod, _turned(peers, index), most)


def _block(plan: Plan, flow: Flow, peer: Block, ready: t.Sequence[WorldPod], flows: t.Sequence[Flow]) -> None:
    address = peer.network.network_address
    if peer.network == host_network(address):
        for pod in ready:
            _add(plan, flow, pod, Place("address", "", "", address, t.cast("int", flow.port)))
    elif not any(_names_an_address(flow, other) for other in flows):
        why = f"nothing says which addresses of {peer.network} exist: give a flow with one of them"
        plan.add(_cell(flow, None, None, why))


def _names_an_address(wide: Flow, other: Flow) -> bool:
    """Whether another flow holds one address of a wide block, with the same port and expectation."""
    if not isinstance(wide.peer, Block) or not isinstance(other.peer, Block):
        return False
    address = other.peer.network.network_address
    same = (wide.direction, wide.protocol, wide.expect) == (other.direction, other.protocol, other.expect)
    single = other.peer.network == host_network(address)
    return same and single and address in wide.peer.network and other.port in wide.ports()


def _to_pods(plan: Plan, flow: Flow, pod: WorldPod, peers: t.Sequence[WorldPod], most: int) -> None:
    others = [peer for peer in peers if peer != pod]
    if len(others) > most:
        plan.leave_out(flow, f"{most} of {len(others)} pods of the peer were tried", pod.name)
    for peer in others[:most]:
        address = peer.address_for(pod)
        if address is not None:
            _add(plan, flow, pod, pod_place(peer, address, t.cast("int", flow.port)))


def _ingress(plan: Plan, flow: Flow, ready: t.Sequence[WorldPod], world: World, namespace: str, most: int) -> None:
    if isinstance(flow.peer, (Block, Target)):
        _cannot(plan, flow, "no pod is known at these addresses, so nothing can try it from there")
        return
    peers = [pod for pod in world.peers(flow.peer, namespace) if pod.ready and pod.addresses]
    inside = [pod for pod in peers if pod in ready]
    clients = _one_each([pod for pod in peers if pod not in ready])
    if not clients and not (inside and len(ready) > 1):
        _cannot(plan, flow, "no pod of the peer is ready")
    if len(clients) > most:
        plan.leave_out(flow, f"{most} of {len(clients)} namespaces of the peer were tried")
    for index, pod in enumerate(ready):
        # The others of our own group dial each pod, as many as that pod dials in the other direction.
        dialling = [other for other in _turned(inside, index) if other != pod][:most]
        for source in [*dialling, *clients[:most]]:
            address = pod.address_for(source)
            if address is not None:
                plan.add(_cell(flow, source, pod_place(pod, address, t.cast("int", flow.port))))


def _one_each(pods: t.Iterable[WorldPod]) -> list[WorldPod]:
    """One pod of each namespace."""
    first: dict[str, WorldPod] = {}
    for pod in pods:
        first.setdefault(pod.namespace, pod)
    return list(first.values())


def _turned(pods: t.Sequence[WorldPod], index: int) -> list[WorldPod]:
    """The pods from another beginning for each pod that dials them, so that every one is dialled by some."""
    start = index % len(pods) if pods else 0
    return [*pods[start:], *pods[:start]]


def target_places(targets: Targets, name: str, protocol: str) -> list[Place]:
    """The places of a resolved target."""
    if name == "dns" and targets.dns:
        return [
            Place(kind, found, targets.dns.namespace, address, port, protocol, dns=True)
            for kind, found, (address, port) in targets.dns.ends(protocol)
        ]
    if name == "api_server" and targets.api_server:
        own = [Place("api_server", "", "", address, port) for address, port in targets.api_server.endpoints]
        shared = [
            Place("service", "kubernetes", "default", address, port) for address, port in targets.api_server.service
        ]
        return [*own, *shared]
    return []


def pod_place(pod: WorldPod, address: Address, port: int) -> Place:
    return Place("pod", pod.name, pod.namespace, address, port)


def _add(plan: Plan, flow: Flow, pod: WorldPod, place: Place) -> None:
    # A pod without addresses of that family has no way to dial it, with or without policies.
    if any(address.version == place.address.version for address in pod.addresses):
        plan.add(_cell(flow, pod, place))


def _cell(flow: Flow, source: WorldPod | None, place: Place | None, obstacle: str = "") -> Cell:
    return Cell(flow.id, flow.reason, flow.direction, source, place, flow.expect, obstacle)


def _text(place: Place | None) -> str:
    return f"{place.address} port {place.port}/{place.protocol}" if place else "nowhere"
