# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CiliumNetworkPolicy on a real API server that has its resource; an operator's word is played."""

from __future__ import annotations

import threading
import typing as t
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Modules, Outcome, run_playbook

from lab import objects
from lab.control_plane import ControlPlane
from lab.environment import scrubbed_env
from lab.errors import ApiError
from lab.processes import wait_until
from lab.question import arrange_question

Json = dict[str, t.Any]

CILIUM = "cilium.io/v2"
IGNITE: Json = {"matchLabels": {"app": "ignite"}}
ENTITY, ALLOW, DENY = (f"netguard-ignite-{name}" for name in ("allow-api-server", "allow-servers", "deny-all"))
LIST: Json = {"type": "array", "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
OFF: Json = {"enableDefaultDeny": {"ingress": False, "egress": False}}


def resource(*, with_switch: bool) -> Json:
    """The CRD with the fields that matter, with a status, and the switch as Cilium 1.16 and newer have it."""
    switch = {"type": "object", "properties": {way: {"type": "boolean"} for way in ("ingress", "egress")}}
    spec: Json = {
        "endpointSelector": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        **dict.fromkeys(("ingress", "egress", "ingressDeny", "egressDeny"), LIST),
        **({"enableDefaultDeny": switch} if with_switch else {}),
    }
    crd = objects.custom_resource_definition("cilium.io", "v2", "CiliumNetworkPolicy")
    (version,) = crd["spec"]["versions"]
    version["subresources"] = {"status": {}}
    version["schema"]["openAPIV3Schema"] = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": spec},
            "specs": LIST,
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    return crd


class Operator:
    """Says of every policy whether it is valid, as Cilium's operator does."""

    def __init__(self, plane: ControlPlane, word: str = "True") -> None:
        self._plane, self._word, self._end = plane, word, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Operator:
        self._thread.start()
        return self

    def __exit__(self, *_error: t.Any) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(0.1):
            for item in self._plane.api("GET", f"/apis/{CILIUM}/ciliumnetworkpolicies")["items"]:
                meta = item["metadata"]
                path = f"/apis/{CILIUM}/namespaces/{meta['namespace']}/ciliumnetworkpolicies/{meta['name']}/status"
                if not item.get("status"):
                    condition = {"type": "Valid", "status": self._word, "message": "by the test"}
                    self._plane.api(
                        "PATCH",
                        path,
                        {"status": {"conditions": [condition]}},
                        content_type="application/merge-patch+json",
                    )


class World:
    """A namespace with an Ignite pod on a control plane that serves Cilium's policies."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane, self.namespace = plane, f"test-{uuid.uuid4().hex[:8]}"
        plane.create(objects.namespace(self.namespace))
        plane.create(objects.pod("ignite-0", self.namespace, {"app": "ignite"}, ip="10.244.1.10"))
        self.modules = Modules(plane.kubeconfig)
        self.started = plane.mark()

    def run(self, definitions: list[Json] | None = None, **more: t.Any) -> Outcome:
        given: Json = {"namespace": self.namespace, "instance": "ignite", **more}
        return self.modules.run("network_policies", {**given, "definitions": definitions} if definitions else given)

    def writes(self) -> list[str]:
        return [
            f"{event.verb} {event.name}"
            for event in self.plane.audit(self.started)
            if event.write and event.namespace == self.namespace and event.resource.endswith("policies")
        ]

    def live(self) -> Json:
        return self.plane.read(objects.reference(CILIUM, "CiliumNetworkPolicy", ENTITY, self.namespace))


def entity(**switch: t.Any) -> Json:
    ports = [{"ports": [{"port": "6443", "protocol": "TCP"}]}]
    rule = {"toEntities": ["kube-apiserver"], "toPorts": ports}
    return {
        "apiVersion": CILIUM,
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": ENTITY},
        "spec": {"endpointSelector": IGNITE, **switch, "egress": [rule]},
    }


def network_policy(name: str, selector: Json, **spec: t.Any) -> Json:
    full = {"podSelector": selector, "policyTypes": ["Ingress", "Egress"], **spec}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": full,
    }


def definitions(**switch: t.Any) -> list[Json]:
    peer = {"from": [{"podSelector": IGNITE}], "ports": [{"protocol": "TCP", "port": 47500}]}
    return [network_policy(DENY, {}), network_policy(ALLOW, IGNITE, ingress=[peer]), entity(**switch)]


def served(plane: ControlPlane, *, with_switch: bool) -> ControlPlane:
    plane.create(resource(with_switch=with_switch))

    def answers() -> bool:
        try:
            return "items" in plane.api("GET", f"/apis/{CILIUM}/ciliumnetworkpolicies")
        except ApiError:
            return False

    assert wait_until(answers, 20)
    assert wait_until(lambda: "cilium.io" in [each["name"] for each in plane.api("GET", "/apis")["groups"]], 20)
    return plane


@pytest.fixture(scope="module")
def new_cilium(programs: object) -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        yield served(plane, with_switch=True)


@pytest.fixture(scope="module")
def old_cilium(programs: object) -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        yield served(plane, with_switch=False)


def test_it_is_written_first_converges_is_repaired_and_goes_last(new_cilium: ControlPlane) -> None:
    world = World(new_cilium)
    with Operator(new_cilium):
        done = world.run(definitions(**OFF))
        assert done["changed"]
        assert world.writes() == [f"patch {ENTITY}", f"patch {ALLOW}", f"patch {DENY}"]
        assert world.live()["spec"]["enableDefaultDeny"] == {"ingress": False, "egress": False}
        assert not world.run(definitions(**OFF))["changed"]

        widened: Json = {"spec": {"ingress": [{"fromEntities": ["world"]}]}, "specs": [{"endpointSelector": {}}]}
        new_cilium.patch(world.live(), widened, field_manager="kubectl-edit")
        repaired = world.run(definitions(**OFF))
        assert [each["action"] for each in repaired["policies"]] == ["repair", "none", "none"]
        assert not world.live()["spec"]["ingress"]
        assert not world.live()["specs"]

        world.started = new_cilium.mark()
        assert world.run(state="absent", accept_unisolated_pods=True)["changed"]
        assert world.writes() == [f"delete {DENY}", f"delete {ALLOW}", f"delete {ENTITY}"]
        world.started = new_cilium.mark()
        assert world.run(revision="1")["changed"]
        assert world.writes() == [f"patch {ENTITY}", f"patch {ALLOW}", f"patch {DENY}"]


def test_a_policy_that_cilium_refuses_leaves_nothing_changed(new_cilium: ControlPlane) -> None:
    world = World(new_cilium)
    with Operator(new_cilium, "False"):
        failure = world.run(definitions(**OFF)).failure
    assert failure["code"] == "not_valid"
    assert "by the test" in failure["why"]
    assert "Nothing is left changed" in failure["next_step"]
    assert world.writes() == [f"patch {ENTITY}", f"delete {ENTITY}"]


def test_without_the_switch_the_network_policy_goes_first(old_cilium: ControlPlane) -> None:
    """Whether the definition has it and the resource does not, or neither has it."""
    for switch in (OFF, {}):
        world = World(old_cilium)
        assert world.run(definitions(**switch))["changed"]
        assert world.writes() == [f"patch {ALLOW}", f"patch {ENTITY}", f"patch {DENY}"]
        assert not world.run(definitions(**switch))["changed"]
        world.started = old_cilium.mark()
        assert world.run(state="absent", accept_unisolated_pods=True)["changed"]
        assert world.writes() == [f"delete {DENY}", f"delete {ENTITY}", f"delete {ALLOW}"]


def test_without_cilium_it_is_refused_before_anything_is_written(plane: ControlPlane) -> None:
    world = World(plane)
    failure = world.run(definitions(**OFF)).failure
    assert failure["code"] == "api_not_found"
    assert world.writes() == []


def test_the_role_names_the_api_server_where_it_runs_on_a_node(new_cilium: ControlPlane, tmp_path: Path) -> None:
    arrange_question(new_cilium)
    agent = {"name": "cilium-agent", "image": "quay.io/cilium/cilium:v1.19.0"}
    pods: Json = {"metadata": {"labels": {"app": "cilium"}}, "spec": {"containers": [agent]}}
    new_cilium.create(objects.node("control-plane", address="192.0.2.1"))
    new_cilium.create(
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": "cilium", "namespace": "kube-system"},
            "spec": {"selector": {"matchLabels": {"app": "cilium"}}, "template": pods},
        }
    )
    variables = {"ignite_lockdown_namespace": "cache-ns", "ignite_lockdown_accept_uncovered_pods": True}
    env = scrubbed_env(new_cilium.kubeconfig)
    with Operator(new_cilium):
        for _turn in range(2):
            done = run_playbook("netguard.lockdown.lockdown", variables, env)
            assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout
    live = new_cilium.read(objects.reference(CILIUM, "CiliumNetworkPolicy", ENTITY, "cache-ns"))
    port = new_cilium.urls[0].rpartition(":")[2]
    assert live["spec"]["egress"] == [
        {"toEntities": ["kube-apiserver"], "toPorts": [{"ports": [{"port": port, "protocol": "TCP"}]}]}
    ]
