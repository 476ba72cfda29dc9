# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods, namespaces and nodes of a cluster, as far as probes need them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options, selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import (
    Address,
    Network,
    parse_address,
    parse_network,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import Namespaces, Peer, Pods, Subject
from ansible_collections.netguard.lockdown.plugins.module_utils._core.pods import has_ended
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, metadata

_KUBELET_PORT = 10250
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


@dataclass(frozen=True)
class ContainerState:
    """A container of a pod; `identity` changes with every restart."""

    name: str
    running: bool
    identity: str

    @classmethod
    def from_api(cls, name: str, status: Raw) -> ContainerState:
        running = bool((status.get("state") or {}).get("running"))
        return cls(name, running, f"{status.get('containerID', '')}#{status.get('restartCount', 0)}")


@dataclass(frozen=True)
class WorldPod:
    """A pod that has not completed. Policies do not apply to one with its node's network."""

    namespace: str
    name: str
    uid: str
    labels: t.Mapping[str, str]
    addresses: tuple[Address, ...]
    ready: bool
    node: str
    host_network: bool
    containers: tuple[ContainerState, ...]
    tcp_ports: tuple[int, ...]

    @classmethod
    def from_api(cls, raw: Raw) -> WorldPod:
        meta, spec, status = metadata(raw), raw.get("spec") or {}, raw.get("status") or {}
        where = f"pod {meta['namespace']}/{meta['name']}"
        texts = [entry["ip"] for entry in status.get("podIPs") or [] if entry.get("ip")]
        return cls(
            namespace=str(meta["namespace"]),
            name=str(meta["name"]),
            uid=str(meta.get("uid", "")),
            labels=meta.get("labels") or {},
            addresses=tuple(parse_address(text, where) for text in texts),
            ready=_is_true(status, "Ready") and not meta.get("deletionTimestamp"),
            node=str(spec.get("nodeName") or ""),
            host_network=bool(spec.get("hostNetwork")),
            containers=_containers(meta, spec, status),
            tcp_ports=_tcp_ports(spec),
        )

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.name

    def address_for(self, other: WorldPod) -> Address | None:
        """This pod's address in a family that the other pod has too."""
        families = {address.version for address in other.addresses}
        return next((address for address in self.addresses if address.version in families), None)


@dataclass(frozen=True)
class Node:
    """A node: its addresses, where its kubelet listens, and the first address of its pod ranges."""

    name: str
    addresses: tuple[Address, ...]
    kubelet_port: int
    ranges: tuple[Network, ...]
    ready: bool

    @classmethod
    def from_api(cls, raw: Raw) -> Node:
        meta, spec, status = metadata(raw), raw.get("spec") or {}, raw.get("status") or {}
        where = f"node {meta['name']}"
        port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port") or _KUBELET_PORT
        texts = [entry["address"] for entry in status.get("addresses") or [] if entry.get("type") == "InternalIP"]
        blocks = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
        return cls(
            name=str(meta["name"]),
            addresses=tuple(parse_address(text, where) for text in texts),
            kubelet_port=options.port(port, where),
            ranges=tuple(parse_network(block, where) for block in blocks),
            ready=_is_true(status, "Ready"),
        )

    def has(self, address: Address) -> bool:
        """Whether it is the node itself; bridges of CNI plugins have the first address of the node's pod range."""
        return address in self.addresses or any(address == block[1] for block in self.ranges)


@dataclass(frozen=True)
class World:
    """What was read of the cluster."""

    pods: tuple[WorldPod, ...]
    namespaces: t.Mapping[str, t.Mapping[str, str]]
    nodes: tuple[Node, ...]

    @classmethod
    def from_api(cls, pods: t.Iterable[Raw], namespaces: t.Iterable[Raw], nodes: t.Iterable[Raw]) -> World:
        alive = (raw for raw in pods if not has_ended(raw))
        return cls(
            pods=tuple(sorted(map(WorldPod.from_api, alive), key=lambda pod: pod.key)),
            namespaces={str(metadata(raw)["name"]): metadata(raw).get("labels") or {} for raw in namespaces},
            nodes=tuple(sorted(map(Node.from_api, nodes), key=lambda node: node.name)),
        )

    def subjects(self, namespace: str, subject: Subject) -> list[WorldPod]:
        """The pods of a group that policies apply to."""
        return [
            pod
            for pod in self.pods
            if pod.namespace == namespace
            and not pod.host_network
            and selectors.matches(subject.pod_selector, pod.labels)
        ]

    def peers(self, peer: Peer, namespace: str) -> list[WorldPod]:
        """The pods that a peer selects; `namespace` is that of the subject."""
        return [pod for pod in self.pods if self.is_peer(pod, peer, namespace)]

    def is_peer(self, pod: WorldPod, peer: Peer, namespace: str) -> bool:
        """Whether a peer of a policy selects a pod."""
        if pod.host_network or not isinstance(peer, (Pods, Namespaces)):
            return False
        if isinstance(peer, Namespaces):
            inside = pod.namespace in peer.names
        elif peer.namespace_selector is None:
            inside = pod.namespace == namespace
        else:
            inside = selectors.matches(peer.namespace_selector, self.namespaces.get(pod.namespace, {}))
        return inside and (peer.pod_selector is None or selectors.matches(peer.pod_selector, pod.labels))

    def pod_at(self, address: Address) -> WorldPod | None:
        """The pod that has an address of its own."""
        return next((pod for pod in self.pods if not pod.host_network and address in pod.addresses), None)

    def node(self, name: str) -> Node | None:
        return next((node for node in self.nodes if node.name == name), None)


def _is_true(status: Raw, name: str) -> bool:
    return any(entry.get("type") == name and entry.get("status") == "True" for entry in status.get("conditions") or [])


def _containers(meta: Raw, spec: Raw, status: Raw) -> tuple[ContainerState, ...]:
    """The containers, the one that the pod calls its default first."""
    known = {str(entry["name"]): entry for entry in status.get("containerStatuses") or []}
    names = [str(entry["name"]) for entry in spec.get("containers") or []]
    default = (meta.get("annotations") or {}).get(DEFAULT_CONTAINER)
    names.sort(key=lambda name: name != default)
    return tuple(ContainerState.from_api(name, known.get(name, {})) for name in names)


def _tcp_ports(spec: Raw) -> tuple[int, ...]:
    """The TCP ports that the pod says it listens on: declared ones, and those that the kubelet asks."""
    found: list[int] = []
    for container in spec.get("containers") or []:
        declared = [port for port in container.get("ports") or [] if port.get("protocol", "TCP") == "TCP"]
        found += [port["containerPort"] for port in declared]
        for name in ("readinessProbe", "livenessProbe"):
            probe = container.get(name) or {}
            asked = (probe.get("httpGet") or probe.get("tcpSocket") or {}).get("port")
            found += [asked] if isinstance(asked, int) else []
    return tuple(dict.fromkeys(found))
