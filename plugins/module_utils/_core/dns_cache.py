# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS by address: the cache on every node (NodeLocal DNSCache), and servers that the user names.

The cache uses its node's network, so only address blocks match it. It says itself where it listens:
on a link-local address, and with kube-proxy in iptables mode on the DNS Service's cluster IP too.
"""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import (
    Address,
    Network,
    host_network,
    overlapping,
    parse_address,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.dns_service import DNS_PORT, DnsPort, UserDns
from ansible_collections.netguard.lockdown.plugins.module_utils._core.engine_records import (
    Agent,
    Detected,
    is_idle,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError, ObjectRef
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, Source, metadata

NAMESPACE = "kube-system"
NODE_LOCAL = "node_local"
# Upstream, GKE, RKE2 and Gardener (one for each pool of nodes), kubespray.
_NAMES = ("node-local-dns", "nodelocaldns")
_METADATA = "169.254.169.254"
_OPTIONS = ("-localip", "--localip")
_PORTS = (DnsPort("UDP", DNS_PORT), DnsPort("TCP", DNS_PORT))


@dataclass(frozen=True)
class DnsAddress:
    """A name server that a rule reaches by its address, and who says so."""

    address: Address
    ports: tuple[DnsPort, ...]
    origin: str

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "cidr": str(host_network(self.address)),
            "ports": [port.as_dict() for port in self.ports],
            "origin": self.origin,
        }


@dataclass(frozen=True)
class NodeCache:
    """The caches of a cluster: where they listen, their DaemonSets, and the pods that have addresses of their own."""

    addresses: tuple[Address, ...] = ()
    sources: tuple[Source, ...] = ()
    pods: tuple[str, ...] = ()

    def as_addresses(self) -> tuple[DnsAddress, ...]:
        return tuple(DnsAddress(address, _PORTS, NODE_LOCAL) for address in self.addresses)


def node_cache(daemon_sets: t.Iterable[Raw]) -> NodeCache:
    """The addresses of every cache; an error where one does not say where it listens."""
    found = [raw for raw in daemon_sets if _is_cache(raw)]
    addresses = {address for raw in found for address in _local_addresses(raw)}
    ordered = sorted(addresses, key=lambda address: (address.version, int(address)))
    return NodeCache(
        tuple(ordered), tuple(Source.of(raw) for raw in found), tuple(text for raw in found if (text := _own_pods(raw)))
    )


def by_user(choice: UserDns) -> tuple[DnsAddress, ...]:
    ports = choice.ports if choice.ports and not choice.pod_selector else _PORTS
    return tuple(DnsAddress(address, ports, "user") for address in choice.addresses)


def check_reachable(
    addresses: t.Iterable[DnsAddress],
    detected: Detected,
    choice: UserDns | None = None,
    pods: t.Sequence[str] = (),
) -> tuple[str, ...]:
    """Refuse a cache that no address block of the engine matches; a warning where the user named the DNS.

    A cache has the identity of its own node, or behind a redirect of Cilium that of a pod.

    :arg pods: how to select those pods of caches that have addresses of their own.
    """
    caches = [str(each.address) for each in addresses if each.origin == NODE_LOCAL or _on_a_link(each.address)]
    if not caches or all(each.behaviour.cidr_matches_pods is not False for each in detected.found):
        return ()
    where = ", ".join(caches)
    blind = any(each.behaviour.cidr_matches_nodes is False for each in detected.found)
    why = f"{detected.name} matches no {'Node' if blind else 'pod'} by address block"
    if choice or not blind:
        return (f"{why}: whether a rule reaches the DNS cache at {where} is open",)
    raise LockdownError(
        "dns_cache_unmatched",
        f"No rule is certain to reach the DNS cache on every node at {where}",
        f"{why}, so pods that ask it would be cut off from DNS",
        f"{_by_pods(pods)}; if pods ask other pods than the cache, name those or their Service there; or use profile "
        "minimal, which needs no DNS",
        details={"addresses": caches, "engine": detected.as_dict()},
    )


def check_given(
    given: t.Iterable[DnsAddress], detected: Detected, nodes: t.Collection[Address], pods: t.Iterable[Network]
) -> None:
    """Refuse a name server of the user's that the engine's address blocks are certain not to match."""
    blind_to_nodes = any(each.behaviour.cidr_matches_nodes is False for each in detected.found)
    blind_to_pods = any(each.behaviour.cidr_matches_pods is False for each in detected.found)
    blocks = list(pods)
    for each in given:
        on_node = blind_to_nodes and each.address in nodes
        if on_node or (blind_to_pods and overlapping(host_network(each.address), blocks)):
            raise LockdownError(
                "dns_address_unmatched",
                f"No rule reaches the name server {each.address}",
                f"{detected.name} matches no {'Node' if on_node else 'pod'} by address block, and it is one",
                "Name pods that answer in option dns (namespace, pod_selector, ports) or their Service (service), or "
                "use profile minimal, which needs no DNS",
                details={"address": str(each.address), "engine": detected.as_dict()},
            )


def translated(given: t.Mapping[Address, Raw | None], detected: Detected) -> tuple[str, ...]:
    """A warning for each name server that is a Service's address which the engine never sees."""
    if not detected.found or any(each.behaviour.after_translation is not True for each in detected.found):
        return ()
    return tuple(
        f"{address} is the cluster IP of {Source.of(service)}, and {detected.name} judges translated addresses: unless "
        "a cache on the node answers there, name that Service in option dns (namespace, service)"
        for address, service in given.items()
        if service is not None
    )


def _on_a_link(address: Address) -> bool:
    """Whether a node may answer there; the clouds' metadata service is none."""
    return address.is_link_local and str(address) != _METADATA


def _by_pods(pods: t.Sequence[str]) -> str:
    if pods:
        return (
            f"Name the pods that serve it in option dns (namespace {NAMESPACE}, pod_selector with matchLabels "
            f"{' or '.join(pods)}, ports {DNS_PORT} for UDP and TCP)"
        )
    return (
        "Serve it by pods with addresses of their own (Cilium's CiliumLocalRedirectPolicy) and name them in option dns "
        "(namespace, pod_selector, ports)"
    )


def _own_pods(raw: Raw) -> str:
    """The labels of a cache's pods; empty where they use their node's network, or nothing tells."""
    spec = raw.get("spec") or {}
    labels = (spec.get("selector") or {}).get("matchLabels") or {}
    hosted = ((spec.get("template") or {}).get("spec") or {}).get("hostNetwork")
    return "" if hosted else ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _is_cache(raw: Raw) -> bool:
    meta = metadata(raw)
    known = meta.get("namespace") == NAMESPACE and str(meta.get("name", "")).startswith(_NAMES)
    return known and not is_idle(raw)


def _local_addresses(raw: Raw) -> list[Address]:
    words = Agent(raw).arguments()
    given = [word.partition("=")[2] for word in words if word.partition("=")[0] in _OPTIONS and "=" in word]
    given += [after for word, after in itertools.pairwise(words) if word in _OPTIONS]
    texts = [text.strip() for part in given for text in part.split(",") if text.strip()]
    try:
        found = [parse_address(text, str(Source.of(raw))) for text in texts]
    except LockdownError:
        found = []
    if not found:
        source = Source.of(raw)
        raise LockdownError(
            "dns_node_local",
            f"Cannot tell where the DNS cache of {source} listens",
            f"its argument -localip holds {', '.join(texts) or 'no address'}",
            "Give its addresses in option dns (addresses), besides the DNS Service (namespace, service)",
            obj=ObjectRef("DaemonSet", source.name, source.namespace),
        )
    return found
