# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module network_policies against a real API server; what was written is read from its audit log."""

from __future__ import annotations

import copy
import typing as t
from pathlib import Path

import pytest
from deadly_proxy import DeadlyProxy
from harness import Modules, Outcome

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube import lease
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.client import Transport
from ansible_collections.netguard.lockdown.plugins.module_utils._module.network_policies import CONTRACT
from lab import audit, objects
from lab.client import APPLY_PATCH, MERGE_PATCH
from lab.control_plane import ControlPlane
from lab.environment import scrubbed_env
from lab.errors import ApiError
from lab.processes import wait_until

Json = dict[str, t.Any]

API = "networking.k8s.io/v1"
IGNITE: Json = {"matchLabels": {"app": "ignite"}}
ALLOW, DENY = "netguard-ignite-allow-ignite", "netguard-ignite-deny-all"
BY_HAND: Json = {
    "podSelector": IGNITE,
    "policyTypes": ["Ingress"],
    "ingress": [{"from": [{"podSelector": IGNITE}], "ports": [{"protocol": "TCP", "port": 10800}]}],
}


def definition(name: str, selector: Json, **spec: t.Any) -> Json:
    full = {"podSelector": selector, "policyTypes": ["Ingress", "Egress"], **spec}
    return {"apiVersion": API, "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": full}


def peer_rule(port: int) -> Json:
    return {"from": [{"podSelector": IGNITE}], "ports": [{"protocol": "TCP", "port": port}]}


def definitions(*ports: int) -> list[Json]:
    return [definition(DENY, {}), definition(ALLOW, IGNITE, ingress=[peer_rule(port) for port in ports or (47500,)])]


