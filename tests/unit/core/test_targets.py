# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets against flows: what is missing, inexact or reaches into the cluster stops the run."""

from __future__ import annotations

import copy
import typing as t

import pytest
from flow_builders import APPLICATIONS, Json, client, junk, variables
from hypothesis import given

from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite import ignite_needs
from ansible_collections.netguard.lockdown.plugins.module_utils._core.targets import Judged, judge_targets

TARGETS: Json = {
    "cluster": {"uid": "4f9c", "pod_cidrs": ["10.244.0.0/16"], "service_cidrs": ["10.96.0.0/12", "fd00:96::/112"]},
    "api_server": {
        "targets": [
            {"via": "endpoints", "protocol": "TCP", "port": 6443, "cidrs": ["172.30.0.2/32", "2001:db8::3/128"]},
            {"via": "service", "protocol": "TCP", "port": "443", "cidrs": ["10.96.0.1/32"]},
        ],
        "kept": [],
        "service": {"cluster_ips": ["10.96.0.1"], "port": 443},
    },
    "dns": {
        "namespace": "kube-system",
        "pod_selector": {"matchLabels": {"k8s-app": "kube-dns"}},
        "ports": [{"protocol": "UDP", "port": 5353}, {"protocol": "TCP", "port": "5353"}],
        "service": {"cluster_ips": ["10.96.0.10"]},
    },
    "engine": {"name": "unknown", "evidence": []},
}


def targets(*path: str | int, value: t.Any = None, drop: bool = False) -> Json:
    """The targets, with the value at a path changed or dropped."""
    changed = copy.deepcopy(TARGETS)
    place: t.Any = changed
    for key in path[:-1]:
        place = place[key]
    if drop:
        del place[path[-1]]
    elif path:
        place[path[-1]] = value
    return changed


def judge(given_targets: t.Any, **given_variables: t.Any) -> Judged:
    needs = ignite_needs(variables(**given_variables))
    assert needs.errors == []
    return judge_targets(given_targets, needs.flows, needs.accepted)


def blocks(*cidrs: str, **more: t.Any) -> Json:
    return {"clients": [client(namespaces=None, cidrs=list(cidrs), **more)]}


def test_what_rules_are_rendered_from_is_typed() -> None:
    found = judge(targets(), clients=[APPLICATIONS])
    assert (found.errors, found.findings) == ([], [])
    assert found.api_server == [
        {"protocol": "TCP", "port": 6443, "cidrs": ["172.30.0.2/32", "2001:db8::3/128"]},
        {"protocol": "TCP", "port": 443, "cidrs": ["10.96.0.1/32"]},
    ]
    assert found.dns == {
        "namespace": "kube-system",
        "pod_selector": {"matchLabels": {"k8s-app": "kube-dns"}},
        "ports": [{"protocol": "UDP", "port": 5353}, {"protocol": "TCP", "port": 5353}],
        "addresses": [],
    }


def test_the_policies_remember_endpoints_and_since_when_kept_ones_are_gone() -> None:
    kept = [{"address": "2001:db8::3", "port": 6443, "vanished_at": "2026-11-22T14:00:00Z", "until": "x"}]
    found = judge(targets("api_server", "kept", value=kept))
    assert found.endpoints == ["172.30.0.2:6443", "[2001:db8::3]:6443"]
    assert found.kept == ["[2001:db8::3]:6443=2026-11-22T14:00:00Z"]


def test_the_minimal_profile_needs_no_dns() -> None:
    minimal = {"profile": "minimal", "minimal_confirmed": True}
    for given_targets in (targets(), targets("dns", value=None), targets("dns", drop=True)):
        found = judge(given_targets, **minimal)
        assert (found.errors, found.dns) == ([], None)


def test_the_api_server_as_an_entity_is_typed_and_checked() -> None:
    given = {"entities": ["kube-apiserver"], "ports": ["6443"], "additive": True}
    assert judge(targets("api_server", "entity", value=given)).entity == {"ports": [6443], "additive": True}
    assert judge(targets("api_server", "entity", value=None)).entity is None
    wrong: list[Json] = [{"entities": ["world"]}, {"ports": []}, {"ports": ["https"]}, {"additive": "perhaps"}]
    for broken in wrong:
        assert judge(targets("api_server", "entity", value={**given, **broken})).errors


DNS_PORTS: list[Json] = [{"protocol": "UDP", "port": "53"}, {"protocol": "TCP", "port": 53}]


def test_name_servers_by_address_are_typed_and_may_stand_alone() -> None:
    address = {"cidr": "169.254.20.10/32", "ports": DNS_PORTS, "origin": "node_local"}
    beside = judge(targets("dns", "addresses", value=[address]))
    assert beside.errors == []
    assert beside.dns is not None
    assert beside.dns["addresses"][0]["ports"][0] == {"protocol": "UDP", "port": 53}
    alone = judge(targets("dns", value={"namespace": None, "pod_selector": None, "ports": [], "addresses": [address]}))
    assert alone.errors == []
    assert alone.dns is not None
    assert (alone.dns["pod_selector"], alone.dns["ports"]) == (None, [])


@pytest.mark.parametrize(
    "broken",
    [
        {"cidr": "169.254.20.0/24"},
        {"cidr": "here"},
        {"cidr": "169.254.169.254/32", "ports": [{"protocol": "TCP", "port": 80}]},
        {"ports": [{"protocol": "UDP", "port": 0}]},
        {"ports": []},
    ],
)
def test_a_name_server_that_is_no_single_address_on_its_port_stops_the_run(broken: Json) -> None:
    address = {"cidr": "10.0.0.53/32", "ports": DNS_PORTS, **broken}
    assert judge(targets("dns", value={"pod_selector": None, "addresses": [address]})).errors


