# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our policies for the question, as the role renders them: a test of the role compares them with what it does."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from flow_builders import APPLICATIONS

Json = dict[str, t.Any]

SERVERS: Json = {"podSelector": {"matchLabels": {"app": "ignite"}}}
CLIENTS: Json = {
    "namespaceSelector": APPLICATIONS["namespace_selector"],
    "podSelector": APPLICATIONS["pod_selector"],
}
DNS_PODS: Json = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
}
ENDPOINTS: Json = {
    "via": "endpoints",
    "protocol": "TCP",
    "port": 6443,
    "cidrs": ["172.30.0.2/32", "172.30.0.3/32"],
}
SERVICE: Json = {"via": "service", "protocol": "TCP", "port": 443, "cidrs": ["10.96.0.1/32"]}
LABELS = {"app.kubernetes.io/managed-by": "netguard.lockdown", "app.kubernetes.io/instance": "ignite"}
ENDPOINTS_ANNOTATION = "lockdown.netguard.io/api-endpoints"


def ours(api_server: Sequence[Json] = (ENDPOINTS,), *, dns: bool = True, clients: bool = True) -> list[Json]:
    """The allow policy and the one that denies the rest, in the order in which they are applied."""
    ring = (47500, 47100)
    inward = [_rule("from", [SERVERS], port) for port in ring]
    outward = [_rule("to", [SERVERS], port) for port in ring]
    outward += [
        _rule("to", [{"ipBlock": {"cidr": cidr}} for cidr in target["cidrs"]], target["port"]) for target in api_server
    ]
    if dns:
        outward += [_rule("to", [DNS_PODS], 53, protocol) for protocol in ("UDP", "TCP")]
    if clients:
        inward += [_rule("from", [CLIENTS], port) for port in (11211, 47100, 47500, 10800)]
        outward.append(_rule("to", [CLIENTS], 47100))
    listed = [
        f"{cidr.removesuffix('/32')}:{target['port']}"
        for target in api_server
        if target["via"] == "endpoints"
        for cidr in target["cidrs"]
    ]
    types = ["Ingress", "Egress"]
    allow = {**SERVERS, "policyTypes": types, "ingress": inward, "egress": outward}
    return [
        _policy("allow-servers", allow, annotations={ENDPOINTS_ANNOTATION: ",".join(listed)}),
        _policy("deny-all", {"podSelector": {}, "policyTypes": types}),
    ]


def _rule(key: str, peers: list[Json], port: int, protocol: str = "TCP") -> Json:
    return {key: peers, "ports": [{"protocol": protocol, "port": port}]}


def _policy(name: str, spec: Json, **metadata: t.Any) -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"netguard-ignite-{name}", "namespace": "cache-ns", "labels": LABELS, **metadata},
        "spec": spec,
    }
