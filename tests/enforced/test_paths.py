# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections whose source, target or protocol is not what it seems: NodePorts, hosts' networks, other DNS, ICMP."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import typing as t
import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from ansible_collections.netguard.lockdown.plugins.module_utils._core.connection import resolve
from ansible_collections.netguard.lockdown.plugins.module_utils._kube import exec as execution
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from enforced.differences import OF
from enforced.probes import unjudged
from enforced.table import DROPPED, Table
from enforced.worlds import Playbooks, Unrestricted, World
from lab import objects
from lab.client import Manifest
from lab.cluster import clients, listeners
from lab.cluster.addresses import (
    COMMAND_AND_CONTROL_PORT,
    DNS_PORT,
    DNS_SERVICE,
    NEIGHBOUR,
    NEIGHBOUR_ADDRESS,
    OUTSIDE,
    OUTSIDE_ADDRESS,
    WORKER,
    WORKER_ADDRESS,
)
from lab.cluster.clients import CLIENT_PORT
from lab.cluster.cluster import Cluster
from lab.cluster.engines import DEFAULT
from lab.cluster.ignite import LABELS
from lab.cluster.images import CLIENT_IMAGE, COREDNS_IMAGE
from lab.cluster.workloads import SYSTEM
from lab.errors import LabError
from lab.processes import wait_until

Json = dict[str, t.Any]

ICMP = Path(__file__).with_name("icmp.py")
LISTENERS = Path(listeners.__file__)
SLEEP = ("sleep", "3600")
CACHE_ADDRESS, CACHE = "169.254.20.10", "node-local-dns"
OTHER_PORT = 5353
NAME, ADDRESS = "prices.lab.example", "192.0.2.77"
OTHER_NODES_PORT = 31999


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@contextlib.contextmanager
def visitors(cluster: Cluster, address: str) -> Iterator[list[str]]:
    """Listen on CLIENT_PORT in the network of a pod; who came, by address, complete when the context is left."""
    command = [*cluster.pod(address), sys.executable, "-I", "-u", str(LISTENERS), f"echo={address}:{CLIENT_PORT}"]
    seen: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert "ready" in process.stdout.readline()
            yield seen
        finally:
            process.terminate()
            lines = process.stdout.read().splitlines()
            seen += [json.loads(line)["peer"] for line in lines if line.startswith("{")]


@contextlib.contextmanager
def forwarded(cluster: Cluster, address: str) -> Iterator[str]:
    """A NodePort of the other node, which runs no kube-proxy: the rules that one would write there."""
    place = cluster.host(NEIGHBOUR.name)
    there = ["-p", "tcp", "-d", NEIGHBOUR_ADDRESS, "--dport", str(OTHER_NODES_PORT)]
    rules = [
        ["PREROUTING", *there, "-j", "DNAT", "--to-destination", f"{address}:{CLIENT_PORT}"],
        ["POSTROUTING", "-p", "tcp", "-d", address, "--dport", str(CLIENT_PORT), "-j", "MASQUERADE"],
    ]
    run(*place, "sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1")
    for rule in rules:
        run(*place, "iptables", "--wait", "-t", "nat", "-A", *rule)
    try:
        yield f"tcp://{NEIGHBOUR_ADDRESS}:{OTHER_NODES_PORT}"
    finally:
        for rule in rules:
            run(*place, "iptables", "--wait", "-t", "nat", "-D", *rule)
        run(*place, "sysctl", "--quiet", "--write", "net.ipv4.ip_forward=0")


def node_port(cluster: Cluster, namespace: str, policy: str) -> str:
    """A Service with a port on every node; where a client outside would dial it."""
    ports = [{"port": CLIENT_PORT, "protocol": "TCP"}]
    spec = {"type": "NodePort", "externalTrafficPolicy": policy}
    made = objects.service(f"outside-{policy.lower()}", namespace, selector=LABELS, ports=ports, spec=spec)
    port = cluster.create(made)["spec"]["ports"][0]["nodePort"]
    target = f"tcp://{WORKER_ADDRESS}:{port}"
    place = cluster.host(OUTSIDE.name)
    assert wait_until(lambda: unjudged(place, target) == "connected", 30, 0.2), target
    return target


def lock(playbooks: Playbooks, namespace: str, *peers: Json, **variables: t.Any) -> None:
    """The role's lock-down, with peers that may use CLIENT_PORT."""
    given = [
        {"name": f"client-{number}", "kind": "custom", "ports": [CLIENT_PORT], **peer}
        for number, peer in enumerate(peers)
    ]
    playbooks.lockdown(namespace, clients=given, **variables)


