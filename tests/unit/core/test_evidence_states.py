# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The question's policy states, judged by the audit: what the report says of each, in an operator's words."""

from __future__ import annotations

import typing as t

import pytest
from evidence_builders import NEEDS, TARGETS, Json, collected, run
from our_policies import ours
from question_states import attempt, cluster, policies

from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.case import Question
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.result import audit
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import pack, report
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import parse_flows
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.profile import STANDARD
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import read_world

LABELLED = {"zone": "kube-system"}
NO_START, SPLITS = "Ignite does not start", "Ignite splits: 2 servers, 2 clusters"
WOULD_SPLIT, LATER = "If it could start, Ignite would split", "A second server would split off"
NO_NAMES, OPEN = "Ignite cannot resolve names", "Egress is wider than needed"
TIMED_OUT = "Failed to retrieve Ignite pods IP addresses"
NOT_DNS = "That names resolve (nslookup works in the pod) does not change this"


def judged(things: t.Sequence[Json]) -> Json:
    """The facts of an audit of this world, without probes."""
    question = Question(
        namespace="cache-ns",
        instance="ignite",
        flows=parse_flows(NEEDS["flows"]),
        profile=STANDARD,
        targets=TARGETS,
    )
    return collected(audit=audit(read_world(things), question), probes=None)


def titles(facts: Json) -> set[str]:
    return {item["title"] for item in facts["consequences"]}


def page(facts: Json) -> str:
    return report.files(pack.seal(facts, run(), None))["report.html"]


def test_ingress_only_works_with_one_server_and_is_open_to_the_outside() -> None:
    found = judged([*cluster(pods=1), *policies("ingress-only")])
    assert found["verdict"] == "fail"
    assert titles(found) == {LATER, OPEN}
    assert "It works with one server, as there is now" in page(found)


def test_ingress_only_splits_two_servers() -> None:
    found = judged([*cluster(), *policies("ingress-only")])
    assert titles(found) == {SPLITS, OPEN}
    assert "each forms an active cluster of its own, without an error or a warning" in page(found)


@pytest.mark.parametrize(
    ("rule", "names_resolve"), [(1, False), (2, True), (3, True), (4, False), (5, False), (6, False)]
)
def test_deny_all_with_each_attempt_keeps_ignite_from_starting(rule: int, names_resolve: bool) -> None:
    found = judged([*cluster(LABELLED), *attempt(rule)])
    assert {NO_START, WOULD_SPLIT} <= titles(found)
    assert (NO_NAMES in titles(found)) is not names_resolve
    shown = page(found)
    assert TIMED_OUT in shown
    assert "(172.30.0.2, 172.30.0.3, TCP 6443)" in shown
    assert (NOT_DNS in shown) is names_resolve
    assert ("UnknownHostException" in shown) is not names_resolve


def test_all_attempts_together_with_the_ingress_rules_do_not_start_either() -> None:
    found = judged([*cluster(LABELLED), *policies("ingress-only"), *attempt(1, 2, 3, 4, 5, 6)])
    assert NO_START in titles(found)
    assert NOT_DNS in page(found)


def test_ours_lack_nothing_and_allow_nothing_else() -> None:
    found = judged([*cluster(), *ours()])
    assert found["parts"]["policies"] == "pass"
    assert (found["audit"]["missing"], found["audit"]["surplus"], found["consequences"]) == ([], [], [])
    assert found["because"] == [
        "Not probed: whether the network engine enforces the policies was not observed",
    ]
    assert "The servers start, find each other" in page(found)
