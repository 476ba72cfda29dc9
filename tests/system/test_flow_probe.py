# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module flow_probe against a real API server without any node: refusals, and ends that never answer."""

from __future__ import annotations

import time
import typing as t
from ipaddress import ip_address
from pathlib import Path

import pytest
from fake_servers import answering, silent
from harness import Modules, Outcome, require_documented

from ansible_collections.netguard.lockdown.plugins.module_utils._core.connection import resolve
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_plan import Place
from ansible_collections.netguard.lockdown.plugins.module_utils._kube import exec as execution
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.probe_life import BY_API_SERVER, Vantage
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from ansible_collections.netguard.lockdown.plugins.modules.flow_probe import RETURN
from lab import objects
from lab.control_plane import ControlPlane

Json = dict[str, t.Any]

IGNITE = {"app": "ignite"}
C2 = {
    "id": "c2",
    "direction": "egress",
    "subject": {"name": "servers", "pod_selector": {"matchLabels": IGNITE}},
    "peer": {"cidr": "203.0.113.10/32"},
    "protocol": "TCP",
    "port": 4444,
    "expect": "deny",
    "reason": "a host on the internet",
}
READ = [objects.rule(["get", "list"], ["namespaces", "pods", "nodes"])]
PLACE = execution.Container("cache-ns", "ignite-0", "main")


