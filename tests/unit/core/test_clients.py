# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of clients: their ports, their reasons, and the policies that are offered for their namespaces."""

from __future__ import annotations

import typing as t

import pytest
from flow_builders import client, variables

from ansible_collections.netguard.lockdown.plugins.module_utils._core.clients import KINDS
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import Flow, Namespaces, Target, parse_flows
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite import Needs, ignite_needs

Json = dict[str, t.Any]

OPTIONAL = {"jmx": 49112, "jmx_rmi": 49113, "metrics": 9404}
HOME = {"namespaces": None, "pod_selector": {"matchLabels": {"app": "tools"}}}


def needs(*entries: Json, **given: t.Any) -> Needs:
    return ignite_needs(variables(clients=list(entries), **given))


def of(found: Needs) -> list[Flow]:
    assert [str(error) for error in found.errors] == []
    return [flow for flow in found.flows if flow.id.startswith("client-")]


def errors(*entries: Json, **given: t.Any) -> str:
    return "\n".join(str(error) for error in needs(*entries, **given).errors)


@pytest.mark.parametrize(
    ("kind", "ports", "why"),
    [
        ("thin", {("ingress", 10800)}, "thin client web uses the Ignite servers"),
        ("jdbc", {("ingress", 10800)}, "JDBC"),
        ("odbc", {("ingress", 10800)}, "ODBC"),
        ("thick", {("ingress", 47500), ("ingress", 47100), ("egress", 47100)}, "thick client web"),
        ("rest", {("ingress", 8080)}, "REST"),
        ("prometheus", {("ingress", 9404)}, "metrics"),
        ("jmx", {("ingress", 49112), ("ingress", 49113)}, "JMX"),
        ("control", {("ingress", 11211)}, "control.sh"),
    ],
)
def test_each_kind_has_its_ports_and_a_reason(kind: str, ports: set[tuple[str, int]], why: str) -> None:
    flows = of(needs(client(kind=kind), ports=OPTIONAL, version="2.16.0"))
    assert {(flow.direction, flow.port) for flow in flows} == ports
    assert all(why in flow.reason for flow in flows)
    own = of(needs(client(kind=kind, reason="because"), ports=OPTIONAL, version="2.16.0"))
    assert all(flow.reason.startswith("because") for flow in own)


def test_every_kind_but_custom_works_by_its_name() -> None:
    for kind in KINDS:
        refused = errors(client(kind=kind), ports=OPTIONAL, version="2.17.0")
        assert bool(refused) == (kind == "custom")


def test_control_sh_moved_to_the_thin_client_port() -> None:
    for version, port in (("2.9.0", 11211), ("2.16.0", 11211), ("2.17.0", 10800)):
        (flow,) = of(needs(client(kind="control"), version=version))
        assert flow.port == port
    assert "Give ignite_lockdown_version" in errors(client(kind="control"))
    assert "'newest' is not a version such as 2.17.0" in errors(client(kind="control"), version="newest")
    (given,) = of(needs(client(kind="control", ports=["connector"])))
    assert given.port == 11211


def test_ports_without_a_number_are_refused() -> None:
    assert "port jmx, and ignite_lockdown_ports.jmx is not set" in errors(client(kind="jmx"))
    assert "port jmx_rmi, and ignite_lockdown_ports.jmx_rmi is not set" in errors(
        client(kind="jmx"), ports={"jmx": 49112}
    )
    assert "port metrics, and ignite_lockdown_ports.metrics is not set" in errors(client(kind="prometheus"))
    assert "jmx and metrics share a port" in errors(ports={"jmx": 9404, "metrics": 9404})
    (one,) = of(needs(client(kind="jmx"), ports={"jmx": 49112, "jmx_rmi": 49112}))
    assert one.id == "client-web-jmx"


def test_whoever_can_administer_is_told() -> None:
    for kind in KINDS:
        if kind != "custom":
            codes = {found.code for found in needs(client(kind=kind), ports=OPTIONAL, version="2.16.0").findings}
            assert ("client_with_power" in codes) == (kind in ("rest", "jmx", "control"))
            assert "client_on_node_ports" not in codes
    custom = needs(client(kind="custom", ports=["discovery"])).findings
    assert "client_on_node_ports" in {found.code for found in custom}


def test_a_policy_for_the_clients_namespace_mirrors_its_flows() -> None:
    found = needs(client(kind="thick", namespaces=["shop", "bank"], helper_policy="yes", helper_dns="true"))
    of(found)
    assert [(helper.namespace, helper.name) for helper in found.helpers] == [
        ("shop", "ignite-ignite-client-web"),
        ("bank", "ignite-ignite-client-web"),
    ]
    record = found.as_record()["helpers"][0]
    flows = parse_flows(record["flows"])
    servers = Namespaces(("cache-ns",), {"matchLabels": {"app": "ignite"}})
    assert {(flow.direction, flow.port) for flow in flows if flow.peer == servers} == {
        ("egress", 47500),
        ("egress", 47100),
        ("ingress", 47100),
    }
    rest = [flow for flow in flows if flow.peer != servers]
    assert [(flow.peer, flow.protocol) for flow in rest] == [
        (Target("dns"), "UDP"),
        (Target("dns"), "TCP"),
        (Target("api_server"), "TCP"),
    ]
    forced = needs(client(kind="thick", force_client_to_server=True, helper_policy=True), discovery="dns")
    assert {(flow.direction, flow.port) for helper in forced.helpers for flow in helper.flows} == {
        ("egress", 47500),
        ("egress", 47100),
    }


def test_a_policy_for_pods_of_ignites_own_namespace() -> None:
    (helper,) = needs(client(**HOME, helper_policy=True)).helpers
    assert (helper.namespace, helper.flows[0].subject.pod_selector) == ("cache-ns", {"matchLabels": {"app": "tools"}})
    assert needs(client(helper_policy=False)).helpers == []


@pytest.mark.parametrize(
    ("entry", "given", "why"),
    [
        (client(namespaces=None, cidrs=["203.0.113.0/24"], helper_policy=True), {}, "outside of the cluster"),
        (
            client(namespaces=None, namespace_selector={"matchLabels": {"a": "b"}}, helper_policy=True),
            {},
            "labels do not tell the names of the namespaces",
        ),
        (client(helper_dns=True), {}, "it is a part of helper_policy"),
        (client(helper_policy="perhaps"), {}, "neither true nor false"),
        (
            client(helper_policy=True, helper_dns=True),
            {"profile": "minimal", "minimal_confirmed": True},
            "profile minimal looks for no DNS",
        ),
    ],
)
def test_where_no_policy_can_be_offered_that_is_said(entry: Json, given: Json, why: str) -> None:
    assert why in errors(entry, **given)
