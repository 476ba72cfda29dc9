# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry point verify: yes to what holds, and no to what only looks as if it did."""

from __future__ import annotations

import json
import typing as t

import pytest

from enforced.background import Session
from enforced.differences import OF
from enforced.table import Case, Table
from enforced.worlds import Playbooks, World, thin_clients
from lab import objects
from lab.cluster.addresses import COMMAND_AND_CONTROL_PORT, OUTSIDE_ADDRESS
from lab.cluster.ignite import DISCOVERY, Ignite
from lab.errors import LabError

ALLOW = "netguard-ignite-allow-servers"
C2 = f"{OUTSIDE_ADDRESS}:{COMMAND_AND_CONTROL_PORT}"
FORBIDDEN: dict[str, t.Any] = {
    "name": "command-server",
    "direction": "egress",
    "cidrs": [f"{OUTSIDE_ADDRESS}/32"],
    "port": COMMAND_AND_CONTROL_PORT,
    "reason": "where malware would report to",
}
NOBODY = "192.0.2.1"
DEADLINE = 20
TWO_RINGS = "the discovery connections form 2 rings"


class Verifier:
    """Runs the playbook against one Ignite and tells how it ended."""

    def __init__(self, world: World, playbooks: Playbooks) -> None:
        self._playbooks = playbooks
        namespace = world.namespace("control")
        world.client(namespace)
        (pod,) = world.cluster.pods(namespace)
        self._control = {"namespace": namespace, "pod": pod["metadata"]["name"]}

    def __call__(self, ignite: Ignite, **variables: t.Any) -> str:
        """ "pass", or the message of the failure in one line."""
        given = {"control_pod": self._control, "forbidden": [FORBIDDEN], "verify_deadline": DEADLINE, **variables}
        try:
            self._playbooks.run("verify", ignite.namespace, **given)
        except LabError as error:
            return " ".join(str(error).replace("\\n", " ").split())
        return "pass"


@pytest.fixture
def verify(world: World, playbooks: Playbooks) -> Verifier:
    return Verifier(world, playbooks)


@pytest.mark.every_engine
def test_what_holds_is_verified(world: World, playbooks: Playbooks, table: Table, verify: Verifier) -> None:
    ignite, shop = Ignite(world.namespace("verify"), replicas=3), world.namespace("shop")
    world.client(shop)
    clients = thin_clients(shop)
    playbooks.lockdown(ignite.namespace, accept_no_pods=True, clients=clients)
    world.deploy(ignite)
    world.formed(ignite)
    with table.case("verify: 3 nodes, standard") as case:
        case.cell("verdict", "pass", lambda: verify(ignite, clients=clients, expected_servers=3))
        case.record("revision", "1 verified", _revision(world, ignite))


def test_a_split_cluster_is_no_success(world: World, playbooks: Playbooks, table: Table, verify: Verifier) -> None:
    """The servers could not find each other when they started; now they could, but do not look any more."""
    ignite = Ignite(world.namespace("split"), replicas=2)
    playbooks.lockdown(ignite.namespace, accept_no_pods=True)
    _drop_rules(world, ignite, DISCOVERY)
    world.deploy(ignite)
    with table.case("verify: 47500 between peers denied") as case:
        case.cell("two clusters of one node", "servers=1", lambda: world.formed(ignite, servers=1))
        message = verify(ignite)
        _says(case, message, topology=TWO_RINGS, flow="Flow peers-discovery-out, allow", policy=f"{ALLOW} is not as")
    with table.case("verify: 47500 allowed again, the cluster still split") as case:
        playbooks.lockdown(ignite.namespace)
        message = verify(ignite)
        _says(case, message, topology=TWO_RINGS)
        case.record("flows", "work", "do not" if "Flow " in message else "work")
        case.record("revision", "2 applied", _revision(world, ignite))


def test_a_session_from_before_is_listed(world: World, playbooks: Playbooks, table: Table, verify: Verifier) -> None:
    ignite = Ignite(world.namespace("before"), replicas=2)
    world.deploy(ignite)
    world.formed(ignite)
    with table.case("verify: C&C session opened before the lock-down") as case:
        with Session(world, ignite) as session:
            playbooks.lockdown(ignite.namespace)
            case.record("session", OF[table.engine].open_session, session.state())
            _says(case, verify(ignite), session=C2, cure="kubectl rollout restart")
            case.cell("accepted", "pass", lambda: verify(ignite, accept_surviving_sockets=True))
        case.cell("closed", "pass", lambda: verify(ignite))


def test_policies_that_break_ignite_are_taken_back_on_request(
    world: World, playbooks: Playbooks, table: Table, verify: Verifier
) -> None:
    ignite = Ignite(world.namespace("restore"), replicas=2)
    playbooks.lockdown(ignite.namespace, accept_no_pods=True)
    world.deploy(ignite)
    world.formed(ignite)
    wrong = {"api_server_addresses": [NOBODY]}
    with table.case("verify: on_failure") as case:
        case.cell("good policies", "pass", lambda: verify(ignite))
        good = _spec(world, ignite)
        playbooks.lockdown(ignite.namespace, **wrong)
        bad = _spec(world, ignite)
        _says(case, verify(ignite, **wrong), keep="Flow api-server, allow")
        case.record("keep: policies", "stay", "stay" if _spec(world, ignite) == bad else "changed")
        _says(case, verify(ignite, **wrong, on_failure="restore"), restore="The policies of revision 1 are back")
        case.record("restore: policies", "back", "back" if _spec(world, ignite) == good else "not back")
        case.cell("then", "pass", lambda: verify(ignite))


def _says(case: Case, message: str, **words: str) -> None:
    """Record for each cell whether the message holds its words; pytest shows the message itself after a failure."""
    print(message)
    for cell, expected in words.items():
        case.record(cell, expected, expected if expected in message else "not said")


def _revision(world: World, ignite: Ignite) -> str:
    """Number and status of the newest revision in the undo record."""
    record = objects.reference("v1", "ConfigMap", "netguard-lockdown-ignite", ignite.namespace)
    newest = json.loads(world.cluster.read(record)["data"]["history.json"])["revisions"][-1]
    return f"{newest['number']} {newest['status']}"


def _spec(world: World, ignite: Ignite) -> dict[str, t.Any]:
    policy = objects.reference("networking.k8s.io/v1", "NetworkPolicy", ALLOW, ignite.namespace)
    return dict(world.cluster.read(policy)["spec"])


def _drop_rules(world: World, ignite: Ignite, port: int) -> None:
    """As if somebody had edited the policy by hand: without the rules for a port."""
    spec = _spec(world, ignite)
    for direction in ("ingress", "egress"):
        spec[direction] = [rule for rule in spec[direction] if port not in [item["port"] for item in rule["ports"]]]
    policy = objects.reference("networking.k8s.io/v1", "NetworkPolicy", ALLOW, ignite.namespace)
    world.cluster.patch(policy, {"spec": spec})
