# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of module network_policies: read, plan, judge, and only then write."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.netguard.lockdown.plugins.module_utils._core import (
    cilium_policy,
    cluster,
    drift,
    ending,
    options,
    ownership,
    plan,
    policy,
    selectors,
    undo,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError, ObjectRef
from ansible_collections.netguard.lockdown.plugins.module_utils._core.preflight import (
    Accepted,
    PeerQuery,
    Preflight,
    peer_queries,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._kube import neighbour_reader, policy_writer
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import is_refusal
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.lease import Lease
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.undo_record import UndoRecord
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.who import who


@dataclass(frozen=True)
class Task:
    """The module's options, checked as far as that goes without a cluster."""

    namespace: str
    instance: str
    definitions: t.Sequence[Json]
    operation: str
    revision: str
    prune: bool
    replace: t.Collection[str]
    expected_digest: str
    cluster_uid: str
    accepted: Accepted
    lock_timeout: float
    server_dry_run: bool
    mark_verified: bool
    check_mode: bool
    policy_apis: t.Collection[str] | None
    only_targets: Json | None

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any], *, check_mode: bool) -> Task:
        ownership.require_instance_name(params["instance"])
        absent = params["state"] == "absent"
        if absent and params["mark_verified"]:
            raise options.invalid("mark_verified", "with state absent no policy stands that could be verified")
        if params["only_targets"] is not None and (absent or params["mark_verified"] or params["replace_policies"]):
            raise options.invalid(
                "only_targets", "it cannot be combined with state absent, mark_verified and replace_policies"
            )
        definitions = [] if absent else params["definitions"] or []
        return cls(
            namespace=params["namespace"],
            instance=params["instance"],
            definitions=[
                policy.prepare(
                    item, namespace=params["namespace"], instance=params["instance"], where=f"definitions[{index}]"
                )
                for index, item in enumerate(definitions)
            ],
            operation=undo.REMOVE if absent else undo.ROLLBACK if params["revision"] else undo.APPLY,
            revision=params["revision"] or "",
            prune=absent or params["prune"],
            replace=params["replace_policies"] or (),
            expected_digest=params["expected_digest"] or "",
            cluster_uid=params["cluster_uid"] or "",
            accepted=Accepted(
                uncovered_pods=params["accept_uncovered_pods"],
                foreign_policies=params["accept_foreign_policies"] or (),
                no_pods=params["accept_no_pods"],
                unisolated_pods=params["accept_unisolated_pods"],
            ),
            lock_timeout=params["lock_timeout"],
            server_dry_run=params["server_dry_run"],
            mark_verified=params["mark_verified"],
            check_mode=check_mode,
            policy_apis=params["policy_apis"],
            only_targets=params["only_targets"],
        )


@dataclass(frozen=True)
class Judged:
    """A plan together with what it was judged against."""

    plan: plan.Plan
    preflight: Preflight
    digest: str
    history: undo.History | None
    target: undo.Revision | None


