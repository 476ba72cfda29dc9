# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of an audit: the verdict, and everything it rests on, in plain types and a stable order."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit import blast, drift, findings, foreign
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.case import Case, Question
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.judge import (
    OWN_SIDE,
    Part,
    RuleName,
    Use,
    isolating,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.wanted import grace
from ansible_collections.netguard.lockdown.plugins.module_utils._core.options import PROTOCOLS
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import ports
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.masks import members
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.policies import EGRESS, INGRESS
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import World

Json = dict[str, t.Any]

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"


def audit(world: World, question: Question) -> Json:
    """Judge the policies of a world against flows."""
    case = Case.of(world, question)
    result: Json = {
        "pods": _pods(case),
        "flows": [{**each.flow.as_record(), "met": case.judgement.met[each.flow.id]} for each in case.wanted],
        "missing": [_missing(case, part) for part in case.judgement.missing],
        "surplus": [
            *(_surplus(case, part) for part in case.judgement.surplus),
            *(_forbidden(case, part) for part in case.judgement.forbidden),
        ],
        "rules": [_rule(case, use) for use in case.judgement.uses],
        "foreign": foreign.records(case),
        "grace": _grace(case),
        "drift": drift.records(case),
        "blast_radius": blast.records(case),
        "ignored": dict(sorted(world.ignored.items())),
    }
    result["minimality"] = _minimality(result)
    result["findings"] = [finding.as_record() for finding in findings.found(case, result)]
    result["inconclusive_because"] = findings.doubts(case, result)
    result["verdict"] = _verdict(result)
    result["summary"] = _summary(case, result)
    return result


def _verdict(result: Json) -> str:
    if result["missing"] or result["surplus"] or result["drift"]:
        return FAIL
    return INCONCLUSIVE if result["inconclusive_because"] else PASS


def _summary(case: Case, result: Json) -> Json:
    rules = result["rules"]
    return {
        "pods": len(result["pods"]),
        "policies": sum(bool(mask & case.judgement.scope) for mask in case.compiled.subjects),
        "flows": len(result["flows"]),
        "flows_met": sum(flow["met"] is True for flow in result["flows"]),
        "rules": len(rules),
        "rules_needed": sum(rule["needed"] for rule in rules),
        "rules_dead": sum(rule["dead"] for rule in rules),
        "rules_redundant": sum(rule["redundant"] for rule in rules),
        **{name: len(result[name]) for name in ("missing", "surplus", "foreign", "grace", "drift", "findings")},
    }


def _minimality(result: Json) -> Json:
    """The proof in numbers: nothing too much, and no rule without a flow that needs it."""
    rules = result["rules"]
    surplus = {name: sum(part["protocol"] == name for part in result["surplus"]) for name in PROTOCOLS}
    numbers = {
        "surplus": surplus,
        "rules": len(rules),
        "rules_with_flow": sum(bool(rule["flows"]) for rule in rules),
        "rules_with_reason": sum(bool(rule["reasons"]) and all(rule["reasons"]) for rule in rules),
        "rules_needed": sum(rule["needed"] for rule in rules),
    }
    minimal = not any(surplus.values()) and numbers["rules_with_reason"] == numbers["rules_needed"] == len(rules)
    return {"minimal": minimal, **numbers}


def _pods(case: Case) -> list[Json]:
    found = []
    seen: set[str] = set()
    for group in members(case.judgement.scope):
        for pod in case.describer.pods(1 << group):
            if str(pod) in seen:
                continue
            seen.add(str(pod))
            selecting = [
                policy.name
                for policy, mask in zip(case.policies, case.compiled.subjects, strict=True)
                if mask >> group & 1
            ]
            found.append(
                {
                    "namespace": pod.namespace,
                    "name": pod.name,
                    "address": str(pod.addresses[0]) if pod.addresses else "",
                    "node": pod.node,
                    "policies": sorted(selecting),
                    "isolated": {
                        name: bool(case.compiled.side(name).isolated >> group & 1) for name in (INGRESS, EGRESS)
                    },
                }
            )
    return sorted(found, key=lambda pod: (pod["namespace"], pod["name"]))


def _ends(case: Case, part: Part) -> Json:
    subjects, peers = case.describer.ends(part.subjects), case.describer.ends(part.others)
    return {
        "subject": str(subjects),
        "pods": _names(subjects.pods) or subjects.imagined,
        "direction": part.direction,
        "peer": str(peers),
        "peer_set": peers.as_record(),
        "exists": peers.exist,
        **ports.as_records(part.ports)[0],
    }


def _names(by_namespace: t.Mapping[str, list[str]]) -> list[str]:
    return [f"{namespace}/{name}" for namespace, names in by_namespace.items() for name in names]


def _missing(case: Case, part: Part) -> Json:
    flow = part.flow
    return {
        "flow": flow.id if flow else "",
        "reason": flow.reason if flow else "",
        **_ends(case, part),
        "side": part.side,
        "because": _why_missing(case, part),
    }


def _why_missing(case: Case, part: Part) -> str:
    near = part.side == OWN_SIDE
    direction = part.direction if near else (INGRESS if part.direction == EGRESS else EGRESS)
    bound = part.subjects if near else part.others
    names = sorted({name for group in members(bound) for name in _isolating(case, direction, group)})
    who = case.describer.ends(bound)
    return f"{', '.join(names)} isolate{'s' * (len(names) == 1)} {who} for {direction}, and no rule allows it"


def _isolating(case: Case, direction: str, group: int) -> list[str]:
    return isolating(case.policies, case.compiled.subjects, direction, group)


def _surplus(case: Case, part: Part) -> Json:
    by = [rule_record(case, name) for name in part.by]
    if by:
        because = "; ".join(f"{each['policy']} {each['direction']}[{each['index']}]" for each in by) + " allows it"
    else:
        because = f"no policy isolates these pods for {part.direction}"
    return {**_ends(case, part), "by": by, "because": because, "flow": None}


def _forbidden(case: Case, part: Part) -> Json:
    flow = part.flow
    name = flow.id if flow else ""
    return {
        **_ends(case, part),
        "by": [],
        "because": f"flow {name} is to be denied, and the policies allow it",
        "flow": name,
    }


def rule_record(case: Case, name: RuleName) -> Json:
    policy = case.policies[name.policy]
    return {
        "policy": policy.name,
        "namespace": policy.namespace,
        "kind": policy.kind,
        "direction": name.direction,
        "index": name.rule,
    }


def _rule(case: Case, use: Use) -> Json:
    peers = case.describer.ends(use.others)
    return {
        **rule_record(case, use.name),
        "allows": f"{ports.describe(use.ports)} {'to' if use.name.direction == EGRESS else 'from'} {peers}",
        "flows": [flow.id for flow in use.flows],
        "reasons": [flow.reason for flow in use.flows],
        "needed": use.needed,
        "dead": use.dead,
        "redundant": use.redundant,
        "ours": use.name.policy in case.ours,
    }


def _grace(case: Case) -> list[Json]:
    """Addresses that have vanished and may still be reached for a while."""
    found = []
    for each in grace(case.question.targets):
        place = case.universe.places.at(each.point)
        group = case.universe.group_of(place)
        found.append(
            {
                "address": str(each.point),
                "port": each.port,
                "vanished_at": each.vanished_at,
                "until": each.until,
                "allowed": group is not None and _may_open(case, group, each.port),
            }
        )
    return found


def _may_open(case: Case, group: int, port: int) -> bool:
    return any(
        mask >> group & 1 and ports.holds(granted, "TCP", port)
        for subject in members(case.judgement.scope)
        for mask, granted in case.compiled.permitted(EGRESS, subject)
    )
