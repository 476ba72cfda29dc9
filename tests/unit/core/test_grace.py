# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Grace: what is kept, for how long, and whose memory counts."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest
from builders import INSTANCE, NOW, Json, api_slice, cilium, ip, memory_policy, recall, resolve_api
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netguard.lockdown.plugins.module_utils._core.api_records import ApiServer
from ansible_collections.netguard.lockdown.plugins.module_utils._core.grace import Memory, keep, remember

BOTH = "172.30.0.2:6443,172.30.0.3:6443"
GONE = "172.30.0.3:6443"


def run(*policies: Json, live: t.Sequence[str] = ("172.30.0.2",), after: float = 0, **wanted: t.Any) -> ApiServer:
    """One run of the resolver with this memory, so many seconds after NOW."""
    seconds = wanted.pop("seconds", 3600)
    facts = {"recall": recall(*policies, seconds=seconds, now=NOW + timedelta(seconds=after))}
    return resolve_api(api_slice(*live), seen=facts, form=wanted.pop("form", "endpoints"), **wanted)


def written(found: ApiServer) -> Json:
    """What a policy that was rendered from this result would remember."""

    def text(address: t.Any, port: int) -> str:
        return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"

    kept = [f"{text(entry.address, entry.port)}={entry.as_dict()['vanished_at']}" for entry in found.kept]
    return {
        "seen": ",".join(text(endpoint.address, endpoint.port) for endpoint in found.endpoints),
        "kept": ",".join(kept),
    }


def blocks(found: ApiServer) -> list[str]:
    return [cidr for target in found.targets for cidr in target.cidrs]


def test_an_address_that_was_seen_last_time_is_kept() -> None:
    found = run(memory_policy(BOTH))
    assert blocks(found) == ["172.30.0.2/32", "172.30.0.3/32"]
    assert [entry.as_dict() for entry in found.kept] == [
        {
            "address": "172.30.0.3",
            "port": 6443,
            "vanished_at": "2026-11-22T14:00:00Z",
            "until": "2026-11-22T15:00:00Z",
        }
    ]
    assert [endpoint.origin for endpoint in found.endpoints] == ["slice", "kept"]


def test_later_runs_come_to_the_same_answer() -> None:
    first = run(memory_policy(BOTH))
    later = run(memory_policy(**written(first)), after=1800)
    assert later.as_dict() == first.as_dict()
    assert written(later) == written(first)


def test_ipv6_is_remembered_in_brackets() -> None:
    first = run(memory_policy("[2001:db8::1]:6443,[2001:db8::2]:6443"), live=["2001:db8::1"])
    assert blocks(first) == ["2001:db8::1/128", "2001:db8::2/128"]
    assert run(memory_policy(**written(first)), live=["2001:db8::1"], after=60).as_dict() == first.as_dict()


@pytest.mark.parametrize(("after", "kept"), [(3599, True), (3600, False), (90000, False)])
def test_it_ends_after_the_grace(after: float, kept: bool) -> None:
    found = run(memory_policy(**written(run(memory_policy(BOTH)))), after=after)
    assert ("172.30.0.3/32" in blocks(found)) is kept


def test_a_shorter_grace_counts_from_the_same_moment() -> None:
    memory = memory_policy(BOTH, f"{GONE}=2026-11-22T13:59:00Z")
    assert run(memory, seconds=61).kept
    assert not run(memory, seconds=60).kept


def test_an_address_that_returns_is_no_longer_kept() -> None:
    found = run(memory_policy(BOTH, f"{GONE}=2026-11-22T13:59:00Z"), live=["172.30.0.2", "172.30.0.3"])
    assert not found.kept
    assert [endpoint.origin for endpoint in found.endpoints] == ["slice", "slice"]


def test_the_same_address_on_another_port_is_another_endpoint() -> None:
    found = run(memory_policy("172.30.0.2:7443"))
    assert [(target.port, target.cidrs) for target in found.targets] == [
        (6443, ("172.30.0.2/32",)),
        (7443, ("172.30.0.2/32",)),
    ]


def test_nothing_is_kept_without_memory_or_without_grace() -> None:
    assert not run().kept
    assert not run(memory_policy(BOTH), seconds=0).kept
    assert not resolve_api(api_slice("172.30.0.2")).kept