MINIMAL: Json = {"profile": "minimal", "minimal_confirmed": True}


@pytest.mark.only(DEFAULT)  # which of a client's addresses is judged is another matter with each engine
def test_clients_whose_address_is_rewritten(cluster: Cluster, world: World, playbooks: Playbooks, table: Table) -> None:
    """A NodePort passes a client's own address on or not; a pod in its node's network has its node's."""
    namespace, shop = world.namespace("rewritten"), world.namespace("shop")
    address = world.client_address(namespace, LABELS, SLEEP)
    outside, neighbour, node = (cluster.host(host.name) for host in (OUTSIDE, NEIGHBOUR, WORKER))
    direct = f"tcp://{address}:{CLIENT_PORT}"
    pod = world.client(shop)
    guest = on_its_nodes_network(world, shop)
    assert guest["status"]["podIP"] == WORKER_ADDRESS
    with visitors(cluster, address) as free, forwarded(cluster, address) as elsewhere:
        own, rewritten = (node_port(cluster, namespace, policy) for policy in ("Local", "Cluster"))
        assert unjudged(outside, elsewhere) == "connected"
    with table.case("NodePorts and hosts' networks, without a policy") as case:
        case.record("the server saw, Local", OUTSIDE_ADDRESS, free[0])
        case.record("the server saw, other node", NEIGHBOUR_ADDRESS, free[-1])
        rewrites = [peer for peer in free if peer not in (OUTSIDE_ADDRESS, NEIGHBOUR_ADDRESS)]
        case.record("the server saw, Cluster", "a node's address", described_node(rewrites))
    with visitors(cluster, address), forwarded(cluster, address):
        lock(playbooks, namespace, {"cidrs": [f"{OUTSIDE_ADDRESS}/32"]}, {"namespaces": [shop]}, **MINIMAL)
        with table.case("the client's own address is allowed") as case:
            case.cell("direct", "connected", lambda: one(cluster, outside, direct))
            case.cell("NodePort, Local", "connected", lambda: unjudged(outside, own))
            # This engine judges before the source is rewritten on the pod's own node.
            case.cell("NodePort, Cluster", "connected", lambda: unjudged(outside, rewritten))
            case.cell("NodePort of another node", DROPPED, lambda: unjudged(outside, elsewhere))
        with table.case("a namespace is allowed, its pod has its node's network") as case:
            case.cell("a pod with its own", "connected", lambda: one(cluster, pod, direct))
            # Between a node and its own pods policies do not apply.
            case.cell("on the server's node", "connected", lambda: unjudged(node, direct))
            case.cell("on another node", DROPPED, lambda: one(cluster, neighbour, direct))
        lock(playbooks, namespace, {"cidrs": [f"{NEIGHBOUR_ADDRESS}/32"]}, **MINIMAL)
        with table.case("the other node's address is allowed") as case:
            case.cell("NodePort of that node", "connected", lambda: unjudged(outside, elsewhere))
            case.cell("hostNetwork on that node", "connected", lambda: one(cluster, neighbour, direct))
            case.cell("the client itself", DROPPED, lambda: one(cluster, outside, direct))


@pytest.mark.every_engine
def test_icmp_is_recorded_and_not_promised(cluster: Cluster, world: World, free: Unrestricted, table: Table) -> None:
    """NetworkPolicy says nothing of ICMP: engines differ, and what this one does is recorded."""
    namespace = world.namespace("icmp")
    first, second = (world.client_address(namespace) for _ in range(2))
    places = [cluster.pod(first), free.place]
    targets = {"another pod": second, "a host outside": OUTSIDE_ADDRESS}

    def echoes(place: Sequence[str], seconds: str = "3") -> dict[str, str]:
        found: dict[str, str] = json.loads(run(*place, sys.executable, "-I", str(ICMP), seconds, *targets.values()))
        return found

    def tcp(place: Sequence[str]) -> dict[str, str]:
        return cluster.probe(place, [f"tcp://{OUTSIDE_ADDRESS}:{COMMAND_AND_CONTROL_PORT}"])

    with table.case("ICMP, no policy") as case:
        seen = echoes(places[0])
        for name, address in targets.items():
            case.record(name, "answered", seen[address])
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    cluster.create(objects.network_policy("deny-all", namespace, spec))
    assert wait_until(lambda: set(tcp(places[0]).values()) == {DROPPED}, 30, 0.2)
    with table.case("ICMP, deny-all (recorded, not promised)") as case:
        seen, control = echoes(places[0]), echoes(places[1])
        for name, address in targets.items():
            case.record(name, "", seen[address])
            case.record(f"{name}, from a pod without policies", "", control[address])
        assert control[OUTSIDE_ADDRESS] == "answered"


