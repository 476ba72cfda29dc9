# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit's judgement: missing, surplus, rules, foreign policies, drift, blast radius and what stays in doubt."""

from __future__ import annotations

import copy
import typing as t

import pytest
from audit_builders import (
    ALLOW,
    API,
    DENY,
    DNS,
    FLOWS,
    IGNITE,
    INSTANCE,
    NAMESPACE,
    Json,
    allow,
    deny,
    flow,
    judged,
    rule,
)
from evidence_builders import TARGETS

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.grace import SEEN_ANNOTATION
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.profile import (
    BEFORE_TRANSLATION,
    CILIUM,
    CILIUM_NODES,
    STANDARD,
    EngineProfile,
)
from lab import objects


def ids(result: Json) -> set[str]:
    return {finding["id"] for finding in result["findings"]}


def foreign_policy(spec: Json, name: str = "other") -> Json:
    return objects.network_policy(name, NAMESPACE, spec)


# Whole


def test_policies_that_say_what_flows_say_pass_and_are_minimal() -> None:
    result = judged(allow(), deny(), definitions=[allow(), deny()])
    assert (result["verdict"], result["missing"], result["surplus"], result["drift"]) == ("pass", [], [], [])
    assert result["minimality"] == {
        "minimal": True,
        "surplus": {"TCP": 0, "UDP": 0, "SCTP": 0},
        "rules": 12,
        "rules_with_flow": 12,
        "rules_with_reason": 12,
        "rules_needed": 12,
    }
    assert [pod["name"] for pod in result["pods"]] == ["ignite-0", "ignite-1"]
    assert all(pod["isolated"] == {"ingress": True, "egress": True} for pod in result["pods"])
    assert result["pods"][0]["policies"] == [ALLOW, DENY]


def test_the_same_world_gives_the_same_result_whatever_the_order_of_objects() -> None:
    one = judged(allow(), deny(), more=[foreign_policy({"podSelector": {}, "egress": [{}]})])
    assert judged(allow(), deny(), more=[foreign_policy({"podSelector": {}, "egress": [{}]})]) == one


@pytest.mark.parametrize("direction", ["ingress", "egress"])
@pytest.mark.parametrize("index", range(6))
def test_without_any_one_rule_a_flow_is_missing(direction: str, index: int) -> None:
    policy = allow()
    del policy["spec"][direction][index]
    result = judged(policy, deny())
    assert result["verdict"] == "fail"
    assert result["missing"]
    assert result["surplus"] == []
    assert {part["flow"] for part in result["missing"] if part["side"] == "own"} == {
        each["id"] for each in result["flows"] if each["met"] is False and each["direction"] == direction
    }


# Surplus


def test_pods_that_no_policy_isolates_have_everything_as_a_surplus() -> None:
    result = judged()
    assert {(part["direction"], part["protocol"]) for part in result["surplus"]} == {
        (direction, protocol) for direction in ("ingress", "egress") for protocol in ("TCP", "UDP", "SCTP")
    }
    assert all(part["by"] == [] for part in result["surplus"])
    assert "no policy isolates these pods" in result["surplus"][0]["because"]


def test_a_surplus_is_exact_and_names_the_rule() -> None:
    wide = {**rule("to", [{"ipBlock": {"cidr": "172.30.0.0/30"}}], 6443)}
    policy = allow()
    policy["spec"]["egress"][2] = wide
    (part,) = judged(policy, deny())["surplus"]
    assert part["peer_set"]["cidrs"] == ["172.30.0.0/31"]
    assert (part["protocol"], part["ports"], part["exists"]) == ("TCP", "6443", True)
    assert [(by["policy"], by["direction"], by["index"]) for by in part["by"]] == [(ALLOW, "egress", 2)]
    assert part["pods"] == ["cache-ns/ignite-0", "cache-ns/ignite-1"]


