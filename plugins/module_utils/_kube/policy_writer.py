# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes one change of a plan, as a dry run or for real, and takes it back."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import ownership, plan, policy
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import ApiError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session

# A restored policy is not ours: its fields must not look as if it were.
RESTORE_MANAGER = "netguard.lockdown-restore"


def path_of(item: policy.Policy, *, with_name: bool = True) -> str:
    api_version, kind = item["apiVersion"], item["kind"]
    namespace = item["metadata"]["namespace"]
    collection = f"/apis/{api_version}/namespaces/{namespace}/{policy.RESOURCES[api_version, kind]}"
    return f"{collection}/{policy.name_of(item)}" if with_name else collection


def list_policies(session: Session, namespace: str) -> list[Json]:
    """All policies of the namespace, of every kind that this collection may write."""
    return [
        item
        for (api_version, _kind), resource in policy.RESOURCES.items()
        for item in session.list(f"/apis/{api_version}/namespaces/{namespace}/{resource}")
    ]


def write(session: Session, change: plan.Change, *, dry_run: bool = False) -> Json | None:
    """Carry out one change; the answer is the object as it stands now, None after a deletion."""
    if change.deletes:
        before = t.cast("policy.Policy", change.before)
        metadata = before["metadata"]
        session.delete(
            path_of(before), uid=metadata["uid"], resource_version=metadata["resourceVersion"], dry_run=dry_run
        )
        return None
    after = t.cast("policy.Policy", change.after)
    if change.action == plan.RESTORE:
        return session.create(path_of(after, with_name=False), dict(after), dry_run=dry_run, manager=RESTORE_MANAGER)
    body = policy.apply_configuration(after)
    if change.before is not None:
        at = change.before["metadata"]
        body["metadata"] = {**body["metadata"], "uid": at["uid"], "resourceVersion": at["resourceVersion"]}
    # A policy that appeared since the plan was made is a conflict here, not something to overwrite.
    answer = session.apply(path_of(after), body, force=change.before is not None, dry_run=dry_run)
    _check_answer(answer, after)
    return answer


def take_back(session: Session, change: plan.Change, written: Json | None) -> None:
    """Undo one change that was written a moment ago."""
    if change.before is None:
        metadata = t.cast("Json", written)["metadata"]
        session.delete(path_of(change.subject), uid=metadata["uid"], resource_version=metadata["resourceVersion"])
    elif change.action == plan.REPLACE:
        saved = policy.manifest(change.before, only_ours=False)
        session.create(path_of(saved, with_name=False), saved, manager=RESTORE_MANAGER)
    else:
        saved = policy.manifest(change.before, only_ours=True)
        session.apply(path_of(saved), policy.apply_configuration(saved), force=True)


def dry_run(session: Session, changes: t.Sequence[plan.Change], *, may_be_local: bool) -> str:
    """Ask the server to judge every change before the first is written: `server`, or `local`
    where it does not let us ask."""
    try:
        for change in changes:
            write(session, change, dry_run=True)
    except ApiError as error:
        if may_be_local and error.lacks_right:
            return "local"
        raise
    return "server"


def _check_answer(answer: Json, wanted: policy.Policy) -> None:
    """An admission webhook may have changed the policy on its way."""
    if policy.view(answer, wanted) != policy.view(wanted) or not ownership.has_our_labels(answer):
        raise LockdownError(
            "not_as_planned",
            f"The API server stores {policy.reference(wanted)} differently",
            "an admission webhook or a default changes it",
            "Compare it with the definition and look at the mutating webhooks",
            obj=policy.reference(wanted),
            details={"stored": policy.view(answer, wanted), "wanted": policy.view(wanted)},
        )