@pytest.mark.parametrize(
    "stranger",
    [
        memory_policy(BOTH, manager="kubectl-edit"),
        memory_policy(BOTH, labels={"app.kubernetes.io/managed-by": "netguard.lockdown"}),
        memory_policy(BOTH, labels={}),
        memory_policy(BOTH, managedFields=[]),
    ],
    ids=["written by another manager", "of no instance", "without our labels", "without owners"],
)
def test_a_memory_that_is_not_ours_is_none(stranger: Json) -> None:
    assert not run(stranger).kept


def test_another_instances_memory_is_none() -> None:
    assert remember([memory_policy(BOTH)], "another") == Memory()
    assert remember([memory_policy(BOTH)], INSTANCE) != Memory()


@pytest.mark.parametrize(
    "text",
    ["172.30.0.3", "172.30.0.3:", ":6443", "172.30.0.3:0", "172.30.0.3:70000", "host:6443", "172.30.0.0/24:6443", ",,"],
)
def test_what_cannot_be_read_is_not_remembered(text: str) -> None:
    assert not run(memory_policy(text)).kept


def test_a_time_that_cannot_be_read_is_a_time_that_is_not_remembered() -> None:
    assert not run(memory_policy("172.30.0.2:6443", f"{GONE}=yesterday")).kept


def test_a_vanish_time_in_the_future_keeps_nothing() -> None:
    assert not run(memory_policy(BOTH, f"{GONE}=2030-01-01T00:00:00Z")).kept
    # API servers' clocks differ a little.
    assert run(memory_policy(BOTH, f"{GONE}=2026-11-22T14:00:03Z")).kept


def test_policies_that_disagree_end_the_grace_at_the_earlier_time() -> None:
    late, early = (memory_policy(BOTH, f"{GONE}=2026-11-22T{time}:00Z") for time in ("13:59", "13:00"))
    assert not run(late, early).kept
    assert not run(early, late).kept


def test_a_kept_address_that_would_be_refused_now_is_dropped() -> None:
    found = run(memory_policy("172.30.0.2:6443,198.51.100.7:6443"), allowed_api_cidrs=["172.30.0.0/24"])
    assert blocks(found) == ["172.30.0.2/32"]
    assert any("198.51.100.7" in warning for warning in found.warnings)


def test_the_users_own_list_is_not_extended() -> None:
    assert not run(memory_policy(BOTH), api_server_addresses=["172.30.0.9"]).kept


def test_the_service_form_keeps_nothing() -> None:
    assert not run(memory_policy(BOTH), form="service").kept


def test_the_form_is_chosen_by_live_endpoints() -> None:
    facts = {
        "recall": recall(memory_policy(BOTH)),
        "engine": cilium(),
        "nodes": frozenset({ip("172.30.0.3")}),
    }
    assert resolve_api(api_slice("172.30.0.2"), seen=facts).form.name == "endpoints"


PAIRS = st.tuples(st.ip_addresses(v=4), st.integers(1, 65535))
MOMENTS = st.integers(-7200, 7200).map(lambda seconds: NOW + timedelta(seconds=seconds))


@given(
    seen=st.frozensets(PAIRS, max_size=5),
    vanished=st.dictionaries(PAIRS, MOMENTS, max_size=5),
    current=st.sets(PAIRS, max_size=5),
    seconds=st.integers(1, 7200),
)
def test_grace_never_resurrects_what_is_not_remembered(
    seen: frozenset[t.Any], vanished: dict[t.Any, t.Any], current: set[t.Any], seconds: int
) -> None:
    found = keep(Memory(seen, vanished), current, NOW, seconds)
    pairs = {(entry.address, entry.port) for entry in found}
    assert pairs <= seen | set(vanished)
    assert not pairs & current
    assert all(entry.until > NOW for entry in found)
    assert all(entry.until - entry.vanished_at == timedelta(seconds=seconds) for entry in found)
    assert all(entry.vanished_at == vanished.get((entry.address, entry.port), NOW) for entry in found)
    # A second run with what the first one would write keeps the same, for the same time.
    again = Memory(frozenset(current | pairs), {(entry.address, entry.port): entry.vanished_at for entry in found})
    assert keep(again, current, NOW, seconds) == found
