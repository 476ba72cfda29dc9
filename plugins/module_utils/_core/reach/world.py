# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world that policies are judged in, read from raw API objects."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import cilium, foreign, objects, policies
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.addresses import Point
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.objects import (
    Namespace,
    Node,
    Pod,
    Service,
    Slice,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.policies import Policy
from ansible_collections.netguard.lockdown.plugins.module_utils._core.selectors import NAMESPACE_NAME_LABEL
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw

_API_SERVER = ("default", "kubernetes")
_RIGHTS = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
_NETWORK_POLICY = ("networking.k8s.io", "NetworkPolicy")


class Located(t.NamedTuple):
    """An object with the place that it was read from, for messages."""

    raw: t.Any
    place: str


@dataclass
class World:
    """:arg raw_policies: NetworkPolicies as they were read, by namespace and name.
    :arg rights: Roles, ClusterRoles and their bindings as they were read.
    :arg ended: how many pods have ended; they count for nothing.
    :arg ignored: kinds that reachability does not depend on, or that are not known, with their number.
    :arg problems: what could not be read; empty unless they were asked to be collected.
    :arg unmodelled: those of them that nothing stands in for. An invalid policy is there as one of unknown effect.
    """

    namespaces: dict[str, Namespace] = field(default_factory=dict)
    pods: dict[tuple[str, str], Pod] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    services: dict[tuple[str, str], Service] = field(default_factory=dict)
    slices: dict[tuple[str, str], list[Slice]] = field(default_factory=dict)
    policies: list[Policy] = field(default_factory=list)
    raw_policies: dict[tuple[str, str], Raw] = field(default_factory=dict)
    rights: list[Raw] = field(default_factory=list)
    config_maps: dict[tuple[str, str], Raw] = field(default_factory=dict)
    ended: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    problems: list[LockdownError] = field(default_factory=list)
    unmodelled: list[LockdownError] = field(default_factory=list)

    @property
    def foreign(self) -> list[Policy]:
        """The policies whose effect is unknown."""
        return [policy for policy in self.policies if policy.opaque]

    def api_server(self) -> tuple[Point, ...]:
        """The addresses of the API server's endpoints."""
        return tuple(address for each in self.slices.get(_API_SERVER, []) for address in each.addresses)


def read_world(objects_: t.Iterable[t.Any], problems: list[LockdownError] | None = None) -> World:
    """The world of these objects.

    :arg objects_: raw objects or `Located` ones; List kinds are unpacked.
    :arg problems: takes what cannot be read, and the rest goes on; without it the first problem is raised.
    """
    world = World(problems=[] if problems is None else problems)
    reader = _Reader(world, collect=problems is not None)
    for item in objects_:
        raw, place = (item.raw, item.place) if isinstance(item, Located) else (item, "")
        reader.take(raw, place)
    reader.finish()
    return world


class _Reader:
    def __init__(self, world: World, *, collect: bool) -> None:
        self._world = world
        self._collect = collect
        self._seen: dict[tuple[str, str, str, str], str] = {}

    def take(self, raw: t.Any, place: str) -> None:
        try:
            self._take(raw, place)
        except LockdownError as error:
            self._fail(error)
        except (TypeError, AttributeError, KeyError, ValueError) as error:
            # Any field may be of any type in a file: that is bad input, not a failure of this program.
            self._fail(objects.bad_object(_describe(raw, place), f"it is malformed ({error})"))

    def finish(self) -> None:
        """What needs the whole: namespaces that nobody listed, and the addresses behind names."""
        world = self._world
        used = {pod.namespace for pod in world.pods.values()} | {
            policy.namespace for policy in world.policies if policy.namespace
        }
        for name in sorted(used - set(world.namespaces)):
            world.namespaces[name] = Namespace(name, {NAMESPACE_NAME_LABEL: name}, assumed=True)
        api_server = world.api_server()
        world.policies = [
            cilium.entity_addresses(policy, api_server) if policy.kind.startswith("Cilium") else policy
            for policy in world.policies
        ]

    def _take(self, raw: t.Any, place: str) -> None:
        if not isinstance(raw, dict) or not isinstance(raw.get("kind"), str):
            raise objects.bad_object(place or "an object", "it is no Kubernetes object: it has no kind")
        if not isinstance(raw.get("apiVersion", ""), str):
            raise objects.bad_object(_describe(raw, place), "apiVersion is no text")
        kind = raw["kind"]
        if kind.endswith("List") and isinstance(raw.get("items"), list):
            self._take_list(raw, kind.removesuffix("List"), place)
            return
        group, separator, _version = str(raw.get("apiVersion", "")).partition("/")
        group = group if separator else ""
        reader = _READERS.get((group, kind)) or _READERS.get((_usual_group(kind), kind) if not group else ("?", ""))
        if reader is None:
            self._world.ignored[f"{group}/{kind}" if group else kind] += 1
            return
        where = _describe(raw, place)
        self._refuse_second(group, raw, where)
        try:
            reader(self._world, raw, where)
        except LockdownError as error:
            if not self._collect or reader is not _add_network_policy:
                raise
            self._world.problems.append(error)
            self._world.policies.append(_unreadable(raw, where, error))

    def _take_list(self, raw: dict[str, t.Any], kind: str, place: str) -> None:
        for index, item in enumerate(raw["items"]):
            # The API leaves kind and version out of the items of a typed list.
            bare = isinstance(item, dict) and kind and "kind" not in item
            each = {"kind": kind, "apiVersion": raw.get("apiVersion", ""), **item} if bare else item
            self.take(each, f"{place} items[{index}]" if place else "")

    def _refuse_second(self, group: str, raw: Raw, where: str) -> None:
        meta = raw.get("metadata") or {}
        key = (group, raw["kind"], str(meta.get("namespace") or ""), str(meta.get("name")))
        if key in self._seen:
            first = self._seen[key]
            raise LockdownError(
                "duplicate_object",
                f"{where} is there twice",
                f"it was read before as {first}, and only one of the two can count",
                "Leave one of them out",
            )
        self._seen[key] = where

    def _fail(self, error: LockdownError) -> None:
        if not self._collect:
            raise error
        self._world.problems.append(error)
        self._world.unmodelled.append(error)


def _unreadable(raw: Raw, where: str, error: LockdownError) -> Policy:
    """A policy in place of one that cannot be read: it may select any pod of its namespace."""
    return Policy(
        "NetworkPolicy",
        objects.namespace_of(raw),
        objects.name_of(raw, where),
        {},
        (),
        (),
        f"it is invalid ({error.why})",
    )


def _describe(raw: t.Any, place: str) -> str:
    meta = (raw.get("metadata") if isinstance(raw, dict) else None) or {}
    name = f"{meta.get('namespace') or 'default'}/{meta.get('name')}" if isinstance(meta, dict) else "?"
    kind = raw.get("kind") if isinstance(raw, dict) else type(raw).__name__
    return f"{kind} {name}{place and f' ({place})'}"


def _add_namespace(world: World, raw: Raw, where: str) -> None:
    namespace = objects.read_namespace(raw, where)
    world.namespaces[namespace.name] = namespace


def _add_pod(world: World, raw: Raw, where: str) -> None:
    pod = objects.read_pod(raw, where)
    if pod is None:
        world.ended += 1
    else:
        world.pods[pod.namespace, pod.name] = pod


def _add_node(world: World, raw: Raw, where: str) -> None:
    node = objects.read_node(raw, where)
    world.nodes[node.name] = node


def _add_service(world: World, raw: Raw, where: str) -> None:
    service = objects.read_service(raw, where)
    world.services[service.namespace, service.name] = service


def _add_slice(world: World, raw: Raw, where: str) -> None:
    each = objects.read_slice(raw, where)
    world.slices.setdefault((each.namespace, each.service), []).append(each)


def _add_network_policy(world: World, raw: Raw, where: str) -> None:
    world.raw_policies[objects.namespace_of(raw), objects.name_of(raw, where)] = raw
    world.policies.append(policies.read_network_policy(raw, where))


def _add_right(world: World, raw: Raw, where: str) -> None:
    world.rights.append(raw)


def _add_config_map(world: World, raw: Raw, where: str) -> None:
    world.config_maps[objects.namespace_of(raw), objects.name_of(raw, where)] = raw


def _add_policy(reader: foreign.Reader) -> Reader:
    def add(world: World, raw: Raw, where: str) -> None:
        world.policies.append(reader(raw, where))

    return add


Reader = t.Callable[[World, Raw, str], None]

_READERS: dict[tuple[str, str], Reader] = {
    ("", "Namespace"): _add_namespace,
    ("", "Pod"): _add_pod,
    ("", "Node"): _add_node,
    ("", "Service"): _add_service,
    ("discovery.k8s.io", "EndpointSlice"): _add_slice,
    ("", "ConfigMap"): _add_config_map,
    _NETWORK_POLICY: _add_network_policy,
    **{("rbac.authorization.k8s.io", kind): _add_right for kind in _RIGHTS},
    **{key: _add_policy(reader) for key, reader in foreign.READERS.items()},
}


def _usual_group(kind: str) -> str:
    """The group of an object that names no apiVersion."""
    if kind == "NetworkPolicy":
        return _NETWORK_POLICY[0]
    return next((group for group, known in _READERS if known == kind), "")
