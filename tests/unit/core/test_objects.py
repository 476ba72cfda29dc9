# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a workload: what a definition may be, when it stands, and who else may hold its fields."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.objects import plan, rollout
from ansible_collections.netguard.lockdown.plugins.module_utils._core.objects.compare import differences, same
from ansible_collections.netguard.lockdown.plugins.module_utils._core.objects.definition import prepare
from ansible_collections.netguard.lockdown.plugins.module_utils._core.objects.secrets import conceal, reveal

Json = dict[str, t.Any]

US, THEM = "netguard.lockdown", "kubectl-edit"
BEFORE, APPLIED, AFTER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"
LABELS = {"app.kubernetes.io/managed-by": US, "app.kubernetes.io/instance": "ignite"}
LABEL_FIELDS: Json = {f"f:{name}": {} for name in LABELS}


def prepared(*definitions: Json) -> list[Json]:
    return prepare(definitions, namespace="cache-ns", instance="ignite")


def config_map(**data: t.Any) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ignite"}, "data": data}


def secret(**parts: t.Any) -> Json:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ignite"}, **parts}


CONTAINER: Json = {
    "name": "ignite",
    "image": "ignite:1",
    "args": [],
    "env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
    "ports": [{"containerPort": 47500}],
    "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}},
}
STATEFUL_SET: Json = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "ignite"},
    "spec": {"replicas": 2, "serviceName": "ignite", "template": {"spec": {"containers": [CONTAINER]}}},
}
# What an API server of version 1.36 made of it.
STORED_CONTAINER: Json = {
    "name": "ignite",
    "image": "ignite:1",
    "env": [{"name": "IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}}],
    "ports": [{"containerPort": 47500, "protocol": "TCP"}],
    "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
    "imagePullPolicy": "Always",
}
CONTAINER_FIELDS: Json = {
    ".": {},
    "f:name": {},
    "f:image": {},
    "f:args": {},
    "f:env": {'k:{"name":"IP"}': {".": {}, "f:name": {}, "f:valueFrom": {"f:fieldRef": {}}}},
    "f:ports": {'k:{"containerPort":47500,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
    "f:resources": {"f:limits": {"f:cpu": {}, "f:memory": {}}},
}


def stored_set() -> Json:
    fields = {
        "f:metadata": {"f:labels": LABEL_FIELDS},
        "f:spec": {
            "f:replicas": {},
            "f:serviceName": {},
            "f:template": {"f:spec": {"f:containers": {'k:{"name":"ignite"}': CONTAINER_FIELDS}}},
        },
    }
    live = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {
            "name": "ignite",
            "namespace": "cache-ns",
            "uid": "one",
            "generation": 2,
            "labels": LABELS,
            "managedFields": [{"manager": US, "operation": "Apply", "time": APPLIED, "fieldsV1": fields}],
        },
        "spec": {
            "replicas": 2,
            "serviceName": "ignite",
            "podManagementPolicy": "OrderedReady",
            "template": {"spec": {"containers": [STORED_CONTAINER], "dnsPolicy": "ClusterFirst"}},
        },
    }
    return copy.deepcopy(live)


def container_of(workload: Json) -> Json:
    return t.cast(Json, workload["spec"]["template"]["spec"]["containers"][0])


def changed(path: str, value: t.Any) -> Json:
    """The definition with another value, None for none, of the container's field."""
    definition = copy.deepcopy(STATEFUL_SET)
    *names, last = path.split(".")
    place = container_of(definition)
    for name in names:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return definition


def test_what_the_server_made_of_a_definition_is_as_wanted() -> None:
    assert differences(prepared(STATEFUL_SET)[0], stored_set()) == []


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("image", "ignite:2", [("image", "ignite:1", "ignite:2")]),
        ("resources.limits.cpu", "2", [("resources.limits.cpu", "1", "2")]),
        ("resources.limits.cpu", None, [("resources.limits.cpu", "1", None)]),
        ("args", ["-v"], [("args", None, ["-v"])]),
        ("ports", [{"containerPort": 47500, "name": "disco"}], [("ports[containerPort=47500,", None, "disco")]),
        (
            "ports",
            [{"containerPort": 47500}, {"containerPort": 1}],
            [("ports[new]", None, {"containerPort": 1})],
        ),
        (
            "env",
            [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}],
            [
                (
                    "env[name=IP].valueFrom.fieldRef",
                    {"apiVersion": "v1", "fieldPath": "status.podIP"},
                    {"fieldPath": "status.hostIP"},
                )
            ],
        ),
        ("env", None, [("env[name=IP]", None, None)]),
    ],
)  # fmt: skip
def test_only_what_differs_is_a_difference(path: str, value: t.Any, expected: list[tuple[str, t.Any, t.Any]]) -> None:
    found = differences(prepared(changed(path, value))[0], stored_set())
    assert len(found) == len(expected)
    for each, (place, before, after) in zip(found, expected, strict=True):
        assert each.path.startswith(f"spec.template.spec.containers[name=ignite].{place}")
        if before is not None:
            assert each.before == before
        assert each.after == after