class PolicyRun:
    def __init__(self, session: Session, task: Task) -> None:
        self._session = session
        self._task = task
        self._record = UndoRecord(session, task.namespace, task.instance)
        self._uid = ""
        self._apis = task.policy_apis

    def execute(self) -> Json:
        self._uid = self._cluster_uid()
        if self._task.mark_verified:
            return self._confirm()
        judged = self._judge()
        if not judged.plan.writes:
            return self._result(judged, dry_run="none", peers=[])
        peers = self._peers(judged)
        if self._task.check_mode:
            return self._result(judged, dry_run=self._preview(judged), peers=peers)
        return self._write(peers)

    def _preview(self, judged: Judged) -> str:
        if not self._task.server_dry_run:
            return "local"
        return policy_writer.dry_run(self._session, judged.plan.writes, may_be_local=True)[0]

    def _judge(self) -> Judged:
        history = self._record.read() if self._needs_history() else None
        target = history.target(self._task.revision) if history and self._task.operation == undo.ROLLBACK else None
        wanted = self._wanted(history, target)
        others = neighbour_reader.read(self._session, self._task.namespace, self._policy_apis())
        live = policy_writer.list_policies(self._session, self._task.namespace, wanted.definitions, others.cilium())
        made = plan.make_plan(wanted, live, instance=self._task.instance)
        digest = made.digest(cluster_uid=self._uid, namespace=self._task.namespace, instance=self._task.instance)
        self._check_digest(made, digest, history)
        self._check_moves(made)
        _refuse_ending(made)
        pods = self._session.list(f"/api/v1/namespaces/{self._task.namespace}/pods")
        preflight = Preflight.of(made, self._task.instance, pods)
        found = others.judged(self._session, self._task.namespace, preflight.subjects())
        preflight = replace(preflight, neighbours=found)
        preflight.check(self._task.accepted)
        return Judged(made, preflight, digest, history, target)

    def _policy_apis(self) -> t.Collection[str]:
        """The APIs that the cluster serves; asked once, unless the task says which of policies there are."""
        if self._apis is None:
            self._apis = self._session.api_versions()
        return self._apis

    def _needs_history(self) -> bool:
        if self._task.operation == undo.ROLLBACK:
            self._require_namespace()
            return True
        return bool(self._task.expected_digest)

    def _wanted(self, history: undo.History | None, target: undo.Revision | None) -> plan.Wanted:
        if history is not None and target is not None:
            return history.wanted(target)
        return plan.Wanted(self._task.definitions, replace=self._task.replace, prune=self._task.prune)

    def _check_digest(self, made: plan.Plan, digest: str, history: undo.History | None) -> None:
        expected = self._task.expected_digest
        if not expected or expected == digest:
            return
        head = history.head if history else None
        if not made.writes and head is not None and head.plan_digest == expected:
            return
        raise LockdownError(
            "plan_changed",
            "The plan is not the one that was approved",
            f"its digest is {digest}, and {expected} was expected: the cluster or the options have changed since",
            "Look at the new plan (check mode), and approve its digest",
            details={"digest": digest, "expected_digest": expected, "steps": _steps(made)},
        )

    def _check_moves(self, made: plan.Plan) -> None:
        """Whether the plan keeps to the targets, where it has to. A converged run need not ask."""
        if self._task.only_targets is None or not made.writes:
            return
        head = self._record.read().head
        applied = {policy.name_of(item): item for item in head.ours} if head else {}
        drift.require_only_targets(made, applied, self._task.only_targets, instance=self._task.instance)

    def _confirm(self) -> Json:
        """Mark the current revision as verified, if it is what is wanted and what stands. No policy is written."""
        judged, history = self._judge(), self._record.read()
        changed = self._may_confirm(judged, history)
        if changed and not self._task.check_mode:
            with self._lease():
                # As before any write, what was judged before the Lease may be old.
                judged, history = self._judge(), self._record.read()
                changed = self._may_confirm(judged, history)
                if changed:
                    history = history.mark(undo.VERIFIED)
                    self._record.write(history)
        result = self._result(judged, dry_run="none", peers=[], head=history.head)
        return {**result, "changed": changed, "diff": {}}

    def _may_confirm(self, judged: Judged, history: undo.History) -> bool:
        live = [item for item in judged.plan.live if ownership.is_ours(item, self._task.instance)]
        return not judged.plan.writes and history.may_confirm(live)

    def _lease(self) -> Lease:
        return Lease(
            self._session,
            self._task.namespace,
            self._task.instance,
            holder=f"{who()}:{os.getpid()}",
            wait_seconds=self._task.lock_timeout,
        )

    def _write(self, peers: list[Json]) -> Json:
        with self._lease() as lease:
            # What was judged before the Lease may be old: another run may have written meanwhile.
            judged = self._judge()
            if not judged.plan.writes:
                return self._result(judged, dry_run="none", peers=peers)
            mode, changes = policy_writer.dry_run(self._session, judged.plan.writes, may_be_local=False)
            history = (judged.history or self._record.read()).begin(
                judged.plan,
                instance=self._task.instance,
                operation=self._task.operation,
                now=self._session.server_now().strftime("%Y-%m-%dT%H:%M:%SZ"),
                by=who(),
                plan_digest=judged.digest,
                restores=judged.target.number if judged.target else None,
            )
            self._record.write(history)
            self._write_all(changes, lease)
            history = history.mark(undo.APPLIED)
            self._note_done(history, changes)
        return self._result(judged, dry_run=mode, peers=peers, head=history.head)

    def _write_all(self, changes: t.Sequence[plan.Change], lease: Lease) -> None:
        done: list[tuple[plan.Change, Json | None]] = []
        for change in changes:
            try:
                lease.renew()
            except LockdownError as error:
                raise _halted(change, error, [item.name for item, _written in done]) from error
            try:
                done.append((change, policy_writer.write(self._session, change)))
                if change.applies and change.after and cilium_policy.is_additive(change.after):
                    policy_writer.wait_valid(self._session, change.after)
            except LockdownError as error:
                raise self._stopped(change, error, done) from error

    def _note_done(self, history: undo.History, changes: t.Sequence[plan.Change]) -> None:
        try:
            self._record.write(history)
        except LockdownError as error:
            raise LockdownError(
                error.code,
                f"Cannot note in {self._record.reference} that the change is complete",
                f"{error.why}; all policies are as planned, and stay",
                f"Nothing is to be undone; the next change, verify or rollback knows. {error.next_step}",
                obj=self._record.reference,
                details={**error.details, "left_changed": [change.name for change in changes]},
            ) from error

    def _stopped(
        self, change: plan.Change, error: LockdownError, done: list[tuple[plan.Change, Json | None]]
    ) -> LockdownError:
        """Take back what was written, in reverse, and tell how far that went.

        Where nobody knows whether the last change was carried out, all stays: each step from here is safe with and
        without it, while a policy that isolates must not lose the one that allows.
        """
        pending, why = list(done), error.why
        if not self._is_settled(change, error, pending):
            told = f"{why}; whether it was carried out is not known, so nothing was taken back"
            left = [*(item.name for item, _written in pending), change.name]
            return _stop(change, error, told, "Run again to complete the change, or roll back", left)
        try:
            while pending:
                policy_writer.take_back(self._session, *pending[-1])
                pending.pop()
            next_step = f"Nothing is left changed. {error.next_step}"
        except LockdownError as second:
            names = ", ".join(item.name for item, _written in pending)
            why = f"{why}; taking back {names} failed too: {second.why}"
            next_step = "Run again to complete the change, or roll back"
        return _stop(change, error, why, next_step, [item.name for item, _written in pending])

    def _is_settled(
        self, change: plan.Change, error: LockdownError, done: list[tuple[plan.Change, Json | None]]
    ) -> bool:
        """Whether it is known what was carried out; a change that failed and stands all the same is added."""
        if is_refusal(error) or any(item is change for item, _written in done):
            return True
        try:
            stands, live = policy_writer.carried_out(self._session, change)
        except LockdownError:
            return False
        if stands:
            done.append((change, live))
        # One that is not there may still be on its way.
        return stands

    def _result(
        self,
        judged: Judged,
        *,
        dry_run: str,
        peers: list[Json],
        head: undo.Revision | None = None,
    ) -> Json:
        changes = [change.as_dict() for change in judged.plan.changes]
        return {
            "changed": bool(judged.plan.writes),
            "standing": not judged.plan.writes,
            "digest": judged.digest,
            "dry_run": dry_run,
            "policies": changes,
            "preflight": judged.preflight.as_dict(self._task.accepted, peers),
            "cluster": {"uid": self._uid},
            "revision": head.summary() if head else None,
            "diff": _diff(judged.plan),
            "warnings": _warnings(judged),
        }

    def _cluster_uid(self) -> str:
        kube_system = self._session.get("/api/v1/namespaces/kube-system")
        return cluster.identity(kube_system, self._task.cluster_uid, self._session.host)

    def _require_namespace(self) -> None:
        if self._session.find(f"/api/v1/namespaces/{self._task.namespace}") is None:
            raise _no_namespace(self._task.namespace)

    def _peers(self, judged: Judged) -> list[Json]:
        """The namespaces and pods that the peers of the plan match today."""
        namespaces = self._session.list("/api/v1/namespaces")
        if self._task.namespace not in [item["metadata"]["name"] for item in namespaces]:
            raise _no_namespace(self._task.namespace)
        after = [change.after for change in judged.plan.changes if change.after]
        return [self._peer(query, namespaces) for query in peer_queries(after)]

    def _peer(self, query: PeerQuery, namespaces: list[Json]) -> Json:
        names = [self._task.namespace]
        if query.namespaces is not None:
            names = [
                item["metadata"]["name"]
                for item in namespaces
                if selectors.matches(query.namespaces, item["metadata"].get("labels") or {})
            ]
        pods = self._matching_pods(query, names)
        return {"policy": query.policy, "peer": query.sentence, "namespaces": names, "pods": pods}

    def _matching_pods(self, query: PeerQuery, names: list[str]) -> list[str]:
        if not names:
            return []
        where = f"/api/v1/namespaces/{names[0]}/pods" if len(names) == 1 else "/api/v1/pods"
        found = self._session.list(where, {"labelSelector": selectors.as_query(query.pods)})
        listed = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in found]
        return sorted(f"{namespace}/{name}" for namespace, name in listed if namespace in names)


