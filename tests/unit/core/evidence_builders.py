# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs of evidence packs: the question's namespace, locked down, and the ways in which it can be wrong."""

from __future__ import annotations

import copy
import typing as t

from flow_builders import APPLICATIONS, variables

from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import facts, pack
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite import ignite_needs

Json = dict[str, t.Any]

UID = "4f9c1a5e-8d0b-4c7a-9a51-0d4f3ce0a2b7"
POLICY = "netguard-ignite-allow-servers"
PODS = ("ignite-0", "ignite-1")
NEEDS = ignite_needs(variables(clients=[APPLICATIONS])).as_record()


def source(kind: str, namespace: str, name: str) -> Json:
    return {
        "kind": kind,
        "api_version": "v1",
        "namespace": namespace,
        "name": name,
        "uid": f"uid-of-{name}",
        "resource_version": "812",
    }


TARGETS: Json = {
    "cluster": {
        "uid": UID,
        "server_version": "v1.36.3",
        "pod_cidrs": ["10.244.0.0/16"],
        "service_cidrs": ["10.96.0.0/12"],
        "sources": [source("Namespace", "", "kube-system")],
    },
    "api_server": {
        "form": "endpoints",
        "form_requested": "auto",
        "form_reason": "addresses are judged after translation",
        "targets": [
            {"via": "endpoints", "protocol": "TCP", "port": 6443, "cidrs": ["172.30.0.2/32", "172.30.0.3/32"]},
        ],
        "sources": [source("EndpointSlice", "default", "kubernetes")],
    },
    "dns": {
        "namespace": "kube-system",
        "pod_selector": {"matchLabels": {"k8s-app": "kube-dns"}},
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
        "sources": [source("Service", "kube-system", "kube-dns")],
    },
    "engine": {"name": "unknown", "evidence": ["no other engine shows itself"]},
}


def audit(**changed: t.Any) -> Json:
    """A result of the audit in which all is well, some of it changed."""
    flows = [{**flow, "met": True} for flow in NEEDS["flows"]]
    numbers = {"ingress": 0, "egress": 0}
    rules = []
    for flow in flows:
        way = flow["direction"]
        rules.append(
            {
                "policy": POLICY,
                "direction": way,
                "index": numbers[way],
                "flows": [flow["id"]],
                "needed": True,
                "dead": False,
                "redundant": False,
            }
        )
        numbers[way] += 1
    usual: Json = {
        "changed": False,
        "verdict": "pass",
        "pods": [
            {
                "namespace": "cache-ns",
                "name": name,
                "address": f"10.244.1.{index + 7}",
                "node": "node-1",
                "policies": [POLICY, "netguard-ignite-deny-all"],
                "isolated": {"ingress": True, "egress": True},
            }
            for index, name in enumerate(PODS)
        ],
        "flows": flows,
        "rules": rules,
        "missing": [],
        "surplus": [],
        "foreign": [],
        "drift": [],
        "grace": [],
        "findings": [],
        "inconclusive_because": [],
        "engine": {"name": "unknown", "profile": "post-dnat"},
    }
    return {**copy.deepcopy(usual), **changed}


def unmet(*prefixes: str) -> Json:
    """The audit's flows, those with these beginnings not allowed."""
    flows = [{**flow, "met": not flow["id"].startswith(prefixes)} for flow in NEEDS["flows"]]
    return audit(verdict="fail", flows=flows)


def cell(
    flow: str, expect: str = "allow", observed: str = "connected", verdict: str = "pass", **changed: t.Any
) -> Json:
    usual: Json = {
        "flow": flow,
        "reason": "it is needed",
        "direction": "egress",
        "from": {"namespace": "cache-ns", "pod": "ignite-0", "container": "ignite", "node": "node-1"},
        "to": {"kind": "Pod", "namespace": "cache-ns", "name": "ignite-1", "address": "10.244.1.8", "port": 47500,
               "protocol": "TCP"},
        "expect": expect,
        "observed": observed,
        "verdict": verdict,
        "why": "",
        "baseline": None,
        "attempts": 1,
        "seconds": 0.013,
        "tool": "bash",
    }  # fmt: skip
    return {**usual, **changed}


def probes(**changed: t.Any) -> Json:
    outside = {"kind": "address", "address": "198.51.100.7", "port": 443, "protocol": "TCP"}
    usual: Json = {
        "verdict": "pass",
        "probed": True,
        "cells": [
            cell("peers-discovery-out"),
            cell("peers-communication-out"),
            cell("api-server"),
            cell("default", "deny", "timed_out", to=outside, why="the control pod reaches it"),
        ],
        "sockets": [],
        "skipped": [],
        "left_behind": [],
    }
    return {**usual, **changed}


def flown(node: str = "node-1", verdict: str = "enforced", **changed: t.Any) -> Json:
    """A node as a canary saw it."""
    reasons = [] if verdict == "enforced" else [f"why it is {verdict}"]
    seen = {"allowed": "connected", "ingress": "timed_out", "egress": "timed_out"}
    usual: Json = {
        "node": node,
        "like": "ignite-0",
        "image": "docker.io/apacheignite/ignite:2.17.0",
        "verdict": verdict,
        "reasons": reasons,
        "tool": "bash",
        "connections": [
            {"kind": kind, "before": "connected", "after": after, "denied_after_seconds": 1.2}
            for kind, after in seen.items()
        ],
    }
    return {**usual, **changed}


def canary(*nodes: Json, **changed: t.Any) -> Json:
    """A result of module enforcement_canary."""
    usual: Json = {
        "changed": False,
        "probed": True,
        "verdict": "enforced",
        "nodes": list(nodes) or [flown()],
        "namespace": "netguard-canary",
        "scratch": False,
        "swept": [],
        "left_behind": [],
        "cluster": {"uid": UID},
        "application": {"namespace": "cache-ns", "pod_selector": {"matchLabels": {"app": "ignite"}}},
        "time": "2026-11-22T17:50:00Z",
    }
    return {**usual, **changed}


def inputs(**changed: t.Any) -> Json:
    """What the role hands over, some of it changed."""
    usual: Json = {
        "namespace": "cache-ns",
        "instance": "ignite",
        "profile": "standard",
        "targets": TARGETS,
        "definitions": [
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"name": POLICY, "namespace": "cache-ns"},
                "spec": {"podSelector": {"matchLabels": {"app": "ignite"}}, "policyTypes": ["Ingress", "Egress"]},
            }
        ],
        "findings": NEEDS["findings"],
        "audit": audit(),
        "probes": probes(),
        "topology": None,
        "canary": None,
    }
    return {**copy.deepcopy(usual), **changed}


def run(**changed: t.Any) -> Json:
    usual: Json = {"id": "run-1", "time": "2026-11-22T17:52:00Z", "by": "ops@controller", "job": {}, "signature": None}
    return {**usual, **changed}


def collected(*, accept_not_probed: bool = False, **changed: t.Any) -> Json:
    return facts.collect(facts.Inputs.read(inputs(**changed), accept_not_probed=accept_not_probed))


def packs(number: int, **changed: t.Any) -> list[Json]:
    """A chain of so many packs."""
    made: list[Json] = []
    for index in range(number):
        previous = pack.Head.of(made[-1]) if made else None
        when = f"2026-11-{index + 1:02d}T17:52:00Z"
        made.append(pack.seal(collected(**changed), run(id=f"run-{index + 1}", time=when), previous))
    return made
