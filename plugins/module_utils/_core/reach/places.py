# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a connection begins or ends: a pod, a node, or an address that is neither."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.addresses import (
    LINK_LOCAL,
    Point,
    point,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.objects import Pod, Service
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import World


class Place(t.NamedTuple):
    """:arg pod: the pod, unless it uses its node's network: then the place is the node.
    :arg node: the node that it is or runs on.
    """

    name: str
    points: tuple[Point, ...]
    pod: Pod | None = None
    node: str = ""

    @property
    def point(self) -> Point | None:
        """The address that takes part in a connection."""
        return self.points[0] if self.points else None


def of_one_family(begin: Place, end: Place) -> tuple[Place, Place]:
    """Both ends with their addresses of the family that a connection between them uses."""
    families = {each.family for each in begin.points}
    chosen = next((each.family for each in end.points if each.family in families), None)
    if chosen is None:
        return begin, end
    one, other = (
        place._replace(points=tuple(each for each in place.points if each.family == chosen)) for place in (begin, end)
    )
    return one, other


def beyond_policies(begin: Place, end: Place) -> str:
    """Why no policy comes between the two, or nothing: they are one pod, or a pod and its own node."""
    if begin.pod is not None and end.pod is not None:
        same = begin.pod is end.pod
        return "a pod always reaches itself" if same else ""
    if begin.node and begin.node == end.node:
        return f"traffic between a pod and its own node {begin.node} is always allowed"
    return ""


def may_be_node(place: Place) -> bool:
    """Whether a node may answer here that does not list the address: it is valid on one link only."""
    return (
        place.pod is None
        and not place.node
        and place.point is not None
        and any(each.holds(place.point) for each in LINK_LOCAL)
    )


@dataclass
class Places:
    """Finds places by name and by address."""

    world: World
    _pods: dict[Point, Pod] = field(default_factory=dict)
    _nodes: dict[Point, str] = field(default_factory=dict)
    _services: dict[Point, Service] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for pod in self.world.pods.values():
            for address in pod.addresses:
                if not pod.host_network:
                    self._pods[address] = pod
                elif pod.node:
                    self._nodes[address] = pod.node
        for node in self.world.nodes.values():
            self._nodes.update(dict.fromkeys(node.addresses, node.name))
        for service in self.world.services.values():
            self._services.update(dict.fromkeys(service.addresses, service))

    @property
    def nodes(self) -> t.Mapping[Point, str]:
        """Names of nodes by their addresses."""
        return self._nodes

    @property
    def services(self) -> t.Mapping[Point, Service]:
        return self._services

    def find(self, text: str, where: str) -> Place:
        """The place that `NAMESPACE/POD` or an address names."""
        if "/" in text:
            return self._of_name(text, where)
        return self.at(_address(text, where))

    def at(self, address: Point) -> Place:
        pod = self._pods.get(address)
        if pod is not None:
            return Place(str(pod), (address,), pod, pod.node)
        node = self._nodes.get(address, "")
        return Place(f"node {node}" if node else str(address), (address,), None, node)

    def service(self, text: str, where: str) -> Service | None:
        """The Service with this cluster IP."""
        return None if "/" in text else self._services.get(_address(text, where))

    def _of_name(self, text: str, where: str) -> Place:
        namespace, _slash, name = text.partition("/")
        pod = self.world.pods.get((namespace, name))
        if pod is None:
            raise _unknown(text, where, f"namespace {namespace} has no living pod {name}")
        if pod.host_network:
            return Place(f"{pod} (on its node's network)", pod.addresses, None, pod.node)
        return Place(str(pod), pod.addresses, pod, pod.node)


def _address(text: str, where: str) -> Point:
    try:
        return point(text)
    except ValueError as error:
        raise _unknown(text, where, "it is neither NAMESPACE/POD nor an IP address") from error


def _unknown(text: str, where: str, why: str) -> LockdownError:
    return LockdownError("unknown_place", f"Cannot find {text!r} in {where}", why, f"Correct {where}")
