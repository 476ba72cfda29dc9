# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters of any size as API objects, the same for the same numbers."""

from __future__ import annotations

import random
import typing as t

Json = dict[str, t.Any]

FOCUS = "ns-0"
APPS = 10
TEAMS = 5
TIERS = ("front", "back", "db")
PODS_PER_NODE = 50


def objects(pods: int, policies: int, namespaces: int, *, as_the_api: bool = False) -> list[Json]:
    """Build a cluster: applications spread over namespaces, and policies of the usual forms.

    :arg as_the_api: whether pods carry all that an API server returns of a running one.
    """
    chance = random.Random(4711)  # noqa: S311 - it only has to be the same every time
    nodes = max(1, pods // PODS_PER_NODE)
    return [
        *(_namespace(number) for number in range(namespaces)),
        *(_node(number) for number in range(nodes)),
        *(_pod(chance, number, namespaces, nodes, as_the_api=as_the_api) for number in range(pods)),
        *(_policy(chance, number, namespaces) for number in range(policies)),
    ]


def flows() -> list[Json]:
    """The flows of the focus: its application 0 talks to itself and to a database."""
    subject = {"name": "servers", "pod_selector": {"matchLabels": {"app": "app-0"}}}
    peers = {
        "self": {"pods": {"pod_selector": {"matchLabels": {"app": "app-0"}}}},
        "database": {"namespaces": ["ns-1"], "pod_selector": {"matchLabels": {"tier": "db"}}},
    }
    return [
        {
            "id": f"{name}-{direction}",
            "direction": direction,
            "subject": subject,
            "peer": peer,
            "protocol": "TCP",
            "port": 5432,
            "end_port": None,
            "expect": "allow",
            "reason": "the application needs it",
        }
        for name, peer in peers.items()
        for direction in ("ingress", "egress")
    ]


def _namespace(number: int) -> Json:
    name = f"ns-{number}"
    labels = {"team": f"team-{number % TEAMS}", "kubernetes.io/metadata.name": name}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _node(number: int) -> Json:
    address = f"192.168.{number // 250}.{number % 250 + 1}"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"node-{number}"},
        "spec": {},
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    }


def _pod(chance: random.Random, number: int, namespaces: int, nodes: int, *, as_the_api: bool) -> Json:
    address = f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"
    labels = {
        "app": f"app-{chance.randrange(APPS)}",
        "tier": chance.choice(TIERS),
        "pod-template-hash": f"{chance.randrange(1 << 32):x}",
    }
    pod: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"pod-{number}", "namespace": f"ns-{number % namespaces}", "labels": labels},
        "spec": {
            "nodeName": f"node-{number % nodes}",
            "containers": [
                {"name": "main", "image": "example.com/app:1", "ports": [{"name": "http", "containerPort": 8080}]}
            ],
        },
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
    }
    if as_the_api:
        _fill(pod, number)
    return pod


def _fill(pod: Json, number: int) -> None:
    """Add what reachability does not depend on and every answer holds."""
    time = "2026-11-22T14:00:00Z"
    written = {
        "f:metadata": {
            "f:generateName": {},
            "f:labels": {".": {}, "f:app": {}, "f:tier": {}, "f:pod-template-hash": {}},
            "f:ownerReferences": {".": {}, f'k:{{"uid":"{number:032x}"}}': {}},
        },
        "f:spec": {
            "f:containers": {
                'k:{"name":"main"}': {
                    ".": {},
                    "f:env": {".": {}, 'k:{"name":"MODE"}': {".": {}, "f:name": {}, "f:value": {}}},
                    "f:image": {},
                    "f:imagePullPolicy": {},
                    "f:name": {},
                    "f:ports": {".": {}, 'k:{"containerPort":8080,"protocol":"TCP"}': {".": {}, "f:name": {}}},
                    "f:resources": {
                        ".": {},
                        "f:limits": {".": {}, "f:memory": {}},
                        "f:requests": {".": {}, "f:cpu": {}},
                    },
                }
            },
            "f:dnsPolicy": {},
            "f:restartPolicy": {},
            "f:securityContext": {},
            "f:terminationGracePeriodSeconds": {},
        },
    }
    pod["metadata"].update(
        generateName="app-",
        uid=f"{number:032x}",
        resourceVersion=str(number + 1000),
        creationTimestamp=time,
        ownerReferences=[
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "app", "uid": f"{number:032x}", "controller": True}
        ],
        managedFields=[
            {"manager": manager, "operation": "Update", "apiVersion": "v1", "time": time, "fieldsV1": written}
            for manager in ("kube-controller-manager", "kubelet")
        ],
    )
    pod["spec"]["containers"][0].update(
        env=[{"name": "MODE", "value": "production"}, {"name": "REGION", "value": "eu-1"}],
        resources={"limits": {"memory": "256Mi"}, "requests": {"cpu": "100m"}},
        volumeMounts=[
            {"name": "token", "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
        ],
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy="IfNotPresent",
    )
    pod["spec"].update(
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        serviceAccountName="default",
        schedulerName="default-scheduler",
        tolerations=[
            {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            for name in ("not-ready", "unreachable")
        ],
        volumes=[{"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}],
    )
    pod["status"].update(
        hostIP="192.168.0.1",
        startTime=time,
        qosClass="Burstable",
        conditions=[
            {"type": name, "status": "True", "lastProbeTime": None, "lastTransitionTime": time}
            for name in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
        ],
        containerStatuses=[
            {
                "name": "main",
                "state": {"running": {"startedAt": time}},
                "lastState": {},
                "ready": True,
                "restartCount": 0,
                "image": "example.com/app:1",
                "imageID": f"example.com/app@sha256:{number:064x}",
                "containerID": f"containerd://{number:064x}",
                "started": True,
            }
        ],
    )


def _policy(chance: random.Random, number: int, namespaces: int) -> Json:
    def app() -> Json:
        return {"matchLabels": {"app": f"app-{chance.randrange(APPS)}"}}

    team = {"matchLabels": {"team": f"team-{chance.randrange(TEAMS)}"}}
    teams = {"matchExpressions": [{"key": "team", "operator": "In", "values": ["team-1", "team-2"]}]}
    tier = {"matchLabels": {"tier": chance.choice(TIERS)}}
    block = f"172.{16 + number // 256 % 16}.{number % 256}.0/24"
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"policy-{number}", "namespace": f"ns-{number % namespaces}"},
        "spec": {
            "podSelector": app() if number % 4 else {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {
                    "from": [{"podSelector": app()}, {"namespaceSelector": team, "podSelector": tier}],
                    "ports": [{"protocol": "TCP", "port": chance.choice([80, 443, 8080])}],
                }
            ],
            "egress": [
                {"to": [{"namespaceSelector": teams}], "ports": [{"protocol": "TCP", "port": 5432}]},
                {"to": [{"ipBlock": {"cidr": block}}], "ports": [{"protocol": "UDP", "port": 53}]},
            ],
        },
    }
