# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an Ignite cluster needs: exactly its minimum and the named clients, and nothing for bad input."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from flow_builders import APPLICATIONS, Json, client, extra, junk, names, networks, selectors, variables
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netguard.lockdown.plugins.module_utils._core import cidr, peers
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import (
    Block,
    Flow,
    Namespaces,
    Pods,
    Target,
    parse_flows,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite import DEFAULT_PORTS, Needs, ignite_needs

SERVERS_FLOWS = {
    ("peers-discovery-in", "ingress", "TCP", 47500),
    ("peers-discovery-out", "egress", "TCP", 47500),
    ("peers-communication-in", "ingress", "TCP", 47100),
    ("peers-communication-out", "egress", "TCP", 47100),
    ("api-server", "egress", "TCP", None),
}
DNS_FLOWS = {("dns-udp", "egress", "UDP", None), ("dns-tcp", "egress", "TCP", None)}


def needs(**given_variables: t.Any) -> Needs:
    return ignite_needs(variables(**given_variables))


def good(**given_variables: t.Any) -> Needs:
    """Needs without an error."""
    found = needs(**given_variables)
    assert [str(error) for error in found.errors] == []
    return found


def errors(**given_variables: t.Any) -> str:
    """The errors; there must be some."""
    found = needs(**given_variables).errors
    assert found
    return "\n".join(map(str, found))


def short(flows: t.Iterable[Flow]) -> set[tuple[str, str, str, int | None]]:
    return {(flow.id, flow.direction, flow.protocol, flow.port) for flow in flows}


def of_client(found: Needs) -> dict[str, Flow]:
    return {flow.id: flow for flow in found.flows if flow.id.startswith(("client-", "extra-"))}


def findings(found: Needs) -> set[tuple[str, str]]:
    return {(finding.code, finding.level) for finding in found.findings} - {("dns_is_a_way_out", "note")}


def test_without_clients_servers_get_their_minimum_and_dns() -> None:
    found = good()
    assert short(found.flows) == SERVERS_FLOWS | DNS_FLOWS
    assert {flow.subject.name for flow in found.flows} == {"servers"}
    assert all(flow.reason and flow.expect == "allow" for flow in found.flows)
    assert [finding.code for finding in found.findings] == ["dns_is_a_way_out"]


def test_the_minimal_profile_has_no_dns_and_needs_the_users_word() -> None:
    found = good(profile="minimal", minimal_confirmed="yes")
    assert short(found.flows) == SERVERS_FLOWS
    assert found.findings == []
    for word in (False, "no", "", None):
        assert "Refused profile minimal" in errors(profile="minimal", minimal_confirmed=word)


def test_peers_are_the_servers_themselves() -> None:
    by_peer = {flow.id: flow.peer for flow in good(pod_selector={"matchLabels": {"db": "x"}}).flows}
    assert by_peer["peers-discovery-in"] == Pods(pod_selector={"matchLabels": {"db": "x"}})
    assert by_peer["api-server"] == Target("api_server")


def test_the_questions_clients_get_their_four_ports_and_are_called_back() -> None:
    found = good(clients=[APPLICATIONS])
    peer = Pods(APPLICATIONS["pod_selector"], APPLICATIONS["namespace_selector"])
    assert short(of_client(found).values()) == {
        ("client-applications-connector", "ingress", "TCP", 11211),
        ("client-applications-communication", "ingress", "TCP", 47100),
        ("client-applications-discovery", "ingress", "TCP", 47500),
        ("client-applications-thin-client", "ingress", "TCP", 10800),
        ("client-applications-communication-out", "egress", "TCP", 47100),
    }
    assert {flow.id: flow.peer for flow in found.flows}["client-applications-connector"] == peer
    assert findings(found) == {("peer_by_namespace_labels", "warning"), ("peer_by_pod_labels", "note")}


def test_a_thin_client_gets_the_thin_client_port_only() -> None:
    found = good(clients=[client(reason="the shop reads prices")])
    assert short(of_client(found).values()) == {("client-web-thin-client", "ingress", "TCP", 10800)}
    assert of_client(found)["client-web-thin-client"].reason == "the shop reads prices (thin_client)"
    assert findings(found) == set()


def test_a_thick_client_that_connects_itself_is_not_called_back() -> None:
    found = good(clients=[client(kind="thick", force_client_to_server="true")])
    assert {(flow.direction, flow.port) for flow in of_client(found).values()} == {
        ("ingress", 47500),
        ("ingress", 47100),
    }


def test_ports_by_number_and_by_name_are_the_same_ports() -> None:
    by_name = good(clients=[client(kind="custom", ports=["thin_client", "rest"])])
    by_number = good(clients=[client(kind="custom", ports=["10800", 8080])])
    assert by_name.flows == by_number.flows
    assert short(of_client(good(clients=[client(kind="custom", ports=[9999])])).values()) == {
        ("client-web-9999", "ingress", "TCP", 9999)
    }


def test_ports_of_the_role_are_ints_and_left_out_ones_are_ignites_own() -> None:
    found = good(ports={"discovery": "47600"}, clients=[client()])
    ports = {flow.id: flow.port for flow in found.flows}
    assert (ports["peers-discovery-in"], ports["client-web-thin-client"]) == (47600, 10800)
    assert type(ports["peers-discovery-in"]) is int


def test_each_address_block_is_a_flow_of_its_own_with_its_exceptions() -> None:
    blocks = {"cidrs": ["203.0.113.0/24", "2001:db8::/32"], "except": "203.0.113.7/32\n2001:db8:1::/48"}
    found = of_client(good(clients=[client(namespaces=None, **blocks)]))
    network = ipaddress.ip_network
    assert {name: flow.peer for name, flow in found.items()} == {
        "client-web-thin-client-1": Block(network("203.0.113.0/24"), (network("203.0.113.7/32"),)),
        "client-web-thin-client-2": Block(network("2001:db8::/32"), (network("2001:db8:1::/48"),)),
    }


def test_an_extra_flow_keeps_its_reason_range_and_protocol() -> None:
    found = of_client(good(extra_flows=[extra(protocol="UDP", port="5000", end_port="5010")]))
    flow = found["extra-logs-5000"]
    assert (flow.direction, flow.protocol, flow.port, flow.end_port) == ("egress", "UDP", 5000, 5010)
    assert flow.reason == "logs leave the cluster"


@pytest.mark.parametrize("nothing", [None, "", "\n", []])
def test_no_clients_may_be_said_in_several_ways(nothing: t.Any) -> None:
    assert short(good(clients=nothing, extra_flows=nothing).flows) == SERVERS_FLOWS | DNS_FLOWS


NOT_IN = {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["evil"]}]}
ANY_NAME = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "Exists"}]}
WIDE_PEERS = [
    {"namespaces": None, "namespace_selector": {}},
    {"namespaces": None, "namespace_selector": {"matchLabels": {}}},
    {"namespaces": None, "namespace_selector": {}, "pod_selector": {"matchLabels": {"app": "x"}}},
    {"namespaces": None, "namespace_selector": NOT_IN},
    {"namespaces": None, "namespace_selector": ANY_NAME},
    {"namespaces": None, "pod_selector": {}},
    {"namespaces": None, "pod_selector": NOT_IN},
    {"pod_selector": {}},
    {"pod_selector": {"matchExpressions": []}},
    {"namespaces": None, "cidrs": ["0.0.0.0/0"]},
    {"namespaces": None, "cidrs": ["::/0"]},
    {"namespaces": None, "cidrs": ["0.0.0.0/1", "128.0.0.0/1"]},
    {"namespaces": None, "cidrs": ["2000::/3"]},
    {"namespaces": None, "cidrs": ["202.0.0.0/7"]},
    {"namespaces": None, "cidrs": ["169.254.169.254/32"]},
    {"namespaces": None, "cidrs": ["100.0.0.0/8"]},
    {"namespaces": None, "cidrs": ["fe80::/64"]},
]


