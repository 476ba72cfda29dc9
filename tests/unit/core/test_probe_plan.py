# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is tried, from where, and what is left out with a reason."""

from __future__ import annotations

import typing as t

import pytest
from probe_builders import HERE, TARGETS, flow, flows, ignite, peers, pod, world

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_plan import Plan, plan_flows
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_targets import read_targets
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_world import World

Json = dict[str, t.Any]
THREE = (ignite(0), ignite(1), ignite(2))


def plan(found: World, *records: Json, most: int = 16) -> Plan:
    read = flows(*records)
    return plan_flows(HERE, read, read_targets(TARGETS, read), found, most)


def shown(made: Plan) -> list[str]:
    """Each cell as source > address:port."""
    return [
        f"{cell.source.name} > {cell.place.address}:{cell.place.port}" if cell.source and cell.place else cell.obstacle
        for cell in made.cells
    ]


def test_every_server_tries_every_other_one_once() -> None:
    made = plan(world(*THREE), *peers())
    assert sorted(shown(made)) == sorted(
        f"ignite-{one} > 10.244.0.{other + 4}:47500" for one in range(3) for other in range(3) if one != other
    )
    assert {cell.flow for cell in made.cells} == {"peers-out"}
    assert made.left_out == []


def test_a_lonely_server_has_nobody_to_try() -> None:
    made = plan(world(ignite(0)), *peers())
    assert made.cells == []
    assert {entry.flow for entry in made.left_out} == {"peers-in", "peers-out"}


def test_targets_are_the_living_endpoints_and_the_service() -> None:
    made = plan(world(ignite(0)), flow("api", "egress", {"target": "api_server"}, None))
    assert shown(made) == ["ignite-0 > 172.30.0.2:6443", "ignite-0 > 10.96.0.1:443"]


def test_name_servers_by_address_are_asked_there() -> None:
    cache = {"cidr": "169.254.20.10/32", "ports": [{"protocol": "UDP", "port": 53}], "origin": "node_local"}
    alone = {
        "namespace": None,
        "pod_selector": None,
        "ports": [],
        "backends": [],
        "service": None,
        "addresses": [cache],
    }
    read = flows(flow("dns", "egress", {"target": "dns"}, None, protocol="UDP"))
    made = plan_flows(HERE, read, read_targets({**TARGETS, "dns": alone}, read), world(ignite(0)), 16)
    assert shown(made) == ["ignite-0 > 169.254.20.10:53"]
    assert [cell.place.destination(None).kind for cell in made.cells if cell.place] == ["dns+udp"]


@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
def test_dns_is_asked_at_its_pods_and_its_service(protocol: str) -> None:
    made = plan(world(ignite(0)), flow("dns", "egress", {"target": "dns"}, None, protocol=protocol))
    assert shown(made) == ["ignite-0 > 10.244.1.9:5353", "ignite-0 > 10.96.0.10:53"]
    kinds = {cell.place.destination(None).kind for cell in made.cells if cell.place}
    assert kinds == {f"dns+{protocol.lower()}"}


def test_clients_try_every_server_one_for_each_namespace() -> None:
    clients = [pod("b", "10.244.2.1", "shop"), pod("a", "10.244.2.2", "shop"), pod("c", "10.244.3.1", "web")]
    made = plan(world(*THREE, *clients), flow("thin", "ingress", {"namespaces": ["shop", "web"]}, 10800))
    assert shown(made) == [f"{name} > 10.244.0.{number}:10800" for number in (4, 5, 6) for name in ("a", "c")]


@pytest.mark.parametrize("client", [pod("a", "10.244.2.2", "shop", ready=False), pod("a", "10.244.2.2", "other")])
def test_clients_that_are_not_there_yet_are_reported(client: Json) -> None:
    made = plan(world(*THREE, client), flow("thin", "ingress", {"namespaces": ["shop"]}, 10800))
    assert made.cells == []
    assert [(entry.flow, entry.why) for entry in made.left_out] == [("thin", "no pod of the peer is ready")]


def test_a_forbidden_client_that_is_not_there_proves_nothing() -> None:
    made = plan(world(*THREE), flow("thin", "ingress", {"namespaces": ["shop"]}, 10800, expect="deny"))
    assert shown(made) == ["no pod of the peer is ready"]


def test_one_address_is_tried_and_a_block_is_not() -> None:
    logs = flow("logs", "egress", {"cidr": "198.51.100.7/32"}, 5140)
    wide = flow("wide", "egress", {"cidr": "198.51.100.0/24"}, 5140)
    assert shown(plan(world(ignite(0)), logs)) == ["ignite-0 > 198.51.100.7:5140"]
    (cell,) = plan(world(ignite(0)), wide).cells
    assert "198.51.100.0/24" in cell.obstacle
    assert shown(plan(world(ignite(0)), wide, logs)) == ["ignite-0 > 198.51.100.7:5140"]


