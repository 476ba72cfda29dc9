# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge chains of evidence packs: what was changed, dropped, put in between or cut off.

Nothing of a pack is believed before its digests hold; a pack that is broken is named and the others are
judged all the same.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import pack as packs
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.pack import Head
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.plain import Json, file_text, parse
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.schema import violations

Scope = tuple[str, str, str]

# What became of a signature: MISSING where one was demanded, ABSENT where nobody did.
VERIFIED, BAD, MISSING, ABSENT, NOT_CHECKED = "verified", "bad", "missing", "absent", "not_checked"
# Enough of a broken pack's faults to see what kind of damage it is.
_SHOWN = 5


@dataclass(frozen=True)
class PackFile:
    """A file as it was found, and what a tool said about its detached signature."""

    path: str
    text: str
    signature: str = NOT_CHECKED


@dataclass(frozen=True)
class Problem:
    code: str
    path: str
    message: str

    def as_record(self) -> Json:
        return {"code": self.code, "path": self.path, "message": self.message}


@dataclass(frozen=True)
class Link:
    """A pack whose content is what was sealed."""

    path: str
    content: Json

    @property
    def number(self) -> int:
        return t.cast(int, self.content["run"]["number"])

    @property
    def digest(self) -> str:
        return t.cast(str, self.content["digest"])

    @property
    def scope(self) -> Scope:
        return scope_of(self.content)

    def summary(self) -> Json:
        run, facts = self.content["run"], self.content["facts"]
        return {
            "path": self.path,
            "number": self.number,
            "digest": self.digest,
            "facts_digest": self.content["facts_digest"],
            "run_id": run["id"],
            "time": run["time"],
            "by": run["by"],
            "verdict": facts["verdict"],
        }


@dataclass
class Chain:
    """The packs of one instance on one cluster."""

    scope: Scope
    links: list[Link]
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    def heads(self) -> list[Head]:
        return [Head.of(link.content) for link in self.links]

    def as_record(self) -> Json:
        return {
            "cluster_uid": self.scope[0],
            "namespace": self.scope[1],
            "instance": self.scope[2],
            "packs": [link.summary() for link in self.links],
            "head": Head.of(self.links[-1].content).as_record() if self.links else None,
            "problems": [problem.as_record() for problem in self.problems],
            "notes": [note.as_record() for note in self.notes],
        }


@dataclass
class Verification:
    chains: list[Chain] = field(default_factory=list)
    broken: list[Problem] = field(default_factory=list)

    def problems(self) -> list[Problem]:
        return [*self.broken, *(problem for chain in self.chains for problem in chain.problems)]

    def as_record(self) -> Json:
        found = self.problems()
        return {
            "verdict": "broken" if found else "intact",
            "packs": sum(len(chain.links) for chain in self.chains),
            "chains": [chain.as_record() for chain in self.chains],
            "problems": [problem.as_record() for problem in found],
            "notes": [note.as_record() for chain in self.chains for note in chain.notes],
        }


def scope_of(pack: Json) -> Scope:
    scope = pack["facts"]["scope"]
    return (scope["cluster_uid"], scope["namespace"], scope["instance"])


def verify(
    files: t.Iterable[PackFile], schema: Json, anchors: t.Mapping[Scope, Head | None] | None = None
) -> Verification:
    """All chains in the files.

    :arg anchors: what the clusters remember; a chain that is not in it is not compared.
    """
    found = Verification()
    links: dict[Scope, list[Link]] = {}
    for file in sorted(files, key=lambda file: file.path):
        link, problems = read(file, schema)
        found.broken += problems
        if link is not None:
            links.setdefault(link.scope, []).append(link)
    for scope in sorted(links):
        chain = Chain(scope, sorted(links[scope], key=lambda link: (link.number, link.path)))
        _check_order(chain)
        if anchors is not None and scope in anchors:
            _check_anchor(chain, anchors[scope])
        else:
            chain.notes.append(_note(chain, "not_anchored", "it was not compared with the head that the cluster keeps"))
        found.chains.append(chain)
    return found


def read(file: PackFile, schema: Json) -> tuple[Link | None, list[Problem]]:
    """The pack as a link, unless its content cannot be believed, and what is wrong with the file."""
    problems = list(_signature_problems(file))
    try:
        content = parse(file.text)
    except (ValueError, RecursionError) as error:
        return None, [*problems, Problem("unreadable", file.path, f"{file.path} is not an evidence pack: {error}")]
    faults = violations(content, schema)
    if faults:
        told = "; ".join(faults[:_SHOWN]) + (f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else "")
        return None, [*problems, Problem("not_a_pack", file.path, f"{file.path} is not as the schema says: {told}")]
    problems += _digest_problems(file, content)
    if content["run"]["signature"] and file.signature == ABSENT:
        problems.append(Problem("signature_missing", file.path, f"{file.path} was signed, and its signature is gone"))
    return (None if any(item.code == "tampered" for item in problems) else Link(file.path, content)), problems


