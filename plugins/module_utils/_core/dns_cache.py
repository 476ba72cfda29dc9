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

from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import Address, host_network, parse_address
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
    """The caches of a cluster: where they listen, and their DaemonSets."""

    addresses: tuple[Address, ...] = ()
    sources: tuple[Source, ...] = ()

    def as_addresses(self) -> tuple[DnsAddress, ...]:
        return tuple(DnsAddress(address, _PORTS, NODE_LOCAL) for address in self.addresses)


def node_cache(daemon_sets: t.Iterable[Raw]) -> NodeCache:
    """The addresses of every cache; an error where one does not say where it listens."""
    found = [raw for raw in daemon_sets if _is_cache(raw)]
    addresses = {address for raw in found for address in _local_addresses(raw)}
    ordered = sorted(addresses, key=lambda address: (address.version, int(address)))
    return NodeCache(tuple(ordered), tuple(Source.of(raw) for raw in found))


def by_user(choice: UserDns) -> tuple[DnsAddress, ...]:
    ports = choice.ports if choice.ports and not choice.pod_selector else _PORTS
    return tuple(DnsAddress(address, ports, "user") for address in choice.addresses)


def check_reachable(
    addresses: t.Iterable[DnsAddress], detected: Detected, choice: UserDns | None = None
) -> tuple[str, ...]:
    """Refuse a cache that no address block of the engine matches; a warning where the user named the DNS.

    A cache has the identity of its own node, or behind a redirect of Cilium that of a pod.
    """
    caches = [str(each.address) for each in addresses if each.origin == NODE_LOCAL]
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
        "Serve it by pods with addresses of their own (Cilium's CiliumLocalRedirectPolicy) and name them in option dns "
        "(namespace, pod_selector, ports); if pods ask other pods than the cache, name those or their Service there; "
        "or use profile minimal, which needs no DNS",
        details={"addresses": caches, "engine": detected.as_dict()},
    )


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
