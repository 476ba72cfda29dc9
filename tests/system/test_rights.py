# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account of each playbook can do what the playbook does, and without any one of its verbs something breaks."""

from __future__ import annotations

import copy
import functools
import subprocess
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import rights
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from harness import COLLECTIONS, run_playbook

from ansible_collections.netguard.lockdown.plugins.module_utils._core import neighbours
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.pack import Head
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.evidence_anchor import EvidenceAnchor
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from ansible_collections.netguard.lockdown.plugins.module_utils._module import (
    cluster_network_info,
    flow_probe,
    ignite_topology_info,
    kube_objects,
    network_policies,
    policy_audit_info,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._module.contract import Contract
from lab import objects
from lab.control_plane import ControlPlane
from lab.environment import scrubbed_env
from lab.processes import wait_until
from lab.question import HAND, arrange_question

Json = dict[str, t.Any]

COLLECTION = COLLECTIONS / "ansible_collections" / "netguard" / "lockdown"
QUESTION = yaml.safe_load((COLLECTION / "playbooks" / "vars" / "question.yml").read_text(encoding="utf-8"))
IGNITE: Json = {"matchLabels": {"app": "ignite"}}
APIS = sorted({kind.api for kind in neighbours.KINDS})
SERVED_SECONDS = 30
FLOW: Json = {
    "id": "peers",
    "direction": "egress",
    "subject": {"name": "servers", "pod_selector": IGNITE},
    "peer": {"pods": {"pod_selector": IGNITE}},
    "protocol": "TCP",
    "port": 47500,
    "reason": "servers find each other",
}


def policies(*ports: int) -> list[Json]:
    """Policies with a peer in all namespaces, which is looked up in the whole cluster."""
    anywhere: Json = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "some-pod"}}}
    rules = [{"from": [anywhere], "ports": [{"port": port}]} for port in ports]
    return [policy("netguard-ignite-allow-servers", IGNITE, rules), policy("netguard-ignite-deny-all", {}, [])]


def policy(name: str, selector: Json, ingress: list[Json]) -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": selector, "policyTypes": ["Ingress", "Egress"], "ingress": ingress},
    }


@dataclass
class Actor:
    """Runs modules in this process, as a user without a token of its own or as the admin."""

    plane: ControlPlane
    namespace: str
    user: str
    told: list[str] = field(default_factory=list)

    def run(self, contract: Contract, *, admin: bool = False, check: bool = False, **given: t.Any) -> Json:
        validated = ArgumentSpecValidator(contract.spec).validate({**self._connection(admin), **given})
        assert not validated.error_messages
        result = contract.fulfil(validated.validated_parameters, check_mode=check)
        if not admin:
            self.told.append(str(result))
        return result

    def policies(self, **given: t.Any) -> Json:
        usual: Json = {"namespace": self.namespace, "instance": "ignite", "policy_apis": APIS}
        result = self.run(network_policies.CONTRACT, **{**usual, **given})
        self.look_for_a_lease()
        return result

    def resolve(self) -> Json:
        self.run(cluster_network_info.CONTRACT, resolve_dns=False, form="endpoints")
        return self.run(cluster_network_info.CONTRACT, form="endpoints")

    def probe(self) -> None:
        self.run(flow_probe.CONTRACT, namespace=self.namespace, flows=[FLOW], deadline=0)
        self.run(ignite_topology_info.CONTRACT, namespace=self.namespace, pod_selector=IGNITE, deadline=0)

    def session(self) -> Session:
        return Session.from_params({**self._connection(admin=False), "connect_timeout": 3.0, "request_timeout": 6.0})

    def leave_a_lease(self) -> None:
        """As a run does that died long ago."""
        lease = self._lease()
        spec = {"holderIdentity": "dead", "leaseDurationSeconds": 1, "renewTime": "2026-01-01T00:00:00.000000Z"}
        labels = {"app.kubernetes.io/managed-by": "netguard.lockdown", "app.kubernetes.io/instance": "ignite"}
        self.look_for_a_lease()
        self.plane.create({**lease, "metadata": {**lease["metadata"], "labels": labels}, "spec": spec})

    def look_for_a_lease(self) -> None:
        if self.plane.exists(self._lease()):
            self.told.append("the Lease stays")
            self.plane.delete(self._lease())

    def _lease(self) -> Json:
        return objects.reference("coordination.k8s.io/v1", "Lease", "netguard-lockdown-ignite", self.namespace)

    def _connection(self, admin: bool) -> Json:
        return {"kubeconfig": str(self.plane.kubeconfig), **({} if admin else {"impersonate_user": self.user})}


def plan(actor: Actor) -> None:
    actor.resolve()
    digest = actor.policies(definitions=policies(1), check=True, server_dry_run=False)["digest"]
    planned = actor.policies(definitions=policies(1), check=True, server_dry_run=False, expected_digest=digest)
    assert planned["dry_run"] == "local"


