# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry point deploy against a real API server without nodes: what is written, in which order, and what never is."""

from __future__ import annotations

import re
import typing as t
import uuid

import pytest
from harness import run_playbook

from lab import objects
from lab.control_plane import ControlPlane

Json = dict[str, t.Any]

PLAYBOOK = "netguard.lockdown.deploy"
POLICIES = ["netguard-ignite-allow-servers", "netguard-ignite-deny-all"]


@pytest.fixture
def unborn(plane: ControlPlane) -> str:
    """The name of a namespace that does not exist."""
    name = f"new-{uuid.uuid4().hex[:8]}"
    assert not plane.exists(objects.namespace(name))
    return name


def variables(namespace: str, **given: t.Any) -> Json:
    usual = {
        "namespace": namespace,
        "profile": "minimal",
        "deploy_image": "docker.io/apacheignite/ignite:2.17.0",
        "deploy_create_namespace": True,
        "deploy_wait": False,
        **given,
    }
    return {f"ignite_lockdown_{name}": value for name, value in usual.items()}


def run(env: dict[str, str], given: Json, *arguments: str) -> tuple[int, str]:
    done = run_playbook(PLAYBOOK, given, env, *arguments)
    return done.returncode, done.stdout + done.stderr


def changes(output: str) -> int:
    (found,) = re.findall(r"changed=(\d+)", output)
    return int(found)


def names(plane: ControlPlane, version: str, kind: str, namespace: str) -> list[str]:
    return sorted(item["metadata"]["name"] for item in plane.list(version, kind, namespace))


def stateful_set(namespace: str) -> Json:
    return objects.reference("apps/v1", "StatefulSet", "ignite", namespace)


def test_from_nothing_and_again(plane: ControlPlane, env: dict[str, str], unborn: str) -> None:
    given = variables(unborn)
    code, output = run(env, given, "--check", "--diff")
    assert code == 0, output
    assert changes(output) > 0
    assert not plane.exists(objects.namespace(unborn))

    code, output = run(env, given)
    assert code == 0, output
    labels = plane.read(objects.namespace(unborn))["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert names(plane, "networking.k8s.io/v1", "NetworkPolicy", unborn) == POLICIES
    assert names(plane, "v1", "Service", unborn) == ["ignite", "ignite-client"]
    assert names(plane, "rbac.authorization.k8s.io/v1", "Role", unborn) == ["ignite"]
    assert "ignite-config" in names(plane, "v1", "ConfigMap", unborn)
    workload = plane.read(stateful_set(unborn))
    assert (workload["spec"]["replicas"], workload["spec"]["podManagementPolicy"]) == (3, "Parallel")
    assert "https://10." in plane.read(objects.config_map("ignite-config", unborn, {}))["data"]["ignite.xml"]

    code, output = run(env, given)
    assert code == 0, output
    assert changes(output) == 0
    assert plane.read(stateful_set(unborn))["metadata"]["resourceVersion"] == workload["metadata"]["resourceVersion"]


def test_what_only_the_api_server_can_refuse_leaves_an_empty_namespace(
    plane: ControlPlane, env: dict[str, str], unborn: str
) -> None:
    """Policies of an instance without a workload would be in the way of the next one."""
    odd = {"limits": {"memory": "2Gi", "hugepages-2Mi": "3Mi"}}
    code, output = run(env, variables(unborn, deploy_resources=odd))
    assert (code, "hugepages-2Mi" in output) == (2, True), output
    assert plane.exists(objects.namespace(unborn))
    assert names(plane, "networking.k8s.io/v1", "NetworkPolicy", unborn) == []
    assert names(plane, "v1", "ServiceAccount", unborn) == []


def test_pods_of_another_ignite_are_not_taken_for_its_servers(
    plane: ControlPlane, env: dict[str, str], namespace: str
) -> None:
    """Through the Services, an instance beside another one would join its cluster."""
    for name in ("ignite-0", "second-0"):
        plane.create(objects.pod(name, namespace, {"app": "ignite"}))
    mark = plane.mark()
    code, output = run(env, variables(namespace, instance="second"))
    assert (code, "Pods ignite-0 of namespace" in output) == (2, True), output
    assert [str(event) for event in plane.audit(mark) if event.write] == []


def test_rules_that_add_come_first_and_what_is_needed_stays(
    plane: ControlPlane, env: dict[str, str], unborn: str
) -> None:
    web = {"name": "web", "kind": "thin", "namespaces": ["shop"]}
    code, output = run(env, variables(unborn, clients=[web]))
    assert code == 0, output
    code, output = run(env, variables(unborn, ports={"thin_client": 10900, "communication": 47200}, clients=[web]))
    assert code == 0, output
    policy = plane.read(objects.reference("networking.k8s.io/v1", "NetworkPolicy", POLICIES[0], unborn))
    ports = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
    assert ports == {47500, 47100, 47200, 10800, 10900}
    before = plane.read(stateful_set(unborn))
    code, output = run(env, variables(unborn, deploy_image="docker.io/apacheignite/ignite:2.16.0"))
    assert (code, "version 2.16.0 in place of 2.17.0" in output) == (2, True), output
    assert plane.read(stateful_set(unborn)) == before


def test_a_rollout_that_does_not_end_says_what_it_waits_for_and_deletes_nothing(
    plane: ControlPlane, env: dict[str, str], unborn: str
) -> None:
    code, output = run(env, variables(unborn, deploy_wait=True, deploy_wait_timeout=1))
    assert code == 2
    assert "StatefulSet" in output
    assert plane.exists(stateful_set(unborn))
    assert names(plane, "networking.k8s.io/v1", "NetworkPolicy", unborn) == POLICIES


BAD: dict[str, tuple[Json, str]] = {
    "many": (
        {"deploy_image": "apacheignite/ignite:2.8.0", "deploy_authentication": True, "ports": {"rest": 1023}},
        "2.8.0 is not among the versions",
    ),
    "verify's": ({"deploy_wait": True, "verify_deadline": "soon"}, "'soon' is not a whole number"),
    "unasked": ({"deploy_create_namespace": False}, "does not exist. Create it"),
    "names without DNS": ({"discovery": "dns"}, "profile minimal allows no DNS"),
}


@pytest.mark.parametrize("case", BAD)
def test_nothing_is_written_for_bad_variables(plane: ControlPlane, env: dict[str, str], unborn: str, case: str) -> None:
    given, message = BAD[case]
    code, output = run(env, variables(unborn, **given))
    assert (code, message in output) == (2, True), output
    assert not plane.exists(objects.namespace(unborn))


def test_a_workload_of_somebody_else_is_left_alone(plane: ControlPlane, env: dict[str, str], namespace: str) -> None:
    service = objects.service("ignite", namespace, selector={"app": "other"}, ports=[{"port": 80}], cluster_ip="None")
    plane.create(service)
    code, output = run(env, variables(namespace))
    assert (code, "is not ours" in output) == (2, True), output
    assert names(plane, "networking.k8s.io/v1", "NetworkPolicy", namespace) == []
