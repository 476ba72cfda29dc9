# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drift: which class a difference gets, and what a refresh may do."""

from __future__ import annotations

import copy
import typing as t

import pytest
from policies import IGNITE, INSTANCE, PEER_RULE, allow, cilium, deny_all, edited, foreign, live

from ansible_collections.netguard.lockdown.plugins.module_utils._core import drift, ownership, policy
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import Flow, Pods, Subject, flows_digest
from ansible_collections.netguard.lockdown.plugins.module_utils._core.plan import Plan, Wanted, make_plan

Json = dict[str, t.Any]

DNS: Json = {
    "namespace": "kube-system",
    "pod_selector": {"matchLabels": {"k8s-app": "kube-dns"}},
    "ports": [{"protocol": "UDP", "port": 53}],
    "addresses": [],
}


def targets(*addresses: str, port: int = 6443, dns: Json | None = None, entity: list[int] | None = None) -> Json:
    entry = {"protocol": "TCP", "port": port, "cidrs": [f"{address}/32" for address in addresses]}
    named = {"entities": ["kube-apiserver"], "ports": entity, "additive": True} if entity else None
    return {"api_server": {"targets": [entry], "entity": named}, "dns": dns}


def egress(found: Json) -> list[Json]:
    (entry,) = found["api_server"]["targets"]
    blocks = [{"ipBlock": {"cidr": cidr}} for cidr in entry["cidrs"]]
    rules = [{"to": blocks, "ports": [{"protocol": "TCP", "port": entry["port"]}]}]
    if found["dns"]:
        names = {"matchLabels": {"kubernetes.io/metadata.name": found["dns"]["namespace"]}}
        peer = {"namespaceSelector": names, "podSelector": found["dns"]["pod_selector"]}
        rules.append({"to": [peer], "ports": found["dns"]["ports"]})
    return rules


def rendered(found: Json, *, flows: str = "sha256:1", **spec: t.Any) -> Json:
    """The allow policy for these targets."""
    made = allow(**{"egress": egress(found), **spec})
    entry = found["api_server"]["targets"][0]
    seen = ",".join(f"{cidr.partition('/')[0]}:{entry['port']}" for cidr in entry["cidrs"])
    marks = {drift.FLOWS_ANNOTATION: flows, "lockdown.netguard.io/api-endpoints": seen}
    return {**made, "metadata": {**made["metadata"], "annotations": marks}}


def served(wanted: Json) -> Json:
    """The policy as the API server has it after our apply, annotations included."""
    found = live(wanted)
    marks = wanted["metadata"].get("annotations") or {}
    found["metadata"]["annotations"] = dict(marks)
    owned: Json = {f"f:{name}": {} for name in marks}
    found["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"]["f:annotations"] = owned
    return found


def saved(*served_: Json) -> dict[str, Json]:
    """What the undo record holds."""
    return {policy.name_of(item): policy.manifest(item, only_ours=True) for item in served_}


def plan(wanted: list[Json], there: list[Json], **more: t.Any) -> Plan:
    return make_plan(Wanted(wanted, **more), there, instance=INSTANCE)


def classes(made: Plan, applied: dict[str, Json], found: Json) -> dict[str, str]:
    return {change.name: drift.classify(change, applied, found).drift for change in made.changes}


OLD = targets("192.0.2.1", "192.0.2.2", dns=DNS)


@pytest.mark.parametrize(
    "new",
    [
        targets("192.0.2.1", dns=DNS),
        targets("192.0.2.1", "192.0.2.3", dns=DNS),
        targets("192.0.2.1", "192.0.2.2", port=443, dns=DNS),
        targets("192.0.2.1", "192.0.2.2", dns={**DNS, "ports": [{"protocol": "UDP", "port": 5353}]}),
        targets("192.0.2.1", "192.0.2.2", dns={**DNS, "pod_selector": {"matchLabels": {"app": "coredns"}}}),
    ],
    ids=["gone", "replaced", "port", "DNS port", "DNS pods"],
)
def test_targets_that_moved_are_told_and_may_be_followed(new: Json) -> None:
    there = [served(rendered(OLD)), served(deny_all())]
    made = plan([rendered(new), deny_all()], there)
    assert classes(made, saved(*there), new) == {"allow": "targets_moved", "deny-all": "none"}
    drift.require_only_targets(made, saved(*there), new, instance=INSTANCE)


@pytest.mark.parametrize(
    ("wanted", "because"),
    [
        (rendered(OLD, flows="sha256:2"), "its flows differ"),
        (rendered(OLD, ingress=[]), "its pods and other rules differ"),
        (rendered(OLD, ingress=[PEER_RULE, PEER_RULE | {"ports": [{"port": 1}]}]), "its pods and other rules differ"),
        (rendered(OLD, podSelector={"matchLabels": {"app": "other"}}), "its pods and other rules differ"),
        (rendered(OLD, policyTypes=["Ingress"], egress=[]), "its pods and other rules differ"),
        (rendered(OLD, egress=[*egress(OLD), *egress(targets("203.0.113.9"))]), "open TCP 6443 to 203.0.113.9/32"),
    ],
    ids=["flows", "client gone", "client more", "pods", "direction", "an address that is no target"],
)
def test_anything_else_is_redefined_and_refused(wanted: Json, because: str) -> None:
    there = [served(rendered(OLD)), served(deny_all())]
    made = plan([wanted, deny_all()], there)
    (found,) = [drift.classify(change, saved(*there), OLD) for change in made.writes]
    assert found.drift == "redefined"
    assert because in found.reason
    with pytest.raises(LockdownError, match="run lockdown") as caught:
        drift.require_only_targets(made, saved(*there), OLD, instance=INSTANCE)
    assert caught.value.code == "not_only_targets"
    assert [item["name"] for item in caught.value.details["policies"]] == ["allow"]