@pytest.mark.every_engine
def test_dns_on_another_target_port(
    cluster: Cluster, world: World, playbooks: Playbooks, free: Unrestricted, table: Table
) -> None:
    """The pods behind the Service's port 53 listen on 5353: that is what the policy has to allow, and nothing else."""
    servers, namespace = world.namespace("names"), world.namespace("asking")
    labels = {"k8s-app": "names"}
    zones = "".join(f".:{port} {{\n hosts {{\n  {ADDRESS} {NAME}\n }}\n}}\n" for port in (OTHER_PORT, DNS_PORT))
    server = name_server(world, servers, labels, zones)
    ports = [
        {"name": protocol.lower(), "port": DNS_PORT, "protocol": protocol, "targetPort": OTHER_PORT}
        for protocol in ("UDP", "TCP")
    ]
    service = cluster.create(objects.service("names", servers, selector=labels, ports=ports))["spec"]["clusterIP"]
    resolver, place = asking(world, namespace, service)
    through = questions(service, DNS_PORT) | questions(server, OTHER_PORT)
    around = questions(server, DNS_PORT) | {f"cluster's own {name}": to for name, to in questions(DNS_SERVICE).items()}
    playbooks.lockdown(namespace, dns={"namespace": servers, "service": "names"})
    with table.case("DNS on target port 5353") as case:
        case.reached(cluster.probe(place, list(through.values())), through)
        case.blocked(
            cluster.probe(place, list(around.values())), cluster.probe(free.place, list(around.values())), around
        )
        case.cell("a pod looks a name up", ADDRESS, lambda: looked_up(cluster, namespace, resolver, NAME))


@pytest.mark.every_engine
def test_a_dns_cache_on_every_node(cluster: Cluster, world: World, playbooks: Playbooks, table: Table) -> None:
    """The role finds the cache by its DaemonSet's arguments, and allows exactly its link-local address.

    Where no address block matches it, as a node answers there, the role writes nothing unless the user names the DNS.
    """
    node, namespace = cluster.host(WORKER.name), world.namespace("cached")
    known = "kubernetes.default.svc.cluster.local"
    # The real thing adds a dummy link for it, which not every kernel has.
    run(*node, "ip", "address", "add", f"{CACHE_ADDRESS}/32", "dev", "lo")
    try:
        cluster.create_all(cache())
        try:
            resolver, place = asking(world, namespace, CACHE_ADDRESS)
            asked = questions(CACHE_ADDRESS)
            assert wait_until(lambda: set(cluster.probe(place, list(asked.values())).values()) == {"answered"}, 30, 0.5)
            matched = OF[table.engine].address_matches_nodes
            if not matched:
                with pytest.raises(LabError, match="No rule is certain to reach the DNS cache"):
                    playbooks.lockdown(namespace)
                assert dns_blocks(cluster, namespace) == ""
            playbooks.lockdown(namespace, **({} if matched else {"dns": {"namespace": SYSTEM, "service": "kube-dns"}}))
            with table.case("NodeLocal DNSCache") as case:
                if matched:
                    case.reached(cluster.probe(place, list(asked.values())), asked)
                    found = partial(looked_up, cluster, namespace, resolver, known)
                    case.cell("a pod looks a name up", "10.96.0.1", found)
                else:
                    for name, target in asked.items():
                        case.cell(name, DROPPED, partial(unjudged, place, target))
                blocks = f"{CACHE_ADDRESS}/32 TCP, {CACHE_ADDRESS}/32 UDP"
                case.record("address blocks for port 53", blocks, dns_blocks(cluster, namespace))
        finally:
            cluster.delete(objects.reference("apps/v1", "DaemonSet", CACHE, SYSTEM))
            cluster.delete(objects.reference("v1", "ConfigMap", CACHE, SYSTEM))
    finally:
        run(*node, "ip", "address", "delete", f"{CACHE_ADDRESS}/32", "dev", "lo")


def one(cluster: Cluster, place: Sequence[str], target: str) -> str:
    return cluster.probe(place, [target])[target]


def described_node(peers: Sequence[str]) -> str:
    """A node speaks with its pods by its own address or, over their links, by the first one of its pod range."""
    known = {WORKER_ADDRESS, "10.244.0.1"}
    return "a node's address" if peers and set(peers) <= known else f"{sorted(set(peers))}"


