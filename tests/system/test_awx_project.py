# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project, run as an automation controller runs it: two clusters behind one credential, surveys, the workflow."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

import pytest
import yaml
from controller_jobs import SURVEYS, TEMPLATES, Controller, Job, answered, inject, objects, survey_of

from lab import objects as objects_of_the_lab
from lab.control_plane import ControlPlane
from lab.question import arrange_question

Json = dict[str, t.Any]

CLIENTS = """
- name: applications
  kind: thick
  namespace_selector: {matchLabels: {zone: somewhere-else}}
  reason: the applications keep their data in Ignite
"""
ANSWERS: Json = {
    "namespace": "cache-ns",
    "clients": CLIENTS,
    "replace_policies": "deny-all-ingress-in-cache-ns\nnetpol-cache-ns\n",
    "accept": ["accept_unisolated_pods"],
    "verify_deadline": 0,
}
OURS = ["netguard-ignite-allow-servers", "netguard-ignite-deny-all"]
THEIRS = ["deny-all-ingress-in-cache-ns", "netpol-cache-ns"]


@pytest.fixture(scope="module")
def planes(programs: object) -> Iterator[dict[str, ControlPlane]]:
    with ControlPlane() as production, ControlPlane() as staging:
        for plane in (production, staging):
            arrange_question(plane, policies=True)
        yield {"production": production, "staging": staging}


@pytest.fixture(scope="module")
def controller(planes: dict[str, ControlPlane], tmp_path_factory: pytest.TempPathFactory) -> Controller:
    """A controller with the data's own credential type and hosts."""
    folder = tmp_path_factory.mktemp("controller")
    (kind,) = objects("controller_credential_types")
    accepted = {"ignite_lockdown_accept_vanishing_evidence": True}
    hosts = {host["name"]: {**host["variables"], **accepted} for host in objects("controller_hosts")}
    assert set(hosts) == set(planes)
    return Controller(folder, hosts, inject(kind, {"kubeconfig": several_contexts(planes)}, folder))


