# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to a locked Ignite afterwards: restarts, scaling, lost pods, an API server that goes away."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from enforced.table import DROPPED, Case, Table
from enforced.worlds import Ignite, Playbooks, World
from lab import objects
from lab.client import Manifest
from lab.cluster.addresses import API_SERVERS, API_SERVICE, COMMAND_AND_CONTROL_PORT, OUTSIDE_ADDRESS
from lab.cluster.ignite import NAME, topology
from lab.processes import wait_until

C2 = f"tcp://{OUTSIDE_ADDRESS}:{COMMAND_AND_CONTROL_PORT}"
CHANGE_SECONDS = 180.0


def test_the_topology_heals(world: World, playbooks: Playbooks, table: Table) -> None:
    ignite = Ignite(world.namespace("heal"), replicas=2, rest=True)
    playbooks.lockdown(ignite.namespace, accept_no_pods=True)
    world.deploy(ignite)
    four = dataclasses.replace(ignite, replicas=4)
    with table.case("role: restarts and scaling") as case:
        case.cell("2 nodes", "servers=2", lambda: world.formed(ignite))
        for name, change, then in (
            ("pod deleted", lambda: _delete_first(world, ignite), ignite),
            ("rolling restart", lambda: _restart(world, ignite), ignite),
            ("scaled to 4", lambda: _scale(world, ignite, 4), four),
            ("scaled to 2", lambda: _scale(world, ignite, 2), ignite),
        ):
            _heals(case, world, name, change, then)


def test_an_api_server_goes_away(world: World, playbooks: Playbooks, table: Table) -> None:
    ignite = Ignite(world.namespace("rotate"), replicas=2)
    playbooks.lockdown(ignite.namespace, accept_no_pods=True)
    world.deploy(ignite)
    with table.case("API server's address rotates") as case:
        case.record("endpoints in the policy", " ".join(API_SERVERS), " ".join(_endpoints(world, ignite)))
        case.cell("2 nodes", "servers=2", lambda: world.formed(ignite))
        before = [topology(log) for log in world.logs(ignite)]
        world.cluster.stop("kube-apiserver-1")
        try:
            wait_until(lambda: _slice(world) == [API_SERVERS[0]], 30, 0.5)
            case.cell("run again", "done", lambda: f"done in {playbooks.lockdown(ignite.namespace):.1f} s")
            case.record("endpoints in the policy then", API_SERVERS[0], " ".join(_endpoints(world, ignite)))
            after = [topology(log) for log in world.logs(ignite)]
            case.record("topology version", "unchanged", "unchanged" if after == before else f"{before}, {after}")
            _heals(case, world, "pod restarted joins", lambda: _delete_first(world, ignite), ignite)
        finally:
            world.cluster.start("kube-apiserver-1")
            wait_until(lambda: _slice(world) == list(API_SERVERS), 60, 0.5)


def _heals(case: Case, world: World, name: str, change: Callable[[], None], ignite: Ignite) -> None:
    """Change something; the topology is whole again, and the way out still closed."""

    def observe() -> str:
        change()
        return world.formed(ignite, seconds=CHANGE_SECONDS)

    case.cell(name, f"servers={ignite.replicas}", observe)
    seen = {world.cluster.probe(world.cluster.pod(address), [C2])[C2] for address in world.addresses(ignite)}
    case.record(f"{name}: C&C", DROPPED, " ".join(sorted(seen)))


def _delete_first(world: World, ignite: Ignite) -> None:
    world.cluster.delete(objects.reference("v1", "Pod", f"{NAME}-0", ignite.namespace))


def _restart(world: World, ignite: Ignite) -> None:
    before = {pod["metadata"]["uid"] for pod in world.servers(ignite)}
    template = {"metadata": {"annotations": {"lab/restarted": "yes"}}}
    _change(world, ignite, {"template": template})
    wait_until(lambda: not before & {pod["metadata"]["uid"] for pod in world.servers(ignite)}, CHANGE_SECONDS, 1.0)


def _scale(world: World, ignite: Ignite, replicas: int) -> None:
    _change(world, ignite, {"replicas": replicas})
    wait_until(lambda: len(world.cluster.pods(ignite.namespace, ignite.labels)) == replicas, CHANGE_SECONDS, 0.5)


def _change(world: World, ignite: Ignite, spec: Manifest) -> None:
    world.cluster.patch(objects.reference("apps/v1", "StatefulSet", NAME, ignite.namespace), {"spec": spec})


def _endpoints(world: World, ignite: Ignite) -> list[str]:
    """The API server's endpoints that the allow policy holds."""
    policies = world.cluster.list("networking.k8s.io/v1", "NetworkPolicy", ignite.namespace)
    blocks = {
        peer["ipBlock"]["cidr"].removesuffix("/32")
        for policy in policies
        for rule in policy["spec"].get("egress", [])
        for peer in rule.get("to", [])
        if "ipBlock" in peer
    }
    return sorted(blocks - {API_SERVICE})  # where the engine is not known, the Service address is in it, too


def _slice(world: World) -> list[str]:
    found = world.cluster.read(objects.reference("discovery.k8s.io/v1", "EndpointSlice", "kubernetes", "default"))
    return sorted(address for endpoint in found.get("endpoints") or [] for address in endpoint["addresses"])
