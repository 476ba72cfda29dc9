# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cilium, with API servers on nodes: no address block matches them there, and the role knows."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from enforced.probes import C2, needed
from enforced.table import REACHED, Case, Table
from enforced.test_question import FAILED, cause
from enforced.waiting import ALLOW, QUICK
from enforced.waiting import ENTITY as API
from enforced.worlds import Playbooks, Unrestricted, World
from lab import objects
from lab.client import Manifest
from lab.cluster import isolation
from lab.cluster.addresses import API_PORT, API_SERVERS, API_SERVICE
from lab.cluster.cilium import MACHINE_SETTINGS, api_server_nodes, change_setting
from lab.cluster.clients import CLIENT_PORT
from lab.cluster.cluster import Cluster
from lab.cluster.engines import CILIUM
from lab.cluster.ignite import LABELS, Ignite, started
from lab.processes import wait_until

pytestmark = pytest.mark.only(CILIUM.name)

ENTITY = "netguard-ignite-allow-api-server"
MATCH_MODE = "policy-cidr-match-mode"
FAIL_SECONDS = 90.0
TURN_SECONDS = 10.0
SERVERS = {f"API server {number}": f"tcp://{address}:{API_PORT}" for number, address in enumerate(API_SERVERS)}
API_TARGETS = {**SERVERS, "API server's Service": f"tcp://{API_SERVICE}:443"}


def test_the_plain_form_cuts_ignite_off(world: World, playbooks: Playbooks, table: Table, free: Unrestricted) -> None:
    """The same policies that are right elsewhere; the user has to insist on them."""
    ignite = Ignite(world.namespace("plain"), replicas=1, syn_retries=QUICK)
    playbooks.lockdown(ignite.namespace, accept_no_pods=True, api_form="endpoints")
    world.deploy(ignite)
    with table.case("ipBlock of the API server") as case:
        spec = _read(world, "networking.k8s.io/v1", "NetworkPolicy", ALLOW, ignite.namespace)["spec"]
        blocks = [peer["ipBlock"]["cidr"] for rule in spec["egress"] for peer in rule["to"] if "ipBlock" in peer]
        case.record("addresses in the policy", " ".join(f"{one}/32" for one in API_SERVERS), " ".join(sorted(blocks)))
        case.record("CiliumNetworkPolicies", "0", str(len(world.cluster.list(*API, ignite.namespace))))
        place = world.cluster.pod(world.addresses(ignite)[0])
        seen, control = world.cluster.probe_all([(one, list(API_TARGETS.values())) for one in (place, free.place)])
        case.blocked(seen, control, API_TARGETS)
        case.cell("1 node", "not started: timed out", lambda: _failure(world, ignite))


def test_the_role_names_the_api_server(world: World, playbooks: Playbooks, table: Table, free: Unrestricted) -> None:
    """What the role chooses by itself; update, audit and removal know of it too."""
    ignite = Ignite(world.namespace("entity"), replicas=2)
    playbooks.lockdown(ignite.namespace, accept_no_pods=True)
    world.deploy(ignite)
    with table.case("role's own form") as case:
        made = _read(world, *API, ENTITY, ignite.namespace)
        default = made["spec"]["enableDefaultDeny"]
        case.record(
            "isolates by itself", "in no direction", "in no direction" if not any(default.values()) else default
        )
        valid = [one["status"] for one in made["status"]["conditions"] if one["type"] == "Valid"]
        case.record("valid, says Cilium's operator", "True", " ".join(valid))
        case.cell("2 nodes", "servers=2", lambda: world.formed(ignite))
        first, second = world.addresses(ignite)
        place = world.cluster.pod(first)
        ways = {**needed(second), **API_TARGETS}
        case.reached(world.cluster.probe(place, list(ways.values())), ways)
        case.record("roll back", "done", "done", _roll_back(playbooks, ignite))
        left = [*world.cluster.list(*API, ignite.namespace), *_network_policies(world, ignite.namespace)]
        case.record("policies left", "none", ", ".join(one["metadata"]["name"] for one in left) or "none")
        case.cell("C&C, everything is open again", "connected", lambda: _in_time(world, place, C2, REACHED))


def test_apart_from_nodes_an_address_is_enough(world: World, playbooks: Playbooks, table: Table) -> None:
    """API servers that are no nodes, as with a managed control plane: the role needs no policy of Cilium's own."""
    ignite = Ignite(world.namespace("managed"), replicas=1)
    nodes = api_server_nodes()
    with table.case("API servers apart from nodes") as case:
        try:
            for one in nodes:
                world.cluster.delete(one)
            _works_by_address(case, world, playbooks, ignite)
        finally:
            world.cluster.create_all(nodes)


def test_with_match_mode_nodes_an_address_is_enough(world: World, playbooks: Playbooks, table: Table) -> None:
    ignite = Ignite(world.namespace("nodes"), replicas=1)
    with table.case("policy-cidr-match-mode: nodes") as case:
        try:
            change_setting(world.cluster, MATCH_MODE, "nodes")
            _works_by_address(case, world, playbooks, ignite)
        finally:
            change_setting(world.cluster, MATCH_MODE, "")


