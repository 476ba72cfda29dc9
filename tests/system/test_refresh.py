# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refresh and drift, as playbooks: what moved is followed and told apart from everything else."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from harness import COLLECTIONS, run_playbook

from lab import objects
from lab.control_plane import ControlPlane
from lab.environment import scrubbed_env
from lab.question import arrange_question

Json = dict[str, t.Any]

COLLECTION = COLLECTIONS / "ansible_collections" / "netguard" / "lockdown"
QUESTION = yaml.safe_load((COLLECTION / "playbooks" / "vars" / "question.yml").read_text(encoding="utf-8"))
ALLOW, DENY = "netguard-ignite-allow-servers", "netguard-ignite-deny-all"
BOTH, ONE = ["192.0.2.1/32", "192.0.2.2/32"], ["192.0.2.1/32"]
# One more than lockdown: the policies themselves remember endpoints that have gone.
REQUESTS_OF_A_CONVERGED_RUN = 13
KEEP = """
- name: Run a playbook of the collection
  ansible.builtin.import_playbook: netguard.lockdown.{name}

- name: Keep the result
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Write the result
      ansible.builtin.copy:
        content: "{{{{ ignite_lockdown_result | to_json }}}}"
        dest: {result}
        mode: "0600"
      check_mode: false
"""


