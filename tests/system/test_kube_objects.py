# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module kube_objects as the audit log sees it, and where a write fails between others."""

from __future__ import annotations

import typing as t

import pytest
from harness import Modules, Outcome

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.client import Transport
from ansible_collections.netguard.lockdown.plugins.module_utils._module.kube_objects import CONTRACT
from lab import objects
from lab.client import MERGE_PATCH
from lab.control_plane import ControlPlane

Json = dict[str, t.Any]

STATEFUL_SET: Json = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "ignite"},
    "spec": {
        "serviceName": "ignite",
        "selector": {"matchLabels": {"app": "ignite"}},
        "template": {
            "metadata": {"labels": {"app": "ignite"}},
            "spec": {
                "containers": [
                    {
                        "name": "ignite",
                        "image": objects.IMAGE,
                        "ports": [{"containerPort": 47500}],
                        "resources": {"limits": {"cpu": "1000m"}},
                        "env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
                    }
                ],
                "volumes": [{"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}],
            },
        },
        "volumeClaimTemplates": [
            {
                "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}},
            }
        ],
    },
}


def config_map(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}}


def run(
    plane: ControlPlane, namespace: str, *definitions: Json, check: bool = False, wait_timeout: float | None = None
) -> Outcome:
    given: Json = {"namespace": namespace, "instance": "ignite", "definitions": list(definitions)}
    given |= {"wait": False} if wait_timeout is None else {"wait": True, "wait_timeout": wait_timeout}
    return Modules(plane.kubeconfig).run("kube_objects", given, check=check)


@pytest.mark.parametrize("check", [False, True])
def test_what_stands_is_only_read(plane: ControlPlane, namespace: str, check: bool) -> None:
    wanted = [STATEFUL_SET, config_map("ignite")]
    assert run(plane, namespace, *wanted)["changed"]
    mark = plane.mark()
    assert not run(plane, namespace, *wanted, check=check)["changed"]
    assert [event.verb for event in plane.audit(mark)] == ["get"] * 4


def test_check_mode_stores_nothing(plane: ControlPlane, namespace: str) -> None:
    mark = plane.mark()
    planned = run(plane, namespace, STATEFUL_SET, check=True)
    assert (planned["changed"], planned["dry_run"]) == (True, "server")
    assert [str(event) for event in plane.audit(mark) if event.write] == []


def test_all_is_judged_before_anything_is_written(plane: ControlPlane, namespace: str) -> None:
    bad = {**STATEFUL_SET, "spec": {**STATEFUL_SET["spec"], "selector": {"matchLabels": {"app": "other"}}}}
    mark = plane.mark()
    failure = run(plane, namespace, config_map("ignite"), bad).failure
    assert (failure["code"], failure["details"]["written"]) == ("api_invalid", [])
    assert [str(event) for event in plane.audit(mark) if event.write] == []


@pytest.mark.parametrize("check", [False, True])
def test_nothing_is_written_into_what_is_being_deleted(plane: ControlPlane, namespace: str, check: bool) -> None:
    run(plane, namespace, config_map("going"))
    place = f"/api/v1/namespaces/{namespace}/configmaps/going"
    plane.api("PATCH", place, {"metadata": {"finalizers": ["test.example/hold"]}}, content_type=MERGE_PATCH)
    plane.api("DELETE", place)
    mark = plane.mark()
    assert run(plane, namespace, config_map("new"), config_map("going"), check=check).failure["code"] == "being_deleted"
    assert [str(event) for event in plane.audit(mark) if event.write] == []
    plane.api("PATCH", place, {"metadata": {"finalizers": None}}, content_type=MERGE_PATCH)


def test_a_write_that_fails_in_between_tells_what_stands(plane: ControlPlane, namespace: str) -> None:
    """Each dry run fits the quota, and both writes together do not."""
    quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
    plane.api("POST", quotas, {"metadata": {"name": "one"}, "spec": {"hard": {"count/configmaps": "1"}}})
    status = {"hard": {"count/configmaps": "1"}, "used": {"count/configmaps": "0"}}
    plane.api("PATCH", f"{quotas}/one/status", {"status": status}, content_type=MERGE_PATCH)
    failed = run(plane, namespace, config_map("first"), config_map("second"))
    assert failed.failure["details"]["written"] == ["ConfigMap/first"]
    assert "written before it, and kept: ConfigMap/first" in failed.failure["why"]
    assert "exceeded quota" in failed.failure["why"]
    assert plane.exists(objects.reference("v1", "ConfigMap", "first", namespace))


def test_a_pod_that_kubernetes_does_not_replace_is_to_be_deleted(plane: ControlPlane, namespace: str) -> None:
    """With policy OrderedReady, a pod that has never become ready holds up the revision that would."""
    run(plane, namespace, STATEFUL_SET)
    place = f"/apis/apps/v1/namespaces/{namespace}/statefulsets/ignite"
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "ignite", "controller": True}
    owner["uid"] = plane.api("GET", place)["metadata"]["uid"]
    labels = {"app": "ignite", "controller-revision-hash": "ignite-bad"}
    pod = {
        "metadata": {"name": "ignite-0", "labels": labels, "ownerReferences": [owner]},
        "spec": {"containers": [{"name": "ignite", "image": objects.IMAGE}]},
    }
    plane.api("POST", f"/api/v1/namespaces/{namespace}/pods", pod)
    status = {"observedGeneration": 1, "replicas": 1, "currentRevision": "ignite-bad", "updateRevision": "ignite-good"}
    plane.api("PATCH", f"{place}/status", {"status": status}, content_type=MERGE_PATCH)
    failed = run(plane, namespace, STATEFUL_SET, wait_timeout=0.1)
    assert failed.failure["code"] == "rollout_timeout"
    assert f"kubectl --namespace {namespace} delete pod ignite-0" in failed.failure["next_step"]


@pytest.mark.parametrize(("status", "code"), [(401, "api_unauthorized"), (503, "rollout_timeout")])
def test_a_wait_for_pods_outlives_a_busy_server_and_tells_what_stands(
    plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch, status: int, code: str
) -> None:
    def answer(self: Transport, method: str, target: str, *more: t.Any) -> t.Any:
        asked.append(f"{method} {target}")
        # The third one belongs to the wait: it looks once before, and the run once before it writes.
        if asked.count(wanted) == 3 and asked[-1] == wanted:
            return status, {}, b"no server is available"
        return send(self, method, target, *more)

    asked: list[str] = []
    wanted = f"GET /apis/apps/v1/namespaces/{namespace}/statefulsets/ignite"
    send = Transport.send
    monkeypatch.setattr(Transport, "send", answer)
    given = {"namespace": namespace, "instance": "ignite", "definitions": [STATEFUL_SET], "wait_timeout": 3.0}
    defaults = {name: option.get("default") for name, option in CONTRACT.spec.items()}
    with pytest.raises(LockdownError) as caught:
        CONTRACT.fulfil({**defaults, **given, "kubeconfig": str(plane.kubeconfig)}, check_mode=False)
    assert (caught.value.code, caught.value.details["written"]) == (code, ["StatefulSet/ignite"])
    assert caught.value.next_step.startswith("What was written stays: StatefulSet/ignite. ")
