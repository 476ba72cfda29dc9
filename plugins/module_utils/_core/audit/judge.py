# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies against flows: what is missing, what is too much, and what each rule is for. All of it as exact sets.

What a pod's own policies permit is compared with what its flows permit. For a flow to be met, the policies
of the other end have to permit it too.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.imagined import is_imagined
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.wanted import Wanted
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import Flow
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import ports
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.grants import (
    Compiled,
    Grant,
    Pieces,
    both,
    disjoint,
    grants,
    minus,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.masks import Mask, mask_of, members
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.policies import (
    EGRESS,
    INGRESS,
    PodPeer,
    Policy,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.ports import PortSet

OWN_SIDE, PEER_SIDE = "own", "peer"
_DIRECTIONS = (INGRESS, EGRESS)


class RuleName(t.NamedTuple):
    """:arg policy: its number in the list of policies."""

    policy: int
    direction: str
    rule: int


class Part(t.NamedTuple):
    """A part of the traffic of some pods, of one protocol, that is missing or too much.

    :arg flow: the flow that is not met; None for a surplus.
    :arg by: the rules that permit a surplus.
    :arg side: whose policies do not permit what is missing.
    """

    subjects: Mask
    direction: str
    others: Mask
    ports: PortSet
    by: tuple[RuleName, ...] = ()
    flow: Flow | None = None
    side: str = OWN_SIDE


class Use(t.NamedTuple):
    """What a rule is for.

    :arg flows: those that it serves, a part of them at least.
    :arg needed: whether a flow would lack something without it.
    :arg dead: whether it can match nothing.
    :arg redundant: whether the other rules permit all of it.
    """

    name: RuleName
    flows: tuple[Flow, ...]
    needed: bool
    dead: bool
    redundant: bool
    others: Mask
    ports: PortSet


@dataclass
class Judgement:
    """:arg scope: the groups of pods that flows start from or end at.
    :arg met: by flow id; None where it cannot be told.
    :arg on_link: flows that a rule permits which fails if a node answers at a link-local address.
    """

    scope: Mask
    met: dict[str, bool | None] = field(default_factory=dict)
    missing: list[Part] = field(default_factory=list)
    surplus: list[Part] = field(default_factory=list)
    forbidden: list[Part] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    on_link: list[str] = field(default_factory=list)


class Judge:
    """:arg namespace: of the pods that flows start from or end at."""

    def __init__(self, compiled: Compiled, namespace: str, wanted: t.Sequence[Wanted]) -> None:
        self._compiled = compiled
        self._universe = compiled.universe
        self._namespace = namespace
        self._wanted = wanted
        self._imagined = mask_of(
            (n for n, group in enumerate(self._universe.groups) if group.pods and all(map(is_imagined, group.pods))),
            self._universe.size,
        )
        self._subjects = [self._subjects_of(each.flow) for each in wanted]
        self._grants = [self._grants_of(number) for number in range(len(wanted))]

    def judge(self) -> Judgement:
        scope = 0
        for mask in self._subjects:
            scope |= mask
        found = Judgement(scope)
        for number, each in enumerate(self._wanted):
            if each.flow.expect == "allow":
                self._judge_flow(number, found)
            else:
                self._judge_ban(number, found)
        for direction in _DIRECTIONS:
            found.surplus += self._surplus(scope, direction)
        found.uses = [self._use(name, granted, scope) for name, granted in self._rules(scope)]
        return found

    # Flows

    def _subjects_of(self, flow: Flow) -> Mask:
        mask = self._universe.pods_of(self._namespace, PodPeer(flow.subject.pod_selector, None))
        return mask & ~self._imagined or mask

    def _grants_of(self, number: int) -> list[Grant]:
        universe = self._universe
        return [
            grant
            for rule in self._wanted[number].rules
            for grant in grants(
                universe, number, rule, self._subjects[number], universe.peers(self._namespace, rule.peers)
            )
        ]

    def _pieces(self, numbers: t.Iterable[int], group: int) -> Pieces:
        """What these flows permit a group of pods."""
        reachable = self._universe.family(group)
        return disjoint(
            (_other(grant, self._wanted[number].flow.direction) & reachable, grant.ports)
            for number in numbers
            for grant in self._grants[number]
            if _own(grant, self._wanted[number].flow.direction) >> group & 1
        )

    def _judge_flow(self, number: int, found: Judgement) -> None:
        flow = self._wanted[number].flow
        lacks: dict[tuple[str, Mask, PortSet], list[int]] = {}
        doubtful = on_link = False
        for group in members(self._subjects[number]):
            pieces = self._pieces([number], group)
            existing = [(mask & ~self._imagined, granted) for mask, granted in pieces if mask & ~self._imagined]
            own, accepted = (ask(flow.direction, group) for ask in (self._compiled.permitted, self._compiled.accepted))
            for side, rest in ((OWN_SIDE, minus(pieces, own)), (PEER_SIDE, minus(existing, accepted))):
                for mask, granted in rest:
                    lacks.setdefault((side, mask, granted), []).append(group)
            doubtful = doubtful or self._is_doubtful(flow.direction, group, pieces)
            on_link = on_link or self._needs_match(flow.direction, group, pieces)
        found.met[flow.id] = False if lacks else None if doubtful or on_link else True
        if on_link:
            found.on_link.append(flow.id)
        for (side, mask, granted), groups in lacks.items():
            subjects = mask_of(groups, self._universe.size)
            for part in ports.split(granted):
                found.missing.append(Part(subjects, flow.direction, mask, part, flow=flow, side=side))

    def _judge_ban(self, number: int, found: Judgement) -> None:
        flow = self._wanted[number].flow
        open_: dict[tuple[Mask, PortSet], list[int]] = {}
        doubtful = False
        for group in members(self._subjects[number]):
            pieces = self._pieces([number], group)
            permitted = both(self._compiled.permitted(flow.direction, group), pieces)
            for piece in both(permitted, self._compiled.accepted(flow.direction, group)):
                open_.setdefault(piece, []).append(group)
            doubtful = doubtful or self._is_doubtful(flow.direction, group, pieces)
        found.met[flow.id] = False if open_ else None if doubtful else True
        for (mask, granted), groups in open_.items():
            subjects = mask_of(groups, self._universe.size)
            for part in ports.split(granted):
                found.forbidden.append(Part(subjects, flow.direction, mask, part, flow=flow))

    def _is_doubtful(self, direction: str, group: int, pieces: Pieces) -> bool:
        if self._compiled.side(direction).unknown >> group & 1:
            return True
        far = self._compiled.side(INGRESS if direction == EGRESS else EGRESS)
        return any(mask & far.unknown for mask, _granted in pieces)

    def _needs_match(self, direction: str, group: int, pieces: Pieces) -> bool:
        """Whether the group's own isolation leaves a link-local address to a rule."""
        bound = self._compiled.side(direction).isolated >> group & 1
        return bool(bound and any(mask & self._universe.may_be_nodes for mask, _granted in pieces))

    # Surplus

    def _surplus(self, scope: Mask, direction: str) -> t.Iterator[Part]:
        allowed = [
            number
            for number, each in enumerate(self._wanted)
            if each.flow.direction == direction and each.flow.expect == "allow"
        ]
        found: dict[tuple[Mask, PortSet], list[int]] = {}
        for group in members(scope):
            for piece in minus(self._compiled.permitted(direction, group), self._pieces(allowed, group)):
                found.setdefault(piece, []).append(group)
        for (mask, granted), groups in found.items():
            subjects = mask_of(groups, self._universe.size)
            for part in ports.split(granted):
                yield Part(subjects, direction, mask, part, by=self._granting(direction, subjects, mask, part))

    def _granting(self, direction: str, subjects: Mask, others: Mask, granted: PortSet) -> tuple[RuleName, ...]:
        side = self._compiled.side(direction)
        found = {
            RuleName(grant.policy, direction, grant.rule): None
            for grant in side.grants
            if side.own(grant) & subjects & side.isolated
            and side.other(grant) & others
            and ports.intersection(grant.ports, granted)
        }
        return tuple(found)

    # Rules

    def _rules(self, scope: Mask) -> t.Iterator[tuple[RuleName, list[Grant]]]:
        """Every rule of the policies that select pods in scope, with what it grants them."""
        by_rule: dict[RuleName, list[Grant]] = {}
        for direction in _DIRECTIONS:
            side = self._compiled.side(direction)
            for grant in side.grants:
                if side.own(grant) & scope:
                    by_rule.setdefault(RuleName(grant.policy, direction, grant.rule), []).append(grant)
        for number, policy in enumerate(self._compiled.policies):
            if self._compiled.subjects[number] & scope:
                for rule in policy.rules:
                    name = RuleName(number, rule.direction, rule.number)
                    yield name, by_rule.get(name, [])

    def _use(self, name: RuleName, granted: list[Grant], scope: Mask) -> Use:
        side = self._compiled.side(name.direction)
        serving = [
            number
            for number, each in enumerate(self._wanted)
            if each.flow.direction == name.direction
            and each.flow.expect == "allow"
            and any(_overlap(one, other) for one in granted for other in self._grants[number])
        ]
        needed, adds = False, False
        subjects = others = 0
        numbers = ports.NONE
        for grant in granted:
            subjects |= side.own(grant) & scope
            others |= side.other(grant)
            numbers = ports.union(numbers, grant.ports)
        for group in members(subjects):
            own = self._of_group(side.own, side.other, granted, group)
            rest = self._of_group(
                side.own, side.other, [grant for grant in side.grants if (grant.policy, grant.rule) != name[::2]], group
            )
            alone = minus(own, rest)
            adds = adds or bool(alone)
            needed = needed or bool(both(alone, self._pieces(serving, group)))
        flows = tuple(self._wanted[number].flow for number in serving)
        return Use(name, flows, needed, not granted, bool(granted) and not adds, others, numbers)

    def _of_group(
        self,
        own: t.Callable[[Grant], Mask],
        other: t.Callable[[Grant], Mask],
        granted: t.Iterable[Grant],
        group: int,
    ) -> Pieces:
        reachable = self._universe.family(group)
        return disjoint((other(grant) & reachable, grant.ports) for grant in granted if own(grant) >> group & 1)


def policy_adds(compiled: Compiled, policy: int, ours: t.Container[int], scope: Mask) -> bool:
    """Whether a policy permits pods in scope anything that those of ours do not."""
    for side in (compiled.egress, compiled.ingress):
        own = [grant for grant in side.grants if grant.policy == policy]
        rest = [grant for grant in side.grants if grant.policy in ours]
        for group in members(scope):
            one, other = (
                disjoint((side.other(grant), grant.ports) for grant in some if side.own(grant) >> group & 1)
                for some in (own, rest)
            )
            if minus(one, other):
                return True
    return False


def isolating(policies: t.Sequence[Policy], subjects: t.Sequence[Mask], direction: str, group: int) -> list[str]:
    """Names of the policies that isolate a group in a direction."""
    return [
        policy.name
        for policy, mask in zip(policies, subjects, strict=True)
        if direction in policy.isolates and mask >> group & 1
    ]


def _own(grant: Grant, direction: str) -> Mask:
    return grant.sources if direction == EGRESS else grant.destinations


def _other(grant: Grant, direction: str) -> Mask:
    return grant.destinations if direction == EGRESS else grant.sources


def _overlap(one: Grant, other: Grant) -> bool:
    return bool(
        one.sources & other.sources
        and one.destinations & other.destinations
        and ports.intersection(one.ports, other.ports)
    )