class World:
    """One namespace with an Ignite pod, and the module pointed at it."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self.plane, self.namespace = plane, namespace
        self.modules = Modules(plane.kubeconfig)
        self.uid = plane.kube_system_uid
        self.started = plane.mark()
        plane.create(objects.pod("ignite-0", namespace, {"app": "ignite"}, ip="10.244.1.10"))

    def arguments(self, **more: t.Any) -> Json:
        return {"namespace": self.namespace, "instance": "ignite", **more}

    def run(self, *, check: bool = False, **more: t.Any) -> Outcome:
        return self.modules.run("network_policies", self.arguments(**more), check=check)

    def apply(self, *ports: int, check: bool = False, **more: t.Any) -> Outcome:
        return self.run(check=check, definitions=definitions(*ports), **more)

    def policy(self, name: str) -> Json:
        return self.plane.read(objects.reference(API, "NetworkPolicy", name, self.namespace))

    def specs(self) -> dict[str, Json]:
        items = self.plane.list(API, "NetworkPolicy", self.namespace)
        return {item["metadata"]["name"]: item["spec"] for item in items}

    def add(self, name: str, spec: Json, labels: dict[str, str] | None = None) -> Json:
        policy = objects.network_policy(name, self.namespace, spec, labels)
        return self.plane.create(policy, field_manager="kubectl-create")

    def edit(self, name: str, spec: Json) -> None:
        policy = objects.reference(API, "NetworkPolicy", name, self.namespace)
        self.plane.patch(policy, {"spec": spec}, field_manager="kubectl-edit")

    def lease(self) -> Json:
        return objects.reference("coordination.k8s.io/v1", "Lease", "netguard-lockdown-ignite", self.namespace)

    def let_lease_expire(self) -> None:
        """As if the 30 seconds had passed since the holder died."""
        if self.plane.exists(self.lease()):
            self.plane.patch(self.lease(), {"spec": {"renewTime": "2026-01-01T00:00:00.000000Z"}})

    def mark(self) -> None:
        self.started = self.plane.mark()

    def requests(self) -> list[audit.Event]:
        return self.plane.audit(self.started)

    def writes(self) -> list[str]:
        """Verb, resource and name of every write in this namespace since mark()."""
        return [
            f"{event.verb} {event.resource} {event.name or '-'}"
            for event in self.requests()
            if event.write and event.namespace == self.namespace
        ]


@pytest.fixture
def world(plane: ControlPlane, namespace: str) -> World:
    return World(plane, namespace)


def actions(outcome: Outcome) -> dict[str, str]:
    return {item["name"]: item["action"] for item in outcome["policies"]}


def test_check_then_do_then_redo(world: World) -> None:
    planned = world.apply(check=True)
    assert planned["changed"]
    assert planned["dry_run"] == "server"
    assert world.writes() == []
    assert world.specs() == {}

    done = world.apply(expected_digest=planned["digest"])
    assert done["changed"]
    assert actions(done) == actions(planned) == {ALLOW: "create", DENY: "create"}
    assert done["diff"] == planned["diff"]
    assert done["revision"] == {
        "number": 1,
        "operation": "apply",
        "status": "applied",
        "restores": None,
        "plan_digest": planned["digest"],
    }
    assert sorted(world.specs()) == [ALLOW, DENY]

    world.mark()
    again = world.apply()
    assert not again["changed"]
    assert again["dry_run"] == "none"
    assert set(again.result) == set(done.result)
    assert not [event for event in world.requests() if event.mutating]


def test_the_writes_come_in_an_order_that_cuts_nobody_off(world: World) -> None:
    world.add("by-hand", BY_HAND)
    world.mark()
    assert world.apply(replace_policies=["by-hand"])["changed"]
    assert world.writes() == [
        "create leases netguard-lockdown-ignite",
        "create configmaps netguard-lockdown-ignite",
        f"patch networkpolicies {ALLOW}",
        f"patch networkpolicies {DENY}",
        "delete networkpolicies by-hand",
        "update configmaps netguard-lockdown-ignite",
        "delete leases netguard-lockdown-ignite",
    ]


@pytest.mark.parametrize(("known", "requests"), [({"policy_apis": []}, 3), ({}, 4)])
def test_a_converged_run_needs_three_requests_and_one_where_apis_are_unknown(
    world: World, known: Json, requests: int
) -> None:
    world.apply()
    world.mark()
    world.apply(**known)
    assert len(world.requests()) == requests


def test_a_changed_plan_is_not_the_approved_one(world: World) -> None:
    approved = world.apply(check=True)["digest"]
    world.mark()
    refused = world.apply(47500, 47100, expected_digest=approved)
    assert refused.failure["code"] == "plan_changed"
    assert refused.failure["details"]["expected_digest"] == approved
    assert world.writes() == []


def test_an_approved_plan_that_is_done_already_is_accepted(world: World) -> None:
    approved = world.apply(check=True)["digest"]
    world.apply(expected_digest=approved)
    assert not world.apply(expected_digest=approved)["changed"]


@pytest.mark.parametrize(
    ("how", "body", "content_type"),
    [
        ("an edit", {"spec": {"ingress": [{"from": [{"podSelector": {}}]}]}}, MERGE_PATCH),
        (
            "a forced apply that takes every field",
            {
                "apiVersion": API,
                "kind": "NetworkPolicy",
                "metadata": {"name": DENY},
                "spec": {
                    "podSelector": {"matchLabels": {"no": "pod"}},
                    "policyTypes": ["Ingress"],
                    "ingress": [{"from": [{"podSelector": {}}]}],
                    "egress": [{"to": [{"podSelector": {}}]}],
                },
            },
            APPLY_PATCH,
        ),
    ],
)
def test_an_edit_of_ours_is_repaired_and_reported(world: World, how: str, body: Json, content_type: str) -> None:
    world.apply()
    wanted = world.specs()
    path = f"/apis/{API}/namespaces/{world.namespace}/networkpolicies/{DENY}"
    force = {"force": "true"} if content_type == APPLY_PATCH else {}
    query = {"fieldManager": "somebody", **force}
    world.plane.api("PATCH", path, body, query=query, content_type=content_type)
    assert world.specs() != wanted, how

    repaired = world.apply()
    assert actions(repaired) == {ALLOW: "none", DENY: "repair"}
    [change] = [item for item in repaired["policies"] if item["action"] == "repair"]
    assert [owner["manager"] for owner in change["stolen_fields"]] == ["somebody"]
    assert any("from all pods" in loss for loss in change["losses"])
    assert world.specs() == wanted
    assert not world.apply()["changed"]


def test_policies_of_others_are_never_touched(world: World) -> None:
    ours = {"app.kubernetes.io/managed-by": "netguard.lockdown", "app.kubernetes.io/instance": "ignite"}
    harmless: Json = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]}
    world.add("plain", harmless)
    world.add("with-our-labels", harmless, ours)
    before = {name: world.policy(name) for name in ("plain", "with-our-labels")}
    world.apply()
    world.apply(47500, 47100)
    world.run(revision="verified")
    world.run(state="absent", accept_unisolated_pods=True)
    assert {name: world.policy(name) for name in before} == before


def test_our_name_held_by_somebody_else_writes_nothing(world: World) -> None:
    world.add(ALLOW, BY_HAND)
    world.mark()
    refused = world.apply()
    assert refused.failure["code"] == "name_taken"
    assert "kubectl-create" in refused.failure["why"]
    assert world.writes() == []


def test_prune_removes_what_is_no_longer_defined(world: World) -> None:
    extra = definition("netguard-ignite-allow-backup", {"matchLabels": {"app": "backup"}}, ingress=[peer_rule(1)])
    world.run(definitions=[*definitions(), extra])
    assert not world.apply(prune=False)["changed"]
    assert actions(world.apply())["netguard-ignite-allow-backup"] == "delete"
    assert sorted(world.specs()) == [ALLOW, DENY]


def test_rollback_from_another_process_restores_what_stood_before(world: World) -> None:
    world.add("by-hand", BY_HAND)
    before = world.specs()
    world.apply(replace_policies=["by-hand"])
    assert sorted(world.specs()) == [ALLOW, DENY]

    refused = world.run(revision="verified")
    assert refused.failure["code"] == "unisolated_pods"
    assert sorted(world.specs()) == [ALLOW, DENY]

    undone = world.run(revision="verified", accept_unisolated_pods=True)
    assert undone["revision"]["operation"] == "rollback"
    assert undone["revision"]["restores"] == 0
    assert world.specs() == before

    world.mark()
    assert not world.run(revision="verified", accept_unisolated_pods=True)["changed"]
    assert world.writes() == []


def test_a_restored_policy_is_not_ours_afterwards(world: World) -> None:
    world.add("by-hand", BY_HAND, {"team": "data"})
    world.apply(replace_policies=["by-hand"])
    world.run(revision="verified", accept_unisolated_pods=True)
    restored = world.policy("by-hand")["metadata"]
    assert restored["labels"] == {"team": "data"}
    assert {entry["manager"] for entry in restored["managedFields"]} == {"netguard.lockdown-restore"}


def test_rollback_of_an_update_goes_one_revision_back(world: World) -> None:
    world.apply(47500)
    first = world.specs()
    world.apply(47500, 47100)
    assert world.run(revision="verified")["revision"]["restores"] == 1
    assert world.specs() == first
    assert actions(world.run(revision="2"))[ALLOW] == "update"


def test_rollback_without_a_record_is_an_error(world: World) -> None:
    assert world.run(revision="verified").failure["code"] == "no_rollback_target"


def test_absent_needs_the_explicit_word(world: World) -> None:
    world.apply()
    refused = world.run(state="absent")
    assert refused.failure["code"] == "unisolated_pods"
    removed = world.run(state="absent", accept_unisolated_pods=True)
    assert list(actions(removed).items()) == [(DENY, "delete"), (ALLOW, "delete")]
    assert world.specs() == {}
    assert not world.run(state="absent")["changed"]


def test_a_verified_revision_is_marked_once_and_found_by_a_rollback(world: World) -> None:
    world.apply(47500)
    standing = world.specs()
    checked = world.run(definitions=definitions(47500), mark_verified=True, check=True)
    assert (checked["standing"], checked["changed"], checked["revision"]["status"]) == (True, True, "applied")
    world.mark()
    marked = world.run(definitions=definitions(47500), mark_verified=True)
    assert (marked["changed"], marked["revision"]["number"], marked["revision"]["status"]) == (True, 1, "verified")
    assert [line for line in world.writes() if "leases" not in line] == ["update configmaps netguard-lockdown-ignite"]
    again = world.run(definitions=definitions(47500), mark_verified=True)
    assert (again["changed"], again["revision"]["status"]) == (False, "verified")
    world.apply(47500, 47100)
    world.apply(47500, 47100, 10800)
    assert world.run(revision="verified")["revision"]["restores"] == 1
    assert world.specs() == standing


def test_policies_that_differ_are_not_marked(world: World) -> None:
    world.apply(47500)
    world.edit(DENY, {"egress": [{}]})
    found = world.run(definitions=definitions(47500), mark_verified=True)
    assert (found["standing"], found["changed"], found["revision"]["status"]) == (False, False, "applied")
    assert actions(found) == {ALLOW: "none", DENY: "repair"}
    assert world.policy(DENY)["spec"]["egress"] == [{}]
    other = world.run(definitions=definitions(47100), mark_verified=True)
    assert not other["standing"]
    assert actions(other)[ALLOW] == "update"


def test_policies_without_an_undo_record_can_stand_and_have_no_revision(world: World) -> None:
    world.apply(47500)
    world.plane.delete(objects.reference("v1", "ConfigMap", "netguard-lockdown-ignite", world.namespace))
    found = world.run(definitions=definitions(47500), mark_verified=True)
    assert (found["standing"], found["changed"], found["revision"]) == (True, False, None)


def test_removed_policies_cannot_be_marked(world: World) -> None:
    refused = world.run(state="absent", mark_verified=True, definitions=[])
    assert refused.failure["code"] == "invalid_option"


def test_removing_one_of_two_instances_changes_nothing_for_the_other(world: World) -> None:
    other = [
        {**copy.deepcopy(item), "metadata": {"name": item["metadata"]["name"].replace("ignite", "other", 1)}}
        for item in definitions(47500, 47100)
    ]
    accepted: Json = {"accept_foreign_policies": ["netguard-ignite-allow-ignite", "netguard-other-allow-ignite"]}
    world.apply(**accepted)
    world.modules.run(
        "network_policies",
        {"namespace": world.namespace, "instance": "other", "definitions": other, **accepted},
    )
    before = {name: world.policy(name) for name in world.specs() if "other" in name}
    assert len(before) == 2
    world.run(state="absent")
    assert {name: world.policy(name) for name in world.specs()} == before


def test_pods_that_would_be_cut_off_are_named(world: World) -> None:
    world.plane.create(objects.pod("backup", world.namespace, {"app": "backup"}, ip="10.244.1.11"))
    world.mark()
    refused = world.apply()
    assert refused.failure["code"] == "uncovered_pods"
    assert refused.failure["details"]["pods"] == ["backup"]
    assert world.writes() == []
    assert world.apply(accept_uncovered_pods=True)["preflight"]["uncovered_pods"] == ["backup"]


def test_the_plan_lists_whom_a_peer_matches_today(world: World) -> None:
    elsewhere = f"{world.namespace}-clients"
    world.plane.create(objects.namespace(elsewhere, {"zone": elsewhere}))
    world.plane.create(objects.pod("some-pod", elsewhere, {"app": "some-pod"}, ip="10.244.1.20"))
    world.plane.create(objects.pod("unrelated", elsewhere, {"app": "unrelated"}, ip="10.244.1.21"))
    client = {
        "namespaceSelector": {"matchLabels": {"zone": elsewhere}},
        "podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["some-pod", "another-pod"]}]},
    }
    rule = {"from": [client], "ports": [{"port": 10800}]}
    planned = world.run(definitions=[definition(ALLOW, IGNITE, ingress=[rule])], check=True)
    [peer] = planned["preflight"]["peers"]
    assert peer["namespaces"] == [elsewhere]
    assert peer["pods"] == [f"{elsewhere}/some-pod"]


def test_a_namespace_that_does_not_exist_is_an_error(world: World) -> None:
    missing = {"namespace": "no-such-namespace", "instance": "ignite"}
    for arguments in ({"definitions": definitions(), "accept_no_pods": True}, {"revision": "verified"}):
        refused = world.modules.run("network_policies", {**missing, **arguments})
        assert refused.failure["code"] == "missing_namespace"
    assert not world.modules.run("network_policies", {**missing, "state": "absent"})["changed"]


def test_another_cluster_than_the_pinned_one_is_an_error(world: World) -> None:
    assert world.apply(cluster_uid=world.uid, check=True)["cluster"] == {"uid": world.uid}
    refused = world.apply(cluster_uid="00000000-0000-0000-0000-000000000000")
    assert refused.failure["code"] == "wrong_cluster"
    assert world.writes() == []


@pytest.mark.parametrize("name", ["Not-Valid", "a" * 41])
def test_an_invalid_instance_is_an_error(world: World, name: str) -> None:
    arguments = {"namespace": world.namespace, "instance": name, "definitions": definitions()}
    assert world.modules.run("network_policies", arguments).failure["code"] == "invalid_instance"


def test_a_definition_that_would_open_everything_is_an_error(world: World) -> None:
    wide = [definition(ALLOW, IGNITE, ingress=[{"ports": [{"port": 47500}]}])]
    assert "means everyone" in world.run(definitions=wide).failure["why"]
    assert world.writes() == []


def test_a_held_lease_names_its_holder(world: World) -> None:
    spec = {
        "holderIdentity": "alice@awx:1",
        "leaseDurationSeconds": 3600,
        "acquireTime": "2026-01-01T00:00:00.000000Z",
        "renewTime": "2999-01-01T00:00:00.000000Z",
    }
    ours = {"app.kubernetes.io/managed-by": "netguard.lockdown", "app.kubernetes.io/instance": "ignite"}
    lease = {**world.lease(), "spec": spec}
    lease["metadata"]["labels"] = ours
    world.plane.create(lease)
    world.mark()
    refused = world.apply(lock_timeout=0)
    assert refused.failure["code"] == "lease_held"
    assert refused.failure["details"] == {"holder": "alice@awx:1", "since": "2026-01-01T00:00:00.000000Z"}
    assert world.writes() == []


@pytest.mark.parametrize("kind", ["Lease", "ConfigMap"])
def test_a_lease_or_config_map_of_others_is_not_taken(world: World, kind: str) -> None:
    version = "v1" if kind == "ConfigMap" else "coordination.k8s.io/v1"
    world.plane.create(objects.reference(version, kind, "netguard-lockdown-ignite", world.namespace))
    refused = world.apply()
    assert refused.failure["code"] == "name_taken"
    assert world.specs() == {}
    assert not world.plane.exists(world.lease()) or kind == "Lease"


def test_without_the_right_to_write_the_plan_is_computed_locally(world: World) -> None:
    reader = world.plane.user_kubeconfig("reader")
    rules = [objects.rule(["get", "list"], ["namespaces", "pods", "configmaps"])]
    rules.append(objects.rule(["list"], ["networkpolicies"], "networking.k8s.io"))
    world.plane.create_all(objects.grant("reader", rules))
    modules = Modules(reader)
    planned = modules.run("network_policies", world.arguments(definitions=definitions()), check=True)
    assert planned["dry_run"] == "local"
    assert actions(planned) == {ALLOW: "create", DENY: "create"}

    refused = modules.run("network_policies", world.arguments(definitions=definitions()))
    assert refused.failure["code"] == "api_forbidden"
    assert refused.failure["details"]["rbac_rule"] == {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": ["get"],
        "resourceNames": ["netguard-lockdown-ignite"],
    }
    assert world.specs() == {}


def test_check_mode_without_server_dry_run_only_reads(world: World) -> None:
    world.mark()
    planned = world.apply(check=True, server_dry_run=False)
    assert planned["dry_run"] == "local"
    assert not [event for event in world.requests() if event.mutating]
    assert planned["digest"] == world.apply(check=True)["digest"]


@pytest.fixture
def refuse(world: World) -> t.Iterator[t.Callable[[str], None]]:
    """Make the API server refuse the deny policy of this namespace, under a condition of an admission policy."""
    group = "/apis/admissionregistration.k8s.io/v1"
    kinds = {"validatingadmissionpolicies": "ValidatingAdmissionPolicy"}
    kinds["validatingadmissionpolicybindings"] = "ValidatingAdmissionPolicyBinding"

    def create(condition: str) -> None:
        matched = [{"apiGroups": ["networking.k8s.io"], "apiVersions": ["v1"], "resources": ["networkpolicies"]}]
        rules = [{**rule, "operations": ["CREATE", "UPDATE"]} for rule in matched]
        about = f"object.metadata.namespace != '{world.namespace}' || object.metadata.name != '{DENY}'"
        validation = {"expression": f"{about} || !({condition})", "message": "refused by a test", "reason": "Forbidden"}
        specs: dict[str, Json] = {
            "validatingadmissionpolicies": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": rules},
                "validations": [validation],
            },
            "validatingadmissionpolicybindings": {"policyName": world.namespace, "validationActions": ["Deny"]},
        }
        for resource, spec in specs.items():
            body = {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": kinds[resource],
                "metadata": {"name": world.namespace},
                "spec": spec,
            }
            world.plane.api("POST", f"{group}/{resource}", body)
        assert wait_until(lambda: not _accepts_deny_policy(world), 20.0, 0.2)

    yield create
    for resource in kinds:
        world.plane.api("DELETE", f"{group}/{resource}/{world.namespace}")


def _accepts_deny_policy(world: World) -> bool:
    """Whether the API server would store the deny policy at the moment; admission comes before "already exists"."""
    policy = objects.network_policy(DENY, world.namespace, {"podSelector": {}})
    try:
        world.plane.create(policy)
    except ApiError as error:
        return error.status == 409
    world.plane.delete(policy)
    return True


def test_what_admission_refuses_is_not_taken_for_a_missing_right(world: World, refuse: t.Callable[[str], None]) -> None:
    refuse("true")
    for check in (True, False):
        refused = world.apply(check=check)
        assert refused.failure["code"] == "api_refused"
        assert "refused by a test" in refused.failure["why"]
    assert world.specs() == {}


def test_a_write_that_fails_takes_the_ones_before_it_back(world: World, refuse: t.Callable[[str], None]) -> None:
    world.add("by-hand", BY_HAND)
    before = world.specs()
    refuse("!request.dryRun")
    world.mark()
    refused = world.apply(replace_policies=["by-hand"])
    assert refused.failure["code"] == "api_refused"
    assert refused.failure["details"]["left_changed"] == []
    assert "Nothing is left changed" in refused.failure["next_step"]
    assert f"patch networkpolicies {ALLOW}" in world.writes()
    assert world.specs() == before


def test_an_update_that_fails_is_taken_back_too(world: World, refuse: t.Callable[[str], None]) -> None:
    world.apply(47500)
    before = world.specs()
    world.edit(DENY, {"ingress": [{"from": [{"podSelector": {}}]}]})
    edited = world.specs()
    refuse("!request.dryRun")
    refused = world.apply(47500, 47100)
    assert refused.failure["code"] == "api_refused"
    assert world.specs() == edited
    assert world.specs()[ALLOW] == before[ALLOW]


def test_two_runs_at_once_do_not_mix(world: World) -> None:
    one = world.modules.start("network_policies", world.arguments(definitions=definitions(47500)))
    two = world.modules.start("network_policies", world.arguments(definitions=definitions(47500, 47100)))
    outputs = [process.communicate(timeout=90)[0] for process in (one, two)]
    assert [process.returncode for process in (one, two)] == [0, 0], outputs
    rules = world.specs()[ALLOW]["ingress"]
    assert rules in ([peer_rule(47500)], [peer_rule(47500), peer_rule(47100)])
    assert not world.plane.exists(world.lease())


WRITES_OF_A_FIRST_RUN = 7


@pytest.fixture
def proxy(plane: ControlPlane, tmp_path: Path) -> t.Iterator[DeadlyProxy]:
    with DeadlyProxy(plane, tmp_path) as running:
        yield running


def test_a_first_run_writes_seven_times(world: World, proxy: DeadlyProxy) -> None:
    """The number that the next two tests count on."""
    world.add("by-hand", BY_HAND)
    arguments = world.arguments(definitions=definitions(), replace_policies=["by-hand"])
    outcome = proxy.run("network_policies", arguments)
    assert outcome is not None
    assert outcome["changed"]
    assert len(proxy.writes) == WRITES_OF_A_FIRST_RUN


@pytest.mark.parametrize("number", range(1, WRITES_OF_A_FIRST_RUN + 1))
def test_a_run_killed_after_any_write_is_completed_by_the_next(world: World, proxy: DeadlyProxy, number: int) -> None:
    world.add("by-hand", BY_HAND)
    before = world.specs()
    arguments = world.arguments(definitions=definitions(), replace_policies=["by-hand"])
    assert proxy.run("network_policies", arguments, kill_after_write=number) is None
    world.let_lease_expire()

    world.apply(replace_policies=["by-hand"])
    assert sorted(world.specs()) == [ALLOW, DENY]
    if number > 1:
        world.let_lease_expire()
        world.run(revision="0", accept_unisolated_pods=True)
        assert world.specs() == before


@pytest.mark.parametrize("number", range(2, WRITES_OF_A_FIRST_RUN + 1))
def test_a_run_killed_after_any_write_is_undone_by_a_rollback(world: World, proxy: DeadlyProxy, number: int) -> None:
    world.add("by-hand", BY_HAND)
    before = world.specs()
    arguments = world.arguments(definitions=definitions(), replace_policies=["by-hand"])
    assert proxy.run("network_policies", arguments, kill_after_write=number) is None
    world.let_lease_expire()

    world.run(revision="verified", accept_unisolated_pods=True)
    assert world.specs() == before


# Lease and record come before the three policies, and again after them.
@pytest.mark.parametrize("then_gone", [False, True])
@pytest.mark.parametrize("number", range(3, 6))
def test_a_write_whose_answer_is_lost_leaves_nothing_half_done_unsaid(
    world: World, proxy: DeadlyProxy, number: int, then_gone: bool
) -> None:
    world.add("by-hand", BY_HAND)
    before = world.specs()
    arguments = world.arguments(definitions=definitions(), replace_policies=["by-hand"])
    outcome = proxy.run("network_policies", arguments, lose_answer_of_write=number, then_gone=then_gone)
    assert outcome is not None
    after = world.specs()
    assert DENY not in after or ALLOW in after, "what isolates stands without what allows"
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    assert set(outcome.failure["details"]["left_changed"]) >= changed
    assert bool(changed) == then_gone
    told = "Run again to complete the change, or roll back" if then_gone else "Nothing is left changed"
    assert told in outcome.failure["next_step"]
    assert "unexpected keyword" not in outcome.output
    world.let_lease_expire()
    world.apply(replace_policies=["by-hand"])
    assert sorted(world.specs()) == [ALLOW, DENY]


@pytest.mark.parametrize("then_gone", [False, True])
def test_a_change_that_cannot_be_noted_as_complete_says_that_it_stands(
    world: World, proxy: DeadlyProxy, then_gone: bool
) -> None:
    world.add("by-hand", BY_HAND)
    before = world.specs()
    arguments = world.arguments(definitions=definitions(), replace_policies=["by-hand"])
    outcome = proxy.run("network_policies", arguments, lose_answer_of_write=6, then_gone=then_gone)
    assert outcome is not None
    assert sorted(world.specs()) == [ALLOW, DENY]
    assert sorted(outcome.failure["details"]["left_changed"]) == ["by-hand", ALLOW, DENY]
    assert "Nothing is to be undone" in outcome.failure["next_step"]
    world.let_lease_expire()
    assert not world.apply(replace_policies=["by-hand"])["changed"]
    world.run(revision="verified", accept_unisolated_pods=True)
    assert world.specs() == before


@pytest.mark.parametrize(("write", "left"), [(0, []), (1, [ALLOW])])
def test_a_run_that_loses_its_lease_names_what_it_has_written(
    world: World, monkeypatch: pytest.MonkeyPatch, write: int, left: list[str]
) -> None:
    def renewed(self: lease.Lease) -> None:
        if len(world.specs()) == write:
            world.plane.patch(world.lease(), {"spec": {"holderIdentity": "another"}})
        renew(self)

    renew = lease.Lease.renew
    monkeypatch.setattr(lease.Lease, "renew", renewed)
    monkeypatch.setattr(lease, "_RENEW_AFTER_SECONDS", 0.0)
    with pytest.raises(LockdownError) as lost:
        here(world, definitions=definitions())
    assert (lost.value.code, lost.value.details["left_changed"]) == ("lease_lost", left)
    assert sorted(world.specs()) == left
    assert lost.value.next_step.startswith("Run again to complete" if left else "Nothing is changed")


def here(world: World, **more: t.Any) -> Json:
    """The module's work in this process."""
    defaults = {name: option.get("default") for name, option in CONTRACT.spec.items()}
    arguments = world.arguments(kubeconfig=str(world.plane.kubeconfig), **more)
    return CONTRACT.fulfil({**defaults, **arguments}, check_mode=False)


