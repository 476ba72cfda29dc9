# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one CiliumNetworkPolicy that this collection writes: it names the API server, and only adds.

A NetworkPolicy isolates the pods that it selects. This one must not: `enableDefaultDeny` is off for
both directions where Cilium knows that field (1.16 or newer). Reading one is total, because others
may have edited it.
"""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.canonical import canonical_json
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

Policy = t.Mapping[str, t.Any]
Json = dict[str, t.Any]

API_VERSION, KIND, RESOURCE = "cilium.io/v2", "CiliumNetworkPolicy", "ciliumnetworkpolicies"
ENTITY = "kube-apiserver"

SWITCH = "enableDefaultDeny"
_OFF = {"ingress": False, "egress": False}
_LISTS = ("ingress", "egress", "ingressDeny", "egressDeny")
_SENTENCE_ENDS = "to the API server (entity kube-apiserver)"


def is_one(policy: Policy) -> bool:
    return bool(policy.get("kind") == KIND)


def isolates(policy: Policy) -> list[str]:
    """The directions that it isolates: what the switch says, without it those that have rules."""
    spec = policy["spec"]
    switch = spec.get(SWITCH) or {}
    return [
        direction
        for direction, key in (("Ingress", "ingress"), ("Egress", "egress"))
        if switch.get(key, bool(spec.get(key) or spec.get(f"{key}Deny")))
    ]


def is_additive(policy: Policy) -> bool:
    """Whether it permits without isolating anything."""
    return is_one(policy) and not isolates(policy)


def rules(policy: Policy, direction: str) -> list[Json]:
    return list(policy["spec"].get(direction.lower()) or [])


def selector(policy: Policy) -> Policy:
    return dict(policy["spec"].get("endpointSelector") or {})


def normal_spec(policy: Policy) -> Json:
    """What decides over traffic, without what means nothing. Further rule sets (`specs`) count too."""
    spec = policy["spec"]
    normal: Json = {"endpointSelector": selector(policy)}
    for key in _LISTS:
        if spec.get(key):
            normal[key] = sorted(spec[key], key=canonical_json)
    if spec.get(SWITCH) is not None:
        normal[SWITCH] = {**spec[SWITCH]}
    if policy.get("specs"):
        normal["specs"] = list(policy["specs"])
    return normal


def apply_configuration(definition: Policy) -> Json:
    """The body for server-side apply: every list is there, so that none that someone adds can survive."""
    spec = {**{key: [] for key in _LISTS}, **definition["spec"]}
    return {**definition, "spec": spec, "specs": []}


def as_stored(definition: Policy, answer: Policy) -> Policy:
    """The definition as far as this Cilium keeps it: its resource may not know the switch."""
    if not is_one(definition) or SWITCH in answer["spec"]:
        return definition
    return without_switch(definition)


def without_switch(definition: Policy) -> Policy:
    return {**definition, "spec": {key: part for key, part in definition["spec"].items() if key != SWITCH}}


def validity(policy: Policy) -> tuple[bool | None, str]:
    """Whether Cilium has accepted it, None as long as it has not said so, and its words."""
    for condition in (policy.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Valid":
            return condition.get("status") == "True", str(condition.get("message") or "")
    return None, ""


def permissions(policy: Policy) -> set[str]:
    """One sentence for each port; a rule of another form is quoted."""
    chosen = selectors.describe(selector(policy), "")
    subject = f"pods [{chosen}]" if chosen else "all pods"
    found = {sentence for rule in rules(policy, "Egress") for sentence in _sentences(subject, rule)}
    found |= {f"{subject} accept {canonical_json(rule)}" for rule in rules(policy, "Ingress")}
    return found | {f"pods of a further rule set: {canonical_json(spec)}" for spec in policy.get("specs") or []}


def check_spec(spec: t.Any, where: str) -> None:
    """Refuse every form but the one that is written here."""
    if not isinstance(spec, t.Mapping):
        raise _invalid(where, "spec is missing")
    extra = sorted(str(key) for key in set(spec) - {"endpointSelector", "egress", SWITCH})
    if extra:
        raise _invalid(where, f"unknown keys {', '.join(extra)}; known are endpointSelector, egress and {SWITCH}")
    selectors.validate(spec.get("endpointSelector"), f"{where}.spec.endpointSelector")
    if SWITCH in spec and spec[SWITCH] != _OFF:
        raise _invalid(where, f"spec.{SWITCH} must be off for ingress and egress: the policy shall only add")
    listed = spec.get("egress")
    if not isinstance(listed, list) or not listed:
        raise _invalid(where, "spec.egress is a list of at least one rule")
    for index, rule in enumerate(listed):
        if _ports(rule) is None:
            raise _invalid(
                f"{where}.spec.egress[{index}]",
                f"the only rule is toEntities: [{ENTITY}] with toPorts: [{{ports: [{{port: NUMBER AS TEXT, "
                "protocol: TCP}]}]",
            )


def _sentences(subject: str, rule: t.Any) -> list[str]:
    ports = _ports(rule)
    if ports is None:
        return [f"{subject} open {canonical_json(rule)}"]
    return [f"{subject} open TCP {port} {_SENTENCE_ENDS}" for port in ports]


def _ports(rule: t.Any) -> list[str] | None:
    """The ports of a rule of our form; None for any other."""
    try:
        (listed,) = rule["toPorts"]
        ports = [str(port["port"]) for port in listed["ports"] if set(port) == {"port", "protocol"}]
        mine = set(rule) == {"toEntities", "toPorts"} and rule["toEntities"] == [ENTITY] and set(listed) == {"ports"}
        numbers = all(isinstance(port["port"], str) and _is_number(port["port"]) for port in listed["ports"])
        tcp = all(port.get("protocol") == "TCP" for port in listed["ports"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    whole = bool(ports) and len(ports) == len(listed["ports"])
    return ports if mine and numbers and tcp and whole else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


def _invalid(where: str, why: str) -> LockdownError:
    return LockdownError("invalid_policy", f"Invalid policy in {where}", why, "Correct the definition")
