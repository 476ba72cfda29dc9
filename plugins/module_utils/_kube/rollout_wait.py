# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until the pods of StatefulSets are the wanted ones, and says at the end what it waited for."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.objects import kinds, plan, rollout
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import ApiError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session

_POLL_SECONDS = 1.0


class RolloutWait:
    """:arg written: what this run has written, for the message of a wait that was in vain."""

    def __init__(self, session: Session, seconds: float, written: t.Sequence[str]) -> None:
        self._session = session
        self._seconds = seconds
        self._written = written

    def until_complete(self, changes: t.Sequence[plan.Change]) -> Json:
        started = time.monotonic()
        found = [self._until_complete(change, started + self._seconds) for change in changes]
        seconds = round(time.monotonic() - started, 1)
        return {"waited": True, "seconds": seconds, "workloads": [each.as_dict() for each in found]}

    def _until_complete(self, change: plan.Change, deadline: float) -> rollout.Rollout:
        live = change.live if change.action == plan.NONE else None
        while True:
            live = live or self._read(change, deadline)
            state = rollout.judge(live)
            if state.complete:
                return state
            if time.monotonic() >= deadline:
                raise self._in_vain(change, live, state)
            time.sleep(_POLL_SECONDS)
            live = None

    def _read(self, change: plan.Change, deadline: float) -> kinds.Object:
        """The object; an API server that is away for a moment is waited for."""
        while True:
            try:
                return self._session.get(kinds.path_of(change.wanted))
            except LockdownError as error:
                if not _may_pass(error) or time.monotonic() >= deadline:
                    raise LockdownError(
                        error.code,
                        error.what,
                        error.why,
                        f"{self._stands}{error.next_step}",
                        obj=error.obj,
                        details={**error.details, "written": list(self._written)},
                    ) from error
                time.sleep(_POLL_SECONDS)

    @property
    def _stands(self) -> str:
        return f"What was written stays: {', '.join(self._written)}. " if self._written else ""

    def _in_vain(self, change: plan.Change, live: kinds.Object, state: rollout.Rollout) -> LockdownError:
        owned = self._pods(live)
        pods = None if owned is None else _not_ready(owned)
        lines = [f"{name}: {reason}" for name, reasons in (pods or {}).items() for reason in reasons]
        claims = self._optional(live, "persistentvolumeclaims") if live["spec"].get("volumeClaimTemplates") else []
        lines += rollout.claim_reasons(live, claims or [])
        happened = self._optional(live, "events")
        events = rollout.event_texts(happened or [], [state.name, *(pods or {})])
        unreadable = [
            f"its {what} cannot be listed with these rights"
            for what, found in (("pods", pods), ("claims", claims), ("events", happened))
            if found is None
        ]
        why = f"after {self._seconds:g} s it still waits for {' and '.join(state.waiting_for)}"
        why += "".join(f"; {line}" for line in [*lines, *unreadable])
        why += f"; last events: {'; '.join(events)}" if events else ""
        return LockdownError(
            "rollout_timeout",
            f"{kinds.reference(change.wanted)} is not rolled out",
            why,
            f"{self._stands}{_remedy(live, owned or [])}, and run again",
            obj=kinds.reference(change.wanted),
            details={"rollout": state.as_dict(), "pods": pods or {}, "events": events, "written": list(self._written)},
        )

    def _pods(self, live: kinds.Object) -> list[kinds.Object] | None:
        """Its pods; None where they cannot be read."""
        found = self._optional(live, "pods", {"labelSelector": selectors.as_query(live["spec"]["selector"])})
        return None if found is None else rollout.owned_pods(live, found)

    def _optional(self, live: kinds.Object, resource: str, query: Json | None = None) -> list[Json] | None:
        """A list that only explains; None where it cannot be had."""
        try:
            return self._session.list(f"/api/v1/namespaces/{live['metadata']['namespace']}/{resource}", query)
        except LockdownError:
            return None


def _may_pass(error: LockdownError) -> bool:
    """Whether it may be over in a moment: an API server that restarts, or has too much to do."""
    return not isinstance(error, ApiError) or error.status == 429 or error.status >= 500


def _not_ready(pods: t.Sequence[kinds.Object]) -> dict[str, list[str]]:
    reasons = {pod["metadata"]["name"]: rollout.pod_reasons(pod) for pod in pods}
    return {name: found for name, found in reasons.items() if found}


def _remedy(live: kinds.Object, pods: t.Sequence[kinds.Object]) -> str:
    stuck = rollout.stuck_pods(live, pods)
    if not stuck:
        return "Correct what keeps the pods from becoming ready, or raise wait_timeout"
    namespace = live["metadata"]["namespace"]
    return (
        "Delete what is of an earlier revision and not ready, which Kubernetes does not replace by itself "
        f"(kubectl --namespace {namespace} delete pod {' '.join(stuck)})"
    )
