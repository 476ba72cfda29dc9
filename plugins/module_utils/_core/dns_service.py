# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Service is the cluster's DNS: by the user's word, the cluster's configuration, or its name."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options, peers, selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import (
    Address,
    is_metadata,
    parse_address,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cluster import embedded_document
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError, ObjectRef
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, Source, metadata

RawT = t.TypeVar("RawT", bound=Raw)

BY_USER, BY_CONFIGURATION, BY_NAME = "user", "cluster_configuration", "well_known"
DNS_PORT = 53
# kubeadm and most managed clusters, RKE2, kubespray, OpenShift.
WELL_KNOWN: tuple[tuple[str, str], ...] = (
    ("kube-system", "kube-dns"),
    ("kube-system", "rke2-coredns-rke2-coredns"),
    ("kube-system", "coredns"),
    ("openshift-dns", "dns-default"),
)
_GIVE_PODS = "Give its pods and ports in option dns (namespace, pod_selector, ports), or its address (addresses)"


@dataclass(frozen=True)
class DnsPort:
    """A port on which DNS pods listen, after the Service address was translated."""

    protocol: str
    port: int

    @property
    def order(self) -> tuple[bool, str, int]:
        """UDP first: it is what every resolver asks with."""
        return self.protocol != "UDP", self.protocol, self.port

    def as_dict(self) -> dict[str, t.Any]:
        return {"protocol": self.protocol, "port": self.port}


@dataclass(frozen=True)
class UserDns:
    """The user's word: a Service, or pods with their ports; and addresses, alone or besides."""

    namespace: str
    service: str | None
    pod_selector: Raw | None
    ports: tuple[DnsPort, ...]
    addresses: tuple[Address, ...] = ()

    @property
    def by_address_only(self) -> bool:
        return not self.service and self.pod_selector is None

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> UserDns | None:
        given = params.get("dns")
        if not given:
            return None
        selector = given.get("pod_selector")
        if selector is not None:
            _check_pods(selector, given.get("ports"))
        ports = {
            DnsPort(port["protocol"], options.port(port["port"], "dns.ports")) for port in given.get("ports") or []
        }
        addresses = [
            _server_address(text, f"dns.addresses[{index}]") for index, text in enumerate(given.get("addresses") or [])
        ]
        _check_combination(given, addresses, ports)
        return cls(
            namespace=options.dns_label(given["namespace"], "dns.namespace") if given.get("namespace") else "",
            addresses=tuple(dict.fromkeys(addresses)),
            service=options.dns_label(given["service"], "dns.service") if given.get("service") else None,
            pod_selector=selector,
            ports=tuple(sorted(ports, key=lambda port: port.order)),
        )


@dataclass(frozen=True)
class Candidate:
    """A Service that answers on port 53. `port_names` are its names for that port by protocol."""

    namespace: str
    name: str
    selector: t.Mapping[str, str]
    cluster_ips: tuple[str, ...]
    port_names: t.Mapping[str, str]
    source: Source

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef("Service", self.name, self.namespace)

    def as_dict(self) -> dict[str, t.Any]:
        return {"namespace": self.namespace, "name": self.name, "cluster_ips": list(self.cluster_ips)}


@dataclass(frozen=True)
class Candidates:
    """The Services in question, how they were found, and the objects that say so."""

    found_by: str
    services: tuple[Candidate, ...]
    sources: tuple[Source, ...] = ()


def cluster_dns(config_map: Raw) -> tuple[Address, ...]:
    """The name servers that kubelets give to pods; empty where the configuration names none."""
    source = Source.of(config_map)
    listed = embedded_document(config_map, "kubelet").get("clusterDNS") or []
    if not isinstance(listed, list):
        raise LockdownError(
            "unreadable_configuration",
            f"Cannot read {source}",
            "clusterDNS of its kubelet configuration is not a list",
            f"Correct {source}, or answer in its place with option dns",
            obj=ObjectRef("ConfigMap", source.name, source.namespace),
        )
    return tuple(dict.fromkeys(parse_address(text, f"clusterDNS of {source}") for text in listed))


def with_cluster_ip(address: Address, services: t.Iterable[RawT]) -> RawT | None:
    """The Service that has this cluster IP, be it its first or its second."""
    return next((service for service in services if str(address) in cluster_ips(service)), None)


def by_configuration(
    found: t.Mapping[Address, Raw | None], config_map: Raw, caches: t.Collection[Address] = ()
) -> Candidates | None:
    """The one Service behind all name servers of the cluster's configuration; None where only caches answer there."""
    source = Source.of(config_map)
    for address, service in found.items():
        if service is None and address not in caches:
            raise _no_service(address, source)
    if not any(found.values()):
        return None
    unique = {metadata(service)["uid"]: candidate(service) for service in found.values() if service}
    services = tuple(unique.values())
    if len(services) > 1:
        raise ambiguous(services, f"clusterDNS of {source} points at each of them")
    return Candidates(BY_CONFIGURATION, services, (source,))


