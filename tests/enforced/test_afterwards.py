# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to a locked Ignite afterwards: restarts, scaling, lost pods, an API server that goes away."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import pytest

from enforced.api_endpoints import endpoints, permitted
from enforced.background import Load
from enforced.probes import calls_home, turned
from enforced.table import Case, Table
from enforced.worlds import Playbooks, Unrestricted, World, thin_clients
from lab import objects
from lab.client import Manifest
from lab.cluster.addresses import API_SERVERS
from lab.cluster.clients import CALL_HOME
from lab.cluster.ignite import NAME, Ignite, topology
from lab.processes import wait_until

CHANGE_SECONDS = 180.0
SETTLE_SECONDS = 2.0
OPEN_SECONDS = 10.0


@pytest.mark.every_engine
def test_the_topology_heals(world: World, playbooks: Playbooks, table: Table, free: Unrestricted) -> None:
    ignite = Ignite(world.namespace("heal"), replicas=2, rest=True, hacked=True)
    began, unlocked = time.time(), world.client_address(world.namespace("hacked"), command=CALL_HOME)
    playbooks.lockdown(ignite.namespace, accept_no_pods=True)
    world.deploy(ignite)
    four = dataclasses.replace(ignite, replicas=4)
    started: dict[str, float] = {}
    with table.case("role: restarts and scaling") as case:
        for name, change, then in (
            ("2 nodes", lambda: None, ignite),
            ("pod deleted", lambda: _delete_first(world, ignite), ignite),
            ("rolling restart", lambda: _restart(world, ignite), ignite),
            ("scaled to 4", lambda: _scale(world, ignite, 4), four),
            ("scaled to 2", lambda: _scale(world, ignite, 2), ignite),
        ):
            _heals(case, world, name, change, then, free)
            started |= _started(world, ignite)
        # Each pod has called from its first moment on, so that nothing gets through between two probes either. An
        # engine that is told of pods by the API server lets them through until then: recorded, for it is no policy's.
        at_first, later = calls_home(world, started, OPEN_SECONDS)
        case.record(f"C&C calls, a pod's first {OPEN_SECONDS:g} s", "", f"{at_first} by {len(started)} pods")
        case.record("C&C calls, later", "none", str(later or "none"))
        _, control = calls_home(world, {unlocked: began}, OPEN_SECONDS)
        case.record("C&C calls, later, unrestricted pod", "some", "some" if control else "none")


@pytest.mark.every_engine
def test_an_api_server_goes_away(world: World, playbooks: Playbooks, table: Table, free: Unrestricted) -> None:
    ignite, shop = Ignite(world.namespace("rotate"), replicas=2, backups=1), world.namespace("shop")
    variables = {"clients": thin_clients(shop)}
    playbooks.lockdown(ignite.namespace, accept_no_pods=True, **variables)
    world.deploy(ignite)
    with table.case("API server's address rotates") as case:
        case.record("endpoints in the policy", " ".join(API_SERVERS), " ".join(permitted(world, ignite)))
        case.cell("2 nodes", "servers=2", lambda: world.formed(ignite))
        before = [topology(log) for log in world.logs(ignite)]
        try:
            with Load(world.client(shop), world.addresses(ignite)) as load:
                world.cluster.stop("kube-apiserver-1")
                wait_until(lambda: endpoints(world) == [API_SERVERS[0]], 30, 0.5)
                case.record("run again", "done", "done", playbooks.lockdown(ignite.namespace, **variables))
                time.sleep(SETTLE_SECONDS)
            load.loses_nothing(case)
            case.record("endpoints in the policy then", API_SERVERS[0], " ".join(permitted(world, ignite)))
            after = [topology(log) for log in world.logs(ignite)]
            case.record("topology version", "unchanged", "unchanged" if after == before else f"{before}, {after}")
            restart, left = (lambda: _delete_first(world, ignite)), API_SERVERS[:1]
            _heals(case, world, "pod restarted joins", restart, ignite, free, left)
        finally:
            world.cluster.start("kube-apiserver-1")
            wait_until(lambda: endpoints(world) == list(API_SERVERS), 60, 0.5)


def _heals(
    case: Case,
    world: World,
    name: str,
    change: Callable[[], None],
    ignite: Ignite,
    free: Unrestricted,
    api: Sequence[str] = API_SERVERS,
) -> None:
    """Change something: the topology is whole again, and no probe of any pod turns."""

    def observe() -> str:
        change()
        return world.formed(ignite, seconds=CHANGE_SECONDS)

    case.cell(name, f"servers={ignite.replicas}", observe)
    ring = world.addresses(ignite)
    case.cell(f"{name}: probes that turned", "none", lambda: turned(world, ring, free, api))


def _started(world: World, ignite: Ignite) -> dict[str, float]:
    """When the containers of the pods with these addresses started."""
    return {
        pod["status"]["podIP"]: min(
            datetime.fromisoformat(one["state"]["running"]["startedAt"]).timestamp()
            for one in pod["status"]["containerStatuses"]
        )
        for pod in world.cluster.wait_pods(ignite.namespace, len(world.cluster.pods(ignite.namespace)), ignite.labels)
    }


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
