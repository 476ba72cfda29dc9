# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module ignite_topology_info where no node is: what cannot be read is never taken for a cluster that works."""

from __future__ import annotations

import typing as t

from harness import Modules

from lab import objects
from lab.control_plane import ControlPlane

Json = dict[str, t.Any]
IGNITE: Json = {"matchLabels": {"app": "ignite"}}


def arguments(namespace: str, **more: t.Any) -> Json:
    return {"namespace": namespace, "pod_selector": IGNITE, "deadline": 0, **more}


def test_pods_that_cannot_be_read_are_inconclusive(plane: ControlPlane, namespace: str) -> None:
    for index in range(2):
        plane.create(objects.pod(f"ignite-{index}", namespace, {"app": "ignite"}, ip=f"10.244.1.1{index}"))
    found = Modules(plane.kubeconfig).run("ignite_topology_info", arguments(namespace))
    assert (found["verdict"], found["changed"], found["expected_servers"]) == ("inconclusive", False, 2)
    assert {node["name"]: node["peers"] for node in found["nodes"]} == {"ignite-0": None, "ignite-1": None}
    assert "the log of ignite-0 holds no topology snapshot" in found["reasons"]
    assert "the connections of ignite-1 could not be read" in found["reasons"]
    assert all(node["problem"] for node in found["nodes"])
    assert found["cluster"]["uid"] == plane.kube_system_uid


def test_no_server_pod_is_a_failure(plane: ControlPlane, namespace: str) -> None:
    plane.create(objects.pod("web-0", namespace, {"app": "web"}, ip="10.244.1.20"))
    found = Modules(plane.kubeconfig).run("ignite_topology_info", arguments(namespace))
    assert (found["verdict"], found["reasons"]) == ("fail", ["no pod is a server"])


def test_a_missing_right_is_an_error_at_once(plane: ControlPlane, namespace: str) -> None:
    plane.create(objects.pod("ignite-0", namespace, {"app": "ignite"}, ip="10.244.1.10"))
    plane.create(objects.service_account("reader", namespace))
    user = f"system:serviceaccount:{namespace}:reader"
    plane.create_all(objects.grant(user, [objects.rule(["list"], ["pods"])], namespace))
    plane.create_all(objects.grant(user, [objects.rule(["get"], ["namespaces"], names=["kube-system"])]))
    modules = Modules(plane.token_kubeconfig("reader", namespace))
    refused = modules.run("ignite_topology_info", arguments(namespace, deadline=60))
    assert refused.failure["code"] == "api_forbidden"
    assert "resources: [pods/log]" in refused.failure["next_step"]


def test_another_cluster_and_bad_options_are_errors(plane: ControlPlane, namespace: str) -> None:
    modules = Modules(plane.kubeconfig)
    for options, code in (
        ({"cluster_uid": "another"}, "wrong_cluster"),
        ({"pod_selector": {"matchLabel": {"app": "ignite"}}}, "invalid_selector"),
        ({"discovery_port": 0}, "invalid_option"),
        ({"expected_servers": 0}, "invalid_option"),
    ):
        refused = modules.run("ignite_topology_info", arguments(namespace, **options))
        assert refused.failure["code"] == code, options


def test_check_mode_executes_nothing_in_a_pod(plane: ControlPlane, namespace: str) -> None:
    plane.create(objects.pod("ignite-0", namespace, {"app": "ignite"}, ip="10.244.1.10"))
    mark = plane.mark()
    found = Modules(plane.kubeconfig).run("ignite_topology_info", arguments(namespace, deadline=60), check=True)
    assert found["verdict"] == "inconclusive"
    assert not [event for event in plane.audit(mark) if "exec" in str(event)]
