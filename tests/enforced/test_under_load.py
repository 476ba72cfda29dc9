# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locking a RUNNING Ignite down: nothing is lost, and what the same load loses when it is done carelessly."""

from __future__ import annotations

import time

import pytest

from enforced.background import Load, Session
from enforced.differences import OF
from enforced.probes import C2
from enforced.table import Table
from enforced.worlds import Playbooks, Unrestricted, World, thin_clients
from lab import objects
from lab.cluster.ignite import COMMUNICATION, DISCOVERY, LABELS, THIN_CLIENT, Ignite, topology

pytestmark = pytest.mark.every_engine

SETTLE_SECONDS = 3.0
APART_SECONDS = 2.0


def under_load(world: World) -> tuple[Ignite, str]:
    """A running Ignite of three nodes with no policy, and the namespace of its client."""
    ignite = Ignite(world.namespace("live"), replicas=3, backups=1, idle_connection_seconds=1)
    world.deploy(ignite)
    seen = world.formed(ignite)
    if seen != "servers=3":
        pytest.fail(f"the cluster did not form before the test: {seen}")
    return ignite, world.namespace("shop")


def test_a_running_cluster_loses_nothing(world: World, playbooks: Playbooks, table: Table, free: Unrestricted) -> None:
    ignite, shop = under_load(world)
    place, other = world.client(shop), world.namespace("second")
    before = [topology(log) for log in world.logs(ignite)]
    with table.case("lock down, update, roll back under load") as case, Session(world, ignite) as session:
        with Load(place, world.addresses(ignite)) as load:
            for step, allowed in (("lock down", [shop]), ("update", [shop, other])):
                seconds = playbooks.lockdown(ignite.namespace, clients=thin_clients(*allowed))
                case.record(step, "done", "done", seconds)
                time.sleep(SETTLE_SECONDS)
            case.record("roll back", "done", "done", playbooks.run("rollback", ignite.namespace))
            time.sleep(SETTLE_SECONDS)
        load.loses_nothing(case)
        after = [topology(log) for log in world.logs(ignite)]
        case.record("topology version", "unchanged", "unchanged" if after == before else f"{before}, then {after}")
        seen = world.cluster.probe(world.cluster.pod(world.addresses(ignite)[0]), [C2])
        case.blocked(seen, world.cluster.probe(free.place, [C2]), {"new C&C session": C2})
        case.record("C&C session opened before", OF[table.engine].open_session, session.state())


def test_control_deny_all_first(world: World, playbooks: Playbooks, table: Table) -> None:
    ignite, shop = under_load(world)
    with Load(world.client(shop), world.addresses(ignite)) as load:
        world.cluster.create_all(world.question_policies("deny-all", ignite.namespace))
        time.sleep(APART_SECONDS)
        replaced = ["deny-all-traffic-in-cache-ns"]
        playbooks.lockdown(ignite.namespace, clients=thin_clients(shop), replace_policies=replaced)
        time.sleep(SETTLE_SECONDS)
    with table.case("control: deny-all first") as case:
        load.loses_some(case)


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
        load.loses_some(case)
