# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen on a node, and what it proves."""

from __future__ import annotations

import pytest

from ansible_collections.netguard.lockdown.plugins.module_utils._core import canary_verdict as verdicts
from ansible_collections.netguard.lockdown.plugins.module_utils._core import probe_tools as tools
from ansible_collections.netguard.lockdown.plugins.module_utils._core.canary_verdict import Observed, Round
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_tools import Observation

OPEN = (tools.CONNECTED,) * 3
RULED = (tools.CONNECTED, tools.TIMED_OUT, tools.TIMED_OUT)


def seen(*outcomes: str, seconds: float = 0.0) -> Round:
    """One round with an outcome for each kind; "a/b" are those over two addresses."""
    parts = [tuple(Observation(word) for word in outcome.split("/")) for outcome in outcomes]
    return Round(dict(zip(verdicts.KINDS, parts, strict=True)), seconds)


def observed(*after: Round, before: Round | None = None, alive: bool | None = True, obstacle: str = "") -> Observed:
    return Observed(before or seen(*OPEN), list(after), alive, obstacle)


def verdict(case: Observed) -> tuple[str, str]:
    judged = verdicts.judge(case)
    assert bool(judged.reasons) == (judged.verdict != verdicts.ENFORCED)
    return judged.verdict, "; ".join(judged.reasons)


@pytest.mark.parametrize("blocked", [tools.TIMED_OUT, tools.REFUSED, tools.UNREACHABLE])
def test_both_directions_denied_twice_is_the_proof(blocked: str) -> None:
    ruled = seen(tools.CONNECTED, blocked, blocked)
    assert verdict(observed(ruled, ruled))[0] == verdicts.ENFORCED
    assert verdict(observed(seen(*OPEN), ruled, ruled))[0] == verdicts.ENFORCED


def test_once_is_no_proof() -> None:
    assert verdict(observed(seen(*RULED)))[0] == verdicts.INCONCLUSIVE
    assert verdict(observed(seen(*RULED), seen(*OPEN), seen(*RULED)))[0] == verdicts.INCONCLUSIVE


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (OPEN, ["ingress", "egress"]),
        ((tools.CONNECTED, tools.CONNECTED, tools.TIMED_OUT), ["ingress"]),
        ((tools.CONNECTED, tools.TIMED_OUT, tools.CONNECTED), ["egress"]),
        ((tools.TIMED_OUT, tools.CONNECTED, tools.TIMED_OUT), ["ingress"]),
        ((tools.CONNECTED, "timed_out/connected", tools.TIMED_OUT), ["ingress"]),
    ],
)
def test_what_still_works_is_not_enforced(last: tuple[str, ...], words: list[str]) -> None:
    found, why = verdict(observed(seen(*RULED), seen(*last, seconds=30)))
    assert found == verdicts.NOT_ENFORCED
    assert "30 s after the policies" in why
    assert [word for word in ("ingress", "egress") if f"{word} policy" in why] == words


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (observed(obstacle="the pod does not run"), "does not run"),
        (Observed(), "nothing was tried"),
        (observed(), "nothing was tried after"),
        (observed(before=seen(tools.CONNECTED, tools.REFUSED, tools.CONNECTED)), "the port for ingress does not work"),
        (observed(seen(tools.TIMED_OUT, tools.TIMED_OUT, tools.TIMED_OUT)), "both policies allow does not work"),
        (observed(seen("connected/timed_out", tools.TIMED_OUT, tools.TIMED_OUT)), "both policies allow"),
        (observed(seen(tools.CONNECTED, tools.FAILED, tools.TIMED_OUT)), "came to no end: failed"),
        (observed(seen(tools.CONNECTED, tools.TIMED_OUT, tools.MISSING)), "came to no end: missing"),
        (observed(seen(*RULED), seen(*RULED), alive=False), "did not listen any more"),
        (observed(seen(*RULED), seen(*RULED), alive=None), "did not listen any more"),
    ],
)
def test_everything_else_proves_nothing(case: Observed, words: str) -> None:
    found, why = verdict(case)
    assert found == verdicts.INCONCLUSIVE
    assert words in why


def test_seconds_until_denial_count_from_the_last_time_it_began() -> None:
    case = observed(
        seen(*OPEN, seconds=0.5),
        seen(tools.CONNECTED, tools.TIMED_OUT, tools.CONNECTED, seconds=1.5),
        seen(*RULED, seconds=2.5),
        seen(*RULED, seconds=3.5),
    )
    assert (case.denied_after(verdicts.INGRESS), case.denied_after(verdicts.EGRESS)) == (1.5, 2.5)
    assert case.denied_after(verdicts.ALLOWED) is None
    case.after.append(seen(*OPEN, seconds=4.5))
    assert case.denied_after(verdicts.INGRESS) is None


@pytest.mark.parametrize(
    ("each", "worst"),
    [
        ([], verdicts.INCONCLUSIVE),
        ([verdicts.ENFORCED, verdicts.ENFORCED], verdicts.ENFORCED),
        ([verdicts.ENFORCED, verdicts.INCONCLUSIVE], verdicts.INCONCLUSIVE),
        ([verdicts.INCONCLUSIVE, verdicts.NOT_ENFORCED, verdicts.ENFORCED], verdicts.NOT_ENFORCED),
    ],
)
def test_the_worst_node_counts(each: list[str], worst: str) -> None:
    assert verdicts.overall(each) == worst


def test_the_error_names_the_nodes_and_what_to_do() -> None:
    nodes = [
        {"node": "a", "verdict": verdicts.ENFORCED, "reasons": []},
        {"node": "b", "verdict": verdicts.NOT_ENFORCED, "reasons": ["it still works"]},
    ]
    error = verdicts.failure(verdicts.NOT_ENFORCED, nodes, [])
    assert (error.code, error.why) == ("not_enforced", "node b: it still works")
    assert "no policy of Ignite was changed" in error.next_step
    many = [{"node": str(number), "verdict": verdicts.NOT_ENFORCED, "reasons": ["no"]} for number in range(200)]
    assert verdicts.failure(verdicts.NOT_ENFORCED, many, []).why.endswith("node 4: no; and 195 more nodes")
    unproven = verdicts.failure(verdicts.INCONCLUSIVE, [], [])
    assert unproven.code == "enforcement_unproven"
    assert "no pod that policies apply to runs yet" in unproven.why
