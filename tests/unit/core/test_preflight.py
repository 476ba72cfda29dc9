# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judgement before anything is written: pods, neighbours, other people's policies, isolation."""

from __future__ import annotations

import typing as t

import pytest
from policies import IGNITE, INSTANCE, PEER_RULE, allow, definition, deny_all, foreign, live, pod

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.plan import Wanted, make_plan
from ansible_collections.netguard.lockdown.plugins.module_utils._core.preflight import (
    Accepted,
    Preflight,
    peer_queries,
)

Json = dict[str, t.Any]
IGNITE_POD = pod("ignite-0", {"app": "ignite"})


def preflight(
    pods: list[Json], served: list[Json] | None = None, wanted: list[Json] | None = None, **more: t.Any
) -> Preflight:
    definitions = [allow(), deny_all()] if wanted is None else wanted
    made = make_plan(Wanted(definitions, **more), served or [], instance=INSTANCE)
    return Preflight.of(made, INSTANCE, pods)


def refusal(judgement: Preflight, **accepted: t.Any) -> str:
    with pytest.raises(LockdownError) as caught:
        judgement.check(Accepted(**accepted))
    return caught.value.code


def test_a_selector_that_matches_no_pod_needs_a_word() -> None:
    judgement = preflight([])
    assert refusal(judgement) == "no_pods"
    judgement.check(Accepted(no_pods=True))


def test_completed_pods_and_host_network_pods_do_not_count() -> None:
    judgement = preflight(
        [
            IGNITE_POD,
            pod("job", {}, phase="Succeeded"),
            pod("crashed", {"app": "ignite"}, phase="Failed"),
            pod("agent", {}, host_network=True),
        ]
    )
    judgement.check(Accepted())
    report = judgement.as_dict(Accepted(), [])
    assert [item["name"] for item in report["pods"]] == ["ignite-0"]
    assert {item["name"] for item in report["skipped_pods"]} == {"job", "crashed", "agent"}


def test_a_pod_that_would_be_cut_off_needs_a_word() -> None:
    judgement = preflight([IGNITE_POD, pod("backup", {"app": "backup"})])
    assert refusal(judgement) == "uncovered_pods"
    judgement.check(Accepted(uncovered_pods=True))


def test_a_pod_that_is_cut_off_already_does_not_stop_a_later_run() -> None:
    served = [live(allow(ingress=[])), live(deny_all())]
    judgement = preflight([IGNITE_POD, pod("debug", {"run": "debug"})], served)
    judgement.check(Accepted())
    assert [item.name for item in judgement.uncovered()] == ["debug"]


def test_a_pod_that_another_instance_permits_something_is_covered() -> None:
    other = live(definition("other", {"matchLabels": {"app": "web"}}, ingress=[PEER_RULE]), instance="other")
    preflight([IGNITE_POD, pod("web-0", {"app": "web"})], [other]).check(Accepted())


WIDE: Json = {"from": [{"podSelector": {}}]}


def test_a_foreign_policy_that_widens_ours_needs_a_word() -> None:
    judgement = preflight([IGNITE_POD], [foreign("theirs", {}, ingress=[WIDE])])
    assert refusal(judgement) == "foreign_policies"
    judgement.check(Accepted(foreign_policies=["theirs"]))
    [found] = judgement.as_dict(Accepted(), [])["foreign_policies"]
    assert found["widens"]
    assert found["owner"] == "kubectl"
    assert found["effects"] == ["all pods accept all ports from all pods of this namespace"]


def test_a_foreign_policy_that_is_handed_over_needs_none() -> None:
    preflight([IGNITE_POD], [foreign("theirs", {}, ingress=[WIDE])], replace=["theirs"]).check(Accepted())


def test_a_foreign_policy_is_found_before_any_pod_runs() -> None:
    judgement = preflight([], [foreign("theirs", IGNITE, ingress=[WIDE])])
    assert refusal(judgement, no_pods=True) == "foreign_policies"


def test_a_foreign_policy_that_only_denies_or_repeats_ours_is_listed_without_alarm() -> None:
    served = [foreign("denies", {}), foreign("repeats", IGNITE, ingress=[PEER_RULE])]
    judgement = preflight([IGNITE_POD], served)
    judgement.check(Accepted())
    listed = judgement.as_dict(Accepted(), [])["foreign_policies"]
    assert {item["name"]: item["widens"] for item in listed} == {"denies": False, "repeats": False}


def test_a_foreign_policy_for_other_pods_is_not_listed() -> None:
    served = [foreign("theirs", {"matchLabels": {"app": "web"}}, ingress=[WIDE])]
    assert preflight([IGNITE_POD], served).foreign() == []


def test_removal_leaves_pods_without_isolation_and_needs_a_word() -> None:
    judgement = preflight([IGNITE_POD], [live(allow()), live(deny_all())], [])
    assert refusal(judgement) == "unisolated_pods"
    judgement.check(Accepted(unisolated_pods=True))


def test_removal_needs_the_word_in_an_empty_namespace_too() -> None:
    assert refusal(preflight([], [live(deny_all())], [])) == "unisolated_pods"


def test_removing_one_of_two_instances_opens_nothing() -> None:
    other = live(deny_all("other-deny"), instance="other")
    preflight([IGNITE_POD], [live(allow()), live(deny_all()), other], []).check(Accepted())


def test_every_selecting_peer_is_looked_up_once() -> None:
    client: Json = {"namespaceSelector": {"matchLabels": {"zone": "a"}}, "podSelector": {"matchLabels": {"app": "c"}}}
    rules: list[Json] = [
        {"from": [client, {"ipBlock": {"cidr": "192.0.2.1/32"}}], "ports": [{"port": 1}]},
        {"from": [client], "ports": [{"port": 2}]},
    ]
    [query] = peer_queries([allow(ingress=rules)])
    assert query.sentence == "pods [app=c] of namespaces [zone=a]"
    assert query.namespaces == client["namespaceSelector"]
