# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Residual risks beside the verdict, each with a stable id and what to do about it; and what is in doubt."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, replace

from ansible_collections.netguard.lockdown.plugins.module_utils._core import peers as wide
from ansible_collections.netguard.lockdown.plugins.module_utils._core import selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.case import Case
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.masks import label_keys
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.policies import PodPeer
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.profile import PRE_DNAT

Json = dict[str, t.Any]

WARNING, NOTE = "warning", "note"


@dataclass(frozen=True)
class Finding:
    """:arg id: stable; with `where` it names the same finding in the next audit."""

    id: str
    severity: str
    where: str
    sentence: str
    mitigation: str

    def as_record(self) -> Json:
        return asdict(self)


def found(case: Case, result: Json) -> list[Finding]:
    """Everything that a reviewer should know, in a stable order; what is the same in several places once."""
    every = [
        *_pods(case),
        *_rules(result),
        *_peers(case),
        *_blast(result),
        *_foreign(result),
        *_grace(result),
        *_always(),
    ]
    places: dict[Finding, list[str]] = {}
    for each in every:
        places.setdefault(replace(each, where=""), []).append(each.where)
    joined = [replace(each, where=", ".join(sorted(set(where)))) for each, where in places.items()]
    return sorted(joined, key=lambda each: (each.severity != WARNING, each.id, each.where))


def doubts(case: Case, result: Json) -> list[str]:
    """Why a verdict of pass would claim too much; empty if nothing is in doubt."""
    sentences = [*case.question.unread, *map(str, case.world.problems)]
    sentences += [
        f"{each['kind']} {each['name']} selects these pods, and {each['because']}"
        for each in result["foreign"]
        if each["effect"] == "unknown"
    ]
    on_link = case.judgement.on_link
    if on_link:
        sentences.append(
            f"{', '.join(on_link)} end at a link-local address, and if a node answers there, no rule of this engine "
            "is certain to match"
        )
    untold = [flow["id"] for flow in result["flows"] if flow["met"] is None and flow["id"] not in on_link]
    if untold:
        sentences.append(f"policies whose effect cannot be told may decide over {', '.join(untold)}")
    if not result["pods"]:
        sentences.append(f"no living pod of namespace {case.question.namespace} is one that flows start from or end at")
    sentences += _assumed(case)
    if case.question.profile.judges == PRE_DNAT and any(rule.direction == "egress" for rule in _own_rules(case)):
        sentences.append(
            "this engine judges egress before the address of a Service is translated: pods that are reached through "
            "a Service are matched by its address, which rules by pod labels say only on some engines"
        )
    return list(dict.fromkeys(sentences))


def _own_rules(case: Case) -> t.Iterator[t.Any]:
    for number, policy in enumerate(case.policies):
        if case.compiled.subjects[number] & case.judgement.scope:
            yield from policy.rules


def _assumed(case: Case) -> t.Iterator[str]:
    """Namespaces whose labels nobody gave, where a rule asks for labels."""
    assumed = sorted(each.name for each in case.world.namespaces.values() if each.assumed)
    asked = {
        key
        for rule in _own_rules(case)
        for peer in rule.peers or ()
        if isinstance(peer, PodPeer)
        for key in label_keys(peer.namespace_selector or {})
    } - {selectors.NAMESPACE_NAME_LABEL}
    if assumed and asked:
        yield (
            f"the labels of namespace{'s' * (len(assumed) > 1)} {', '.join(assumed)} are not known, "
            f"and rules ask for {', '.join(sorted(asked))}"
        )


def _pods(case: Case) -> t.Iterator[Finding]:
    namespace = case.question.namespace
    covered = {str(pod) for pod in case.describer.pods(case.judgement.scope)}
    hosted, others = [], []
    for pod in case.world.pods.values():
        if pod.namespace == namespace and pod.host_network:
            hosted.append(pod.name)
        elif pod.namespace == namespace and str(pod) not in covered:
            others.append(pod.name)
    if hosted:
        yield Finding(
            "host_network_pods",
            WARNING,
            namespace,
            f"{', '.join(sorted(hosted))} use their node's network, where no policy takes effect",
            "Run them with a network of their own, or in another namespace",
        )
    if others:
        yield Finding(
            "pods_without_flows",
            NOTE,
            namespace,
            f"no flow speaks of {', '.join(sorted(others))}, so this audit does not judge what they may reach",
            "Give them flows and an audit of their own, or move them to another namespace",
        )


def _rules(result: Json) -> t.Iterator[Finding]:
    for rule in result["rules"]:
        where = f"{rule['policy']} {rule['direction']}[{rule['index']}]"
        if rule["dead"]:
            yield Finding(
                "dead_rule",
                NOTE,
                where,
                "this rule can match nothing: there is nobody at its peers on its ports, as this engine judges",
                "Remove it, or find out what it was meant for; the address of a Service is none after translation",
            )
        elif rule["redundant"]:
            yield Finding(
                "redundant_rule",
                NOTE,
                where,
                "the other rules allow all that this one allows",
                "Remove it, so that each rule has one reason",
            )
        elif not rule["needed"]:
            yield Finding(
                "unneeded_rule",
                WARNING,
                where,
                "no flow needs this rule",
                "Remove it, or write down the flow that needs it, with its reason",
            )


