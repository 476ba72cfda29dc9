# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a host, and of a fleet: bounded, complete, and safe to show."""

from __future__ import annotations

import json
import typing as t
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netguard.lockdown.plugins.module_utils._core import status
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

Json = dict[str, t.Any]

FAILURE: Json = {"code": "api_forbidden", "what": "Cannot read", "why": "it is forbidden", "next_step": "Grant it"}


def run(given_: t.Any, host: str = "one") -> Json:
    return status.of_run(given_, host=host, entry_point="drift")


def found(count: int, kind: str = "edited", words: str = "it was edited") -> Json:
    writers = [{"manager": "kubectl", "time": "2026-11-22T14:00:00Z", "fields": ["spec"]}] * 5
    listed = [
        {"kind": "NetworkPolicy", "name": f"p{number}", "class": kind, "reason": words, "changed_by": writers}
        for number in range(count)
    ]
    return {"drift": {"class": kind, "policies": listed, "checked_at": "2026-11-22T14:05:00Z"}}


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ({"changed": True, "plan": [{"action": "create", "name": "allow"}]}, "changed"),
        ({"changed": False, "plan": [{"action": "none", "name": "allow"}]}, "ok"),
        (found(1), "drift"),
        (found(2, "none"), "ok"),
        ({"failed": True, "failure": FAILURE}, "failed"),
        ({"failed": True}, "failed"),
    ],
)
def test_every_run_has_an_outcome_and_words(result: Json, outcome: str) -> None:
    record = run(result)
    assert record["outcome"] == outcome
    assert record["message"]


def test_a_failure_keeps_its_code_reason_and_next_step() -> None:
    record = run({"failed": True, "msg": "long", "failure": FAILURE})
    assert (record["code"], record["next_step"]) == ("api_forbidden", "Grant it")
    assert record["message"] == "Cannot read: it is forbidden"


def test_drift_says_who_and_when_and_what_to_do() -> None:
    record = run(found(1))
    assert "kubectl at 2026-11-22T14:00:00Z" in record["message"]
    assert record["policies"][0]["changed_by"][0] == {"manager": "kubectl", "time": "2026-11-22T14:00:00Z"}
    assert "lockdown" in record["next_step"]
    assert run(found(1, "targets_moved"))["next_step"] == "Run refresh"


def test_a_record_is_bounded_whatever_a_run_found() -> None:
    record = run(found(500, words="x" * 10_000))
    assert (len(record["policies"]), record["more_policies"]) == (10, 490)
    assert len(json.dumps(record)) < 16_384
    assert len(run({"failed": True, "msg": "y" * 100_000})["message"]) <= 600


@pytest.mark.parametrize("bad", [None, "text", ["list"]])
def test_what_is_no_result_is_an_error(bad: t.Any) -> None:
    with pytest.raises(LockdownError):
        run(bad)


def test_each_host_has_an_artifact_of_its_own() -> None:
    hosts = ["prod-1", "prod_1", "prod.1", "PROD-1", "ü", "", "a" * 300]
    names = [status.artifact_name(run({}, host)) for host in hosts]
    assert len(set(names)) == len(hosts)
    assert all(name.isidentifier() and name.isascii() for name in names)
    assert all(name.startswith("ignite_lockdown_status_") for name in names)


def test_each_instance_of_a_host_has_an_artifact_and_a_row_of_its_own() -> None:
    bad, good = (
        run({"failed": bad, "msg": "x", "namespace": "cache-ns", "instance": name})
        for name, bad in (("ignite", True), ("other", False))
    )
    assert status.artifact_name(bad) != status.artifact_name(good)
    for records in ([bad, good], [good, bad]):
        found = status.report(records, ["one"])
        assert (found["good"], found["bad"], len(found["hosts"])) == (False, ["one"], 2)
        assert found["message"].splitlines()[1].startswith("one cache-ns/ignite: failed")
        assert 'name="one cache-ns/other"' in found["junit"]


def test_a_fleet_is_good_only_if_all_of_it_is() -> None:
    well, bad = run({"changed": False}, "a"), run({"failed": True, "failure": FAILURE}, "b")
    assert status.report([well])["good"]
    assert not status.report([])["good"]
    report = status.report([bad, well], ["a", "b", "c"])
    assert not report["good"]
    assert report["bad"] == ["b", "c"]
    assert report["counts"] == {"ok": 1, "changed": 0, "drift": 0, "failed": 2}
    assert [row["host"] for row in report["hosts"]] == ["a", "b", "c"]
    assert "1 of 3 clusters" in report["message"]
    assert "b: failed: Cannot read: it is forbidden. Grant it." in report["message"]


def test_the_last_record_of_a_host_counts_and_empty_ones_are_left_aside() -> None:
    report = status.report([{}, "", None, run({"failed": True}, "a"), run({"changed": True}, "a")])
    assert [row["outcome"] for row in report["hosts"]] == ["changed"]


def test_a_text_that_has_become_null_on_its_way_is_an_empty_one() -> None:
    assert status.report([{**run({}, "a"), "next_step": None}])["good"]


@pytest.mark.parametrize(
    "record",
    ["x", [1], 5, {"host": "a"}, {"host": ["a"], "outcome": "ok"}, {**run({}, "a"), "outcome": "fine"},
     {**run({}, "a"), "message": 5}, {**run({}, "a"), "outcome": ["ok"]}, {**run({}, "a"), "next_step": ["x"]}],
)  # fmt: skip
def test_a_record_that_cannot_be_read_is_a_failure(record: t.Any) -> None:
    report = status.report([record, run({}, "b")])
    assert not report["good"]
    assert (len(report["bad"]), report["counts"]["failed"]) == (1, 1)
    assert "its status cannot be read" in report["message"]


@given(st.text(), st.text())
def test_whatever_others_wrote_stays_text(host: str, words: str) -> None:
    report = status.report([run({"failed": True, "msg": words}, host)])
    root = ElementTree.fromstring(report["junit"])
    (case,) = root.iter("testcase")
    assert list(case.iter("failure"))
    assert root.get("failures") == "1"
    assert len(report["text"].splitlines()) == 2