def test_a_dns_without_pods_and_addresses_stops_the_run() -> None:
    assert judge(targets("dns", value={"pod_selector": None, "addresses": []})).errors


def test_what_a_reviewer_must_know_of_engine_and_dns_is_a_finding() -> None:
    given = targets("engine", value={"name": "flannel", "enforces": False, "limits": ["a limit"]})
    given["dns"]["forwards_outside"] = True
    found = {finding.code: finding for finding in judge(given).findings}
    assert "NOTHING IS ISOLATED" in found["not_enforced"].message
    assert found["engine_limit"].message == "flannel: a limit"
    assert "minimal" in found["dns_forwards_outside"].message


def test_pods_that_dial_a_name_need_dns() -> None:
    named = targets("api_server", "foreign_hosts", value=[{"host": "api.example.com", "pods": []}])
    assert judge(named).errors == []
    (error,) = judge(named, profile="minimal", minimal_confirmed=True).errors
    assert "pods are told to dial the API server as api.example.com" in str(error)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (None, "targets: None is not a mapping"),
        ([], "targets: [] is not a mapping"),
        ("targets.yml", "targets: 'targets.yml' is not a mapping"),
        ({}, "targets.api_server: None is not a mapping"),
        (targets("api_server", "targets", value=[]), "a rule without one would allow everyone"),
        (targets("api_server", "targets", drop=True), "a rule without one would allow everyone"),
        (targets("api_server", "targets", 0, "cidrs", value=[]), "targets[0]: it holds no address"),
        (targets("api_server", "targets", 0, "cidrs", value=["0.0.0.0/0"]), "0.0.0.0/0 is wider than the one address"),
        (targets("api_server", "targets", 0, "cidrs", value=["2001:db8::/32"]), "wider than the one address"),
        (targets("api_server", "targets", 0, "cidrs", value=["x"]), "has the form ADDRESS/PREFIX"),
        (targets("api_server", "targets", 0, "cidrs", value=["169.254.169.254/32"]), "address of metadata services"),
        (targets("api_server", "targets", 0, "port", value="https"), "'https' is not a whole number"),
        (targets("api_server", "targets", 0, "protocol", value="UDP"), "'UDP' is none of TCP"),
        (targets("api_server", "kept", value=[{"address": "x", "port": 1, "vanished_at": "y"}]), "Invalid address 'x'"),
        (targets("dns", value=None), "targets.dns: None is not a mapping"),
        (targets("dns", "pod_selector", value={}), "any pod would be DNS"),
        (targets("dns", "pod_selector", drop=True), "a label selector is a mapping"),
        (targets("dns", "namespace", value=""), "targets.dns.namespace: it is not set"),
        (targets("dns", "ports", value=[]), "it holds no TCP and no UDP port"),
        (targets("dns", "ports", value=[{"protocol": "UDP", "port": 53}]), "it holds no TCP port"),
        (targets("cluster", drop=True), "targets.cluster: None is not a mapping"),
        (targets("cluster", "pod_cidrs", value=["x"]), "Invalid CIDR block 'x'"),
    ],
)
def test_targets_that_are_missing_or_inexact_stop_the_run(broken: t.Any, why: str) -> None:
    found = judge(broken)
    assert why in "\n".join(map(str, found.errors))


@pytest.mark.parametrize(
    ("cidrs", "why"),
    [
        (["10.244.1.10/32"], "the pod range 10.244.0.0/16"),
        (["10.0.0.0/8"], "the pod range 10.244.0.0/16"),
        (["10.0.0.0/8"], "the service range 10.96.0.0/12"),
        (["fd00:96::/64"], "the service range fd00:96::/112"),
    ],
)
def test_a_block_in_the_clusters_own_ranges_is_refused_unless_accepted(cidrs: list[str], why: str) -> None:
    refused = "\n".join(map(str, judge(targets(), **blocks(*cidrs)).errors))
    assert "client-web-thin-client" in refused
    assert why in refused
    assert judge(targets(), **blocks(*cidrs, accept_wide="known")).errors == []


def test_a_part_that_is_left_out_does_not_count() -> None:
    assert judge(targets(), **blocks("10.0.0.0/8", **{"except": ["10.244.0.0/16", "10.96.0.0/12"]})).errors == []


def test_an_unknown_range_is_a_finding_and_known_services_still_count() -> None:
    unknown = targets("cluster", "service_cidrs", value=[])
    found = judge(unknown, **blocks("192.168.0.0/16"))
    assert [(finding.code, finding.where) for finding in found.findings] == [
        ("range_unknown", "targets.cluster.service_cidrs")
    ]
    refused = "\n".join(map(str, judge(unknown, **blocks("10.96.0.0/24")).errors))
    assert "the service range 10.96.0.1/32, 10.96.0.10/32" in refused
    assert judge(unknown, clients=[APPLICATIONS]).findings == []


@given(junk)
def test_no_shape_of_targets_raises(value: t.Any) -> None:
    for path in (("api_server",), ("api_server", "targets"), ("dns",), ("dns", "ports")):
        assert judge(targets(*path, value=value), **blocks("203.0.113.0/24")).errors
    for path in (
        ("api_server", "service"),
        ("dns", "service"),
        ("api_server", "kept"),
        ("cluster",),
        ("cluster", "pod_cidrs"),
    ):
        judge(targets(*path, value=value), **blocks("203.0.113.0/24"))