def several_contexts(planes: dict[str, ControlPlane]) -> str:
    """One kubeconfig with a context for each cluster, and a current one that is none of them."""
    config: Json = {"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []}
    for name, plane in planes.items():
        one = yaml.safe_load(plane.kubeconfig.read_text())
        config["clusters"].append({"name": name, "cluster": one["clusters"][0]["cluster"]})
        config["users"].append({"name": name, "user": one["users"][0]["user"]})
        config["contexts"].append({"name": name, "context": {"cluster": name, "user": name}})
    return yaml.safe_dump({**config, "current-context": "none"})


def policies(plane: ControlPlane) -> list[str]:
    items = plane.list("networking.k8s.io/v1", "NetworkPolicy", "cache-ns")
    return sorted(item["metadata"]["name"] for item in items)


def writes(planes: dict[str, ControlPlane], marks: dict[str, t.Any]) -> list[str]:
    events = [event for name, plane in planes.items() for event in plane.audit(marks[name])]
    return [str(event) for event in events if event.write and event.subresource != "exec"]


def marks(planes: dict[str, ControlPlane]) -> dict[str, t.Any]:
    return {name: plane.mark() for name, plane in planes.items()}


def run_workflow(controller: Controller, answers: Json, late: Json | None = None) -> tuple[list[str], dict[str, Job]]:
    """Walk the workflow's nodes as the controller does, every approval given; what ran, in order.

    :arg late: answers of the node that locks down, in the place of those that were planned with.
    """
    workflow = objects("controller_workflows")[0]
    nodes = {node["identifier"]: node for node in workflow["workflow_nodes"]}
    surveyed = answered(SURVEYS["workflow"]["spec"], answers)
    jobs: dict[str, Job] = {}
    artifacts: Json = {}
    order, waiting = list[str](), ["plan"]
    while waiting:
        order.append(waiting.pop(0))
        node, good = nodes[order[-1]], True
        if node["unified_job_template"]["type"] == "job_template":
            template = TEMPLATES[node["unified_job_template"]["name"].partition(": ")[2]]
            variables = {**answered(survey_of(template), {}), **node.get("extra_data", {}), **artifacts, **surveyed}
            job = controller.run(template, {**variables, **((late or {}) if order[-1] == "lock-down" else {})})
            jobs[order[-1]], artifacts, good = job, {**artifacts, **job.artifacts}, job.code == 0
        edges = node.get("related", {}).get("success_nodes" if good else "failure_nodes", [])
        waiting += [edge["identifier"] for edge in edges]
    return order, jobs


def test_a_plan_changes_nothing_and_hands_its_digest_on(
    controller: Controller, planes: dict[str, ControlPlane]
) -> None:
    before = marks(planes)
    job = controller.launch("plan", ANSWERS)
    assert job.code == 0, job.output
    assert writes(planes, before) == []
    plan = job.artifacts["netguard_plan"]
    assert {name: entry["cluster_uid"] for name, entry in plan.items()} == {
        name: plane.kube_system_uid for name, plane in planes.items()
    }
    assert all(entry["digest"].startswith("sha256:") for entry in plan.values())


def test_what_cannot_be_proven_is_taken_back_by_the_workflow(
    controller: Controller, planes: dict[str, ControlPlane]
) -> None:
    """No node runs here, so nothing can be proven: the way through the failures, to the policies before."""
    order, jobs = run_workflow(controller, ANSWERS)
    assert order == ["plan", "approve", "lock-down", "verify", "approve-rollback", "roll-back"], jobs["plan"].output
    assert jobs["lock-down"].artifacts["netguard_applied"] == {"production": True, "staging": True}
    assert "The lock-down is not proven" in jobs["verify"].told
    assert jobs["roll-back"].code == 0, jobs["roll-back"].output
    for plane in planes.values():
        assert policies(plane) == THEIRS


def test_a_plan_that_is_another_one_by_now_is_not_carried_out(
    controller: Controller, planes: dict[str, ControlPlane]
) -> None:
    """Between the approval and the lock-down somebody else is let in."""
    before = marks(planes)
    other = {"netguard_survey_clients": CLIENTS.replace("somewhere-else", "cache-zone")}
    order, jobs = run_workflow(controller, ANSWERS, other)
    assert order == ["plan", "approve", "lock-down", "approve-rollback", "roll-back"]
    assert "digest" in jobs["lock-down"].told
    assert jobs["roll-back"].code == 0, jobs["roll-back"].output
    assert writes(planes, before) == []


def test_no_plan_no_lock_down(controller: Controller, planes: dict[str, ControlPlane]) -> None:
    before = marks(planes)
    elsewhere = {"elsewhere": {"digest": "sha256:0", "cluster_uid": "0"}}
    for plan in ({}, {"netguard_plan": elsewhere}, {"netguard_plan": {"production": {"digest": "sha256:0"}}}):
        variables = {**answered([], ANSWERS), **plan}
        job = controller.run(TEMPLATES["lock down as approved"], variables)
        assert job.code != 0
        assert "No approved plan of production was handed on" in job.told
    assert writes(planes, before) == []


@pytest.fixture(scope="module")
def locked(controller: Controller, planes: dict[str, ControlPlane]) -> None:
    job = controller.launch("lock down", ANSWERS)
    assert job.code == 0, job.output
    assert [policies(plane) for plane in planes.values()] == [OURS, OURS]


@pytest.mark.usefixtures("locked")
class TestLockedDown:
    """After a lock-down by its own template."""

    def test_an_audit_keeps_evidence_of_each_cluster(
        self, controller: Controller, planes: dict[str, ControlPlane]
    ) -> None:
        job = controller.launch("audit", ANSWERS)
        assert job.code == 0, job.output
        found = {path.parents[3].name for path in controller.folder.glob("evidence/*/cache-ns/ignite/*/pack.json")}
        assert found == {plane.kube_system_uid for plane in planes.values()}
        assert set(job.artifacts["ignite_lockdown_audit"]) == set(planes)
        verified = controller.launch("verify evidence")
        assert verified.code == 0, verified.output
        (pack,) = controller.folder.glob(f"evidence/{planes['staging'].kube_system_uid}/cache-ns/ignite/*/pack.json")
        pack.write_text(pack.read_text().replace("cache-ns", "other-ns"))
        verified = controller.launch("verify evidence")
        assert verified.code != 0
        assert "digest" in verified.told

    def test_schedules_find_drift_and_follow_what_moved(
        self, controller: Controller, planes: dict[str, ControlPlane]
    ) -> None:
        """What is wanted is said in the inventory; nothing has moved, and one cluster's policies are edited then."""
        wanted = {"ignite_lockdown_namespace": "cache-ns", "ignite_lockdown_clients": yaml.safe_load(CLIENTS)}
        one = controller.with_credential(
            controller.credential, {name: {**given, **wanted} for name, given in controller.hosts.items()}
        )
        before = marks(planes)
        for schedule in objects("controller_schedules"):
            job = one.launch(schedule["unified_job_template"].partition(": ")[2])
            assert job.code == 0, job.output
        assert writes(planes, before) == []
        path = "/apis/networking.k8s.io/v1/namespaces/cache-ns/networkpolicies/netguard-ignite-deny-all"
        body: Json = {"spec": {"egress": [{}]}}
        planes["staging"].api("PATCH", path, body, content_type="application/merge-patch+json")
        before = marks(planes)
        drifted = one.launch("drift")
        assert drifted.code != 0
        assert "[staging]: FAILED!" in drifted.output
        assert "[production]: FAILED!" not in drifted.output
        fleet = one.launch("fleet", {"fleet_action": "drift"})
        report = one.run(TEMPLATES["fleet report"], fleet.artifacts)
        for job in (fleet, report):
            assert job.code != 0
            assert "staging" in job.told
        assert writes(planes, before) == []

    def test_what_was_proven_is_not_taken_back(self, controller: Controller, planes: dict[str, ControlPlane]) -> None:
        handed_on = {
            "netguard_applied": {"production": True, "staging": False},
            "netguard_verified": {"production": "pass"},
        }
        before = marks(planes)
        variables = {**answered([], ANSWERS), **handed_on}
        job = controller.run(TEMPLATES["roll back what was not proven"], variables)
        assert job.code == 0, job.output
        assert writes(planes, before) == []

    def test_removing_needs_the_word(self, controller: Controller, planes: dict[str, ControlPlane]) -> None:
        refused = controller.launch("remove", ANSWERS)
        assert refused.code != 0
        assert "Refused to remove the policies" in refused.told
        assert policies(planes["production"]) == OURS
        done = controller.launch("remove", {**ANSWERS, "remove_confirmed": "true"})
        assert done.code == 0, done.output
        assert policies(planes["production"]) == []


def test_a_deployment_is_planned_and_made(controller: Controller, planes: dict[str, ControlPlane]) -> None:
    """As answers are: texts, or nothing. No node runs here, so nobody waits for the servers."""
    hosts = {name: {**given, "ignite_lockdown_deploy_wait": False} for name, given in controller.hosts.items()}
    one = controller.with_credential(controller.credential, {"staging": hosts["staging"]})
    answers = {
        "namespace": "new-ns",
        "deploy_image": "docker.io/apacheignite/ignite:2.17.0",
        "profile": "minimal",
        "clients": "- {name: shop, kind: thin, namespaces: [shop]}",
        "deploy_replicas": 2,
        "deploy_resources": "requests: {cpu: 250m, memory: 2Gi}",
        "deploy_create_namespace": "true",
    }
    before = marks(planes)
    job = one.launch("plan a deployment", answers)
    assert job.code == 0, job.output
    assert "StatefulSet" in job.output
    refused = one.run(TEMPLATES["plan a deployment"], answered([], answers), job_type="run")
    assert refused.code != 0
    assert "Run it as a check" in refused.told
    assert writes(planes, before) == []
    job = one.launch("deploy", answers)
    assert job.code == 0, job.output
    (workload,) = planes["staging"].list("apps/v1", "StatefulSet", "new-ns")
    assert workload["spec"]["replicas"] == 2
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"] == {"cpu": "250m", "memory": "2Gi"}
    found = planes["staging"].list("networking.k8s.io/v1", "NetworkPolicy", "new-ns")
    assert sorted(item["metadata"]["name"] for item in found) == OURS


def test_answers_that_cannot_be_read_are_told_all_at_once(
    controller: Controller, planes: dict[str, ControlPlane]
) -> None:
    before = marks(planes)
    bad = {**ANSWERS, "clients": "- {name: a, name: b}", "lock_timeout": "soon", "namespace": "{{ 6 * 7 }}"}
    job = controller.launch("lock down", bad)
    assert job.code != 0
    for told in ("the key 'name' is there twice", "'soon' is not a whole number", "answers are no templates"):
        assert told in job.told
    assert writes(planes, before) == []


def test_a_plan_is_no_lock_down(controller: Controller, planes: dict[str, ControlPlane]) -> None:
    before = marks(planes)
    job = controller.run(TEMPLATES["plan"], answered([], ANSWERS), job_type="run")
    assert job.code != 0
    assert "Run it as a check" in job.told
    assert writes(planes, before) == []


def test_an_inventory_without_clusters_is_an_error(controller: Controller) -> None:
    usual = controller.hosts
    controller.hosts = {}
    try:
        job = controller.launch("lock down", ANSWERS)
    finally:
        controller.hosts = usual
    assert job.code != 0
    assert "The inventory has no host" in job.told


class TestCredentials:
    """The controller's own type for one cluster, in the place of the kubeconfig."""

    @pytest.fixture
    def one(self, controller: Controller, planes: dict[str, ControlPlane]) -> Controller:
        plane, authority = planes["staging"], controller.folder / "ca.crt"
        authority.write_bytes(plane.authority)
        plane.grant("system:serviceaccount:default:planner", [objects_of_the_lab.rule(["*"], ["*"], "*")])
        credential = {
            "K8S_AUTH_HOST": plane.urls[0],
            "K8S_AUTH_API_KEY": plane.token("planner"),
            "K8S_AUTH_VERIFY_SSL": "True",
            "K8S_AUTH_SSL_CA_CERT": str(authority),
        }
        return controller.with_credential(credential, {"staging": {}})

    def test_a_service_accounts_token(self, one: Controller, planes: dict[str, ControlPlane]) -> None:
        job = one.launch("plan", ANSWERS)
        assert job.code == 0, job.output
        assert job.artifacts["netguard_plan"]["staging"]["cluster_uid"] == planes["staging"].kube_system_uid
        assert one.credential["K8S_AUTH_API_KEY"] not in job.output

    def test_beside_a_context_of_the_inventory_it_is_refused(self, one: Controller) -> None:
        one.hosts = {"staging": {"ignite_lockdown_context": "staging"}}
        job = one.launch("plan", ANSWERS)
        assert job.code != 0
        assert "option context names a kubeconfig and environment variable K8S_AUTH_HOST" in job.told

    def test_none_at_all_is_refused(self, one: Controller) -> None:
        one.credential = {}
        job = one.launch("plan", ANSWERS)
        assert job.code != 0
        assert "The job has no credential of a cluster" in job.told
