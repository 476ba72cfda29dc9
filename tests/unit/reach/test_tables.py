# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Truth tables, made by hand, for what no conformance suite covers."""

from __future__ import annotations

import typing as t

import pytest
from agreement import CILIUM, CILIUM_NODES, ENGINES, POST, PRE, Both, profile
from reference import Engine
from small import (
    IGNITE,
    NAME,
    NODE_1,
    NODE_2,
    block,
    check,
    cluster,
    egress,
    ingress,
    policy,
    source,
    target,
    tcp,
)

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.cilium import read as read_cilium
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.matrix import matrix
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.reading import Reading
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.result import reachability
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import read_world
from lab import objects
from lab.objects import Manifest

ALL_PODS: Manifest = {"namespaceSelector": {}}
DENY = policy("deny-all", selector={}, policyTypes=["Ingress", "Egress"])
each_engine = pytest.mark.parametrize("engine", ENGINES, ids=["API", "before DNAT", "Cilium", "Cilium with nodes"])


def agents(*numbers: int) -> list[Manifest]:
    return [block(f"{(NODE_1, NODE_2)[number - 1]}/32") for number in numbers]


# nodes and pods in their network


@each_engine
def test_a_pod_and_its_own_node_reach_each_other_whatever_policies_say(engine: Engine) -> None:
    check(
        """
        node-1   ignite-0 47500 yes
        agent-1  ignite-0 47500 yes
        ignite-0 node-1   10250 yes
        ignite-0 agent-1  9100  yes
        node-2   ignite-0 47500 no
        agent-2  ignite-0 47500 no
        ignite-0 node-2   10250 no
        ignite-0 agent-2  9100  no
        ignite-1 node-2   10250 yes
        """,
        [*cluster(), DENY],
        engine,
    )


@each_engine
def test_selectors_never_match_a_pod_in_its_nodes_network(engine: Engine) -> None:
    agent = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "agent"}}}
    rules = policy(
        policyTypes=["Ingress", "Egress"], ingress=[source(agent, ALL_PODS)], egress=[target(agent, ALL_PODS)]
    )
    check(
        """
        agent-2  ignite-0 47500 no
        ignite-0 agent-2  9100  no
        shop     ignite-0 47500 yes
        ignite-0 shop     8080  yes
        """,
        [*cluster(), rules],
        engine,
    )


@pytest.mark.parametrize(("engine", "seen"), [(POST, "yes"), (PRE, "yes"), (CILIUM_NODES, "yes"), (CILIUM, "no")])
def test_the_address_of_the_node_matches_a_pod_in_its_network_unless_the_engine_keeps_nodes_apart(
    engine: Engine, seen: str
) -> None:
    rules = policy(policyTypes=["Ingress", "Egress"], ingress=[source(*agents(2))], egress=[target(*agents(2))])
    check(
        f"""
        agent-2  ignite-0 47500 {seen}
        ignite-0 agent-2  9100  {seen}
        ignite-0 node-2   10250 {seen}
        ignite-0 {NODE_2} 6443  {seen}
        shop     ignite-0 47500 no
        """,
        [*cluster(), rules],
        engine,
    )


@each_engine
def test_a_policy_that_selects_a_pod_in_its_nodes_network_does_nothing(engine: Engine) -> None:
    deny = policy("deny", selector={}, namespace="kube-system", policyTypes=["Ingress", "Egress"])
    check(
        """
        shop    agent-1 9100 yes
        outside agent-2 9100 yes
        agent-1 agent-2 9100 yes
        agent-1 outside 443  yes
        shop    dns     5353 no
        """,
        [*cluster(), deny],
        engine,
    )


@each_engine
def test_a_named_port_means_nothing_on_a_pod_in_its_nodes_network(engine: Engine) -> None:
    rules = egress({"ports": [{"port": "metrics"}]})
    check("ignite-0 agent-2 9100 no", [*cluster(), rules], engine)


# a pod and itself, and its neighbour on the node


@each_engine
def test_a_pod_reaches_itself(engine: Engine) -> None:
    check(
        """
        ignite-0 ignite-0    1     yes
        ignite-0 10.244.1.10 47500 yes
        10.244.1.10 ignite-0 53/UDP yes
        ignite-0 ignite-1    47500 no
        shop     ignite-0    47500 no
        """,
        [*cluster(), DENY],
        engine,
    )


# Services


