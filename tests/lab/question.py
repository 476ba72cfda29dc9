# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world of the question: an Ignite namespace, its clients, and the cluster's own objects around them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab import objects
from lab.control_plane import ControlPlane
from lab.objects import Manifest
from lab.settings import Family

IGNITE_NAMESPACE = "cache-ns"
CLIENT_NAMESPACE = "client-ns"
INGRESS_ONLY = Path(__file__).with_name("data") / "ingress-only.yml"
# As whoever applies policies by hand does, so that nothing of them looks like the collection's work.
HAND = "kubectl-client-side-apply"
POD_RANGES = {"ipv4": "10.244.0.0/16", "ipv6": "fd00:10:244::/56"}
NODE_RANGES = {"ipv4": "192.0.2.16/28", "ipv6": "2001:db8::10/124"}
POD_RANGE_BITS_PER_NODE = 8
DNS_PORTS = (("dns", "UDP", 53), ("dns-tcp", "TCP", 53), ("metrics", "TCP", 9153))
IGNITE_PORTS = {"discovery": 47500, "communication": 47100, "thin": 10800, "connector": 11211}
COREFILE = """.:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       fallthrough in-addr.arpa ip6.arpa
    }
    prometheus :9153
    forward . /etc/resolv.conf
    cache 30
}
"""


@dataclass(frozen=True)
class Question:
    """Names and addresses of what arrange_question() made."""

    namespace: str
    client_namespace: str
    pod_range: str
    service_range: str
    dns_ip: str
    dns_pods: tuple[str, ...]
    ignite_pods: tuple[str, ...]


@dataclass(frozen=True)
class Addresses:
    """The address plan of one IP family."""

    pods: str
    nodes: str

    @classmethod
    def of(cls, ip_family: Family) -> Addresses:
        family = "ipv6" if ip_family == "ipv6" else "ipv4"
        return cls(POD_RANGES[family], NODE_RANGES[family])

    def node(self, number: int) -> str:
        return str(ipaddress.ip_network(self.nodes)[number])

    def node_pods(self, number: int) -> str:
        """The pod range of a node, numbered from 1: its part of the cluster's."""
        subnets = ipaddress.ip_network(self.pods).subnets(POD_RANGE_BITS_PER_NODE)
        return str([next(subnets) for _ in range(number)][-1])

    def pod(self, node: int, number: int) -> str:
        return str(ipaddress.ip_network(self.node_pods(node))[number])


def arrange_question(plane: ControlPlane, *, policies: bool = False) -> Question:
    """Make the question's objects in a fresh control plane; with its ingress-only policies if asked for."""
    plan = Addresses.of(plane.settings.ip_family)
    dns_ip = plane.service_ip(10)
    plane.create_all(_cluster(plan, plane.settings.service_ranges[0], dns_ip))
    plane.create_all(_dns(plan, dns_ip))
    plane.create_all(_ignite(plan))
    plane.create_all(_clients(plan))
    if policies:
        plane.create_all(ingress_only_policies(), field_manager=HAND)
    return Question(
        namespace=IGNITE_NAMESPACE,
        client_namespace=CLIENT_NAMESPACE,
        pod_range=plan.pods,
        service_range=plane.settings.service_ranges[0],
        dns_ip=dns_ip,
        dns_pods=(plan.pod(1, 2), plan.pod(2, 2)),
        ignite_pods=(plan.pod(1, 10), plan.pod(2, 10)),
    )


def ingress_only_policies() -> list[Manifest]:
    """The question's hand-made policies; create them with field_manager=HAND."""
    return list(yaml.safe_load_all(INGRESS_ONLY.read_text(encoding="utf-8")))


def _cluster(plan: Addresses, service_range: str, dns_ip: str) -> Iterator[Manifest]:
    for number in (1, 2):
        yield objects.node(f"node-{number}", address=plan.node(number), pod_cidrs=[plan.node_pods(number)])
    kubelet = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "clusterDNS": [dns_ip],
        "clusterDomain": "cluster.local",
    }
    kubeadm = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "networking": {"dnsDomain": "cluster.local", "podSubnet": plan.pods, "serviceSubnet": service_range},
    }
    yield objects.config_map("kubelet-config", "kube-system", {"kubelet": yaml.safe_dump(kubelet)})
    yield objects.config_map("kubeadm-config", "kube-system", {"ClusterConfiguration": yaml.safe_dump(kubeadm)})


def _dns(plan: Addresses, dns_ip: str) -> Iterator[Manifest]:
    labels = {"k8s-app": "kube-dns"}
    service_ports = [
        {"name": name, "protocol": protocol, "port": port, "targetPort": port} for name, protocol, port in DNS_PORTS
    ]
    slice_ports = [{"name": name, "protocol": protocol, "port": port} for name, protocol, port in DNS_PORTS]
    pods = {"coredns-0": plan.pod(1, 2), "coredns-1": plan.pod(2, 2)}
    yield objects.config_map("coredns", "kube-system", {"Corefile": COREFILE})
    yield objects.service(
        "kube-dns",
        "kube-system",
        selector=labels,
        ports=service_ports,
        cluster_ip=dns_ip,
        labels={**labels, "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"},
    )
    for number, (name, ip) in enumerate(pods.items(), start=1):
        yield objects.pod(name, "kube-system", labels, ip=ip, node_name=f"node-{number}")
    yield objects.endpoint_slice(
        "kube-dns-lab01",
        "kube-system",
        service="kube-dns",
        addresses=list(pods.values()),
        pods=list(pods),
        ports=slice_ports,
        labels=labels,
    )


def _ignite(plan: Addresses) -> Iterator[Manifest]:
    labels = {"app": "ignite"}
    ports = [{"name": name, "containerPort": port} for name, port in IGNITE_PORTS.items()]
    yield objects.namespace(IGNITE_NAMESPACE, {"zone": "cache-zone"})
    yield objects.service(
        "ignite",
        IGNITE_NAMESPACE,
        selector=labels,
        cluster_ip="None",
        ports=[{"name": name, "port": port} for name, port in IGNITE_PORTS.items()],
        spec={"publishNotReadyAddresses": True},
    )
    for number in (1, 2):
        yield objects.pod(
            f"ignite-{number - 1}",
            IGNITE_NAMESPACE,
            labels,
            ip=plan.pod(number, 10),
            node_name=f"node-{number}",
            ports=ports,
        )


def _clients(plan: Addresses) -> Iterator[Manifest]:
    yield objects.namespace(CLIENT_NAMESPACE, {"zone": "somewhere-else"})
    for number, app in enumerate(("some-pod", "another-pod"), start=20):
        yield objects.pod(app, CLIENT_NAMESPACE, {"app": app}, ip=plan.pod(1, number))