def _peers(case: Case) -> t.Iterator[Finding]:
    """Peers that more than their owner can join."""
    for number, policy in enumerate(case.policies):
        if not case.compiled.subjects[number] & case.judgement.scope:
            continue
        for rule in policy.rules:
            where = f"{policy.name} {rule.direction}[{rule.number}]"
            if rule.peers is None:
                yield Finding(
                    "everyone", WARNING, where, "this rule names no peer, and that means everyone", "Name its peers"
                )
            for peer in rule.peers or ():
                if isinstance(peer, PodPeer):
                    yield from _pod_peer(peer, where)


def _pod_peer(peer: PodPeer, where: str) -> t.Iterator[Finding]:
    if peer.namespace_selector is not None and wide.is_wide(dict(peer.namespace_selector)):
        yield Finding(
            "every_namespace",
            WARNING,
            where,
            "its peers may be in any namespace: whoever may create pods somewhere can join them",
            "Name the namespaces",
        )
    elif peer.namespace_selector is not None and _is_settable(peer.namespace_selector):
        named = selectors.describe(peer.namespace_selector, "any")
        yield Finding(
            "settable_namespace_labels",
            WARNING,
            where,
            f"its peers are in namespaces with {named}: whoever may label a namespace can join them",
            "Select namespaces by name (kubernetes.io/metadata.name), which nobody can set",
        )
    if peer.pod_selector is None or wide.is_wide(dict(peer.pod_selector)):
        yield Finding(
            "every_pod",
            WARNING,
            where,
            "its peers are all pods of their namespaces",
            "Select the pods by label",
        )
    else:
        yield Finding(
            "settable_pod_labels",
            NOTE,
            where,
            f"its peers are pods with {selectors.describe(peer.pod_selector, 'any')}: whoever may create pods there "
            "can join them",
            "Restrict who may create pods in these namespaces, and demand TLS with client certificates on the port",
        )


def _is_settable(selector: selectors.Selector) -> bool:
    return set(label_keys(selector)) != {selectors.NAMESPACE_NAME_LABEL}


def _blast(result: Json) -> t.Iterator[Finding]:
    for each in result["blast_radius"]:
        pods = ", ".join(each["pods"])
        if each["dns"]["carries_out"]:
            yield Finding(
                "dns_carries_out",
                WARNING,
                pods,
                f"a pod that is taken over can send data out in DNS questions: {each['dns']['because']}",
                "Use profile minimal, which needs no DNS, or a DNS for this namespace that forwards nothing",
            )
        for account in each["service_accounts"]:
            yield from _account(account)
        if each["node"]["host_network_pods"]:
            yield Finding(
                "own_node",
                NOTE,
                pods,
                f"a pod always reaches its own node, and there {', '.join(each['node']['host_network_pods'])}",
                "Let services on nodes ask for credentials, and bind them to loopback where they can be",
            )


def _account(account: Json) -> t.Iterator[Finding]:
    where = f"{account['namespace']}/{account['name']}"
    if not account["known"]:
        yield Finding(
            "rights_unknown",
            NOTE,
            where,
            "no roles were read, so what this ServiceAccount may do with the API server is not known",
            "Let the audit read roles and bindings, or check with kubectl auth can-i --list --as",
        )
    elif account["beyond_discovery"]:
        yield Finding(
            "token_scope",
            WARNING,
            where,
            f"the token in a pod may do more than read one Endpoints object: {'; '.join(account['beyond_discovery'])}",
            "Bind a Role that gets only the Endpoints of the discovery Service by name, and project no other token",
        )


def _foreign(result: Json) -> t.Iterator[Finding]:
    for each in result["foreign"]:
        yield Finding(
            "foreign_policy",
            NOTE if each["effect"] == "nothing" else WARNING,
            f"{each['kind']} {each['name']}",
            f"another's policy selects the same pods: {each['because']}",
            "Ask its owner to leave these pods out, or take what it allows into the flows",
        )


def _grace(result: Json) -> t.Iterator[Finding]:
    for each in result["grace"]:
        yield Finding(
            "kept_address",
            NOTE,
            f"{each['address']}:{each['port']}",
            f"an address of the API server that has vanished stays allowed until {each['until'] or 'its grace ends'}",
            "Run the lockdown again after that, or use a shorter grace",
        )


def _always() -> t.Iterator[Finding]:
    """What no NetworkPolicy can exclude."""
    yield Finding(
        "established_connections",
        NOTE,
        "",
        "a connection that was open before the policies came may survive them",
        "Restart the pods one after the other once the policies are in force",
    )
    yield Finding(
        "other_protocols",
        NOTE,
        "",
        "a NetworkPolicy speaks of TCP, UDP and SCTP only; what becomes of ICMP and others is up to the engine",
        "Probe it, or block it in the engine",
    )
