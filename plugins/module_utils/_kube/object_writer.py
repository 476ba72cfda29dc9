# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has the API server judge one object by a dry run, and writes it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.objects import kinds, plan
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import ApiError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session

_IMMUTABLE = re.compile(
    r"immutable|updates to statefulset spec for fields other than|may not change once set|cannot change"
)
_MISTYPED = "failed to create typed patch object"
_ESCALATION = "is attempting to grant RBAC permissions not currently held"


def judge(session: Session, change: plan.Change, definitions: t.Iterable[kinds.Object]) -> plan.Change:
    """The change as the API server would carry it out, or its refusal; nothing is stored."""
    try:
        answer = _apply(session, change, dry_run=True)
    except ApiError as error:
        if _lacks_own_role(change, error, definitions):
            return replace(change, judged_by=plan.LOCAL)
        raise
    return change.judged(answer)


def write(session: Session, change: plan.Change) -> None:
    _apply(session, change, dry_run=False)


def _apply(session: Session, change: plan.Change, *, dry_run: bool) -> Json:
    try:
        return session.apply(kinds.path_of(change.wanted), change.body(), force=change.forces, dry_run=dry_run)
    except ApiError as error:
        raise _explained(change, error) from error


def _explained(change: plan.Change, error: ApiError) -> LockdownError:
    what = f"Cannot write {kinds.reference(change.wanted)}"
    if error.status == 422 and _IMMUTABLE.search(error.why):
        return plan.immutable(change, error.why)
    if _MISTYPED in error.why:
        # A field that the schema lacks, or a text in place of a number: some API servers answer with status 500.
        return LockdownError("invalid_definition", what, error.why, "Correct the definition", details=error.details)
    if error.status == 409 and error.why.startswith("Apply failed with"):
        next_step = f"Leave that out of the definition, stop that manager, or list {change.label} in adopt"
        return LockdownError("field_conflict", what, error.why, next_step, details=error.details)
    if error.status == 403 and _ESCALATION in error.why:
        next_step = "Grant this account the rights that the Role grants: Kubernetes lets nobody grant more than he has"
        return LockdownError("rbac_escalation", what, error.why, next_step, details=error.details)
    return error


def _lacks_own_role(change: plan.Change, error: ApiError, definitions: t.Iterable[kinds.Object]) -> bool:
    """Whether only the Role is missing that a definition before this one creates: a dry run stores none."""
    if change.wanted["kind"] != "RoleBinding" or error.status != 404:
        return False
    name = (change.wanted.get("roleRef") or {}).get("name")
    return any(item["kind"] == "Role" and item["metadata"]["name"] == name for item in definitions)
