# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The RBAC objects that ship are enough for everything the modules do, and grant nothing that they do not use."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from deadly_proxy import DeadlyProxy
from harness import COLLECTIONS, Modules

from lab import objects
from lab.control_plane import ControlPlane
from lab.question import arrange_question

Json = dict[str, t.Any]
Right = tuple[str, str, str]

COLLECTION = COLLECTIONS / "ansible_collections" / "netguard" / "lockdown"
SHIPPED = COLLECTION / "roles" / "ignite_lockdown" / "files" / "rbac.yml"
ACCOUNT = "system:serviceaccount:cache-ns:netguard-lockdown"
IGNITE: Json = {"matchLabels": {"app": "ignite"}}
CLIENT: Json = {"namespaceSelector": {"matchLabels": {"zone": "somewhere-else"}}}
# A peer in several namespaces is looked up in all of them at once.
ANYWHERE: Json = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "some-pod"}}}


def shipped() -> list[Json]:
    return list(yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))["items"])


def granted() -> set[Right]:
    """(namespace, verb, resource); the namespace is empty for a ClusterRole."""
    return {
        (role["metadata"].get("namespace", ""), verb, resource)
        for role in shipped()
        if role["kind"] in ("Role", "ClusterRole")
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def policies(*peers: Json) -> list[Json]:
    rules = [{"from": [peer], "ports": [{"port": 10800}]} for peer in peers]
    return [_policy("allow-servers", IGNITE, rules), _policy("deny-all", {}, [])]


def _policy(name: str, selector: Json, ingress: list[Json]) -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"netguard-ignite-{name}"},
        "spec": {"podSelector": selector, "policyTypes": ["Ingress", "Egress"], "ingress": ingress},
    }


@pytest.fixture(scope="module")
def arranged(programs: object) -> t.Iterator[ControlPlane]:
    with ControlPlane() as plane:
        arrange_question(plane, policies=True)
        token = plane.token_kubeconfig("netguard-lockdown", "cache-ns")
        assert token.exists()
        plane.create_all(item for item in shipped() if item["kind"] != "ServiceAccount")
        yield plane


def test_the_shipped_rights_are_enough_and_all_used(arranged: ControlPlane, tmp_path: Path) -> None:
    modules = Modules(arranged.token_kubeconfig("netguard-lockdown", "cache-ns"))
    mark = arranged.mark()
    for resolve_dns in (True, False):
        assert modules.run("cluster_network_info", {"resolve_dns": resolve_dns})["api_server"]
    instance: Json = {"namespace": "cache-ns", "instance": "ignite"}
    hand_made = ["deny-all-ingress-in-cache-ns", "netpol-cache-ns"]
    steps: list[Json] = [
        {"definitions": policies(CLIENT), "replace_policies": hand_made},
        {"definitions": policies(CLIENT, ANYWHERE)},
        {"revision": "0", "accept_unisolated_pods": True},
    ]
    for step in steps:
        assert modules.run("network_policies", {**instance, **step})["changed"]

    # The Lease of a run that died is taken over with an update.
    with DeadlyProxy(arranged, tmp_path) as proxy:
        killed = {**instance, "definitions": policies(CLIENT), "replace_policies": hand_made}
        assert proxy.run("network_policies", killed, kill_after_write=1) is None
    lease = objects.reference("coordination.k8s.io/v1", "Lease", "netguard-lockdown-ignite", "cache-ns")
    arranged.patch(lease, {"spec": {"renewTime": "2026-01-01T00:00:00.000000Z"}})
    assert modules.run("network_policies", {**instance, **steps[0]})["changed"]

    events = [event for event in arranged.audit(mark) if event.user == ACCOUNT]
    assert [str(event) for event in events if event.code == 403] == []
    used = {_right(event.namespace, event.verb, event.resource) for event in events if event.resource}
    assert granted() - used == set()


def test_the_rights_of_verify_are_enough_and_all_used(arranged: ControlPlane) -> None:
    """No node is here: a command that is allowed fails later, and differently."""
    more = list(yaml.safe_load((SHIPPED.parent / "rbac-verify.yml").read_text(encoding="utf-8"))["items"])
    modules = Modules(arranged.token_kubeconfig("netguard-lockdown", "cache-ns"))
    topology: Json = {"namespace": "cache-ns", "pod_selector": IGNITE, "deadline": 0}
    flow: Json = {
        "id": "peers",
        "direction": "egress",
        "subject": {"name": "servers", "pod_selector": IGNITE},
        "peer": {"pods": {"pod_selector": IGNITE}},
        "protocol": "TCP",
        "port": 47500,
        "reason": "servers find each other",
    }
    assert modules.run("ignite_topology_info", topology).failure["code"] == "api_forbidden"
    arranged.create_all(more)
    mark = arranged.mark()
    assert modules.run("ignite_topology_info", topology)["verdict"] == "inconclusive"
    modules.run("flow_probe", {"namespace": "cache-ns", "flows": [flow], "deadline": 0})
    events = [event for event in arranged.audit(mark) if event.user == ACCOUNT]
    # What proves that a target is alive is left out of the file on purpose.
    forbidden = [str(event) for event in events if event.code == 403 and "proxy" not in str(event)]
    assert forbidden == []
    (role,) = [item for item in more if item["kind"] == "ClusterRole"]
    granted_more = {
        (verb, resource) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]
    }
    # Since Kubernetes 1.35 a WebSocket needs create beside get; the audit log names the request's own verb. A pod is
    # read again after an attempt from a running container failed, and here none runs.
    used = {(event.verb, "/".join(filter(None, (event.resource, event.subresource)))) for event in events}
    assert granted_more - used == {("create", "pods/exec"), ("get", "pods")}


def _right(namespace: str, verb: str, resource: str) -> Right:
    """The granted right that a request used: the one of its namespace, else the cluster-wide one."""
    local = (namespace, verb, resource)
    return local if local in granted() else ("", verb, resource)