def test_a_right_value_that_is_not_ours_is_a_difference() -> None:
    live = stored_set()
    fields = live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
    del fields["f:replicas"]
    (found,) = differences(prepared(STATEFUL_SET)[0], live)
    assert (found.path, found.before, found.after) == ("spec.replicas", 2, 2)


def test_what_others_add_is_none_of_ours() -> None:
    live = stored_set()
    live["metadata"]["annotations"] = {"note": "by hand"}
    live["spec"]["template"]["spec"]["containers"].append({"name": "sidecar", "image": "other"})
    assert differences(prepared(STATEFUL_SET)[0], live) == []


@pytest.mark.parametrize(
    ("wanted", "live", "equal"),
    [
        ("1000m", "1", True), ("1024Mi", "1Gi", True), ("0.5Gi", "512Mi", True), ("1", 1, True), ("2", "1", False),
        ("1e3", "1k", True), ("nonsense", "1", False), ("1.1.1", "1.1.1", True),
    ],
)  # fmt: skip
def test_amounts_are_compared_by_what_they_mean(wanted: t.Any, live: t.Any, equal: bool) -> None:
    assert same(wanted, live, "spec.template.spec.containers[name=a].resources.limits.cpu") is equal
    assert not same("1000m", "1", "data.cpu")


@pytest.mark.parametrize(("wanted", "live"), [(False, None), ([], None), ({}, None), (0, None), ("", None)])
def test_what_is_empty_may_be_left_out(wanted: t.Any, live: t.Any) -> None:
    assert same(wanted, live)


@pytest.mark.parametrize(("wanted", "live"), [(True, 1), (1, "1"), ([1], [1, 2]), ({"a": 1}, {"a": 1, "b": 2})])
def test_other_values_are_other_values(wanted: t.Any, live: t.Any) -> None:
    assert not same(wanted, live)


def test_a_secret_tells_its_keys_only() -> None:
    (wanted,) = prepared(secret(stringData={"password": "hunter2"}, data={"keep": "YQ=="}))
    found = [each.as_dict() for each in differences(wanted, None)]
    assert {each["path"]: each["after"] for each in found if each["path"].startswith("data")} == {
        "data.keep": "changed",
        "data.password": "changed",
    }
    assert "hunter2" not in json.dumps(found)


# definitions


def test_the_order_is_that_of_the_writes() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cache-ns"}}
    found = prepared(STATEFUL_SET, secret(), config_map(), namespace)
    assert [item["kind"] for item in found] == ["Namespace", "ConfigMap", "Secret", "StatefulSet"]
    assert found[1]["metadata"] == {"name": "ignite", "namespace": "cache-ns", "labels": LABELS}
    assert "namespace" not in found[0]["metadata"]


