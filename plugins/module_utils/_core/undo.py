# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The undo record: which policies stood when, kept in the cluster as numbered revisions.

Revision 0 is what stood before the first change. A revision is `applying` from before its first
write, `applied` once every policy was read back as wanted, `verified` once probes agreed.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass, replace

from ansible_collections.netguard.lockdown.plugins.module_utils._core import ownership, policy
from ansible_collections.netguard.lockdown.plugins.module_utils._core.canonical import canonical_json
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.plan import REPLACE, RESTORE, Plan, Wanted
from ansible_collections.netguard.lockdown.plugins.module_utils._core.policy import Json, Policy

APPLYING, APPLIED, VERIFIED = "applying", "applied", "verified"
BASELINE, APPLY, ROLLBACK, REMOVE = "baseline", "apply", "rollback", "remove"
LAST_VERIFIED = "verified"

_SCHEMA = 1
_KEY = "history.json"
_KEPT = 10
# An object may hold 1 MiB with its metadata.
_MAX_BYTES = 900_000


@dataclass(frozen=True)
class Revision:
    """One state: the policies of ours that stand in it, and those of others that the user handed over."""

    number: int
    operation: str
    status: str
    started: str
    by: str
    plan_digest: str
    ours: tuple[Policy, ...]
    handed_over: tuple[Policy, ...]
    restores: int | None = None

    def summary(self) -> Json:
        return {
            "number": self.number,
            "operation": self.operation,
            "status": self.status,
            "restores": self.restores,
            "plan_digest": self.plan_digest,
        }


@dataclass(frozen=True)
class History:
    revisions: tuple[Revision, ...] = ()

    @property
    def head(self) -> Revision | None:
        return self.revisions[-1] if self.revisions else None

    def begin(
        self,
        plan: Plan,
        *,
        instance: str,
        operation: str,
        now: str,
        by: str,
        plan_digest: str,
        restores: int | None = None,
    ) -> History:
        """The history with the revision that the plan leads to, still `applying`."""
        live_ours = tuple(_saved(item) for item in plan.live if ownership.is_ours(item, instance))
        going = {
            change.name: _foreign(change.before) for change in plan.writes if change.action == REPLACE and change.before
        }
        coming = {change.name for change in plan.writes if change.action == RESTORE}
        past = self._with_head(live_ours, going, now=now, by=by)
        head = t.cast("Revision", past.head)
        known = {policy.name_of(item): item for revision in past.revisions for item in revision.handed_over}
        standing = {policy.name_of(item) for item in head.handed_over} - set(going) | coming
        revision = Revision(
            number=head.number + 1,
            operation=operation,
            status=APPLYING,
            started=now,
            by=by,
            plan_digest=plan_digest,
            ours=tuple(_saved(item) for item in plan.outcome() if ownership.belongs(item, instance)),
            handed_over=tuple(known[name] for name in sorted(standing)),
            restores=restores,
        )
        return History(_trimmed((*past.revisions, revision)))

    def _with_head(self, live: tuple[Policy, ...], going: t.Mapping[str, Policy], *, now: str, by: str) -> History:
        """The past, completed by what is known only now: policies that are about to be handed over
        stood in the current revision, and one that a killed run left half-noted may in fact stand."""
        head = self.head or Revision(0, BASELINE, APPLIED, now, by, "", live, ())
        handed = {policy.name_of(item): item for item in head.handed_over} | dict(going)
        head = replace(head, handed_over=tuple(handed[name] for name in sorted(handed)))
        if head.status == APPLYING and _specs(head.ours) == _specs(live):
            head = replace(head, status=APPLIED)
        return History((*self.revisions[:-1], head))

    def mark(self, status: str) -> History:
        head = t.cast("Revision", self.head)
        return History((*self.revisions[:-1], replace(head, status=status)))

    def may_confirm(self, live: t.Iterable[Policy]) -> bool:
        """Whether the current revision is what stands, and not marked as verified yet."""
        head = self.head
        return head is not None and head.status != VERIFIED and _specs(head.ours) == _specs(live)

    def target(self, wanted: str) -> Revision:
        """The revision that a rollback restores: a number, or the last verified one before this.

        Where nothing was ever verified, the last one that was completely applied is the best known.
        A rollback that is repeated restores the same revision again.
        """
        head = self.head
        if head is None:
            raise _no_target(
                "there is no undo record", "Nothing was changed by this instance, or its ConfigMap was removed"
            )
        if wanted != LAST_VERIFIED:
            return self._numbered(wanted)
        if head.operation == ROLLBACK and head.restores is not None:
            return self._numbered(str(head.restores))
        past = self.revisions[:-1]
        for status in (VERIFIED, APPLIED):
            found = [revision for revision in past if revision.status == status]
            if found:
                return found[-1]
        raise _no_target("no earlier revision was completed", f"Choose one of {self._numbers()}")

    def _numbered(self, wanted: str) -> Revision:
        for revision in self.revisions:
            if str(revision.number) == wanted:
                return revision
        raise _no_target(f"there is no revision {wanted}", f"Choose one of {self._numbers()}")

    def _numbers(self) -> str:
        return ", ".join(str(revision.number) for revision in self.revisions)

    def wanted(self, target: Revision) -> Wanted:
        """What has to stand after a rollback to this revision."""
        head = t.cast("Revision", self.head)
        stood = {policy.name_of(item) for item in target.handed_over}
        return Wanted(
            definitions=target.ours,
            replace=sorted({policy.name_of(item) for item in head.handed_over} - stood),
            restore=target.handed_over,
        )


