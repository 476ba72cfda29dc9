# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not be reached even if no flow names it: typical ways out of the namespace."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import Target
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_permits import Connection, Permits
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_plan import (
    Cell,
    LeftOut,
    Place,
    Plan,
    pod_place,
    target_places,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_verdict import Baseline
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_world import World, WorldPod

_MOST_CANDIDATES = 5


@dataclass(frozen=True)
class Forbidden:
    """One thing that must not be reached; any of the places will do that is proven alive."""

    id: str
    reason: str
    places: tuple[Place, ...]

    def choose(self, pod: WorldPod, permits: Permits, baselines: t.Mapping[Place, Baseline]) -> Place | None:
        """The place to try from a pod: one that is alive, if any is known to be."""
        fitting = [place for place in self.places if _fits(place, pod, permits)]
        alive = [place for place in fitting if place in baselines and baselines[place].proven]
        return next(iter([*alive, *fitting]), None)


def defaults(permits: Permits) -> list[Forbidden]:
    """The default forbidden targets of a cluster."""
    world, dns = permits.world, permits.targets.dns
    found = [
        Forbidden("default-kubelet", "the kubelet of another node", tuple(_kubelets(world))),
        Forbidden("default-other-namespace", "a pod of another namespace", tuple(_other_pods(permits))),
    ]
    if dns is not None:
        other = tuple(_other_dns_ports(permits))
        found.append(Forbidden("default-dns-other-port", "a port of the DNS pods that is not DNS", other))
    if dns is not None and not any(flow.peer == Target("dns") for flow in permits.flows):
        found += _names(permits)
    return found


def add_defaults(
    plan: Plan,
    found: t.Sequence[Forbidden],
    pods: t.Sequence[WorldPod],
    permits: Permits,
    baselines: t.Mapping[Place, Baseline],
) -> None:
    """Add a cell for every pod and forbidden thing. What a flow names already keeps that flow's expectation."""
    known = {cell.pair for cell in plan.cells}
    for entry in found:
        for pod in pods:
            place = entry.choose(pod, permits, baselines)
            if place is None:
                plan.left_out.append(LeftOut(entry.id, "the cluster has no such target", pod.name))
                continue
            cell = Cell(entry.id, entry.reason, "egress", pod, place, "deny")
            if cell.pair not in known:
                plan.add(cell)


def _fits(place: Place, pod: WorldPod, permits: Permits) -> bool:
    """Whether a place is elsewhere, in an address family of the pod, and allowed by no flow."""
    if place.kind == "node" and place.name == pod.node:
        return False
    if not any(address.version == place.address.version for address in pod.addresses):
        return False
    link = Connection(pod, "egress", place.address, place.protocol, place.port)
    return permits.find(link) is None


def _kubelets(world: World) -> t.Iterator[Place]:
    nodes = sorted(world.nodes, key=lambda node: not node.ready)
    for node in nodes[:_MOST_CANDIDATES]:
        for address in node.addresses:
            yield Place("node", node.name, "", address, node.kubelet_port)


def _other_pods(permits: Permits) -> list[Place]:
    """Ready pods that declare a TCP port, of as many namespaces as possible."""
    dns = permits.targets.dns
    places: dict[str, list[Place]] = {}
    for pod in permits.world.pods:
        other = pod.namespace != permits.namespace and not (dns and dns.has(pod))
        if other and pod.ready and not pod.host_network and pod.tcp_ports:
            found = [pod_place(pod, address, pod.tcp_ports[0]) for address in pod.addresses]
            places.setdefault(pod.namespace, []).extend(found)
    turns = max(map(len, places.values()), default=0)
    spread = [listed[turn] for turn in range(turns) for listed in places.values() if turn < len(listed)]
    return spread[:_MOST_CANDIDATES]


def _other_dns_ports(permits: Permits) -> t.Iterator[Place]:
    dns = permits.targets.dns
    for pod in permits.world.pods:
        if dns and dns.has(pod) and pod.ready and not pod.host_network:
            for port in pod.tcp_ports:
                if ("TCP", port) not in dns.ports:
                    for address in pod.addresses:
                        yield pod_place(pod, address, port)


def _names(permits: Permits) -> t.Iterator[Forbidden]:
    for protocol in ("UDP", "TCP"):
        places = target_places(permits.targets, "dns", protocol)
        for kind, what in (("pod", "pods"), ("service", "Service"), ("address", "servers by address")):
            chosen = tuple(place for place in places if place.kind == kind)
            if chosen:
                name = f"default-dns-{kind}-{protocol.lower()}"
                yield Forbidden(name, f"the DNS {what}: names are a way out, and no flow allows them", chosen)