def test_an_address_block_matches_no_pod(world: World, table: Table, free: Unrestricted) -> None:
    namespace, target = world.namespace("block"), f"tcp://{free.neighbour}:{CLIENT_PORT}"
    place = world.client(namespace, LABELS)
    policy = objects.network_policy("one", namespace, {"podSelector": {}, "policyTypes": ["Egress"]})
    world.cluster.create(policy)
    with table.case("ipBlock of a pod") as case:
        for peer, expected in (
            ({"namespaceSelector": {}}, "connected"),
            ({"ipBlock": {"cidr": f"{free.neighbour}/32"}}, "timed out"),
        ):
            world.cluster.patch(policy, {"spec": {"egress": [{"to": [peer]}]}})
            case.cell(next(iter(peer)), expected, partial(_in_time, world, place, target, (expected,)))
        case.reached(world.cluster.probe(free.place, [target]), {"unrestricted pod": target})


def test_the_machine_keeps_its_settings(cluster: Cluster) -> None:
    """Cilium's agent sets some for the whole machine; here it sets what lies above them."""
    first = isolation.first_process(cluster.state.unshare)
    assert first is not None
    here, inside = (Path(f"/proc/{pid}/mounts").read_text() for pid in ("self", first.pid))
    for name in MACHINE_SETTINGS:
        assert f"/proc/sys/{name} " in inside
        assert f"/proc/sys/{name} " not in here


def test_its_policy_alone_only_adds(world: World, playbooks: Playbooks, table: Table, free: Unrestricted) -> None:
    """Ours goes first: until the NetworkPolicies come it must not cut off what runs. Without its switch it would."""
    locked, bare = world.namespace("locked"), world.namespace("bare")
    playbooks.lockdown(locked, accept_no_pods=True)
    spec = dict(_read(world, *API, ENTITY, locked)["spec"])
    address = world.client_address(bare, LABELS)
    place, target = world.cluster.pod(address), f"tcp://{address}:{CLIENT_PORT}"
    with table.case("CiliumNetworkPolicy alone") as case:
        _write(world, bare, spec)
        case.reached(world.cluster.probe(place, [C2]), {"C&C": C2})
        case.reached(world.cluster.probe(free.place, [target]), {"from another pod": target})
        _write(world, bare, {name: rules for name, rules in spec.items() if name != "enableDefaultDeny"})
        case.cell("C&C, without enableDefaultDeny", "timed out", lambda: _in_time(world, place, C2, ("timed out",)))
        case.reached(world.cluster.probe(place, list(SERVERS.values())), SERVERS)


def _works_by_address(case: Case, world: World, playbooks: Playbooks, ignite: Ignite) -> None:
    playbooks.lockdown(ignite.namespace, accept_no_pods=True)
    world.deploy(ignite)
    case.record("CiliumNetworkPolicies", "0", str(len(world.cluster.list(*API, ignite.namespace))))
    case.cell("1 node", "servers=1", lambda: world.formed(ignite))
    place = world.cluster.pod(world.addresses(ignite)[0])
    case.reached(world.cluster.probe(place, list(API_TARGETS.values())), API_TARGETS)


def _roll_back(playbooks: Playbooks, ignite: Ignite) -> float:
    """Back to before the first change."""
    return playbooks.run("rollback", ignite.namespace, rollback_revision="0", accept_unisolated_pods=True)


def _failure(world: World, ignite: Ignite) -> str:
    """How Ignite ends: whether it has started, and why it did not find its peers."""
    log = ""

    def failed() -> bool:
        nonlocal log
        (log,) = world.logs(ignite) or [""]
        return FAILED in log or started(log)

    wait_until(failed, FAIL_SECONDS, 0.5)
    return (
        f"{'started' if started(log) else 'not started'}: {cause(log) if FAILED in log else 'no message of a failure'}"
    )


def _in_time(world: World, place: list[str], target: str, wanted: tuple[str, ...]) -> str:
    """What a probe sees as soon as it is what is wanted, or after some time: Cilium takes a moment."""
    seen = ""

    def met() -> bool:
        nonlocal seen
        seen = world.cluster.probe(place, [target], 1.0)[target]
        return seen in wanted

    wait_until(met, TURN_SECONDS, 0.2)
    return seen


def _read(world: World, version: str, kind: str, name: str, namespace: str) -> Manifest:
    return world.cluster.read(objects.reference(version, kind, name, namespace))


def _network_policies(world: World, namespace: str) -> list[Manifest]:
    return world.cluster.list("networking.k8s.io/v1", "NetworkPolicy", namespace)


def _write(world: World, namespace: str, spec: Manifest) -> None:
    """Create or replace the policy, and wait until Cilium calls it valid."""
    policy = objects.reference(*API, ENTITY, namespace)
    if world.cluster.exists(policy):
        world.cluster.delete(policy)
    world.cluster.create({**policy, "spec": spec})

    def valid() -> bool:
        conditions = world.cluster.read(policy).get("status", {}).get("conditions", [])
        return {"type": "Valid", "status": "True"}.items() <= next(iter(conditions), {}).items()

    assert wait_until(valid, TURN_SECONDS, 0.2), json.dumps(world.cluster.read(policy))
