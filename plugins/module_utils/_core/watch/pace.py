# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When to look, and when to try again: time is given, so that tests need not wait."""

from __future__ import annotations

import typing as t

# A stream of changes that never pauses must not put the look off for ever.
_LONGEST_PUT_OFF = 4


class Pace:
    """Collects what comes in quick succession, and keeps a distance after something was told.

    :arg quiet: seconds without a further change after which it is time to look.
    :arg distance: seconds between something that was told and the next look; nothing is lost, only later.
    """

    def __init__(self, quiet: float, distance: float) -> None:
        self._quiet, self._distance = quiet, distance
        self._first: float | None = None
        self._last = 0.0
        self._not_before = 0.0

    def touch(self, now: float) -> None:
        """Something has changed."""
        self._first = now if self._first is None else self._first
        self._last = now

    @property
    def due(self) -> float | None:
        """When to look; None where nothing has changed."""
        if self._first is None:
            return None
        settled = min(self._last + self._quiet, self._first + _LONGEST_PUT_OFF * self._quiet)
        return max(settled, self._not_before)

    def looked(self) -> None:
        """What changed before now is being looked at; what changes from now on needs another look."""
        self._first = None

    def told(self, now: float) -> None:
        self._not_before = now + self._distance


class Backoff:
    """Growing waits with jitter: many watchers must not come back at the same moment.

    :arg random: a number from 0 to 1.
    """

    def __init__(self, random: t.Callable[[], float], *, shortest: float = 0.2, longest: float = 5.0) -> None:
        self._random, self._shortest, self._longest = random, shortest, longest
        self._failures = 0

    def next(self) -> float:
        """Seconds to wait before the next try."""
        wait = min(self._longest, self._shortest * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return wait * (0.5 + self._random() / 2)

    def reset(self) -> None:
        self._failures = 0