@pytest.mark.parametrize("peer", WIDE_PEERS)
def test_a_wide_peer_is_refused_and_accepted_only_with_a_reason(peer: Json) -> None:
    assert "Refused" in errors(clients=[client(**peer)])
    assert "Refused" in errors(extra_flows=[extra(cidrs=None, **peer) if "cidrs" not in peer else extra(**peer)])
    found = good(clients=[client(**peer, accept_wide="asked for by the network team")])
    assert ("wide_peer_accepted", "warning") in findings(found)
    assert "asked for by the network team" in "".join(finding.message for finding in found.findings)
    assert set(found.accepted) == set(of_client(found))
    assert "in words" in errors(clients=[client(**peer, accept_wide=True)])


def test_halves_of_the_internet_are_wide_over_all_clients_together() -> None:
    halves = [
        client(name="low", namespaces=None, cidrs=[f"{first}.0.0.0/8" for first in range(128) if first != 100]),
        client(name="hundred", namespaces=None, cidrs=["100.0.0.0/8"], accept_wide="carrier network"),
    ]
    found = errors(clients=halves)
    assert "together they cover 0.0.0.0/1" in found
    assert "client-low-thin-client-1" in found
    assert "client-hundred" not in found


def test_what_is_accepted_covers_only_its_own_blocks() -> None:
    accepted = client(name="all", namespaces=None, cidrs=["0.0.0.0/0"], accept_wide="a test cluster")
    inside = client(name="part", kind="custom", ports=[9999], namespaces=None, cidrs=["203.0.113.0/24"])
    good(clients=[accepted, inside])
    half = client(name="part", kind="custom", ports=[9999], namespaces=None, cidrs=["8000::/1"])
    assert "client-part-9999" in errors(clients=[accepted, half])