def on_its_nodes_network(world: World, namespace: str) -> Manifest:
    """A pod that uses the network of the worker."""
    mark = {"lab/client": f"guest-{uuid.uuid4().hex[:6]}"}
    pod = clients.client(mark["lab/client"], namespace, mark, SLEEP)
    world.cluster.wait_account(namespace)
    world.cluster.create({**pod, "spec": {**pod["spec"], "hostNetwork": True}})
    (running,) = world.cluster.wait_pods(namespace, 1, mark)
    return running


def name_server(world: World, namespace: str, labels: dict[str, str], corefile: str) -> str:
    """CoreDNS with a configuration of its own; its address."""
    world.cluster.create(objects.config_map("names", namespace, {"Corefile": corefile}))
    container = {
        "name": "coredns",
        "image": COREDNS_IMAGE,
        "command": ["/coredns", "-conf", "/etc/coredns/Corefile"],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
    }
    spec = {
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "names"}}],
        "dnsPolicy": "Default",
        "terminationGracePeriodSeconds": 0,
    }
    metadata = {"name": "names", "namespace": namespace, "labels": labels}
    world.cluster.wait_account(namespace)
    world.cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    (running,) = world.cluster.wait_pods(namespace, 1, labels)
    return str(running["status"]["podIP"])


def asking(world: World, namespace: str, server: str) -> tuple[str, list[str]]:
    """A pod with Ignite's labels that asks this DNS server: its name, and its network as a place."""
    pod = clients.client("ignite-0", namespace, LABELS)
    pod["spec"] |= {"dnsPolicy": "None", "dnsConfig": {"nameservers": [server]}}
    world.cluster.wait_account(namespace)
    world.cluster.create(pod)
    (running,) = world.cluster.wait_pods(namespace, 1, LABELS)
    return "ignite-0", world.cluster.pod(running["status"]["podIP"])


def questions(server: str, port: int = DNS_PORT) -> dict[str, str]:
    return {f"{protocol} {server}:{port}": f"dns+{protocol}://{server}:{port}/{NAME}" for protocol in ("udp", "tcp")}


def looked_up(cluster: Cluster, namespace: str, pod: str, name: str) -> str:
    """The address that a pod finds by its own resolver."""
    session = Session(resolve({"kubeconfig": str(cluster.kubeconfig)}, {}), connect_timeout=3, request_timeout=6)
    where = execution.Container(namespace, pod, "main")
    said = execution.run(session, where, ["nslookup", "-type=a", name], 20).stdout
    found = [line.split()[-1] for line in said.splitlines() if line.startswith("Address")]
    return found[-1] if found else said


def cache() -> list[Manifest]:
    """A DNS cache on the node's network: CoreDNS, beside a container with the arguments of the real thing's program."""
    corefile = f".:{DNS_PORT} {{\n bind {CACHE_ADDRESS}\n forward . {DNS_SERVICE}\n cache 30\n}}\n"
    labels = {"k8s-app": CACHE}
    containers = [
        {
            "name": "node-cache",
            "image": CLIENT_IMAGE,
            "command": ["sh", "-c", "exec sleep 3600", "node-cache"],
            "args": ["-localip", CACHE_ADDRESS, "-conf", "/etc/Corefile", "-upstreamsvc", "kube-dns-upstream"],
        },
        {
            "name": "coredns",
            "image": COREDNS_IMAGE,
            "command": ["/coredns", "-conf", "/etc/coredns/Corefile"],
            "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
        },
    ]
    spec = {
        "hostNetwork": True,
        "dnsPolicy": "Default",
        "containers": containers,
        "volumes": [{"name": "config", "configMap": {"name": CACHE}}],
        "nodeSelector": {"kubernetes.io/hostname": WORKER.name},
        "terminationGracePeriodSeconds": 0,
    }
    return [
        objects.config_map(CACHE, SYSTEM, {"Corefile": corefile}),
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": CACHE, "namespace": SYSTEM, "labels": labels},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        },
    ]


def dns_blocks(cluster: Cluster, namespace: str) -> str:
    """The address blocks that the namespace's policies allow on port 53, each with its protocol."""
    found = {
        f"{peer['ipBlock']['cidr']} {port['protocol']}"
        for policy in cluster.list("networking.k8s.io/v1", "NetworkPolicy", namespace)
        for rule in policy["spec"].get("egress") or []
        for port in rule.get("ports") or []
        for peer in rule.get("to") or []
        if port.get("port") == DNS_PORT and "ipBlock" in peer
    }
    return ", ".join(sorted(found))
