# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who can reach whom on which ports: exact, for classes of places that all policies treat alike."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import ports
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.grants import (
    Compiled,
    Grant,
    Pieces,
    Side,
    both,
    disjoint,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.masks import Mask, full, mask_of, members
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.places import (
    beyond_policies,
    of_one_family,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.ports import PortSet
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.profile import EngineProfile
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.universe import (
    PODS,
    Group,
    Interest,
    Universe,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import World


class PlaceClass(t.NamedTuple):
    """Places that no policy tells apart, neither as a source nor as a destination."""

    id: int
    kind: str
    family: int
    groups: tuple[Group, ...]

    def members(self) -> list[str]:
        """Names of pods and nodes, or blocks of addresses."""
        names = [str(pod) for group in self.groups for pod in group.pods]
        names += [node for group in self.groups for node in group.nodes]
        if not names:
            names = [block for group in self.groups if group.range for block in group.range.describe()]
        return sorted(names) if self.kind == PODS else names


class Row(t.NamedTuple):
    """What a class can reach, as sets of class ids.

    :arg unknown: the classes of which it cannot be told at all.
    :arg doubtful: those that are reached only if the rule matches, which cannot be told.
    """

    pieces: Pieces
    unknown: Mask
    doubtful: Mask


class Matrix:
    """What is in no row is denied. A pod and itself, and a pod and its own node, are beyond all policies."""

    def __init__(self, universe: Universe, compiled: Compiled) -> None:
        self._universe = universe
        self._class_of, self.classes = _classes(universe, compiled)
        count = len(self.classes)
        self._everything = full(count)
        self._pods = mask_of((each.id for each in self.classes if each.kind == PODS), count)
        self._families = {
            family: mask_of((each.id for each in self.classes if each.family in (family, 0)), count)
            for family in {each.family for each in self.classes}
        }
        self._may_be_nodes = mask_of((self._class_of[group] for group in members(universe.may_be_nodes)), count)
        self._egress = _Sided(compiled.egress, self._class_of, count)
        self._ingress = _Sided(compiled.ingress, self._class_of, count)

    def row(self, source: int) -> Row:
        kind, family = self.classes[source].kind, self.classes[source].family
        # Policies say nothing of traffic that neither begins nor ends at a pod.
        reachable = self._families[family] if family else self._everything
        if kind != PODS:
            reachable &= self._pods
        leaves = self._egress.pieces(source, reachable)
        enters = self._ingress.pieces_to_all(source, reachable)
        unknown = reachable if self._egress.unknown >> source & 1 else reachable & self._ingress.unknown
        return Row(both(leaves, enters), unknown, self._doubtful(source))

    def allowed(self, source: str, destination: str, protocol: str, port: int) -> bool | None:
        """One connection looked up: a place is `NAMESPACE/POD` or an address, and Services are not translated."""
        places = self._universe.places
        begin, end = of_one_family(places.find(source, "source"), places.find(destination, "destination"))
        if beyond_policies(begin, end) or (begin.pod is None and end.pod is None):
            return True
        groups = self._universe.group_of(begin), self._universe.group_of(end)
        if groups[0] is None or groups[1] is None:
            return None
        row, column = (self._class_of[group] for group in groups if group is not None)
        found = self.row(row)
        if found.unknown >> column & 1:
            return None
        allowed = any(mask >> column & 1 and ports.holds(granted, protocol, port) for mask, granted in found.pieces)
        return None if allowed and found.doubtful >> column & 1 else allowed

    def _doubtful(self, source: int) -> Mask:
        """Where a rule is needed that fails if a node answers at a link-local address."""
        mask = self._may_be_nodes if self._egress.isolated >> source & 1 else 0
        return mask | self._ingress.isolated if self._may_be_nodes >> source & 1 else mask


def matrix(world: World, profile: EngineProfile) -> Matrix:
    """The full matrix of a world."""
    interest = Interest()
    for policy in world.policies:
        interest.add_policy(policy)
    universe = Universe(world, profile, interest)
    return Matrix(universe, Compiled(universe, world.policies))


class _Sided:
    """One direction in sets of classes. Classes never split a set of groups that a grant names."""

    def __init__(self, side: Side, class_of: t.Sequence[int], count: int) -> None:
        known: dict[Mask, Mask] = {}

        def classes(mask: Mask) -> Mask:
            if mask not in known:
                known[mask] = mask_of((class_of[group] for group in members(mask)), count)
            return known[mask]

        self.isolated, self.unknown = classes(side.isolated), classes(side.unknown)
        self._egress = side.direction == "egress"
        self._from: list[list[tuple[Mask, PortSet]]] = [[] for _class in range(count)]
        unique = {(classes(grant.sources), classes(grant.destinations), grant.ports) for grant in side.grants}
        for sources, destinations, granted in unique:
            for source in members(sources):
                self._from[source].append((destinations, granted))

    def pieces(self, source: int, reachable: Mask) -> Pieces:
        """Where this class may send to."""
        if not self.isolated >> source & 1:
            return [(reachable, ports.EVERY)]
        return disjoint((mask & reachable, granted) for mask, granted in self._from[source] if mask & reachable)

    def pieces_to_all(self, source: int, reachable: Mask) -> Pieces:
        """Who accepts from this class."""
        free = reachable & ~self.isolated
        granted = disjoint(
            (mask & reachable & self.isolated, granted)
            for mask, granted in self._from[source]
            if mask & reachable & self.isolated
        )
        return [*granted, (free, ports.EVERY)] if free else granted


def _classes(universe: Universe, compiled: Compiled) -> tuple[list[int], list[PlaceClass]]:
    """The class of each group, and the classes: groups are alike if they are in the same sets."""
    signatures: list[list[int]] = [[] for _group in range(universe.size)]
    unique = dict.fromkeys(
        mask
        for side in (compiled.egress, compiled.ingress)
        for mask in (universe.may_be_nodes, side.isolated, side.unknown, *_both_ends(side.grants))
    )
    for number, mask in enumerate(unique):
        if mask != universe.everything:
            for group in members(mask):
                signatures[group].append(number)
    found: dict[tuple[t.Any, ...], list[int]] = {}
    for number, each in enumerate(universe.groups):
        found.setdefault((each.kind, each.family, tuple(signatures[number])), []).append(number)
    class_of = [0] * universe.size
    classes = []
    for number, ((kind, family, _signature), alike) in enumerate(found.items()):
        for group in alike:
            class_of[group] = number
        classes.append(PlaceClass(number, kind, family, tuple(universe.groups[group] for group in alike)))
    return class_of, classes


def _both_ends(grants: t.Iterable[Grant]) -> t.Iterator[Mask]:
    for grant in grants:
        yield grant.sources
        yield grant.destinations
