# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rules grant, as sets of groups: from where, to where, on which ports."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import ports
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.masks import Mask
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.policies import (
    EGRESS,
    INGRESS,
    Policy,
    Rule,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.ports import PortSet
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.universe import Universe

# Disjoint sets of groups, each with its ports.
Pieces = list[tuple[Mask, PortSet]]


class Grant(t.NamedTuple):
    """:arg policy: its number in the list of policies; `rule` the rule's index in its direction."""

    policy: int
    rule: int
    sources: Mask
    destinations: Mask
    ports: PortSet


class Side:
    """One direction: which groups are isolated, what they are granted, and of which it cannot be told.

    The *own* end of a grant is the one that the policy selects: the source of egress, the destination of ingress.
    """

    def __init__(self, direction: str) -> None:
        self.direction = direction
        self.isolated: Mask = 0
        self.unknown: Mask = 0
        self.grants: list[Grant] = []

    def own(self, grant: Grant) -> Mask:
        return grant.sources if self.direction == EGRESS else grant.destinations

    def other(self, grant: Grant) -> Mask:
        return grant.destinations if self.direction == EGRESS else grant.sources


class Compiled:
    """The policies of a universe as sets.

    :arg policies: in the order that the policies' numbers in grants refer to.
    """

    def __init__(self, universe: Universe, policies: t.Sequence[Policy]) -> None:
        self.universe = universe
        self.policies = policies
        self.egress, self.ingress = Side(EGRESS), Side(INGRESS)
        self.subjects = [universe.selected_by(policy) for policy in policies]
        for number, policy in enumerate(policies):
            self._add(number, policy)
        for side in (self.egress, self.ingress):
            for number, policy in enumerate(policies):
                if policy.opaque:
                    subjects = self.subjects[number]
                    side.unknown |= subjects & ~side.isolated if policy.fallback else subjects

    def side(self, direction: str) -> Side:
        return self.egress if direction == EGRESS else self.ingress

    def permitted(self, direction: str, group: int) -> Pieces:
        """What the group's own policies permit it, as sets of other ends."""
        side, reachable = self.side(direction), self.universe.family(group)
        if not side.isolated >> group & 1:
            return [(reachable, ports.EVERY)]
        return disjoint(
            (side.other(grant) & reachable, grant.ports) for grant in side.grants if side.own(grant) >> group & 1
        )

    def accepted(self, direction: str, group: int) -> Pieces:
        """What the policies of the other ends permit with this group; `direction` is the group's own."""
        side = self.ingress if direction == EGRESS else self.egress
        reachable = self.universe.family(group)
        bound = reachable & side.isolated
        granted = disjoint(
            (side.own(grant) & bound, grant.ports) for grant in side.grants if side.other(grant) >> group & 1
        )
        free = reachable & ~side.isolated
        return [*granted, (free, ports.EVERY)] if free else granted

    def _add(self, number: int, policy: Policy) -> None:
        subjects = self.subjects[number]
        for direction in policy.isolates:
            self.side(direction).isolated |= subjects
        if subjects:
            for rule in policy.rules:
                others = self.universe.peers(policy.namespace, rule.peers)
                self.side(rule.direction).grants += grants(self.universe, number, rule, subjects, others)


def grants(universe: Universe, policy: int, rule: Rule, subjects: Mask, others: Mask) -> list[Grant]:
    """What a rule grants its subjects; nothing where no other end or no port exists."""
    sources, destinations = (subjects, others) if rule.direction == EGRESS else (others, subjects)
    found = []
    for limit, granted in _ports(universe, rule):
        reached = destinations & limit
        if sources and reached and granted:
            found.append(Grant(policy, rule.number, sources, reached, granted))
    return found


def _ports(universe: Universe, rule: Rule) -> t.Iterator[tuple[Mask, PortSet]]:
    if rule.numbered is None:
        yield universe.everything, ports.EVERY
        return
    yield universe.everything, rule.numbered
    for name in rule.named:
        for each, mask in universe.named(name):
            yield mask, each


def disjoint(pieces: t.Iterable[tuple[Mask, PortSet]]) -> Pieces:
    """The pieces as disjoint sets of groups; where some overlapped, with the ports of all of them."""
    by_ports: dict[PortSet, Mask] = {}
    covered = 0
    for mask, granted in pieces:
        rest = mask & ~covered
        overlap = mask & covered
        if overlap:
            for known, holders in list(by_ports.items()):
                common = holders & overlap
                joined = ports.union(known, granted)
                if common and joined != known:
                    by_ports[known] ^= common
                    by_ports[joined] = by_ports.get(joined, 0) | common
                    # What has moved must not be met again under its new ports in this round.
                    overlap &= ~common
        if rest:
            by_ports[granted] = by_ports.get(granted, 0) | rest
            covered |= rest
    return [(mask, granted) for granted, mask in by_ports.items() if mask]


def minus(one: Pieces, other: Pieces) -> Pieces:
    """What is in the one and not in the other; the other's pieces are disjoint."""
    rest: Pieces = []
    for mask, granted in one:
        left = mask
        for holders, taken in other:
            common = left & holders
            if common:
                left ^= common
                more = ports.difference(granted, taken)
                if more:
                    rest.append((common, more))
        if left:
            rest.append((left, granted))
    return disjoint(rest)


def both(one: Pieces, other: Pieces) -> Pieces:
    """What both sides permit."""
    by_ports: dict[PortSet, Mask] = {}
    for mask, granted in one:
        for holders, permitted in other:
            common = mask & holders
            if common:
                shared = ports.intersection(granted, permitted)
                if shared:
                    by_ports[shared] = by_ports.get(shared, 0) | common
    return [(mask, granted) for granted, mask in by_ports.items()]
