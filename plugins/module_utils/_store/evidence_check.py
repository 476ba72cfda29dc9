# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of module evidence_info: verify what is in a directory, alone or against the heads that clusters keep."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.netguard.lockdown.plugins.module_utils._core import cluster
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import chain
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.pack import Head
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.plain import mapping
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.evidence_anchor import EvidenceAnchor
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session
from ansible_collections.netguard.lockdown.plugins.module_utils._store import packs


def verify(session: Session, params: t.Mapping[str, t.Any]) -> Json:
    directory = Path(params["directory"]).absolute()
    schema = mapping(params["schema"], "schema")
    allowed_signers = params["allowed_signers"] or ""
    if allowed_signers and not Path(allowed_signers).is_file():
        raise LockdownError(
            "no_allowed_signers",
            "Cannot verify signatures",
            f"there is no file {allowed_signers}",
            "Give a file as described under ALLOWED SIGNERS in ssh-keygen(1)",
        )
    files = packs.read(directory, allowed_signers)
    if not files:
        raise LockdownError(
            "no_evidence",
            "There is no evidence to verify",
            f"{directory} holds no {packs.PACK}",
            "Correct the directory; it may have been lost with an execution environment",
        )
    anchors = None
    if params["anchor"]:
        anchors = _anchors(session, chain.verify(files, schema), params["cluster_uid"] or "")
    return {"changed": False, "directory": str(directory), **chain.verify(files, schema, anchors).as_record()}


def _anchors(session: Session, found: chain.Verification, wanted: str) -> dict[chain.Scope, Head | None]:
    """What this cluster remembers of its own chains; those of other clusters are not compared."""
    kube_system = session.get("/api/v1/namespaces/kube-system")
    uid = cluster.identity(kube_system, wanted, session.host)
    scopes = [one.scope for one in found.chains if one.scope[0] == uid]
    # What is broken is told anyway, and may be the chain that is looked for.
    if not scopes and not found.broken:
        raise LockdownError(
            "no_evidence_of_cluster",
            "There is no evidence of this cluster to verify",
            f"its uid is {uid}, and all chains are of {', '.join(sorted({one.scope[0] for one in found.chains}))}",
            "Find out where its chain has gone, or compare with no cluster (anchor: false)",
        )
    return {scope: EvidenceAnchor(session, scope[1], scope[2]).read() for scope in scopes}
