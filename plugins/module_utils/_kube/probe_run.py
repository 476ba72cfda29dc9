# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes the flows from the real pods: reads the cluster, tries every connection, judges what was observed."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import cluster, options
from ansible_collections.netguard.lockdown.plugins.module_utils._core import probe_forbidden as forbidden
from ansible_collections.netguard.lockdown.plugins.module_utils._core import probe_tools as tools
from ansible_collections.netguard.lockdown.plugins.module_utils._core import probe_verdict as verdicts
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import Flow, parse_flows
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_permits import Permits
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_plan import Cell, Place, Plan, plan_flows
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_sockets import Listing, judge_sockets
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_targets import Targets, read_targets
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_world import World, WorldPod
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import ApiError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.ephemeral import Ephemeral
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.probe_hand import Hand
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.probe_life import Vantage
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session

Key = tuple[str, str]

_CORE = "/api/v1"
_BETWEEN_SECONDS = 1.0
# After an attempt that came to one of these, another one would tell nothing new.
_FINAL = (tools.NO_TOOL, tools.MISSING, tools.NOT_PROBED)
_SOCKETS = "open-sockets"


@dataclass(frozen=True)
class Task:
    """The module's options, typed."""

    namespace: str
    flows: tuple[Flow, ...]
    targets: Targets
    default_forbidden: bool
    control: tuple[str, str, str | None] | None
    timeout: int
    deadline: int
    parallel: int
    max_pods_per_peer: int
    ephemeral_image: str | None
    sockets: bool
    cluster_uid: str | None

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Task:
        flows = parse_flows(params["flows"])
        if not flows:
            raise options.invalid("flows", "it holds no flow, so nothing could be probed")
        return cls(
            namespace=options.dns_label(params["namespace"], "namespace"),
            flows=tuple(flows),
            targets=read_targets(params.get("targets"), flows),
            default_forbidden=params["default_forbidden"],
            control=_control(params.get("control")),
            timeout=options.integer(params["timeout"], "timeout", 1, 60),
            deadline=options.integer(params["deadline"], "deadline", 0, 3600),
            parallel=options.integer(params["parallel"], "parallel", 1, 64),
            max_pods_per_peer=options.integer(params["max_pods_per_peer"], "max_pods_per_peer", 1, 1000),
            ephemeral_image=params.get("ephemeral_image") or None,
            sockets=params["sockets"],
            cluster_uid=params.get("cluster_uid") or None,
        )


@dataclass
class Tried:
    """What came of a cell."""

    cell: Cell
    seen: tools.Observation
    verdict: verdicts.Verdict
    baseline: verdicts.Baseline
    attempts: int = 0
    seconds: float = 0.0

    def as_dict(self, hand: Hand | None) -> Json:
        source, place = self.cell.source, self.cell.place
        return {
            "flow": self.cell.flow,
            "reason": self.cell.reason,
            "direction": self.cell.direction,
            "from": {
                "namespace": source.namespace,
                "pod": source.name,
                "container": hand.container if hand else "",
                "node": source.node,
            }
            if source
            else None,
            "to": place.as_dict() if place else None,
            "expect": self.cell.expect,
            "observed": self.seen.outcome,
            "verdict": self.verdict.verdict,
            "why": self.verdict.why,
            "baseline": self.baseline.as_dict() if self.cell.expect == "deny" else None,
            "attempts": self.attempts,
            "seconds": round(self.seconds, 1),
            "tool": hand.tool if hand else "",
        }


