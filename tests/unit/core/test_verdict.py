# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One verdict from policies, probes and topology, and when earlier policies may come back."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.netguard.lockdown.plugins.module_utils._core.verdict import KEEP, RESTORE, Verdict, judge

Json = dict[str, t.Any]

APPLIED: Json = {"number": 2, "status": "applied"}


def plan(*actions: str, revision: Json | None = None) -> Json:
    policies = [
        {"kind": "NetworkPolicy", "name": f"policy-{index}", "action": action, "reason": "rules differ"}
        for index, action in enumerate(actions or ("none",))
    ]
    return {"standing": set(actions) <= {"none"}, "policies": policies, "revision": revision or APPLIED}


def cell(expect: str, verdict: str, observed: str, why: str = "it was seen") -> Json:
    return {
        "flow": f"{expect}-flow",
        "from": {"namespace": "cache-ns", "pod": "ignite-0"},
        "to": {"name": "target", "address": "203.0.113.10", "port": 4444, "protocol": "TCP"},
        "expect": expect,
        "observed": observed,
        "verdict": verdict,
        "why": why,
    }


WORKS = cell("allow", "pass", "connected")
BLOCKED = cell("deny", "pass", "timed_out")
BROKEN = cell("allow", "fail", "timed_out")
HOLE = cell("deny", "fail", "connected")
UNKNOWN = cell("deny", "inconclusive", "timed_out", "nothing proves that the target is alive")
SOCKET: Json = {
    "pod": "ignite-0",
    "direction": "egress",
    "remote": {"address": "203.0.113.10", "port": 4444, "namespace": "", "pod": ""},
    "forbidden": True,
}


def probe(*cells: Json, sockets: t.Sequence[Json] = (), probed: bool = True) -> Json:
    return {"probed": probed, "cells": list(cells), "sockets": list(sockets)}


def topology(verdict: str = "pass", *reasons: str) -> Json:
    return {"verdict": verdict, "reasons": list(reasons)}


GOOD = probe(WORKS, BLOCKED)


def verdict(
    planned: Json | None = None,
    probed: Json = GOOD,
    seen: Json | None = None,
    on_failure: str = KEEP,
    accept_sockets: bool = False,
) -> Verdict:
    return judge(planned or plan(), probed, seen or topology(), on_failure=on_failure, accept_sockets=accept_sockets)


def test_only_what_is_proven_is_a_success() -> None:
    good = verdict()
    assert (good.verdict, good.reasons) == ("pass", ())
    assert good.message() == "The lock-down holds, and Ignite works"


def test_each_area_alone_makes_it_fail_and_says_what_to_do() -> None:
    cases = {
        "policies": verdict(plan("none", "repair")),
        "allowed": verdict(probed=probe(BROKEN, BLOCKED)),
        "forbidden": verdict(probed=probe(WORKS, HOLE)),
        "sockets": verdict(probed=probe(WORKS, BLOCKED, sockets=[SOCKET])),
        "topology": verdict(seen=topology("fail", "a sees 1 of 2 servers")),
    }
    for area, found in cases.items():
        assert found.verdict == "fail"
        assert [reason.area for reason in found.reasons] == [area]
        assert found.reasons[0].next_step in found.message()


def test_a_sentence_names_flow_source_target_and_observation() -> None:
    (reason,) = verdict(probed=probe(WORKS, HOLE)).reasons
    assert reason.what == (
        "Flow deny-flow, deny, from cache-ns/ignite-0 to target 203.0.113.10 TCP 4444: connected: it was seen"
    )
    (reason,) = verdict(probed=probe({**UNKNOWN, "from": None, "to": None, "observed": "not_probed"})).reasons
    assert reason.what == "Flow deny-flow, deny: not probed: nothing proves that the target is alive"


def test_a_socket_is_named_by_its_far_end() -> None:
    remote = {"address": "10.244.0.9", "port": 5432, "namespace": "shop", "pod": "db-0"}
    (reason,) = verdict(probed=probe(WORKS, sockets=[{**SOCKET, "direction": "ingress", "remote": remote}])).reasons
    assert reason.what == "ignite-0 holds a connection from 10.244.0.9:5432 (shop/db-0) that no flow allows"


def test_what_could_not_be_tried_is_no_success() -> None:
    assert verdict(probed=probe(WORKS, UNKNOWN)).verdict == "inconclusive"
    assert verdict(probed=probe(probed=False)).verdict == "inconclusive"
    assert verdict(seen=topology("inconclusive", "the log of a holds no topology snapshot")).verdict == "inconclusive"
    assert verdict(probed=probe(HOLE, UNKNOWN)).verdict == "fail"


def test_forbidden_connections_that_survive_can_be_accepted() -> None:
    assert verdict(probed=probe(WORKS, BLOCKED, sockets=[SOCKET]), accept_sockets=True).verdict == "pass"


@pytest.mark.parametrize("broken", [{"probed": probe(BROKEN)}, {"seen": topology("fail", "two rings")}], ids=str)
def test_what_ignite_needs_and_lacks_brings_the_policies_before_back_only_if_asked(broken: Json) -> None:
    assert not verdict(**broken).restore
    assert verdict(**broken, on_failure=RESTORE).restore


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"probed": probe(BROKEN, HOLE)}, "something forbidden got through"),
        ({"probed": probe(BROKEN, sockets=[SOCKET])}, "something forbidden got through"),
        ({"probed": probe(UNKNOWN)}, "nothing is known to be wrong"),
        ({"planned": plan("update"), "probed": probe(BROKEN)}, "not those that this run rendered"),
        (
            {"planned": plan(revision={"number": 2, "status": "verified"}), "probed": probe(BROKEN)},
            "revision 2 was verified before",
        ),
    ],
    ids=["hole", "socket", "inconclusive", "drift", "verified"],
)
def test_when_policies_are_kept_although_restoring_was_asked_for(found: Json, why: str) -> None:
    kept = verdict(**found, on_failure=RESTORE)
    assert not kept.restore
    assert why in kept.kept_because
    assert why in kept.message()


def test_without_an_undo_record_nothing_can_come_back() -> None:
    nothing = {**plan(), "revision": None}
    assert verdict(nothing, probe(BROKEN), on_failure=RESTORE).kept_because == "there is no undo record"
