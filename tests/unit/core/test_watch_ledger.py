# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events are told for what really differs, with who changed it."""

from __future__ import annotations

import copy
import json
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from ansible_collections.netguard.lockdown.plugins.module_utils._core import ownership
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.watch.ledger import Ledger, Observation

Json = dict[str, t.Any]

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
SCHEMAS = Path(__file__).parents[3] / "extensions" / "eda" / "plugins" / "event_source" / "schemas"
SCHEMA = json.loads((SCHEMAS / "network_targets_events.json").read_text(encoding="utf-8"))
SPEC = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": {"cidr": "192.0.2.1/32"}}]}]}
KEY = ("NetworkPolicy", "allow")


def resolved(*addresses: str) -> Json:
    return {
        "cluster": {"uid": "uid-1"},
        "api_server": {
            "targets": [
                {
                    "via": "endpoints",
                    "protocol": "TCP",
                    "port": 6443,
                    "cidrs": [f"{address}/32" for address in addresses],
                }
            ],
            "entity": None,
        },
        "dns": {
            "namespace": "kube-system",
            "pod_selector": {"matchLabels": {"k8s-app": "kube-dns"}},
            "addresses": [{"cidr": "169.254.20.10/32", "ports": [{"protocol": "UDP", "port": 53}]}],
            "ports": [{"protocol": "UDP", "port": 53}],
        },
        "warnings": [],
    }


def entry(manager: str, fields: Json, time: str = "2026-11-22T13:00:00Z") -> Json:
    operation = "Apply" if manager == ownership.FIELD_MANAGER else "Update"
    return {"manager": manager, "operation": operation, "time": time, "fieldsV1": fields}


def policy(spec: Json | None = None, *, time: str = "2026-11-22T13:00:00Z", also: t.Sequence[Json] = ()) -> Json:
    ours = {"f:spec": {"f:egress": {}}, "f:metadata": {"f:annotations": {"f:lockdown.netguard.io/kept-endpoints": {}}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": "allow",
            "namespace": "cache-ns",
            "uid": "uid-2",
            "resourceVersion": "5",
            "labels": ownership.labels_for("ignite"),
            "managedFields": [entry(ownership.FIELD_MANAGER, ours, time), *also],
        },
        "spec": copy.deepcopy(spec or SPEC),
    }


class Story:
    """A ledger that has seen the first state; every event is checked against the schema."""

    def __init__(self, *, grace: int = 0) -> None:
        self.ledger = Ledger("cache-ns", "ignite", initial=True, grace_seconds=grace)
        self.now = NOW
        self.first = self.see()

    def see(self, *policies: Json, at: str = "192.0.2.1", planned: t.Container[tuple[str, str]] = ()) -> list[Json]:
        given = policies or (policy(),)
        return self._checked(self.ledger.observed(Observation(resolved(at), given, self.now, planned)))

    def see_none(self, planned: t.Container[tuple[str, str]]) -> list[Json]:
        return self._checked(self.ledger.observed(Observation(resolved("192.0.2.1"), [], self.now, planned)))

    def fail(self, why: str) -> list[Json]:
        return self._checked(self.ledger.failed(LockdownError("code", "what", why, "next"), self.now))

    def _checked(self, events: list[Json]) -> list[Json]:
        for event in events:
            jsonschema.validate(event, SCHEMA)
        return events


def test_the_first_state_is_told_once_with_what_a_rulebook_passes_on() -> None:
    story = Story()
    assert [event["type"] for event in story.first] == ["initial"]
    assert {key: story.first[0][key] for key in ("namespace", "instance", "cluster_uid", "time")} == {
        "namespace": "cache-ns",
        "instance": "ignite",
        "cluster_uid": "uid-1",
        "time": "2026-11-22T14:00:00Z",
    }
    assert len(story.first[0]["targets"]) == 3
    assert story.first[0]["digest"].startswith("sha256:")
    assert story.see() == []


def test_the_first_state_can_be_left_out() -> None:
    ledger = Ledger("cache-ns", "ignite", initial=False, grace_seconds=0)
    assert ledger.observed(Observation(resolved("192.0.2.1"), [policy()], NOW)) == []


def test_moved_targets_are_told_with_their_difference() -> None:
    story = Story()
    (event,) = story.see(at="192.0.2.2")
    assert event["type"] == "targets_changed"
    assert [record["cidr"] for record in event["added"]] == ["192.0.2.2/32"]
    assert [record["cidr"] for record in event["removed"]] == ["192.0.2.1/32"]
    assert event["old_digest"] == story.first[0]["digest"] != event["digest"]
    assert story.see(at="192.0.2.2") == []


def test_order_and_versions_make_no_event() -> None:
    story = Story()
    other = policy()
    other["metadata"]["resourceVersion"] = "99"
    other["spec"]["ingress"] = []
    assert story.see(other) == []


