# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule of the allow policy is needed: without it, what it is for does not work."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from enforced.differences import OF
from enforced.probes import dns
from enforced.table import REACHED, Case, Table
from enforced.waiting import ALLOW, SPLIT, STOPS, Waiting
from enforced.worlds import Playbooks, World, thin_client, thin_clients
from lab import objects
from lab.client import Manifest
from lab.cluster.addresses import API_PORT, API_SERVERS, API_SERVICE, DNS_SERVICE
from lab.cluster.ignite import COMMUNICATION, DISCOVERY, THIN_CLIENT, Ignite
from lab.processes import wait_until

WAIT_SECONDS = 75.0
NOTHING = "nothing"
PROBE_SECONDS = 1.0
TURN_SECONDS = 10.0
REACH_SECONDS = 1.0  # until a change has reached the engine; what turns is waited for


def test_each_rule_is_needed(removals: Waiting, table: Table) -> None:
    """All side by side: each namespace lacks one part of the policy since before its Ignite started."""
    with table.case("a rule removed") as case:
        for name, ignite in removals.clusters.items():
            # What shall not start has to stay so until the last moment.
            left = removals.began + WAIT_SECONDS - time.monotonic()
            seen = _seen(removals.world, ignite, removals.expected[name], max(1.0, left))
            case.record(name, removals.expected[name], seen, time.monotonic() - removals.began)
    removals.world.close()


def test_each_part_of_a_rule_has_its_own_probe(world: World, playbooks: Playbooks, table: Table) -> None:
    """Of a running Ignite: without a peer of a rule its own probe is dropped and no other; with it again, none is."""
    ignite, shop = Ignite(world.namespace("without"), replicas=2), world.namespace("shop")
    playbooks.lockdown(ignite.namespace, accept_no_pods=True, clients=thin_clients(shop))
    world.deploy(ignite)
    policy = objects.reference("networking.k8s.io/v1", "NetworkPolicy", ALLOW, ignite.namespace)
    with table.case("a part of a rule removed") as case:
        case.cell("2 nodes", "servers=2", lambda: world.formed(ignite))
        client, (first, second) = world.client(shop), world.addresses(ignite)
        case.cell("thin client", "read what was written", lambda: thin_client(client, first))
        # Engines judge after the Service's address was translated, so that nothing needs a rule for it.
        by_address = OF[table.engine].address_matches_nodes
        idle = {f"{address}/32" for address in (API_SERVICE, *(() if by_address else API_SERVERS))}
        probes = Probes(world, world.cluster.pod(first), client, first, second)
        case.cell("whole policy", NOTHING, lambda: probes.dropped(NOTHING))
        for part in _parts(world.cluster.read(policy)["spec"]):
            expected = NOTHING if part.block in idle else part.connection
            world.cluster.patch(policy, {"spec": {part.direction: part.rest}})
            if expected == NOTHING:
                time.sleep(REACH_SECONDS)
                probes.api_service(case)
            case.cell(f"{part.direction} {part.connection}", expected, partial(probes.dropped, expected))
            world.cluster.patch(policy, {"spec": {part.direction: part.whole}})
            assert probes.dropped(NOTHING) == NOTHING, f"{part} does not get through again"


@dataclass(frozen=True)
class Part:
    """A peer of a rule, the connections that it lets through, and the rules with and without it."""

    direction: str
    connection: str
    block: str
    whole: list[Manifest]
    rest: list[Manifest]


def _parts(spec: Manifest) -> Iterator[Part]:
    for direction, side in (("ingress", "from"), ("egress", "to")):
        rules: list[Manifest] = spec[direction]
        for number, rule in enumerate(rules):
            (port,) = rule["ports"]
            for peer in rule[side]:
                others = [other for other in rule[side] if other != peer]
                kept = [{**rule, side: others}] if others else []
                block = peer.get("ipBlock", {}).get("cidr", "")
                connection = f"{port['protocol']} {port['port']} {block or 'pods'}"
                yield Part(direction, connection, block, rules, [*rules[:number], *kept, *rules[number + 1 :]])


class Probes:
    """The connections that the policy is for: those of the first pod, and the client's to it.

    Between peers a connection needs the rule for its way out and that for its way in, so both have the same probe.
    """

    def __init__(self, world: World, place: list[str], client: list[str], first: str, second: str) -> None:
        self._world, self._place, self._client = world, place, client
        self._from_client = {f"TCP {THIN_CLIENT} pods": f"tcp://{first}:{THIN_CLIENT}"}
        self._from_first = {
            f"TCP {DISCOVERY} pods": f"tcp://{second}:{DISCOVERY}",
            f"TCP {COMMUNICATION} pods": f"tcp://{second}:{COMMUNICATION}",
            **{f"TCP {API_PORT} {address}/32": f"tcp://{address}:{API_PORT}" for address in API_SERVERS},
            **{f"{name.rpartition(' ')[2].upper()} 53 pods": target for name, target in dns(DNS_SERVICE).items()},
        }

    def dropped(self, expected: str) -> str:
        """The connections that are dropped, as soon as they are those that are expected, or after some time."""
        seen = ""

        def met() -> bool:
            nonlocal seen
            seen = ", ".join([*self._now(self._place, self._from_first), *self._now(self._client, self._from_client)])
            seen = seen or NOTHING
            return seen == expected

        wait_until(met, TURN_SECONDS, 0.2)
        return seen

    def api_service(self, case: Case) -> None:
        """Record that the API server answers under the Service's address."""
        target = f"tcp://{API_SERVICE}:443"
        case.reached(self._world.cluster.probe(self._place, [target]), {f"TCP 443 {API_SERVICE}/32, without": target})

    def _now(self, place: list[str], targets: Mapping[str, str]) -> list[str]:
        seen = self._world.cluster.probe(place, list(targets.values()), PROBE_SECONDS)
        return [name for name, target in targets.items() if seen[target] not in REACHED]


def _seen(world: World, ignite: Ignite, expected: str, seconds: float) -> str:
    """What the nodes see: as soon as it is what is expected, or after that time; a node that hangs comes first."""
    servers = 1 if expected == SPLIT else ignite.replicas
    seen = world.formed(ignite, servers, seconds)
    return f"{STOPS} ({seen})" if STOPS in seen and seen != STOPS else seen
