# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what was read, judged and observed to the facts of a pack and their verdict.

Equal input gives equal facts: what differs from run to run although nothing changed, such as the time a probe took, is
left out.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import canary_verdict, ignite_symptoms, options
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import canary, claims, controls, words
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.plain import Json, mapping

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"
NOT_PROBED, NOT_CHECKED = "not_probed", "not_checked"
VERDICTS = (PASS, FAIL, INCONCLUSIVE)

_KEYS = (
    "namespace",
    "instance",
    "profile",
    "targets",
    "ignite",
    "definitions",
    "findings",
    "audit",
    "probes",
    "topology",
    "canary",
)
_TARGET_PARTS = ("cluster", "api_server", "dns", "engine")
_AUDIT_NOISE = ("changed", "failed", "invocation", "warnings", "deprecations", "exception", "diff")
# What the options say in general, the audit says of the pods and rules that are there.
_SAID_BY_THE_AUDIT = {
    "dns_is_a_way_out": "dns_carries_out",
    "peer_by_namespace_labels": "settable_namespace_labels",
    "peer_by_pod_labels": "settable_pod_labels",
}
# None is no fault of the policies: what was not run is said by its own part.
_CANARY_GRADES = {
    canary_verdict.ENFORCED: PASS,
    canary_verdict.NOT_ENFORCED: FAIL,
    canary_verdict.INCONCLUSIVE: INCONCLUSIVE,
    canary.NOT_RUN: PASS,
}
_CELL_NOISE = ("attempts", "seconds")
_TOPOLOGY_NOISE = ("seconds", "cluster")


@dataclass(frozen=True)
class Inputs:
    """Everything that the facts are made of, in plain types.

    :arg ignite: what Ignite's own configuration says; None if it was not read.
    :arg probes: the result of the probes; None if nothing was probed.
    :arg topology: what the servers themselves say of their ring; None if nobody asked.
    :arg canary: the result of the canary; None if none was run.
    :arg accept_not_probed: whether a verdict may rest on the policies alone.
    """

    namespace: str
    instance: str
    profile: str
    targets: Json
    ignite: Json | None
    definitions: list[Json]
    findings: list[Json]
    audit: Json
    probes: Json | None
    topology: Json | None
    canary: t.Any
    accept_not_probed: bool

    @classmethod
    def read(cls, given: t.Any, *, accept_not_probed: bool) -> Inputs:
        fields = mapping(given, "evidence")
        options.reject_unknown(fields, _KEYS, "evidence")
        absent = [name for name in ("namespace", "instance", "targets", "audit") if not fields.get(name)]
        if absent:
            raise options.invalid("evidence", f"it lacks {', '.join(absent)}")
        targets = options.mapping(fields["targets"], "evidence.targets")
        return cls(
            namespace=options.dns_label(fields["namespace"], "evidence.namespace"),
            instance=options.dns_label(fields["instance"], "evidence.instance"),
            profile=str(fields.get("profile") or ""),
            targets={name: targets.get(name) for name in _TARGET_PARTS},
            ignite=options.mapping(fields["ignite"], "evidence.ignite") if fields.get("ignite") else None,
            definitions=options.entries(fields.get("definitions"), "evidence.definitions"),
            findings=options.entries(fields.get("findings"), "evidence.findings"),
            audit=_judged(fields["audit"], "evidence.audit"),
            probes=_optional(fields.get("probes"), "evidence.probes"),
            topology=_optional(fields.get("topology"), "evidence.topology"),
            canary=fields.get("canary"),
            accept_not_probed=accept_not_probed,
        )


def collect(inputs: Inputs) -> Json:
    audit = {name: value for name, value in inputs.audit.items() if name not in (*_AUDIT_NOISE, "flows")}
    probes, topology = _probes(inputs.probes), _topology(inputs.topology)
    uid = _uid(inputs)
    flown = canary.read(inputs.canary, "evidence.canary", uid, inputs.namespace)
    flows = options.entries(inputs.audit.get("flows"), "evidence.audit.flows")
    parts = {
        "policies": inputs.audit["verdict"],
        "probes": probes["verdict"] if probes else NOT_PROBED,
        "topology": topology["verdict"] if topology else NOT_CHECKED,
        "canary": canary.part(flown, audit.get("pods") or []),
    }
    facts: Json = {
        "scope": {
            "cluster_uid": uid,
            "namespace": inputs.namespace,
            "instance": inputs.instance,
        },
        "parts": parts,
        "profile": inputs.profile,
        "targets": inputs.targets,
        "ignite": inputs.ignite,
        "flows": flows,
        "policies": inputs.definitions,
        "audit": audit,
        "probes": probes,
        "topology": topology,
        "canary": flown,
        "findings": _findings(inputs),
        "accepted": {"not_probed": inputs.accept_not_probed},
    }
    facts["consequences"] = ignite_symptoms.consequences(_situation(facts))
    facts["verdict"], facts["because"] = _verdict(facts)
    facts["claims"] = claims.judge(facts)
    facts["controls"] = controls.assess(facts["claims"])
    return facts


def _judged(given: t.Any, where: str) -> Json:
    """A result with a verdict."""
    found = options.mapping(given, where)
    options.choice(found.get("verdict"), f"{where}.verdict", VERDICTS)
    return found


def _optional(given: t.Any, where: str) -> Json | None:
    """A result that may be absent; one of check mode, which observed nothing, is absent too."""
    if options.is_unset(given) or given == {}:
        return None
    found = options.mapping(given, where)
    if found.get("probed") is False:
        return None
    return _judged(found, where)


