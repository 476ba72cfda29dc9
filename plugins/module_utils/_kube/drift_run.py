# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of module policy_drift_info: read what stands and what was written, and tell why they differ. Reads only."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import (
    cluster,
    drift,
    neighbours,
    ownership,
    plan,
    policy,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.preflight import Preflight
from ansible_collections.netguard.lockdown.plugins.module_utils._kube import neighbour_reader, policy_writer
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.undo_record import UndoRecord


@dataclass(frozen=True)
class Task:
    """The module's options, checked as far as that goes without a cluster."""

    namespace: str
    instance: str
    definitions: t.Sequence[Json]
    targets: Json
    replace: t.Collection[str]
    accepted: t.Collection[str]
    cluster_uid: str
    policy_apis: t.Collection[str] | None

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Task:
        ownership.require_instance_name(params["instance"])
        where = {"namespace": params["namespace"], "instance": params["instance"]}
        return cls(
            **where,
            definitions=[
                policy.prepare(item, **where, where=f"definitions[{index}]")
                for index, item in enumerate(params["definitions"])
            ],
            targets=params["targets"],
            replace=params["replace_policies"] or (),
            accepted=params["accept_foreign_policies"] or (),
            cluster_uid=params["cluster_uid"] or "",
            policy_apis=params["policy_apis"],
        )


def execute(session: Session, task: Task) -> Json:
    kube_system = session.get("/api/v1/namespaces/kube-system")
    uid = cluster.identity(kube_system, task.cluster_uid, session.host)
    apis = session.api_versions() if task.policy_apis is None else task.policy_apis
    others = neighbour_reader.read(session, task.namespace, apis)
    live = policy_writer.list_policies(session, task.namespace, task.definitions, others.cilium())
    history = UndoRecord(session, task.namespace, task.instance).read()
    applied = {policy.name_of(item): item for item in history.head.ours} if history.head else {}

    taken = _taken(task, live)
    free = [item for item in task.definitions if policy.name_of(item) not in [found.name for found in taken]]
    made = plan.make_plan(plan.Wanted(free, replace=task.replace), live, instance=task.instance)
    pods = session.list(f"/api/v1/namespaces/{task.namespace}/pods")
    preflight = Preflight.of(made, task.instance, pods)
    found = [
        *taken,
        *(drift.classify(change, applied, task.targets) for change in made.changes),
        *_widening(task, preflight, [item.name for item in taken]),
        *_neighbours(task, others.judged(session, task.namespace, preflight.subjects())),
    ]
    overall = drift.worst(found)
    return {
        "changed": False,
        "class": overall,
        "drifted": overall != drift.NO_DRIFT,
        "policies": [item.as_record() for item in found],
        "cluster": {"uid": uid},
        "revision": history.head.summary() if history.head else None,
        "checked_at": session.server_now().strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _taken(task: Task, live: t.Sequence[Json]) -> list[drift.Drift]:
    """Policies of others under a name of ours."""
    wanted = {(str(item["kind"]), policy.name_of(item)) for item in task.definitions}
    return [
        drift.foreign(item, f"it has our name and is not ours: {ownership.why_not_ours(item, task.instance)}")
        for item in live
        if (str(item["kind"]), policy.name_of(item)) in wanted and not ownership.is_ours(item, task.instance)
    ]


def _widening(task: Task, preflight: Preflight, known: t.Collection[str]) -> list[drift.Drift]:
    """Policies of others that permit our pods more, and that nobody accepted."""
    return [
        drift.foreign(item, "it selects the same pods and permits more", adds)
        for item, adds in preflight.foreign()
        if adds and policy.name_of(item) not in {*task.accepted, *known}
    ]


def _neighbours(task: Task, judged: t.Sequence[neighbours.Neighbour]) -> list[drift.Drift]:
    """Policies of other kinds that permit our pods more, and that nobody accepted."""
    return [
        drift.Drift(item.kind, item.namespace, item.name, drift.FOREIGN, item.why)
        for item in judged
        if item.effect == neighbours.WIDENS and item.label not in task.accepted
    ]
