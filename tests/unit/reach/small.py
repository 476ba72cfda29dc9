# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One small cluster for the truth tables, and the tables themselves: a line is FROM TO PORT/PROTOCOL yes|no."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable

from agreement import POST, Both
from reference import Engine

from lab import objects
from lab.objects import Manifest

IGNITE: Manifest = {"matchLabels": {"app": "ignite"}}
NAME = "kubernetes.io/metadata.name"
NODE_1, NODE_2 = "192.0.2.11", "192.0.2.12"
API_ENDPOINTS = ("172.30.0.2", "172.30.0.3")
DNS_PORTS: list[Manifest] = [
    {"name": "dns", "protocol": "UDP", "port": 53},
    {"name": "dns-tcp", "protocol": "TCP", "port": 53},
]
# What a line of a table may call by a short name.
PLACES = {
    "ignite-0": "cache-ns/ignite-0",
    "ignite-1": "cache-ns/ignite-1",
    "shop": "client-ns/shop",
    "other": "client-ns/other",
    "dns": "kube-system/dns",
    "agent-1": "kube-system/agent-1",
    "agent-2": "kube-system/agent-2",
    "node-1": NODE_1,
    "node-2": NODE_2,
    "outside": "203.0.113.10",
    "outside-6": "2001:db8:ffff::7",
    "api": API_ENDPOINTS[0],
    "api-service": "10.96.0.1",
    "dns-service": "10.96.0.10",
}


def cluster() -> list[Manifest]:
    """Two nodes, two Ignite pods, two clients, a DNS pod that listens on 5353, an agent in each node's network."""
    slice_ports = [{**port, "port": 5353} for port in DNS_PORTS]
    return [
        objects.node("node-1", address=NODE_1),
        objects.node("node-2", address=NODE_2),
        objects.namespace("default", {NAME: "default"}),
        objects.namespace("kube-system", {NAME: "kube-system"}),
        objects.namespace("cache-ns", {NAME: "cache-ns", "zone": "cache-zone"}),
        objects.namespace("client-ns", {NAME: "client-ns", "zone": "somewhere-else"}),
        objects.pod(
            "ignite-0",
            "cache-ns",
            {"app": "ignite", "role": "server"},
            ip="10.244.1.10",
            ports=[
                {"name": "client", "containerPort": 10800},
                {"name": "both", "containerPort": 7000},
                {"name": "both", "containerPort": 7001, "protocol": "UDP"},
            ],
        ),
        objects.pod(
            "ignite-1",
            "cache-ns",
            {"app": "ignite"},
            ip="10.244.2.10",
            node_name="node-2",
            ports=[{"name": "client", "containerPort": 10900}],
        ),
        objects.pod("shop", "client-ns", {"app": "shop", "tier": "front"}, ip="10.244.1.20"),
        objects.pod("other", "client-ns", {"app": "other"}, ip="10.244.2.20", node_name="node-2"),
        objects.pod("dns", "kube-system", {"k8s-app": "kube-dns"}, ip="10.244.2.2", node_name="node-2"),
        *(
            objects.pod(
                f"agent-{number}",
                "kube-system",
                {"app": "agent"},
                ip=address,
                node_name=f"node-{number}",
                host_network=True,
                ports=[{"name": "metrics", "containerPort": 9100}],
            )
            for number, address in ((1, NODE_1), (2, NODE_2))
        ),
        objects.service("kubernetes", "default", ports=[{"name": "https", "port": 443}], cluster_ip="10.96.0.1"),
        objects.endpoint_slice(
            "kubernetes",
            "default",
            service="kubernetes",
            addresses=API_ENDPOINTS,
            ports=[{"name": "https", "protocol": "TCP", "port": 6443}],
        ),
        objects.service(
            "kube-dns", "kube-system", selector={"k8s-app": "kube-dns"}, ports=DNS_PORTS, cluster_ip="10.96.0.10"
        ),
        objects.endpoint_slice(
            "kube-dns-1", "kube-system", service="kube-dns", addresses=["10.244.2.2"], pods=["dns"], ports=slice_ports
        ),
    ]


def policy(name: str = "ours", *, selector: t.Any = IGNITE, namespace: str = "cache-ns", **spec: t.Any) -> Manifest:
    """A policy for Ignite; `spec` are its fields as they are."""
    return objects.network_policy(name, namespace, {"podSelector": selector, **spec})


def ingress(*rules: Manifest, **more: t.Any) -> Manifest:
    return policy(policyTypes=["Ingress"], ingress=list(rules), **more)


def egress(*rules: Manifest, **more: t.Any) -> Manifest:
    return policy(policyTypes=["Egress"], egress=list(rules), **more)


def source(*peers: Manifest, ports: list[Manifest] | None = None) -> Manifest:
    return {"from": list(peers), **({"ports": ports} if ports else {})}


def target(*peers: Manifest, ports: list[Manifest] | None = None) -> Manifest:
    return {"to": list(peers), **({"ports": ports} if ports else {})}


def block(cidr: str, *excepted: str) -> Manifest:
    return {"ipBlock": {"cidr": cidr, **({"except": list(excepted)} if excepted else {})}}


def tcp(port: int | str, **more: t.Any) -> Manifest:
    return {"protocol": "TCP", "port": port, **more}


def check(table: str, things: Iterable[Manifest], engine: Engine = POST) -> None:
    """Hold a truth table against both judges; every line that is wrong is told."""
    judges, wrong = Both(things, engine), list[str]()
    for line in filter(str.strip, table.splitlines()):
        begin, end, port, wanted = line.split()
        number, _, protocol = port.partition("/")
        seen = judges.allowed(PLACES.get(begin, begin), PLACES.get(end, end), int(number), protocol or "TCP")
        if {True: "yes", False: "no", None: "open"}[seen] != wanted:
            wrong.append(f"{line.strip()}: {seen}")
    assert not wrong, "\n".join(wrong)