def _uid(inputs: Inputs) -> str:
    """The cluster, for a chain belongs to one."""
    uid = (inputs.targets["cluster"] or {}).get("uid")
    if not isinstance(uid, str) or not uid:
        raise LockdownError(
            "evidence_without_cluster",
            "Cannot make evidence of a cluster that is not known",
            "targets.cluster.uid, the uid of namespace kube-system, is missing",
            "Give the targets as cluster_network_info found them",
        )
    return uid


def _probes(given: Json | None) -> Json | None:
    if given is None:
        return None
    cells = [
        {name: value for name, value in cell.items() if name not in _CELL_NOISE}
        for cell in options.entries(given.get("cells"), "evidence.probes.cells")
    ]
    # Connections come and go; what counts is that none is forbidden.
    sockets = [
        {name: value for name, value in socket.items() if name != "local"}
        for socket in options.entries(given.get("sockets"), "evidence.probes.sockets")
        if socket.get("forbidden")
    ]
    kept = {name: value for name, value in given.items() if name not in (*_AUDIT_NOISE, "cells", "sockets")}
    return {**kept, "cells": cells, "sockets": sockets}


def _topology(given: Json | None) -> Json | None:
    if given is None:
        return None
    return {name: value for name, value in given.items() if name not in (*_AUDIT_NOISE, *_TOPOLOGY_NOISE)}


def _findings(inputs: Inputs) -> list[Json]:
    """What the configuration and the audit found, in one form; each only once."""
    judged = {found["id"] for found in options.entries(inputs.audit.get("findings"), "evidence.audit.findings")}
    listed = [
        {
            "id": found["code"],
            "severity": found["level"],
            "where": found.get("where", ""),
            "sentence": found["message"],
            "mitigation": found.get("fix", ""),
        }
        for found in inputs.findings
        if _SAID_BY_THE_AUDIT.get(found["code"]) not in judged
    ] + [
        {
            "id": found["id"],
            "severity": found["severity"],
            "where": found.get("where", ""),
            "sentence": found["sentence"],
            "mitigation": found.get("mitigation", ""),
        }
        for found in options.entries(inputs.audit.get("findings"), "evidence.audit.findings")
    ]
    return [item for index, item in enumerate(listed) if item not in listed[:index]]


def _situation(facts: Json) -> ignite_symptoms.Situation:
    return ignite_symptoms.Situation(
        flows=facts["flows"],
        unmet=_unmet(facts),
        servers=len(facts["audit"].get("pods") or []),
        open_ways={item["direction"] for item in facts["audit"].get("surplus") or []},
        targets=facts["targets"],
    )


def _unmet(facts: Json) -> list[Json]:
    return [flow for flow in facts["flows"] if flow.get("met") is False and flow["expect"] == "allow"]


def _verdict(facts: Json) -> tuple[str, list[str]]:
    """The worst of the parts, and a sentence for each that is not good."""
    reasons = [(grade, sentence) for grade, sentence in _reasons(facts) if grade != PASS]
    grades = {grade for grade, _sentence in reasons}
    verdict = next((grade for grade in (FAIL, INCONCLUSIVE) if grade in grades), PASS)
    return verdict, [sentence for grade, sentence in sorted(reasons, key=lambda one: one[0] != FAIL)]


def _reasons(facts: Json) -> t.Iterator[tuple[str, str]]:
    parts, audit = facts["parts"], facts["audit"]
    yield parts["policies"], _policies_sentence(parts["policies"], facts)
    for sentence in audit.get("inconclusive_because") or []:
        yield INCONCLUSIVE, str(sentence)
    if parts["probes"] == NOT_PROBED:
        grade = PASS if facts["accepted"]["not_probed"] else INCONCLUSIVE
        yield grade, "Not probed: whether the network engine enforces the policies was not observed"
    else:
        yield parts["probes"], _probes_sentence(facts["probes"])
        forbidden = len(facts["probes"]["sockets"])
        if forbidden:
            yield FAIL, f"{words.count(forbidden, 'open connection')} that no flow allows"
    if parts["topology"] != NOT_CHECKED:
        reasons = "; ".join(map(str, facts["topology"].get("reasons") or []))
        yield parts["topology"], f"The servers: {reasons}" if reasons else "The servers are one cluster"
    yield _CANARY_GRADES[parts["canary"]], canary.sentence(facts["canary"], audit.get("pods") or [])


def _policies_sentence(verdict: str, facts: Json) -> str:
    audit = facts["audit"]
    parts = [
        (
            len(_unmet(facts)),
            "needed flow is",
            "needed flows are",
            "not allowed",
        ),
        (len(audit.get("surplus") or []), "surplus permission", "surplus permissions", "found"),
        (len(audit.get("drift") or []), "difference", "differences", "from the rendered policies"),
    ]
    told = [f"{words.count(number, one, many)} {rest}" for number, one, many, rest in parts if number]
    doubt = "cannot be judged completely" if verdict == INCONCLUSIVE else "are not what is needed"
    return f"The policies {doubt}" + (f": {', '.join(told)}" if told else "")


def _probes_sentence(probes: Json) -> str:
    cells = probes["cells"]
    bad = [cell for cell in cells if cell["verdict"] == FAIL]
    unsure = [cell for cell in cells if cell["verdict"] == INCONCLUSIVE]
    if bad:
        return f"{words.count(len(bad), 'connection')} of {len(cells)} did not behave as the flows say"
    return f"{words.count(len(unsure), 'connection')} of {len(cells)} could not be judged"
