# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control plane whose API server's endpoints are moved by hand, as a rotation would."""

from __future__ import annotations

import typing as t

from lab import objects
from lab.control_plane import ControlPlane

Json = dict[str, t.Any]

PORT = 6443
SLICE = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"
ALLOW = objects.reference("networking.k8s.io/v1", "NetworkPolicy", "netguard-ignite-allow-servers", "cache-ns")
POLICIES = "/apis/networking.k8s.io/v1/namespaces/cache-ns/networkpolicies"


def api_slice(*addresses: str) -> Json:
    """The slice as kube-apiserver would write it: without a controller's mark."""
    ports = [{"name": "https", "protocol": "TCP", "port": PORT}]
    made = objects.endpoint_slice("kubernetes", "default", service="kubernetes", addresses=addresses, ports=ports)
    del made["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"]
    return made


def rotate(plane: ControlPlane, *addresses: str) -> None:
    plane.api("PUT", SLICE, api_slice(*addresses))


def blocks(plane: ControlPlane) -> list[str]:
    """The addresses that Ignite's servers may reach."""
    peers = [peer for rule in plane.read(ALLOW)["spec"]["egress"] for peer in rule["to"]]
    return sorted(peer["ipBlock"]["cidr"] for peer in peers if "ipBlock" in peer)
