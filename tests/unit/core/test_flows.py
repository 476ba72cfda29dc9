# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flow record: written and read back without loss, and refused wherever it is not exact."""

from __future__ import annotations

import json
import typing as t

import pytest
from flow_builders import flows
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import (
    Flow,
    Pods,
    Subject,
    parse_flow,
    parse_flows,
    same_traffic,
)

Json = dict[str, t.Any]
SERVERS = {"name": "servers", "pod_selector": {"matchLabels": {"app": "ignite"}}}


def record(**changed: t.Any) -> Json:
    """A valid record, some of it changed."""
    usual: Json = {
        "id": "client-web",
        "direction": "ingress",
        "subject": SERVERS,
        "peer": {"namespaces": ["shop"]},
        "protocol": "TCP",
        "port": 10800,
        "end_port": None,
        "expect": "allow",
        "reason": "the shop reads prices",
    }
    return {**usual, **changed}


def flow(**changed: t.Any) -> Flow:
    return parse_flow(record(**changed), "flow")


@given(flows())
def test_a_flow_survives_its_way_through_json(given_flow: Flow) -> None:
    text = json.dumps(given_flow.as_record())
    assert parse_flow(json.loads(text), "flow") == given_flow


@given(flows())
def test_every_record_has_every_key_and_exactly_one_form_of_peer(given_flow: Flow) -> None:
    written = given_flow.as_record()
    assert sorted(written) == sorted(record())
    assert len({"pods", "namespaces", "cidr", "target"} & set(written["peer"])) == 1


@given(st.integers(1, 65535))
def test_ports_that_became_text_are_ints_again(port: int) -> None:
    found = flow(port=str(port), end_port=str(port))
    assert (found.port, found.end_port) == (port, port)
    assert type(found.port) is type(found.end_port) is int


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"id": ""}, "flow.id: it is not set"),
        ({"id": "a b"}, "is not a DNS label"),
        ({"direction": "in"}, "flow.direction: 'in' is none of ingress, egress"),
        ({"protocol": "ICMP"}, "flow.protocol: 'ICMP' is none of TCP, UDP, SCTP"),
        ({"protocol": None}, "flow.protocol: None is none of TCP"),
        ({"expect": "drop"}, "flow.expect: 'drop' is none of allow, deny"),
        ({"reason": " "}, "flow.reason: ' ' is not a non-empty text"),
        ({"port": None}, "flow.port: None is not a whole number"),
        ({"port": "http"}, "flow.port: 'http' is not a whole number"),
        ({"end_port": 10799}, "flow.end_port: end port 10799 is smaller than port 10800"),
        ({"end_port": 70000}, "flow.end_port: 70000 is not between 1 and 65535"),
        ({"subject": {"name": "servers"}}, "flow.subject.pod_selector"),
        ({"subject": {**SERVERS, "selector": {}}}, "unknown key 'selector'"),
        ({"reasons": "x"}, "unknown key 'reasons'; the nearest one is reason"),
        ({"peer": None}, "flow.peer: None is not a mapping"),
        ({"peer": {}}, "a peer has one of pods, namespaces, cidr, target"),
        ({"peer": {"pods": {}}}, "it names neither pods nor namespaces"),
        ({"peer": {"pods": {"pod_selector": None}}}, "it names neither pods nor namespaces"),
        ({"peer": {"pods": {"pod_selector": {"app": "x"}}}}, "unknown keys app"),
        ({"peer": {"pods": {"pod_selector": {"matchLabels": {"a b": "x"}}}}}, "'a b' is not a valid label key"),
        ({"peer": {"pods": {"pod_selector": {"matchLabels": {"a": "x y"}}}}}, "'x y' is not a valid label value"),
        ({"peer": {"namespaces": []}}, "it names no namespace"),
        ({"peer": {"namespaces": ["Shop"]}}, "'Shop' is not a DNS label"),
        ({"peer": {"namespaces": ["shop"], "cidr": "10.0.0.0/8"}}, "unknown key 'cidr'"),
        ({"peer": {"cidr": "10.0.0.1/8"}}, "has host bits set"),
        ({"peer": {"cidr": "10.0.0.1"}}, "has the form ADDRESS/PREFIX"),
        ({"peer": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}, "11.0.0.0/16 is not a part of 10.0.0.0/8"),
        ({"peer": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]}}, "is not a part of"),
        ({"peer": {"cidr": "10.0.0.0/8", "except": ["::/8"]}}, "is not a part of"),
        ({"peer": {"target": "dns"}}, "the port of target dns is resolved, it cannot be given"),
        ({"peer": {"target": "internet"}, "port": None}, "'internet' is none of api_server, dns"),
    ],
)
def test_a_record_that_is_not_exact_is_refused_with_its_place(changed: Json, why: str) -> None:
    with pytest.raises(LockdownError) as caught:
        flow(**changed)
    assert why in str(caught.value)


def test_ids_are_unique() -> None:
    with pytest.raises(LockdownError, match="id client-web used twice"):
        parse_flows([record(), record()])


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"reason": "another one"},
        {"peer": {"namespaces": ["bank", "shop"]}},
        {"peer": {"pods": {"namespace_selector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}}},
        {"port": 10700, "end_port": 10900},
    ],
)
def test_the_same_peer_on_the_same_port_is_found(changed: Json) -> None:
    other = flow(id="other", **changed)
    assert [(one.id, two.id) for one, two in same_traffic([flow(), other])] == [("client-web", "other")]


@pytest.mark.parametrize(
    "changed",
    [
        {"port": 10801},
        {"protocol": "UDP"},
        {"direction": "egress"},
        {"peer": {"namespaces": ["bank"]}},
        {"peer": {"namespaces": ["shop"], "pod_selector": {"matchLabels": {"app": "x"}}}},
        {"subject": {**SERVERS, "name": "others"}},
    ],
)
def test_other_traffic_is_not_the_same(changed: Json) -> None:
    assert same_traffic([flow(), flow(id="other", **changed)]) == []


@given(st.integers(1, 65535), st.integers(0, 50), st.integers(1, 65535), st.integers(0, 50))
def test_port_ranges_are_the_same_traffic_exactly_if_they_share_a_port(a: int, x: int, b: int, y: int) -> None:
    peer = Pods(pod_selector={"matchLabels": {"app": "x"}})
    subject = Subject("servers", {"matchLabels": {"app": "ignite"}})
    ends = (min(a + x, 65535), min(b + y, 65535))
    one = Flow("one", "ingress", subject, peer, "TCP", a, "r", ends[0])
    two = Flow("two", "ingress", subject, peer, "TCP", b, "r", ends[1])
    shared = set(range(a, ends[0] + 1)) & set(range(b, ends[1] + 1))
    assert bool(same_traffic([one, two])) == bool(shared)
