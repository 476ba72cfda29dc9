# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of ports of TCP, UDP and SCTP, exact, as intervals on one line.

A port of the n-th protocol is the number n * 65536 + port. A set is a sorted tuple of intervals that
neither overlap nor touch, so that equal sets are equal values.
"""

from __future__ import annotations

import typing as t
from functools import lru_cache

from ansible_collections.netguard.lockdown.plugins.module_utils._core.options import PROTOCOLS

PortSet = tuple[tuple[int, int], ...]

LAST = 65535
_STEP = LAST + 1
_OFFSET = {protocol: index * _STEP for index, protocol in enumerate(PROTOCOLS)}
NONE: PortSet = ()
EVERY: PortSet = tuple((offset + 1, offset + LAST) for offset in _OFFSET.values())


def ports(protocol: str, first: int = 1, last: int = LAST) -> PortSet:
    """The ports of one protocol from the first to the last."""
    offset = _OFFSET[protocol]
    return ((offset + first, offset + last),)


def holds(every: PortSet, protocol: str, port: int) -> bool:
    number = _OFFSET[protocol] + port
    return any(first <= number <= last for first, last in every)


@lru_cache(maxsize=65536)
def union(one: PortSet, other: PortSet) -> PortSet:
    if not one or not other:
        return one or other
    joined: list[tuple[int, int]] = []
    for first, last in sorted(one + other):
        # Intervals of two protocols never touch: port 0 lies between them.
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


@lru_cache(maxsize=65536)
def intersection(one: PortSet, other: PortSet) -> PortSet:
    common = (
        (max(first, begin), min(last, end)) for first, last in one for begin, end in other if first <= end >= begin
    )
    return tuple(sorted((first, last) for first, last in common if first <= last))


@lru_cache(maxsize=65536)
def difference(one: PortSet, other: PortSet) -> PortSet:
    rest = list(one)
    for begin, end in other:
        rest = [part for interval in rest for part in _without(interval, begin, end)]
    return tuple(rest)


def _without(interval: tuple[int, int], begin: int, end: int) -> list[tuple[int, int]]:
    first, last = interval
    if end < first or last < begin:
        return [interval]
    return [part for part in ((first, begin - 1), (end + 1, last)) if part[0] <= part[1]]


def count(every: PortSet) -> int:
    return sum(last - first + 1 for first, last in every)


def by_protocol(every: PortSet) -> dict[str, list[tuple[int, int]]]:
    """First and last port of each interval, by protocol."""
    found: dict[str, list[tuple[int, int]]] = {}
    for first, last in every:
        protocol = PROTOCOLS[first // _STEP]
        found.setdefault(protocol, []).append((first % _STEP, last % _STEP))
    return found


def split(every: PortSet) -> list[PortSet]:
    """The set in parts of one protocol each."""
    parts = (intersection(every, ports(protocol)) for protocol in PROTOCOLS)
    return [part for part in parts if part]


def as_records(every: PortSet) -> list[dict[str, t.Any]]:
    """One record for each protocol, with its ports as text: `80,443,8000-8080`."""
    return [{"protocol": protocol, "ports": _text(parts)} for protocol, parts in by_protocol(every).items()]


def describe(every: PortSet) -> str:
    """The set for people."""
    if every == EVERY:
        return "every port"
    named = (
        f"{protocol} every port" if parts == [(1, LAST)] else f"{protocol} {_text(parts)}"
        for protocol, parts in by_protocol(every).items()
    )
    return ", ".join(named) or "no port"


def _text(parts: list[tuple[int, int]]) -> str:
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)