API = block("172.30.0.2/32"), block("172.30.0.3/32")
API_BY_ENDPOINTS = target(*API, ports=[tcp(6443)])
API_BY_SERVICE = target(block("10.96.0.1/32"), ports=[tcp(443)])


def test_judged_after_dnat_only_the_endpoints_address_and_port_open_the_api_server() -> None:
    check(
        """
        ignite-0 api-service 443  yes
        ignite-0 api         6443 yes
        ignite-0 api         443  no
        """,
        [*cluster(), egress(API_BY_ENDPOINTS)],
    )
    check(
        """
        ignite-0 api-service 443  no
        ignite-0 api         6443 no
        """,
        [*cluster(), egress(API_BY_SERVICE)],
    )


def test_judged_before_dnat_only_the_services_address_and_port_open_the_api_server() -> None:
    check(
        """
        ignite-0 api-service 443  yes
        ignite-0 api         6443 no
        """,
        [*cluster(), egress(API_BY_SERVICE)],
        PRE,
    )
    check(
        """
        ignite-0 api-service 443  no
        ignite-0 api         6443 yes
        """,
        [*cluster(), egress(API_BY_ENDPOINTS)],
        PRE,
    )


@pytest.mark.parametrize("engine", [POST, PRE])
def test_both_forms_are_two_pairs_and_no_cross_product(engine: Engine) -> None:
    check(
        """
        ignite-0 api-service 443  yes
        ignite-0 api         6443 yes
        ignite-0 api         443  no
        """,
        [*cluster(), egress(API_BY_ENDPOINTS, API_BY_SERVICE)],
        engine,
    )


@pytest.mark.parametrize("engine", [POST, PRE, CILIUM])
def test_selectors_never_match_an_api_server_off_the_cluster(engine: Engine) -> None:
    rules = egress(target({"namespaceSelector": {}}, {"podSelector": {}}))
    check("ignite-0 api-service 443 no", [*cluster(), rules], engine)
    check("ignite-0 api 6443 no", [*cluster(), rules], engine)


def api_server_pod() -> list[Manifest]:
    """An API server as kubeadm runs it: a pod in its node's network, behind the Service."""
    things = [thing for thing in cluster() if thing["metadata"]["name"] != "kubernetes"]
    pod = objects.pod(
        "kube-apiserver-node-2",
        "kube-system",
        {"component": "kube-apiserver"},
        ip=NODE_2,
        node_name="node-2",
        host_network=True,
    )
    service = objects.service("kubernetes", "default", ports=[{"name": "https", "port": 443}], cluster_ip="10.96.0.1")
    slice_ports = [{"name": "https", "protocol": "TCP", "port": 6443}]
    slice_ = objects.endpoint_slice(
        "kubernetes", "default", service="kubernetes", addresses=[NODE_2], ports=slice_ports
    )
    return [*things, pod, service, slice_]


def test_selectors_never_match_an_api_server_in_its_nodes_network() -> None:
    labels = {"matchLabels": {"component": "kube-apiserver"}}
    rules = egress(target({"namespaceSelector": {}, "podSelector": labels}))
    check("ignite-0 api-service 443 no", [*api_server_pod(), rules])


@pytest.mark.parametrize(("engine", "seen"), [(POST, "yes"), (CILIUM, "no"), (CILIUM_NODES, "yes")])
def test_an_api_server_on_a_node_is_out_of_reach_of_an_address_block_on_cilium(engine: Engine, seen: str) -> None:
    for cidr in (f"{NODE_2}/32", "0.0.0.0/0"):
        rules = egress(target(block(cidr), ports=[tcp(6443)]))
        check(f"ignite-0 api-service 443 {seen}", [*api_server_pod(), rules], engine)


def entity(**default_deny: bool) -> Manifest:
    """The extra object for Cilium: the API server by its entity and its endpoints' port."""
    rule = {"toEntities": ["kube-apiserver"], "toPorts": [{"ports": [{"port": "6443", "protocol": "TCP"}]}]}
    spec: Manifest = {"endpointSelector": IGNITE, "egress": [rule]}
    if default_deny:
        spec["enableDefaultDeny"] = default_deny
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": "ours", "namespace": "cache-ns"},
        "spec": spec,
    }


