# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API servers' audit logs say: who asked for what, and whether it could change anything."""

from __future__ import annotations

import json
import typing as t
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

POLICY = Path(__file__).with_name("data") / "audit-policy.yml"
REVIEW_GROUPS = {"authentication.k8s.io", "authorization.k8s.io"}
READ_VERBS = {"get", "list", "watch"}


@dataclass(frozen=True)
class Position:
    """How far each server's audit log reached (bytes, by server number)."""

    offsets: tuple[int, ...]


@dataclass(frozen=True)
class Event:
    """One finished request."""

    server: int
    verb: str
    user: str
    groups: tuple[str, ...]
    api_group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    path: str
    query: dict[str, str]
    user_agent: str
    code: int
    raw: dict[str, t.Any]

    @property
    def dry_run(self) -> bool:
        return self.query.get("dryRun") == "All"

    @property
    def mutating(self) -> bool:
        """A request of a writing kind, dry runs and access reviews included."""
        return self.verb not in READ_VERBS and bool(self.resource)

    @property
    def write(self) -> bool:
        """A request that was meant to change what is stored (reviews store nothing), successful or not."""
        review = self.api_group in REVIEW_GROUPS and self.resource.endswith("reviews")
        return self.mutating and not self.dry_run and not review

    def __str__(self) -> str:
        what = "/".join(part for part in (self.resource, self.subresource) if part) or self.path
        where = "/".join(part for part in (self.namespace, self.name) if part)
        dry = " (dry run)" if self.dry_run else ""
        return f"{self.verb} {what} {where} -> {self.code}{dry}"


def end(logs: list[Path]) -> Position:
    """The position after everything written so far."""
    return Position(tuple(log.stat().st_size if log.exists() else 0 for log in logs))


def events(logs: list[Path], since: Position | None = None) -> list[Event]:
    """The finished requests after a position, in the order of their arrival."""
    offsets = since.offsets if since else (0,) * len(logs)
    found = [event for number, log in enumerate(logs) for event in _read(number, log, offsets[number])]
    return sorted(found, key=lambda event: str(event.raw["requestReceivedTimestamp"]))


def _read(server: int, log: Path, offset: int) -> Iterator[Event]:
    if not log.exists():
        return
    with log.open("rb") as lines:
        lines.seek(offset)
        for line in lines:
            if line.endswith(b"\n"):  # the last one may still be on its way
                raw = json.loads(line)
                # A running watch has only started; every request is counted once, at its end.
                if raw["stage"] != "ResponseStarted":
                    yield _event(server, raw)


def _event(server: int, raw: dict[str, t.Any]) -> Event:
    uri, target, user = (
        urllib.parse.urlsplit(raw["requestURI"]),
        raw.get("objectRef", {}),
        raw.get("user", {}),
    )
    return Event(
        server=server,
        verb=raw["verb"],
        user=user.get("username", ""),
        groups=tuple(user.get("groups", ())),
        api_group=target.get("apiGroup", ""),
        resource=target.get("resource", ""),
        subresource=target.get("subresource", ""),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        path=uri.path,
        query=dict(urllib.parse.parse_qsl(uri.query, keep_blank_values=True)),
        user_agent=raw.get("userAgent", ""),
        code=raw.get("responseStatus", {}).get("code", 0),
        raw=raw,
    )
