# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which claims the facts show, which they contradict, and which they leave open."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import words
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.controls import (
    CLAIMS,
    CONTRADICTED,
    NOT_SHOWN,
    SHOWN,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.plain import Json

_Judgement = tuple[str, str]


def judge(facts: Json) -> Json:
    """Each claim with its status and the reason for it."""
    found = {name: reader(facts) for name, reader in _READERS.items()}
    return {
        name: {"claim": CLAIMS[name], "status": status, "because": because} for name, (status, because) in found.items()
    }


def _isolated(facts: Json) -> _Judgement:
    pods = facts["audit"].get("pods") or []
    open_pods = [
        pod["name"]
        for pod in pods
        if not (pod.get("isolated") or {}).get("ingress") or not (pod.get("isolated") or {}).get("egress")
    ]
    if not pods:
        return NOT_SHOWN, "no pod matches"
    return _none(open_pods, f"all of {words.count(len(pods), 'pod')}", "not isolated")


def _needed_allowed(facts: Json) -> _Judgement:
    flows = facts["flows"]
    unmet = [flow["id"] for flow in flows if flow.get("met") is False and flow["expect"] == "allow"]
    if not unmet and any(flow.get("met") is None for flow in flows):
        return NOT_SHOWN, "not every flow could be judged"
    return _none(unmet, f"{words.count(len(flows), 'flow')}", "not allowed")


def _justified(facts: Json) -> _Judgement:
    rules = facts["audit"].get("rules") or []
    idle = [f"{rule['policy']} {rule['direction']} rule {rule['index']}" for rule in rules if not rule.get("flows")]
    silent = [flow["id"] for flow in facts["flows"] if not flow["reason"]]
    return _none([*idle, *silent], words.count(len(rules), "rule"), "without a flow or a reason")


def _minimal(facts: Json) -> _Judgement:
    surplus = [f"{item['direction']} {item['protocol']}" for item in facts["audit"].get("surplus") or []]
    return _doubted(facts, _none(surplus, "the surplus is empty for TCP, UDP and SCTP", "not needed"))


def _stored_is_active(facts: Json) -> _Judgement:
    drift = facts["audit"].get("drift") or []
    return _none([str(item["class"]) for item in drift], "no difference", "different")


def _nothing_foreign(facts: Json) -> _Judgement:
    foreign = facts["audit"].get("foreign") or []
    widening = [item["name"] for item in foreign if item["adds"]]
    unknown = [item["name"] for item in foreign if item["adds"] is None]
    if unknown and not widening:
        return NOT_SHOWN, f"not known what they allow: {', '.join(unknown)}"
    return _doubted(facts, _none(widening, "none adds anything", "adding to what is allowed"))


def _sources_known(facts: Json) -> _Judgement:
    targets = facts["targets"]
    parts = [name for name in ("api_server", "dns") if targets.get(name)]
    without = [name for name in parts if not targets[name].get("sources")]
    if not parts:
        return NOT_SHOWN, "no address was resolved"
    if without:
        return NOT_SHOWN, f"given by hand: {', '.join(without)}"
    number = sum(len(targets[name]["sources"]) for name in parts)
    return SHOWN, f"{words.count(number, 'object')} with uid and resourceVersion"


def _enforced(facts: Json) -> _Judgement:
    probes = facts["probes"]
    if probes is None:
        return NOT_SHOWN, "not probed"
    cells = probes["cells"]
    failed = [cell["flow"] for cell in cells if cell["verdict"] == "fail"]
    if failed:
        return CONTRADICTED, f"otherwise than expected: {', '.join(dict.fromkeys(map(str, failed)))}"
    for expected in ("allow", "deny"):
        if not any(cell["expect"] == expected and cell["verdict"] == "pass" for cell in cells):
            return NOT_SHOWN, f"no connection that is to be {'allowed' if expected == 'allow' else 'denied'} was proven"
    if probes["verdict"] != "pass":
        return NOT_SHOWN, "not every connection could be judged"
    return SHOWN, f"{words.count(len(cells), 'connection')} as expected"


def _none(bad: t.Sequence[str], good: str, what: str) -> _Judgement:
    return (CONTRADICTED, f"{what}: {', '.join(dict.fromkeys(bad))}") if bad else (SHOWN, good)


def _doubted(facts: Json, judgement: _Judgement) -> _Judgement:
    """What an audit that is itself in doubt found to be absent is not shown to be absent."""
    if judgement[0] == SHOWN and facts["parts"]["policies"] == "inconclusive":
        return NOT_SHOWN, "the policies could not be judged completely"
    return judgement


_READERS: dict[str, t.Callable[[Json], _Judgement]] = {
    "isolated": _isolated,
    "needed_allowed": _needed_allowed,
    "justified": _justified,
    "minimal": _minimal,
    "stored_is_active": _stored_is_active,
    "nothing_foreign": _nothing_foreign,
    "sources_known": _sources_known,
    "enforced": _enforced,
}