class ProbeRun:
    """One run of module flow_probe."""

    def __init__(self, session: Session, task: Task) -> None:
        self._session, self._task = session, task
        self._ephemeral = Ephemeral(session, task.ephemeral_image)
        self._hands: dict[Key, Hand] = {}

    def execute(self, *, check_mode: bool) -> Json:
        """The module's result. In check mode nothing is started in any pod."""
        task = self._task
        uid = cluster.identity(
            self._session.get(f"{_CORE}/namespaces/kube-system"), task.cluster_uid, self._session.host
        )
        world = self._read()
        plan = plan_flows(task.namespace, task.flows, task.targets, world, task.max_pods_per_peer)
        if check_mode:
            return _result(uid, [], [], plan, self._ephemeral, {}, probed=False)
        permits = Permits(task.namespace, task.flows, task.targets, world)
        subjects = self._subjects(world)
        control = self._control(world)
        self._find(plan, subjects)
        baselines = self._plan_forbidden(plan, permits, subjects, control)
        tried = self._probe(plan.cells, baselines)
        tried += [self._unread(pod) for pod in subjects if task.sockets and not self._hands[pod.key].listing]
        records = [record for pod in subjects for record in self._sockets(pod, permits)] if task.sockets else []
        return _result(uid, tried, records, plan, self._ephemeral, self._hands, probed=True)

    def _read(self) -> World:
        return World.from_api(
            self._session.list(f"{_CORE}/pods"),
            self._session.list(f"{_CORE}/namespaces"),
            self._session.list(f"{_CORE}/nodes"),
        )

    def _subjects(self, world: World) -> list[WorldPod]:
        """The ready pods that the flows are about, each once."""
        found = [pod for flow in self._task.flows for pod in world.subjects(self._task.namespace, flow.subject)]
        return list({pod.key: pod for pod in found if pod.ready and pod.addresses}.values())

    def _control(self, world: World) -> Hand | None:
        if self._task.control is None:
            return None
        namespace, name, container = self._task.control
        pod = next((pod for pod in world.pods if pod.key == (namespace, name)), None)
        if pod is None or not pod.ready:
            raise LockdownError(
                "control_missing",
                f"Cannot use pod {namespace}/{name} as the control",
                "it is not ready" if pod else "there is no such pod",
                "Name a ready pod that no policy restricts, or leave control out",
            )
        hand = Hand(self._session, pod, container, Ephemeral(self._session, None))
        hand.find(listing=False)
        if hand.error:
            raise hand.error
        return hand

    def _find(self, plan: Plan, subjects: t.Sequence[WorldPod]) -> None:
        """Find a program in every pod that a cell starts from."""
        pods = {cell.source.key: cell.source for cell in plan.cells if cell.source}
        pods |= {pod.key: pod for pod in subjects}
        ours = {pod.key for pod in subjects}
        self._hands = {key: Hand(self._session, pod, None, self._ephemeral) for key, pod in pods.items()}
        with ThreadPoolExecutor(max_workers=self._task.parallel) as pool:
            list(pool.map(lambda key: self._hands[key].find(listing=key in ours), self._hands))
        errors = [self._hands[key].error for key in ours]
        refused = [error for error in errors if isinstance(error, ApiError) and error.lacks_right]
        if refused and len(refused) == len(errors):
            # Without the right nothing can be tried at all, and that is better said once.
            raise refused[0]

    def _plan_forbidden(
        self, plan: Plan, permits: Permits, subjects: t.Sequence[WorldPod], control: Hand | None
    ) -> dict[Place, verdicts.Baseline]:
        """Add the default forbidden targets to the plan; what is known of all forbidden ones."""
        listings = {key: hand.listing for key, hand in self._hands.items() if hand.listing}
        vantage = Vantage(self._session, control, listings, permits.targets.known_service)
        found = forbidden.defaults(permits) if self._task.default_forbidden else []
        places = {place: None for entry in found for place in entry.places}
        places |= {cell.place: None for cell in plan.cells if cell.expect == "deny" and cell.place}
        baselines = vantage.baselines(list(places), self._task.timeout, self._task.parallel)
        forbidden.add_defaults(plan, found, subjects, permits, baselines)
        return baselines

    def _probe(self, cells: t.Sequence[Cell], baselines: t.Mapping[Place, verdicts.Baseline]) -> list[Tried]:
        tried = [self._untried(cell, baselines) for cell in cells]
        groups: dict[Key, list[Tried]] = {}
        for entry in tried:
            if entry.cell.source and entry.cell.place:
                groups.setdefault(entry.cell.source.key, []).append(entry)
        with ThreadPoolExecutor(max_workers=self._task.parallel) as pool:
            list(pool.map(lambda item: self._poll(self._hands[item[0]], item[1]), groups.items()))
        return tried

    def _untried(self, cell: Cell, baselines: t.Mapping[Place, verdicts.Baseline]) -> Tried:
        seen = tools.Observation(tools.NOT_PROBED, cell.obstacle)
        baseline = baselines.get(cell.place, verdicts.UNKNOWN) if cell.place else verdicts.UNKNOWN
        return Tried(cell, seen, verdicts.judge(cell.expect, seen, baseline), baseline)

    def _poll(self, hand: Hand, entries: t.Sequence[Tried]) -> None:
        """Try the cells of one pod until each is as expected, or the deadline has passed."""
        began = time.monotonic()
        left = list(entries)
        while left:
            asked = self._task.targets.known_service
            destinations = [entry.cell.place.destination(asked) for entry in left if entry.cell.place]
            for entry, seen in zip(left, hand.attempt(destinations, self._task.timeout), strict=True):
                entry.seen, entry.attempts = seen, entry.attempts + 1
                entry.seconds = time.monotonic() - began
                listens = self._listens(entry.cell.place)
                entry.verdict = verdicts.judge(entry.cell.expect, seen, entry.baseline, listens=listens)
            left = [entry for entry in left if not _is_settled(entry)]
            if time.monotonic() - began >= self._task.deadline:
                return
            if left:
                time.sleep(_BETWEEN_SECONDS)

    def _listens(self, place: Place | None) -> bool:
        """Whether a place may listen; False where the pod's open sockets say that it does not."""
        hand = self._hands.get((place.namespace, place.name)) if place and place.kind == "pod" else None
        if place is None or hand is None or hand.listing is None:
            return True
        return (place.protocol, place.port) in hand.listing.listening

    def _sockets(self, pod: WorldPod, permits: Permits) -> list[Json]:
        listing = self._hands[pod.key].listing
        return judge_sockets(pod, listing, permits) if isinstance(listing, Listing) else []

    def _unread(self, pod: WorldPod) -> Tried:
        """Open sockets that could not be listed: an inconclusive cell, for there may be forbidden ones."""
        error = self._hands[pod.key].error
        why = str(error) if error else "no container has a shell"
        cell = Cell(_SOCKETS, "no open socket of the pod is forbidden", "egress", pod, None, "deny", why)
        return self._untried(cell, {})


