# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's policies: what Ignite needs goes through, and nothing else does."""

from __future__ import annotations

import statistics
import uuid
from dataclasses import dataclass

import pytest

from enforced.probes import dns, forbidden, needed
from enforced.table import Case, Table
from enforced.worlds import ADDRESS_URL, Playbooks, Unrestricted, World, thin_client
from lab.cluster.addresses import DNS_SERVICE
from lab.cluster.clients import CLIENT_PORT
from lab.cluster.ignite import COMMUNICATION, CONNECTOR, DISCOVERY, THIN_CLIENT, Ignite

APP = {"app": "some-pod"}
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


@pytest.mark.every_engine
def test_profile_standard(world: World, playbooks: Playbooks, table: Table, free: Unrestricted) -> None:
    ignite = Ignite(world.namespace("standard"), replicas=3)
    locked = lock(world, playbooks, ignite, "standard")
    with table.case("role, standard") as case:
        case.cell("3 nodes", "servers=3", lambda: world.formed(ignite))
        address = world.addresses(ignite)[0]
        shop = world.client(locked.shop, APP)
        case.cell("thin client", "read what was written", lambda: thin_client(shop, address))
        names = dns(DNS_SERVICE)
        case.reached(world.cluster.probe(world.cluster.pod(address), list(names.values())), names)
        _nothing_else_out(case, world, ignite, free)
        _nothing_else_in(case, world, locked, shop, free)
    with table.case("DNS tunnelling, standard (residual risk)") as case:
        _tunnels(case, world, world.cluster.pod(address), "seen outside", "yes")


@pytest.mark.parametrize("version", [pytest.param("2.10.0", marks=pytest.mark.every_engine), "2.17.0"])
def test_profile_minimal(world: World, playbooks: Playbooks, table: Table, free: Unrestricted, version: str) -> None:
    ignite = Ignite(world.namespace("minimal"), version=version, replicas=3, master_url=ADDRESS_URL, dns=False)
    locked = lock(world, playbooks, ignite, "minimal")
    with table.case(f"role, minimal, {version}") as case:
        case.cell("3 nodes", "servers=3", lambda: world.formed(ignite))
        address = world.addresses(ignite)[0]
        shop = world.client(locked.shop, APP)
        case.cell("thin client", "read what was written", lambda: thin_client(shop, address))
        place = world.cluster.pod(address)
        servers = {"DNS pod": world.cluster_dns(), "kube-dns": DNS_SERVICE}
        names = {f"{name}: {asked}": to for name, server in servers.items() for asked, to in dns(server).items()}
        seen, control = world.cluster.probe_all([(from_, list(names.values())) for from_ in (place, free.place)])
        case.blocked(seen, control, names)
        _nothing_else_out(case, world, ignite, free)
        _nothing_else_in(case, world, locked, shop, free)
    with table.case(f"DNS tunnelling, minimal, {version}") as case:
        _tunnels(case, world, free.place, "of an unrestricted pod, seen outside", "yes")
        _tunnels(case, world, place, "seen outside", "no")


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


def _nothing_else_out(case: Case, world: World, ignite: Ignite, free: Unrestricted) -> None:
    """What an Ignite pod may not reach; an unrestricted pod reaches all of it at the same time."""
    first, second, *_ = world.addresses(ignite)
    cells, peer = forbidden(world, free), needed(second)
    # The peer itself is the control: its own ports listen, and no policy comes between a pod and itself.
    others = {f"peer's {port}": f"tcp://{second}:{port}" for port in (CONNECTOR, THIN_CLIENT)}
    seen, control, own = world.cluster.probe_all(
        [
            (world.cluster.pod(first), [*cells.values(), *peer.values(), *others.values()]),
            (free.place, list(cells.values())),
            (world.cluster.pod(second), list(others.values())),
        ]
    )
    case.blocked(seen, control, cells)
    case.reached(seen, peer)
    case.blocked(seen, own, others)


def _nothing_else_in(case: Case, world: World, locked: Locked, shop: list[str], free: Unrestricted) -> None:
    """Who may not reach Ignite's ports: all listen, as the pod itself sees, and all strangers reach an open pod."""
    first, *_ = world.addresses(locked.ignite)
    ports = {str(port): f"tcp://{first}:{port}" for port in (THIN_CLIENT, DISCOVERY, COMMUNICATION, CONNECTOR)}
    neighbour = f"tcp://{free.neighbour}:{CLIENT_PORT}"
    places = {
        "the pod itself": world.cluster.pod(first),
        "pod of another namespace": world.client(world.namespace("stranger"), APP),
        "pod with other labels": world.client(locked.shop, {"app": "else"}),
        "outside host": world.cluster.host("outside"),
        "allowed client": shop,
    }
    control, *seen = world.cluster.probe_all([(place, [*ports.values(), neighbour]) for place in places.values()])
    for name, outcomes in zip(list(places)[1:], seen, strict=True):
        closed = {key: target for key, target in ports.items() if (name, key) != ("allowed client", str(THIN_CLIENT))}
        case.reached(outcomes, {f"{name} to an open pod": neighbour})
        case.blocked(outcomes, control, {f"{name} to {port}": target for port, target in closed.items()})


def _tunnels(case: Case, world: World, place: list[str], what: str, expected: str) -> None:
    """Ask the cluster's DNS for names outside; whether the queries leave the cluster."""
    name = f"{uuid.uuid4().hex}.tunnel.example"
    asked = dns(DNS_SERVICE, name)
    world.cluster.probe(place, list(asked.values()))
    seen = {event["transport"] for event in world.cluster.queries(name)}
    for protocol in ("udp", "tcp"):
        case.record(f"{protocol} query {what}", expected, "yes" if protocol in seen else "no")
