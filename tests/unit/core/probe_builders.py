# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small cluster as the API serves it, flows and targets, for the tests of probes."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import Flow, parse_flows
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_permits import Permits
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_targets import Targets, read_targets
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_world import World

Json = dict[str, t.Any]

HERE = "cache-ns"
IGNITE, DNS = {"app": "ignite"}, {"k8s-app": "kube-dns"}
TARGETS: Json = {
    "api_server": {
        "targets": [
            {"via": "endpoints", "protocol": "TCP", "port": 6443, "cidrs": ["172.30.0.2/32", "172.30.0.3/32"]},
        ],
        "kept": [{"address": "172.30.0.3", "port": 6443, "vanished_at": "2026-11-22T14:00:00Z"}],
        "service": {"cluster_ips": ["10.96.0.1"], "port": 443},
    },
    "dns": {
        "namespace": "kube-system",
        "pod_selector": {"matchLabels": DNS},
        "ports": [{"protocol": "UDP", "port": 5353}, {"protocol": "TCP", "port": 5353}],
        "service": {"namespace": "kube-system", "name": "kube-dns", "cluster_ips": ["10.96.0.10"]},
        "backends": [
            {"name": "coredns-0", "address": "10.244.1.9", "ready": True},
            {"name": "coredns-1", "address": "10.244.1.10", "ready": False},
        ],
    },
}


def pod(name: str, address: str, namespace: str = HERE, labels: Json | None = None, **more: t.Any) -> Json:
    """A ready pod on worker-1; `ready`, `ports` and `spec` say otherwise."""
    ports = [{"containerPort": number} for number in more.get("ports", ())]
    ready = "True" if more.get("ready", True) else "False"
    state = {"name": "main", "containerID": "containerd://1", "restartCount": 0, "state": {"running": {}}}
    return {
        "metadata": {"namespace": namespace, "name": name, "uid": f"{name}-uid", "labels": labels or {}},
        "spec": {"nodeName": "worker-1", "containers": [{"name": "main", "ports": ports}], **more.get("spec", {})},
        "status": {
            "phase": "Running",
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": ready}],
            "containerStatuses": [state],
        },
    }


def ignite(number: int, **more: t.Any) -> Json:
    return pod(f"ignite-{number}", f"10.244.0.{number + 4}", labels=IGNITE, **more)


def node(name: str, address: str) -> Json:
    return {
        "metadata": {"name": name},
        "spec": {"podCIDRs": ["10.244.0.0/24"]},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def world(*pods: Json, nodes: t.Sequence[Json] = ()) -> World:
    names = sorted({HERE, *(item["metadata"]["namespace"] for item in pods)})
    namespaces = [{"metadata": {"name": name, "labels": {"zone": name}}} for name in names]
    return World.from_api(pods, namespaces, nodes)


def flow(name: str, direction: str, peer: Json, port: int | None = 47500, **more: t.Any) -> Json:
    """A flow of the Ignite servers."""
    subject = {"name": "servers", "pod_selector": {"matchLabels": IGNITE}}
    usual = {"id": name, "direction": direction, "subject": subject, "peer": peer, "protocol": "TCP", "port": port}
    return {**usual, "reason": f"reason of {name}", **more}


def flows(*records: Json) -> list[Flow]:
    return parse_flows(list(records))


def peers() -> tuple[Json, Json]:
    """The servers among themselves, in both directions."""
    peer = {"pods": {"pod_selector": {"matchLabels": IGNITE}}}
    return flow("peers-in", "ingress", peer), flow("peers-out", "egress", peer)


def permits(found: World, *records: Json, targets: Json | None = None) -> Permits:
    read = flows(*records)
    known: Targets = read_targets(TARGETS if targets is None else targets, read)
    return Permits(HERE, tuple(read), known, found)