def test_our_own_work_is_no_drift() -> None:
    story = Story()
    wanted = {**SPEC, "egress": []}
    assert story.see(policy(wanted, time="2026-11-22T14:00:01Z")) == []


def test_an_edit_tells_who_made_it() -> None:
    story = Story()
    editor = entry("kubectl-edit", {"f:spec": {"f:egress": {}}}, "2026-11-22T14:00:02Z")
    (event,) = story.see(policy({**SPEC, "egress": [{}]}, also=[editor]))
    assert (event["type"], event["parts"]) == ("policy_changed", ["spec"])
    assert event["by"] == [{"manager": "kubectl-edit", "time": "2026-11-22T14:00:02Z", "fields": ["spec.egress"]}]
    assert story.see(policy({**SPEC, "egress": [{}]}, also=[editor])) == []


def test_a_rule_taken_out_leaves_no_owner_and_is_drift_all_the_same() -> None:
    (event,) = Story().see(policy({**SPEC, "egress": []}))
    assert (event["type"], event["by"]) == ("policy_changed", [])


def test_a_label_taken_away_is_drift() -> None:
    bare = policy()
    del bare["metadata"]["labels"]
    (event,) = Story().see(bare)
    assert event["parts"] == ["labels"]
    assert "lacks the labels" in event["reason"]


def test_a_copy_of_our_labels_is_told() -> None:
    copied = policy()
    copied["metadata"]["name"] = "copied"
    copied["metadata"]["managedFields"] = [entry("kubectl-create", {"f:spec": {"f:egress": {}}})]
    (event,) = Story().see(policy(), copied)
    assert event["policy"]["name"] == "copied"


def test_a_new_policy_of_ours_is_not_told() -> None:
    second = policy()
    second["metadata"]["name"] = "second"
    assert Story().see(policy(), second) == []


def test_a_policy_that_stands_by_our_record_was_deleted_by_others() -> None:
    story = Story()
    assert story.ledger.missing([])
    (event,) = story.see_none(planned={KEY})
    assert (event["type"], event["policy"]["name"]) == ("policy_deleted", "allow")
    assert story.see_none(planned={KEY}) == []


def test_a_policy_that_our_own_run_removed_is_not_told() -> None:
    assert Story().see_none(planned=set()) == []


def test_drift_at_the_start_is_in_the_first_event() -> None:
    ledger = Ledger("cache-ns", "ignite", initial=True, grace_seconds=0)
    editor = entry("kubectl-edit", {"f:spec": {"f:egress": {}}})
    (event,) = ledger.observed(Observation(resolved("192.0.2.1"), [policy(also=[editor])], NOW))
    assert [owner["manager"] for owner in event["policies"][0]["by"]] == ["kubectl-edit"]


def test_an_error_is_told_once_for_each_reason_and_its_end_too() -> None:
    story = Story()
    assert [event["type"] for event in story.fail("planted slice")] == ["resolver_error"]
    assert story.fail("planted slice") == []
    assert [event["failure"]["why"] for event in story.fail("no DNS")] == ["no DNS"]
    assert [event["type"] for event in story.see(at="192.0.2.3")] == ["resolver_recovered", "targets_changed"]


def test_what_changes_during_an_error_is_not_lost() -> None:
    story = Story()
    story.fail("planted slice")
    assert story.see(policy({**SPEC, "egress": []}))[-1]["type"] == "policy_changed"


def test_a_grace_that_is_over_asks_for_another_refresh_once() -> None:
    story = Story(grace=300)
    kept = policy(time="2026-11-22T14:00:01Z")
    kept["metadata"]["annotations"] = {
        "lockdown.netguard.io/kept-endpoints": "192.0.2.9:6443=2026-11-22T13:59:00Z",
    }
    assert story.see(kept) == []
    assert story.ledger.next_look == NOW + timedelta(seconds=240)
    story.now += timedelta(seconds=240)
    (event,) = story.see(kept)
    assert event["type"] == "grace_over"
    assert event["endpoints"] == [{"address": "192.0.2.9", "port": 6443}]
    assert story.see(kept) == []
    assert story.ledger.next_look is None


@pytest.mark.parametrize("addresses", [("192.0.2.1", "192.0.2.2"), ("192.0.2.2", "192.0.2.1")])
def test_a_digest_does_not_depend_on_the_order_of_addresses(addresses: tuple[str, str]) -> None:
    digests = []
    for order in (addresses, addresses[::-1]):
        ledger = Ledger("cache-ns", "ignite", initial=True, grace_seconds=0)
        digests += [ledger.observed(Observation(resolved(*order), [], NOW))[0]["digest"]]
    assert digests[0] == digests[1]