def test_a_policy_without_the_digest_of_its_flows_is_not_refreshed() -> None:
    old, new = rendered(OLD), rendered(targets("192.0.2.1", dns=DNS))
    del old["metadata"]["annotations"][drift.FLOWS_ANNOTATION]
    there = [served(old)]
    assert classes(plan([new], there), saved(*there), OLD) == {"allow": "redefined"}


def test_without_an_undo_record_nobody_knows_what_was_written() -> None:
    new = targets("192.0.2.1", dns=DNS)
    made = plan([rendered(new)], [served(rendered(OLD))])
    assert classes(made, {}, new) == {"allow": "redefined"}


@pytest.mark.parametrize("what", ["rule", "annotation", "label"])
def test_what_is_not_as_it_was_written_is_edited_whoever_did_it(what: str) -> None:
    new = targets("192.0.2.1", dns=DNS)
    there = served(rendered(OLD))
    record = copy.deepcopy(saved(there))
    if what == "rule":
        there["spec"]["egress"] = [*there["spec"]["egress"], *egress(targets("203.0.113.9"))]
    elif what == "annotation":
        there["metadata"]["annotations"][drift.FLOWS_ANNOTATION] = "sha256:3"
    else:
        there["metadata"]["labels"]["extra"] = "ours"
        there["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"]["f:labels"]["f:extra"] = {}
    made = plan([rendered(new)], [there])
    assert classes(made, record, new) == {"allow": "edited"}


def test_an_edit_names_who_and_when() -> None:
    there = edited(served(deny_all()), egress=[PEER_RULE_OUT])
    there["metadata"]["managedFields"][-1]["time"] = "2026-11-22T14:00:00Z"
    (change,) = plan([deny_all()], [there]).writes
    found = drift.classify(change, saved(served(deny_all())), OLD).as_record()
    assert found["class"] == "edited"
    assert found["surplus"] == ["all pods open TCP 47500 to pods [app=ignite] of this namespace"]
    assert found["lacking"] == []
    when = {"manager": "kubectl-edit", "operation": "Update", "time": "2026-11-22T14:00:00Z", "fields": ["spec.egress"]}
    assert found["changed_by"] == [when]


PEER_RULE_OUT: Json = {"to": PEER_RULE["from"], "ports": PEER_RULE["ports"]}


def test_missing_extra_and_handed_over_policies() -> None:
    gone, by_hand = served(allow("old")), foreign("by-hand", IGNITE)
    made = plan([deny_all()], [gone, by_hand], replace=["by-hand"])
    assert classes(made, {}, OLD) == {"deny-all": "missing", "old": "extra", "by-hand": "foreign"}
    with pytest.raises(LockdownError):
        drift.require_only_targets(made, {}, OLD, instance=INSTANCE)


def test_the_port_of_the_policy_that_names_the_api_server_may_move() -> None:
    old, new = cilium(), cilium(egress=[{"toEntities": ["kube-apiserver"], "toPorts": [{"ports": [PORT]}]}])
    there = served(old)
    made = plan([new], [there])
    assert classes(made, saved(there), targets("192.0.2.1", entity=[8443])) == {"allow-api-server": "targets_moved"}
    assert classes(made, saved(there), targets("192.0.2.1", entity=[9443])) == {"allow-api-server": "redefined"}
    assert classes(made, saved(there), targets("192.0.2.1")) == {"allow-api-server": "redefined"}


PORT: Json = {"port": "8443", "protocol": "TCP"}


def test_the_worst_class_is_told() -> None:
    def one(name: str) -> drift.Drift:
        return drift.Drift("NetworkPolicy", "ns", "x", name, "")

    assert drift.worst([]) == "none"
    assert drift.worst([one(name) for name in ("none", "targets_moved")]) == "targets_moved"
    assert drift.worst([one(name) for name in drift.CLASSES]) == "missing"


def test_a_policy_of_somebody_else_has_its_authors() -> None:
    found = drift.foreign(foreign("by-hand", IGNITE), "it permits more", ["everything"])
    assert (found.drift, found.surplus) == ("foreign", ["everything"])
    assert all(item["manager"] != ownership.FIELD_MANAGER for item in found.changed_by)


def test_the_digest_of_flows_tells_what_they_allow_and_no_more() -> None:
    subject = Subject("servers", {"matchLabels": {"app": "ignite"}})
    one = Flow("a", "ingress", subject, Pods({"matchLabels": {"app": "web"}}), "TCP", 10800, "prices")
    other = Flow("b", "egress", subject, Pods({"matchLabels": {"app": "web"}}), "TCP", 47100, "calls")
    renamed = Flow("c", "ingress", subject, Pods({"matchLabels": {"app": "web"}}), "TCP", 10800, "another reason")
    assert flows_digest([one, other]) == flows_digest([other, renamed, one])
    for field, value in (("port", 10801), ("direction", "egress"), ("protocol", "UDP"), ("expect", "deny")):
        changed = copy.copy(one)
        object.__setattr__(changed, field, value)
        assert flows_digest([one]) != flows_digest([changed]), field
