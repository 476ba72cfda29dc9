# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From observations to events: an event is told when what was resolved, or our policies, really differ.

Compared is with what was told last, never with what a stream of changes claims. So nothing is lost
however often the stream is cut, and nothing is told twice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from ansible_collections.netguard.lockdown.plugins.module_utils._core import grace
from ansible_collections.netguard.lockdown.plugins.module_utils._core.canonical import digest
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.watch import standing, targets
from ansible_collections.netguard.lockdown.plugins.module_utils._core.watch.standing import Key, Policy, Standing

Event = dict[str, t.Any]
Json = dict[str, t.Any]

INITIAL, TARGETS_CHANGED, GRACE_OVER = "initial", "targets_changed", "grace_over"
POLICY_CHANGED, POLICY_DELETED = "policy_changed", "policy_deleted"
RESOLVER_ERROR, RESOLVER_RECOVERED = "resolver_error", "resolver_recovered"


@dataclass(frozen=True)
class Observation:
    """What was read at one moment; `now` is the API server's clock.

    :arg planned: our policies that should stand by our own record, read only when one is missing.
    """

    resolved: t.Mapping[str, t.Any]
    policies: t.Sequence[Policy]
    now: datetime
    planned: t.Container[Key] = frozenset()


class Ledger:
    """What was told last of one instance.

    :arg initial: whether the first observation is told.
    :arg grace_seconds: how long a refresh keeps an endpoint that is gone.
    """

    def __init__(self, namespace: str, instance: str, *, initial: bool, grace_seconds: int) -> None:
        self._namespace, self._instance = namespace, instance
        self._initial, self._grace = initial, timedelta(seconds=grace_seconds)
        self._targets: list[Json] | None = None
        self._policies: dict[Key, Standing] = {}
        self._failure = ""
        self._over: frozenset[grace.Pair] = frozenset()
        self._cluster_uid = ""
        self.next_look: datetime | None = None

    def missing(self, policies: t.Iterable[Policy]) -> frozenset[Key]:
        """The policies that were there and are not any more."""
        return frozenset(self._policies) - frozenset(map(standing.key_of, policies))

    def observed(self, seen: Observation) -> list[Event]:
        self._cluster_uid = str(seen.resolved["cluster"]["uid"])
        new = targets.records(seen.resolved)
        policies = standing.read(seen.policies, self._instance, self._policies)
        if self._targets is None:
            found = self._first(new, policies, seen)
        else:
            found = [*self._recovered(), *self._moved(self._targets, new), *self._drifted(policies, seen.planned)]
        self._targets, self._policies, self._failure = new, policies, ""
        found += self._graces(seen)
        return [self._event(seen.now, **fields) for fields in found]

    def failed(self, error: LockdownError, now: datetime) -> list[Event]:
        """The targets cannot be told. Another reason is another event, the same one is told once."""
        if self._failure == str(error):
            return []
        self._failure = str(error)
        return [self._event(now, type=RESOLVER_ERROR, message=str(error), failure=error.as_result())]

    def _event(self, now: datetime, **fields: t.Any) -> Event:
        return {
            **fields,
            "namespace": self._namespace,
            "instance": self._instance,
            "cluster_uid": self._cluster_uid,
            "digest": digest(self._targets) if self._targets is not None else "",
            "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def _first(self, new: list[Json], policies: t.Mapping[Key, Standing], seen: Observation) -> list[Event]:
        if not self._initial:
            return []
        return [
            {
                "type": INITIAL,
                "targets": new,
                "policies": [policies[key].summary(self._namespace) for key in sorted(policies)],
                "warnings": list(seen.resolved["warnings"]),
            }
        ]

    def _recovered(self) -> list[Event]:
        return [{"type": RESOLVER_RECOVERED, "message": f"Solved: {self._failure}"}] if self._failure else []

    def _moved(self, old: list[Json], new: list[Json]) -> list[Event]:
        if old == new:
            return []
        return [
            {
                "type": TARGETS_CHANGED,
                "old": old,
                "new": new,
                "added": targets.without(new, old),
                "removed": targets.without(old, new),
                "old_digest": digest(old),
            }
        ]

    def _drifted(self, policies: t.Mapping[Key, Standing], planned: t.Container[Key]) -> list[Event]:
        found: list[Event] = []
        for key in sorted(set(self._policies) | set(policies)):
            before, now = self._policies.get(key), policies.get(key)
            if now is None:
                # The API keeps no trace of who deletes; our own record tells whether we did.
                if key in planned and before is not None:
                    found.append({"type": POLICY_DELETED, "policy": before.reference(self._namespace), "by": []})
                continue
            parts = standing.changed_parts(before, now)
            if parts:
                found.append(
                    {
                        "type": POLICY_CHANGED,
                        "policy": now.reference(self._namespace),
                        "parts": parts,
                        "by": list(now.drift),
                        "reason": now.doubt or None,
                    }
                )
        return found

    def _graces(self, seen: Observation) -> list[Event]:
        """A refresh keeps vanished endpoints for a while; when that is over, another one has to take them out."""
        self.next_look = None
        if not self._grace:
            return []
        ends = {pair: since + self._grace for pair, since in self._vanished(seen).items()}
        waiting = [end for end in ends.values() if end > seen.now]
        self.next_look = min(waiting) if waiting else None
        over = frozenset(pair for pair, end in ends.items() if end <= seen.now)
        news, self._over = over - self._over, over
        if not news:
            return []
        endpoints = [{"address": str(address), "port": port} for address, port in sorted(over, key=str)]
        return [{"type": GRACE_OVER, "endpoints": endpoints}]

    def _vanished(self, seen: Observation) -> t.Mapping[grace.Pair, datetime]:
        return grace.remember(seen.policies, self._instance).vanished
