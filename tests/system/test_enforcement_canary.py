# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module enforcement_canary against a real API server without any node: bounded waits, and nothing left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import typing as t
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from harness import COLLECTIONS, Modules, Outcome, require_documented, run_playbook

from ansible_collections.netguard.lockdown.plugins.module_utils._core import canary_plan as plans
from ansible_collections.netguard.lockdown.plugins.modules.enforcement_canary import RETURN
from lab import objects
from lab.client import Manifest
from lab.control_plane import ControlPlane
from lab.processes import wait_until

Json = dict[str, t.Any]

IGNITE = {"app": "ignite"}
FILES = COLLECTIONS / "ansible_collections" / "netguard" / "lockdown" / "roles" / "ignite_lockdown" / "files"
WRITES = ("create", "delete", "patch", "update")
POLICIES = ("networking.k8s.io/v1", "NetworkPolicy")


class World:
    """A namespace with an Ignite pod on each of two nodes, which only the API server knows, and one for the canary."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self.plane, self.namespace, self.place = plane, namespace, f"canary-{uuid.uuid4().hex[:8]}"
        plane.create(objects.namespace(self.place, {"pod-security.kubernetes.io/enforce": "restricted"}))
        for number in range(2):
            plane.create(objects.pod(f"ignite-{number}", namespace, IGNITE, node_name=f"node-{number}"))

    def run(self, *, check: bool = False, kubeconfig: Path | None = None, **options: t.Any) -> Outcome:
        given = {"namespace": self.namespace, "pod_selector": {"matchLabels": IGNITE}, "start_timeout": 1, **options}
        return Modules(kubeconfig or self.plane.kubeconfig).run("enforcement_canary", given, check=check)

    def standing(self) -> list[Manifest]:
        """The canary's objects that nobody has begun to delete, in all namespaces."""
        kinds = (("v1", "Namespace", ""), ("v1", "Pod", self.place), (*POLICIES, self.place))
        found = [
            {"apiVersion": version, "kind": kind, **obj}
            for version, kind, place in kinds
            for obj in (self.plane.list(version, kind, place) if place else self.plane.list(version, kind))
        ]
        marked = [obj for obj in found if plans.RUN_LABEL in (obj["metadata"].get("labels") or {})]
        return [obj for obj in marked if "deletionTimestamp" not in obj["metadata"]]

    def leave(self, *, age: int) -> None:
        """What a killed run leaves behind, in both kinds of places, for so many seconds over its time."""
        mark = plans.Marks(uuid.uuid4().hex[:10], datetime.now(UTC) - timedelta(seconds=age), "a test")
        plan = plans.NodePlan("node-0", "ignite-0", objects.IMAGE, "IfNotPresent", (), (), 65534)
        self.plane.create(plans.namespace(mark))
        for body in (plans.pod(plan, mark, plans.DIALLER, 0, 60), *plans.policies(mark)):
            self.plane.create({**body, "metadata": {**body["metadata"], "namespace": self.place}})


@pytest.fixture
def world(plane: ControlPlane, namespace: str) -> Iterator[World]:
    made = World(plane, namespace)
    yield made
    for obj in made.standing():
        plane.delete(obj)


@pytest.mark.parametrize("given", [True, False])
def test_pods_that_never_start_are_a_bounded_wait_and_leave_nothing(world: World, given: bool) -> None:
    mark, began = world.plane.mark(), time.monotonic()
    options: Json = {"canary_namespace": world.place} if given else {}
    failure = world.run(**options).failure
    assert time.monotonic() - began < 30
    assert failure["code"] == "enforcement_unproven"
    assert "does not run within 1 s: the node's kubelet has not started it" in failure["why"]
    nodes = failure["details"]["nodes"]
    assert [(node["node"], node["verdict"]) for node in nodes] == [
        ("node-0", "inconclusive"),
        ("node-1", "inconclusive"),
    ]
    made = [event for event in world.plane.audit(mark) if event.verb == "create" and event.resource == "pods"]
    assert len(made) == 4
    assert {event.namespace == world.place for event in made} == {given}
    assert (failure["details"]["left_behind"], world.standing()) == ([], [])
    assert world.plane.exists(objects.namespace(world.place))


def test_an_unproven_canary_can_be_accepted(world: World) -> None:
    found = world.run(canary_namespace=world.place, accept_inconclusive=True)
    assert (found["verdict"], found["probed"], found["changed"]) == ("inconclusive", True, False)
    require_documented(found.result, RETURN, ["failure"], {"nodes.connections.denied_after_seconds"})


def test_check_mode_writes_nothing(world: World) -> None:
    world.leave(age=60)
    mark = world.plane.mark()
    found = world.run(check=True, canary_namespace=world.place)
    assert (found["probed"], found["verdict"], len(found["swept"])) == (False, "inconclusive", 3)
    assert [(node["node"], node["like"]) for node in found["nodes"]] == [("node-0", "ignite-0"), ("node-1", "ignite-1")]
    assert not [event for event in world.plane.audit(mark) if event.verb in WRITES]
    require_documented(found.result, RETURN, ["failure"], {"nodes.connections.denied_after_seconds"})


