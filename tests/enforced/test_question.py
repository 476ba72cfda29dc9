# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The question, reproduced: what its policies do to its Ignite on a real data plane."""

from __future__ import annotations

from datetime import datetime

import pytest

from enforced.probes import C2
from enforced.table import Case, Table
from enforced.waiting import QUICK, Waiting
from enforced.worlds import World, thin_client
from lab.cluster.ignite import DISCOVERY, NAME, Ignite, started, topology
from lab.processes import wait_until

FAILED = "Failed to retrieve Ignite pods IP addresses."
CAUSES = ("Connection timed out", "Operation timed out", "UnknownHostException", "Connection refused", "response code")
FAIL_SECONDS = 240.0


@pytest.mark.every_engine
def test_without_policies_it_works_and_reaches_the_outside(world: World, table: Table) -> None:
    ignite = Ignite(world.namespace("open"))
    world.deploy(ignite)
    with table.case("no policy") as case:
        case.cell("2 nodes", "servers=2", lambda: world.formed(ignite))
        case.reached(world.cluster.probe(world.cluster.pod(world.addresses(ignite)[0]), [C2]), {"C&C": C2})


def test_ingress_only_leaves_the_way_out_open(world: World, table: Table) -> None:
    ignite = Ignite(world.namespace("ingress"), replicas=1)
    world.cluster.create_all(world.question_policies("ingress-only", ignite.namespace))
    world.deploy(ignite)
    with table.case("ingress only, 1 pod") as case:
        case.cell("1 node", "servers=1", lambda: world.formed(ignite))
        (address,) = world.addresses(ignite)
        client = world.client(world.namespace("client", zone="somewhere-else"), {"app": "some-pod"})
        case.cell("thin client", "read what was written", lambda: thin_client(client, address))
        case.reached(world.cluster.probe(world.cluster.pod(address), [C2]), {"C&C": C2})


@pytest.mark.every_engine
def test_ingress_only_splits_the_cluster_silently(world: World, table: Table) -> None:
    ignite = Ignite(world.namespace("ingress"), replicas=2, syn_retries=QUICK)
    world.cluster.create_all(world.question_policies("ingress-only", ignite.namespace))
    world.deploy(ignite)
    with table.case("ingress only, 2 pods") as case:
        case.cell("each node alone", "servers=1", lambda: world.formed(ignite, servers=1))
        case.record("both say that they started", "yes", "yes" if all(map(started, world.logs(ignite))) else "no")
        first, second = world.addresses(ignite)
        target = f"tcp://{second}:{DISCOVERY}"
        seen, control = (world.cluster.probe(world.cluster.pod(place), [target]) for place in (first, second))
        case.blocked(seen, control, {"peer's discovery": target})


def test_no_egress_attempt_lets_it_start(attempts: Waiting, table: Table) -> None:
    """Side by side, each in its own namespace; all rules together with the kernel's own time-out."""
    open_ones = dict(attempts.clusters)

    def settled() -> bool:
        for name, ignite in list(open_ones.items()):
            (log,) = attempts.world.logs(ignite) or [""]
            if FAILED in log:
                _record(case, attempts, name, f"{'started' if started(log) else 'not started'}: {cause(log)}")
                del open_ones[name]
        return not open_ones

    with table.case("deny all and egress attempts") as case:
        wait_until(settled, FAIL_SECONDS, 1.0)
        for name, ignite in open_ones.items():
            (log,) = attempts.world.logs(ignite) or [""]
            _record(case, attempts, name, f"servers={topology(log)[1]}, no message of a failure")
    attempts.world.close()


def _record(case: Case, attempts: Waiting, name: str, observed: str) -> None:
    """Record what was seen, and how long Ignite tried before it said so."""
    ignite = attempts.clusters[name]
    (pod,) = attempts.world.cluster.pods(ignite.namespace, ignite.labels)
    log = attempts.world.cluster.pod_log(ignite.namespace, pod["metadata"]["name"], NAME, timestamps=True)
    case.record(name, f"not started: {attempts.expected[name]}", observed, tried_for(log))


def tried_for(log: str) -> float:
    """The seconds from the first line of a log with time stamps to the failure in it; 0 for none."""
    times = [datetime.fromisoformat(line.split(" ", 1)[0]) for line in log.splitlines() if FAILED in line]
    return (times[0] - datetime.fromisoformat(log.split(" ", 1)[0])).total_seconds() if times else 0.0


def cause(log: str) -> str:
    """Why the API server could not be asked, in the words of the first exception in the log."""
    text = log[log.index(FAILED) :]
    found = [(text.find(word), word) for word in CAUSES if word in text]
    return (
        min(found)[1].replace("Connection timed out", "timed out").replace("Operation timed out", "timed out")
        if found
        else "unknown"
    )
