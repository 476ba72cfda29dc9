# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cluster this is, and which address ranges belong to its pods and Services."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import Address, Network
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError, ObjectRef
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, Source, metadata


@dataclass(frozen=True)
class Ranges:
    """The cluster's own address ranges as far as its objects tell; empty means unknown, not none."""

    pods: tuple[Network, ...] = ()
    services: tuple[Network, ...] = ()
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True)
class Cluster:
    """A cluster's identity: the uid of its namespace kube-system never changes and exists once."""

    uid: str
    server_version: str
    ranges: Ranges
    sources: tuple[Source, ...]

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "uid": self.uid,
            "server_version": self.server_version,
            "pod_cidrs": [str(block) for block in self.ranges.pods],
            "service_cidrs": [str(block) for block in self.ranges.services],
            "sources": [source.as_dict() for source in (*self.sources, *self.ranges.sources)],
        }


def identity(kube_system: Raw, pin: str | None, host: str) -> str:
    """The cluster's uid, or an error if the user pinned another cluster."""
    uid = str(metadata(kube_system).get("uid", ""))
    if not uid:
        raise LockdownError(
            "api_not_kubernetes",
            f"Cannot tell which cluster {host} is",
            "it answered with a namespace kube-system that has no uid",
            "Check host and proxy",
            obj=ObjectRef("Namespace", "kube-system"),
        )
    if pin and uid != pin:
        raise LockdownError(
            "wrong_cluster",
            f"{host} is another cluster than the pinned one",
            f"its namespace kube-system has uid {uid}, cluster_uid is {pin}",
            "Check kubeconfig, context and host; change cluster_uid only if this cluster is meant",
            obj=ObjectRef("Namespace", "kube-system"),
            details={"uid": uid, "cluster_uid": pin, "host": host},
        )
    return uid


def node_ranges(nodes: t.Sequence[Raw]) -> Ranges:
    """The pod ranges handed to nodes, neighbours joined; empty where another IPAM keeps its own books."""
    given = {node["metadata"]["name"]: _pod_cidrs(node.get("spec") or {}) for node in nodes}
    blocks = [block for texts in given.values() for block in _networks(texts)]
    sources = tuple(Source.of(node) for node in nodes if given[node["metadata"]["name"]])
    return Ranges(pods=_joined(blocks), sources=sources)


def kubeadm_ranges(config_map: Raw) -> Ranges:
    """Pod and Service ranges of kubeadm's ClusterConfiguration."""
    networking = embedded_document(config_map, "ClusterConfiguration").get("networking") or {}
    pods, services = (str(networking.get(key) or "").split(",") for key in ("podSubnet", "serviceSubnet"))
    try:
        blocks = _joined(_networks(pods)), _joined(_networks(services))
    except ValueError as error:
        raise _unreadable(config_map, f"networking in ClusterConfiguration is not valid, {error}") from error
    return Ranges(pods=blocks[0], services=blocks[1], sources=(Source.of(config_map),))


def node_addresses(nodes: t.Sequence[Raw]) -> frozenset[Address]:
    """Every IP address that a Node lists, internal or external."""
    texts = [entry.get("address") for node in nodes for entry in (node.get("status") or {}).get("addresses") or []]
    return frozenset(address for address in map(_address, texts) if address is not None)


def embedded_document(config_map: Raw, key: str) -> Raw:
    """The YAML document under a key of a ConfigMap; empty where the key is absent."""
    # Deferred: the library comes with the kubernetes client, and few runs read a document.
    import yaml  # noqa: PLC0415

    text = (config_map.get("data") or {}).get(key)
    try:
        document = yaml.safe_load(text) if text else {}
    except yaml.YAMLError:
        document = None
    if isinstance(document, dict):
        return document
    raise _unreadable(config_map, f"its key {key} holds no YAML mapping")


def _unreadable(config_map: Raw, why: str) -> LockdownError:
    source = Source.of(config_map)
    return LockdownError(
        "unreadable_configuration",
        f"Cannot read {source}",
        why,
        f"Correct {source}; for the cluster's DNS, option dns answers in its place",
        obj=ObjectRef("ConfigMap", source.name, source.namespace),
    )


def _pod_cidrs(spec: Raw) -> list[str]:
    return list(spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else []))


def _networks(texts: t.Iterable[str]) -> list[Network]:
    # strict=False: kubeadm accepts a podSubnet with host bits.
    return [ipaddress.ip_network(text.strip(), strict=False) for text in texts if text.strip()]


def _joined(blocks: t.Iterable[Network]) -> tuple[Network, ...]:
    # One family at a time: ipaddress refuses to collapse a mixed list.
    every = list(blocks)
    families: list[t.Any] = [[block for block in every if block.version == version] for version in (4, 6)]
    return tuple(block for family in families for block in ipaddress.collapse_addresses(family))


def _address(text: t.Any) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