@pytest.mark.parametrize("given", [True, False])
def test_the_remains_of_a_killed_run_are_swept_when_they_have_expired(world: World, given: bool) -> None:
    world.leave(age=60)
    options: Json = {"accept_inconclusive": True, **({"canary_namespace": world.place} if given else {})}
    found = world.run(**options)
    assert found["changed"]
    assert len(found["swept"]) == (3 if given else 1)
    kinds = {obj["kind"] for obj in world.standing()}
    assert kinds == ({"Namespace"} if given else {"Pod", "NetworkPolicy"})
    assert not world.run(**options)["changed"]


def test_what_has_not_expired_or_is_not_ours_stays(world: World) -> None:
    world.leave(age=-60)
    labels = {plans.RUN_LABEL: "x", "app.kubernetes.io/managed-by": "netguard.lockdown"}
    foreign = objects.network_policy("somebodys", world.place, {"podSelector": {"matchLabels": {"a": "b"}}}, labels)
    foreign["metadata"]["annotations"] = {plans.EXPIRES_ANNOTATION: "2026-01-01T00:00:00Z"}
    unknown = objects.network_policy(f"{plans.PREFIX}x", world.place, {"podSelector": {}}, labels)
    world.plane.create_all([foreign, unknown])
    found = world.run(canary_namespace=world.place, accept_inconclusive=True)
    assert (found["swept"], found["changed"]) == ([], False)
    names = {obj["metadata"]["name"] for obj in world.standing()}
    assert {"somebodys", f"{plans.PREFIX}x"} < names
    assert len(names) == 6
    world.plane.delete(foreign)
    world.plane.delete(unknown)


def started(world: World) -> subprocess.Popen[str]:
    """A run that waits for its pods."""
    given = {"namespace": world.namespace, "pod_selector": {"matchLabels": IGNITE}, "canary_namespace": world.place}
    process = Modules(world.plane.kubeconfig).start("enforcement_canary", given)
    assert wait_until(lambda: len(world.standing()) == 4, 30, 0.1)
    return process


def test_an_interrupted_run_cleans_up(world: World) -> None:
    # In the background of a shell, interrupts are ignored, and a child would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = started(world)
    finally:
        signal.signal(signal.SIGINT, before)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert world.standing() == []


def test_a_killed_run_leaves_only_what_says_when_it_expires(world: World) -> None:
    process = started(world)
    process.kill()
    process.communicate()
    left = world.standing()
    assert [obj["kind"] for obj in left] == ["Pod"] * 4
    for obj in left:
        world.plane.patch(obj, {"metadata": {"annotations": {plans.EXPIRES_ANNOTATION: "2026-01-01T00:00:00Z"}}})
    assert len(world.run(canary_namespace=world.place, accept_inconclusive=True)["swept"]) == 4
    assert world.standing() == []


def test_a_namespace_that_refuses_the_pods_proves_nothing(world: World) -> None:
    limits = {"metadata": {"name": "large"}, "spec": {"limits": [{"type": "Container", "min": {"memory": "1Gi"}}]}}
    world.plane.api("POST", f"/api/v1/namespaces/{world.place}/limitranges", limits)
    failure = world.run(canary_namespace=world.place).failure
    assert failure["code"] == "enforcement_unproven"
    assert "its pods are refused" in failure["why"]
    assert world.standing() == []


def test_nothing_runs_yet(world: World) -> None:
    for number in range(2):
        world.plane.delete(objects.reference("v1", "Pod", f"ignite-{number}", world.namespace))
    mark = world.plane.mark()
    failure = world.run().failure
    assert failure["code"] == "enforcement_unproven"
    assert "no pod that policies apply to runs yet" in failure["why"]
    found = world.run(accept_inconclusive=True)
    assert (found["probed"], found["verdict"], found["nodes"]) == (False, "inconclusive", [])
    assert not [event for event in world.plane.audit(mark) if event.verb in WRITES]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"namespace": "not a name"}, "invalid_option", "namespace"),
        ({"canary_namespace": "not a name"}, "invalid_option", "canary_namespace"),
        ({"canary_namespace": "no-such-namespace"}, "api_not_found", "no-such-namespace"),
        ({"pod_selector": {"matchlabels": {}}}, "invalid_selector", "pod_selector"),
        ({"start_timeout": 0}, "invalid_option", "start_timeout"),
        ({"timeout": 0}, "invalid_option", "timeout"),
        ({"deadline": 0}, "invalid_option", "deadline"),
        ({"parallel": 65}, "invalid_option", "parallel"),
        ({"cluster_uid": "another"}, "wrong_cluster", "another"),
    ],
)
def test_bad_input_is_an_error(world: World, options: Json, code: str, words: str) -> None:
    failed = world.run(**options)
    assert failed.failure["code"] == code
    assert words in failed.result["msg"]
    assert world.standing() == []


