# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a canary consists of, how far its pods are, and its script for listening, run by what this machine has."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from probe_builders import pod

from ansible_collections.netguard.lockdown.plugins.module_utils._core import canary_listen, ownership
from ansible_collections.netguard.lockdown.plugins.module_utils._core import canary_plan as plans
from ansible_collections.netguard.lockdown.plugins.module_utils._core.canary_pods import FAILED, RUNS, WAITS, pod_state

Json = dict[str, t.Any]

NOW = datetime(2026, 11, 22, 14, 0, 0, tzinfo=UTC)
MARK = plans.marks("abc", NOW, 60, "a test")


def server(name: str, node: str, **spec: t.Any) -> Json:
    container = {"name": "ignite", "image": "registry.example.com/ignite:2.17.0"}
    return pod(name, "10.244.0.4", spec={"nodeName": node, "containers": [container], **spec})


def planned(**spec: t.Any) -> plans.NodePlan:
    (plan,) = plans.plan_nodes([server("ignite-0", "worker-1", **spec)])
    return plan


class TestPlan:
    def test_each_node_once_and_like_its_first_pod(self) -> None:
        pods = [server("ignite-2", "b"), server("ignite-1", "b"), server("ignite-0", "a")]
        assert [(plan.node, plan.pod) for plan in plans.plan_nodes(pods)] == [("a", "ignite-0"), ("b", "ignite-1")]

    def test_pods_without_a_node_or_without_policies_do_not_count(self) -> None:
        ended = {**server("ignite-2", "c"), "status": {"phase": "Succeeded"}}
        assert plans.plan_nodes([server("ignite-0", ""), server("ignite-1", "b", hostNetwork=True), ended]) == []

    def test_the_pods_look_like_ignites_and_may_do_nothing(self) -> None:
        toleration = {"key": "dedicated", "operator": "Equal", "value": "ignite", "effect": "NoExecute"}
        plan = planned(tolerations=[toleration], imagePullSecrets=[{"name": "registry"}])
        body = plans.pod(plan, MARK, plans.LISTENER, 0, 60)
        spec = body["spec"]
        assert spec["nodeName"] == "worker-1"
        assert spec["tolerations"] == [toleration]
        assert spec["imagePullSecrets"] == [{"name": "registry"}]
        assert spec["automountServiceAccountToken"] is False
        assert spec["restartPolicy"] == "Never"
        assert spec["activeDeadlineSeconds"] == 60
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 65534,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        (container,) = spec["containers"]
        assert container["image"] == "registry.example.com/ignite:2.17.0"
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert set(container["resources"]["limits"]) == set(container["resources"]["requests"]) == {"cpu", "memory"}

    @pytest.mark.parametrize(
        ("given", "wanted"), [("Never", "Never"), ("Always", "IfNotPresent"), ("IfNotPresent", "IfNotPresent")]
    )
    def test_an_image_that_the_node_has_is_not_pulled(self, given: str, wanted: str) -> None:
        container = {"name": "ignite", "image": "ignite", "imagePullPolicy": given}
        assert planned(containers=[container]).pull_policy == wanted

    def test_a_sidecar_is_not_ignite(self) -> None:
        containers = [{"name": "istio-proxy", "image": "proxy"}, {"name": "ignite", "image": "ignite"}]
        assert planned(containers=containers).image == "proxy"
        raw = server("ignite-0", "worker-1", containers=containers)
        raw["metadata"]["annotations"] = {"kubectl.kubernetes.io/default-container": "ignite"}
        assert plans.plan_nodes([raw])[0].image == "ignite"

    def test_openshift_chooses_the_user_itself(self) -> None:
        raw = server("ignite-0", "worker-1")
        raw["metadata"]["annotations"] = {"openshift.io/scc": "restricted-v2"}
        (plan,) = plans.plan_nodes([raw])
        assert "runAsUser" not in plans.pod(plan, MARK, plans.DIALLER, 0, 60)["spec"]["securityContext"]

    def test_no_object_can_be_taken_for_one_of_an_instance(self) -> None:
        objects = [plans.namespace(MARK), plans.pod(planned(), MARK, plans.DIALLER, 0, 60), *plans.policies(MARK)]
        for obj in objects:
            labels = obj["metadata"]["labels"]
            assert labels[plans.RUN_LABEL] == "abc"
            assert ownership.INSTANCE_LABEL not in labels
            assert obj["metadata"]["annotations"][plans.EXPIRES_ANNOTATION] == "2026-11-22T14:01:00Z"
            assert len(obj["metadata"]["name"]) <= 63
        assert objects[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"

    def test_each_policy_leaves_out_what_the_other_one_allows(self) -> None:
        ingress, egress = (policy["spec"] for policy in plans.policies(MARK))
        assert (ingress["policyTypes"], egress["policyTypes"]) == (["Ingress"], ["Egress"])
        into, out = ({port["port"] for port in rule["ports"]} for rule in (ingress["ingress"][0], egress["egress"][0]))
        assert set(plans.PORTS) - into == {plans.INGRESS_PORT}
        assert set(plans.PORTS) - out == {plans.EGRESS_PORT}
        for spec in (ingress, egress):
            assert spec["podSelector"]["matchLabels"][plans.RUN_LABEL] == "abc"


class TestLeftOvers:
    def obj(self, **metadata: t.Any) -> Json:
        return {"metadata": {**plans.policies(MARK)[0]["metadata"], **metadata}}

    def test_only_when_its_time_is_over(self) -> None:
        assert not plans.is_left_over(self.obj(), NOW + timedelta(seconds=60))
        assert plans.is_left_over(self.obj(), NOW + timedelta(seconds=61))

    @pytest.mark.parametrize(
        "metadata",
        [
            {"name": "somebodys"},
            {"labels": {}},
            {"labels": {plans.RUN_LABEL: "abc"}},
            {"labels": {plans.RUN_LABEL: "abc", ownership.MANAGED_BY_LABEL: "helm"}},
            {"annotations": {}},
            {"annotations": {plans.EXPIRES_ANNOTATION: "soon"}},
            {"deletionTimestamp": "2026-11-22T14:00:00Z"},
        ],
    )
    def test_nothing_that_is_not_known_to_be_one(self, metadata: Json) -> None:
        assert not plans.is_left_over(self.obj(**metadata), NOW + timedelta(days=1))


def status(phase: str = "Pending", *, addresses: bool = True, **state: Json) -> Json:
    found: Json = {"phase": phase, "podIPs": [{"ip": "10.244.0.4"}] if addresses else []}
    return {"status": {**found, "containerStatuses": [{"name": "canary", "state": state}]} if state else found}


class TestPodState:
    def test_it_runs_once_it_has_an_address(self) -> None:
        assert pod_state(status("Running", running={"startedAt": "x"})).state == RUNS
        assert pod_state(status("Running", addresses=False, running={"startedAt": "x"})).state == WAITS

    def test_it_may_still_start(self) -> None:
        assert pod_state({}).state == WAITS
        assert pod_state(status(waiting={"reason": "ContainerCreating"})).why.endswith("ContainerCreating")

    @pytest.mark.parametrize(
        ("raw", "words"),
        [
            (None, "deleted by somebody else"),
            (status(waiting={"reason": "ErrImageNeverPull", "message": "no image"}), "ErrImageNeverPull no image"),
            (status("Failed", terminated={"exitCode": 78}), "no python3, no nc of BusyBox and no java"),
            (status("Failed", terminated={"exitCode": 128, "message": 'exec: "sh" not found'}), '128: exec: "sh" not'),
            ({"status": {"phase": "Failed", "reason": "OutOfmemory", "message": "full"}}, "refused its pod: OutOfmem"),
            (status("Succeeded", terminated={"exitCode": 0, "reason": "Completed"}), "exit code 0: Completed"),
        ],
    )
    def test_it_never_will(self, raw: Json | None, words: str) -> None:
        state = pod_state(raw)
        assert state.state == FAILED
        assert words in state.why


# The nc of BusyBox, whatever other one this machine has.
SOURCES = {"nc": "busybox"}


def folder_with(folder: Path, *programs: str) -> dict[str, str]:
    """An environment that has only these programs and the shell."""
    for name in ("sh", *programs):
        found = os.path.realpath(sys.executable) if name == "python3" else shutil.which(SOURCES.get(name, name))
        if found is None:
            pytest.skip(f"this machine has no {name}")
        (folder / name).symlink_to(found)
    return {"PATH": str(folder)}


@contextlib.contextmanager
def listening(env: dict[str, str], ports: tuple[int, ...]) -> Iterator[None]:
    command = canary_listen.listen(ports)
    process = subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def free_ports() -> tuple[int, ...]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        return tuple(one.getsockname()[1] for one in sockets)


@pytest.mark.parametrize("programs", [("python3",), ("nc",), ("java",)])
def test_it_listens_on_every_port_with_what_the_image_has(tmp_path: Path, programs: tuple[str, ...]) -> None:
    env, ports = folder_with(tmp_path, *programs), free_ports()
    with listening(env, ports):
        deadline = time.monotonic() + 20
        for port in [*ports, *ports]:
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                assert time.monotonic() < deadline, port
                time.sleep(0.05)


def test_an_image_that_cannot_listen_says_so(tmp_path: Path) -> None:
    env = folder_with(tmp_path)
    ended = subprocess.run(canary_listen.listen((1024,)), env=env, capture_output=True, timeout=20, check=False)
    assert ended.returncode == canary_listen.NO_LISTENER


def test_the_dialler_ends_by_itself() -> None:
    began = time.monotonic()
    subprocess.run(canary_listen.idle(0), timeout=20, check=True)
    assert time.monotonic() - began < 10