def test_the_entity_opens_the_api_server_and_nothing_else() -> None:
    check(
        """
        ignite-0 api-service 443  yes
        ignite-1 api-service 443  yes
        ignite-0 node-2      6443 yes
        ignite-1 node-2      10250 yes
        ignite-0 node-2      10250 no
        ignite-0 outside     6443 no
        other    ignite-0    6443 no
        """,
        [*api_server_pod(), DENY, entity(egress=False, ingress=False)],
        CILIUM,
    )


def test_the_entity_alone_only_adds_and_isolates_nobody() -> None:
    table = """
        ignite-0 api-service 443 yes
        ignite-0 outside     443 {}
        shop     ignite-0    443 yes
    """
    check(table.format("yes"), [*api_server_pod(), entity(egress=False, ingress=False)], CILIUM)
    check(table.format("no"), [*api_server_pod(), entity()], CILIUM)


def test_the_entity_as_it_is_stored_with_empty_lists_is_told() -> None:
    stored = entity(egress=False, ingress=False)
    stored["spec"] |= {"ingress": [], "ingressDeny": [], "egressDeny": []}
    check("ignite-0 api-service 443 yes", [*api_server_pod(), DENY, {**stored, "specs": []}], CILIUM)
    stored["spec"]["egressDeny"] = [{"toEntities": ["kube-apiserver"]}]
    assert read_cilium(stored, "ours").opaque