class World:
    """A namespace with a pod that only the API server knows."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self.plane, self.namespace = plane, namespace
        pod = objects.pod("ignite-0", namespace, IGNITE, ip="10.244.1.10")
        state = {"running": {"startedAt": "2026-11-22T14:00:00Z"}}
        status = {"name": "main", "image": objects.IMAGE, "imageID": "", "ready": True, "restartCount": 0}
        pod["status"]["containerStatuses"] = [{**status, "containerID": "containerd://1", "state": state}]
        plane.create(pod)

    def run(self, *, check: bool = False, kubeconfig: Path | None = None, **options: t.Any) -> Outcome:
        given = {"namespace": self.namespace, "flows": [C2], "default_forbidden": False, "deadline": 0, **options}
        return Modules(kubeconfig or self.plane.kubeconfig).run("flow_probe", given, check=check)


@pytest.fixture
def world(plane: ControlPlane, namespace: str) -> World:
    return World(plane, namespace)


def test_a_node_that_does_not_answer_is_inconclusive(world: World) -> None:
    began = time.monotonic()
    found = world.run()
    assert time.monotonic() - began < 60
    assert found["verdict"] == "inconclusive"
    assert {cell["flow"]: cell["observed"] for cell in found["cells"]} == {"c2": "failed", "open-sockets": "not_probed"}
    assert "node-1" in found["cells"][0]["why"]
    require_documented(found.result, RETURN, ["failure"], {"cells.to", "sockets.flow"})


def test_check_mode_starts_nothing(world: World) -> None:
    mark = world.plane.mark()
    found = world.run(check=True)
    assert (found["probed"], found["cells"], found["summary"]["cells"]) == (False, [], 1)
    assert {event.verb for event in world.plane.audit(mark)} == {"get", "list"}
    assert not [event for event in world.plane.audit(mark) if event.name == "ignite-0"]


@pytest.mark.parametrize("verbs", [[], ["get"]])
def test_the_missing_right_is_named_as_a_rule(world: World, verbs: list[str]) -> None:
    user = f"prober-{world.namespace}"
    world.plane.create_all(objects.grant(user, READ))
    if verbs:
        world.plane.create_all(objects.grant(user, [objects.rule(verbs, ["pods/exec"])], world.namespace))
    failure = world.run(kubeconfig=world.plane.user_kubeconfig(user)).failure
    assert failure["code"] == "api_forbidden"
    assert failure["details"]["rbac_rule"] == {
        "apiGroups": [""],
        "resources": ["pods/exec"],
        "verbs": ["create", "get"],
        "resourceNames": ["ignite-0"],
    }
    assert f"a Role in namespace {world.namespace}" in failure["next_step"]


def test_with_the_right_it_is_no_longer_refused(world: World) -> None:
    user = f"permitted-{world.namespace}"
    world.plane.create_all(objects.grant(user, READ))
    exec_rule = objects.rule(["create", "get"], ["pods/exec"])
    world.plane.create_all(objects.grant(user, [exec_rule], world.namespace))
    assert world.run(kubeconfig=world.plane.user_kubeconfig(user))["cells"][0]["observed"] == "failed"


def test_commands_are_started_as_the_impersonated_user(world: World) -> None:
    world.plane.create_all(objects.grant("someone", READ))
    failure = world.run(impersonate_user="someone").failure
    assert failure["code"] == "api_forbidden"
    assert 'User "someone"' in failure["why"]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"flows": []}, "invalid_option", "no flow"),
        ({"flows": [{**C2, "port": "http"}]}, "invalid_option", "flows[0].port"),
        ({"flows": [{**C2, "peer": {"target": "api_server"}, "port": None}]}, "invalid_option", "targets"),
        ({"flows": [C2, {**C2, "id": "other", "expect": "allow"}]}, "invalid_option", "opposite"),
        ({"timeout": 0}, "invalid_option", "timeout"),
        ({"deadline": -1}, "invalid_option", "deadline"),
        ({"parallel": 0}, "invalid_option", "parallel"),
        ({"max_pods_per_peer": 0}, "invalid_option", "max_pods_per_peer"),
        ({"namespace": "not a name"}, "invalid_option", "namespace"),
        ({"namespace": "default"}, "no_pods", "none is ready"),
        ({"control": {"namespace": "default", "pod": "nobody"}}, "control_missing", "no such pod"),
        ({"cluster_uid": "another"}, "wrong_cluster", "another"),
    ],
)
def test_bad_input_is_an_error(world: World, options: Json, code: str, words: str) -> None:
    failed = world.run(**options)
    assert failed.failure["code"] == code
    assert words in failed.result["msg"]


def session(kubeconfig: Path) -> Session:
    return Session(resolve({"kubeconfig": str(kubeconfig)}, {}), connect_timeout=2, request_timeout=2)


class TestExec:
    """The other side may be anything."""

    @pytest.mark.parametrize("handshake", [True, False])
    def test_a_server_that_never_answers(self, tmp_path: Path, handshake: bool) -> None:
        began = time.monotonic()
        with silent(handshake=handshake, folder=tmp_path) as fake, pytest.raises(LockdownError) as caught:
            execution.run(session(fake.kubeconfig), PLACE, ["true"], 3)
        assert caught.value.code in ("stream_timeout", "exec_lost")
        assert time.monotonic() - began < 6

    @pytest.mark.parametrize(
        ("status", "body", "code"),
        [
            (200, b"<html>Please log in</html>", "api_failed"),
            (302, b"", "api_failed"),
            (404, b'{"kind":"Status","message":"pods \\"ignite-0\\" not found"}', "container_missing"),
            (500, b"container not found", "container_missing"),
            (503, b"", "api_failed"),
        ],
    )
    def test_a_server_that_does_not_switch(self, tmp_path: Path, status: int, body: bytes, code: str) -> None:
        answer = (status, {"Location": "https://192.0.2.1/"}, body)
        with answering(tmp_path, answer) as fake, pytest.raises(LockdownError) as caught:
            execution.run(session(fake.kubeconfig), PLACE, ["sh", "-c", "a b"], 3)
        assert caught.value.code == code
        ((path, headers),) = fake.asked
        assert path.endswith("&command=sh&command=-c&command=a+b")
        assert headers["Authorization"] == "Bearer fake-token"
        assert "fake-token" not in str(caught.value)

    def test_a_server_that_nobody_vouches_for(self, plane: ControlPlane, tmp_path: Path) -> None:
        with answering(tmp_path, (200, {}, b"{}")) as fake:
            text = plane.kubeconfig.read_text().replace(plane.urls[0], fake.url)
            (tmp_path / "config").write_text(text)
            with pytest.raises(LockdownError, match="certificate"):
                execution.run(session(tmp_path / "config"), PLACE, ["true"], 3)
        assert fake.asked == []


@pytest.mark.parametrize(("status", "alive"), [(200, True), (401, True), (429, False), (502, False), (504, False)])
def test_what_answers_on_the_way_to_a_target_proves_no_life(tmp_path: Path, status: int, alive: bool) -> None:
    place = Place("pod", "ignite-0", "cache-ns", ip_address("10.244.1.10"), 4444)
    with answering(tmp_path, (status, {}, b"Too many requests, please try again later.")) as fake:
        found = Vantage(session(fake.kubeconfig), None, {}, None).baselines([place], 1, 1)[place]
    assert (found.by == BY_API_SERVER) is alive