def test_addresses_outside_cannot_dial_in() -> None:
    allowed = plan(world(ignite(0)), flow("lb", "ingress", {"cidr": "198.51.100.0/24"}, 10800))
    assert allowed.cells == []
    assert len(allowed.left_out) == 1
    denied = plan(world(ignite(0)), flow("lb", "ingress", {"cidr": "198.51.100.0/24"}, 10800, expect="deny"))
    assert shown(denied) == ["no pod is known at these addresses, so nothing can try it from there"]


@pytest.mark.parametrize("protocol", ["UDP", "SCTP"])
def test_what_stays_silent_is_not_tried(protocol: str) -> None:
    peer = {"cidr": "198.51.100.7/32"}
    allowed = plan(world(ignite(0)), flow("syslog", "egress", peer, 514, protocol=protocol))
    assert (allowed.cells, len(allowed.left_out)) == ([], 1)
    denied = plan(world(ignite(0)), flow("syslog", "egress", peer, 514, protocol=protocol, expect="deny"))
    assert shown(denied) == [f"an open {protocol} port gives no sign that it was reached"]


def test_of_a_range_the_first_port_is_tried_and_the_rest_is_reported() -> None:
    made = plan(world(ignite(0)), flow("logs", "egress", {"cidr": "198.51.100.7/32"}, 5140, end_port=5150))
    assert shown(made) == ["ignite-0 > 198.51.100.7:5140"]
    assert "5140 to 5150" in made.left_out[0].why


def test_large_groups_are_sampled_so_that_everyone_is_tried() -> None:
    many = [ignite(number) for number in range(10)]
    made = plan(world(*many), *peers(), most=2)
    assert {str(cell.place.address) for cell in made.cells if cell.place} == {f"10.244.0.{n + 4}" for n in range(10)}
    assert len(made.cells) <= 10 * 2 * 2
    assert made.left_out


def test_pods_that_are_not_ready_or_on_the_hosts_network_do_not_try() -> None:
    made = plan(
        world(ignite(0), ignite(1, ready=False), ignite(2, spec={"hostNetwork": True})),
        flow("api", "egress", {"target": "api_server"}, None),
    )
    assert {cell.source.name for cell in made.cells if cell.source} == {"ignite-0"}
    assert [(entry.pod, entry.why) for entry in made.left_out] == [("ignite-1", "the pod is not ready")]


@pytest.mark.parametrize("pods", [(), (ignite(0, ready=False),), (pod("web", "10.244.0.4"),)])
def test_no_pod_to_start_from_is_an_error(pods: tuple[Json, ...]) -> None:
    with pytest.raises(LockdownError, match="none is ready") as caught:
        plan(world(*pods), *peers())
    assert caught.value.code == "no_pods"


def test_a_contradiction_is_an_error() -> None:
    one = flow("logs", "egress", {"cidr": "198.51.100.7/32"}, 5140)
    other = flow("no-logs", "egress", {"cidr": "198.51.100.7/32"}, 5140, expect="deny")
    with pytest.raises(LockdownError, match="logs and no-logs expect opposite things"):
        plan(world(ignite(0)), one, other)


@pytest.mark.parametrize("given", [None, {}, {"api_server": None}, {"dns": TARGETS["dns"]}])
def test_a_flow_whose_target_is_not_given_is_an_error(given: Json | None) -> None:
    with pytest.raises(LockdownError, match="flow api needs api_server"):
        read_targets(given, flows(flow("api", "egress", {"target": "api_server"}, None)))


@pytest.mark.parametrize(
    ("targets", "place"),
    [
        ({"api_server": "10.0.0.1"}, "targets.api_server"),
        ({"api_server": {"targets": [{"port": 6443, "cidrs": ["nonsense"]}]}}, "targets.api_server.targets"),
        ({"dns": {"namespace": "kube-system", "pod_selector": {}, "ports": [{"port": 0}]}}, "targets.dns.ports"),
        ("nonsense", "targets"),
    ],
)
def test_broken_targets_are_an_error_with_the_place(targets: t.Any, place: str) -> None:
    with pytest.raises(LockdownError, match=place):
        read_targets(targets, [])


def test_families_are_not_mixed() -> None:
    six = pod("six", "2001:db8::6", "shop")
    made = plan(world(ignite(0), six), flow("out", "egress", {"namespaces": ["shop"]}, 80))
    assert made.cells == []