def test_a_services_port_is_not_its_endpoints_port() -> None:
    dns = {
        "namespaceSelector": {"matchLabels": {NAME: "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    udp = {"protocol": "UDP"}
    check(
        """
        ignite-0 dns-service 53/UDP   yes
        ignite-0 dns         5353/UDP yes
        ignite-0 dns         53/UDP   no
        ignite-0 dns-service 53/TCP   no
        """,
        [*cluster(), egress(target(dns, ports=[{**udp, "port": 5353}]))],
    )
    check(
        """
        ignite-0 dns-service 53/UDP no
        ignite-0 dns         53/UDP yes
        """,
        [*cluster(), egress(target(dns, ports=[{**udp, "port": 53}]))],
    )


def behind(*endpoints: tuple[str, bool | None]) -> list[Manifest]:
    """The cluster with a Service 10.96.0.20:80 that has these endpoints on port 8080."""
    ports = [{"name": "http", "protocol": "TCP", "port": 80}]
    made = [*cluster(), objects.service("web", "client-ns", ports=ports, cluster_ip="10.96.0.20")]
    for number, (address, ready) in enumerate(endpoints):
        to = [{**ports[0], "port": 8080}]
        made.append(
            objects.endpoint_slice(
                f"web-{number}", "client-ns", service="web", addresses=[address], ports=to, ready=ready
            )
        )
    return made


SHOP, OTHER = "10.244.1.20", "10.244.2.20"


@pytest.mark.parametrize("ready", [True, None])
def test_only_endpoints_that_are_not_known_to_be_unready_get_traffic(ready: bool | None) -> None:
    to_shop = egress(target(block(f"{SHOP}/32"), ports=[tcp(8080)]))
    check("ignite-0 10.96.0.20 80 yes", [*behind((SHOP, ready), (OTHER, False)), to_shop])
    check("ignite-0 10.96.0.20 80 no", [*behind((SHOP, False), (OTHER, ready)), to_shop])


def test_where_a_service_leads_nowhere_or_to_unlike_endpoints_nothing_can_be_told() -> None:
    to_shop = egress(target(block(f"{SHOP}/32"), ports=[tcp(8080)]))
    check("ignite-0 10.96.0.20 80 open", [*behind((SHOP, True), (OTHER, True)), to_shop])
    check("ignite-0 10.96.0.20 80 open", [*behind((SHOP, False)), to_shop])
    check("ignite-0 10.96.0.20 81 open", [*behind((SHOP, True)), to_shop])
    check("ignite-0 10.96.0.20 80/UDP open", [*behind((SHOP, True)), to_shop])


def test_what_is_denied_before_dnat_is_denied_wherever_it_leads() -> None:
    for things in (behind(), behind((SHOP, False)), behind((SHOP, True), (OTHER, True))):
        check("ignite-0 10.96.0.20 80 no", [*things, egress()], PRE)


def test_the_receivers_policy_is_asked_behind_a_service_too() -> None:
    deny = policy("deny", selector={}, namespace="kube-system", policyTypes=["Ingress"])
    for engine in (POST, PRE):
        check("ignite-0 dns-service 53/UDP no", [*cluster(), deny], engine)


def test_a_label_of_the_dns_pods_in_another_namespace_is_not_the_dns() -> None:
    rule = target({"podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}, ports=[{"protocol": "UDP", "port": 5353}])
    check("ignite-0 dns-service 53/UDP no", [*cluster(), egress(rule)])


@each_engine
def test_the_node_local_dns_is_matched_by_its_address_alone(engine: Engine) -> None:
    open_ = egress(target(block("169.254.20.10/32"), ports=[{"protocol": "UDP", "port": 53}]))
    table = """
        ignite-0 169.254.20.10   53/UDP {}
        ignite-0 169.254.20.10   53/TCP no
        ignite-0 169.254.169.254 80     no
    """
    check(table.format("yes" if engine.cidr_matches_nodes else "open"), [*cluster(), open_], engine)
    check(table.format("no"), [*cluster(), egress(target(ALL_PODS))], engine)


@pytest.mark.parametrize(("engine", "seen"), [(CILIUM, None), (CILIUM_NODES, True), (POST, True)])
def test_a_rule_to_a_link_local_address_is_open_where_blocks_match_no_node(engine: Engine, seen: bool | None) -> None:
    blocks = [block("169.254.20.10/32"), block("203.0.113.0/24")]
    judges = Both([*cluster(), egress(target(*blocks, ports=[{"protocol": "UDP", "port": 53}]))], engine)
    source = "cache-ns/ignite-0"
    assert judges.allowed(source, "169.254.20.10", 53, "UDP") is seen
    assert judges.allowed(source, "169.254.20.10", 53, "TCP") is False
    assert judges.allowed(source, "203.0.113.10", 53, "UDP") is True
    assert Both(cluster(), engine).allowed(source, "169.254.20.10", 53, "UDP") is True


@pytest.mark.parametrize(("engine", "told"), [(CILIUM, None), (CILIUM_NODES, True), (POST, True)])
def test_the_matrix_does_not_promise_it_either(engine: Engine, told: bool | None) -> None:
    blocks = [block("169.254.20.10/32"), block("169.254.169.254/32"), block("203.0.113.0/24")]
    world = read_world([*cluster(), egress(target(*blocks, ports=[{"protocol": "UDP", "port": 53}]))])
    reading = Reading(world, "unknown", profile(engine), "", {})
    found = reachability(reading, [], with_matrix=True, namespaces=["cache-ns"])["matrix"]
    members = {each["id"]: each["members"] for each in found["classes"]}
    seen = {
        (name, cell["allowed"], each["ports"])
        for cell in found["cells"]
        for number in cell["to"]
        for name in members[number]
        for each in cell["ports"]
        if "cache-ns/ignite-0" in members[cell["from"]]
    }
    assert seen >= {
        ("169.254.20.10/32", told, "53"),
        ("169.254.169.254/32", True, "53"),
        ("203.0.113.0/24", True, "53"),
    }
    table = matrix(world, profile(engine))
    assert table.allowed("cache-ns/ignite-0", "169.254.20.10", "UDP", 53) is told
    assert table.allowed("cache-ns/ignite-0", "169.254.20.10", "TCP", 53) is False


# addresses


@pytest.mark.parametrize(("engine", "seen"), [(POST, "yes"), (PRE, "yes"), (CILIUM, "no"), (CILIUM_NODES, "no")])
def test_whether_a_block_matches_pods_depends_on_the_engine(engine: Engine, seen: str) -> None:
    rules = policy(
        policyTypes=["Ingress", "Egress"], ingress=[source(block("10.244.0.0/16"))], egress=[target(block("0.0.0.0/0"))]
    )
    check(
        f"""
        shop     ignite-0 1     {seen}
        ignite-0 shop     8080  {seen}
        ignite-0 outside  443   yes
        outside  ignite-0 10800 no
        """,
        [*cluster(), rules],
        engine,
    )


@pytest.mark.parametrize("excepted", ["203.0.113.10/32", "203.0.113.8/29", "203.0.113.0/25"])
def test_an_exception_closes_its_part_of_the_block_only(excepted: str) -> None:
    hole = target(block("203.0.113.0/24", excepted))
    table = """
        ignite-0 203.0.113.10  443 {}
        ignite-0 203.0.113.200 443 yes
        ignite-0 203.0.114.1   443 no
    """
    check(table.format("no"), [*cluster(), egress(hole)])
    check(table.format("yes"), [*cluster(), egress(hole, target(block("203.0.113.10/32")))])
    check(table.format("yes"), [*cluster(), egress(hole), egress(target(block("203.0.113.10/32")), name="more")])


def test_an_exception_at_the_edges_of_a_block() -> None:
    check(
        """
        ignite-0 198.51.100.0   1 no
        ignite-0 198.51.100.1   1 yes
        ignite-0 198.51.100.254 1 yes
        ignite-0 198.51.100.255 1 no
        ignite-0 198.51.101.0   1 no
        ignite-0 198.51.99.255  1 no
        """,
        [*cluster(), egress(target(block("198.51.100.0/24", "198.51.100.0/32", "198.51.100.255/32")))],
    )


def six(name: str, address: str, *more: str, namespace: str = "cache-ns", app: str = "ignite") -> Manifest:
    """A pod with an IPv6 address, and perhaps further ones."""
    pod = objects.pod(name, namespace, {"app": app}, ip=address)
    pod["status"]["podIPs"] += [{"ip": other} for other in more]
    return pod


def test_blocks_of_both_families() -> None:
    pods = [six("six", "fd00:10:244:1::5"), six("shop-6", "fd00:10:244:1::6", namespace="client-ns", app="shop")]
    rules = egress(target(block("::/0", "2001:db8:ffff::/48")), target(block("203.0.113.0/24")))
    check(
        """
        ignite-0     outside          443 yes
        ignite-0     198.51.100.7     443 no
        ignite-0     shop             443 no
        cache-ns/six outside-6        443 no
        cache-ns/six 2001:db8:fffe::1 443 yes
        cache-ns/six client-ns/shop-6 443 yes
        """,
        [*cluster(), *pods, rules],
    )


def test_a_pod_with_both_families_is_matched_by_the_address_that_is_used() -> None:
    pods = [
        six("both", "fd00:10:244:1::5", "10.244.1.50"),
        six("shop-6", "fd00:10:244:1::6", namespace="client-ns", app="shop"),
    ]
    table = """
        shop             cache-ns/both    443 {0}
        shop             10.244.1.50      443 {0}
        client-ns/shop-6 cache-ns/both    443 {1}
        client-ns/shop-6 fd00:10:244:1::5 443 {1}
    """
    check(table.format("yes", "no"), [*cluster(), *pods, ingress(source(block("10.244.0.0/16")))])
    check(table.format("no", "yes"), [*cluster(), *pods, ingress(source(block("fd00::/8")))])


def test_the_prefix_of_one_ipv4_address_is_a_great_block_in_ipv6() -> None:
    table = """
        cache-ns/six 2001:db8::2      6443 yes
        cache-ns/six 2001:db8:ffff::7 6443 {}
    """
    pods = [*cluster(), six("six", "fd00:10:244:1::5")]
    check(table.format("no"), [*pods, egress(target(block("2001:db8::2/128")))])
    check(table.format("yes"), [*pods, egress(target(block("2001:db8::/32")))])


# pods that have ended


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_the_address_of_a_pod_that_has_ended_is_nobodys(phase: str) -> None:
    ended = objects.pod("job", "client-ns", {"app": "shop"}, ip="10.244.2.99", phase=phase, node_name="node-2")
    shops = source({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "shop"}}})
    check(
        """
        shop        ignite-0 10800 yes
        10.244.2.99 ignite-0 10800 no
        """,
        [*cluster(), ended, ingress(shops)],
    )
    check("10.244.2.99 ignite-0 10800 yes", [*cluster(), ended, ingress(source(block("10.244.2.99/32")))], CILIUM)


def test_the_next_pod_has_the_address_of_one_that_has_ended() -> None:
    ended = objects.pod("job", "client-ns", {"app": "trusted"}, ip="10.244.2.20", phase="Succeeded", node_name="node-2")
    trusted = source({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "trusted"}}})
    for things in ([ended, *cluster()], [*cluster(), ended]):
        check(
            """
            10.244.2.20 ignite-0 10800 no
            other       ignite-0 10800 no
            """,
            [*things, ingress(trusted)],
        )


def test_a_pod_that_has_not_started_counts() -> None:
    young = objects.pod("young", "cache-ns", {"app": "ignite"}, ip="10.244.2.11", phase="Pending", node_name="node-2")
    check("shop cache-ns/young 47500 no", [*cluster(), young, DENY])


# ports


def test_a_named_port_is_looked_up_in_each_pod_with_its_protocol() -> None:
    named = ingress({"ports": [{"port": "client"}]}, {"ports": [{"port": "both", "protocol": "UDP"}]})
    check(
        """
        shop ignite-0 10800     yes
        shop ignite-0 10900     no
        shop ignite-1 10900     yes
        shop ignite-1 10800     no
        shop ignite-0 10800/UDP no
        shop ignite-0 7001/UDP  yes
        shop ignite-0 7000      no
        shop ignite-0 7000/UDP  no
        shop ignite-1 7001/UDP  no
        """,
        [*cluster(), named],
    )
    check(
        """
        shop ignite-0 10800 yes
        shop ignite-1 10800 no
        shop ignite-1 10900 yes
        shop dns      10800 no
        shop outside  10800 no
        shop outside  443   no
        """,
        [*cluster(), egress({"ports": [tcp("client")]}, selector={}, namespace="client-ns")],
    )


def test_a_named_port_and_a_block() -> None:
    rules = egress(target(block("0.0.0.0/0"), ports=[tcp("client")]), selector={}, namespace="client-ns")
    check(
        """
        shop ignite-0 10800 yes
        shop ignite-0 10900 no
        shop outside  10800 no
        """,
        [*cluster(), rules],
    )


def test_a_range_of_ports_has_both_its_ends() -> None:
    check(
        """
        shop ignite-0 47499     no
        shop ignite-0 47500     yes
        shop ignite-0 47550     yes
        shop ignite-0 47600     yes
        shop ignite-0 47601     no
        shop ignite-0 47550/UDP no
        shop ignite-0 1         no
        shop ignite-0 65535     yes
        shop ignite-0 100       yes
        """,
        [*cluster(), ingress({"ports": [{"port": 47500, "endPort": 47600}, tcp(65535, endPort=65535), tcp(100)]})],
    )


@pytest.mark.parametrize(
    ("ports", "tcp_80", "udp_80", "sctp_80", "tcp_81"),
    [
        (None, "yes", "yes", "yes", "yes"),
        ([], "yes", "yes", "yes", "yes"),
        ([{}], "yes", "no", "no", "yes"),
        ([{"port": 80}], "yes", "no", "no", "no"),
        ([{"protocol": None, "port": 80, "endPort": None}], "yes", "no", "no", "no"),
        ([{"protocol": "UDP"}], "no", "yes", "no", "no"),
        ([{"protocol": "UDP", "port": None}], "no", "yes", "no", "no"),
        ([{"protocol": "SCTP", "port": 80}], "no", "no", "yes", "no"),
        ([{"protocol": "SCTP", "port": 80}, {"port": 81}], "no", "no", "yes", "yes"),
    ],
)
def test_the_protocol_defaults_to_tcp_and_no_ports_are_all_ports(
    ports: t.Any, tcp_80: str, udp_80: str, sctp_80: str, tcp_81: str
) -> None:
    check(
        f"""
        shop ignite-0 80/TCP  {tcp_80}
        shop ignite-0 80/UDP  {udp_80}
        shop ignite-0 80/SCTP {sctp_80}
        shop ignite-0 81/TCP  {tcp_81}
        """,
        [*cluster(), ingress({"ports": ports})],
    )


# what is absent, null or empty


@pytest.mark.parametrize("rules", [{}, {"ingress": None}, {"ingress": []}], ids=["absent", "null", "empty"])
def test_no_rules_allow_nobody_however_they_are_written(rules: Manifest) -> None:
    check("shop ignite-0 80 no", [*cluster(), policy(policyTypes=["Ingress"], **rules)])


@pytest.mark.parametrize("peers", [{}, {"from": None}, {"from": []}], ids=["absent", "null", "empty"])
def test_a_rule_without_peers_allows_everyone_however_it_is_written(peers: Manifest) -> None:
    check(
        """
        shop    ignite-0 80 yes
        outside ignite-0 80 yes
        agent-2 ignite-0 80 yes
        node-2  ignite-0 80 yes
        """,
        [*cluster(), ingress(peers)],
        CILIUM,
    )


@pytest.mark.parametrize(
    ("spec", "inward", "outward"),
    [
        ({}, "no", "yes"),
        ({"policyTypes": None}, "no", "yes"),
        ({"policyTypes": []}, "no", "yes"),
        ({"egress": []}, "no", "yes"),
        ({"egress": None}, "no", "yes"),
        ({"egress": [{"ports": [{"port": 80}]}]}, "no", "no"),
        ({"policyTypes": [], "egress": [{"ports": [{"port": 80}]}]}, "no", "no"),
        ({"policyTypes": ["Ingress"], "egress": [{"ports": [{"port": 80}]}]}, "no", "yes"),
        ({"policyTypes": ["Egress"]}, "yes", "no"),
        ({"policyTypes": ["Egress"], "ingress": [{"ports": [{"port": 80}]}]}, "yes", "no"),
        ({"policyTypes": ["Egress", "Ingress"]}, "no", "no"),
    ],
)
def test_the_directions_of_a_policy_that_does_not_name_them(spec: Manifest, inward: str, outward: str) -> None:
    check(
        f"""
        shop     ignite-0 443 {inward}
        ignite-0 shop     443 {outward}
        """,
        [*cluster(), policy(**spec)],
    )


def test_rules_of_a_direction_that_a_policy_does_not_have_allow_nothing() -> None:
    everything: Manifest = {"ingress": [{}], "egress": [{}]}
    table = """
        shop     ignite-0 443 {}
        ignite-0 shop     443 {}
    """
    check(table.format("yes", "no"), [*cluster(), DENY, policy(policyTypes=["Ingress"], **everything)])
    check(table.format("no", "yes"), [*cluster(), DENY, policy(policyTypes=["Egress"], **everything)])
    check(table.format("yes", "yes"), [*cluster(), DENY, policy(**everything)])


@pytest.mark.parametrize("selector", [{}, None, {"matchLabels": None}, {"matchLabels": {}, "matchExpressions": []}])
def test_an_empty_selector_selects_every_pod_of_its_namespace_only(selector: t.Any) -> None:
    check(
        """
        shop ignite-0 80 no
        shop ignite-1 80 no
        ignite-0 shop 80 yes
        """,
        [*cluster(), policy(selector=selector)],
    )


# selectors


def test_one_peer_with_two_selectors_means_both_and_two_peers_mean_either() -> None:
    zone = {"namespaceSelector": {"matchLabels": {"zone": "somewhere-else"}}}
    shops = {"podSelector": {"matchLabels": {"app": "shop"}}}
    stranger = objects.pod("stranger", "cache-ns", {"app": "shop"}, ip="10.244.2.30", node_name="node-2")
    table = """
        shop              ignite-0 80 yes
        other             ignite-0 80 {0}
        cache-ns/stranger ignite-0 80 {0}
        dns               ignite-0 80 no
    """
    check(table.format("no"), [*cluster(), stranger, ingress(source({**zone, **shops}))])
    check(table.format("yes"), [*cluster(), stranger, ingress(source(zone, shops))])


@pytest.mark.parametrize(
    ("peer", "shop", "other", "ignite", "dns"),
    [
        ({"podSelector": {}}, "no", "no", "yes", "no"),
        ({"podSelector": {}, "namespaceSelector": None}, "no", "no", "yes", "no"),
        ({"namespaceSelector": {}}, "yes", "yes", "yes", "yes"),
        ({"namespaceSelector": {}, "podSelector": None}, "yes", "yes", "yes", "yes"),
        ({"namespaceSelector": {}, "podSelector": {}}, "yes", "yes", "yes", "yes"),
        ({"namespaceSelector": {"matchLabels": {"zone": "nowhere"}}}, "no", "no", "no", "no"),
    ],
)
def test_empty_selectors_of_peers(peer: Manifest, shop: str, other: str, ignite: str, dns: str) -> None:
    check(
        f"""
        shop     ignite-0 80 {shop}
        other    ignite-0 80 {other}
        ignite-1 ignite-0 80 {ignite}
        dns      ignite-0 80 {dns}
        outside  ignite-0 80 no
        """,
        [*cluster(), ingress(source(peer))],
    )


@pytest.mark.parametrize(
    ("terms", "shop", "other"),
    [
        ([("app", "In", ["shop"])], "yes", "no"),
        ([("app", "In", ["shop", "other"])], "yes", "yes"),
        ([("tier", "In", ["front"])], "yes", "no"),
        ([("app", "NotIn", ["shop"])], "no", "yes"),
        ([("tier", "NotIn", ["front"])], "no", "yes"),
        ([("tier", "NotIn", ["back"])], "yes", "yes"),
        ([("tier", "Exists", None)], "yes", "no"),
        ([("tier", "DoesNotExist", None)], "no", "yes"),
        ([("tier", "DoesNotExist", [])], "no", "yes"),
        ([("app", "Exists", []), ("tier", "DoesNotExist", None)], "no", "yes"),
        ([("app", "In", ["shop"]), ("app", "NotIn", ["shop"])], "no", "no"),
    ],
)
def test_expressions(terms: list[tuple[str, str, t.Any]], shop: str, other: str) -> None:
    written = [
        {"key": key, "operator": operator, **({} if values is None else {"values": values})}
        for key, operator, values in terms
    ]
    peer = {"namespaceSelector": {"matchLabels": {NAME: "client-ns"}}, "podSelector": {"matchExpressions": written}}
    check(f"shop ignite-0 80 {shop}\nother ignite-0 80 {other}", [*cluster(), ingress(source(peer))])


@pytest.mark.parametrize("labels", [None, {}, {NAME: "client-ns"}, {NAME: "kube-system"}])
def test_a_namespace_is_called_by_its_name_whatever_a_file_says(labels: dict[str, str] | None) -> None:
    """The API server sets this label, and sets it right; a file may lack it, or lie."""
    things = [thing for thing in cluster() if thing["kind"] != "Namespace" or thing["metadata"]["name"] != "client-ns"]
    things.append(objects.namespace("client-ns", labels))
    named = {"namespaceSelector": {"matchLabels": {NAME: "client-ns"}}}
    check("shop ignite-0 80 yes\ndns ignite-0 80 no", [*things, ingress(source(named))])


# policies together


def test_policies_add_up_and_none_takes_away() -> None:
    shops = source({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "shop"}}}, ports=[tcp(10800)])
    others = source({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "other"}}})
    foreign = ingress(others, name="foreign", selector={})
    table = """
        shop  ignite-0 10800 yes
        shop  ignite-0 10801 no
        other ignite-0 22    {}
    """
    check(table.format("no"), [*cluster(), DENY, ingress(shops)])
    check(table.format("yes"), [*cluster(), DENY, ingress(shops), foreign])


