# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies of other kinds on a real API server: found, judged, refused or accepted, and with which rights."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from harness import COLLECTIONS, Modules, Outcome

from lab import objects
from lab.control_plane import ControlPlane
from lab.errors import ApiError
from lab.processes import wait_until
from lab.question import arrange_question

Json = dict[str, t.Any]

ADMIN, CALICO = "policy.networking.k8s.io/v1alpha1", "crd.projectcalico.org/v1"
FILES = COLLECTIONS / "ansible_collections" / "netguard" / "lockdown" / "roles" / "ignite_lockdown" / "files"
IGNITE: Json = {"matchLabels": {"app": "ignite"}}
MONITORING: Json = {
    "apiVersion": ADMIN,
    "kind": "AdminNetworkPolicy",
    "metadata": {"name": "monitoring"},
    "spec": {
        "priority": 10,
        "subject": {"namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "cache-ns"}}},
        "ingress": [{"action": "Allow", "from": [{"namespaces": {}}]}],
    },
}
ODD: Json = {
    "apiVersion": CALICO,
    "kind": "GlobalNetworkPolicy",
    "metadata": {"name": "odd"},
    "spec": {"selector": "app in {'ignite'}", "egress": [{"action": "Allow"}]},
}
KINDS = ((ADMIN, "AdminNetworkPolicy"), (CALICO, "GlobalNetworkPolicy"))


def definitions() -> list[Json]:
    peer = {"from": [{"podSelector": IGNITE}], "ports": [{"protocol": "TCP", "port": 47500}]}
    both: Json = {"policyTypes": ["Ingress", "Egress"]}
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": f"netguard-ignite-{name}"},
            "spec": {**both, **spec},
        }
        for name, spec in (
            ("allow-servers", {"podSelector": IGNITE, "ingress": [peer]}),
            ("deny-all", {"podSelector": {}}),
        )
    ]


def shipped(name: str) -> list[Json]:
    return list(yaml.safe_load((FILES / name).read_text(encoding="utf-8"))["items"])


@pytest.fixture(scope="module")
def arranged(programs: object) -> Iterator[ControlPlane]:
    """The question's world on a plane of its own, for the kinds of others would be seen by every other test."""
    with ControlPlane() as plane:
        arrange_question(plane)
        for api, kind in KINDS:
            group, _slash, version = api.partition("/")
            crd = objects.custom_resource_definition(group, version, kind, namespaced=False)
            # Groups of Kubernetes are protected; this says that it is nobody's official resource.
            crd["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, for a test"}
            plane.create(crd)
        for api, kind in KINDS:
            assert wait_until(functools.partial(_served, plane, api, kind), 30)
        for item in (MONITORING, ODD):
            plane.api("POST", f"/apis/{item['apiVersion']}/{_plural(item['kind'])}", item)
        yield plane


def _plural(kind: str) -> str:
    return f"{kind.lower()[:-1]}ies"


def _served(plane: ControlPlane, api: str, kind: str) -> bool:
    try:
        listed = "items" in plane.api("GET", f"/apis/{api}/{_plural(kind)}")
    except ApiError:
        return False
    return listed and api.partition("/")[0] in [group["name"] for group in plane.api("GET", "/apis")["groups"]]


def run(kubeconfig: Path, **more: t.Any) -> Outcome:
    given: Json = {"namespace": "cache-ns", "instance": "ignite", "accept_uncovered_pods": True, **more}
    return Modules(kubeconfig).run("network_policies", {"definitions": definitions(), **given}, check=True)


def effects(outcome: Outcome) -> dict[str, str]:
    return {f"{each['kind']}/{each['name']}": each["effect"] for each in outcome["preflight"]["other_policies"]}


def test_one_that_widens_is_refused_until_it_is_accepted(arranged: ControlPlane) -> None:
    failure = run(arranged.kubeconfig).failure
    assert failure["code"] == "foreign_policies"
    assert failure["details"]["policies"] == ["AdminNetworkPolicy/monitoring"]
    accepted = run(arranged.kubeconfig, accept_foreign_policies=["AdminNetworkPolicy/monitoring"])
    assert effects(accepted) == {
        "AdminNetworkPolicy/monitoring": "widens",
        "GlobalNetworkPolicy/odd": "inconclusive",
    }
    assert "GlobalNetworkPolicy/odd" in str(accepted["warnings"])


def test_a_task_that_knows_of_no_other_kind_asks_for_none(arranged: ControlPlane) -> None:
    mark = arranged.mark()
    assert effects(run(arranged.kubeconfig, policy_apis=[])) == {}
    assert {event.resource for event in arranged.audit(mark)} & {
        "adminnetworkpolicies",
        "globalnetworkpolicies",
    } == set()


def test_a_missing_right_is_inconclusive_and_the_shipped_ones_are_enough(arranged: ControlPlane) -> None:
    account = arranged.token_kubeconfig("netguard-lockdown", "cache-ns")
    arranged.create_all(item for item in shipped("rbac.yml") if item["kind"] != "ServiceAccount")
    found = run(account)
    # A right is asked for before it is known whether there is such a resource.
    assert effects(found) == dict.fromkeys(
        (
            "AdminNetworkPolicy/*",
            "BaselineAdminNetworkPolicy/*",
            "ClusterNetworkPolicy.policy.networking.k8s.io/*",
            "NetworkPolicy.crd.projectcalico.org/*",
            "GlobalNetworkPolicy/*",
        ),
        "inconclusive",
    )
    arranged.create_all(shipped("rbac-engines.yml"))
    assert wait_until(lambda: run(account).failed, 20)
    assert run(account).failure["code"] == "foreign_policies"
