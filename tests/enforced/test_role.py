# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's policies: what Ignite needs goes through, and nothing else does."""

from __future__ import annotations

import statistics
import time
import uuid
from dataclasses import dataclass

import pytest

from enforced.table import Case, Table
from enforced.worlds import ADDRESS_URL, CLIENT_PORT, Ignite, Playbooks, World, thin_client
from lab.cluster.addresses import (
    API_PORT,
    API_SERVERS,
    COMMAND_AND_CONTROL_PORT,
    CONTROLLER_MANAGER_PORT,
    DNS_PORT,
    DNS_SERVICE,
    HTTP_PORT,
    HTTPS_PORT,
    KUBELET_PORT,
    METADATA_ADDRESS,
    NEIGHBOUR_ADDRESS,
    OUTSIDE_ADDRESS,
)
from lab.cluster.ignite import COMMUNICATION, DISCOVERY, THIN_CLIENT

APP = {"app": "some-pod"}
CONNECTOR = 11211
KNOWN_NAME = "kubernetes.default.svc.cluster.local"
STARTS = 3


@dataclass
class Locked:
    """An Ignite cluster under the role's policies, with one namespace that may use it."""

    ignite: Ignite
    shop: str


def lock(world: World, playbooks: Playbooks, ignite: Ignite, profile: str) -> Locked:
    """Lock the namespace before the first pod is there, as for a new Ignite, then deploy."""
    shop = world.namespace("shop")
    client = {"name": "shop", "kind": "thin", "namespaces": [shop], "pod_selector": {"matchLabels": APP}}
    playbooks.lockdown(
        ignite.namespace,
        profile=profile,
        minimal_confirmed=profile == "minimal",
        clients=[client],
        accept_no_pods=True,
    )
    world.deploy(ignite)
    return Locked(ignite, shop)


def test_profile_standard(world: World, playbooks: Playbooks, table: Table, free: list[str]) -> None:
    ignite = Ignite(world.namespace("standard"), replicas=3)
    locked = lock(world, playbooks, ignite, "standard")
    with table.case("role, standard") as case:
        case.cell("3 nodes", "servers=3", lambda: world.formed(ignite))
        address = world.addresses(ignite)[0]
        shop = world.client(locked.shop, APP)
        case.cell("thin client", "read what was written", lambda: thin_client(shop, address))
        dns = {
            f"DNS, {protocol}": f"dns+{protocol}://{DNS_SERVICE}:{DNS_PORT}/{KNOWN_NAME}" for protocol in ("udp", "tcp")
        }
        case.reached(world.cluster.probe(world.cluster.pod(address), list(dns.values())), dns)
        _nothing_else_out(case, world, ignite, free)
        _nothing_else_in(case, world, locked, shop)
    with table.case("DNS tunnelling, standard (residual risk)") as case:
        case.cell("query seen outside", "yes", lambda: _tunnel(world, address))


@pytest.mark.parametrize("version", ["2.10.0", "2.17.0"])
def test_profile_minimal(world: World, playbooks: Playbooks, table: Table, free: list[str], version: str) -> None:
    ignite = Ignite(world.namespace("minimal"), version=version, replicas=3, master_url=ADDRESS_URL, dns=False)
    locked = lock(world, playbooks, ignite, "minimal")
    with table.case(f"role, minimal, {version}") as case:
        case.cell("3 nodes", "servers=3", lambda: world.formed(ignite))
        address = world.addresses(ignite)[0]
        shop = world.client(locked.shop, APP)
        case.cell("thin client", "read what was written", lambda: thin_client(shop, address))
        servers = {"DNS pod": world.cluster_dns(), "kube-dns": DNS_SERVICE}
        dns = {
            f"{name}, {protocol}": f"dns+{protocol}://{server}:{DNS_PORT}/{KNOWN_NAME}"
            for name, server in servers.items()
            for protocol in ("udp", "tcp")
        }
        place = world.cluster.pod(address)
        case.blocked(world.cluster.probe(place, list(dns.values())), world.cluster.probe(free, list(dns.values())), dns)
        _nothing_else_out(case, world, ignite, free)
        _nothing_else_in(case, world, locked, shop)
    with table.case(f"DNS tunnelling, minimal, {version}") as case:
        case.cell("query seen outside", "no", lambda: _tunnel(world, address))


