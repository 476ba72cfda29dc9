# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every observation against every expectation, with a target that is proven alive and one that is not."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.netguard.lockdown.plugins.module_utils._core import probe_tools as tools
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_tools import Observation
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_verdict import Baseline, judge, total

ALIVE, UNPROVEN = Baseline("the control pod", "connected"), Baseline(why="no control pod was given")
REACHED = [tools.CONNECTED, tools.DNS_ANSWERED]
BLOCKED = [tools.TIMED_OUT, tools.UNREACHABLE]
SILENT = [tools.NO_TOOL, tools.FAILED, tools.MISSING, tools.RESTARTED, tools.NOT_PROBED]
EVERY = [*REACHED, *BLOCKED, *SILENT, tools.REFUSED, tools.DNS_FAILED]


def verdict(expect: str, outcome: str, baseline: Baseline = UNPROVEN, listens: bool = True) -> str:
    return judge(expect, Observation(outcome), baseline, listens=listens).verdict


@pytest.mark.parametrize("outcome", EVERY)
def test_allowed(outcome: str) -> None:
    expected = "pass" if outcome in REACHED else "inconclusive" if outcome in SILENT else "fail"
    assert verdict("allow", outcome) == expected
    assert verdict("allow", outcome, ALIVE) == expected


@pytest.mark.parametrize("outcome", EVERY)
def test_forbidden_and_alive(outcome: str) -> None:
    blocked = outcome in (*BLOCKED, tools.REFUSED)
    expected = "pass" if blocked else "inconclusive" if outcome in SILENT else "fail"
    assert verdict("deny", outcome, ALIVE) == expected


@pytest.mark.parametrize("outcome", EVERY)
def test_forbidden_and_not_proven_alive_never_passes(outcome: str) -> None:
    expected = "inconclusive" if outcome in (*BLOCKED, *SILENT) else "fail"
    assert verdict("deny", outcome) == expected


def test_a_refusal_where_nothing_listens_proves_nothing() -> None:
    assert verdict("allow", tools.REFUSED, listens=False) == "inconclusive"
    assert verdict("allow", tools.TIMED_OUT, listens=False) == "fail"


@pytest.mark.parametrize(("expect", "outcome"), list(itertools.product(("allow", "deny"), EVERY)))
def test_every_verdict_has_a_reason(expect: str, outcome: str) -> None:
    assert judge(expect, Observation(outcome), UNPROVEN).why


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "inconclusive"),
        (["pass"], "pass"),
        (["pass", "inconclusive"], "inconclusive"),
        (["inconclusive", "fail", "pass"], "fail"),
    ],
)
def test_the_worst_counts(words: list[str], expected: str) -> None:
    assert total(words) == expected