class World:
    """Two API servers, the question's Ignite locked down, and the playbooks pointed at it."""

    def __init__(self, plane: ControlPlane, scratch: Path) -> None:
        self.plane, self._scratch = plane, scratch
        self.kubeconfig = plane.kubeconfig
        self.given = {**QUESTION, "ignite_lockdown_api_form": "endpoints"}
        self.said = ""

    def run(self, name: str, *arguments: str, **variables: t.Any) -> Json:
        """The result of a playbook that has to succeed."""
        playbook, result = self._scratch / f"{name}.yml", self._scratch / f"{name}.json"
        playbook.write_text(KEEP.format(name=name, result=result), encoding="utf-8")
        done = run_playbook(playbook, {**self.given, **variables}, self._env(), *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        self.said = done.stdout
        return t.cast("Json", json.loads(result.read_text(encoding="utf-8")))

    def refused(self, name: str, **variables: t.Any) -> str:
        done = run_playbook(f"netguard.lockdown.{name}", {**self.given, **variables}, self._env())
        assert done.returncode == 2, done.stdout + done.stderr
        return done.stdout.replace("\\n", "\n")

    def drift(self, **variables: t.Any) -> Json:
        """What the playbook drift reports, by policy; it is told not to fail."""
        found = self.run("drift", ignite_lockdown_fail_on_drift=False, **variables)["drift"]
        return {"class": found["class"], **{item["name"]: item for item in found["policies"]}}

    def blocks(self) -> list[str]:
        peers = [peer for rule in self.policy(ALLOW)["spec"]["egress"] for peer in rule["to"]]
        return sorted(peer["ipBlock"]["cidr"] for peer in peers if "ipBlock" in peer)

    def policy(self, name: str) -> Json:
        return self.plane.read(objects.reference("networking.k8s.io/v1", "NetworkPolicy", name, "cache-ns"))

    def versions(self) -> list[str]:
        return [self.policy(name)["metadata"]["resourceVersion"] for name in (ALLOW, DENY)]

    def _env(self) -> dict[str, str]:
        return scrubbed_env(self.kubeconfig)


@pytest.fixture(scope="module")
def question(two_servers: ControlPlane) -> ControlPlane:
    arrange_question(two_servers)
    return two_servers


@pytest.fixture
def world(question: ControlPlane, tmp_path: Path) -> World:
    """The namespace, locked down as the variables say."""
    made = World(question, tmp_path)
    made.run("lockdown")
    assert made.blocks() == BOTH
    return made


def test_the_policies_follow_their_targets_and_a_converged_run_writes_nothing(world: World) -> None:
    plane = world.plane
    mark = plane.mark()
    assert not world.run("refresh")["changed"]
    requests = plane.audit(mark)
    assert [str(event) for event in requests if event.mutating] == []
    assert len(requests) <= REQUESTS_OF_A_CONVERGED_RUN
    assert world.drift()["class"] == "none"

    plane.stop_server(1)
    plane.wait_endpoints(["192.0.2.1"])
    try:
        found = world.drift()
        assert (found["class"], found[ALLOW]["class"], found[DENY]["class"]) == (
            "targets_moved",
            "targets_moved",
            "none",
        )
        told = world.refused("drift")
        assert "is targets_moved: the API server or the DNS is elsewhere now" in told
        assert "Run refresh" in told

        noted = world.run("refresh")
        assert noted["changed"]
        assert world.blocks() == BOTH, "an endpoint that has just gone stays for a while"
        assert [change["action"] for change in noted["plan"]] == ["update", "none"]
        assert not world.run("refresh")["changed"]
        assert world.drift()["class"] == "none", "what is kept is no drift"

        later = world.run("refresh", ignite_lockdown_grace_seconds=1)
        assert world.blocks() == ONE
        assert later["plan"][0]["gains"] == []
        assert later["plan"][0]["losses"] == [f"pods [app=ignite] open TCP {plane.port} to 192.0.2.2/32"]
    finally:
        plane.start_server(1)
    plane.wait_endpoints(["192.0.2.1", "192.0.2.2"])
    assert world.run("refresh", "--check")["changed"]
    assert world.blocks() == ONE
    assert world.run("refresh")["changed"]
    assert world.blocks() == BOTH


def test_refresh_changes_nothing_but_targets(world: World) -> None:
    before = world.versions()
    other_flows: list[Json] = [
        {"ignite_lockdown_clients": []},
        {"ignite_lockdown_profile": "minimal", "ignite_lockdown_minimal_confirmed": True},
    ]
    for others in other_flows:
        told = world.refused("refresh", **others)
        assert "Refused to refresh instance ignite" in told, others
        assert "run lockdown" in told
        assert world.versions() == before
    assert world.drift(ignite_lockdown_clients=[])["class"] == "redefined"


def test_policies_of_clients_are_rendered_anew_and_their_owners_are_to_be_told(world: World) -> None:
    """They are never applied, so neither the digest of flows nor drift speaks of them."""
    plane, known = world.plane, world.given["ignite_lockdown_clients"]
    client = {"name": "shop", "kind": "thick", "namespaces": ["shop"], "reason": "the shop buys"}
    bare, helped = ({"ignite_lockdown_clients": [*known, {**client, "helper_policy": on}]} for on in (False, True))
    before = world.versions()
    told = world.refused("refresh", **helped)
    assert "its flows differ" in told
    assert "run lockdown" in told
    assert world.versions() == before
    world.run("lockdown", **bare)
    before = world.versions()
    assert not world.run("refresh", **helped)["changed"]
    assert world.drift(**helped)["class"] == "none"
    assert world.versions() == before
    plane.stop_server(1)
    plane.wait_endpoints(["192.0.2.1"])
    try:
        moved = world.run("refresh", **helped, ignite_lockdown_grace_seconds=0)
        assert (moved["changed"], world.blocks()) == (True, ONE)
        (policy,) = moved["client_policies"]
        cidrs = [
            peer["ipBlock"]["cidr"] for rule in policy["spec"]["egress"] for peer in rule["to"] if "ipBlock" in peer
        ]
        assert cidrs == ONE
        assert "if their owners have applied them: shop/ignite-ignite-client-shop. Give the owners" in world.said
        assert not plane.list("networking.k8s.io/v1", "NetworkPolicy", "shop")
    finally:
        plane.start_server(1)
    plane.wait_endpoints(["192.0.2.1", "192.0.2.2"])
    assert world.run("refresh", **bare)["changed"]
    assert "owners" not in world.said


def test_an_edit_is_told_with_its_author_and_not_refreshed(world: World) -> None:
    rule = [{"to": [{"ipBlock": {"cidr": "203.0.113.9/32"}}], "ports": [{"port": 443, "protocol": "TCP"}]}]
    deny = objects.reference("networking.k8s.io/v1", "NetworkPolicy", DENY, "cache-ns")
    world.plane.patch(deny, {"spec": {"egress": rule}}, field_manager="kubectl-edit")
    found = world.drift()
    assert found["class"] == "edited"
    assert found[DENY]["surplus"] == ["all pods open TCP 443 to 203.0.113.9/32"]
    assert [(item["manager"], item["fields"]) for item in found[DENY]["changed_by"]] == [
        ("kubectl-edit", ["spec.egress"])
    ]
    assert found[DENY]["changed_by"][0]["time"].startswith("20")
    assert "it was edited by kubectl-edit" in world.refused("refresh")

    allow = objects.reference("networking.k8s.io/v1", "NetworkPolicy", ALLOW, "cache-ns")
    world.plane.patch(allow, {"spec": {"egress": rule}}, field_manager="netguard.lockdown")
    found = world.drift()
    assert (found["class"], found[ALLOW]["class"]) == ("edited", "edited"), "an edit under our own name is one too"
    assert "it was edited by netguard.lockdown" in world.refused("refresh")


def test_drift_takes_rights_to_read_only(world: World) -> None:
    user, plane = "somebody-who-only-looks", world.plane
    world.kubeconfig = plane.user_kubeconfig(user)
    everywhere = [
        objects.rule(["list"], ["nodes", "services", "pods"]),
        objects.rule(["list"], ["endpointslices"], "discovery.k8s.io"),
        objects.rule(["list"], ["daemonsets"], "apps"),
        objects.rule(["get"], ["namespaces"], names=["kube-system"]),
    ]
    plane.grant(user, everywhere)
    plane.grant(
        user, [objects.rule(["get"], ["configmaps"], names=["kubelet-config", "kubeadm-config"])], "kube-system"
    )
    plane.grant(user, [objects.rule(["list"], ["networkpolicies"], "networking.k8s.io")], "cache-ns")
    record = "netguard-lockdown-ignite"
    assert record in world.refused("drift"), "what is missing is named"
    plane.grant(user, [objects.rule(["get"], ["configmaps"], names=[record])], "cache-ns")
    assert world.drift()["class"] == "none"


def test_missing_extra_and_foreign_policies_are_told_apart(world: World) -> None:
    plane = world.plane
    wide = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "by-hand", "namespace": "cache-ns"},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]},
    }
    plane.create(wide, field_manager="kubectl-create")
    try:
        found = world.drift()
        assert (found["class"], found["by-hand"]["class"]) == ("foreign", "foreign")
        assert found["by-hand"]["changed_by"][0]["manager"] == "kubectl-create"
        assert world.drift(ignite_lockdown_accept_foreign_policies=["by-hand"])["class"] == "none"
    finally:
        plane.delete(wide)
    deny = objects.reference("networking.k8s.io/v1", "NetworkPolicy", DENY, "cache-ns")
    plane.delete(deny)
    assert world.drift()[DENY]["class"] == "missing"
    assert "it does not exist" in world.refused("refresh")
    plane.create({**wide, "metadata": {"name": DENY, "namespace": "cache-ns"}}, field_manager="kubectl-create")
    found = world.drift(ignite_lockdown_accept_foreign_policies=[DENY])
    assert (found["class"], found[DENY]["class"]) == ("foreign", "foreign")
    assert "it has our name and is not ours" in found[DENY]["reason"]
    plane.delete(deny)
    world.run("lockdown")
