# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our policies as they were last seen, and who changed one that is different now."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import ownership, policy
from ansible_collections.netguard.lockdown.plugins.module_utils._core.canonical import digest

Json = dict[str, t.Any]
Policy = t.Mapping[str, t.Any]
Key = tuple[str, str]

_PARTS = ("labels", "annotations", "spec")


@dataclass(frozen=True)
class Standing:
    """One policy. `applied` is when our field manager last changed something in it."""

    key: Key
    uid: str
    version: str
    view: Json
    applied: str
    drift: tuple[Json, ...]
    doubt: str

    @classmethod
    def of(cls, obj: Policy, instance: str) -> Standing:
        ours = ownership.is_ours(obj, instance)
        return cls(
            key=key_of(obj),
            uid=str(obj["metadata"].get("uid", "")),
            version=str(obj["metadata"].get("resourceVersion", "")),
            view=policy.view(obj),
            applied=ownership.applied_at(obj),
            drift=tuple(ownership.foreign_spec_owners(obj)),
            doubt="" if ours else ownership.why_not_ours(obj, instance),
        )

    @property
    def is_clean(self) -> bool:
        """Whether it is ours, and no one else wrote any of its spec."""
        return not self.drift and not self.doubt

    def reference(self, namespace: str) -> Json:
        kind, name = self.key
        return {
            "kind": kind,
            "namespace": namespace,
            "name": name,
            "uid": self.uid,
            "resource_version": self.version,
            "digest": digest(self.view),
        }

    def summary(self, namespace: str) -> Json:
        return {**self.reference(namespace), "by": list(self.drift), "reason": self.doubt or None}


def key_of(obj: Policy) -> Key:
    return str(obj.get("kind", "")), policy.name_of(obj)


def read(policies: t.Iterable[Policy], instance: str, known: t.Container[Key]) -> dict[Key, Standing]:
    """The policies that claim to be ours, and those that did when they were last seen."""
    return {
        key_of(obj): Standing.of(obj, instance)
        for obj in policies
        if ownership.has_our_labels(obj, instance) or key_of(obj) in known
    }


def changed_parts(before: Standing | None, now: Standing) -> list[str]:
    """What others changed; empty where nothing means anything else, or where we did it ourselves."""
    parts = [part for part in _PARTS if before is None or before.view[part] != now.view[part]]
    if before is not None and before.doubt != now.doubt and "labels" not in parts:
        parts.append("labels")
    return [] if _is_our_work(before, now) else parts


def _is_our_work(before: Standing | None, now: Standing) -> bool:
    """Whether our field manager made the difference.

    Whoever takes a rule out owns nothing afterwards. So a clean object is not enough: our manager must have written.
    """
    if not now.is_clean:
        return False
    return before is None or before.uid != now.uid or before.applied != now.applied
