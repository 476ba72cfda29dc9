# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expected against observed: pass, fail, or inconclusive, each with its reason."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import probe_tools as tools

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"

_WORKS = (tools.CONNECTED, tools.DNS_ANSWERED)
_REACHED = (*_WORKS, tools.DNS_FAILED)
_DROPPED = (tools.TIMED_OUT, tools.UNREACHABLE)
_SILENT = {
    tools.NO_TOOL: "no container of the pod has a program that can try it: give ephemeral_image",
    tools.MISSING: "the pod is gone",
    tools.RESTARTED: "the container was restarted meanwhile",
    tools.NOT_PROBED: "it was not tried",
    tools.FAILED: "the attempt itself failed",
}


@dataclass(frozen=True)
class Baseline:
    """Whether a target is alive, as seen from elsewhere: by whom it was proven, or why it could not be."""

    by: str = ""
    why: str = ""

    @property
    def proven(self) -> bool:
        return bool(self.by)

    def as_dict(self) -> dict[str, t.Any]:
        return {"proven": self.proven, "by": self.by, "why": self.why}


UNKNOWN = Baseline(why="nothing tried it from elsewhere")


@dataclass(frozen=True)
class Verdict:
    """The judgement over one cell."""

    verdict: str
    why: str


def judge(expect: str, seen: tools.Observation, baseline: Baseline, *, listens: bool = True) -> Verdict:
    """The verdict on one observation.

    :arg listens: False where the target is known to listen on no such port.
    """
    if seen.outcome in _SILENT:
        return Verdict(INCONCLUSIVE, f"{_SILENT[seen.outcome]}{_said(seen)}")
    return _judge_allow(seen, listens) if expect == "allow" else _judge_deny(seen, baseline)


def total(verdicts: t.Iterable[str]) -> str:
    """The verdict on all cells: the worst one; nothing proven is inconclusive."""
    found = set(verdicts)
    return next((word for word in (FAIL, INCONCLUSIVE, PASS) if word in found), INCONCLUSIVE)


def _judge_allow(seen: tools.Observation, listens: bool) -> Verdict:
    if seen.outcome in _WORKS:
        return Verdict(PASS, "reached, as allowed")
    if seen.outcome == tools.REFUSED:
        if not listens:
            return Verdict(INCONCLUSIVE, "nothing listens there, so nothing tells whether it is allowed")
        return Verdict(FAIL, "refused: nothing listens there, or a policy engine rejects it")
    if seen.outcome == tools.DNS_FAILED:
        return Verdict(FAIL, "connected, but no name server answers")
    return Verdict(FAIL, f"allowed, but not reached{_said(seen)}")


def _judge_deny(seen: tools.Observation, baseline: Baseline) -> Verdict:
    if seen.outcome in _REACHED:
        return Verdict(FAIL, "forbidden, but reached")
    if seen.outcome == tools.REFUSED:
        if baseline.proven:
            return Verdict(PASS, f"rejected on the way: it accepts connections, as proven by {baseline.by}")
        return Verdict(FAIL, "forbidden, but the refusal came back, so packets get through")
    if seen.outcome in _DROPPED and baseline.proven:
        return Verdict(PASS, f"blocked, while it is alive, as proven by {baseline.by}")
    return Verdict(INCONCLUSIVE, f"not reached, but not proven alive either: {baseline.why}")


def _said(seen: tools.Observation) -> str:
    return f": {seen.text}" if seen.text else ""