def nested(levels: int) -> Json:
    found: Json = {}
    for _level in range(levels):
        found = {"a": found}
    return found


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ("text", "not a mapping"),
        ({}, "kind None"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}, "is not one of"),
        ({**STATEFUL_SET, "apiVersion": "apps/v1beta1"}, "apps/v1beta1"),
        ({**config_map(), "metadata": None}, "metadata"),
        ({**config_map(), "metadata": {"name": "a", "namespace": "other"}}, "is for namespace 'other'"),
        ({**config_map(), "metadata": {"name": "a", "ownerReferences": []}}, "unknown key"),
        ({**config_map(), "metadata": {"name": "a", "labels": {"x": 1}}}, "the value of x is a int"),
        ({**config_map(), "metadata": {"name": "a", "labels": {"x": "a b"}}}, "label value"),
        ({**config_map(), "metadata": {"name": "netguard-lockdown-ignite"}}, "undo record"),
        ({**config_map(), "status": {}}, "controllers"),
        (config_map(port=8080), "the value of port is a int"),
        ({**config_map(), "data": ["a"]}, "it is a list"),
        (secret(data={"a": "%%%"}), "not base64"),
        ({**STATEFUL_SET, "spec": {"odd": object()}}, "JSON has no form"),
        ({**STATEFUL_SET, "spec": {"odd": float("nan")}}, "JSON has no form"),
        ({**STATEFUL_SET, "spec": nested(2000)}, "nests more than 64 levels"),
        (config_map(a="\ud800"), "half of a character"),
        (secret(stringData={"a": "\ud800"}), "half of a character"),
        ({**config_map(), "kind": ["ConfigMap"]}, "is not one of"),
    ],
)
def test_a_bad_definition_is_refused_with_its_place(definition: t.Any, words: str) -> None:
    with pytest.raises(LockdownError, match=words) as caught:
        prepared(definition)
    assert "definitions[0]" in str(caught.value)


def test_the_same_object_twice_is_refused() -> None:
    with pytest.raises(LockdownError, match="ConfigMap/ignite is defined twice"):
        prepared(config_map(), config_map(a="b"))


def test_null_is_the_same_as_nothing() -> None:
    (found,) = prepared({**STATEFUL_SET, "spec": {"replicas": 1, "template": None}})
    assert found["spec"] == {"replicas": 1}


def test_what_secrets_hold_travels_apart_and_comes_back() -> None:
    given = {"definitions": [config_map(a="b"), secret(stringData={"password": "hunter2"}), secret()], "wait": False}
    sent = conceal(given)
    assert "hunter2" not in json.dumps(sent["definitions"])
    assert sent["wait"] is False
    assert reveal(sent["definitions"], sent["secret_data"]) == given["definitions"]
    assert conceal(sent) is sent


@pytest.mark.parametrize("given", [{}, {"definitions": "text"}, {"definitions": [config_map(), "text", secret()]}])
def test_arguments_without_secrets_stay_as_they_are(given: Json) -> None:
    assert conceal(given) is given


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"0": 1}', '{"0": {"data": {}}}', '{"7": {"data": {}}}'])
def test_odd_secret_data_is_refused(text: str) -> None:
    with pytest.raises(LockdownError, match="secret_data"):
        reveal([config_map()], text)


# who else holds a field


def entry(manager: str, operation: str, time: str, **more: t.Any) -> Json:
    return {
        "manager": manager,
        "operation": operation,
        "time": time,
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
        **more,
    }


def scaled(by: Json) -> Json:
    """Our StatefulSet after somebody else set the number of replicas."""
    live = stored_set()
    live["spec"]["replicas"] = 5
    del live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:replicas"]
    live["metadata"]["managedFields"].append(by)
    return live


def change_of(live: Json, *adopt: str) -> plan.Change:
    return plan.make_change(prepared(STATEFUL_SET)[0], live, instance="ignite", adopt=adopt)


@pytest.mark.parametrize(
    "by",
    [
        entry(THEM, "Update", AFTER),
        entry(THEM, "Update", APPLIED),
        entry("kubectl", "Update", AFTER, subresource="scale"),
    ],
)
def test_an_edit_is_taken_back_and_reported(by: Json) -> None:
    change = change_of(scaled(by))
    assert (change.action, change.reason) == ("update", f"it was edited by {by['manager']}")
    assert [each.as_dict()["fields"] for each in change.stolen] == [["spec.replicas"]]
    assert change.forces
    assert change.body()["metadata"]["uid"] == "one"


@pytest.mark.parametrize(
    "by",
    [
        entry("other", "Apply", AFTER),
        entry("kube-controller-manager", "Update", AFTER, subresource="scale"),
        entry("other", "Update", BEFORE),
    ],
)
def test_a_claim_of_another_manager_is_a_conflict_unless_adopted(by: Json) -> None:
    with pytest.raises(LockdownError, match=r"spec\.replicas") as caught:
        change_of(scaled(by))
    assert caught.value.code == "field_conflict"
    assert caught.value.details == {"manager": by["manager"], "fields": ["spec.replicas"]}
    assert change_of(scaled(by), "StatefulSet/ignite").action == "update"


