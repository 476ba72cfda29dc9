# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of module enforcement_canary: pairs of pods, connections before and after two policies, a verdict."""

from __future__ import annotations

import time
import typing as t
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core import canary_plan as plans
from ansible_collections.netguard.lockdown.plugins.module_utils._core import canary_verdict as verdicts
from ansible_collections.netguard.lockdown.plugins.module_utils._core import cluster, options, selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core import probe_tools as tools
from ansible_collections.netguard.lockdown.plugins.module_utils._core.canary_pods import FAILED, RUNS, pod_state
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_world import WorldPod
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import ApiError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.canary_objects import (
    CanaryObjects,
    LeftOvers,
    forbidden,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.ephemeral import Ephemeral
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.probe_hand import Hand
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session

_POLL_SECONDS = 0.5
_MARGIN_SECONDS = 120
_NODE_SECONDS = 60
_LOOPBACK = "127.0.0.1"
_KINDS = dict(zip(verdicts.KINDS, plans.PORTS, strict=True))


@dataclass(frozen=True)
class Task:
    """The module's options, typed."""

    namespace: str
    pod_selector: Json
    canary_namespace: str
    start_timeout: int
    timeout: int
    deadline: int
    parallel: int
    accept_inconclusive: bool
    cluster_uid: str | None

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Task:
        selectors.validate(params["pod_selector"], "pod_selector")
        given = params.get("canary_namespace") or ""
        return cls(
            namespace=options.dns_label(params["namespace"], "namespace"),
            pod_selector=params["pod_selector"],
            canary_namespace=options.dns_label(given, "canary_namespace") if given else "",
            start_timeout=options.integer(params["start_timeout"], "start_timeout", 1, 3600),
            timeout=options.integer(params["timeout"], "timeout", 1, 60),
            deadline=options.integer(params["deadline"], "deadline", 1, 3600),
            parallel=options.integer(params["parallel"], "parallel", 1, 64),
            accept_inconclusive=params["accept_inconclusive"],
            cluster_uid=params.get("cluster_uid") or None,
        )

    def lifetime(self, nodes: int) -> int:
        """Seconds after which a run is over in any case: what is there then was left behind."""
        waves = -(-nodes // self.parallel)
        each = self.start_timeout + _NODE_SECONDS + 4 * self.timeout
        return self.start_timeout + self.deadline + _MARGIN_SECONDS + waves * each


@dataclass
class Pair:
    """The two pods of a node, and what was seen there."""

    plan: plans.NodePlan
    listener: str
    dialler: str
    seen: verdicts.Observed = field(default_factory=verdicts.Observed)
    pods: dict[str, WorldPod] = field(default_factory=dict)
    hand: Hand | None = None

    def as_dict(self) -> Json:
        judged = verdicts.judge(self.seen)
        last = self.seen.after[-1] if self.seen.after else None
        return {
            "node": self.plan.node,
            "like": self.plan.pod,
            "image": self.plan.image,
            "verdict": judged.verdict,
            "reasons": list(judged.reasons),
            "tool": self.hand.tool if self.hand else "",
            "connections": [
                {
                    "kind": kind,
                    "before": self.seen.before.said(kind) if self.seen.before else "",
                    "after": last.said(kind) if last else "",
                    "denied_after_seconds": _rounded(self.seen.denied_after(kind)),
                }
                for kind in verdicts.KINDS
            ],
        }


class CanaryRun:
    """One run of the module."""

    def __init__(self, session: Session, task: Task) -> None:
        self._session, self._task = session, task

    def execute(self, *, check_mode: bool) -> Json:
        """The module's result; a LockdownError where enforcement is not proven. In check mode nothing is written."""
        try:
            return self._execute(check_mode)
        except ApiError as error:
            raise forbidden(error, self._task.canary_namespace) if error.lacks_right else error from error

    def _execute(self, check_mode: bool) -> Json:
        task, session = self._task, self._session
        uid = cluster.identity(session.get("/api/v1/namespaces/kube-system"), task.cluster_uid, session.host)
        query = {"labelSelector": selectors.as_query(task.pod_selector)}
        planned = plans.plan_nodes(session.list(f"/api/v1/namespaces/{task.namespace}/pods", query))
        remains = LeftOvers(session, task.canary_namespace)
        swept = remains.find()
        run = uuid.uuid4().hex[:10]
        seconds = task.lifetime(len(planned))
        mark = plans.marks(run, session.server_now(), seconds, f"enforcement canary for namespace {task.namespace}")
        pairs = [
            Pair(plan, plans.pod_name(mark, plans.LISTENER, number), plans.pod_name(mark, plans.DIALLER, number))
            for number, plan in enumerate(planned)
        ]
        objects = CanaryObjects(session, mark, task.canary_namespace)
        if not check_mode:
            remains.sweep(swept)
            if pairs:
                with objects:
                    self._prove(pairs, objects, mark, seconds)
        return self._result(uid, pairs, objects, swept, probed=not check_mode and bool(pairs))

    def _prove(self, pairs: list[Pair], objects: CanaryObjects, mark: plans.Marks, seconds: int) -> None:
        objects.open()
        for number, pair in enumerate(pairs):
            self._create(pair, objects, mark, number, seconds)
        self._wait(pairs, objects)
        with ThreadPoolExecutor(max_workers=self._task.parallel) as pool:
            list(pool.map(self._before, self._usable(pairs)))
            usable = self._usable(pairs)
            if usable:
                for policy in plans.policies(mark):
                    objects.policy(policy)
                began = time.monotonic()
                list(pool.map(lambda pair: self._after(pair, began), usable))

    def _usable(self, pairs: t.Iterable[Pair]) -> list[Pair]:
        return [
            pair for pair in pairs if not pair.seen.obstacle and (pair.seen.before is None or pair.seen.before.all_open)
        ]

    def _create(self, pair: Pair, objects: CanaryObjects, mark: plans.Marks, number: int, seconds: int) -> None:
        for role in (plans.LISTENER, plans.DIALLER):
            try:
                objects.pod(plans.pod(pair.plan, mark, role, number, seconds))
            except ApiError as error:
                # What admission plugins say of one node's pods need not hold for another's.
                if error.lacks_right or error.status not in (403, 422):
                    raise
                pair.seen.obstacle = f"its pods are refused: {error.why}"
                return

    def _wait(self, pairs: list[Pair], objects: CanaryObjects) -> None:
        """Until all pods run, or never will, or the time is over."""
        deadline = time.monotonic() + self._task.start_timeout
        waiting = self._usable(pairs)
        while waiting:
            found = objects.pods()
            over = time.monotonic() >= deadline
            waiting = [pair for pair in waiting if not self._has_settled(pair, found, over)]
            if waiting:
                time.sleep(_POLL_SECONDS)

    def _has_settled(self, pair: Pair, found: t.Mapping[str, Json], over: bool) -> bool:
        names = (pair.listener, pair.dialler)
        states = {name: pod_state(found.get(name)) for name in names}
        if all(state.state == RUNS for state in states.values()):
            pair.pods = {name: WorldPod.from_api(found[name]) for name in names}
            return True
        bad = [
            (name, state) for name, state in states.items() if state.state != RUNS and (over or state.state == FAILED)
        ]
        if not bad:
            return False
        name, state = bad[0]
        late = f" within {self._task.start_timeout} s" if state.state != FAILED else ""
        pair.seen.obstacle = f"pod {name} does not run{late}: {state.why}"
        return True

    def _before(self, pair: Pair) -> None:
        """All three connections have to work without policies, as soon as the listener is ready."""
        hand = pair.hand = self._hand(pair, pair.dialler)
        if hand is None:
            return
        deadline = time.monotonic() + self._task.start_timeout
        while True:
            pair.seen.before = self._round(pair, hand, time.monotonic())
            if pair.seen.before.all_open or time.monotonic() >= deadline:
                return
            time.sleep(_POLL_SECONDS)

    def _after(self, pair: Pair, began: float) -> None:
        """Again and again, until the policies show or the time is over; then see that the listener is still there."""
        hand = pair.hand
        while hand and not pair.seen.settled:
            late = time.monotonic() - began >= self._task.deadline
            pair.seen.after.append(self._round(pair, hand, began))
            if late:
                break
            time.sleep(_POLL_SECONDS)
        if pair.seen.settled:
            listener = self._hand(pair, pair.listener)
            own = [tools.Destination(tools.TCP, _LOOPBACK, port) for port in plans.PORTS]
            answers = listener.attempt(own, self._task.timeout) if listener else []
            pair.seen.alive = bool(answers) and all(each.outcome == tools.CONNECTED for each in answers)

    def _hand(self, pair: Pair, name: str) -> Hand | None:
        """A way to run commands in a pod; without one, why is noted."""
        hand = Hand(self._session, pair.pods[name], None, Ephemeral(self._session, None))
        hand.find(listing=False)
        if isinstance(hand.error, ApiError) and hand.error.lacks_right:
            raise hand.error
        if hand.tool:
            return hand
        pair.seen.obstacle = (
            f"{hand.error.what}: {hand.error.why}"
            if hand.error
            else "nothing in its image opens connections: there is no python3, no bash and no nc of BusyBox"
        )
        return None

    def _round(self, pair: Pair, hand: Hand, began: float) -> verdicts.Round:
        started = time.monotonic()
        addresses = pair.pods[pair.listener].addresses
        order = [(kind, address) for kind in verdicts.KINDS for address in addresses]
        destinations = [tools.Destination(tools.TCP, str(address), _KINDS[kind]) for kind, address in order]
        answers = hand.attempt(destinations, self._task.timeout)
        seen = {
            kind: tuple(answer for (of, _address), answer in zip(order, answers, strict=True) if of == kind)
            for kind in verdicts.KINDS
        }
        return verdicts.Round(seen, started - began)

    def _result(self, uid: str, pairs: list[Pair], objects: CanaryObjects, swept: list[str], *, probed: bool) -> Json:
        nodes = [pair.as_dict() if probed else _planned(pair.plan) for pair in pairs]
        verdict = verdicts.overall([node["verdict"] for node in nodes])
        left = objects.left_behind
        if (probed or not pairs) and self._is_failure(verdict):
            raise verdicts.failure(verdict, nodes, left)
        return {
            "changed": bool(swept),
            "probed": probed,
            "verdict": verdict,
            "nodes": nodes,
            "namespace": objects.namespace,
            "scratch": not self._task.canary_namespace,
            "swept": swept,
            "left_behind": left,
            "cluster": {"uid": uid},
            "application": {"namespace": self._task.namespace, "pod_selector": self._task.pod_selector},
            "time": self._session.server_now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "warnings": [f"{each['path']} could not be removed and expires by itself: {each['why']}" for each in left],
        }

    def _is_failure(self, verdict: str) -> bool:
        accepted = verdict == verdicts.INCONCLUSIVE and self._task.accept_inconclusive
        return verdict != verdicts.ENFORCED and not accepted


def _planned(plan: plans.NodePlan) -> Json:
    seen = verdicts.Observed(obstacle="check mode: nothing was tried")
    return Pair(plan, "", "", seen).as_dict()


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(max(seconds, 0.0), 1)
