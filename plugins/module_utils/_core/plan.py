# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From wanted and live policies to an ordered plan that cuts nobody off in between."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import cilium_policy, ownership, policy
from ansible_collections.netguard.lockdown.plugins.module_utils._core.canonical import digest
from ansible_collections.netguard.lockdown.plugins.module_utils._core.effects import difference
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.policy import Json, Policy

NONE, CREATE, UPDATE, REPAIR = "none", "create", "update", "repair"
DELETE, REPLACE, RESTORE = "delete", "replace", "restore"
_APPLIES = (CREATE, UPDATE, REPAIR)


@dataclass(frozen=True)
class Wanted:
    """What shall stand: our definitions, and which policies of others go or come back.

    `replace` and `restore` name or hold policies that the user handed over: everything else that
    is not ours is never touched.
    """

    definitions: t.Sequence[Policy]
    replace: t.Collection[str] = ()
    restore: t.Sequence[Policy] = ()
    prune: bool = True


@dataclass(frozen=True)
class Change:
    action: str
    before: Policy | None
    after: Policy | None
    reason: str

    @property
    def subject(self) -> Policy:
        return t.cast("Policy", self.after or self.before)

    @property
    def name(self) -> str:
        return policy.name_of(self.subject)

    @property
    def applies(self) -> bool:
        """Whether this is a write of a policy of ours, by server-side apply."""
        return self.action in _APPLIES

    @property
    def deletes(self) -> bool:
        return self.action in (DELETE, REPLACE)

    def as_dict(self) -> Json:
        gains, losses = difference(self.before, self.after) if self.action != NONE else ([], [])
        stolen = ownership.foreign_spec_owners(self.before) if self.action == REPAIR and self.before else []
        return {
            "api_version": self.subject["apiVersion"],
            "kind": self.subject["kind"],
            "namespace": self.subject["metadata"].get("namespace", ""),
            "name": self.name,
            "action": self.action,
            "reason": self.reason,
            "gains": gains,
            "losses": losses,
            "stolen_fields": stolen,
            **self.states(),
        }

    def states(self) -> Json:
        """Both states in normal form, None where the policy does not exist."""
        return {
            "before": policy.view(self.before, self.after) if self.before else None,
            "after": policy.view(self.after) if self.after else None,
        }


@dataclass(frozen=True)
class Plan:
    """All changes in the order in which they are written; those with nothing to do are among them."""

    changes: tuple[Change, ...]
    live: tuple[Policy, ...]

    @property
    def writes(self) -> list[Change]:
        return [change for change in self.changes if change.action != NONE]

    def outcome(self) -> list[Policy]:
        """The policies of the namespace once the plan is done."""
        touched = {_key(change.subject) for change in self.writes}
        kept = [item for item in self.live if _key(item) not in touched]
        return kept + [change.after for change in self.writes if change.after]

    def digest(self, *, cluster_uid: str, namespace: str, instance: str) -> str:
        """What an approval is given for: the same cluster, states and steps have the same digest."""
        steps = [{"action": change.action, "name": change.name, **change.states()} for change in self.writes]
        return digest({"cluster": cluster_uid, "namespace": namespace, "instance": instance, "steps": steps})


def make_plan(wanted: Wanted, live: t.Sequence[Policy], *, instance: str) -> Plan:
    """Compare and order. Raises where a name is taken or a policy may not be handed over."""
    _refuse_duplicates(wanted.definitions)
    by_key = {_key(item): item for item in live}
    changes = [_change(definition, by_key.get(_key(definition)), instance) for definition in wanted.definitions]
    changes += _deletions(wanted, live, instance)
    changes += [_replacement(name, live, instance) for name in wanted.replace if _named(live, name)]
    changes += [_restoration(saved, by_key.get(_key(saved))) for saved in wanted.restore]
    return Plan(tuple(in_order(changes)), tuple(live))


