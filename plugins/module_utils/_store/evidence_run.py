# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of module evidence_pack: read the chain, add a pack to it, remember the head in the cluster."""

from __future__ import annotations

import contextlib
import fcntl
import typing as t
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.netguard.lockdown.plugins.module_utils._core import cluster, options
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import (
    chain,
    facts,
    keeping,
    pack,
    report,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.pack import Head
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.plain import mapping
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.evidence_anchor import EvidenceAnchor
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.who import who
from ansible_collections.netguard.lockdown.plugins.module_utils._store import packs
from ansible_collections.netguard.lockdown.plugins.module_utils._store.container import surroundings


@dataclass(frozen=True)
class Task:
    """The module's options."""

    evidence: facts.Inputs
    schema: Json
    directory: str
    job: Json
    sign_key: str
    signer: str
    gap: str
    accept_vanishing: bool
    anchor: bool
    cluster_uid: str
    check_mode: bool

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any], *, check_mode: bool) -> Task:
        sign_key = params["sign_key"] or ""
        return cls(
            evidence=facts.Inputs.read(params["evidence"], accept_not_probed=params["accept_not_probed"]),
            schema=mapping(params["schema"], "schema"),
            directory=str(Path(params["directory"]).absolute()),
            job=mapping(params["job"], "job"),
            sign_key=sign_key,
            signer=params["signer"] or who() if sign_key else "",
            gap=params["accept_gap"] or "",
            accept_vanishing=params["accept_vanishing"],
            anchor=params["anchor"],
            cluster_uid=params["cluster_uid"] or "",
            check_mode=check_mode,
        )


class EvidenceRun:
    def __init__(self, session: Session, task: Task) -> None:
        self._session = session
        self._task = task
        self._anchor = EvidenceAnchor(session, task.evidence.namespace, task.evidence.instance)

    def execute(self) -> Json:
        self._refuse_to_lose()
        found = facts.collect(self._task.evidence)
        place = packs.folder(self._task.directory, chain.scope_of({"facts": found}))
        with _alone(place, wanted=not self._task.check_mode):
            remembered = self._remembered(found)
            links = self._links(place)
            previous, gap = pack.next_after([Head.of(link.content) for link in links], remembered, self._task.gap)
            made = pack.seal(found, self._run(), previous, gap)
            before = links[-1].content["facts"] if links and not gap else None
            return self._keep(place, made, report.files(made, before))

    def _refuse_to_lose(self) -> None:
        why = keeping.why_lost(self._task.directory, surroundings())
        if why and not self._task.accept_vanishing:
            raise LockdownError(
                "evidence_would_vanish",
                f"Refused to keep evidence in {self._task.directory}",
                why,
                "Give a directory on a volume that outlives the run, or accept the loss with accept_vanishing",
                details={"directory": self._task.directory},
            )

    def _remembered(self, found: Json) -> Head | None:
        if not self._task.anchor:
            return None
        kube_system = self._session.get("/api/v1/namespaces/kube-system")
        cluster.identity(kube_system, self._task.cluster_uid or found["scope"]["cluster_uid"], self._session.host)
        return self._anchor.read()

    def _links(self, place: Path) -> list[chain.Link]:
        """The chain so far; nothing is added to a broken one."""
        found = chain.verify(packs.read(place), self._task.schema)
        chain.require_intact(found)
        return found.chains[0].links if found.chains else []

    def _run(self) -> Json:
        signature = {"kind": "sshsig", "namespace": pack.SIGNATURE_NAMESPACE, "identity": self._task.signer}
        return {
            "id": str(uuid.uuid4()),
            "time": datetime.now(tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "by": who(),
            "job": self._task.job,
            "signature": signature if self._task.sign_key else None,
        }

    def _keep(self, place: Path, made: Json, files: dict[str, str]) -> Json:
        head = Head.of(made)
        target = place / pack.name(head)
        written: list[str] = []
        if not self._task.check_mode:
            written = packs.write(target, made, files, self._task.sign_key)
            self._remember(head, target)
        return {
            "changed": True,
            "path": str(target),
            "files": written,
            "verdict": made["facts"]["verdict"],
            "because": made["facts"]["because"],
            "parts": made["facts"]["parts"],
            "consequences": made["facts"]["consequences"],
            "facts_digest": made["facts_digest"],
            "head": head.as_record(),
            "previous": made["previous"],
            "anchored": self._task.anchor and not self._task.check_mode,
            "warnings": _warnings(made),
        }

    def _remember(self, head: Head, target: Path) -> None:
        if not self._task.anchor:
            return
        try:
            self._anchor.write(head)
        except LockdownError as error:
            raise LockdownError(
                error.code,
                f"The evidence is in {target}, but its digest could not be kept in the cluster",
                error.why,
                f"{error.next_step}, or switch the anchor off; the next run catches up",
                obj=error.obj,
                details={**error.details, "path": str(target)},
            ) from error


def _warnings(made: Json) -> list[str]:
    warnings = []
    if made["facts"]["probes"] is None:
        warnings.append("Not probed: the evidence rests on the policies alone, nobody tried whether they are enforced")
    if made["previous"] and made["previous"]["gap"]:
        warnings.append(
            f"The chain of evidence has a gap before pack {made['run']['number']}: {made['previous']['gap']}"
        )
    return warnings


@contextlib.contextmanager
def _alone(place: Path, *, wanted: bool) -> t.Iterator[None]:
    """One run at a time adds to a chain; the next one waits."""
    if not wanted:
        yield
        return
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = (place / ".lock").open("w")
    except OSError as error:
        raise options.invalid("directory", f"{place} cannot be written to: {error.strerror or error}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
