# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: what is done, in which order, and what its digest binds."""

from __future__ import annotations

import copy
import typing as t

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from policies import IGNITE, INSTANCE, PEER_RULE, allow, definition, deny_all, edited, foreign, live

from ansible_collections.netguard.lockdown.plugins.module_utils._core import ownership, policy
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.plan import Change, Plan, Wanted, make_plan

Json = dict[str, t.Any]


def actions(made: Plan) -> list[tuple[str, str]]:
    return [(change.action, change.name) for change in made.writes]


def plan(definitions: list[Json], served: list[Json], **wanted: t.Any) -> Plan:
    return make_plan(Wanted(definitions, **wanted), served, instance=INSTANCE)


def digest(made: Plan, **other: str) -> str:
    return made.digest(**{"cluster_uid": "u", "namespace": "cache-ns", "instance": INSTANCE, **other})


def test_allow_policies_come_before_the_deny_policy() -> None:
    made = plan([deny_all("a-deny"), allow("z-allow")], [])
    assert actions(made) == [("create", "z-allow"), ("create", "a-deny")]


def test_removal_goes_the_other_way_round() -> None:
    made = plan([], [live(allow("a-allow")), live(deny_all("z-deny"))])
    assert actions(made) == [("delete", "z-deny"), ("delete", "a-allow")]


def test_handed_over_policies_go_after_ours_stand() -> None:
    made = plan([allow(), deny_all()], [foreign("by-hand", IGNITE)], replace=["by-hand"])
    assert actions(made) == [("create", "allow"), ("create", "deny-all"), ("replace", "by-hand")]


def test_a_policy_that_comes_back_comes_first() -> None:
    saved = policy.manifest(foreign("by-hand", IGNITE), only_ours=False)
    made = plan([], [live(allow()), live(deny_all())], restore=[saved])
    assert actions(made) == [("restore", "by-hand"), ("delete", "deny-all"), ("delete", "allow")]


def test_nothing_to_do_writes_nothing() -> None:
    made = plan([allow(), deny_all()], [live(allow()), live(deny_all())])
    assert made.writes == []
    assert [change.action for change in made.changes] == ["none", "none"]


def test_an_edit_by_hand_is_repaired_and_its_author_named() -> None:
    hole: Json = {"from": [{"podSelector": {}}]}
    made = plan([allow()], [edited(live(allow()), ingress=[PEER_RULE, hole])])
    [change] = [item.as_dict() for item in made.writes]
    assert change["action"] == "repair"
    assert change["losses"] == ["pods [app=ignite] accept all ports from all pods of this namespace"]
    assert [owner["manager"] for owner in change["stolen_fields"]] == ["kubectl-edit"]


def test_an_edit_that_means_the_same_is_left_alone() -> None:
    same = edited(live(allow()), ingress=[{**copy.deepcopy(PEER_RULE), "ports": [{"port": 47500}]}])
    assert plan([allow()], [same]).writes == []


def test_our_name_held_by_somebody_else_is_an_error() -> None:
    with pytest.raises(LockdownError) as caught:
        plan([allow("taken")], [foreign("taken", IGNITE)])
    assert caught.value.code == "name_taken"
    assert "kubectl" in caught.value.why


def test_our_labels_on_a_foreign_policy_do_not_make_it_prunable() -> None:
    copied = foreign("copied", IGNITE, labels=ownership.labels_for(INSTANCE))
    assert plan([allow()], [copied, live(allow())]).writes == []


def test_another_instance_is_not_pruned_and_cannot_be_handed_over() -> None:
    other = live(allow("other"), instance="other")
    assert actions(plan([allow()], [other])) == [("create", "allow")]
    with pytest.raises(LockdownError, match="Cannot replace"):
        plan([allow()], [other], replace=["other"])


def test_prune_off_leaves_and_reports_the_surplus() -> None:
    made = plan([], [live(allow("old"))], prune=False)
    assert made.writes == []
    assert "prune is off" in made.changes[0].reason


def test_a_changed_policy_is_not_restored_over() -> None:
    saved = policy.manifest(foreign("by-hand", IGNITE), only_ours=False)
    with pytest.raises(LockdownError) as caught:
        plan([], [foreign("by-hand", {})], restore=[saved])
    assert caught.value.code == "cannot_restore"


def test_two_definitions_of_one_name_are_an_error() -> None:
    with pytest.raises(LockdownError, match="defined twice"):
        plan([allow(), allow()], [])


def test_the_digest_binds_cluster_namespace_instance_and_states() -> None:
    made = plan([allow()], [])
    other = plan([allow(egress=[{"to": [{"podSelector": IGNITE}]}])], [])
    repaired = plan([allow()], [edited(live(allow()), ingress=[])])
    digests = [
        digest(made),
        digest(made, cluster_uid="v"),
        digest(made, namespace="n"),
        digest(made, instance="i"),
        digest(other),
        digest(repaired),
    ]
    assert len(set(digests)) == len(digests)


def test_the_digest_does_not_depend_on_resource_versions() -> None:
    newer = live(allow(ingress=[]))
    newer["metadata"]["resourceVersion"] = "99"
    assert digest(plan([allow()], [live(allow(ingress=[]))])) == digest(plan([allow()], [newer]))


_SELECTORS: list[Json] = [{}, IGNITE, {"matchLabels": {"app": "web"}}]
_SETS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.sampled_from(_SELECTORS), st.booleans()),
    unique_by=lambda item: item[0],
    max_size=4,
)


def _build(items: list[tuple[str, Json, bool]]) -> list[Json]:
    return [definition(name, selector, ingress=[PEER_RULE] if opens else []) for name, selector, opens in items]


def _permitted(policies: t.Iterable[policy.Policy], labels: dict[str, str]) -> bool:
    """Whether a pod accepts what PEER_RULE permits: not isolated, or permitted by some policy."""
    selecting = [item for item in policies if policy.selects(item, labels)]
    return not selecting or any(policy.rules_of(item, "Ingress") for item in selecting)


def _after(policies: list[policy.Policy], change: Change) -> list[policy.Policy]:
    kept = [item for item in policies if policy.name_of(item) != change.name]
    return [*kept, change.after] if change.after else kept


@given(before=_SETS, after=_SETS)
def test_no_step_cuts_off_a_pod_that_is_connected_before_and_after(before: t.Any, after: t.Any) -> None:
    served: list[policy.Policy] = [live(item) for item in _build(before)]
    made = make_plan(Wanted(_build(after)), served, instance=INSTANCE)
    # One object that changes its subject is one atomic write, and no order of other objects can help it.
    subjects = {name: selector for name, selector, _opens in before}
    assume(all(subjects.get(name, selector) == selector for name, selector, _opens in after))
    states = [served]
    for change in made.writes:
        states.append(_after(states[-1], change))
    for labels in ({"app": "ignite"}, {"app": "web"}, {}):
        verdicts = [_permitted(state, labels) for state in states]
        assert not (verdicts[0] and verdicts[-1]) or all(verdicts)
