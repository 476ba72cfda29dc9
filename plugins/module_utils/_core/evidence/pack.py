# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evidence pack: facts and run, each digested, chained to the pack before.

`facts` says what is so: equal input gives equal bytes, whoever collects it and when. `run` says who looked,
when, and as which link of the chain. `digest` covers both and the previous pack's digest, so a link that is
changed, dropped or put in between breaks every later one.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.canonical import digest
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.plain import Json, mapping

FORMAT = "netguard.lockdown/evidence-pack"
VERSION = 1
SIGNATURE_NAMESPACE = "netguard.lockdown"


@dataclass(frozen=True)
class Head:
    """The last link of a chain, as other places remember it."""

    number: int
    digest: str
    run_id: str
    time: str

    @classmethod
    def of(cls, pack: Json) -> Head:
        run = pack["run"]
        return cls(run["number"], pack["digest"], run["id"], run["time"])

    @classmethod
    def read(cls, record: t.Any, where: str) -> Head:
        """A head from a place that others can write to."""
        try:
            head = cls(**{name: record[name] for name in ("number", "digest", "run_id", "time")})
        except (KeyError, TypeError) as error:
            raise _unreadable(where, f"{type(error).__name__}: {error}") from error
        if isinstance(head.number, bool) or not isinstance(head.number, int):
            raise _unreadable(where, f"its number {head.number!r} is not a whole number")
        if not all(isinstance(text, str) for text in (head.digest, head.run_id, head.time)):
            raise _unreadable(where, "its digest, run_id and time must be texts")
        return head

    def as_record(self) -> Json:
        return asdict(self)


def facts_digest(pack: Json) -> str:
    return digest(pack["facts"])


def pack_digest(pack: Json) -> str:
    """Over everything but the facts themselves, which their own digest stands for."""
    return digest({name: pack[name] for name in ("format", "version", "facts_digest", "run", "previous")})


def seal(facts: t.Any, run: t.Any, previous: Head | None, gap: str = "") -> Json:
    """A pack that is the next link after `previous`.

    :arg run: id, time and whatever else tells who ran it; the number is added here.
    :arg gap: why the packs before are not at hand, where that was accepted.
    """
    link = None if previous is None else {"number": previous.number, "digest": previous.digest, "gap": gap or None}
    number = 1 if previous is None else previous.number + 1
    pack: Json = {
        "format": FORMAT,
        "version": VERSION,
        "facts": mapping(facts, "facts"),
        "run": {**mapping(run, "run"), "number": number},
        "previous": link,
    }
    pack["facts_digest"] = facts_digest(pack)
    pack["digest"] = pack_digest(pack)
    return pack


def next_after(local: t.Sequence[Head], anchor: Head | None, gap: str) -> tuple[Head | None, str]:
    """The link that the next pack follows, and the accepted reason for a gap before it.

    The cluster remembers the head, the directory holds the packs. A directory that lacks what the cluster
    remembers is not the one that the chain is in. A cluster that lags behind (the last run could not write
    there) is caught up with.

    :arg local: heads of the packs at hand, in order.
    """
    last = local[-1] if local else None
    if anchor is None or anchor in local:
        return last, ""
    if gap:
        return anchor, gap
    here = f"the directory's last pack is {last.number} ({last.digest})" if last else "the directory has no pack of it"
    raise LockdownError(
        "evidence_gap",
        "Refused to add to a chain with a gap",
        f"the cluster remembers pack {anchor.number} ({anchor.digest}) as the last one, and {here}",
        "Point ignite_lockdown_evidence_dir to the directory that holds the chain, or accept the gap by giving its "
        "reason in ignite_lockdown_accept_evidence_gap",
        details={"anchor": anchor.as_record(), "last": last.as_record() if last else None},
    )


def name(head: Head) -> str:
    """The directory of a pack: sorts by number, tells the time, and has no characters that any file system minds."""
    stamp = "".join(letter for letter in head.time if letter.isalnum())
    return f"{head.number:06d}-{stamp}"


def _unreadable(where: str, why: str) -> LockdownError:
    return LockdownError(
        "evidence_head_unreadable",
        f"Cannot read the chain's head in {where}",
        why,
        "Find out who changed it; to start anew, remove the entry and accept the gap",
    )
