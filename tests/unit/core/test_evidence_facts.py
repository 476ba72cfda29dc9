# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From inputs to facts: the verdict, the claims, and what cannot be evidence."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from evidence_builders import NEEDS, TARGETS, Json, audit, canary, cell, collected, flown, inputs, packs, probes, unmet

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import changes, controls, facts, keeping
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.keeping import Surroundings
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.schema import violations

ROOT = Path(__file__).resolve().parents[3]
SCHEMA: Json = json.loads((ROOT / "roles/ignite_lockdown/files/evidence-pack.schema.json").read_text())
SURPLUS: Json = {
    "subject": "all 2 pods of cache-ns",
    "direction": "egress",
    "peer": "nearly every IPv4 address",
    "exists": True,
    "protocol": "TCP",
    "ports": "1-65535",
    "by": [],
    "because": "no policy isolates these pods for egress",
}

DRIFT: Json = {"class": "hand_edit", "policy": "x", "sentence": "x"}


def read(given: Json) -> facts.Inputs:
    return facts.Inputs.read(given, accept_not_probed=False)


# The verdict


@pytest.mark.parametrize(
    ("given", "verdict", "sentence"),
    [
        ({}, "pass", ""),
        ({"probes": None}, "inconclusive", "Not probed"),
        ({"probes": {}}, "inconclusive", "Not probed"),
        ({"probes": ""}, "inconclusive", "Not probed"),
        ({"probes": {"probed": False, "verdict": "inconclusive"}}, "inconclusive", "Not probed"),
        ({"audit": unmet("api-server")}, "fail", "1 needed flow is not allowed"),
        ({"audit": audit(verdict="fail", surplus=[SURPLUS])}, "fail", "1 surplus permission found"),
        ({"audit": audit(verdict="inconclusive", inconclusive_because=["an unknown kind"])}, "inconclusive", "kind"),
        ({"probes": probes(verdict="fail", cells=[cell("x", verdict="fail")])}, "fail", "1 connection of 1"),
        ({"probes": probes(verdict="inconclusive", cells=[])}, "inconclusive", "could not be judged"),
        ({"topology": {"verdict": "fail", "reasons": ["each server is alone"]}}, "fail", "each server is alone"),
        ({"topology": {"verdict": "pass"}}, "pass", ""),
        ({"canary": canary()}, "pass", ""),
        ({"canary": canary(flown(verdict="not_enforced"))}, "fail", "policies are not enforced on node-1"),
        ({"canary": canary(flown(verdict="inconclusive"))}, "inconclusive", "could prove nothing on node-1"),
        ({"canary": canary(flown("node-2"))}, "inconclusive", "was not on node-1, where pods of the instance run"),
    ],
)
def test_the_worst_part_counts_and_says_why(given: Json, verdict: str, sentence: str) -> None:
    found = collected(**given)
    assert found["verdict"] == verdict
    assert any(sentence in told for told in found["because"]) if sentence else found["because"] == []


@pytest.mark.parametrize(
    ("given", "part"),
    [
        (None, "not_run"),
        ("", "not_run"),
        ({}, "not_run"),
        ({"changed": False, "skipped": True, "skip_reason": "x"}, "not_run"),
        (canary(probed=False, verdict="inconclusive"), "not_run"),
        (canary(), "enforced"),
        # What it says of itself is not taken over.
        (canary(flown(verdict="not_enforced")), "not_enforced"),
        (canary(nodes=[]), "inconclusive"),
        (canary(flown(), flown("node-2", "inconclusive")), "inconclusive"),
    ],
)
def test_a_canary_is_what_its_nodes_show(given: t.Any, part: str) -> None:
    found = collected(canary=given)
    assert found["parts"]["canary"] == part
    assert (found["canary"] is None) == (part == "not_run")
    # It was flown before the policies were written: it shows nothing of these.
    assert found["claims"] == collected()["claims"]
    assert collected(canary=given, probes=None)["claims"]["enforced"]["status"] == "not_shown"


def test_how_long_a_canary_took_is_no_fact() -> None:
    slow = [{**one, "denied_after_seconds": 9.9} for one in flown()["connections"]]
    assert collected(canary=canary(flown(connections=slow), swept=["/x"])) == collected(canary=canary())
    assert collected(canary=canary(time="2026-11-22T18:50:00Z")) != collected(canary=canary())


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (canary(cluster={"uid": "another"}), "on cluster another"),
        (canary(application={"namespace": "other-ns"}), "namespace other-ns"),
        ({name: value for name, value in canary().items() if name != "application"}, "application"),
        (canary(time="yesterday"), "time"),
        (canary(flown(verdict="fine")), "'fine' is none of"),
        (canary(flown(image=None)), "image"),
        (canary(nodes="all"), "'all' is not a list"),
        ("enforced", "'enforced' is not a mapping"),
    ],
)
def test_a_canary_that_proves_nothing_here_is_refused(given: t.Any, word: str) -> None:
    with pytest.raises(LockdownError, match=word):
        collected(canary=given)