def _change(definition: Policy, live: Policy | None, instance: str) -> Change:
    if live is None:
        return Change(CREATE, None, definition, "it does not exist")
    if not ownership.is_ours(live, instance):
        raise LockdownError(
            "name_taken",
            f"Cannot write {policy.reference(definition)}",
            f"a policy of that name exists and is not ours: {ownership.why_not_ours(live, instance)}",
            "Rename or remove that policy, or choose another instance name",
            obj=policy.reference(definition),
        )
    kept = cilium_policy.as_stored(definition, live)
    if policy.view(live, kept) == policy.view(kept):
        return Change(NONE, live, kept, "it is as wanted")
    others = ownership.foreign_spec_owners(live)
    if others:
        return Change(REPAIR, live, definition, f"it was edited by {', '.join(item['manager'] for item in others)}")
    return Change(UPDATE, live, definition, "it differs")


def _deletions(wanted: Wanted, live: t.Sequence[Policy], instance: str) -> list[Change]:
    keys = {_key(definition) for definition in wanted.definitions}
    surplus = [item for item in live if ownership.is_ours(item, instance) and _key(item) not in keys]
    if wanted.prune:
        return [Change(DELETE, item, None, f"instance {instance} no longer has it") for item in surplus]
    return [Change(NONE, item, item, "it is not among the definitions, and prune is off") for item in surplus]


def _replacement(name: str, live: t.Sequence[Policy], instance: str) -> Change:
    found = t.cast("Policy", _named(live, name))
    if ownership.has_our_labels(found):
        raise LockdownError(
            "cannot_replace",
            f"Cannot replace {policy.reference(found)}",
            "it carries this collection's labels, and only hand-made policies can be handed over",
            "Remove it from replace_policies; a policy of another instance goes with that instance",
            obj=policy.reference(found),
        )
    return Change(REPLACE, found, None, f"it was handed over to instance {instance}")


def _restoration(saved: Policy, live: Policy | None) -> Change:
    if live is None:
        return Change(RESTORE, None, saved, "it stood before it was handed over")
    if policy.normal_spec(live) == policy.normal_spec(saved):
        return Change(NONE, live, saved, "it stands as it did before it was handed over")
    raise LockdownError(
        "cannot_restore",
        f"Cannot restore {policy.reference(saved)}",
        "a policy of that name exists again and differs from the one that was saved",
        "Remove it, or keep it and choose another revision",
        obj=policy.reference(saved),
    )


def _refuse_duplicates(definitions: t.Sequence[Policy]) -> None:
    names = [policy.name_of(definition) for definition in definitions]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LockdownError(
            "invalid_policy", "Invalid definitions", f"{', '.join(twice)} is defined twice", "Give each its own name"
        )


def in_order(changes: t.Iterable[Change]) -> list[Change]:
    return sorted(changes, key=_order)


def _order(change: Change) -> tuple[int, str]:
    """Allow before deny, then what goes; what isolates goes before what permits.

    At every step each pod has at least the permissions that it has in both the old and the new state.
    What only adds comes first and goes last. A CiliumNetworkPolicy that isolates permits too little by
    itself: it comes after the policy that permits the rest, and goes before it.
    """
    if change.action == RESTORE:
        return 0, change.name
    subject = change.subject
    partial = cilium_policy.is_one(subject) and not cilium_policy.is_additive(subject)
    if change.action == REPLACE:
        return 5, change.name
    if change.action == DELETE:
        last = 9 if cilium_policy.is_additive(subject) else 8
        return (7 if partial else last if policy.allows_something(subject) else 6), change.name
    first = 1 if cilium_policy.is_additive(subject) else 2
    return (3 if partial else first if policy.allows_something(subject) else 4), change.name


def _named(live: t.Sequence[Policy], name: str) -> Policy | None:
    """The NetworkPolicy of that name: no other kind can be handed over."""
    return next((item for item in live if policy.name_of(item) == name and not cilium_policy.is_one(item)), None)


def _key(item: Policy) -> tuple[str, str]:
    return str(item["kind"]), policy.name_of(item)
