# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order policies and workload change, for every kind of change."""

from __future__ import annotations

import copy

import pytest
from deployments import Json, Rendered, rendered
from flow_builders import client

from ansible_collections.netguard.lockdown.plugins.module_utils._core.deploy.rollout_order import Change, Order, order
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.ignite import Config, read_ignite
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.workload import Workload

OLD = "docker.io/apacheignite/ignite:2.10.0"


def live(made: Rendered) -> Json:
    """What module ignite_config_info would say of it."""
    workload = Workload.of(made.one("StatefulSet"))
    return {**read_ignite(Config(made.xml, "ignite.xml"), workload).as_dict(), "workload": workload.as_dict()}


def planned(before: Rendered, after: Rendered) -> list[Json]:
    """The plan of module network_policies, as far as the order needs it."""
    return [
        {
            "kind": wanted["kind"],
            "name": wanted["metadata"]["name"],
            "action": "none" if stands["spec"] == wanted["spec"] else "update",
            "before": {"apiVersion": stands["apiVersion"], "kind": stands["kind"], "spec": stands["spec"],
                       "name": stands["metadata"]["name"]},
        }
        for stands, wanted in zip(before.policies, after.policies, strict=True)
    ]  # fmt: skip


def changed(before: Rendered, after: Rendered, *, full_restart: bool = False, waits: bool = True) -> Order:
    return order(
        Change(
            deployment=after.deployment,
            workload=after.objects,
            definitions=after.policies,
            policies=planned(before, after),
            live=live(before),
            full_restart=full_restart,
            waits=waits,
        )
    )


def kinds(found: Order) -> list[str]:
    return [f"{step.kind} joined" if step.joined else step.kind for step in found.steps]


def ports(definitions: list[Json], direction: str) -> set[int]:
    return {port["port"] for rule in definitions[0]["spec"][direction] for port in rule["ports"]}


def test_a_new_ignite_gets_its_policies_first() -> None:
    made = rendered()
    found = order(Change(made.deployment, made.objects, made.policies, [], None, full_restart=False, waits=True))
    assert kinds(found) == ["policies", "workload"]


def test_nothing_changed_leaves_the_policies_alone() -> None:
    assert kinds(changed(rendered(), rendered())) == ["workload"]
    assert kinds(changed(rendered(), rendered(deploy_replicas=5))) == ["workload"]


ROLLING: dict[str, tuple[Json, Json]] = {
    "client": ({}, {"clients": [client()]}),
    "communication port": ({}, {"ports": {"communication": 47200}}),
    "client port": ({"clients": [client()]}, {"clients": [client()], "ports": {"thin_client": 10900}}),
    "to minimal": ({}, {"profile": "minimal"}),
    "from minimal": ({"profile": "minimal"}, {}),
    "to DNS": ({}, {"discovery": "dns"}),
}


@pytest.mark.parametrize("case", ROLLING)
def test_both_sides_keep_what_they_need_until_the_last_pod_is_replaced(case: str) -> None:
    before, after = (rendered(**each) for each in ROLLING[case])
    untouched = copy.deepcopy(after.policies)
    found = changed(before, after)
    assert kinds(found) == ["policies joined", "workload", "policies"]
    first, _workload, last = (step.definitions for step in found.steps)
    for direction in ("ingress", "egress"):
        assert ports(first, direction) == ports(before.policies, direction) | ports(after.policies, direction)
    assert last == untouched == after.policies


def test_without_waiting_nothing_is_taken_away() -> None:
    before, after = rendered(clients=[client()]), rendered()
    assert kinds(changed(before, after, waits=False)) == ["policies joined", "workload"]


def test_a_policy_that_goes_stays_until_the_end() -> None:
    made = rendered()
    entity: Json = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "name": "netguard-ignite-allow-api-server",
        "labels": {},
        "annotations": {},
        "spec": {"endpointSelector": {}, "egress": [{"toEntities": ["kube-apiserver"]}]},
    }
    gone = {"kind": entity["kind"], "name": entity["name"], "action": "delete", "before": entity}
    change = Change(
        made.deployment, made.objects, made.policies, [gone, *planned(made, made)], live(made),
        full_restart=False, waits=True,
    )  # fmt: skip
    first, _workload, last = (step.definitions for step in order(change).steps)
    assert [item["kind"] for item in first] == ["CiliumNetworkPolicy", "NetworkPolicy", "NetworkPolicy"]
    assert first[0]["spec"] == entity["spec"]
    assert last == made.policies


NOT_ROLLING: dict[str, tuple[Json, Json, str]] = {
    "version": ({"deploy_image": OLD}, {}, "version 2.17.0 in place of 2.10.0"),
    "discovery port": ({}, {"ports": {"discovery": 47600}}, "discovery port 47600 in place of 47500"),
    "TLS": ({}, {"deploy_tls_secret": "s"}, "TLS between servers on in place of off"),
    "authentication": (
        {"deploy_persistence_size": "1Gi"},
        {"deploy_persistence_size": "1Gi", "deploy_authentication": True},
        "authentication on in place of off",
    ),
    "untold version": (
        {"deploy_image": "registry.test/cache:7", "version": "2.17.0"},
        {"deploy_image": "registry.test/cache:8", "version": "2.17.0"},
        "image registry.test/cache:8 in place of registry.test/cache:7",
    ),
}


@pytest.mark.parametrize("case", NOT_ROLLING)
def test_servers_that_do_not_join_each_other_stop_first_on_the_explicit_word(case: str) -> None:
    earlier, later, why = NOT_ROLLING[case]
    before, after = rendered(**earlier), rendered(**later)
    (error,) = changed(before, after).errors
    assert why in str(error)
    assert ("all data is in memory and lost" in str(error)) == ("deploy_persistence_size" not in later)
    found = changed(before, after, full_restart=True)
    assert kinds(found) == ["stop", "policies", "workload"]
    (stopped,) = found.steps[0].definitions
    assert (stopped["kind"], stopped["spec"]["replicas"]) == ("StatefulSet", 0)
    assert after.one("StatefulSet")["spec"]["replicas"] == 3
    (unwaited,) = changed(before, after, full_restart=True, waits=False).errors
    assert "has to wait" in str(unwaited)


def test_the_same_image_of_an_untold_version_may_change_otherwise() -> None:
    one: Json = {"deploy_image": "registry.test/cache:7", "version": "2.17.0"}
    assert changed(rendered(**one), rendered(**one, deploy_replicas=4)).errors == []


def test_volumes_cannot_come_or_go() -> None:
    (error,) = changed(rendered(), rendered(deploy_persistence_size="1Gi"), full_restart=True).errors
    assert "Refused to add persistence" in str(error)
