# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a policy permits, as a set of sentences; the difference of two sets is the semantic diff."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import cilium_policy, selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.policy import (
    DIRECTIONS,
    Policy,
    isolates,
    normal_selector,
    normal_spec,
    selector_of,
)


def permissions(policy: Policy) -> set[str]:
    """One sentence for each peer and port that the policy permits."""
    if cilium_policy.is_one(policy):
        return cilium_policy.permissions(policy)
    spec = normal_spec(policy)
    subject = _subject(policy)
    return {
        _sentence(direction, subject, peer, port)
        for direction, rules, peers in DIRECTIONS
        for rule in spec[rules]
        for peer in rule[peers] or [None]
        for port in rule["ports"] or [None]
    }


def isolations(policy: Policy) -> set[tuple[str, str]]:
    """(direction, subject) for each direction in which the policy isolates its pods."""
    subject = _subject(policy)
    return {(direction.lower(), subject) for direction in isolates(policy)}


def difference(before: Policy | None, after: Policy | None) -> tuple[list[str], list[str]]:
    """(gains, losses) of the traffic that is permitted, from one state of a policy to another."""
    had, has = (permissions(policy) if policy else set() for policy in (before, after))
    bound, binds = (isolations(policy) if policy else set() for policy in (before, after))
    freed = [f"any {way} of {who}, unless another policy isolates them" for way, who in sorted(bound - binds)]
    taken = [f"any {way} of {who} that no policy permits" for way, who in sorted(binds - bound)]
    return sorted(has - had) + freed, sorted(had - has) + taken


def describe_peer(peer: Policy | None) -> str:
    """A NetworkPolicyPeer for people; None is everyone."""
    if peer is None:
        return "everyone"
    if peer.get("ipBlock"):
        block = peer["ipBlock"]
        excepted = f" except {', '.join(block['except'])}" if block.get("except") else ""
        return f"{block['cidr']}{excepted}"
    pods = _pods(peer.get("podSelector"))
    if peer.get("namespaceSelector") is None:
        return f"{pods} of this namespace"
    return f"{pods} of {_namespaces(peer['namespaceSelector'])}"


def _namespaces(selector: selectors.Selector) -> str:
    names = _plain_names(selector)
    if names:
        return f"namespace{'s' if len(names) > 1 else ''} {', '.join(names)}"
    described = selectors.describe(selector, "")
    return f"namespaces [{described}]" if described else "all namespaces"


def _plain_names(selector: selectors.Selector) -> list[str]:
    """The names, where the selector is exactly a list of namespace names."""
    labels, rules = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
    if set(labels) == {selectors.NAMESPACE_NAME_LABEL} and not rules:
        return [labels[selectors.NAMESPACE_NAME_LABEL]]
    if not labels and len(rules) == 1 and rules[0]["operator"] == "In":
        return list(rules[0]["values"]) if rules[0]["key"] == selectors.NAMESPACE_NAME_LABEL else []
    return []


def _subject(policy: Policy) -> str:
    return _pods(normal_selector(selector_of(policy)))


def _pods(selector: selectors.Selector | None) -> str:
    described = selectors.describe(selector, "")
    return f"pods [{described}]" if described else "all pods"


def _sentence(direction: str, subject: str, peer: Policy | None, port: t.Mapping[str, t.Any] | None) -> str:
    verb = "accept" if direction == "Ingress" else "open"
    preposition = "from" if direction == "Ingress" else "to"
    return f"{subject} {verb} {_describe_port(port)} {preposition} {describe_peer(peer)}"


def _describe_port(port: t.Mapping[str, t.Any] | None) -> str:
    if port is None:
        return "all ports"
    if "port" not in port:
        return f"all {port['protocol']} ports"
    end = f"-{port['endPort']}" if "endPort" in port else ""
    return f"{port['protocol']} {port['port']}{end}"