def test_a_verdict_without_probes_must_be_accepted() -> None:
    found = collected(probes=None, accept_not_probed=True)
    assert (found["verdict"], found["because"]) == ("pass", [])
    assert (found["parts"]["probes"], found["claims"]["enforced"]["status"]) == ("not_probed", "not_shown")
    assert collected(probes=None, accept_not_probed=True, audit=unmet("dns"))["verdict"] == "fail"


def test_how_long_a_probe_took_is_no_fact() -> None:
    slow = probes(cells=[{**one, "seconds": 2.9, "attempts": 7} for one in probes()["cells"]])
    assert collected(probes=slow) == collected()


def test_what_the_module_adds_to_a_result_is_no_fact() -> None:
    noisy = {**audit(), "invocation": {"module_args": {"api_key": "secret"}}, "warnings": ["x"]}
    assert collected(audit=noisy) == collected()


# The claims and controls


@pytest.mark.parametrize(
    ("given", "claim", "status"),
    [
        ({"audit": audit(surplus=[SURPLUS], verdict="fail")}, "minimal", "contradicted"),
        ({"audit": audit(verdict="inconclusive")}, "minimal", "not_shown"),
        ({"audit": audit(drift=[DRIFT])}, "stored_is_active", "contradicted"),
        ({"audit": audit(pods=[])}, "isolated", "not_shown"),
        ({"audit": audit(rules=[{**audit()["rules"][0], "flows": []}])}, "justified", "contradicted"),
        ({"audit": unmet("dns")}, "needed_allowed", "contradicted"),
        ({"audit": audit(foreign=[{"name": "other", "adds": True}])}, "nothing_foreign", "contradicted"),
        ({"audit": audit(foreign=[{"name": "other", "adds": False}])}, "nothing_foreign", "shown"),
        ({"audit": audit(foreign=[{"name": "other", "adds": None}])}, "nothing_foreign", "not_shown"),
        ({"targets": {**TARGETS, "dns": {**TARGETS["dns"], "sources": []}}}, "sources_known", "not_shown"),
        ({"probes": None}, "enforced", "not_shown"),
        ({"probes": probes(cells=[cell("x")])}, "enforced", "not_shown"),
        ({"probes": probes(cells=[cell("x", "deny", "timed_out")])}, "enforced", "not_shown"),
        ({"probes": probes(verdict="fail", cells=[cell("x", "deny", verdict="fail")])}, "enforced", "contradicted"),
    ],
)  # fmt: skip
def test_a_claim_is_shown_only_by_what_shows_it(given: Json, claim: str, status: str) -> None:
    assert collected(**given)["claims"][claim]["status"] == status
    assert collected()["claims"][claim]["status"] == "shown"


def test_a_pod_that_no_policy_isolates_contradicts() -> None:
    pods = [{**pod, "isolated": {"ingress": True, "egress": False}} for pod in audit()["pods"]]
    found = collected(audit=audit(pods=pods))
    assert found["claims"]["isolated"]["status"] == "contradicted"
    outgoing = next(item for item in found["controls"] if item["number"] == "1.3.2")
    assert outgoing["status"] == "contradicted"


def test_controls_ask_for_claims_that_exist_and_each_claim_is_asked_for() -> None:
    assert {name for control in controls.CONTROLS for name in control.claims} <= set(controls.CLAIMS)
    numbers = [(control.framework, control.number) for control in controls.CONTROLS]
    assert len(numbers) == len(set(numbers))
    for wanted in ("5.3.1", "5.3.2", "1.2.5", "1.2.7", "1.2.8", "1.3.1", "1.3.2", "11.4.5", "CC6.6", "SC-7(5)"):
        assert wanted in [number for _, number in numbers]


def test_the_documentation_names_every_control_and_claim() -> None:
    told = (ROOT / "docs" / "evidence.md").read_text()
    for control in controls.CONTROLS:
        named = ", ".join(f"`{name}`" for name in control.claims)
        assert f"| {control.framework} | {control.number} | {control.requirement} | {named} |" in told
    for name, claim in controls.CLAIMS.items():
        assert f"| `{name}` | {claim} |" in told


