# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every place of the world in groups that no policy in question can tell apart, numbered.

A group is pods that agree in namespace, in the labels and port names that selectors and rules ask about
and in the cell of the address space; or the nodes, or the remaining addresses, of one cell. Sets of
groups are masks, so that a rule costs as many operations as it has requirements, not as there are pods.
"""

from __future__ import annotations

import typing as t
from bisect import bisect_left

from ansible_collections.netguard.lockdown.plugins.module_utils._core import selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import ports
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.addresses import (
    FAMILIES,
    LINK_LOCAL,
    Point,
    Range,
    Space,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.masks import (
    LabelIndex,
    Mask,
    full,
    label_keys,
    mask_of,
    members,
    selector_key,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.objects import NamedPort, Pod
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.places import Place, Places
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.policies import (
    NAME_SERVER,
    BlockPeer,
    NamedPortRef,
    Peer,
    PodPeer,
    Policy,
    Rule,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.ports import PortSet
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.profile import POST_DNAT, EngineProfile
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import World

PODS, NODES, ADDRESSES = "pods", "nodes", "addresses"
# The family of a pod that has no address yet.
NO_FAMILY = 0


class Group(t.NamedTuple):
    """:arg nodes: names of nodes, where the group is nodes.
    :arg range: the cell of the address space; for ADDRESSES all of it but the addresses of pods, nodes and Services.
    """

    kind: str
    family: int
    pods: tuple[Pod, ...] = ()
    nodes: tuple[str, ...] = ()
    range: Range | None = None


class Interest:
    """What policies and questions ask about; nothing else makes a difference."""

    def __init__(self) -> None:
        self.label_keys: set[str] = set()
        self.port_names: set[str] = set()
        self.ranges: set[Range] = set()
        self.answering: set[Point] = set()

    def add_policy(self, policy: Policy) -> None:
        self.label_keys.update(label_keys(policy.pod_selector))
        for rule in policy.rules:
            self.add_rule(rule)

    def add_rule(self, rule: Rule) -> None:
        self.port_names.update(named.name for named in rule.named)
        for peer in rule.peers or ():
            self.add_peer(peer)

    def add_peer(self, peer: Peer) -> None:
        if isinstance(peer, PodPeer):
            self.label_keys.update(label_keys(peer.pod_selector or {}))
        elif isinstance(peer, BlockPeer):
            self.ranges.update((peer.block, *peer.holes))
        else:
            self.ranges.update(Range(each.family, each.number, each.number) for each in peer.addresses)
            self.answering.update(peer.addresses if peer.entity == NAME_SERVER else ())


class Universe:
    """:arg interest: what groups are told apart by."""

    def __init__(self, world: World, profile: EngineProfile, interest: Interest) -> None:
        self.world = world
        self.places = Places(world)
        self.profile = profile
        ranges = {*interest.ranges, *(() if profile.cidr_matches_nodes else LINK_LOCAL)}
        self._spaces = {
            family: Space(family, [each for each in ranges if each.family == family]) for family in FAMILIES
        }
        self.groups: list[Group] = []
        self._keys: dict[t.Any, int] = {}
        self._answering = interest.answering
        # Only pods whose address can matter are told apart by it.
        self._pod_cells = profile.cidr_matches_pods and bool(interest.ranges)
        self._labels: list[dict[str, str]] = []
        self._namespace_groups: dict[str, list[int]] = {}
        self._named: dict[NamedPortRef, dict[int, list[int]]] = {}
        self._pod_keys = sorted(interest.label_keys)
        self._port_names = interest.port_names
        self._group_pods()
        self._pod_count = len(self.groups)
        self._group_addresses()
        self.size = len(self.groups)
        self.everything = full(self.size)
        self.pods = full(self._pod_count)
        self._index = LabelIndex(self._labels)
        self._namespaces = sorted(world.namespaces)
        self._namespace_index = LabelIndex([world.namespaces[name].labels for name in self._namespaces])
        self._namespace_masks = {name: mask_of(numbers, self.size) for name, numbers in self._namespace_groups.items()}
        self._namespace_selected: dict[t.Any, Mask] = {}
        self._cell_masks = self._masks_by_cell()
        self.may_be_nodes = 0 if profile.cidr_matches_nodes else self._link_local()
        self._families = {
            family: mask_of(
                (n for n, group in enumerate(self.groups) if group.family in (family, NO_FAMILY)), self.size
            )
            for family in FAMILIES
        }

    # Sets of groups

    def namespace(self, name: str) -> Mask:
        return self._namespace_masks.get(name, 0)

    def pods_of(self, namespace: str, peer: PodPeer) -> Mask:
        """The pods that a peer of a policy in this namespace selects."""
        if peer.namespace_selector is None:
            home = self.namespace(namespace)
        else:
            home = self._of_namespaces(peer.namespace_selector)
        return home & self._index.select(peer.pod_selector or {})

    def selected_by(self, policy: Policy) -> Mask:
        return self.pods_of(policy.namespace, PodPeer(policy.pod_selector, policy.namespace_selector))

    def peer(self, namespace: str, peer: Peer) -> Mask:
        if isinstance(peer, PodPeer):
            return self.pods_of(namespace, peer)
        if isinstance(peer, BlockPeer):
            return self.block(peer)
        mask = 0
        for each in peer.addresses:
            mask |= self._run(Range(each.family, each.number, each.number), pods=True, nodes=True)
        return mask

    def peers(self, namespace: str, peers: tuple[Peer, ...] | None) -> Mask:
        if peers is None:
            return self.everything
        mask = 0
        for peer in peers:
            mask |= self.peer(namespace, peer)
        return mask

    def block(self, peer: BlockPeer) -> Mask:
        pods, nodes = self.profile.cidr_matches_pods, self.profile.cidr_matches_nodes
        mask = self._run(peer.block, pods=pods, nodes=nodes)
        for hole in peer.holes:
            mask &= ~self._run(hole, pods=pods, nodes=nodes)
        return mask

    def named(self, wanted: NamedPortRef) -> t.Iterator[tuple[PortSet, Mask]]:
        """What a port name stands for: ports, and the pods for which it does."""
        for number, groups in self._named.get(wanted, {}).items():
            yield ports.ports(wanted.protocol, number, number), mask_of(groups, self.size)

    def family(self, group: int) -> Mask:
        """The groups that this one can exchange packets with, as far as address families go."""
        return self._families.get(self.groups[group].family, self.everything)

    def group_of(self, place: Place) -> int | None:
        """The group of a place; None where nothing can be there."""
        at = place.point
        if place.pod is not None:
            family = NO_FAMILY if at is None else at.family
            return self._keys.get(self._pod_key(place.pod, family, self._pod_cell(at)))
        if at is None:
            return None
        cell = self._spaces[at.family].cell_of(at.number)
        return self._keys.get((NODES if place.node else ADDRESSES, at.family, cell))

    # Building

    def _group_pods(self) -> None:
        found: dict[t.Any, list[Pod]] = {}
        for pod in self.world.pods.values():
            if not pod.host_network:
                for at in pod.addresses or (None,):
                    family = NO_FAMILY if at is None else at.family
                    alike = found.setdefault(self._pod_key(pod, family, self._pod_cell(at)), [])
                    if not alike or alike[-1] is not pod:
                        alike.append(pod)
        for number, (key, pods) in enumerate(found.items()):
            namespace, values, named, family, cell = key
            self._keys[key] = number
            range_ = self._spaces[family].range_of(cell) if cell >= 0 else None
            self.groups.append(Group(PODS, family, tuple(pods), range=range_))
            self._labels.append({k: v for k, v in zip(self._pod_keys, values, strict=True) if v is not None})
            self._namespace_groups.setdefault(namespace, []).append(number)
            for each in named:
                self._named.setdefault(NamedPortRef(each.name, each.protocol), {}).setdefault(each.number, []).append(
                    number
                )

    def _pod_key(self, pod: Pod, family: int, cell: int) -> tuple[t.Any, ...]:
        labels = pod.labels
        named: frozenset[NamedPort] | tuple[()] = ()
        if self._port_names and pod.ports:
            named = frozenset(each for each in pod.ports if each.name in self._port_names)
        return pod.namespace, tuple(map(labels.get, self._pod_keys)), named or (), family, cell

    def _pod_cell(self, at: Point | None) -> int:
        if at is None or not self._pod_cells:
            return -1
        return self._spaces[at.family].cell_of(at.number)

    def _group_addresses(self) -> None:
        nodes: dict[tuple[int, int], dict[str, None]] = {}
        for at, name in self.places.nodes.items():
            nodes.setdefault((at.family, self._spaces[at.family].cell_of(at.number)), {})[name] = None
        for (family, cell), names in sorted(nodes.items()):
            self._keys[NODES, family, cell] = len(self.groups)
            self.groups.append(Group(NODES, family, nodes=tuple(names), range=self._spaces[family].range_of(cell)))
        taken = self._taken()
        for family, space in self._spaces.items():
            for cell in range(len(space)):
                each = space.range_of(cell)
                if each.last - each.first + 1 > taken.get((family, cell), 0):
                    self._keys[ADDRESSES, family, cell] = len(self.groups)
                    self.groups.append(Group(ADDRESSES, family, range=each))

    def _taken(self) -> dict[tuple[int, int], int]:
        """How many addresses of a cell belong to pods, nodes and, where they are translated, Services."""
        points = {at for pod in self.world.pods.values() for at in pod.addresses} | set(self.places.nodes)
        if self.profile.judges == POST_DNAT:
            points |= set(self.places.services) - self._answering
        taken: dict[tuple[int, int], int] = {}
        for at in points:
            key = at.family, self._spaces[at.family].cell_of(at.number)
            taken[key] = taken.get(key, 0) + 1
        return taken

    def _masks_by_cell(self) -> dict[tuple[str, int], tuple[list[int], list[Mask]]]:
        """By kind and family: the cells in use in order, and their groups."""
        found: dict[tuple[str, int], dict[int, list[int]]] = {}
        for number, group in enumerate(self.groups):
            if group.range is not None:
                cell = self._spaces[group.family].cell_of(group.range.first)
                found.setdefault((group.kind, group.family), {}).setdefault(cell, []).append(number)
        masks: dict[tuple[str, int], tuple[list[int], list[Mask]]] = {}
        for key, cells in found.items():
            ordered = sorted(cells)
            masks[key] = ordered, [mask_of(cells[cell], self.size) for cell in ordered]
        return masks

    def _run(self, each: Range, *, pods: bool, nodes: bool) -> Mask:
        """The groups inside a range whose borders are borders of cells."""
        first, after = self._spaces[each.family].cells_of(each)
        mask = 0
        for kind, counts in ((PODS, pods), (NODES, nodes), (ADDRESSES, True)):
            if counts:
                cells, masks = self._cell_masks.get((kind, each.family), ([], []))
                for part in masks[bisect_left(cells, first) : bisect_left(cells, after)]:
                    mask |= part
        return mask

    def _link_local(self) -> Mask:
        mask = 0
        for each in LINK_LOCAL:
            mask |= self._run(each, pods=False, nodes=False)
        return mask

    def _of_namespaces(self, selector: selectors.Selector) -> Mask:
        key = selector_key(selector)
        if key not in self._namespace_selected:
            mask = 0
            for number in members(self._namespace_index.select(selector)):
                mask |= self._namespace_masks.get(self._namespaces[number], 0)
            self._namespace_selected[key] = mask
        return self._namespace_selected[key]