def _stop(
    change: plan.Change, error: LockdownError, why: str, next_step: str, left_changed: list[str]
) -> LockdownError:
    return LockdownError(
        error.code,
        f"Stopped at {change.action} of {policy.reference(change.subject)}",
        why,
        next_step,
        obj=policy.reference(change.subject),
        details={**error.details, "left_changed": left_changed},
    )


def _refuse_ending(made: plan.Plan) -> None:
    """What still stands but is about to vanish would leave pods open, or cut off, after a run that was content."""
    for change in made.changes:
        if change.before and change.after and change.after is not change.before:
            ending.refuse(change.before, policy.reference(change.before))


def _halted(change: plan.Change, error: LockdownError, left_changed: list[str]) -> LockdownError:
    """Another run may be at work by now: what this one wrote is safe as it stands, and is not its own any more."""
    if not left_changed:
        return _stop(change, error, error.why, f"Nothing is changed. {error.next_step}", [])
    told = f"{error.why}; nothing was taken back"
    return _stop(change, error, told, "Run again to complete the change, or roll back", left_changed)


def _no_namespace(name: str) -> LockdownError:
    return LockdownError(
        "missing_namespace",
        f"Namespace {name} does not exist",
        "the API server has no namespace of that name",
        "Create it, or correct option namespace",
        obj=ObjectRef("Namespace", name),
    )


def _steps(made: plan.Plan) -> list[str]:
    return [f"{change.action} {change.name}" for change in made.writes]


def _diff(made: plan.Plan) -> Json:
    before = {change.name: change.states()["before"] for change in made.writes}
    after = {change.name: change.states()["after"] for change in made.writes}
    return {"before": before, "after": after}


def _warnings(judged: Judged) -> list[str]:
    edited = [change for change in judged.plan.changes if change.action == plan.REPAIR]
    warnings = [f"{policy.reference(change.subject)}: {change.reason}" for change in edited]
    cut_off = [pod.name for pod in judged.preflight.uncovered()]
    if cut_off:
        warnings.append(f"No allow policy covers these pods, they have no network: {', '.join(cut_off)}")
    return [*warnings, *judged.preflight.warnings()]