def test_both_ends_must_agree() -> None:
    to_ignite = egress(target({"namespaceSelector": {}, "podSelector": IGNITE}), selector={}, namespace="client-ns")
    from_shop = ingress(source({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "shop"}}}))
    check("shop ignite-0 80 yes\nother ignite-0 80 yes\nshop dns 80 no", [*cluster(), to_ignite])
    check("shop ignite-0 80 yes\nother ignite-0 80 no\ndns ignite-0 80 no", [*cluster(), to_ignite, from_shop])


def test_a_policy_rules_only_its_own_namespace() -> None:
    elsewhere = policy("deny", selector=IGNITE, namespace="client-ns", policyTypes=["Ingress", "Egress"])
    check("shop ignite-0 80 yes\nignite-0 outside 443 yes", [*cluster(), elsewhere])


def test_an_answer_needs_no_rule_of_its_own() -> None:
    """Replies belong to the connection: a server that may open nothing still answers."""
    closed_server = policy(policyTypes=["Egress"])
    check("shop ignite-0 80 yes\nignite-0 shop 80 no", [*cluster(), closed_server])


# questions without an answer


@pytest.mark.parametrize(
    ("source_", "end", "protocol", "port"),
    [
        ("cache-ns/nobody", "client-ns/shop", "TCP", 80),
        ("cache-ns/ignite-0", "client-ns/job", "TCP", 80),
        ("cache-ns/ignite-0", "example.org", "TCP", 80),
        ("cache-ns/ignite-0", "203.0.113.0/24", "TCP", 80),
        ("cache-ns/ignite-0", "client-ns/shop", "ICMP", 80),
        ("cache-ns/ignite-0", "client-ns/shop", "tcp", 80),
        ("cache-ns/ignite-0", "client-ns/shop", "TCP", 0),
        ("cache-ns/ignite-0", "client-ns/shop", "TCP", 65536),
    ],
)
def test_a_place_or_a_protocol_that_policies_know_nothing_of_is_an_error(
    source_: str, end: str, protocol: str, port: int
) -> None:
    ended = objects.pod("job", "client-ns", {"app": "shop"}, ip="10.244.2.99", phase="Failed")
    judges = Both([*cluster(), ended])
    with pytest.raises(LockdownError):
        judges.answer(source_, end, port, protocol)