def _is_settled(entry: Tried) -> bool:
    """Whether another attempt could change nothing for the better."""
    if entry.verdict.verdict == verdicts.PASS or entry.seen.outcome in _FINAL:
        return True
    blocked = entry.seen.outcome in (tools.TIMED_OUT, tools.UNREACHABLE)
    return entry.cell.expect == "deny" and blocked


def _control(given: t.Any) -> tuple[str, str, str | None] | None:
    if not given:
        return None
    namespace = options.dns_label(given["namespace"], "control.namespace")
    return namespace, options.text(given["pod"], "control.pod"), given.get("container") or None


def _result(
    uid: str,
    tried: t.Sequence[Tried],
    records: t.Sequence[Json],
    plan: Plan,
    ephemeral: Ephemeral,
    hands: t.Mapping[Key, Hand],
    *,
    probed: bool,
) -> Json:
    words = [entry.verdict.verdict for entry in tried]
    counts = {word: words.count(word) for word in (verdicts.PASS, verdicts.FAIL, verdicts.INCONCLUSIVE)}
    return {
        "changed": ephemeral.added,
        "probed": probed,
        "verdict": verdicts.total(words),
        "summary": {
            "cells": len(tried) if probed else len(plan.cells),
            **counts,
            "left_out": len(plan.left_out),
            "forbidden_sockets": sum(bool(record["forbidden"]) for record in records),
        },
        "cells": [entry.as_dict(hands.get(entry.cell.source.key) if entry.cell.source else None) for entry in tried],
        "sockets": list(records),
        "left_out": [entry.as_dict() for entry in plan.left_out],
        "left_behind": list(ephemeral.left_behind),
        "cluster": {"uid": uid},
    }
