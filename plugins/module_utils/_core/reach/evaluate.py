# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""May this one connection be opened? The answer names the policy and the rule, or the reason why not."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options, selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import ports
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.addresses import Point, point
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.matrix import Matrix, matrix
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.objects import Pod, Service
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.places import (
    Place,
    Places,
    beyond_policies,
    may_be_node,
    of_one_family,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.policies import (
    EGRESS,
    INGRESS,
    BlockPeer,
    EntityPeer,
    Peer,
    Policy,
    Rule,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.profile import PRE_DNAT, EngineProfile
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import World

__all__ = ["Answer", "By", "Evaluator", "Matrix", "Verdict", "evaluate", "matrix"]


class By(t.NamedTuple):
    """The rule that allows."""

    policy: str
    direction: str
    rule: int

    def __str__(self) -> str:
        return f"rule {self.direction}[{self.rule}] of {self.policy}"


@dataclass(frozen=True)
class Verdict:
    """One side's word. `allowed` is None where it cannot be told; `by` is set where a rule allows."""

    allowed: bool | None
    because: str
    by: By | None = None

    def as_record(self) -> dict[str, t.Any]:
        return {
            "allowed": self.allowed,
            "because": self.because,
            "by": {"policy": self.by.policy, "direction": self.by.direction, "rule": self.by.rule} if self.by else None,
        }


@dataclass(frozen=True)
class Answer:
    """`allowed` is None where it cannot be told from the objects."""

    allowed: bool | None
    egress: Verdict
    ingress: Verdict
    because: str = ""

    def as_record(self) -> dict[str, t.Any]:
        return {
            "allowed": self.allowed,
            "because": self.because,
            "egress": self.egress.as_record(),
            "ingress": self.ingress.as_record(),
        }


def evaluate(world: World, profile: EngineProfile, source: str, destination: str, protocol: str, port: int) -> Answer:
    """Whether the source may open this connection; a place is `NAMESPACE/POD` or an address."""
    return Evaluator(world, profile).ask(source, destination, protocol, port)


class Evaluator:
    """Answers questions about one world."""

    def __init__(self, world: World, profile: EngineProfile) -> None:
        self.world = world
        self._profile = profile
        self._places = Places(world)
        self._everywhere = [policy for policy in world.policies if policy.namespace_selector is not None]
        self._of_namespace: dict[str, list[Policy]] = {}
        for policy in world.policies:
            if policy.namespace_selector is None:
                self._of_namespace.setdefault(policy.namespace, []).append(policy)

    def ask(self, source: str, destination: str, protocol: str, port: int) -> Answer:
        options.choice(protocol, "protocol", options.PROTOCOLS)
        number = options.port(port, "port")
        begin = self._places.find(source, "source")
        service = self._places.service(destination, "destination")
        if service is not None:
            return self._to_service(begin, self._places.at(point(destination)), service, protocol, number)
        return self._judge(begin, self._places.find(destination, "destination"), protocol, number)

    def _judge(self, begin: Place, end: Place, protocol: str, port: int) -> Answer:
        return _joined(self._leaves(begin, end, protocol, port), self._enters(begin, end, protocol, port))

    def _to_service(self, begin: Place, virtual: Place, service: Service, protocol: str, port: int) -> Answer:
        """A connection to a Service's address ends at one of its endpoints, nobody knows which."""
        before = self._profile.judges == PRE_DNAT
        ends = self._endpoints(service, protocol, port)
        if not ends:
            untold = Verdict(None, f"Service {service} has no ready endpoint behind {protocol} port {port}")
            # What is dropped before the translation is dropped whatever stands behind it.
            leaves = self._leaves(begin, virtual, protocol, port) if before else untold
            return _joined(leaves, untold) if leaves.allowed is False else Answer(None, untold, untold, untold.because)
        answers = []
        for end, number in ends:
            leaves = self._leaves(begin, virtual if before else end, protocol, port if before else number)
            answers.append(_joined(leaves, self._enters(begin, end, protocol, number)))
        if len({answer.allowed for answer in answers}) == 1:
            places = ", ".join(f"{end.name} port {number}" for end, number in ends)
            first = answers[0]
            return Answer(first.allowed, first.egress, first.ingress, f"Service {service} leads to {places}")
        allowed = ", ".join(end.name for (end, _port), answer in zip(ends, answers, strict=True) if answer.allowed)
        mixed = f"Service {service} leads to several endpoints, and only some may be reached: {allowed or 'unknown'}"
        return Answer(None, Verdict(None, mixed), Verdict(None, mixed), mixed)

    def _endpoints(self, service: Service, protocol: str, port: int) -> list[tuple[Place, int]]:
        names = {each.name for each in service.ports if (each.protocol, each.port) == (protocol, port)}
        found = dict.fromkeys(
            (address, each.port)
            for slice_ in self.world.slices.get((service.namespace, service.name), [])
            for each in slice_.ports
            if each.protocol == protocol and each.name in names
            for address in slice_.addresses
        )
        return [(self._places.at(address), number) for address, number in found]

    # One side

    def _leaves(self, begin: Place, end: Place, protocol: str, port: int) -> Verdict:
        pod = begin.pod
        if pod is None:
            return Verdict(True, f"no policy governs what {begin.name} sends")
        begin, end = of_one_family(begin, end)
        return _exempt(begin, end) or self._side(EGRESS, pod, end, end, protocol, port)

    def _enters(self, begin: Place, end: Place, protocol: str, port: int) -> Verdict:
        pod = end.pod
        if pod is None:
            return Verdict(True, f"no policy governs what {end.name} accepts")
        begin, end = of_one_family(begin, end)
        return _exempt(begin, end) or self._side(INGRESS, pod, begin, end, protocol, port)

    def _side(self, direction: str, pod: Pod, other: Place, destination: Place, protocol: str, port: int) -> Verdict:
        selecting = [policy for policy in self._candidates(pod) if self._selects(policy, pod)]
        isolating = [str(policy) for policy in selecting if direction in policy.isolates]
        doubts = [policy for policy in selecting if policy.opaque and not (policy.fallback and isolating)]
        if doubts:
            named = "; ".join(f"{policy}: {policy.opaque}" for policy in doubts)
            return Verdict(None, f"{pod} may be selected by {named}")
        for policy in selecting:
            for rule in policy.rules:
                if (
                    rule.direction == direction
                    and self._has_peer(rule, policy.namespace, other)
                    and _has_port(rule, destination, protocol, port)
                ):
                    by = By(str(policy), direction, rule.number)
                    if isolating and not self._profile.cidr_matches_nodes and may_be_node(other):
                        return Verdict(None, f"{by} allows {other.name} unless a node answers there")
                    return Verdict(True, f"{by} allows it", by)
        if not isolating:
            return Verdict(True, f"no policy isolates {pod} for {direction}")
        named = ", ".join(isolating)
        return Verdict(
            False, f"{pod} is isolated for {direction} by {named}, and no rule allows {other.name} on {protocol} {port}"
        )

    def _candidates(self, pod: Pod) -> list[Policy]:
        return [*self._of_namespace.get(pod.namespace, ()), *self._everywhere]

    def _selects(self, policy: Policy, pod: Pod) -> bool:
        if policy.namespace_selector is not None:
            labels = self.world.namespaces[pod.namespace].labels
            if not selectors.matches(policy.namespace_selector, labels):
                return False
        return selectors.matches(policy.pod_selector, pod.labels)

    def _has_peer(self, rule: Rule, namespace: str, other: Place) -> bool:
        if rule.peers is None:
            return True
        return any(self._is_peer(peer, namespace, other) for peer in rule.peers)

    def _is_peer(self, peer: Peer, namespace: str, other: Place) -> bool:
        if isinstance(peer, EntityPeer):
            return other.point in peer.addresses
        if isinstance(peer, BlockPeer):
            return self._blocks_match(other) and other.point is not None and _inside(peer, other.point)
        if other.pod is None:
            return False
        if peer.namespace_selector is None:
            right_namespace = other.pod.namespace == namespace
        else:
            right_namespace = selectors.matches(
                peer.namespace_selector, self.world.namespaces[other.pod.namespace].labels
            )
        return right_namespace and selectors.matches(peer.pod_selector or {}, other.pod.labels)

    def _blocks_match(self, other: Place) -> bool:
        if other.pod is not None:
            return self._profile.cidr_matches_pods
        return not other.node or self._profile.cidr_matches_nodes


def _joined(egress: Verdict, ingress: Verdict) -> Answer:
    """Traffic needs both sides."""
    sides = (egress.allowed, ingress.allowed)
    allowed = False if False in sides else None if None in sides else True
    return Answer(allowed, egress, ingress)


def _exempt(begin: Place, end: Place) -> Verdict | None:
    because = beyond_policies(begin, end)
    return Verdict(True, because) if because else None


def _inside(peer: BlockPeer, address: Point) -> bool:
    if address.family != peer.block.family or not peer.block.first <= address.number <= peer.block.last:
        return False
    return not any(hole.first <= address.number <= hole.last for hole in peer.holes)


def _has_port(rule: Rule, destination: Place, protocol: str, port: int) -> bool:
    if rule.numbered is None:
        return True
    if ports.holds(rule.numbered, protocol, port):
        return True
    offered = destination.pod.ports if destination.pod else ()
    wanted = {name.name for name in rule.named if name.protocol == protocol}
    return any(each.name in wanted and (each.protocol, each.number) == (protocol, port) for each in offered)
