# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster whose pods, Services and nodes have IPv6 besides: what is closed is closed in both families."""

from __future__ import annotations

import subprocess
import sys
import typing as t
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from enforced.probes import KNOWN_NAME, unjudged
from enforced.table import DROPPED, REACHED, Table
from enforced.test_enforcement_canary import ENFORCED, deploy, fly, record, unseen
from enforced.worlds import Playbooks, World
from lab.cluster import life, listeners
from lab.cluster.addresses import (
    COMMAND_AND_CONTROL_PORT,
    DNS_PORT,
    OUTSIDE,
    OUTSIDE_ADDRESS,
    SECOND_OUTSIDE_ADDRESS,
)
from lab.cluster.clients import CLIENT_PORT
from lab.cluster.cluster import Cluster
from lab.cluster.engines import DEFAULT
from lab.cluster.ignite import LABELS
from lab.cluster.state import Options
from lab.objects import reference
from lab.processes import wait_until

pytestmark = pytest.mark.only(DEFAULT)  # the lab has no dual stack with another engine

LIFETIME_SECONDS = 900.0
FAMILIES = ("IPv4", "IPv6")


@pytest.fixture(scope="module")
def dual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of its own: the families of a cluster cannot change."""
    folder = tmp_path_factory.mktemp("dual") / "state"
    try:
        life.up(folder, Options(lifetime=LIFETIME_SECONDS, dual_stack=True))
        yield Cluster(folder)
    finally:
        life.down(folder)


@pytest.fixture
def world(dual: Cluster) -> Iterator[World]:
    made = World(dual)
    yield made
    made.close()


@pytest.fixture
def outside(dual: Cluster) -> Iterator[list[str]]:
    """The host outside, as a place; it listens on its second address too."""
    place = dual.host(OUTSIDE.name)
    listen = f"echo={SECOND_OUTSIDE_ADDRESS}:{COMMAND_AND_CONTROL_PORT}"
    command = [*place, sys.executable, "-I", "-u", str(Path(listeners.__file__)), listen]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "ready" in process.stdout.readline()
        yield place
        process.terminate()


def addresses(cluster: Cluster, namespace: str) -> list[str]:
    """Both addresses of the namespace's only pod, IPv4 first."""
    (pod,) = cluster.wait_pods(namespace, 1)
    return [entry["ip"] for entry in pod["status"]["podIPs"]]


def targets(pair: Sequence[str], port: int = CLIENT_PORT, scheme: str = "tcp", name: str = "") -> dict[str, str]:
    """A target in each family."""
    four, six = pair
    return {
        "IPv4": f"{scheme}://{four}:{port}/{name}",
        "IPv6": f"{scheme}://[{six}]:{port}/{name}",
    }


def seen(cells: Sequence[tuple[Sequence[str], str]]) -> list[str]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda cell: unjudged(*cell), cells))


def test_what_is_closed_is_closed_in_both_families(
    dual: Cluster, world: World, outside: list[str], table: Table, tmp_path: Path
) -> None:
    namespace, shop, other = (world.namespace(name) for name in ("servers", "shop", "other"))
    ignite, client, stranger = world.client(namespace, LABELS), world.client(shop), world.client(other)
    server = addresses(dual, namespace)
    assert [":" in address for address in server] == [False, True]
    service = dual.read(reference("v1", "Service", "kube-dns", "kube-system"))["spec"]["clusterIPs"]
    away = targets((OUTSIDE_ADDRESS, SECOND_OUTSIDE_ADDRESS), COMMAND_AND_CONTROL_PORT)
    cells: dict[str, tuple[list[str], dict[str, str], dict[str, str]]] = {
        "the client": (client, targets(server), dict.fromkeys(FAMILIES, "connected")),
        "a stranger": (stranger, targets(server), dict.fromkeys(FAMILIES, DROPPED)),
        "a host outside, allowed by IPv6": (outside, targets(server), {"IPv4": DROPPED, "IPv6": "connected"}),
        "out to a host outside": (ignite, away, dict.fromkeys(FAMILIES, DROPPED)),
        "out to the DNS": (
            ignite,
            targets(service, DNS_PORT, "dns+tcp", KNOWN_NAME),
            dict.fromkeys(FAMILIES, "answered"),
        ),
    }
    flat = [(name, family) for name in cells for family in FAMILIES]
    tries = [(cells[name][0], cells[name][1][family]) for name, family in flat]
    assert wait_until(lambda: all(outcome in REACHED for outcome in seen(tries)), 30, 0.5), seen(tries)
    clients: list[dict[str, t.Any]] = [
        {"name": "shop", "kind": "custom", "ports": [CLIENT_PORT], "namespaces": [shop]},
        {"name": "outside", "kind": "custom", "ports": [CLIENT_PORT], "cidrs": [f"{SECOND_OUTSIDE_ADDRESS}/128"]},
    ]
    Playbooks(dual, tmp_path).lockdown(namespace, clients=clients)
    with table.case("dual stack: locked down") as case:
        for (name, family), outcome in zip(flat, seen(tries), strict=True):
            case.record(f"{name}, {family}", cells[name][2][family], outcome)


def test_an_engine_that_is_blind_in_one_family_is_seen(dual: Cluster, world: World, table: Table) -> None:
    namespace = deploy(world)
    with table.case("dual stack, canary: enforced") as case:
        record(case, fly(dual, namespace)["nodes"][0], "enforced", **ENFORCED)
    with table.case("dual stack, canary: not in IPv6") as case, unseen(dual, program="ip6tables"):
        failure = fly(dual, namespace, deadline=3).failure
        case.record("code", "not_enforced", failure["code"])
        assert failure["why"].count("still works") == 2
