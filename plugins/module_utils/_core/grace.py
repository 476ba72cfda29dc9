# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Grace: an API server's address that has just vanished stays allowed for a while.

The memory are two annotations on our own policies. They say which endpoints were rendered last
time and when a kept one was first missed, so that every later run comes to the same answer.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from ansible_collections.netguard.lockdown.plugins.module_utils._core import ownership
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import Address, parse_address
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, metadata

SEEN_ANNOTATION = "lockdown.netguard.io/api-endpoints"
KEPT_ANNOTATION = "lockdown.netguard.io/kept-endpoints"
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
# API servers' clocks differ by seconds; a time further ahead would keep an address for ever.
_CLOCK_TOLERANCE = timedelta(minutes=5)

Pair = tuple[Address, int]


@dataclass(frozen=True)
class Memory:
    """What our policies remember: pairs rendered last time, and since when the kept ones are gone."""

    seen: frozenset[Pair] = frozenset()
    vanished: t.Mapping[Pair, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Kept:
    """A vanished endpoint that stays allowed until `until`."""

    address: Address
    port: int
    vanished_at: datetime
    until: datetime

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "address": str(self.address),
            "port": self.port,
            "vanished_at": self.vanished_at.strftime(_TIME_FORMAT),
            "until": self.until.strftime(_TIME_FORMAT),
        }


def remember(policies: t.Iterable[Raw], instance: str) -> Memory:
    """What our own policies of this instance say; annotations that someone else wrote are no memory."""
    seen: set[Pair] = set()
    vanished: dict[Pair, datetime] = {}
    for policy in policies:
        if ownership.has_our_labels(policy, instance):
            seen.update(pair for pair in map(_pair, _entries(policy, SEEN_ANNOTATION)) if pair)
            for entry in _entries(policy, KEPT_ANNOTATION):
                endpoint, _sign, time = entry.partition("=")
                pair, moment = _pair(endpoint), _moment(time)
                if pair and moment:
                    vanished[pair] = min(moment, vanished.get(pair, moment))
    return Memory(frozenset(seen), vanished)


def keep(memory: Memory, current: t.Container[Pair], now: datetime, seconds: int) -> list[Kept]:
    """The remembered endpoints that are gone now and whose grace has not run out, in a stable order."""
    grace = timedelta(seconds=seconds)
    found: list[Kept] = []
    for address, port in sorted(memory.seen | set(memory.vanished), key=_order):
        vanished_at = memory.vanished.get((address, port), now.replace(microsecond=0))
        running = vanished_at - _CLOCK_TOLERANCE <= now < vanished_at + grace
        if (address, port) not in current and running:
            found.append(Kept(address, port, vanished_at, vanished_at + grace))
    return found


def _entries(policy: Raw, annotation: str) -> list[str]:
    # Whoever edits an annotation by hand takes it over, and then it is no memory of ours.
    if annotation not in ownership.owned_keys(policy, "annotations"):
        return []
    text = (metadata(policy).get("annotations") or {}).get(annotation, "")
    return [part.strip() for part in text.split(",") if part.strip()]


def _pair(text: str) -> Pair | None:
    address, _colon, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        return None
    try:
        return parse_address(address.removeprefix("[").removesuffix("]"), "annotation"), int(port)
    except LockdownError:
        return None


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _TIME_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def _order(pair: Pair) -> tuple[int, int, int]:
    address, port = pair
    return address.version, int(address), port