@pytest.mark.parametrize("file", ["rbac-canary.yml", "rbac-canary-scratch.yml"])
def test_the_missing_rights_are_named_and_the_shipped_ones_are_enough_and_all_used(world: World, file: str) -> None:
    """No node is here: what runs in the pods, and reading one again after an attempt failed, is not reached."""
    plane, place, scratch = world.plane, world.place, "scratch" in file
    options: Json = {"accept_inconclusive": True, **({} if scratch else {"canary_namespace": place})}
    kubeconfig = plane.token_kubeconfig("netguard-lockdown", world.namespace)
    account = f"system:serviceaccount:{world.namespace}:netguard-lockdown"
    rules = [objects.rule(["get", "list"], ["namespaces"]), objects.rule(["list"], ["pods"])]
    plane.create_all(objects.grant(account, rules))
    failure = world.run(kubeconfig=kubeconfig, **options).failure
    assert failure["code"] == "canary_forbidden"
    assert f"files/{file}" in failure["next_step"]
    assert failure["details"]["rbac_rule"]["verbs"] == (["create"] if scratch else ["list"])

    text = (FILES / file).read_text(encoding="utf-8").replace("cache-ns", world.namespace)
    shipped = list(yaml.safe_load(text.replace("netguard-canary", place))["items"])
    plane.create_all(item for item in shipped if item["kind"] != "Namespace")
    # Those of this test only: the next one begins without them.
    bound = [item for item in shipped if item["kind"].startswith("ClusterRole")]
    try:
        mark = plane.mark()
        world.leave(age=60)
        assert world.run(kubeconfig=kubeconfig, **options)["swept"]
        events = [event for event in plane.audit(mark) if event.user == account]
    finally:
        for item in bound:
            plane.delete(item)
    assert [str(event) for event in events if event.code == 403] == []
    (role,) = [item for item in shipped if item["kind"] in ("Role", "ClusterRole")]
    granted = {(verb, name) for rule in role["rules"] for name in rule["resources"] for verb in rule["verbs"]}
    used = {(event.verb, event.resource) for event in events}
    inside = {("get", "pods/exec"), ("create", "pods/exec"), ("create", "networkpolicies")}
    assert granted - used == inside | ({("get", "pods")} if scratch else set())
    assert [obj for obj in world.standing() if obj["kind"] != "Namespace" and not scratch] == []


class TestRole:
    """The canary comes before the policies, and only when it is asked for."""

    def play(self, world: World, env: dict[str, str], *arguments: str, **variables: t.Any) -> tuple[int, str]:
        given = {
            "namespace": world.namespace,
            "profile": "minimal",
            "minimal_confirmed": True,
            "canary_namespace": world.place,
            "canary_start_timeout": "1",
            **variables,
        }
        named = {f"ignite_lockdown_{key}": value for key, value in given.items()}
        done = run_playbook("netguard.lockdown.lockdown", named, env, *arguments)
        return done.returncode, done.stdout + done.stderr

    def test_what_is_not_proven_stops_the_lock_down_before_its_first_write(
        self, world: World, env: dict[str, str]
    ) -> None:
        mark = world.plane.mark()
        code, output = self.play(world, env, canary="changes")
        assert code != 0
        assert "enforcement_unproven" in output
        written = {(event.namespace, event.resource) for event in world.plane.audit(mark) if event.verb in WRITES}
        assert (world.place, "pods") in written
        assert not [place for place, resource in written if place == world.namespace and resource != "networkpolicies"]
        assert world.plane.list(*POLICIES, world.namespace) == []

    def test_a_converged_run_asks_only_if_it_shall(self, world: World, env: dict[str, str]) -> None:
        for canary, flies in (("changes", True), ("changes", False), ("always", True), ("never", False)):
            mark = world.plane.mark()
            code, output = self.play(world, env, canary=canary, accept_unproven_canary="yes")
            assert code == 0, output
            made = [event for event in world.plane.audit(mark) if (event.verb, event.resource) == ("create", "pods")]
            assert bool(made) == flies, canary
        assert len(world.plane.list(*POLICIES, world.namespace)) == 2

    def test_check_mode_and_bad_words(self, world: World, env: dict[str, str]) -> None:
        mark = world.plane.mark()
        code, output = self.play(world, env, "--check", canary="changes", accept_unproven_canary=True)
        assert code == 0, output
        assert not [event for event in world.plane.audit(mark) if event.verb in WRITES and event.resource == "pods"]
        code, output = self.play(world, env, canary="sometimes")
        assert code != 0
        assert "ignite_lockdown_canary" in json.dumps(output)
