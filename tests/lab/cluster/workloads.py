# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the cluster from the start whatever its policy engine: a second node and the cluster's DNS."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from lab import objects
from lab.client import Manifest
from lab.cluster.addresses import DNS_SERVICE, NEIGHBOUR, NEIGHBOUR_ADDRESS, OUTSIDE_ADDRESS
from lab.cluster.images import COREDNS_IMAGE

SYSTEM = "kube-system"
DNS, DNS_LABELS, DNS_READY_PORT = "coredns", {"k8s-app": "kube-dns"}, 8181
# Names that the cluster does not know go to the resolver outside, as in most real clusters.
COREFILE = f"""\
.:53 {{
    errors
    ready
    kubernetes cluster.local in-addr.arpa
    forward . {OUTSIDE_ADDRESS}
}}
"""


def neighbour() -> Manifest:
    """The second node: an address with listeners and no kubelet; nothing is scheduled there."""
    node = objects.node(NEIGHBOUR.name, address=NEIGHBOUR_ADDRESS, pod_cidrs=["10.244.1.0/24"])
    node["spec"]["unschedulable"] = True
    return node


def dns() -> list[Manifest]:
    """CoreDNS behind the Service kube-dns."""
    rules = [objects.rule(["list", "watch"], ["services", "pods", "namespaces"])]
    rules.append(objects.rule(["list", "watch"], ["endpointslices"], "discovery.k8s.io"))
    container = {
        "name": DNS,
        "image": COREDNS_IMAGE,
        "command": ["/coredns", "-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
        ],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": DNS_READY_PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
    }
    pod = {"dnsPolicy": "Default", "volumes": [{"name": "config", "configMap": {"name": DNS}}]}
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": "dns"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": "dns-tcp"},
    ]
    return [
        *account(DNS, rules),
        objects.config_map(DNS, SYSTEM, {"Corefile": COREFILE}),
        workload("Deployment", DNS, DNS_LABELS, container, pod),
        objects.service(
            "kube-dns",
            SYSTEM,
            selector=DNS_LABELS,
            ports=ports,
            cluster_ip=DNS_SERVICE,
            labels=DNS_LABELS,
            spec={"ipFamilyPolicy": "PreferDualStack"},
        ),
    ]


def account(name: str, rules: Sequence[Manifest]) -> list[Manifest]:
    """A ServiceAccount of kube-system with its rights."""
    return [objects.service_account(name, SYSTEM), *objects.grant(f"system:serviceaccount:{SYSTEM}:{name}", rules)]


def workload(kind: str, name: str, labels: dict[str, str], container: Manifest, pod: t.Mapping[str, t.Any]) -> Manifest:
    """A Deployment or DaemonSet of kube-system with one container, and an account of its own name."""
    template = {
        "metadata": {"labels": labels},
        "spec": {
            "serviceAccountName": name,
            "tolerations": [{"operator": "Exists"}],
            "containers": [container],
            "terminationGracePeriodSeconds": 0,
            **pod,
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": SYSTEM, "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
