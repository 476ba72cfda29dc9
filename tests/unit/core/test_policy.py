# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation and normal form of policies."""

from __future__ import annotations

import copy
import random
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policies import IGNITE, INSTANCE, NAMESPACE, PEER_RULE, allow, deny_all, edited, live

from ansible_collections.netguard.lockdown.plugins.module_utils._core import ownership, policy
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

Json = dict[str, t.Any]


def prepared(item: t.Any) -> Json:
    return policy.prepare(item, namespace=NAMESPACE, instance=INSTANCE, where="definitions[0]")


def plain(**spec: t.Any) -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "allow"},
        "spec": {"podSelector": IGNITE, "policyTypes": ["Ingress", "Egress"], **spec},
    }


@pytest.mark.parametrize("absent", [{"egress": None}, {"egress": []}, {}])
def test_null_absent_and_empty_rules_are_equal(absent: Json) -> None:
    assert policy.normal_spec(plain(**absent)) == policy.normal_spec(plain())


def test_omitted_policy_types_mean_ingress_and_egress_only_with_egress_rules() -> None:
    ingress_only = plain()
    del ingress_only["spec"]["policyTypes"]
    assert policy.isolates(ingress_only) == ["Ingress"]
    ingress_only["spec"]["egress"] = [{"to": [{"podSelector": {}}]}]
    assert policy.isolates(ingress_only) == ["Ingress", "Egress"]


def test_protocol_defaults_to_tcp() -> None:
    implicit = plain(ingress=[{"from": [{"podSelector": IGNITE}], "ports": [{"port": 47500}]}])
    assert policy.normal_spec(implicit) == policy.normal_spec(plain(ingress=[PEER_RULE]))


def test_one_peer_with_two_selectors_is_not_two_peers() -> None:
    both: Json = {"namespaceSelector": {"matchLabels": {"zone": "a"}}, "podSelector": IGNITE}
    joined = plain(ingress=[{"from": [both]}])
    apart = plain(ingress=[{"from": [{key: value} for key, value in both.items()]}])
    assert policy.normal_spec(joined) != policy.normal_spec(apart)


_PEERS = st.one_of(
    st.builds(lambda value: {"podSelector": {"matchLabels": {"app": value}}}, st.sampled_from("abc")),
    st.builds(lambda number: {"ipBlock": {"cidr": f"192.0.2.{number}/32"}}, st.integers(1, 9)),
)
_PORTS = st.builds(
    lambda number, protocol: {"protocol": protocol, "port": number},
    st.integers(1, 65535),
    st.sampled_from(policy.PROTOCOLS),
)
_RULES = st.lists(
    st.builds(
        lambda peers, ports: {"to": peers, "ports": ports},
        st.lists(_PEERS, min_size=1, max_size=3),
        st.lists(_PORTS, max_size=3),
    ),
    max_size=4,
)


@given(rules=_RULES, shuffler=st.randoms())
def test_order_and_duplicates_do_not_count(rules: list[Json], shuffler: random.Random) -> None:
    shuffled = copy.deepcopy(rules + rules[:1])
    shuffler.shuffle(shuffled)
    for rule in shuffled:
        shuffler.shuffle(rule["to"])
        shuffler.shuffle(rule["ports"])
    assert policy.normal_spec(plain(egress=rules)) == policy.normal_spec(plain(egress=shuffled))


