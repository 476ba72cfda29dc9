# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit as a module process against a real API server: its rights, its requests, and policies of other APIs."""

from __future__ import annotations

import time
import typing as t

import pytest
import yaml
from audit_builders import FLOWS, allow, deny
from harness import COLLECTIONS, Modules

from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import foreign
from lab import objects
from lab.control_plane import ControlPlane
from lab.errors import ApiError
from lab.question import arrange_question

Json = dict[str, t.Any]

FILES = COLLECTIONS / "ansible_collections" / "netguard" / "lockdown" / "roles" / "ignite_lockdown" / "files"
ACCOUNT = "system:serviceaccount:cache-ns:netguard-lockdown"
SERVED_SECONDS = 30
# Lists of APIs that this cluster does not serve until a test makes it.
ELSEWHERE = set(foreign.RESOURCES)


def shipped(name: str) -> list[Json]:
    return list(yaml.safe_load((FILES / name).read_text(encoding="utf-8"))["items"])


@pytest.fixture(scope="module")
def arranged(programs: object) -> t.Iterator[ControlPlane]:
    with ControlPlane() as plane:
        arrange_question(plane)
        plane.create_all([allow(), deny()])
        assert plane.token_kubeconfig("netguard-lockdown", "cache-ns").exists()
        plane.create_all(item for item in shipped("rbac.yml") if item["kind"] != "ServiceAccount")
        yield plane


def audit(plane: ControlPlane) -> t.Any:
    modules = Modules(plane.token_kubeconfig("netguard-lockdown", "cache-ns"))
    targets = modules.run("cluster_network_info", {"form": "endpoints"})
    arguments = {"namespace": "cache-ns", "instance": "ignite", "flows": FLOWS, "targets": targets.result}
    return modules.run("policy_audit_info", arguments)


def test_without_the_right_to_read_policies_nothing_is_judged(arranged: ControlPlane) -> None:
    refused = audit(arranged)
    assert refused.failed
    assert refused.result["failure"]["code"] == "api_forbidden"
    assert "networkpolicies" in refused.result["msg"]


def test_the_shipped_rights_are_enough_and_all_used_and_nothing_is_written(arranged: ControlPlane) -> None:
    arranged.create_all(shipped("rbac-audit.yml"))
    mark = arranged.mark()
    found = audit(arranged)
    events = [event for event in arranged.audit(mark) if event.user == ACCOUNT]
    assert [str(event) for event in events if event.code == 403 or event.mutating] == []
    used = {(event.verb, event.resource) for event in events if event.resource}
    granted = {
        (verb, resource)
        for role in shipped("rbac-audit.yml")
        if "rules" in role
        for rule in role["rules"]
        if not ELSEWHERE & set(rule["apiGroups"])
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert granted - used == set()
    assert found["sources"]["objects"] > 100
    (blast,) = found["blast_radius"]
    assert blast["service_accounts"][0]["known"]
    assert blast["dns"]["carries_out"]


def test_a_cluster_with_cilium_is_judged_as_cilium_does_and_its_policies_are_a_doubt(arranged: ControlPlane) -> None:
    arranged.create(objects.custom_resource_definition("cilium.io", "v2", "CiliumNetworkPolicy"))
    policy: Json = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": "theirs", "namespace": "cache-ns"},
        "spec": {"endpointSelector": {"matchLabels": {"app": "ignite"}}, "ingress": [{"fromEntities": ["all"]}]},
    }
    _create_once_served(arranged, policy)
    found = audit(arranged)
    assert (found["engine"]["name"], found["engine"]["profile"]) == ("cilium", "cilium")
    assert [(each["name"], each["effect"]) for each in found["foreign"]] == [("theirs", "unknown")]
    assert any("theirs" in sentence for sentence in found["inconclusive_because"])


def _create_once_served(plane: ControlPlane, thing: Json) -> None:
    """Create an object of a kind that the API server has just learnt, and serves a moment later."""
    end = time.monotonic() + SERVED_SECONDS
    while True:
        try:
            plane.create(thing)
        except ApiError as error:
            if error.status != 404 or time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return
