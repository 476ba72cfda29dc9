# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CiliumNetworkPolicy: the one form that is written, its place in the order, what an edit means."""

from __future__ import annotations

import typing as t

import pytest
from policies import IGNITE, INSTANCE, NAMESPACE, allow, cilium, deny_all, edited, foreign, live, pod

from ansible_collections.netguard.lockdown.plugins.module_utils._core import cilium_policy, effects, policy
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.plan import Plan, Wanted, make_plan
from ansible_collections.netguard.lockdown.plugins.module_utils._core.preflight import (
    Accepted,
    Preflight,
    peer_queries,
)

Json = dict[str, t.Any]
PORTS = [{"ports": [{"port": "6443", "protocol": "TCP"}]}]


def plan(definitions: list[Json], served: list[Json]) -> Plan:
    return make_plan(Wanted(definitions), served, instance=INSTANCE)


def steps(made: Plan) -> list[tuple[str, str]]:
    return [(change.action, change.name) for change in made.writes]


def bare(made: Json) -> Json:
    """The definition as a user gives it."""
    return {**made, "metadata": {"name": made["metadata"]["name"]}}


class TestForm:
    @pytest.mark.parametrize("additive", [True, False])
    def test_the_own_form_is_taken(self, additive: bool) -> None:
        made = policy.prepare(bare(cilium(additive=additive)), namespace=NAMESPACE, instance=INSTANCE, where="d")
        assert cilium_policy.is_additive(made) is additive

    @pytest.mark.parametrize(
        "spec",
        [
            {"egress": []},
            {"egress": [{}]},
            {"egress": [{"toEntities": ["world"], "toPorts": PORTS}]},
            {"egress": [{"toEntities": ["kube-apiserver", "world"], "toPorts": PORTS}]},
            {"egress": [{"toEntities": ["kube-apiserver"]}]},
            {"egress": [{"toEntities": ["kube-apiserver"], "toPorts": []}]},
            {"egress": [{"toEntities": ["kube-apiserver"], "toPorts": [{"ports": []}]}]},
            {
                "egress": [
                    {"toEntities": ["kube-apiserver"], "toPorts": [{"ports": [{"port": "0", "protocol": "TCP"}]}]}
                ]
            },
            {
                "egress": [
                    {"toEntities": ["kube-apiserver"], "toPorts": [{"ports": [{"port": 6443, "protocol": "TCP"}]}]}
                ]
            },
            {"egress": [{"toEntities": ["kube-apiserver"], "toPorts": [{"ports": [{"port": "6443"}]}]}]},
            {"egress": [{"toEntities": ["kube-apiserver"], "toPorts": PORTS, "toCIDR": ["0.0.0.0/0"]}]},
            {"ingress": [{}]},
            {"endpointSelector": None},
            {"enableDefaultDeny": {"ingress": False}},
            {"enableDefaultDeny": {"ingress": False, "egress": True}},
            {"enableDefaultDeny": None},
        ],
    )
    def test_any_other_is_refused(self, spec: Json) -> None:
        with pytest.raises(LockdownError) as caught:
            policy.prepare(bare(cilium(**spec)), namespace=NAMESPACE, instance=INSTANCE, where="d")
        assert caught.value.code in ("invalid_policy", "invalid_selector")

    def test_its_effect_is_told(self) -> None:
        assert effects.permissions(cilium()) == {
            "pods [app=ignite] open TCP 6443 to the API server (entity kube-apiserver)"
        }
        assert effects.isolations(cilium()) == set()
        assert effects.isolations(cilium(additive=False)) == {("egress", "pods [app=ignite]")}


class TestOrder:
    def test_what_only_adds_comes_first_and_goes_last(self) -> None:
        wanted = [deny_all(), allow(), cilium()]
        assert steps(plan(wanted, [])) == [
            ("create", "allow-api-server"),
            ("create", "allow"),
            ("create", "deny-all"),
        ]
        assert steps(plan([], [live(item) for item in wanted])) == [
            ("delete", "deny-all"),
            ("delete", "allow"),
            ("delete", "allow-api-server"),
        ]

    def test_what_isolates_comes_after_the_policy_that_permits_the_rest(self) -> None:
        wanted = [deny_all(), allow(), cilium(additive=False)]
        assert [name for _action, name in steps(plan(wanted, []))] == ["allow", "allow-api-server", "deny-all"]
        gone = steps(plan([], [live(item) for item in wanted]))
        assert [name for _action, name in gone] == ["deny-all", "allow-api-server", "allow"]


class TestDrift:
    def test_it_converges_also_where_cilium_drops_the_switch(self) -> None:
        for stored in (cilium(), cilium(additive=False)):
            assert steps(plan([cilium()], [live(stored)])) == []

    @pytest.mark.parametrize(
        "change",
        [
            {"ingress": [{"fromEntities": ["world"]}]},
            {"egressDeny": [{"toEntities": ["kube-apiserver"]}]},
            {"egress": [{"toEntities": ["world"]}]},
            {"enableDefaultDeny": {"ingress": False, "egress": True}},
        ],
    )
    def test_an_edit_is_repaired(self, change: Json) -> None:
        assert steps(plan([cilium()], [edited(live(cilium()), **change)])) == [("repair", "allow-api-server")]

    def test_a_further_rule_set_is_an_edit_too_and_the_repair_empties_it(self) -> None:
        widened = {**live(cilium()), "specs": [{"endpointSelector": {}, "egress": [{"toEntities": ["world"]}]}]}
        assert steps(plan([cilium()], [widened])) == [("update", "allow-api-server")]
        assert any("world" in sentence for sentence in effects.permissions(widened))
        body = policy.apply_configuration(cilium())
        assert body["specs"] == []
        assert (body["spec"]["ingress"], body["spec"]["egressDeny"]) == ([], [])

    def test_one_of_our_name_that_is_not_ours_is_an_error(self) -> None:
        stranger = {**foreign("allow-api-server", IGNITE), "kind": "CiliumNetworkPolicy", "spec": {"egress": [{}]}}
        with pytest.raises(LockdownError) as caught:
            plan([cilium()], [stranger])
        assert caught.value.code == "name_taken"

    def test_it_cannot_be_handed_over(self) -> None:
        stranger = {**live(cilium("theirs")), "metadata": {**foreign("theirs", IGNITE)["metadata"]}}
        made = make_plan(Wanted([], replace=["theirs"]), [stranger], instance=INSTANCE)
        assert made.writes == []


def test_the_preflight_understands_it() -> None:
    made = plan([allow(), deny_all(), cilium()], [])
    judged = Preflight.of(made, INSTANCE, [pod("ignite-0", {"app": "ignite"})])
    judged.check(Accepted())
    covered = judged.as_dict(Accepted(), [])["pods"][0]["covered_by"]
    assert covered == ["allow", "allow-api-server"]
    assert len(peer_queries([cilium(), allow()])) == 1


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, (None, "")),
        ({"conditions": [{"type": "Other", "status": "True"}]}, (None, "")),
        ({"conditions": [{"type": "Valid", "status": "True"}]}, (True, "")),
        ({"conditions": [{"type": "Valid", "status": "False", "message": "no"}]}, (False, "no")),
    ],
)
def test_its_validity_is_read_from_its_status(status: t.Any, expected: t.Any) -> None:
    assert cilium_policy.validity({**cilium(), "status": status}) == expected