def dump(history: History) -> dict[str, str]:
    """The data of the ConfigMap."""
    text = canonical_json({"schema": _SCHEMA, "revisions": [asdict(revision) for revision in history.revisions]})
    if len(text.encode()) > _MAX_BYTES:
        raise LockdownError(
            "undo_record_too_large",
            "Cannot keep an undo record",
            f"it would need {len(text.encode())} bytes, and a ConfigMap holds {_MAX_BYTES}",
            "Use fewer or smaller policies in one instance",
        )
    return {_KEY: text}


def load(data: t.Mapping[str, str] | None) -> History:
    """The history from a ConfigMap's data; None is an empty one."""
    if data is None:
        return History()
    try:
        record = json.loads(data[_KEY])
        if record["schema"] != _SCHEMA:
            raise ValueError(f"schema {record['schema']} is not {_SCHEMA}")
        return History(tuple(_revision(item) for item in record["revisions"]))
    except (KeyError, TypeError, ValueError) as error:
        raise LockdownError(
            "undo_record_unreadable",
            "Cannot read the undo record",
            f"{type(error).__name__}: {error}",
            "Restore the ConfigMap, or delete it to give up undo for the changes so far",
        ) from error


def _revision(item: Json) -> Revision:
    return Revision(**{**item, "ours": tuple(item["ours"]), "handed_over": tuple(item["handed_over"])})


def _trimmed(revisions: tuple[Revision, ...]) -> tuple[Revision, ...]:
    """The newest ones, and with them the two that a rollback may need: the baseline and the last verified."""
    verified = [revision.number for revision in revisions[:-1] if revision.status == VERIFIED]
    needed = {revisions[0].number, *verified[-1:], *(revision.number for revision in revisions[-_KEPT:])}
    return tuple(revision for revision in revisions if revision.number in needed)


def _saved(item: Policy) -> Json:
    return policy.manifest(item, only_ours=True)


def _foreign(item: Policy) -> Json:
    return policy.manifest(item, only_ours=False)


def _specs(policies: t.Iterable[Policy]) -> dict[str, Json]:
    return {policy.name_of(item): policy.normal_spec(item) for item in policies}


def _no_target(why: str, next_step: str) -> LockdownError:
    return LockdownError("no_rollback_target", "Cannot roll back", why, next_step)
