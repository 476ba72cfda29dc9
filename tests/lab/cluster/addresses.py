# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's hosts, addresses and ports; all exist only inside its own network namespaces."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Host:
    """A network namespace with one link to the router."""

    name: str
    addresses: tuple[str, ...]
    gateway: str


NODE_GATEWAY, OUTSIDE_GATEWAY = "172.30.0.1", "203.0.113.1"
ROUTER = "router"
CONTROL = Host("control", ("172.30.0.2/24", "172.30.0.3/24"), NODE_GATEWAY)
WORKER = Host("worker", ("172.30.0.11/24",), NODE_GATEWAY)
NEIGHBOUR = Host("neighbour", ("172.30.0.12/24",), NODE_GATEWAY)
OUTSIDE = Host("outside", ("203.0.113.10/24", "169.254.169.254/32"), OUTSIDE_GATEWAY)
HOSTS = (CONTROL, WORKER, NEIGHBOUR, OUTSIDE)

API_SERVERS = ("172.30.0.2", "172.30.0.3")
API_PORT = 6443
WORKER_ADDRESS, NEIGHBOUR_ADDRESS = "172.30.0.11", "172.30.0.12"
KUBELET_PORT = 10250
CONTROLLER_MANAGER_PORT = 10257  # the API server's host, another port

# In a dual-stack cluster: hosts with a second address, and the gateway there.
SECOND_ADDRESSES = {WORKER: "fd00:30::11/64", NEIGHBOUR: "fd00:30::12/64", OUTSIDE: "fd00:71::10/64"}
SECOND_NODE_GATEWAY, SECOND_OUTSIDE_GATEWAY = "fd00:30::1", "fd00:71::1"
SECOND_WORKER_ADDRESS, SECOND_OUTSIDE_ADDRESS = "fd00:30::11", "fd00:71::10"
SECOND_POD_RANGE, SECOND_POD_RANGES = "fd00:244::/64", "fd00:244::/56"  # this node's, and all nodes'
SECOND_SERVICE_RANGE = "fd00:96::/112"

POD_RANGE = "10.244.0.0/24"
SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE, DNS_SERVICE = "10.96.0.1", "10.96.0.10"

OUTSIDE_ADDRESS, METADATA_ADDRESS = "203.0.113.10", "169.254.169.254"
COMMAND_AND_CONTROL_PORT = 4444
HTTPS_PORT = 443
DNS_PORT = 53
HTTP_PORT = 80