def test_an_exception_takes_the_metadata_range_out() -> None:
    peer = {"namespaces": None, "cidrs": ["169.254.0.0/15"], "except": ["169.254.0.0/16"]}
    good(clients=[client(**peer)])


def covers_a_family(blocks: list[cidr.Network]) -> bool:
    """Whether the blocks together hold all IPv4 or all IPv6 addresses."""
    families: list[t.Any] = [[block for block in blocks if block.version == version] for version in (4, 6)]
    return any(block.prefixlen == 0 for family in families for block in ipaddress.collapse_addresses(family))


@given(st.lists(networks, min_size=1, max_size=4, unique=True))
def test_no_block_is_open_that_is_wide_or_reaches_metadata(blocks: list[cidr.Network]) -> None:
    found = needs(clients=[client(namespaces=None, cidrs=[str(block) for block in blocks])])
    if not found.errors:
        assert not covers_a_family(blocks)
        assert not any(cidr.overlapping(block, cidr.METADATA_NETWORKS) for block in blocks)
        assert all(block.prefixlen >= (8 if block.version == 4 else 7) for block in blocks)


@given(st.none() | selectors, st.none() | selectors)
def test_no_selecting_peer_is_open_that_demands_no_label(pod: Json | None, namespace: Json | None) -> None:
    found = needs(clients=[client(namespaces=None, pod_selector=pod, namespace_selector=namespace)])
    assert bool(found.errors) == (
        (pod is None and namespace is None)
        or peers.is_wide(pod)
        or peers.is_wide(namespace, ("kubernetes.io/metadata.name",))
    )


@given(st.dictionaries(names, st.sampled_from(["thin", "thick"]), max_size=4), st.integers(1024, 65535))
def test_flows_have_int_ports_and_reasons_and_can_be_read_back(kinds: dict[str, str], rest: int) -> None:
    clients = [client(name=name, kind=kind, namespaces=[f"ns-{name}"]) for name, kind in kinds.items()]
    found = needs(clients=clients, ports={"rest": str(rest)})
    if not found.errors:
        records = found.as_record()["flows"]
        assert [flow.as_record() for flow in parse_flows(records)] == records
        assert all(isinstance(flow.peer, Target) or type(flow.port) is int for flow in found.flows)
        assert all(flow.reason for flow in found.flows)
        assert {flow.peer for flow in found.flows if isinstance(flow.peer, Namespaces)} == {
            Namespaces((f"ns-{name}",)) for name in kinds
        }