# What cannot be evidence


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (None, "not a mapping"),
        ([], "not a mapping"),
        ({**inputs(), "audits": {}}, "unknown key 'audits'"),
        ({**inputs(), "audit": None}, "lacks audit"),
        ({**inputs(), "audit": {"verdict": "perfect"}}, "is none of pass, fail, inconclusive"),
        ({**inputs(), "audit": {}}, "lacks audit"),
        ({**inputs(), "probes": {"cells": []}}, "evidence.probes.verdict"),
        ({**inputs(), "probes": "all good"}, "is not a mapping"),
        ({**inputs(), "topology": [1]}, "is not a mapping"),
        ({**inputs(), "namespace": "../etc"}, "DNS label"),
        ({**inputs(), "instance": "a/b"}, "DNS label"),
        ({**inputs(), "profile": float("nan")}, "nan is not a number"),
        ({**inputs(), "findings": [{1: 2}]}, "key 1 is not a text"),
        ({**inputs(), "definitions": [{"x": {1, 2}}]}, "has no form in JSON"),
        ({**inputs(), "profile": "\ud800"}, "lone surrogate"),
    ],
)
def test_bad_input_is_named(given: t.Any, word: str) -> None:
    with pytest.raises(LockdownError, match="evidence") as error:
        read(given)
    assert word in str(error.value)


@pytest.mark.parametrize("uid", [None, "", 5])
def test_evidence_of_an_unknown_cluster_is_refused(uid: t.Any) -> None:
    with pytest.raises(LockdownError, match="cluster that is not known"):
        collected(targets={**TARGETS, "cluster": {"uid": uid}})


# The schema


def test_packs_are_as_the_schema_says() -> None:
    for made in packs(2):
        assert violations(made, SCHEMA) == []
        assert made["facts"]["flows"] == [{**flow, "met": True} for flow in NEEDS["flows"]]


@pytest.mark.parametrize(
    ("value", "schema", "wrong"),
    [
        (True, {"type": "integer"}, True),
        (1, {"type": ["integer", "null"]}, False),
        (None, {"type": ["integer", "null"]}, False),
        (1.5, {"type": "number"}, False),
        (1, {"const": True}, True),
        ("b", {"enum": ["a"]}, True),
        ("abc", {"pattern": "^a"}, False),
        ("bc", {"pattern": "^a"}, True),
        (0, {"minimum": 1}, True),
        (9, {"maximum": 8}, True),
        ("", {"minLength": 1}, True),
        ({}, {"required": ["a"]}, True),
        ({"a": 1, "b": "x"}, {"properties": {"a": {}}, "additionalProperties": {"type": "integer"}}, True),
        ([1, "x"], {"items": {"type": "integer"}}, True),
        ({"a": "x"}, {"properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"type": "integer"}}}, True),
    ],
)
def test_each_keyword_of_the_schema_can_fail(value: t.Any, schema: Json, wrong: bool) -> None:
    assert bool(violations(value, schema)) is wrong


def test_a_keyword_that_nobody_checks_is_an_error() -> None:
    with pytest.raises(KeyError, match="maxItems"):
        violations([], {"maxItems": 1})


# Whether it would vanish

MACHINE = Surroundings(())
OVERLAY = "22 1 0:21 / / rw - overlay overlay rw\n"
VOLUME = "30 22 8:1 / /evidence rw - ext4 /dev/sda1 rw\n"
SPACED = "31 22 8:1 / /my\\040volume rw - ext4 /dev/sda1 rw\n"
MEMORY = "32 22 0:5 / /memory rw - tmpfs shm rw\n"
INSIDE = Surroundings(("/run/.containerenv",), OVERLAY + VOLUME + SPACED + MEMORY)


@pytest.mark.parametrize(
    ("path", "surroundings", "word"),
    [
        ("/srv/evidence", MACHINE, ""),
        ("/runner/evidence", MACHINE, ""),
        ("/srv/evidence", INSIDE, "on no volume"),
        ("/evidence/here", INSIDE, ""),
        ("/evidences", INSIDE, "on no volume"),
        ("/my volume/here", INSIDE, ""),
        ("/memory/x", INSIDE, "in memory"),
        ("/runner/project/evidence", INSIDE, "for one job"),
        ("/srv/evidence", Surroundings(("x",)), "on no volume"),
    ],
)
def test_evidence_that_would_vanish(path: str, surroundings: Surroundings, word: str) -> None:
    why = keeping.why_lost(path, surroundings)
    assert word in why if word else why == ""


# Changes


def test_equal_facts_have_no_changes() -> None:
    assert changes.between(collected(), collected()) == []


def test_changes_are_told_in_sentences() -> None:
    after = collected(audit={**unmet("api-server"), "surplus": [SURPLUS]})
    found = [str(change.subject) + " " + change.how for change in changes.between(collected(), after)]
    assert {"verdict changed", "flow changed", "surplus added", "claim changed"} <= set(found)


def test_a_change_that_no_part_shows_is_told_all_the_same() -> None:
    moved = {**TARGETS, "cluster": {**TARGETS["cluster"], "server_version": "v1.36.4"}}
    assert [change.subject for change in changes.between(collected(), collected(targets=moved))] == ["details"]
