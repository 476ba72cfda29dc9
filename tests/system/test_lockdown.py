# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole playbooks on the world of the question: first run, re-run, moving API servers, and the way back."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from harness import COLLECTIONS, run_playbook

from demo.playbooks import PlaybookFailedError, Playbooks
from lab import objects
from lab.control_plane import ControlPlane
from lab.environment import scrubbed_env
from lab.question import arrange_question

Json = dict[str, t.Any]

COLLECTION = COLLECTIONS / "ansible_collections" / "netguard" / "lockdown"
QUESTION = yaml.safe_load((COLLECTION / "playbooks" / "vars" / "question.yml").read_text(encoding="utf-8"))
ALLOW, DENY = "netguard-ignite-allow-servers", "netguard-ignite-deny-all"
REQUESTS_OF_A_CONVERGED_RUN = 12


class World:
    """A control plane with the question's objects, and the collection's playbooks pointed at it."""

    def __init__(self, plane: ControlPlane, scratch: Path, *, policies: bool = False) -> None:
        arrange_question(plane, policies=policies)
        self.plane, self._scratch = plane, scratch

    def lock_down(self, *, check: bool = False, **variables: t.Any) -> Json:
        return Playbooks(self.plane.kubeconfig, self._scratch).lockdown({**QUESTION, **variables}, check=check)

    def refused(self, **variables: t.Any) -> str:
        with pytest.raises(PlaybookFailedError) as caught:
            self.lock_down(**variables)
        return str(caught.value)

    def play(self, name: str, **variables: t.Any) -> str:
        """The output of another playbook, which has to succeed."""
        where = {"ignite_lockdown_namespace": "cache-ns"}
        env = scrubbed_env(self.plane.kubeconfig)
        done = run_playbook(f"netguard.lockdown.{name}", {**where, **variables}, env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def specs(self) -> dict[str, Json]:
        items = self.plane.list("networking.k8s.io/v1", "NetworkPolicy", "cache-ns")
        return {item["metadata"]["name"]: item["spec"] for item in items}

    def endpoint_blocks(self) -> dict[int, list[str]]:
        """Port to CIDR blocks of the allow policy's egress rules."""
        rules = [rule for rule in self.specs()[ALLOW]["egress"] if "ipBlock" in rule["to"][0]]
        return {rule["ports"][0]["port"]: sorted(peer["ipBlock"]["cidr"] for peer in rule["to"]) for rule in rules}


def test_the_question_is_locked_down_once_and_then_left_alone(
    start_plane: t.Callable[..., ControlPlane], tmp_path: Path
) -> None:
    plane = start_plane()
    world = World(plane, tmp_path, policies=True)
    by_hand = world.specs()
    mark = plane.mark()

    planned = world.lock_down(check=True)
    assert planned["changed"]
    assert [str(event) for event in plane.audit(mark) if event.write] == []
    assert world.specs() == by_hand

    done = world.lock_down(ignite_lockdown_expected_digest=planned["digest"])
    assert [(change["action"], change["name"]) for change in done["plan"]] == [
        ("create", ALLOW),
        ("create", DENY),
        ("replace", "deny-all-ingress-in-cache-ns"),
        ("replace", "netpol-cache-ns"),
    ]
    assert sorted(world.specs()) == [ALLOW, DENY]
    assert {pod["name"] for pod in done["preflight"]["pods"]} == {"ignite-0", "ignite-1"}

    mark = plane.mark()
    again = world.lock_down()
    requests = plane.audit(mark)
    assert not again["changed"]
    assert set(again) == set(done)
    assert [str(event) for event in requests if event.mutating] == []
    assert len(requests) <= REQUESTS_OF_A_CONVERGED_RUN

    world.play("rollback", ignite_lockdown_accept_unisolated_pods=True)
    assert world.specs() == by_hand


def test_the_policy_follows_the_api_servers(two_servers: ControlPlane, tmp_path: Path) -> None:
    world = World(two_servers, tmp_path)
    port = two_servers.port
    world.lock_down(ignite_lockdown_api_form="endpoints")
    assert world.endpoint_blocks() == {port: ["192.0.2.1/32", "192.0.2.2/32"]}

    two_servers.stop_server(1)
    two_servers.wait_endpoints(["192.0.2.1"])
    try:
        moved = world.lock_down(ignite_lockdown_api_form="endpoints")
    finally:
        two_servers.start_server(1)
    assert moved["changed"]
    assert [loss for change in moved["plan"] for loss in change["losses"]] == [
        f"pods [app=ignite] open TCP {port} to 192.0.2.2/32"
    ]
    assert world.endpoint_blocks() == {port: ["192.0.2.1/32"]}


def test_a_slice_that_cannot_be_trusted_leaves_the_policies_as_they_were(
    start_plane: t.Callable[..., ControlPlane], tmp_path: Path
) -> None:
    plane = start_plane(endpoint_reconciler="none", ip_family="ipv6")
    world = World(plane, tmp_path)
    own = _api_slice("kubernetes", ["2001:db8:1::1", "2001:db8:1::2"])
    plane.create(own)
    world.lock_down(ignite_lockdown_api_form="endpoints")
    assert world.endpoint_blocks() == {6443: ["2001:db8:1::1/128", "2001:db8:1::2/128"]}
    before = world.specs()
    mark = plane.mark()

    planted = _api_slice("planted", ["2001:db8:bad::1"])
    plane.create(planted)
    assert "planted" in world.refused(ignite_lockdown_api_form="endpoints")
    plane.delete(planted)

    plane.patch(own, {"endpoints": []})
    assert "EndpointSlice default/kubernetes" in world.refused(ignite_lockdown_api_form="endpoints")

    plane.delete(own)
    assert "default/kubernetes" in world.refused(ignite_lockdown_api_form="endpoints")
    assert world.specs() == before
    assert [str(event) for event in plane.audit(mark) if event.mutating] == []


def _api_slice(name: str, addresses: list[str]) -> Json:
    """A slice as kube-apiserver writes it: managed by nobody else."""
    ports = [{"name": "https", "protocol": "TCP", "port": 6443}]
    written = objects.endpoint_slice(name, "default", service="kubernetes", addresses=addresses, ports=ports)
    del written["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"]
    return written