def test_another_manager_that_agrees_is_no_conflict() -> None:
    live = stored_set()
    live["metadata"]["managedFields"].append(entry("other", "Apply", AFTER))
    assert change_of(live).action == "none"


def test_labels_alone_make_nothing_ours() -> None:
    live = stored_set()
    live["metadata"]["managedFields"][0]["manager"] = "copycat"
    with pytest.raises(LockdownError, match="written by copycat") as caught:
        change_of(live)
    assert caught.value.code == "name_taken"
    assert change_of(live, "StatefulSet/ignite").reason == "it is taken over"


def test_what_a_gitops_controller_keeps_is_not_changed() -> None:
    live = scaled(entry(THEM, "Update", AFTER))
    live["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "x"}
    with pytest.raises(LockdownError, match="Argo CD"):
        change_of(live)


@pytest.mark.parametrize("converged", [True, False])
def test_what_is_being_deleted_is_neither_written_nor_taken_for_as_wanted(converged: bool) -> None:
    live = stored_set() if converged else scaled(entry(THEM, "Update", AFTER))
    live["metadata"]["deletionTimestamp"] = AFTER
    with pytest.raises(LockdownError, match=f"being deleted since {AFTER}") as caught:
        change_of(live, "StatefulSet/ignite")
    assert caught.value.code == "being_deleted"


def test_what_another_controller_owns_is_not_taken_from_it() -> None:
    live = scaled(entry(THEM, "Update", AFTER))
    owner = {"apiVersion": "x/v1", "kind": "IgniteCluster", "name": "cache", "uid": "two"}
    live["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    with pytest.raises(LockdownError, match="IgniteCluster cache would revert it") as caught:
        change_of(live, "StatefulSet/ignite")
    assert caught.value.code == "owned_by_controller"
    live["metadata"]["ownerReferences"] = [owner]
    assert change_of(live).action == "update"


def test_a_server_that_knows_better_makes_a_change_none() -> None:
    change = change_of(scaled(entry(THEM, "Update", AFTER)))
    assert change.live is not None
    assert change.judged(change.live).action == "none"
    altered = change.judged({**stored_set(), "spec": {**stored_set()["spec"], "replicas": 3}})
    assert (altered.action, altered.altered) == ("update", ("spec.replicas",))


@pytest.mark.parametrize(
    ("field", "value", "immutable"),
    [("serviceName", "other", ["spec.serviceName"]), ("replicas", 3, [])],
)
def test_immutable_fields_are_named(field: str, value: t.Any, immutable: list[str]) -> None:
    (wanted,) = prepared({**STATEFUL_SET, "spec": {**STATEFUL_SET["spec"], field: value}})
    change = plan.make_change(wanted, stored_set(), instance="ignite", adopt=())
    assert plan.immutable_paths(change) == immutable


# rollout


def workload(status: Json, **spec: t.Any) -> Json:
    live = stored_set()
    return {**live, "spec": {**live["spec"], **spec}, "status": {"observedGeneration": 2, **status}}


DONE: Json = {"updatedReplicas": 2, "readyReplicas": 2, "currentRevision": "b", "updateRevision": "b"}


@pytest.mark.parametrize(
    ("live", "words"),
    [
        (workload(DONE), []),
        (workload({**DONE, "observedGeneration": 1}), ["see generation 2"]),
        (workload({**DONE, "updatedReplicas": 1}), ["2 pods of the new revision (there are 1)"]),
        (workload({**DONE, "readyReplicas": 1}), ["2 ready pods (there are 1)"]),
        (workload({**DONE, "currentRevision": "a"}), ["new revision to be the current one"]),
        (workload({}), ["2 pods", "2 ready"]),
        (workload({**DONE, "updatedReplicas": 0, "currentRevision": "a"}, updateStrategy={"type": "OnDelete"}), []),
        (
            workload(
                {**DONE, "updatedReplicas": 1, "currentRevision": "a"},
                updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 1}},
            ),
            [],
        ),
        (workload({"currentRevision": "a", "updateRevision": "b"}, replicas=0), []),
        (workload({"replicas": 2, "currentRevision": "a", "updateRevision": "b"}, replicas=0), ["2 pods to end"]),
        (workload({**DONE, "replicas": 3}), ["1 pods to end"]),
    ],
)
def test_a_rollout_is_complete_or_says_what_it_waits_for(live: Json, words: list[str]) -> None:
    state = rollout.judge(live)
    assert state.complete == (not words)
    assert len(state.waiting_for) == len(words)
    assert all(word in sentence for word, sentence in zip(words, state.waiting_for, strict=True))