@pytest.mark.parametrize(
    ("ports", "protocol", "surplus"),
    [
        ([{"protocol": "TCP", "port": 47500, "endPort": 47502}], "TCP", "47501-47502"),
        ([{"protocol": "TCP", "port": 47500}, {"protocol": "UDP", "port": 47500}], "UDP", "47500"),
        ([{"protocol": "TCP", "port": 47500}, {"protocol": "SCTP"}], "SCTP", "1-65535"),
    ],
)
def test_a_surplus_of_ports_is_found_in_every_protocol(ports: list[Json], protocol: str, surplus: str) -> None:
    policy = allow()
    policy["spec"]["ingress"][0]["ports"] = ports
    result = judged(policy, deny())
    assert [(part["protocol"], part["ports"]) for part in result["surplus"]] == [(protocol, surplus)]
    assert result["minimality"]["surplus"][protocol] == 1
    assert not result["minimality"]["minimal"]


def test_a_rule_for_pods_that_do_not_exist_yet_is_a_surplus() -> None:
    policy = allow()
    policy["spec"]["egress"].append(rule("to", [{"podSelector": {"matchLabels": {"app": "backdoor"}}}], 4444))
    (part,) = judged(policy, deny())["surplus"]
    assert (part["exists"], part["ports"]) == (False, "4444")
    assert "[app=backdoor] in cache-ns" in part["peer"]


def test_the_classic_mistake_of_two_peers_instead_of_one_is_a_surplus() -> None:
    policy = allow()
    policy["spec"]["ingress"][2]["from"] = [
        {"namespaceSelector": {"matchLabels": {"zone": "somewhere-else"}}},
        {"podSelector": {"matchLabels": {"app": "some-pod"}}},
    ]
    result = judged(policy, deny())
    assert any("client-ns/stranger" in part["peer"] for part in result["surplus"])


def test_a_flow_that_is_to_be_denied_is_a_surplus_if_it_is_possible() -> None:
    forbidden = flow(id="metadata", peer={"cidr": "169.254.169.254/32"}, port=80, expect="deny", reason="credentials")
    closed = judged(allow(), deny(), flows=[*FLOWS, forbidden])
    assert closed["verdict"] == "pass"
    assert closed["flows"][-1]["met"] is True
    policy = allow()
    policy["spec"]["egress"].append(rule("to", [{"ipBlock": {"cidr": "169.254.0.0/16"}}], 80))
    open_ = judged(policy, deny(), flows=[*FLOWS, forbidden])
    assert open_["flows"][-1]["met"] is False
    assert "metadata" in [part["flow"] for part in open_["surplus"]]


@pytest.mark.parametrize(
    "label", ["io.cilium.k8s.policy.serviceaccount", "k8s:io.cilium.k8s.namespace.labels.zone", "app"]
)
def test_a_policy_of_cilium_that_selects_by_labels_of_its_own_is_a_doubt(label: str) -> None:
    """Cilium gives pods labels that the API server does not show: no pod seems to have them."""
    theirs: Json = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumClusterwideNetworkPolicy",
        "metadata": {"name": "theirs"},
        "spec": {"endpointSelector": {"matchLabels": {label: "ignite"}}, "egress": [{"toEntities": ["world"]}]},
    }
    result = judged(allow(), deny(), profile=CILIUM_NODES, more=[theirs])
    assert result["verdict"] == "inconclusive"
    assert "theirs" in result["inconclusive_because"][0]


# Name servers that are reached by address


def name_server(address: str) -> Json:
    ports = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
    return {"cidr": f"{address}/32", "ports": ports, "origin": "node_local"}


def judged_by_address(*addresses: str, pods: bool = True, profile: EngineProfile = STANDARD) -> Json:
    """The audit where pods ask these addresses, alone or besides the DNS pods; each has its rule."""
    dns = {**TARGETS["dns"]} if pods else {"namespace": None, "pod_selector": None, "ports": []}
    policy = allow()
    policy["spec"]["egress"] = [each for each in policy["spec"]["egress"] if pods or each["to"] != [DNS]]
    policy["spec"]["egress"] += [
        rule("to", [{"ipBlock": {"cidr": f"{address}/32"}}], 53, protocol)
        for address in addresses
        for protocol in ("UDP", "TCP")
    ]
    ports = [{"name": "dns", "protocol": "UDP", "port": 53}]
    service = objects.service("kube-dns", "kube-system", cluster_ip="10.96.0.10", ports=ports)
    targets = {**TARGETS, "dns": {**dns, "addresses": list(map(name_server, addresses))}}
    return judged(policy, deny(), targets=targets, profile=profile, more=[service])