@pytest.mark.parametrize(
    ("clients", "why"),
    [
        ("web", "ignite_lockdown_clients: 'web' is not a list"),
        (["web"], "ignite_lockdown_clients[0]: 'web' is not a mapping"),
        ([client(name=None)], "ignite_lockdown_clients[0].name: it is not set"),
        ([client(name="The Shop")], "is not a DNS label"),
        ([client(kind=None)], "ignite_lockdown_clients[0] (web).kind: None is none of thin, thick, jdbc, "),
        ([client(kind="tick")], "the nearest one is thick"),
        ([client(namespace=["a"])], "unknown key 'namespace'; the nearest one is namespaces"),
        ([client(namespaces=None)], "it names no peer"),
        ([client(namespaces=[])], "it names no peer"),
        ([client(namespaces=["Shop"])], "'Shop' is not a DNS label"),
        ([client(namespaces=["shop", "shop"])], "shop listed twice"),
        ([client(cidrs=["10.0.0.0/24"])], "namespaces and cidrs exclude each other"),
        ([client(namespace_selector={"matchLabels": {"a": "b"}})], "exclude each other"),
        (
            [client(namespaces=None, cidrs=["10.0.0.0/24"], pod_selector={"matchLabels": {"a": "b"}})],
            "exclude each other",
        ),
        ([client(namespaces=None, cidrs=["10.0.0.1/24"])], "has host bits set"),
        ([client(namespaces=None, cidrs=["10.0.0.0"])], "has the form ADDRESS/PREFIX"),
        ([client(namespaces=None, cidrs=[5])], "5 is not a non-empty text"),
        ([client(**{"except": ["10.0.0.0/24"]})], "only address blocks can have exceptions"),
        ([client(namespaces=None, cidrs=["10.0.0.0/24"], **{"except": ["10.1.0.0/25"]})], "is not a part of any block"),
        ([client(pod_selector={"app": "x"})], "unknown keys app; known are matchLabels and matchExpressions"),
        ([client(pod_selector={"matchLabels": {"app": "a b"}})], "'a b' is not a valid label value"),
        ([client(pod_selector="app=x")], "a label selector is a mapping"),
        ([client(ports="10800")], "ports: '10800' is not a list"),
        ([client(ports=["thin"])], "'thin' is none of discovery"),
        ([client(ports=[0])], "0 is not between 1 and 65535"),
        ([client(ports=[True])], "True is not a whole number"),
        ([client(ports=[10800, "thin_client"])], "a port is listed twice"),
        ([client(kind="custom")], "a custom client needs its own list of ports"),
        ([client(kind="thick", ports=[10800])], "a thick client cannot work without discovery and communication"),
        ([client(kind="thick", ports=["discovery"])], "cannot work without communication"),
        ([client(force_client_to_server=True)], "a thin client knows no forceClientToServerConnections"),
        ([client(kind="thick", force_client_to_server="perhaps")], "neither true nor false"),
        ([client(reason=5)], "reason: 5 is not a non-empty text"),
        ([client(), client(namespaces=["bank"])], "(web).name: web is used twice"),
        ([client(), client(name="other")], "both allow the same peer on ingress TCP 10800"),
        (
            [client(namespaces=None, pod_selector={"matchLabels": {"app": "ignite"}}, kind="thick")],
            "flow peers-discovery-in and ignite_lockdown_clients[0] (web)",
        ),
    ],
)
def test_a_bad_client_is_an_error_with_its_place(clients: t.Any, why: str) -> None:
    assert why in errors(clients=clients)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"reason": None}, "ignite_lockdown_extra_flows[0] (logs).reason: an extra flow needs a reason"),
        ({"reason": "  "}, "an extra flow needs a reason"),
        ({"direction": None}, "direction: None is none of ingress, egress"),
        ({"protocol": "ICMP"}, "protocol: 'ICMP' is none of TCP, UDP, SCTP"),
        ({"port": None}, "port: None is not a whole number"),
        ({"port": 65536}, "65536 is not between 1 and 65535"),
        ({"end_port": 80}, "end port 80 is smaller than port 6514"),
        ({"end_port": "x"}, "end_port: 'x' is not a whole number"),
        ({"cidrs": None}, "it names no peer"),
        ({"kind": "thin"}, "unknown key 'kind'"),
    ],
)
def test_a_bad_extra_flow_is_an_error_with_its_place(changed: Json, why: str) -> None:
    assert why in errors(extra_flows=[extra(**changed)])