def lockdown(actor: Actor) -> None:
    actor.resolve()
    actor.leave_a_lease()
    actor.policies(definitions=policies(1), replace_policies=["by-hand"])
    actor.policies(definitions=policies(2))


def verify(actor: Actor) -> None:
    actor.policies(definitions=policies(1), admin=True)
    actor.resolve()
    assert actor.policies(definitions=policies(1), mark_verified=True)["changed"]
    actor.policies(definitions=policies(2), admin=True)
    actor.leave_a_lease()
    assert actor.policies(definitions=policies(2), mark_verified=True)["changed"]
    actor.probe()


def rollback(actor: Actor) -> None:
    actor.policies(definitions=policies(1), replace_policies=["by-hand"], admin=True)
    actor.policies(definitions=policies(2), admin=True)
    actor.policies(revision="0", accept_unisolated_pods=True)
    actor.leave_a_lease()
    actor.policies(revision="1", accept_unisolated_pods=True)


def remove(actor: Actor) -> None:
    actor.policies(definitions=policies(1), admin=True)
    actor.plane.delete(objects.reference("v1", "ConfigMap", "netguard-lockdown-ignite", actor.namespace))
    actor.policies(state="absent", accept_unisolated_pods=True)
    actor.policies(definitions=policies(1), admin=True)
    actor.leave_a_lease()
    actor.policies(state="absent", accept_unisolated_pods=True)


def audit(actor: Actor) -> None:
    targets = actor.resolve()
    # Pods that nothing isolates can ask the DNS.
    actor.plane.delete(objects.reference("networking.k8s.io/v1", "NetworkPolicy", "by-hand", actor.namespace))
    given: Json = {"namespace": actor.namespace, "instance": "ignite", "flows": [FLOW], "targets": targets}
    actor.run(policy_audit_info.CONTRACT, **given)
    for number in (1, 2):
        anchor = EvidenceAnchor(actor.session(), actor.namespace, "ignite")
        anchor.read()
        anchor.write(Head(number, f"sha256:{number:064}", "run", "2026-01-01T00:00:00Z"))


def workload(namespace: str, replicas: int) -> list[Json]:
    """Objects of the kinds and names that entry point deploy applies."""
    account = {"kind": "ServiceAccount", "name": "ignite", "namespace": namespace}
    ports: Json = {"ports": [{"port": 47500}]}
    rule = objects.rule(["get"], ["endpoints"], names=["ignite"])
    template: Json = {
        "metadata": {"labels": {"app": "ignite"}},
        "spec": {"containers": [{"name": "ignite", "image": objects.IMAGE}]},
    }
    claim: Json = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    spec: Json = {
        "serviceName": "ignite",
        "replicas": replicas,
        "selector": IGNITE,
        "template": template,
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
    }
    mark = {"annotations": {"round": str(replicas)}}
    return [
        {"apiVersion": api, "kind": kind, "metadata": {"name": name, **mark}, **more}
        for api, kind, name, more in (
            ("v1", "ServiceAccount", "ignite", {}),
            (f"{rights.RBAC}/v1", "Role", "ignite", {"rules": [rule]}),
            (
                f"{rights.RBAC}/v1",
                "RoleBinding",
                "ignite",
                {"roleRef": {"apiGroup": rights.RBAC, "kind": "Role", "name": "ignite"}, "subjects": [account]},
            ),
            ("v1", "ConfigMap", "ignite-config", {"data": {"ignite.xml": "<beans/>"}}),
            ("v1", "Service", "ignite", {"spec": {**ports, "clusterIP": "None"}}),
            ("v1", "Service", "ignite-client", {"spec": ports}),
            ("policy/v1", "PodDisruptionBudget", "ignite", {"spec": {"maxUnavailable": 1, "selector": IGNITE}}),
            ("apps/v1", "StatefulSet", "ignite", {"spec": spec}),
        )
    ]


def deploy(actor: Actor) -> None:
    actor.resolve()
    given: Json = {"namespace": actor.namespace, "instance": "ignite"}
    actor.leave_a_lease()
    old = policy("netguard-ignite-allow-old", {"matchLabels": {"app": "old"}}, policies(1)[0]["spec"]["ingress"])
    actor.policies(definitions=[*policies(1), old])
    actor.policies(definitions=policies(2))
    actor.run(kube_objects.CONTRACT, **given, definitions=workload(actor.namespace, 0), wait=False)
    try:
        actor.run(kube_objects.CONTRACT, **given, definitions=workload(actor.namespace, 1), wait_timeout=0.01)
    except LockdownError as error:
        if error.code != "rollout_timeout":
            raise
        actor.told.append(str(error))
    actor.probe()


