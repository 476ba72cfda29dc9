# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Default forbidden targets, and open sockets, against the flows."""

from __future__ import annotations

import typing as t

import pytest
from probe_builders import DNS, HERE, TARGETS, flow, ignite, node, peers, permits, pod, world

from ansible_collections.netguard.lockdown.plugins.module_utils._core import sockets
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import parse_address
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_forbidden import add_defaults, defaults
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_permits import Permits
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_plan import Place, Plan
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_sockets import Listing, judge_sockets
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_verdict import Baseline

Json = dict[str, t.Any]

NAMESERVER = pod("coredns-0", "10.244.1.9", "kube-system", DNS, ports=[5353, 9153])
NODES = [node("worker-1", "172.30.0.11"), node("worker-2", "172.30.0.12")]
OTHER = pod("web-0", "10.244.2.7", "shop", {"app": "web"}, ports=[8080])
DNS_FLOWS = [flow(f"dns-{name}", "egress", {"target": "dns"}, None, protocol=name.upper()) for name in ("udp", "tcp")]


def tried(found: Permits, alive: t.Callable[[Place], bool] = lambda _place: False) -> tuple[dict[str, str], Plan]:
    """Where ignite-0 tries each default forbidden target, and the plan."""
    plan, known = Plan(), defaults(found)
    places = {place for entry in known for place in entry.places}
    baselines = {place: Baseline("a test" if alive(place) else "") for place in places}
    subject = next(item for item in found.world.pods if item.name == "ignite-0")
    add_defaults(plan, known, [subject], found, baselines)
    return {cell.flow: f"{cell.place.address}:{cell.place.port}" for cell in plan.cells if cell.place}, plan


def test_the_usual_ways_out() -> None:
    found, plan = tried(permits(world(ignite(0), NAMESERVER, OTHER, nodes=NODES), *peers(), *DNS_FLOWS))
    assert found == {
        "default-kubelet": "172.30.0.12:10250",
        "default-other-namespace": "10.244.2.7:8080",
        "default-dns-other-port": "10.244.1.9:9153",
    }
    assert {cell.expect for cell in plan.cells} == {"deny"}


def test_without_a_dns_flow_names_are_a_way_out_too() -> None:
    found, _plan = tried(permits(world(ignite(0), NAMESERVER), *peers()))
    assert found == {
        "default-dns-other-port": "10.244.1.9:9153",
        "default-dns-pod-udp": "10.244.1.9:5353",
        "default-dns-pod-tcp": "10.244.1.9:5353",
        "default-dns-service-udp": "10.96.0.10:53",
        "default-dns-service-tcp": "10.96.0.10:53",
    }


def test_what_a_flow_allows_is_not_forbidden() -> None:
    allowed = [
        flow("shop", "egress", {"namespaces": ["shop"]}, 8080),
        flow("metrics", "egress", {"namespaces": ["kube-system"]}, 9153),
        flow("kubelets", "egress", {"cidr": "172.30.0.0/24"}, 10250),
        *DNS_FLOWS,
    ]
    found, plan = tried(permits(world(ignite(0), NAMESERVER, OTHER, nodes=NODES), *allowed))
    assert found == {}
    assert {(entry.flow, entry.why) for entry in plan.left_out} == {
        (f"default-{name}", "the cluster has no such target")
        for name in ("kubelet", "other-namespace", "dns-other-port")
    }


@pytest.mark.parametrize(
    "unfit",
    [
        pod("web-0", "10.244.2.7", HERE, ports=[8080]),
        pod("web-0", "10.244.2.7", "shop", ports=[8080], ready=False),
        pod("web-0", "10.244.2.7", "shop"),
        pod("web-0", "172.30.0.11", "shop", ports=[8080], spec={"hostNetwork": True}),
        pod("web-0", "2001:db8::7", "shop", ports=[8080]),
    ],
)
def test_pods_that_tell_nothing_are_not_tried(unfit: Json) -> None:
    found, _plan = tried(permits(world(ignite(0), unfit), *peers(), *DNS_FLOWS))
    assert "default-other-namespace" not in found


def test_the_own_node_is_not_tried() -> None:
    found, _plan = tried(permits(world(ignite(0), nodes=NODES[:1]), *peers()))
    assert "default-kubelet" not in found


def test_a_target_that_is_alive_is_preferred() -> None:
    pods = [pod(f"web-{number}", f"10.244.2.{number}", "shop", ports=[8080]) for number in (1, 2, 3)]
    found, _plan = tried(permits(world(ignite(0), *pods), *peers()), lambda place: place.name == "web-2")
    assert found["default-other-namespace"] == "10.244.2.2:8080"