def by_name(services: t.Iterable[Raw]) -> Candidates:
    """Those Services of well-known names that serve DNS."""
    known = {(metadata(service)["namespace"], metadata(service)["name"]): service for service in services}
    serving = [known[key] for key in WELL_KNOWN if key in known and _serves_dns(known[key])]
    if not serving:
        names = ", ".join(f"{namespace}/{name}" for namespace, name in WELL_KNOWN)
        raise LockdownError(
            "dns_service_missing",
            "Cannot find the cluster's DNS",
            f"no ConfigMap kube-system/kubelet-config names it, and none of {names} is a DNS Service",
            "Name it in option dns (namespace, service), or set resolve_dns to false to allow no DNS",
        )
    return Candidates(BY_NAME, tuple(candidate(service) for service in serving))


def by_user(namespace: str, name: str, service: Raw | None) -> Candidates:
    """The Service that the user named."""
    if service is None:
        raise LockdownError(
            "dns_service_missing",
            f"Option dns names Service {namespace}/{name}",
            "there is no such Service",
            "Correct option dns",
            obj=ObjectRef("Service", name, namespace),
        )
    return Candidates(BY_USER, (candidate(service),))


def candidate(raw: Raw) -> Candidate:
    """The Service as a DNS Service, or an error why it cannot be one."""
    meta, spec = metadata(raw), raw.get("spec") or {}
    found = Candidate(
        namespace=meta["namespace"],
        name=meta["name"],
        selector=dict(spec.get("selector") or {}),
        cluster_ips=cluster_ips(raw),
        port_names=_port_names(spec),
        source=Source.of(raw),
    )
    _refuse_unusable(found)
    return found


def cluster_ips(raw: Raw) -> tuple[str, ...]:
    """The Service's cluster IPs in canonical text; empty for headless Services and names of other hosts."""
    spec = raw.get("spec") or {}
    texts = spec.get("clusterIPs") or [spec.get("clusterIP")]
    where = str(Source.of(raw))
    return tuple(str(parse_address(text, where)) for text in texts if text not in (None, "", "None"))


def ambiguous(services: t.Sequence[Candidate], why: str) -> LockdownError:
    names = [f"{service.namespace}/{service.name}" for service in services]
    return LockdownError(
        "dns_ambiguous",
        f"Cannot tell which Service is the cluster's DNS: {', '.join(names)}",
        why,
        "Name the one that pods use in option dns (namespace and service)",
        details={"services": names},
    )


def _refuse_unusable(found: Candidate) -> None:
    if not found.port_names:
        raise _unusable(found, "dns_no_port", f"it has no port {DNS_PORT} for UDP or TCP")
    if not found.selector:
        raise _unusable(found, "dns_no_selector", "it has no selector, so nothing tells which pods answer")
    if not found.cluster_ips:
        raise _unusable(found, "dns_headless", "it has no cluster IP, so no pod can have it as its name server")


def _unusable(found: Candidate, code: str, why: str) -> LockdownError:
    return LockdownError(code, f"{found.ref} cannot be used as the cluster's DNS", why, _GIVE_PODS, obj=found.ref)


def _no_service(address: Address, source: Source) -> LockdownError:
    if is_metadata(address):
        return LockdownError(
            "dns_node_local",
            f"Pods ask the link-local address {address} for names",
            f"clusterDNS of {source} names it, no Service has it, and no cache that was found listens there",
            f"If a cache on every node answers there, give option dns its address (addresses: [{address}]) and the "
            "Service behind it (namespace, service)",
            details={"address": str(address)},
        )
    return LockdownError(
        "dns_not_a_service",
        f"No Service has the address {address}, which pods ask for names",
        f"clusterDNS of {source} names it",
        "Correct clusterDNS, or give the DNS in option dns",
        details={"address": str(address)},
    )


def _serves_dns(raw: Raw) -> bool:
    return bool(_port_names(raw.get("spec") or {})) and bool(cluster_ips(raw))


def _port_names(spec: Raw) -> dict[str, str]:
    return {
        port.get("protocol") or "TCP": port.get("name") or ""
        for port in spec.get("ports") or []
        if port.get("port") == DNS_PORT and (port.get("protocol") or "TCP") in ("UDP", "TCP")
    }


def _server_address(text: t.Any, where: str) -> Address:
    address = parse_address(text, where)
    if address.is_unspecified or address.is_multicast or address.is_loopback:
        raise options.invalid(where, f"no name server of a pod has the address {address}")
    return address


def _check_combination(
    given: t.Mapping[str, t.Any], addresses: t.Sequence[Address], ports: t.Collection[DnsPort]
) -> None:
    if (given.get("service") or given.get("pod_selector") is not None) and not given.get("namespace"):
        raise options.invalid("dns.namespace", "a Service or pods are in a namespace")
    # A metadata service may answer under the same address: its other ports hand out credentials.
    odd = [port.port for port in ports if port.port != DNS_PORT]
    if odd and given.get("pod_selector") is None and any(map(is_metadata, addresses)):
        raise options.invalid("dns.ports", f"an address of metadata services may get port {DNS_PORT} only")


def _check_pods(selector: t.Any, ports: t.Any) -> None:
    # A rule without ports would open every port.
    if not ports:
        raise options.invalid("dns.ports", "the pods of dns.pod_selector listen on at least one port")
    selectors.validate(selector, "dns.pod_selector")
    if peers.is_wide(selector):
        raise LockdownError(
            "invalid_selector",
            "Invalid label selector in dns.pod_selector",
            "it demands no label, so any pod would be taken for the DNS",
            "Name the labels of the DNS pods",
        )