@given(rules=_RULES)
def test_every_generated_rule_is_valid_and_normalising_twice_changes_nothing(rules: list[Json]) -> None:
    once = policy.normal_spec(prepared(plain(egress=rules)))
    assert policy.normal_spec({"spec": once}) == once


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"ingress": [{"ports": [{"port": 1}]}]}, "means everyone"),
        ({"ingress": [{"from": []}]}, "means everyone"),
        ({"egress": [{"to": None}]}, "means everyone"),
        ({"policyTypes": []}, "policyTypes must name"),
        ({"policyTypes": None}, "policyTypes must name"),
        ({"policyTypes": ["Ingress"], "egress": [{"to": [{"podSelector": {}}]}]}, "would do nothing"),
        ({"ingress": [{"from": [{}]}]}, "a peer has"),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.1"}}]}]}, "ADDRESS/PREFIX"),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.1/24"}}]}]}, "host bits"),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/24", "except": ["198.51.100.0/24"]}}]}]}, "not inside"),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}, "podSelector": {}}]}]}, "ipBlock alone"),
        ({"ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": "47500"}]}]}, "is text"),
        ({"ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 0}]}]}, "not a port number"),
        ({"ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": True}]}]}, "not a port number"),
        ({"ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 9, "endPort": 8}]}]}, "endPort"),
        ({"ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": "http", "endPort": 8}]}]}, "endPort"),
        ({"ingress": [{"from": [{"podSelector": {}}], "ports": [{"protocol": "ICMP"}]}]}, "protocol"),
        ({"podSelector": {"matchLabels": {"app": 7}}}, "label value"),
        ({"podSelector": {"matchLabels": {"-app": "x"}}}, "label key"),
        ({"podSelector": {"matchExpressions": [{"key": "app", "operator": "In"}]}}, "at least one value"),
        ({"podSelector": {"matchExpressions": [{"key": "app", "operator": "Is", "values": ["x"]}]}}, "operator"),
        ({"podselector": {}}, "unknown keys"),
    ],
)
def test_a_wrong_definition_is_refused_with_its_place(spec: Json, why: str) -> None:
    with pytest.raises(LockdownError) as caught:
        prepared(plain(**spec))
    assert why in caught.value.why
    assert "definitions[0] (NetworkPolicy allow)" in caught.value.what


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ("text", "is a mapping"),
        ({**plain(), "kind": "Deployment"}, "not one of"),
        ({**plain(), "kind": ["NetworkPolicy"]}, "not one of"),
        ({**plain(), "apiVersion": "extensions/v1beta1"}, "not one of"),
        ({**plain(), "metadata": {"name": "No Name"}}, "not a valid object name"),
        ({**plain(), "metadata": {"name": "a", "namespace": "other"}}, "it is for namespace"),
        ({**plain(), "metadata": {"name": "a", "labels": {"a": 1}}}, "text to text"),
        ({**plain(), "spec": None}, "spec is missing"),
        ({**plain(), "status": {}}, "unknown keys"),
    ],
)
def test_a_wrong_object_is_refused(item: t.Any, why: str) -> None:
    with pytest.raises(LockdownError, match="Invalid policy") as caught:
        prepared(item)
    assert why in caught.value.why


def test_a_prepared_definition_has_namespace_and_our_labels() -> None:
    metadata = prepared({**plain(), "metadata": {"name": "allow", "labels": {"team": "data"}}})["metadata"]
    assert metadata["namespace"] == NAMESPACE
    assert metadata["labels"] == {"team": "data", **ownership.labels_for(INSTANCE)}


def test_what_others_add_beside_ours_is_no_difference() -> None:
    served = live(allow())
    served["metadata"]["labels"]["team"] = "data"
    served["metadata"]["annotations"] = {"note": "theirs"}
    assert policy.view(served, allow()) == policy.view(allow())


def test_an_annotation_that_we_no_longer_want_is_a_difference() -> None:
    served = live(allow())
    served["metadata"]["annotations"] = {"lockdown.netguard.io/kept-endpoints": "x"}
    served["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"]["f:annotations"] = {
        "f:lockdown.netguard.io/kept-endpoints": {}
    }
    assert policy.view(served, allow()) != policy.view(allow())


def test_the_apply_configuration_always_names_both_rule_lists() -> None:
    assert policy.apply_configuration(deny_all())["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [],
        "egress": [],
    }


def test_labels_alone_do_not_make_a_policy_ours() -> None:
    copied = live(allow())
    copied["metadata"]["managedFields"][0]["manager"] = "kubectl"
    assert ownership.has_our_labels(copied, INSTANCE)
    assert not ownership.is_ours(copied, INSTANCE)
    assert "written by kubectl" in ownership.why_not_ours(copied, INSTANCE)


def test_a_field_manager_alone_does_not_make_a_policy_ours() -> None:
    stripped = live(allow())
    stripped["metadata"]["labels"] = {}
    assert not ownership.is_ours(stripped)


def test_an_edit_names_its_manager_and_fields() -> None:
    owners = ownership.foreign_spec_owners(edited(live(allow()), ingress=[]))
    assert [(owner["manager"], owner["fields"]) for owner in owners] == [("kubectl-edit", ["spec.ingress"])]


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a" * 41])
def test_an_instance_name_must_fit_object_names(name: str) -> None:
    with pytest.raises(LockdownError, match="Invalid instance"):
        ownership.require_instance_name(name)