@pytest.mark.parametrize("version", ["2.10.0", "2.17.0"])
def test_start_without_dns_takes_no_longer(world: World, playbooks: Playbooks, table: Table, version: str) -> None:
    plain = Ignite(world.namespace("plain"), version=version)
    minimal = Ignite(world.namespace("minimal"), version=version, master_url=ADDRESS_URL, dns=False)
    world.deploy(plain)
    lock(world, playbooks, minimal, "minimal")
    for ignite in (plain, minimal):
        world.formed(ignite)
    seconds: dict[str, list[float]] = {plain.namespace: [], minimal.namespace: []}
    for _ in range(STARTS):
        for ignite in (plain, minimal):
            seconds[ignite.namespace].append(world.restart(ignite))
    free, locked = (statistics.median(seconds[ignite.namespace]) for ignite in (plain, minimal))
    limit = 2 * free + 5
    with table.case(f"start, minimal, {version}") as case:
        in_time = "in time" if locked <= limit else "too late"
        told = f"{in_time}: {locked:.1f} s, limit {limit:.1f} s, unrestricted {free:.1f} s"
        case.record(f"median of {STARTS} starts", "in time", told, locked)


def _nothing_else_out(case: Case, world: World, ignite: Ignite, free: list[str]) -> None:
    """What an Ignite pod may not reach; an unrestricted pod reaches all of it at the same time."""
    first, second, *_ = world.addresses(ignite)
    other = world.client_address(world.namespace("other"))
    cells = {
        "C&C": f"tcp://{OUTSIDE_ADDRESS}:{COMMAND_AND_CONTROL_PORT}",
        "outside HTTPS": f"tcp://{OUTSIDE_ADDRESS}:{HTTPS_PORT}",
        "outside DNS, udp": f"dns+udp://{OUTSIDE_ADDRESS}:{DNS_PORT}/example.org",
        "outside DNS, tcp": f"dns+tcp://{OUTSIDE_ADDRESS}:{DNS_PORT}/example.org",
        "metadata address": f"tcp://{METADATA_ADDRESS}:{HTTP_PORT}",
        "other namespace's pod": f"tcp://{other}:{CLIENT_PORT}",
        "DNS pod, other port": f"tcp://{world.cluster_dns()}:8181",
        "API server's host, other port": f"tcp://{API_SERVERS[0]}:{CONTROLLER_MANAGER_PORT}",
        "other node's kubelet": f"tcp://{NEIGHBOUR_ADDRESS}:{KUBELET_PORT}",
    }
    targets = list(cells.values())
    place = world.cluster.pod(first)
    case.blocked(world.cluster.probe(place, targets), world.cluster.probe(free, targets), cells)
    needed = {
        "peer's discovery": f"tcp://{second}:{DISCOVERY}",
        "peer's communication": f"tcp://{second}:{COMMUNICATION}",
    }
    needed |= {f"API server {number}": f"tcp://{address}:{API_PORT}" for number, address in enumerate(API_SERVERS)}
    # The pod itself is the control: its own ports listen, and no policy comes between a pod and itself.
    own, peers = f"tcp://{second}:{CONNECTOR}", {"peer's other port": f"tcp://{second}:{CONNECTOR}"}
    seen = world.cluster.probe(place, [*needed.values(), own])
    case.reached(seen, needed)
    case.blocked(seen, world.cluster.probe(world.cluster.pod(second), [own]), peers)


def _nothing_else_in(case: Case, world: World, locked: Locked, shop: list[str]) -> None:
    """Who may not reach Ignite; its peer and the allowed client reach the same ports at the same time."""
    first, second, *_ = world.addresses(locked.ignite)
    ports = {"10800": THIN_CLIENT, "47500": DISCOVERY, "47100": COMMUNICATION}
    cells = {name: f"tcp://{first}:{port}" for name, port in ports.items()}
    targets = list(cells.values())
    control = world.cluster.probe(world.cluster.pod(second), targets[1:]) | world.cluster.probe(shop, targets[:1])
    strangers = {
        "pod of another namespace": world.client(world.namespace("stranger"), APP),
        "pod with other labels": world.client(locked.shop, {"app": "else"}),
        "outside host": world.cluster.host("outside"),
    }
    for name, place in strangers.items():
        seen = world.cluster.probe(place, targets)
        case.blocked(seen, control, {f"{name} to {port}": target for port, target in cells.items()})
    seen = world.cluster.probe(shop, targets[1:])
    case.blocked(seen, control, {f"allowed client to {port}": cells[port] for port in ("47500", "47100")})


def _tunnel(world: World, address: str) -> str:
    """Ask the cluster's DNS for a name outside; whether the query leaves the cluster."""
    name = f"{uuid.uuid4().hex}.tunnel.example"
    began = time.time()
    world.cluster.probe(world.cluster.pod(address), [f"dns+udp://{DNS_SERVICE}:{DNS_PORT}/{name}"])
    return "yes" if any(event["time"] >= began for event in world.cluster.queries(name)) else "no"