def pod(container: Json | None = None, **conditions: str) -> Json:
    listed = [{"type": kind, "status": status, "reason": "Why"} for kind, status in conditions.items()]
    containers = [{"name": "ignite", **container}] if container else []
    return {
        "metadata": {"name": "ignite-0", "ownerReferences": [{"uid": "one"}]},
        "status": {"phase": "Pending", "conditions": listed, "containerStatuses": containers},
    }


WAITING: Json = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off\n pulling"}}}
CRASHING: Json = {
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"reason": "Error", "exitCode": 3, "message": "password=hunter2"}},
}


@pytest.mark.parametrize(
    ("found", "reasons"),
    [
        (pod(Ready="True"), []),
        (pod(WAITING, Ready="False"), ["container ignite: ImagePullBackOff: Back-off pulling"]),
        (pod(CRASHING), ["container ignite: CrashLoopBackOff, last ended with Error (exit code 3)"]),
        (pod({"state": {"running": {}}, "ready": False}), ["container ignite: runs and is not ready"]),
        (pod(PodScheduled="False"), ["Why"]),
        (pod(), ["phase Pending, not ready"]),
    ],
)
def test_a_pod_says_why_it_is_not_ready(found: Json, reasons: list[str]) -> None:
    assert rollout.pod_reasons(found) == reasons


def test_only_the_pods_of_the_workload_count() -> None:
    other = {"metadata": {"name": "x", "ownerReferences": [{"uid": "two"}]}}
    assert [item["metadata"]["name"] for item in rollout.owned_pods(stored_set(), [pod(), other])] == ["ignite-0"]


@pytest.mark.parametrize(
    ("spec", "revision", "ready", "stuck"),
    [
        ({}, "a", "False", ["ignite-0"]),
        ({}, "b", "False", []),
        ({}, "a", "True", []),
        ({"podManagementPolicy": "Parallel"}, "a", "False", []),
    ],
)
def test_a_pod_that_only_its_deletion_replaces_is_named(
    spec: Json, revision: str, ready: str, stuck: list[str]
) -> None:
    found = pod(CRASHING, Ready=ready)
    found["metadata"]["labels"] = {"controller-revision-hash": revision}
    assert rollout.stuck_pods(workload(DONE, **spec), [found]) == stuck


def test_claims_that_wait_are_named() -> None:
    live = workload({}, volumeClaimTemplates=[{"metadata": {"name": "data"}}])
    claims = [
        {"metadata": {"name": "data-ignite-0"}, "status": {"phase": "Bound"}},
        {"metadata": {"name": "data-ignite-1"}, "status": {"phase": "Pending"}},
        {"metadata": {"name": "data-other-0"}, "status": {"phase": "Pending"}},
    ]
    assert rollout.claim_reasons(live, claims) == ["PersistentVolumeClaim data-ignite-1 is not bound"]
    assert rollout.claim_reasons(workload({}), claims) == []


def test_the_last_warnings_are_told() -> None:
    events = [
        {
            "metadata": {},
            "type": "Warning" if number else "Normal",
            "involvedObject": {"name": "ignite"},
            "reason": f"R{number}",
            "message": "m" * 500,
            "lastTimestamp": f"2026-01-01T00:00:{number:02}Z",
        }
        for number in range(9)
    ]
    texts = rollout.event_texts([*events, {**events[1], "involvedObject": {"name": "else"}}], ["ignite"])
    assert [text.split(":")[1].strip() for text in texts] == ["R4", "R5", "R6", "R7", "R8"]
    assert all(len(text) < 300 for text in texts)
