# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes one change of a plan, as a dry run or for real, and takes it back."""

from __future__ import annotations

import time
import typing as t
from dataclasses import replace

from ansible_collections.netguard.lockdown.plugins.module_utils._core import cilium_policy, ownership, plan, policy
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import ApiError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session

# A restored policy is not ours: its fields must not look as if it were.
RESTORE_MANAGER = "netguard.lockdown-restore"
_VALID_SECONDS = 15.0
_POLL_SECONDS = 0.25


def path_of(item: policy.Policy, *, with_name: bool = True) -> str:
    api_version, kind = item["apiVersion"], item["kind"]
    namespace = item["metadata"]["namespace"]
    collection = f"/apis/{api_version}/namespaces/{namespace}/{policy.RESOURCES[api_version, kind]}"
    return f"{collection}/{policy.name_of(item)}" if with_name else collection


def list_policies(
    session: Session, namespace: str, wanted: t.Iterable[policy.Policy], cilium: list[Json] | ApiError
) -> list[Json]:
    """The NetworkPolicies of the namespace, and those of Cilium's policies that are ours or have a wanted name.

    :arg cilium: Cilium's policies of the namespace, or why they may not be read.
    """
    names = {policy.name_of(item) for item in wanted if cilium_policy.is_one(item)}
    found = session.list(f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies")
    if isinstance(cilium, ApiError):
        if names:
            raise cilium
        return found
    return [*found, *(item for item in cilium if ownership.has_our_labels(item) or policy.name_of(item) in names)]


def write(session: Session, change: plan.Change, *, dry_run: bool = False) -> Json | None:
    """Carry out one change; the answer is the object as it stands now, None after a deletion."""
    try:
        return _write(session, change, dry_run=dry_run)
    except ApiError as error:
        if dry_run or error.status not in (404, 409):
            raise
        # A load balancer may have sent it twice, and this is the answer to the second time.
        done, live = _is_done(session, change)
        if not done:
            raise
        return live


def _write(session: Session, change: plan.Change, *, dry_run: bool) -> Json | None:
    if change.deletes:
        _delete(session, t.cast("policy.Policy", change.before), dry_run=dry_run)
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


def _delete(session: Session, item: t.Mapping[str, t.Any], *, dry_run: bool = False) -> None:
    metadata = item["metadata"]
    gone = session.delete(
        path_of(item), uid=metadata["uid"], resource_version=metadata["resourceVersion"], dry_run=dry_run
    )
    if not gone and not dry_run:
        raise LockdownError(
            "not_gone",
            f"{policy.reference(item)} is not gone",
            "a finalizer holds it, and it stays in force until that is removed",
            "See which controller removes the finalizer, or remove it",
            obj=policy.reference(item),
        )


def _is_done(session: Session, change: plan.Change) -> tuple[bool, Json | None]:
    """Whether what a change wants is there, and the object as it is now."""
    live = _live(session, change)
    if change.deletes:
        before = t.cast("policy.Policy", change.before)
        return live is None or live["metadata"]["uid"] != before["metadata"]["uid"], None
    if live is None:
        return False, None
    if not change.applies:
        return _wrote(live, restored=True), live
    return _is_as(live, t.cast("policy.Policy", change.after)), live


def _live(session: Session, change: plan.Change) -> Json | None:
    found = session.list(path_of(change.subject, with_name=False))
    return next((item for item in found if policy.name_of(item) == change.name), None)


def carried_out(session: Session, change: plan.Change) -> tuple[bool, Json | None]:
    """Whether a change that failed stands all the same, and the object as it is now."""
    live = _live(session, change)
    if change.before is not None:
        before, field = change.before["metadata"], "uid" if change.deletes else "resourceVersion"
        return (live is None or live["metadata"][field] != before[field]) and (change.deletes or live is not None), live
    return live is not None and _wrote(live, restored=change.action == plan.RESTORE), live


def _wrote(live: Json, *, restored: bool) -> bool:
    if not restored:
        return ownership.has_our_labels(live)
    return any(entry.get("manager") == RESTORE_MANAGER for entry in live["metadata"].get("managedFields") or [])


def take_back(session: Session, change: plan.Change, written: Json | None) -> None:
    """Undo one change that was written a moment ago."""
    if change.before is None:
        # Cilium has written a status meanwhile.
        latest = session.get(path_of(change.subject)) if cilium_policy.is_one(change.subject) else None
        _delete(session, t.cast("Json", latest or written))
    elif change.action == plan.REPLACE:
        saved = policy.manifest(change.before, only_ours=False)
        session.create(path_of(saved, with_name=False), saved, manager=RESTORE_MANAGER)
    else:
        saved = policy.manifest(change.before, only_ours=True)
        session.apply(path_of(saved), policy.apply_configuration(saved), force=True)


def dry_run(
    session: Session, changes: t.Sequence[plan.Change], *, may_be_local: bool
) -> tuple[str, t.Sequence[plan.Change]]:
    """Ask the server to judge every change before the first is written: `server`, or `local`
    where it does not let us ask; with the changes as this server would store them, in their order."""
    try:
        stored = [_tried(session, change) for change in changes]
    except ApiError as error:
        if may_be_local and error.lacks_right:
            return "local", changes
        raise
    return "server", plan.in_order(stored)


def _tried(session: Session, change: plan.Change) -> plan.Change:
    """The change as the server would store it: an older Cilium drops the switch that keeps a policy from isolating,
    and such a policy has another place in the order."""
    if change.after is None or not change.applies:
        write(session, change, dry_run=True)
        return change
    try:
        answer = write(session, change, dry_run=True)
    except ApiError as error:
        # The API server does not drop an unknown field of an apply: it refuses it.
        without = cilium_policy.without_switch(change.after)
        if without == change.after or cilium_policy.SWITCH not in error.why:
            raise
        return _tried(session, replace(change, after=without))
    return replace(change, after=cilium_policy.as_stored(change.after, t.cast("Json", answer)))


def wait_valid(session: Session, item: policy.Policy) -> None:
    """Wait until Cilium says that it has taken the policy in: it reads NetworkPolicies by another watch."""
    deadline = time.monotonic() + _VALID_SECONDS
    while True:
        valid, words = cilium_policy.validity(session.get(path_of(item)))
        if valid:
            return
        if valid is False or time.monotonic() >= deadline:
            raise _not_valid(item, words if valid is False else "")
        time.sleep(_POLL_SECONDS)


def _not_valid(item: policy.Policy, words: str) -> LockdownError:
    why = f"Cilium refuses it: {words}" if words else f"Cilium did not mark it as valid within {_VALID_SECONDS:.0f} s"
    return LockdownError(
        "not_valid",
        f"{policy.reference(item)} does not take effect",
        why,
        "Look into the logs of the Cilium operator and agents",
        obj=policy.reference(item),
    )


def _check_answer(answer: Json, wanted: policy.Policy) -> None:
    """An admission webhook may have changed the policy on its way."""
    if not _is_as(answer, wanted):
        wanted = cilium_policy.as_stored(wanted, answer)
        raise LockdownError(
            "not_as_planned",
            f"The API server stores {policy.reference(wanted)} differently",
            "an admission webhook or a default changes it",
            "Compare it with the definition and look at the mutating webhooks",
            obj=policy.reference(wanted),
            details={"stored": policy.view(answer, wanted), "wanted": policy.view(wanted)},
        )


def _is_as(live: Json, wanted: policy.Policy) -> bool:
    wanted = cilium_policy.as_stored(wanted, live)
    return policy.view(live, wanted) == policy.view(wanted) and ownership.has_our_labels(live)