@pytest.mark.parametrize("profile", [STANDARD, CILIUM_NODES])
def test_the_rules_for_a_cache_on_every_node_are_no_surplus(profile: EngineProfile) -> None:
    result = judged_by_address("169.254.20.10", "10.96.0.10", profile=profile)
    assert result["verdict"] == "pass", result["surplus"] + result["inconclusive_because"]
    assert result["minimality"]["minimal"], "the cache answers at the Service's address, too"


@pytest.mark.parametrize("profile", [STANDARD, CILIUM])
def test_a_dns_that_no_pod_serves(profile: EngineProfile) -> None:
    result = judged_by_address("169.254.169.254", pods=False, profile=profile)
    assert result["verdict"] == "pass", result["surplus"] + result["inconclusive_because"]
    assert judged(allow(), deny(), targets={**TARGETS, "dns": {"addresses": [name_server("169.254.169.254")]}})[
        "missing"
    ], "nothing allows this address"


def test_a_cache_that_no_rule_is_certain_to_match_is_no_pass() -> None:
    result = judged_by_address("169.254.20.10", profile=CILIUM)
    assert result["verdict"] == "inconclusive"
    assert "dns-udp, dns-tcp end at a link-local address" in result["inconclusive_because"][0]
    assert {each["id"]: each["met"] for each in result["flows"]}["dns-udp"] is None


# Missing


def test_a_flow_needs_the_policies_of_the_other_end_too() -> None:
    closed = objects.network_policy("closed", "kube-system", {"podSelector": {}, "policyTypes": ["Ingress"]})
    result = judged(allow(), deny(), more=[closed])
    assert {(part["flow"], part["side"]) for part in result["missing"]} == {("dns-udp", "peer"), ("dns-tcp", "peer")}
    assert "closed isolates kube-system/coredns-0 for ingress" in result["missing"][0]["because"]
    assert result["surplus"] == []


def test_flows_are_judged_before_any_pod_runs() -> None:
    result = judged(allow(), deny(), without=("ignite-0", "ignite-1"))
    assert (result["verdict"], result["missing"], result["surplus"]) == ("inconclusive", [], [])
    assert "no living pod" in result["inconclusive_because"][0]


def test_flows_to_targets_need_targets() -> None:
    with pytest.raises(LockdownError, match="targets holds no api_server"):
        judged(allow(), deny(), targets=None)


# Rules


def test_a_rule_that_adds_nothing_and_one_that_matches_nothing_are_told_apart() -> None:
    policy = allow()
    policy["spec"]["ingress"].append(copy.deepcopy(policy["spec"]["ingress"][0]))
    policy["spec"]["egress"].append(rule("to", [{"ipBlock": {"cidr": "10.244.1.2/32"}}], 53, "UDP"))
    result = judged(policy, deny(), profile=CILIUM, targets={**TARGETS})
    by_name = {(each["direction"], each["index"]): each for each in result["rules"]}
    doubled = by_name["ingress", 0], by_name["ingress", 6]
    assert [(each["redundant"], each["needed"], each["dead"]) for each in doubled] == [(True, False, False)] * 2
    assert (by_name["egress", 6]["dead"], by_name["egress", 6]["flows"]) == (True, [])
    assert {"dead_rule", "redundant_rule"} <= ids(result)


def test_the_address_of_a_service_is_a_dead_rule_after_translation() -> None:
    service = objects.service("kubernetes", "default", ports=[{"name": "https", "port": 443}], cluster_ip="10.96.0.1")
    policy = allow()
    policy["spec"]["egress"].append(rule("to", [{"ipBlock": {"cidr": "10.96.0.1/32"}}], 443))
    both = {"via": "service", "protocol": "TCP", "port": 443, "cidrs": ["10.96.0.1/32"]}
    targets = copy.deepcopy(TARGETS)
    targets["api_server"]["targets"].append(both)
    result = judged(policy, deny(), more=[service], targets=targets)
    assert (result["verdict"], result["surplus"]) == ("pass", [])
    assert result["rules"][-1]["dead"] is True
    before = judged(policy, deny(), more=[service], targets=targets, profile=BEFORE_TRANSLATION)
    assert (before["rules"][-1]["dead"], before["surplus"]) == (False, [])
    assert before["verdict"] == "inconclusive"