def refresh(actor: Actor) -> None:
    actor.policies(definitions=policies(1), admin=True)
    actor.resolve()
    actor.policies(definitions=policies(2))
    actor.leave_a_lease()
    actor.policies(definitions=policies(3))


SCENARIOS = {
    "plan": plan,
    "lockdown": lockdown,
    "verify": verify,
    "rollback": rollback,
    "remove": remove,
    "audit": audit,
    "refresh": refresh,
    "deploy": deploy,
}
# Verbs whose use takes what is not here, with the test that has it.
ELSEWHERE = {
    ("cilium.io", "ciliumnetworkpolicies", "get"): "tests/system/test_cilium_policy.py",
    ("cilium.io", "ciliumnetworkpolicies", "create"): "tests/system/test_cilium_policy.py",
    ("cilium.io", "ciliumnetworkpolicies", "patch"): "tests/system/test_cilium_policy.py",
    ("cilium.io", "ciliumnetworkpolicies", "delete"): "tests/system/test_cilium_policy.py",
    ("", "pods", "get"): "tests/enforced/test_flow_probe.py",
    # Read where Calico's older API is not served.
    ("projectcalico.org", "globalnetworkpolicies", "list"): "tests/unit/core/test_neighbours.py",
    ("projectcalico.org", "networkpolicies", "list"): "tests/unit/core/test_neighbours.py",
}


@dataclass(frozen=True)
class Case:
    """A playbook's scenario without one verb; without none where `verb` is empty."""

    playbook: str
    number: int
    right: rights.Right | None = None
    resource: str = ""
    verb: str = ""

    @property
    def name(self) -> str:
        return f"{self.playbook}-{self.number}"

    def __str__(self) -> str:
        if self.right is None:
            return f"{self.playbook} with everything"
        return f"{self.playbook} without {self.verb} {self.resource} in {self.right.where or 'the cluster'}"

    def is_named_by(self, failure: LockdownError) -> bool:
        """Whether it names the rule; a grant of more than one has is refused in words of its own."""
        right = t.cast("rights.Right", self.right)
        if failure.code == "rbac_escalation":
            return f'Resources:["{self.resource}"]' in failure.why and f'Verbs:["{self.verb}"]' in failure.why
        rule = failure.details["rbac_rule"]
        same = rule["apiGroups"] == [right.group] and rule["resources"] == [self.resource]
        return same and self.verb in rule["verbs"]

    def manifest(self) -> list[Json]:
        """The shipped objects for a namespace and a user of this case."""
        text = (COLLECTION / rights.FOLDER / f"{self.playbook}.yml").read_text(encoding="utf-8")
        own = text.replace(rights.NAMESPACE, self.name).replace(f"netguard-lockdown-{self.playbook}", self.name)
        items: list[Json] = [item for item in yaml.safe_load(own)["items"] if item["kind"] != "ServiceAccount"]
        for item in items:
            if "subjects" in item:
                item["subjects"] = [{"apiGroup": rights.RBAC, "kind": "User", "name": self.name}]
            elif self.right is not None:
                item["rules"] = list(self._less(item))
        return items

    def _less(self, role: Json) -> Iterator[Json]:
        right = t.cast("rights.Right", self.right)
        place = role["metadata"].get("namespace", "").replace(self.name, rights.NAMESPACE)
        names = tuple(name.replace(rights.NAMESPACE, self.name) for name in right.names)
        for rule in role["rules"]:
            if (
                place == right.where
                and rule["apiGroups"] == [right.group]
                and self.resource in rule["resources"]
                and tuple(rule.get("resourceNames", ())) == names
                and self.verb in rule["verbs"]
            ):
                others = [name for name in rule["resources"] if name != self.resource]
                if others:
                    yield {**rule, "resources": others}
                left = [verb for verb in rule["verbs"] if verb != self.verb]
                if left:
                    yield {**copy.deepcopy(rule), "resources": [self.resource], "verbs": left}
            else:
                yield rule


def cases() -> list[Case]:
    found = [Case(playbook, 0) for playbook in SCENARIOS]
    for playbook in SCENARIOS:
        # Other playbooks read the policies of others by the same code as the plan.
        of_others = playbook in ("plan", "audit")
        granted = [each for each in rights.granted(playbook) if of_others or each[0].why != rights.OF_OTHERS]
        taken = [each for each in granted if (each[0].group, *each[1:]) not in ELSEWHERE]
        found += [Case(playbook, number, *each) for number, each in enumerate(taken, start=1)]
    return found