@pytest.mark.parametrize(
    ("given_variables", "why"),
    [
        ({"pod_selector": None}, "ignite_lockdown_pod_selector: a label selector is a mapping"),
        ({"pod_selector": {}}, "any pod would be an Ignite server"),
        ({"pod_selector": NOT_IN}, "any pod would be an Ignite server"),
        ({"pod_selector": {"matchLabels": {"app": True}}}, "True is not a valid label value"),
        ({"ports": "47500"}, "ignite_lockdown_ports: '47500' is not a mapping"),
        ({"ports": {"thinclient": 10800}}, "unknown key 'thinclient'; the nearest one is thin_client"),
        ({"ports": {"discovery": ""}}, "ignite_lockdown_ports.discovery: '' is not a whole number"),
        ({"ports": {"discovery": 443}}, "443 is not between 1024 and 65535"),
        ({"ports": {"discovery": 47100}}, "discovery and communication share a port"),
        ({"profile": "tiny"}, "ignite_lockdown_profile: 'tiny' is none of standard, minimal"),
        ({"minimal_confirmed": "perhaps"}, "ignite_lockdown_minimal_confirmed: 'perhaps' is neither true nor false"),
    ],
)
def test_a_bad_variable_is_an_error_with_its_name(given_variables: Json, why: str) -> None:
    assert why in errors(**given_variables)


@given(junk, st.sampled_from(["pod_selector", "ports", "clients", "extra_flows", "profile", "minimal_confirmed"]))
def test_no_shape_of_a_variable_raises(value: t.Any, name: str) -> None:
    needs(**{name: value})


@given(junk, st.sampled_from([*client(), "ports", "reason", "pod_selector", "namespace_selector", "cidrs", "except"]))
def test_no_shape_of_an_entry_raises(value: t.Any, key: str) -> None:
    entry = (
        {key: value} if key in ("pod_selector", "namespace_selector", "cidrs") else {"namespaces": ["shop"], key: value}
    )
    needs(clients=[{"name": "web", "kind": "thin", **entry}], extra_flows=[{**extra(), key: value}])


def test_all_errors_are_told_at_once() -> None:
    found = errors(clients=[client(kind="x"), client()], extra_flows=[extra(reason=None)])
    assert "ignite_lockdown_clients[0]" in found
    assert "ignite_lockdown_extra_flows[0]" in found


def test_whoever_is_not_thick_but_may_act_as_a_node_is_a_finding() -> None:
    found = good(clients=[client(kind="custom", ports=["discovery", 47100, 10800])])
    assert ("client_on_node_ports", "warning") in findings(found)
    assert findings(good(clients=[client(kind="thick")])) == set()


@pytest.mark.parametrize(
    ("peer", "codes"),
    [
        ({"namespaces": ["shop"]}, set()),
        ({"namespaces": ["shop"], "pod_selector": {"matchLabels": {"a": "b"}}}, {"peer_by_pod_labels"}),
        ({"pod_selector": {"matchLabels": {"a": "b"}}}, {"peer_by_pod_labels"}),
        ({"namespace_selector": {"matchLabels": {"a": "b"}}}, {"peer_by_namespace_labels"}),
        ({"namespace_selector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}, set()),
        ({"cidrs": ["203.0.113.0/24"]}, set()),
    ],
)
def test_labels_that_anyone_can_set_are_a_finding(peer: Json, codes: set[str]) -> None:
    found = good(clients=[client(namespaces=None) | peer])
    assert {code for code, _ in findings(found)} == codes


def test_default_ports_are_all_different() -> None:
    assert len(set(DEFAULT_PORTS.values())) == len(DEFAULT_PORTS)


def test_what_is_forbidden_is_kept_apart_from_what_is_rendered() -> None:
    command = {"name": "cc", "direction": "egress", "cidrs": ["203.0.113.10/32"], "port": "4444", "reason": "the audit"}
    found = good(forbidden=[command])
    assert short(found.flows) == SERVERS_FLOWS | DNS_FLOWS
    (flow,) = found.forbidden
    assert (flow.id, flow.expect, flow.port) == ("forbidden-cc-4444", "deny", 4444)
    assert parse_flows(found.as_record()["forbidden"]) == found.forbidden


def test_the_same_traffic_cannot_be_allowed_and_forbidden() -> None:
    both = {"name": "shop", "direction": "ingress", "port": 10800, "namespaces": ["shop"], "reason": "r"}
    message = errors(extra_flows=[both], forbidden=[both])
    assert "flow extra-shop-thin-client allows the same peer on TCP 10800" in message


def test_names_of_forbidden_flows_are_unique_and_their_values_are_read() -> None:
    one = {"name": "cc", "direction": "egress", "cidrs": ["203.0.113.10/32"], "port": 4444, "reason": "the audit"}
    assert "cc is used twice" in errors(forbidden=[one, {**one, "port": 443}])
    assert "ignite_lockdown_forbidden[0] (cc).reason" in errors(forbidden=[{**one, "reason": ""}])