# Foreign policies


def test_a_policy_of_others_that_widens_ours_is_named() -> None:
    result = judged(allow(), deny(), foreign_policy({"podSelector": {}, "egress": [{}]}), definitions=[allow(), deny()])
    (other,) = result["foreign"]
    assert (other["name"], other["effect"], other["adds"]) == ("other", "widens", True)
    assert [each["class"] for each in result["drift"]] == ["foreign_widening"]
    assert {by["policy"] for part in result["surplus"] for by in part["by"]} == {"other"}


def test_a_policy_of_others_that_adds_nothing_is_listed_and_no_reason_to_fail() -> None:
    policy = foreign_policy({"podSelector": IGNITE, "ingress": [rule("from", [{"podSelector": IGNITE}], 47500)]})
    result = judged(allow(), deny(), policy)
    assert result["verdict"] == "pass"
    assert [each["effect"] for each in result["foreign"]] == ["nothing"]


HERE: Json = {"namespaces": {"matchLabels": {"zone": "cache-zone"}}}


def admin(kind: str, group: str, **spec: t.Any) -> Json:
    return {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": "theirs"}, "spec": spec}


@pytest.mark.parametrize(
    "policy",
    [
        admin("AdminNetworkPolicy", "policy.networking.k8s.io", subject={"namespaces": {}}),
        admin("ClusterNetworkPolicy", "policy.networking.k8s.io", tier="Admin", subject={"namespaces": {}}),
        admin(
            "CiliumClusterwideNetworkPolicy", "cilium.io", endpointSelector={}, ingress=[{"fromEntities": ["world"]}]
        ),
        admin("GlobalNetworkPolicy", "crd.projectcalico.org", selector="app == 'ignite'"),
        admin("ClusterNetworkPolicy", "crd.antrea.io", appliedTo=[]),
    ],
    ids=lambda policy: policy["kind"],
)
def test_a_policy_of_another_api_makes_a_pass_inconclusive(policy: Json) -> None:
    result = judged(allow(), deny(), policy)
    assert result["verdict"] == "inconclusive"
    assert [(each["name"], each["effect"]) for each in result["foreign"]] == [("theirs", "unknown")]
    assert all(each["met"] is None for each in result["flows"])


@pytest.mark.parametrize(
    "policy",
    [
        admin("BaselineAdminNetworkPolicy", "policy.networking.k8s.io", subject=HERE),
        admin("ClusterNetworkPolicy", "policy.networking.k8s.io", tier="Baseline", subject=HERE),
    ],
    ids=lambda policy: policy["kind"],
)
def test_a_baseline_counts_only_for_pods_that_nothing_isolates(policy: Json) -> None:
    assert judged(allow(), deny(), policy)["verdict"] == "pass"
    half = allow(policyTypes=["Ingress"], egress=[])
    assert judged(half, policy)["foreign"][0]["effect"] == "unknown"


def test_a_policy_of_another_api_for_other_pods_is_none_of_our_business() -> None:
    elsewhere = admin(
        "AdminNetworkPolicy",
        "policy.networking.k8s.io",
        subject={"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}}},
    )
    assert judged(allow(), deny(), elsewhere)["foreign"] == []


# Drift


def drifted(live: Json) -> list[Json]:
    found: list[Json] = judged(live, deny(), definitions=[allow(), deny()])["drift"]
    return found


def test_a_policy_that_is_gone_is_missing() -> None:
    drift = judged(allow(), definitions=[allow(), deny()])["drift"]
    assert [(each["class"], each["policy"]) for each in drift] == [("missing", DENY)]


def test_addresses_of_then_are_a_moved_endpoint() -> None:
    live = allow()
    live["spec"]["egress"][2]["to"] = [API[0], {"ipBlock": {"cidr": "172.30.0.9/32"}}]
    live["metadata"]["annotations"][SEEN_ANNOTATION] = "172.30.0.2:6443,172.30.0.9:6443"
    (drift,) = drifted(live)
    assert drift["class"] == "endpoint_moved"
    assert drift["gains"] == ["pods [app=ignite] open TCP 6443 to 172.30.0.9/32"]
    assert drift["losses"] == ["pods [app=ignite] open TCP 6443 to 172.30.0.3/32"]


def test_an_address_that_was_never_rendered_is_an_edit_by_hand() -> None:
    live = allow()
    live["spec"]["egress"][2]["to"] = [*API, {"ipBlock": {"cidr": "203.0.113.10/32"}}]
    assert [each["class"] for each in drifted(live)] == ["hand_edit"]


def test_other_labels_of_peers_are_moved_labels() -> None:
    live = allow()
    for index in (3, 4):
        live["spec"]["egress"][index]["to"][0]["podSelector"] = {"matchLabels": {"k8s-app": "coredns"}}
    assert [each["class"] for each in drifted(live)] == ["label_moved"]


@pytest.mark.parametrize(
    "change",
    [
        {"podSelector": {}},
        {"policyTypes": ["Ingress"], "egress": []},
        {"ingress": []},
        {"egress": [{}]},
    ],
)
def test_other_changes_are_edits_by_hand(change: Json) -> None:
    assert [each["class"] for each in drifted(allow(**change))] == ["hand_edit"]


def test_who_edited_a_policy_is_named() -> None:
    live = allow()
    live["spec"]["egress"][2]["to"] = [API[0]]
    live["metadata"]["managedFields"] = [
        {
            "manager": "kubectl-edit",
            "operation": "Update",
            "time": "2026-11-22T14:00:00Z",
            "fieldsV1": {"f:spec": {"f:egress": {}}},
        }
    ]
    (drift,) = drifted(live)
    assert drift["class"] == "hand_edit"
    assert "kubectl-edit (2026-11-22T14:00:00Z)" in drift["sentence"]


def test_the_order_of_rules_is_no_drift() -> None:
    live = allow()
    live["spec"]["egress"].reverse()
    live["spec"]["ingress"][2]["ports"][0].pop("protocol")
    assert drifted(live) == []


# Grace


def test_a_kept_address_is_neither_a_surplus_nor_hidden() -> None:
    policy = allow()
    policy["spec"]["egress"][2]["to"] = [*API, {"ipBlock": {"cidr": "172.30.0.4/32"}}]
    targets = copy.deepcopy(TARGETS)
    targets["api_server"]["targets"][0]["cidrs"].append("172.30.0.4/32")
    targets["api_server"]["kept"] = [
        {
            "address": "172.30.0.4",
            "port": 6443,
            "vanished_at": "2026-11-22T14:00:00Z",
            "until": "2026-11-22T15:00:00Z",
        }
    ]
    result = judged(policy, deny(), targets=targets)
    assert (result["verdict"], result["surplus"]) == ("pass", [])
    assert [(each["address"], each["allowed"]) for each in result["grace"]] == [("172.30.0.4", True)]
    assert "kept_address" in ids(result)


# Blast radius and findings


def test_what_a_taken_pod_can_open_is_what_both_ends_permit() -> None:
    (blast,) = judged(allow(), deny())["blast_radius"]
    opened = {(each["protocol"], each["ports"]) for each in blast["destinations"] if each["exists"]}
    assert opened == {("TCP", "47100,47500"), ("TCP", "6443"), ("TCP", "53"), ("UDP", "53"), ("TCP", "47100")}
    assert blast["node"]["nodes"] == ["node-1", "node-2"]


@pytest.mark.parametrize(
    ("corefile", "carries"), [(". {\n forward . 1.1.1.1\n}", True), (". {\n kubernetes\n}", False), (None, True)]
)
def test_dns_that_forwards_or_may_forward_carries_data_out(corefile: str | None, carries: bool) -> None:
    more = [] if corefile is None else [objects.config_map("coredns", "kube-system", {"Corefile": corefile})]
    result = judged(allow(), deny(), more=more)
    assert [each["dns"]["carries_out"] for each in result["blast_radius"]] == [carries]
    assert ("dns_carries_out" in ids(result)) == carries


def test_without_dns_nothing_is_carried_out() -> None:
    flows = [each for each in FLOWS if not each["id"].startswith("dns-")]
    policy = allow()
    del policy["spec"]["egress"][3:5]
    result = judged(policy, deny(), flows=flows)
    assert result["verdict"] == "pass"
    assert "dns_carries_out" not in ids(result)


def role(name: str, rules: list[Json], kind: str = "Role", namespace: str = NAMESPACE) -> list[Json]:
    api = "rbac.authorization.k8s.io"
    meta = {"name": name, **({"namespace": namespace} if kind == "Role" else {})}
    subject = {"kind": "ServiceAccount", "namespace": NAMESPACE, "name": "default"}
    return [
        {"apiVersion": f"{api}/v1", "kind": kind, "metadata": meta, "rules": rules},
        {
            "apiVersion": f"{api}/v1",
            "kind": f"{kind}Binding",
            "metadata": meta,
            "roleRef": {"apiGroup": api, "kind": kind, "name": name},
            "subjects": [subject],
        },
    ]


DISCOVERY: Json = {"apiGroups": [""], "resources": ["endpoints"], "verbs": ["get"], "resourceNames": ["ignite"]}


@pytest.mark.parametrize(
    ("rights", "beyond"),
    [
        (role("ignite", [DISCOVERY]), []),
        (
            role("ignite", [{**DISCOVERY, "verbs": ["get", "list"], "resourceNames": []}]),
            ["get, list endpoints in namespace cache-ns"],
        ),
        (
            role("all", [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}], "ClusterRole"),
            ["* * in the whole cluster"],
        ),
    ],
    ids=["discovery", "list", "admin"],
)
def test_what_the_token_of_a_pod_may_do(rights: list[Json], beyond: list[str]) -> None:
    result = judged(allow(), deny(), more=rights)
    ((account,),) = (each["service_accounts"] for each in result["blast_radius"])
    assert (account["known"], account["beyond_discovery"]) == (True, beyond)
    assert ("token_scope" in ids(result)) == bool(beyond)


def test_rights_that_were_not_read_are_not_taken_for_none() -> None:
    result = judged(allow(), deny())
    assert result["blast_radius"][0]["service_accounts"][0]["known"] is False
    assert "rights_unknown" in ids(result)


def test_pods_in_the_network_of_their_node_are_a_finding() -> None:
    hosted = objects.pod("agent", NAMESPACE, {"app": "agent"}, ip="192.0.2.11", node_name="node-1")
    hosted["spec"]["hostNetwork"] = True
    result = judged(allow(), deny(), more=[hosted])
    assert "host_network_pods" in ids(result)
    assert result["blast_radius"][0]["node"]["host_network_pods"] == ["cache-ns/agent"]


def test_every_finding_has_a_mitigation_and_is_there_once() -> None:
    result = judged(allow(), deny(), foreign_policy({"podSelector": {}, "ingress": [{}]}))
    keys = [(each["id"], each["sentence"]) for each in result["findings"]]
    assert len(keys) == len(set(keys))
    assert all(each["mitigation"] and each["severity"] in ("warning", "note") for each in result["findings"])
    assert {"everyone", "foreign_policy", "settable_namespace_labels", "other_protocols"} <= ids(result)


def test_namespaces_whose_labels_nobody_gave_leave_a_doubt() -> None:
    result = judged(allow(), deny(), without=("client-ns",))
    assert "the labels of namespace client-ns are not known" in " ".join(result["inconclusive_because"])


# What could not be read


def test_a_policy_that_cannot_be_read_makes_the_rest_inconclusive() -> None:
    broken = foreign_policy({"podSelector": {}, "ingress": [{"ports": [{"port": 10, "endPort": 5}]}]}, "broken")
    result = judged(allow(), deny(), broken)
    assert result["verdict"] == "inconclusive"
    assert [(each["name"], each["effect"]) for each in result["foreign"]] == [("broken", "unknown")]
    assert "endPort 5 is smaller than port 10" in " ".join(result["inconclusive_because"])


def test_an_object_that_is_there_twice_leaves_a_doubt() -> None:
    result = judged(allow(), deny(), allow())
    assert result["verdict"] == "inconclusive"
    assert f"NetworkPolicy {NAMESPACE}/{ALLOW} is there twice" in " ".join(result["inconclusive_because"])


def test_the_instance_is_told_by_its_labels() -> None:
    assert INSTANCE in allow()["metadata"]["labels"].values()
    stolen = allow()
    stolen["metadata"]["labels"] = {}
    assert [each["name"] for each in judged(stolen, deny())["foreign"]] == [ALLOW]
