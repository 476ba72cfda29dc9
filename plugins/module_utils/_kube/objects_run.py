# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of module kube_objects: read, compare, have the API server judge, and only then write and wait."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ansible_collections.netguard.lockdown.plugins.module_utils._core import (
    cluster,
    ending,
    options,
    ownership,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError, ObjectRef
from ansible_collections.netguard.lockdown.plugins.module_utils._core.objects import definition, kinds, plan
from ansible_collections.netguard.lockdown.plugins.module_utils._core.objects.secrets import reveal
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import ApiError, is_refusal
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.object_writer import judge, write
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.rollout_wait import RolloutWait
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session


@dataclass(frozen=True)
class Task:
    """The module's options, checked as far as that goes without a cluster."""

    namespace: str
    instance: str
    definitions: t.Sequence[Json]
    adopt: t.Collection[str]
    wait: bool
    wait_timeout: float
    cluster_uid: str
    server_dry_run: bool
    check_mode: bool

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any], *, check_mode: bool) -> Task:
        ownership.require_instance_name(params["instance"])
        namespace = options.dns_label(params["namespace"], "namespace")
        if params["wait_timeout"] <= 0:
            raise options.invalid("wait_timeout", f"{params['wait_timeout']} s is not positive")
        given = reveal(params["definitions"], params["secret_data"])
        definitions = definition.prepare(given, namespace=namespace, instance=params["instance"])
        adopt = options.words(params["adopt"], "adopt")
        plan.check_adopt(adopt, definitions)
        return cls(
            namespace=namespace,
            instance=params["instance"],
            definitions=definitions,
            adopt=adopt,
            wait=params["wait"],
            wait_timeout=params["wait_timeout"],
            cluster_uid=params["cluster_uid"] or "",
            server_dry_run=params["server_dry_run"],
            check_mode=check_mode,
        )


class ObjectsRun:
    def __init__(self, session: Session, task: Task) -> None:
        self._session = session
        self._task = task
        self._has_namespace = False

    def execute(self) -> Json:
        kube_system = self._session.get("/api/v1/namespaces/kube-system")
        uid = cluster.identity(kube_system, self._task.cluster_uid, self._session.host)
        changes = self._compare()
        self._require_namespace()
        changes = list(map(self._previewed, changes)) if self._task.check_mode else self._write(changes)
        rollout = self._wait(changes)
        return self._result(uid, changes, rollout)

    def _compare(self) -> list[plan.Change]:
        task = self._task
        namespace = self._session.find(f"/api/v1/namespaces/{task.namespace}")
        self._has_namespace = namespace is not None
        if namespace is not None:
            ending.refuse(namespace, ObjectRef(kinds.NAMESPACE, task.namespace))
        changes = []
        for wanted in task.definitions:
            if wanted["kind"] == kinds.NAMESPACE:
                live = namespace
            else:
                live = self._session.find(kinds.path_of(wanted)) if self._has_namespace else None
            changes.append(plan.make_change(wanted, live, instance=task.instance, adopt=task.adopt))
        return changes

    def _require_namespace(self) -> None:
        """Check mode goes on without it: an earlier task of the same play may be the one that creates it."""
        made_here = any(item["kind"] == kinds.NAMESPACE for item in self._task.definitions)
        if not self._has_namespace and not made_here and not self._task.check_mode:
            raise LockdownError(
                "missing_namespace",
                f"Namespace {self._task.namespace} does not exist",
                "the API server has no namespace of that name",
                "Create it, add it to the definitions, or correct option namespace",
                obj=ObjectRef("Namespace", self._task.namespace),
            )

    def _previewed(self, change: plan.Change) -> plan.Change:
        """Check mode: the server's judgement where it can have one, ours elsewhere."""
        judgeable = self._has_namespace or change.wanted["kind"] == kinds.NAMESPACE
        if change.action == plan.NONE:
            return change
        if self._task.server_dry_run and judgeable:
            try:
                return judge(self._session, change, self._task.definitions)
            except ApiError as error:
                if not error.lacks_right:
                    raise
        if plan.immutable_paths(change):
            raise plan.immutable(change, "Kubernetes never changes it in an object that exists")
        return replace(change, judged_by=plan.LOCAL)

    def _write(self, changes: t.Sequence[plan.Change]) -> list[plan.Change]:
        """Every change is judged before the first is written; only a new namespace has to come before."""
        written: list[str] = []
        done: list[plan.Change] = []
        waiting = list(changes)
        if not self._has_namespace:
            done, waiting = self._step(waiting[:1], written), waiting[1:]
        return [*done, *self._step(waiting, written)]

    def _step(self, changes: t.Sequence[plan.Change], written: list[str]) -> list[plan.Change]:
        judged = []
        for change in changes:
            with _telling(change, written):
                needless = change.action == plan.NONE
                judged.append(change if needless else judge(self._session, change, self._task.definitions))
        for change in judged:
            if change.action != plan.NONE:
                with _telling(change, written):
                    write(self._session, change)
                written.append(change.label)
        return judged

    def _wait(self, changes: t.Sequence[plan.Change]) -> Json:
        workloads = [change for change in changes if change.wanted["kind"] == kinds.STATEFUL_SET]
        if self._task.check_mode or not self._task.wait:
            return {"waited": False, "seconds": 0.0, "workloads": []}
        written = [change.label for change in changes if change.action != plan.NONE]
        return RolloutWait(self._session, self._task.wait_timeout, written).until_complete(workloads)

    def _result(self, uid: str, changes: t.Sequence[plan.Change], rollout: Json) -> Json:
        writes = [change for change in changes if change.action != plan.NONE]
        judges = {change.judged_by for change in writes}
        return {
            "changed": bool(writes),
            "objects": [change.as_dict() for change in changes],
            "rollout": rollout,
            "cluster": {"uid": uid},
            "dry_run": plan.LOCAL if plan.LOCAL in judges else plan.SERVER if writes else plan.NONE,
            "diff": _diff(writes),
            "warnings": [f"{kinds.reference(item.wanted)}: {item.reason}" for item in writes if item.stolen]
            + [_altered(item) for item in writes if item.altered],
        }


@contextmanager
def _telling(change: plan.Change, written: t.Sequence[str]) -> t.Iterator[None]:
    """Let a failure tell what stands already."""
    try:
        yield
    except LockdownError as error:
        stands = f"written before it, and kept: {', '.join(written)}" if written else "nothing was written before it"
        if not is_refusal(error):
            stands += "; whether this one was carried out is not known"
        raise LockdownError(
            error.code,
            error.what,
            f"{error.why} ({stands})",
            error.next_step,
            obj=error.obj or kinds.reference(change.wanted),
            details={**error.details, "written": list(written)},
        ) from error


def _altered(change: plan.Change) -> str:
    return (
        f"The API server stores {', '.join(change.altered)} of {kinds.reference(change.wanted)} differently than "
        "defined: an admission webhook changes it"
    )


def _diff(writes: t.Sequence[plan.Change]) -> Json:
    sides: Json = {"before": {}, "after": {}}
    for change in writes:
        for side, content in sides.items():
            fields = {each.path: getattr(each, side) for each in change.differences}
            content[change.label] = {path: value for path, value in fields.items() if value is not None}
    return sides
