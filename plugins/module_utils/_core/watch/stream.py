# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server's stream of changes: one JSON document per line, cut anywhere by the network."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

BOOKMARK, ERROR = "BOOKMARK", "ERROR"
_CHANGES = ("ADDED", "MODIFIED", "DELETED")
_GONE = 410
# An object has at most 1.5 MiB, and JSON may escape every character of it.
_LONGEST_LINE = 16 * 1024 * 1024


class ExpiredError(Exception):
    """The server no longer knows the version that the stream should go on from: read everything anew."""


@dataclass(frozen=True)
class Change:
    """One line of the stream: that something changed, or, as a bookmark, only up to where nothing did."""

    version: str
    is_bookmark: bool


class Lines:
    """Joins the pieces of a stream into whole lines; what a cut leaves behind is never taken for one."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        *whole, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            raise _garbled(f"a line has more than {_LONGEST_LINE} bytes")
        return [line for line in whole if line.strip()]


def read_change(line: bytes) -> Change:
    """A line's meaning. Raises ExpiredError for the server's 410, LockdownError for anything that is no change."""
    try:
        record = json.loads(line)
        kind, obj = record["type"], record["object"]
    except (ValueError, KeyError, TypeError):
        raise _garbled("a line of the stream is no change of an object") from None
    if not isinstance(obj, dict):
        raise _garbled("a line of the stream holds no object")
    if kind == ERROR:
        raise _refusal(obj)
    version = (obj.get("metadata") or {}).get("resourceVersion")
    if kind not in (*_CHANGES, BOOKMARK) or not version:
        raise _garbled(f"a line of type {str(kind)[:40]!r} is not known or has no version")
    return Change(str(version), kind == BOOKMARK)


def _refusal(status: t.Mapping[str, t.Any]) -> Exception:
    if status.get("code") == _GONE:
        return ExpiredError(str(status.get("message") or "the version has expired"))
    return LockdownError(
        "watch_failed",
        "The API server ended the stream of changes",
        str(status.get("message") or f"status {status.get('code')}").rstrip("."),
        "It is tried again; if it stays so, look into the API server's log",
    )


def _garbled(why: str) -> LockdownError:
    return LockdownError(
        "watch_garbled",
        "Cannot read the stream of changes",
        why,
        "It is tried again; if it stays so, check what is between here and the API server",
    )
