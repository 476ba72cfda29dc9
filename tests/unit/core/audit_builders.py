# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small world with an Ignite that is locked down, and short ways to audit it after something was changed."""

from __future__ import annotations

import copy
import typing as t

from evidence_builders import TARGETS
from flow_builders import APPLICATIONS, variables

from ansible_collections.netguard.lockdown.plugins.module_utils._core import ownership
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.case import Question
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.result import audit
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import parse_flows
from ansible_collections.netguard.lockdown.plugins.module_utils._core.grace import SEEN_ANNOTATION
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite import ignite_needs
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.profile import STANDARD, EngineProfile
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import read_world
from lab import objects

Json = dict[str, t.Any]

NAMESPACE, INSTANCE = "cache-ns", "ignite"
ALLOW, DENY = "netguard-ignite-allow-servers", "netguard-ignite-deny-all"
IGNITE: Json = {"matchLabels": {"app": "ignite"}}
FLOWS: list[Json] = ignite_needs(variables(clients=[APPLICATIONS])).as_record()["flows"]
CLIENTS: Json = {
    "namespaceSelector": APPLICATIONS["namespace_selector"],
    "podSelector": APPLICATIONS["pod_selector"],
}
DNS: Json = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
}
API: list[Json] = [{"ipBlock": {"cidr": f"{address}/32"}} for address in ("172.30.0.2", "172.30.0.3")]


def rule(key: str, peers: list[Json], port: int, protocol: str = "TCP") -> Json:
    return {key: peers, "ports": [{"protocol": protocol, "port": port}]}


def allow(**changed: t.Any) -> Json:
    """The policy that the flows ask for, written by hand, some of its spec changed."""
    peers: list[Json] = [{"podSelector": IGNITE}]
    spec: Json = {
        "podSelector": IGNITE,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            *(rule("from", peers, port) for port in (47500, 47100)),
            *(rule("from", [CLIENTS], port) for port in (11211, 47100, 47500, 10800)),
        ],
        "egress": [
            *(rule("to", peers, port) for port in (47500, 47100)),
            rule("to", API, 6443),
            *(rule("to", [DNS], 53, protocol) for protocol in ("UDP", "TCP")),
            rule("to", [CLIENTS], 47100),
        ],
    }
    # A copy, for tests change parts of it.
    spec = copy.deepcopy({**spec, **changed})
    policy = objects.network_policy(ALLOW, NAMESPACE, spec, ownership.labels_for(INSTANCE))
    policy["metadata"]["annotations"] = {SEEN_ANNOTATION: "172.30.0.2:6443,172.30.0.3:6443"}
    return policy


def deny() -> Json:
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return objects.network_policy(DENY, NAMESPACE, spec, ownership.labels_for(INSTANCE))


def cluster() -> list[Json]:
    """Two Ignite pods, two clients, DNS, a stranger, two nodes and the API server."""
    pods = [
        ("ignite-0", NAMESPACE, {"app": "ignite"}, "10.244.1.10", "node-1"),
        ("ignite-1", NAMESPACE, {"app": "ignite"}, "10.244.2.10", "node-2"),
        ("some-pod", "client-ns", {"app": "some-pod"}, "10.244.1.20", "node-1"),
        ("stranger", "client-ns", {"app": "stranger"}, "10.244.1.21", "node-1"),
        ("coredns-0", "kube-system", {"k8s-app": "kube-dns"}, "10.244.1.2", "node-1"),
    ]
    return [
        objects.namespace(NAMESPACE, {"zone": "cache-zone"}),
        objects.namespace("client-ns", {"zone": "somewhere-else"}),
        objects.namespace("kube-system"),
        objects.node("node-1", address="192.0.2.11"),
        objects.node("node-2", address="192.0.2.12"),
        *(objects.pod(name, space, labels, ip=ip, node_name=node) for name, space, labels, ip, node in pods),
    ]


def judged(
    *policies: Json,
    more: t.Sequence[Json] = (),
    flows: t.Sequence[Json] = FLOWS,
    definitions: t.Sequence[Json] | None = None,
    targets: Json | None = TARGETS,
    profile: EngineProfile = STANDARD,
    without: t.Collection[str] = (),
) -> Json:
    """The audit of the world with these policies, and without the objects of these names."""
    things = [thing for thing in cluster() if thing["metadata"]["name"] not in without]
    world = read_world(copy.deepcopy([*things, *policies, *more]), [])
    question = Question(
        NAMESPACE, parse_flows(list(flows)), profile, INSTANCE, targets=targets, definitions=definitions
    )
    return audit(world, question)


def flow(**changed: t.Any) -> Json:
    """An egress flow to a log server outside, some of it changed."""
    usual: Json = {
        "id": "logs",
        "direction": "egress",
        "subject": {"name": "servers", "pod_selector": IGNITE},
        "peer": {"cidr": "198.51.100.0/24"},
        "protocol": "TCP",
        "port": 443,
        "end_port": None,
        "expect": "allow",
        "reason": "logs are kept elsewhere",
    }
    return {**usual, **changed}
