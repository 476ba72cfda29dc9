# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the connections of a canary say of a node: its engine enforces policies, it does not, or nobody knows."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core import probe_tools as tools
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

ENFORCED, NOT_ENFORCED, INCONCLUSIVE = "enforced", "not_enforced", "inconclusive"
ALLOWED, INGRESS, EGRESS = "allowed", "ingress", "egress"
KINDS = (ALLOWED, INGRESS, EGRESS)

OPEN, CLOSED, UNKNOWN = "open", "closed", "unknown"
_BLOCKED = (tools.TIMED_OUT, tools.REFUSED, tools.UNREACHABLE)
# An engine that is still at work may let one attempt fail by itself.
_ROUNDS_TO_BELIEVE = 2
_NODES_TO_TELL = 5


@dataclass(frozen=True)
class Round:
    """What came of one attempt on each port, over every address of the listener."""

    seen: t.Mapping[str, tuple[tools.Observation, ...]]
    seconds: float = 0.0  # since the policies were written

    def state(self, kind: str) -> str:
        """Open through every address, closed through every one, or neither."""
        outcomes = {each.outcome for each in self.seen[kind]}
        if outcomes == {tools.CONNECTED}:
            return OPEN
        return CLOSED if outcomes and outcomes <= set(_BLOCKED) else UNKNOWN

    def leaks(self, kind: str) -> bool:
        return any(each.outcome == tools.CONNECTED for each in self.seen[kind])

    @property
    def all_open(self) -> bool:
        return all(self.state(kind) == OPEN for kind in KINDS)

    @property
    def as_ruled(self) -> bool:
        return [self.state(kind) for kind in KINDS] == [OPEN, CLOSED, CLOSED]

    def said(self, kind: str) -> str:
        return ", ".join(dict.fromkeys(f"{each.outcome} {each.text}".rstrip() for each in self.seen[kind]))


@dataclass
class Observed:
    """Everything that was seen on one node."""

    before: Round | None = None
    after: list[Round] = field(default_factory=list)
    alive: bool | None = None  # whether the listener still listened at the end
    obstacle: str = ""  # why there is nothing to see, or no more

    @property
    def settled(self) -> bool:
        last = self.after[-_ROUNDS_TO_BELIEVE:]
        return len(last) == _ROUNDS_TO_BELIEVE and all(each.as_ruled for each in last)

    def denied_after(self, kind: str) -> float | None:
        """Seconds until the first attempt after which none came through any more."""
        first: float | None = None
        for each in self.after:
            first = None if each.state(kind) != CLOSED else each.seconds if first is None else first
        return first


@dataclass(frozen=True)
class Verdict:
    verdict: str
    reasons: tuple[str, ...]


_DENIED_BY = {
    INGRESS: "the listener's ingress policy does not allow",
    EGRESS: "the dialler's egress policy does not allow",
}


def judge(observed: Observed) -> Verdict:
    """The verdict on one node, with its reasons."""
    if observed.obstacle:
        return Verdict(INCONCLUSIVE, (observed.obstacle,))
    if observed.before is None or not observed.before.all_open:
        return Verdict(INCONCLUSIVE, tuple(_not_open(observed.before)))
    if not observed.after:
        return Verdict(INCONCLUSIVE, ("nothing was tried after the policies were written",))
    last = observed.after[-1]
    leaks = [kind for kind in (INGRESS, EGRESS) if last.leaks(kind)]
    if leaks:
        waited = f"{last.seconds:.0f} s after the policies were written"
        return Verdict(
            NOT_ENFORCED, tuple(f"{waited}, a connection that {_DENIED_BY[kind]} still works" for kind in leaks)
        )
    doubts = _doubts(observed, last)
    return Verdict(INCONCLUSIVE if doubts else ENFORCED, tuple(doubts))


def _doubts(observed: Observed, last: Round) -> list[str]:
    """What keeps a canary without a leak from being a proof."""
    if last.state(ALLOWED) != OPEN:
        return [f"the connection that both policies allow does not work any more: {last.said(ALLOWED)}"]
    unknown = [kind for kind in (INGRESS, EGRESS) if last.state(kind) != CLOSED]
    if unknown:
        return [f"the attempt that {_DENIED_BY[kind]} came to no end: {last.said(kind)}" for kind in unknown]
    if not observed.settled:
        return ["the denial was seen only once before the time was over: raise deadline"]
    return [] if observed.alive else ["the listener did not listen any more at the end"]


def overall(verdicts: t.Collection[str]) -> str:
    """One node that does not enforce counts most; without any node nothing is proven."""
    for worst in (NOT_ENFORCED, INCONCLUSIVE):
        if worst in verdicts:
            return worst
    return ENFORCED if verdicts else INCONCLUSIVE


def failure(
    verdict: str, nodes: t.Sequence[t.Mapping[str, t.Any]], left_behind: t.Sequence[t.Mapping[str, str]]
) -> LockdownError:
    """The error for a canary that proves nothing good; nothing of Ignite was touched."""
    bad = [node for node in nodes if node["verdict"] == verdict]
    told = [f"node {node['node']}: {', '.join(node['reasons'])}" for node in bad[:_NODES_TO_TELL]]
    more = [f"and {len(bad) - len(told)} more nodes"] if len(bad) > len(told) else []
    why = "; ".join([*told, *more])
    if verdict == NOT_ENFORCED:
        return LockdownError(
            "not_enforced",
            "The cluster's engine does not enforce NetworkPolicy",
            why,
            "Install or switch on a policy engine on these nodes; no policy of Ignite was changed",
            details={"nodes": list(nodes), "left_behind": list(left_behind)},
        )
    return LockdownError(
        "enforcement_unproven",
        "The canary could not prove that the cluster's engine enforces NetworkPolicy",
        why or "no pod that policies apply to runs yet, so there is no node and no image to try",
        "Remove the cause, or accept it with accept_inconclusive; no policy of Ignite was changed",
        details={"nodes": list(nodes), "left_behind": list(left_behind)},
    )


def _not_open(before: Round | None) -> list[str]:
    if before is None:
        return ["nothing was tried"]
    return [
        f"without our policies the connection on the port for {kind} does not work either: {before.said(kind)}"
        for kind in KINDS
        if before.state(kind) != OPEN
    ]
