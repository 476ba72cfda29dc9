# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server's address rotates under a running Ignite, and Event-Driven Ansible lets the policies follow."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest
from rulebook import GOAL_SECONDS, LIMIT_SECONDS, Rulebook, record

from enforced.api_endpoints import endpoints, permitted
from enforced.background import Load
from enforced.table import REACHED, Table
from enforced.worlds import Playbooks, World, thin_clients
from lab import objects
from lab.cluster import engines
from lab.cluster.addresses import API_PORT, API_SERVERS
from lab.cluster.cluster import PROBE
from lab.cluster.ignite import NAME, Ignite
from lab.processes import wait_until

pytestmark = pytest.mark.only(engines.KUBE_NETWORK_POLICIES.name)

STAYS, LEAVES = API_SERVERS
ROTATIONS = 5  # each one is a slice that shrinks and a slice that grows
REJOIN_SECONDS = 120.0


def test_rotation(world: World, playbooks: Playbooks, table: Table, tmp_path: Path) -> None:
    ignite, shop = Ignite(world.namespace("follow"), replicas=2, backups=1), world.namespace("shop")
    given: dict[str, t.Any] = {"clients": thin_clients(shop), "api_form": "endpoints", "grace_seconds": 0}
    playbooks.lockdown(ignite.namespace, accept_no_pods=True, **given)
    world.deploy(ignite)
    variables = {f"ignite_lockdown_{name}": value for name, value in {"namespace": ignite.namespace, **given}.items()}
    rulebook = Rulebook(world.cluster.kubeconfig, tmp_path, variables)
    with table.case("rotation under Event-Driven Ansible") as case:
        case.cell("2 nodes", "servers=2", lambda: world.formed(ignite))
        place = world.cluster.pod(world.addresses(ignite)[1])
        repaired, unreached = [], []
        with rulebook.running(lockdown_interval_seconds=1):
            rulebook.until(lambda: rulebook.runs() == 1)
            try:
                with Load(world.client(shop), world.addresses(ignite)) as load:
                    for _ in range(ROTATIONS):
                        repaired.append(followed(world, ignite, rulebook, world.cluster.stop, [STAYS]))
                        repaired.append(followed(world, ignite, rulebook, world.cluster.start, [STAYS, LEAVES]))
                        unreached.append(repaired[-1] + reached(place))
                load.loses_nothing(case)
                world.cluster.stop("kube-apiserver-1")
                replaced(world, ignite)
                seen = world.formed(ignite, seconds=REJOIN_SECONDS)
                case.record("restarted meanwhile joins", f"servers={ignite.replicas}", seen)
                case.record("endpoints in the policy then", STAYS, " ".join(permitted(world, ignite)))
            finally:
                world.cluster.start("kube-apiserver-1")
                wait_until(lambda: endpoints(world) == list(API_SERVERS), LIMIT_SECONDS, 0.5)
        median = statistics.median(repaired)
        record(median, len(repaired))
        late = f"median {median:.1f} s of {', '.join(f'{each:.1f}' for each in repaired)}"
        case.record("policy repaired", "in time", "in time" if median <= GOAL_SECONDS else late, median)
        away = statistics.median(unreached)
        late = f"median {away:.1f} s of {', '.join(f'{each:.1f}' for each in unreached)}"
        case.record("new endpoint out of reach", "in time", "in time" if away <= GOAL_SECONDS else late, away)


def followed(
    world: World, ignite: Ignite, rulebook: Rulebook, change: Callable[[str], None], wanted: list[str]
) -> float:
    """Let the second API server go or come; the seconds from the slice that says so to the policy."""
    runs = rulebook.runs()
    change("kube-apiserver-1")
    assert wait_until(lambda: endpoints(world) == wanted, LIMIT_SECONDS, 0.05)
    began = time.monotonic()
    assert wait_until(lambda: permitted(world, ignite) == wanted, LIMIT_SECONDS, 0.05), rulebook.text()
    seconds = time.monotonic() - began
    rulebook.until(lambda: rulebook.runs() > runs)
    return seconds


def replaced(world: World, ignite: Ignite) -> None:
    """Delete the first pod, and wait for the one in its place."""
    pod = objects.reference("v1", "Pod", f"{NAME}-0", ignite.namespace)
    before = world.cluster.read(pod)["metadata"]["uid"]
    world.cluster.delete(pod)

    def is_another() -> bool:
        return before not in {one["metadata"]["uid"] for one in world.servers(ignite)}

    assert wait_until(is_another, REJOIN_SECONDS, 0.5)


def reached(place: list[str]) -> float:
    """Seconds until a pod reaches the endpoint that has come. No case: until then it may go either way."""
    target, began = f"tcp://{LEAVES}:{API_PORT}", time.monotonic()
    command = [*place, sys.executable, "-I", str(PROBE), "1.0", target]

    def answers() -> bool:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True)
        return json.loads(done.stdout)[target] in REACHED

    assert wait_until(answers, LIMIT_SECONDS, 0.05)
    return time.monotonic() - began
