# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locking a RUNNING Ignite down: nothing is lost, and what the same load loses when it is done carelessly."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import typing as t
from collections.abc import Sequence
from pathlib import Path

import pytest

from enforced.table import Case, Table
from enforced.worlds import Ignite, Playbooks, World
from lab import objects
from lab.cluster.addresses import COMMAND_AND_CONTROL_PORT, OUTSIDE_ADDRESS
from lab.cluster.ignite import COMMUNICATION, DISCOVERY, LABELS, THIN_CLIENT, topology

LOAD = Path(__file__).with_name("load.py")
HOLD = Path(__file__).with_name("hold.py")
SETTLE_SECONDS = 3.0
APART_SECONDS = 2.0
Report = dict[str, dict[str, t.Any]]


def under_load(world: World) -> tuple[Ignite, str]:
    """A running Ignite of three nodes with no policy, and the namespace of its client."""
    ignite = Ignite(world.namespace("live"), replicas=3, backups=1, idle_connection_seconds=1)
    world.deploy(ignite)
    seen = world.formed(ignite)
    if seen != "servers=3":
        pytest.fail(f"the cluster did not form before the test: {seen}")
    return ignite, world.namespace("shop")


def clients(*namespaces: str) -> list[dict[str, t.Any]]:
    return [{"name": name, "kind": "thin", "namespaces": [name]} for name in namespaces]


def test_a_running_cluster_loses_nothing(world: World, playbooks: Playbooks, table: Table, free: list[str]) -> None:
    ignite, shop = under_load(world)
    place, other = world.client(shop), world.namespace("second")
    before = [topology(log) for log in world.logs(ignite)]
    with table.case("lock down, update, roll back under load") as case, Session(world, ignite) as session:
        with Load(place, world.addresses(ignite)) as load:
            for step, allowed in (("lock down", [shop]), ("update", [shop, other])):
                seconds = playbooks.lockdown(ignite.namespace, clients=clients(*allowed))
                case.record(step, "done", "done", seconds)
                time.sleep(SETTLE_SECONDS)
            case.record("roll back", "done", "done", playbooks.run("rollback", ignite.namespace))
            time.sleep(SETTLE_SECONDS)
        for kind, seen in load.report.items():
            lost = f"{seen['failed']} lost"
            case.record(f"{kind} connection", "0 lost", f"{lost} of {seen['operations']} {seen['error']}".strip())
            case.record(f"{kind} connection, longest gap", "", f"{seen['longest_gap']} s", seen["longest_gap"])
        after = [topology(log) for log in world.logs(ignite)]
        case.record("topology version", "unchanged", "unchanged" if after == before else f"{before}, then {after}")
        c2 = f"tcp://{OUTSIDE_ADDRESS}:{COMMAND_AND_CONTROL_PORT}"
        seen_c2 = world.cluster.probe(world.cluster.pod(world.addresses(ignite)[0]), [c2])
        case.blocked(seen_c2, world.cluster.probe(free, [c2]), {"new C&C session": c2})
        # Implementation-defined; this engine does not look at established connections again.
        case.record("C&C session opened before", "survives", session.state())


def test_control_deny_all_first(world: World, playbooks: Playbooks, table: Table) -> None:
    ignite, shop = under_load(world)
    with Load(world.client(shop), world.addresses(ignite)) as load:
        world.cluster.create_all(world.question_policies("deny-all", ignite.namespace))
        time.sleep(APART_SECONDS)
        playbooks.lockdown(ignite.namespace, clients=clients(shop), replace_policies=["deny-all-traffic-in-cache-ns"])
        time.sleep(SETTLE_SECONDS)
    with table.case("control: deny-all first") as case:
        _require_losses(case, load.report)


def test_control_split_allow_policies(world: World, table: Table) -> None:
    ignite, shop = under_load(world)
    peers = [{"podSelector": {"matchLabels": LABELS}}]
    users = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": shop}}}]
    ring = [{"port": port, "protocol": "TCP"} for port in (DISCOVERY, COMMUNICATION)]
    policies = {
        "peers": {"ingress": [{"from": peers, "ports": ring}]},
        "clients": {"ingress": [{"from": users, "ports": [{"port": THIN_CLIENT, "protocol": "TCP"}]}]},
    }
    with Load(world.client(shop), world.addresses(ignite)) as load:
        for name, rules in policies.items():
            spec = {"podSelector": {"matchLabels": LABELS}, "policyTypes": ["Ingress"], **rules}
            world.cluster.create(objects.network_policy(name, ignite.namespace, spec))
            time.sleep(APART_SECONDS)
        time.sleep(SETTLE_SECONDS)
    with table.case("control: split allow policies") as case:
        _require_losses(case, load.report)


def _require_losses(case: Case, report: Report) -> None:
    lost = sum(seen["failed"] for seen in report.values())
    case.record("operations lost", "some", f"some, {lost}" if lost else "none: the load notices nothing")


class Load:
    """Runs load.py from a place; `report` is there at the end."""

    def __init__(self, place: Sequence[str], addresses: Sequence[str]) -> None:
        self.report: Report = {}
        command = [*place, sys.executable, "-I", str(LOAD), *addresses]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Load:
        if self._child.stdout is None or self._child.stdout.readline() != "running\n":
            self._child.kill()
            pytest.fail("the load did not start")
        time.sleep(1.0)
        return self

    def __exit__(self, *_: object) -> None:
        text, _errors = self._child.communicate(timeout=60)
        self.report = json.loads(text)


class Session:
    """A connection from an Ignite pod to the C&C host, opened before any policy."""

    def __init__(self, world: World, ignite: Ignite) -> None:
        place = world.cluster.pod(world.addresses(ignite)[0])
        command = [*place, sys.executable, "-I", "-u", str(HOLD), OUTSIDE_ADDRESS, str(COMMAND_AND_CONTROL_PORT)]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Session:
        if self.state() != "survives":
            pytest.fail("the C&C session did not open")
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.communicate()

    def state(self) -> str:
        """Whether a message still comes back."""
        if self._child.stdin is None or self._child.stdout is None:
            return "closed"
        self._child.stdin.write("ping\n")
        self._child.stdin.flush()
        return self._child.stdout.readline().strip()