def line(local: str, remote: str, state: str = "ESTABLISHED", protocol: str = "TCP") -> sockets.Socket:
    (here, here_port), (there, there_port) = (end.rsplit(":", 1) for end in (local, remote))
    ends = parse_address(here, ""), int(here_port), parse_address(there, ""), int(there_port)
    return sockets.Socket(protocol, *ends, state)


LISTENS = line("0.0.0.0:47500", "0.0.0.0:0", "LISTEN")


@pytest.mark.parametrize(
    ("remote", "flow_id"),
    [
        ("10.244.0.5:47500", "peers-out"),
        ("172.30.0.2:6443", "api"),
        ("10.96.0.1:443", "api"),
        ("10.244.1.9:5353", "dns-tcp"),
        ("10.96.0.10:53", "dns-tcp"),
        ("10.244.0.5:22", None),
        ("172.30.0.2:22", None),
        ("10.244.1.9:9153", None),
        ("203.0.113.10:4444", None),
        ("172.30.0.11:10250", None),
    ],
)
def test_a_connection_is_allowed_by_a_flow_or_forbidden(remote: str, flow_id: str | None) -> None:
    found = permits(
        world(ignite(0), ignite(1), NAMESERVER, nodes=NODES),
        *peers(),
        *DNS_FLOWS,
        flow("api", "egress", {"target": "api_server"}, None),
    )
    (record,) = judge_sockets(found.world.pods[0], Listing((LISTENS, line("10.244.0.4:50000", remote))), found)
    assert (record["direction"], record["flow"]) == ("egress", flow_id)
    assert record["forbidden"] is (flow_id is None)
    assert record["why"]


@pytest.mark.parametrize(
    ("remote", "flow_id", "surplus"),
    [
        ("10.244.0.5:50000", "peers-in", False),
        ("172.30.0.11:50000", None, False),
        ("10.244.0.1:50000", None, False),
        ("172.30.0.12:50000", None, True),
        ("10.244.2.7:50000", None, True),
    ],
)
def test_who_may_have_come_in(remote: str, flow_id: str | None, surplus: bool) -> None:
    found = permits(world(ignite(0), ignite(1), OTHER, nodes=NODES), *peers())
    (record,) = judge_sockets(found.world.pods[0], Listing((LISTENS, line("10.244.0.4:47500", remote))), found)
    assert (record["direction"], record["flow"], record["forbidden"]) == ("ingress", flow_id, surplus)


def test_an_excluded_part_of_a_block_is_forbidden() -> None:
    wide = flow("logs", "egress", {"cidr": "198.51.100.0/24", "except": ["198.51.100.128/25"]}, 5140)
    found = permits(world(ignite(0)), wide)
    ends = [line("10.244.0.4:50000", f"198.51.100.{last}:5140") for last in (7, 200)]
    records = judge_sockets(found.world.pods[0], Listing(tuple(ends)), found)
    assert [record["forbidden"] for record in records] == [False, True]


def test_sockets_to_nobody_else_do_not_count() -> None:
    found = permits(world(ignite(0)), *peers())
    own = [LISTENS, line("127.0.0.1:1", "127.0.0.1:2"), line("10.244.0.4:1", "10.244.0.4:2")]
    ended = line("10.244.0.4:50000", "203.0.113.10:4444", "TIME_WAIT")
    assert judge_sockets(found.world.pods[0], Listing((*own, ended)), found) == []


@pytest.mark.parametrize(
    ("local", "dialled"),
    [
        ("0.0.0.0:1", ("127.0.0.1", 1)),
        (":::1", ("127.0.0.1", 1)),
        ("10.244.0.4:1", ("10.244.0.4", 1)),
        ("127.0.0.1:1", ("127.0.0.1", 1)),
        ("fd00::4:1", None),
    ],
)
def test_where_a_pod_can_dial_itself(local: str, dialled: tuple[str, int] | None) -> None:
    address, _colon, port = local.rpartition(":")
    listens = sockets.Socket("TCP", parse_address(address, ""), int(port), parse_address("::", ""), 0, "LISTEN")
    assert Listing((listens,)).dialled() == dialled


def test_targets_without_dns_forbid_no_dns() -> None:
    found, _plan = tried(permits(world(ignite(0), NAMESERVER), *peers(), targets={"api_server": TARGETS["api_server"]}))
    assert set(found) == {"default-other-namespace"}