def test_changes_that_a_load_balancer_sends_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(self: Transport, method: str, target: str, *more: t.Any) -> t.Any:
        if method != "GET" and "/networkpolicies" in target and "dryRun" not in target:
            send(self, method, target, *more)
        return send(self, method, target, *more)

    send = Transport.send
    monkeypatch.setattr(Transport, "send", twice)
    world.add("by-hand", BY_HAND)
    before = world.specs()
    for ports in ((47500,), (47500, 47100)):
        assert here(world, definitions=definitions(*ports), replace_policies=["by-hand"])["changed"]
    assert not world.apply(47500, 47100)["changed"]
    assert here(world, revision="0", accept_unisolated_pods=True)["changed"]
    assert world.specs() == before


def test_a_policy_that_a_finalizer_holds_is_not_taken_for_gone(world: World) -> None:
    world.apply()
    deny = objects.reference(API, "NetworkPolicy", DENY, world.namespace)
    world.plane.patch(deny, {"metadata": {"finalizers": ["example.com/hold"]}})
    failure = world.run(state="absent", accept_unisolated_pods=True).failure
    assert (failure["code"], failure["details"]["left_changed"]) == ("not_gone", [DENY])
    assert sorted(world.specs()) == [ALLOW, DENY]


@pytest.mark.parametrize("check", [False, True])
def test_a_policy_that_is_being_deleted_does_not_stand_as_wanted(world: World, check: bool) -> None:
    world.apply()
    deny = objects.reference(API, "NetworkPolicy", DENY, world.namespace)
    world.plane.patch(deny, {"metadata": {"finalizers": ["example.com/hold"]}})
    world.plane.delete(deny)
    failure = world.apply(check=check).failure
    assert (failure["code"], failure["object"]["name"]) == ("being_deleted", DENY)
    world.plane.patch(deny, {"metadata": {"finalizers": None}})
    assert actions(world.apply(check=check))[DENY] == "create"


