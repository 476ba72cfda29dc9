# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From wanted and live objects to the writes that are needed, or the reason why there must be none."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.netguard.lockdown.plugins.module_utils._core import ending, ownership
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.objects.compare import (
    Difference,
    differences,
    disputed,
    equal_content,
    surplus,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.objects.kinds import (
    Json,
    Object,
    label_of,
    reference,
)

NONE, CREATE, UPDATE = "none", "create", "update"
# Whose judgement a change has: the API server's dry run, this module's alone, or it needs none.
SERVER, LOCAL = "server", "local"


@dataclass(frozen=True)
class Edit:
    """Fields of ours that somebody else has taken."""

    manager: str
    time: str
    fields: tuple[str, ...]

    def as_dict(self) -> Json:
        return {"manager": self.manager, "time": self.time, "fields": list(self.fields)}


@dataclass(frozen=True)
class Change:
    action: str
    wanted: Object
    live: Object | None
    reason: str
    differences: tuple[Difference, ...] = ()
    stolen: tuple[Edit, ...] = ()
    judged_by: str = NONE
    # Wanted fields that the API server would store differently.
    altered: tuple[str, ...] = ()

    @property
    def forces(self) -> bool:
        """Whether fields of others are taken over. Someone who is in our way and unknown is a conflict."""
        return self.live is not None and self.action == UPDATE

    @property
    def label(self) -> str:
        return label_of(self.wanted)

    def body(self) -> Json:
        """The configuration to apply; for an object that was read, to that very one."""
        if self.live is None:
            return dict(self.wanted)
        metadata = {**self.wanted["metadata"], "uid": self.live["metadata"]["uid"]}
        return {**self.wanted, "metadata": metadata}

    def judged(self, answer: Object) -> Change:
        """The change after the API server's dry run, which knows its own defaults better."""
        if self.live is not None and equal_content(answer, self.live):
            return replace(self, action=NONE, reason="it is as wanted", differences=(), stolen=(), judged_by=SERVER)
        altered = tuple(each.path for each in surplus(self.wanted, answer))
        return replace(self, judged_by=SERVER, altered=altered)

    def as_dict(self) -> Json:
        return {
            "api_version": self.wanted["apiVersion"],
            "kind": self.wanted["kind"],
            "namespace": self.wanted["metadata"].get("namespace", ""),
            "name": self.wanted["metadata"]["name"],
            "action": self.action,
            "reason": self.reason,
            "differences": [each.as_dict() for each in self.differences],
            "stolen_fields": [each.as_dict() for each in self.stolen],
            "judged_by": self.judged_by,
        }


def check_adopt(adopt: t.Collection[str], definitions: t.Iterable[Object]) -> None:
    """A name in `adopt` that no definition has is a typo, and would take over nothing."""
    unknown = sorted(set(adopt) - {label_of(item) for item in definitions})
    if unknown:
        raise LockdownError(
            "invalid_option",
            "Invalid value of adopt",
            f"{', '.join(unknown)} is not among the definitions",
            "Name objects of the definitions as Kind/name",
        )


def make_change(wanted: Object, live: Object | None, *, instance: str, adopt: t.Collection[str]) -> Change:
    """Compare one object. Raises where it is not ours to write, or where another manager holds a field."""
    if live is None:
        return Change(CREATE, wanted, None, "it does not exist", tuple(differences(wanted, None)))
    ending.refuse(live, reference(live))
    adopted = label_of(wanted) in adopt
    if not ownership.is_ours(live, instance) and not adopted:
        raise _name_taken(wanted, live, instance)
    found = tuple(differences(wanted, live))
    if not found:
        return Change(NONE, wanted, live, "it is as wanted")
    _refuse_kept(wanted, live)
    edits = _edits(wanted, live, adopted=adopted)
    return Change(UPDATE, wanted, live, _why(live, instance, edits), found, edits)


def _why(live: Object, instance: str, edits: t.Sequence[Edit]) -> str:
    if not ownership.is_ours(live, instance):
        return "it is taken over"
    return f"it was edited by {', '.join(sorted({each.manager for each in edits}))}" if edits else "it differs"


def _edits(wanted: Object, live: Object, *, adopted: bool) -> tuple[Edit, ...]:
    """Who holds fields that we want otherwise.

    Whoever edited an object of ours after we applied it has taken a field that was ours. Whoever applies it, scales
    it by a controller, or held the field before we wanted it has a claim of its own.
    """
    applied, edits = ownership.applied_at(live), []
    for entry in ownership.foreign_entries(live):
        fields = tuple(disputed(wanted, live, entry.get("fieldsV1") or {}))
        manager, time = str(entry.get("manager", "")), str(entry.get("time", ""))
        if fields and not adopted and (_has_a_claim(entry, manager) or time < applied):
            raise _conflict(wanted, manager, entry, fields)
        if fields:
            edits.append(Edit(manager, time, fields))
    return tuple(edits)


def _has_a_claim(entry: Object, manager: str) -> bool:
    scales = entry.get("subresource") == "scale" and not manager.startswith("kubectl")
    return entry.get("operation") == "Apply" or scales


def _conflict(wanted: Object, manager: str, entry: Object, fields: t.Sequence[str]) -> LockdownError:
    through = f" (subresource {entry['subresource']})" if entry.get("subresource") else ""
    return LockdownError(
        "field_conflict",
        f"Cannot write {reference(wanted)}",
        f"field manager {manager}{through} holds {', '.join(fields)} with another value",
        f"Leave that out of the definition, stop that manager, or list {label_of(wanted)} in adopt",
        obj=reference(wanted),
        details={"manager": manager, "fields": list(fields)},
    )


def _name_taken(wanted: Object, live: Object, instance: str) -> LockdownError:
    return LockdownError(
        "name_taken",
        f"Cannot write {reference(wanted)}",
        f"an object of that name exists and is not ours: {ownership.why_not_ours(live, instance)}",
        f"Rename or remove it, or list {label_of(wanted)} in adopt to take it over",
        obj=reference(wanted),
    )


def _refuse_kept(wanted: Object, live: Object) -> None:
    """What a controller keeps, by the mark of GitOps or as the owner of the object."""
    keeper = next((each for each in live["metadata"].get("ownerReferences") or [] if each.get("controller")), None)
    if keeper:
        raise LockdownError(
            "owned_by_controller",
            f"Refused to change {reference(wanted)}, which a controller keeps",
            f"{keeper.get('kind')} {keeper.get('name')} would revert it",
            f"Change {keeper.get('kind')} {keeper.get('name')}, or use another name",
            obj=reference(wanted),
        )
    owner = ownership.gitops_owner(live)
    if owner:
        raise LockdownError(
            "gitops_owned",
            f"Refused to change {reference(wanted)}, which a GitOps controller keeps",
            f"{owner} would revert or prune it",
            "Commit the change to its repository, or take the object out of its care",
            obj=reference(wanted),
        )


_MUTABLE_SPEC = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "minReadySeconds",
    "persistentVolumeClaimRetentionPolicy",
)  # fmt: skip
_IMMUTABLE: dict[str, tuple[str, ...]] = {
    "RoleBinding": ("roleRef",),
    "Secret": ("type",),
    "Service": ("spec.clusterIP", "spec.clusterIPs"),
    "PodDisruptionBudget": ("spec.selector",),
}
_HOW = {
    "StatefulSet": (
        "Keep the old value, or remove the StatefulSet alone with kubectl delete --cascade=orphan, which keeps its "
        "pods and claims, and run again"
    ),
}
_HOW_ELSE = "Keep the old value, or remove the object and run again"


def immutable_paths(change: Change) -> list[str]:
    """The differences in fields that Kubernetes never changes."""
    if change.live is None:
        return []
    kind = change.wanted["kind"]
    paths = [each.path for each in change.differences if each.before != each.after]
    if kind == "StatefulSet":
        return [path for path in paths if path.startswith("spec.") and path.split(".")[1] not in _MUTABLE_SPEC]
    return [
        path for path in paths for field in _IMMUTABLE.get(kind, ()) if path == field or path.startswith(f"{field}.")
    ]


def immutable(change: Change, why: str) -> LockdownError:
    """The refusal of a change that only a new object could have."""
    paths = immutable_paths(change)
    named = ", ".join(paths) or "a field that cannot change"
    return LockdownError(
        "immutable_field",
        f"Cannot change {named} of {reference(change.wanted)}",
        why,
        _HOW.get(change.wanted["kind"], _HOW_ELSE),
        obj=reference(change.wanted),
        details={"fields": paths},
    )
