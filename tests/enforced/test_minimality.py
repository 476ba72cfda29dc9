# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule of the allow policy is needed: without it, what it is for does not work."""

from __future__ import annotations

import time
from dataclasses import dataclass

from enforced.table import Table
from enforced.worlds import Ignite, Playbooks, World, thin_client
from lab import objects
from lab.client import Manifest
from lab.cluster.addresses import API_PORT
from lab.cluster.ignite import COMMUNICATION, DISCOVERY, THIN_CLIENT
from lab.processes import wait_until

ALLOW = "netguard-ignite-allow-servers"
QUICK = 2  # SYN retries
SPLIT = "servers=1"
STOPS = "not started"
WAIT_SECONDS = 75.0


@dataclass(frozen=True)
class Removal:
    """A part of the policy that is taken out, and what Ignite does then."""

    name: str
    direction: str
    ports: tuple[int, ...]
    expected: str


REMOVALS = (
    Removal("discovery to peers", "egress", (DISCOVERY,), SPLIT),
    Removal("discovery from peers", "ingress", (DISCOVERY,), SPLIT),
    Removal("communication to peers", "egress", (COMMUNICATION,), STOPS),
    Removal("communication from peers", "ingress", (COMMUNICATION,), STOPS),
    Removal("API server, all addresses", "egress", (API_PORT, 443), STOPS),
    Removal("DNS", "egress", (53,), STOPS),
)


def test_each_rule_is_needed(world: World, playbooks: Playbooks, table: Table) -> None:
    """All side by side: each namespace lacks one part of the policy before its Ignite starts."""
    worlds: dict[Removal, Ignite] = {}
    for removal in REMOVALS:
        ignite = Ignite(world.namespace("without"), replicas=2, syn_retries=QUICK)
        playbooks.lockdown(ignite.namespace, accept_no_pods=True)
        _remove(world, ignite.namespace, removal)
        world.deploy(ignite)
        worlds[removal] = ignite
    began = time.monotonic()
    with table.case("a rule removed") as case:
        for removal, ignite in worlds.items():
            # What shall not start has to stay so until the last moment.
            seen = _seen(world, ignite, removal.expected, began + WAIT_SECONDS)
            case.record(removal.name, removal.expected, seen, time.monotonic() - began)


def test_the_client_rule_is_needed(world: World, playbooks: Playbooks, table: Table) -> None:
    ignite, shop = Ignite(world.namespace("without"), replicas=1), world.namespace("shop")
    clients = [{"name": "shop", "kind": "thin", "namespaces": [shop]}]
    playbooks.lockdown(ignite.namespace, accept_no_pods=True, clients=clients)
    world.deploy(ignite)
    with table.case("client rule removed") as case:
        case.cell("1 node", "servers=1", lambda: world.formed(ignite))
        place, address = world.client(shop), world.addresses(ignite)[0]
        case.cell("thin client before", "read what was written", lambda: thin_client(place, address))
        _remove(world, ignite.namespace, Removal("", "ingress", (THIN_CLIENT,), ""))
        target = f"tcp://{address}:{THIN_CLIENT}"
        wait_until(lambda: world.cluster.probe(place, [target], 1.0)[target] == "timed out", 10, 0.5)
        case.record("thin client", "timed out", world.cluster.probe(place, [target])[target])


def _seen(world: World, ignite: Ignite, expected: str, deadline: float) -> str:
    """What the nodes see: as soon as it is what is expected, or at the deadline; a node that hangs comes first."""
    servers = 1 if expected == SPLIT else ignite.replicas
    seen = world.formed(ignite, servers, max(1.0, deadline - time.monotonic()))
    return f"{STOPS} ({seen})" if STOPS in seen and seen != STOPS else seen


def _remove(world: World, namespace: str, removal: Removal) -> None:
    """Take the rules with these ports out of the allow policy, as a hand edit does."""
    policy = objects.reference("networking.k8s.io/v1", "NetworkPolicy", ALLOW, namespace)
    rules: list[Manifest] = world.cluster.read(policy)["spec"][removal.direction]
    kept = [rule for rule in rules if not {port["port"] for port in rule["ports"]} & set(removal.ports)]
    assert len(kept) < len(rules), f"no rule for {removal.ports} in {rules}"
    world.cluster.patch(policy, {"spec": {removal.direction: kept}})