@pytest.mark.parametrize("what", ["/leases", "/configmaps", "/networkpolicies"])
def test_a_write_that_is_answered_without_its_object_is_not_believed(
    world: World, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def lost(self: Transport, method: str, target: str, *more: t.Any) -> t.Any:
        if method in ("POST", "PATCH") and what in target and "dryRun" not in target:
            return 200, {}, b'{"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}'
        return send(self, method, target, *more)

    send = Transport.send
    monkeypatch.setattr(Transport, "send", lost)
    with pytest.raises(LockdownError) as lost_answer:
        here(world, definitions=definitions())
    assert lost_answer.value.code == "api_not_kubernetes"
    assert world.specs() == {}


def test_the_lease_of_a_dead_run_is_waited_for(world: World, proxy: DeadlyProxy) -> None:
    arguments = world.arguments(definitions=definitions())
    assert proxy.run("network_policies", arguments, kill_after_write=1) is None
    assert world.apply(lock_timeout=0).failure["code"] == "lease_held"
    assert world.apply()["changed"]


def test_the_scrubbed_environment_has_one_cluster_only(plane: ControlPlane) -> None:
    names = [name for name in scrubbed_env(plane.kubeconfig) if name.startswith("K8S_AUTH_")]
    assert names == ["K8S_AUTH_KUBECONFIG"]