def _signature_problems(file: PackFile) -> t.Iterator[Problem]:
    if file.signature == BAD:
        yield Problem("bad_signature", file.path, f"{file.path} has a signature that none of the allowed signers made")
    elif file.signature == MISSING:
        yield Problem("signature_missing", file.path, f"{file.path} has no signature")


def _digest_problems(file: PackFile, content: Json) -> t.Iterator[Problem]:
    facts = packs.facts_digest(content)
    if facts != content["facts_digest"]:
        told = f"its facts have the digest {facts}, and it was sealed with {content['facts_digest']}"
        yield Problem("tampered", file.path, f"{file.path} was changed: {told}")
    sealed = packs.pack_digest(content)
    if sealed != content["digest"]:
        told = f"it has the digest {sealed}, and it was sealed with {content['digest']}"
        yield Problem("tampered", file.path, f"{file.path} was changed: {told}")
    if file_text(content) != file.text.rstrip("\n") + "\n":
        yield Problem("rewritten", file.path, f"{file.path} says the same in other bytes: it was written anew")


def _check_order(chain: Chain) -> None:
    first = chain.links[0]
    if first.content["previous"] is not None:
        _check_gap(chain, first, first.content["previous"]["number"], "the chain begins with it, but")
    elif first.number != 1:
        chain.problems.append(_problem("gap", first, f"it is number {first.number} and follows nothing"))
    for before, link in zip(chain.links[:-1], chain.links[1:], strict=True):
        _check_link(chain, before, link)


def _check_link(chain: Chain, before: Link, link: Link) -> None:
    previous = link.content["previous"]
    if link.number == before.number:
        chain.problems.append(_problem("fork", link, f"it has the same number {link.number} as {before.path}"))
    elif previous is None or previous["number"] != link.number - 1:
        chain.problems.append(
            _problem("gap", link, f"it is number {link.number} and does not follow {link.number - 1}")
        )
    elif previous["number"] > before.number:
        _check_gap(chain, link, previous["number"], f"after {before.path},")
    elif previous["digest"] != before.digest:
        told = f"it follows a pack {previous['digest']}, and pack {before.number} is {before.digest}"
        chain.problems.append(_problem("broken_link", link, told))
    if link.content["run"]["time"] < before.content["run"]["time"]:
        told = f"it says {link.content['run']['time']}, before {before.content['run']['time']} of {before.path}"
        chain.notes.append(_problem("time_goes_back", link, told))


def _check_gap(chain: Chain, link: Link, missing_up_to: int, place: str) -> None:
    reason = link.content["previous"]["gap"]
    told = f"{place} pack {missing_up_to} ({link.content['previous']['digest']}) that it follows is missing"
    if reason:
        chain.notes.append(_problem("accepted_gap", link, f"{told}; accepted by whoever ran it: {reason}"))
    else:
        chain.problems.append(_problem("gap", link, told))


def _check_anchor(chain: Chain, anchor: Head | None) -> None:
    heads = chain.heads()
    if anchor is None:
        chain.problems.append(_at_end(chain, "anchor_missing", "the cluster keeps no head of this chain"))
    elif anchor == heads[-1]:
        chain.notes.append(_note(chain, "anchored", "its head is the one that the cluster keeps"))
    elif anchor in heads:
        told = f"the cluster keeps pack {anchor.number} as head: later runs could not write it there"
        chain.notes.append(_note(chain, "anchor_lags", told))
    elif anchor.number > heads[-1].number:
        told = f"the cluster keeps pack {anchor.number} ({anchor.digest}) as head: packs are missing at the end"
        chain.problems.append(_at_end(chain, "truncated", told))
    else:
        told = f"the cluster keeps pack {anchor.number} as {anchor.digest}: this chain is another one"
        chain.problems.append(_at_end(chain, "other_chain", told))


def _problem(code: str, link: Link, told: str) -> Problem:
    return Problem(code, link.path, f"{link.path}: {told}")


def _at_end(chain: Chain, code: str, told: str) -> Problem:
    last = chain.links[-1]
    return Problem(code, last.path, f"The chain ends with {last.path}, and {told}")


def _note(chain: Chain, code: str, told: str) -> Problem:
    last = chain.links[-1]
    return Problem(code, last.path, f"The chain that ends with {last.path}: {told}")


def require_intact(found: Verification) -> None:
    """Refuse to add to a chain that is broken."""
    problems = found.problems()
    if problems:
        raise LockdownError(
            "evidence_broken",
            "Refused to add to a broken chain of evidence",
            "; ".join(problem.message for problem in problems),
            "Restore the packs from a copy, or begin a new directory and accept the gap",
            details={"problems": [problem.as_record() for problem in problems]},
        )