@pytest.fixture(scope="module")
def arranged(programs: object) -> Iterator[ControlPlane]:
    """The question's world, where every kind of foreign policy exists, and all cases at once: rights take a moment."""
    with ControlPlane() as plane:
        arrange_question(plane, policies=True)
        for kind in neighbours.KINDS:
            group, _slash, version = kind.api.partition("/")
            crd = objects.custom_resource_definition(group, version, kind.kind, namespaced=kind.namespaced)
            crd["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, for a test"}
            if not plane.exists(crd):
                plane.create(crd)
        for case in cases():
            plane.create(objects.namespace(case.name))
            plane.create(objects.pod("ignite-0", case.name, {"app": "ignite"}, ip="10.244.1.99"))
            plane.create(
                policy("by-hand", IGNITE, []) | {"metadata": {"name": "by-hand", "namespace": case.name}},
                field_manager=HAND,
            )
            plane.create_all(case.manifest())
        assert wait_until(functools.partial(_all_served, plane), SERVED_SECONDS)
        yield plane


def _all_served(plane: ControlPlane) -> bool:
    groups = plane.api("GET", "/apis")["groups"]
    return set(APIS) <= {each["groupVersion"] for group in groups for each in group["versions"]}


@pytest.mark.parametrize("case", cases(), ids=str)
def test_every_verb_is_needed_and_all_together_are_enough(arranged: ControlPlane, case: Case) -> None:
    actor = Actor(arranged, case.name, case.name)
    failure: LockdownError | None = None
    try:
        SCENARIOS[case.playbook](actor)
    except LockdownError as error:
        failure = error
    if case.right is None:
        assert failure is None, failure
        degraded = {right.tells for right in rights.PLAYBOOKS[case.playbook].rights if right.tells}
        assert [tells for tells in degraded if tells in " ".join(actor.told)] == []
    elif case.right.tells:
        assert failure is None, failure
        assert case.right.tells in " ".join(actor.told)
    else:
        assert failure is not None
        assert case.is_named_by(failure), failure
        assert "files/rbac" in str(failure)


@pytest.fixture(scope="module")
def accounts(arranged: ControlPlane) -> ControlPlane:
    """The question's namespace with the account of each playbook."""
    for playbook in rights.PLAYBOOKS:
        text = (COLLECTION / rights.FOLDER / f"{playbook}.yml").read_text(encoding="utf-8")
        arranged.create_all(yaml.safe_load(text)["items"])
    return arranged


def play(plane: ControlPlane, account: str, playbook: str, *arguments: str, **more: t.Any) -> str:
    """Run a playbook as the account of its name, and return what it says; nothing may have been refused."""
    mark = plane.mark()
    kubeconfig = plane.token_kubeconfig(f"netguard-lockdown-{account}", rights.NAMESPACE)
    given = {
        **QUESTION,
        "ignite_lockdown_api_form": "endpoints",
        **{f"ignite_lockdown_{name}": value for name, value in more.items()},
    }
    done: subprocess.CompletedProcess[str] = run_playbook(
        f"netguard.lockdown.{playbook}", given, scrubbed_env(kubeconfig), *arguments
    )
    events = [event for event in plane.audit(mark) if event.user.endswith(f":netguard-lockdown-{account}")]
    assert events, done.stdout
    # What proves that a target is alive without a control pod is left out on purpose.
    assert [str(event) for event in events if event.code == 403 and event.subresource != "proxy"] == []
    assert account not in READERS or not any(event.mutating for event in events)
    assert done.returncode == (2 if account == "verify" else 0), done.stdout + done.stderr
    return done.stdout


READERS = ("plan", "audit")


def test_each_playbook_runs_with_its_account(accounts: ControlPlane, tmp_path: Path) -> None:
    assert "changed=1" in play(accounts, "plan", "lockdown", "--check", server_dry_run=False)
    play(accounts, "lockdown", "lockdown")
    assert "changed=0" in play(accounts, "plan", "lockdown", "--check", server_dry_run=False)
    play(accounts, "plan", "drift")
    assert "changed=1" in play(accounts, "refresh", "refresh", api_server_addresses=["192.0.2.77"], grace_seconds=0)
    assert "changed=1" in play(accounts, "refresh", "refresh", grace_seconds=0)
    evidence = {"evidence_dir": str(tmp_path / "evidence"), "accept_vanishing_evidence": True, "evidence_anchor": False}
    play(accounts, "audit", "audit", **evidence)
    # No node runs here, so nothing can be proven.
    assert "is not proven" in play(accounts, "verify", "verify", verify_deadline=0)
    assert "changed=1" in play(accounts, "remove", "remove", remove_confirmed=True, accept_unisolated_pods=True)
    assert "changed=1" in play(accounts, "rollback", "rollback", rollback_revision="1", accept_unisolated_pods=True)
    accounts.delete(objects.reference("v1", "Service", "ignite", "cache-ns"))  # the question's
    new = {"deploy_image": "docker.io/apacheignite/ignite:2.17.0", "deploy_wait": False, "deploy_verify": False}
    play(accounts, "deploy", "deploy", **new)
