# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's network: one namespace per host, joined by a router; the machine's own network is not touched."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.cluster.addresses import (
    HOSTS,
    METADATA_ADDRESS,
    NODE_GATEWAY,
    OUTSIDE,
    OUTSIDE_ADDRESS,
    OUTSIDE_GATEWAY,
    POD_RANGE,
    ROUTER,
    SECOND_ADDRESSES,
    SECOND_NODE_GATEWAY,
    SECOND_OUTSIDE_GATEWAY,
    SECOND_POD_RANGE,
    SECOND_WORKER_ADDRESS,
    WORKER,
    WORKER_ADDRESS,
    Host,
)
from lab.errors import LabError

NAMESPACES = Path("/run/netns")  # in the cluster's own mount namespace, where /run is its own
NODES_BRIDGE = "nodes"


def make() -> None:
    """Make the namespaces, links, addresses and routes; they vanish with the cluster's mount namespace."""
    for name in (ROUTER, *(host.name for host in HOSTS)):
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
    inside(ROUTER, "ip", "link", "add", NODES_BRIDGE, "type", "bridge")
    inside(ROUTER, "ip", "address", "add", f"{NODE_GATEWAY}/24", "dev", NODES_BRIDGE)
    inside(ROUTER, "ip", "link", "set", NODES_BRIDGE, "up")
    for host in HOSTS:
        _join(host)
    inside(ROUTER, "ip", "address", "add", f"{OUTSIDE_GATEWAY}/24", "dev", OUTSIDE.name)
    inside(ROUTER, "ip", "route", "add", POD_RANGE, "via", WORKER_ADDRESS)
    inside(ROUTER, "ip", "route", "add", f"{METADATA_ADDRESS}/32", "via", OUTSIDE_ADDRESS)
    forward(ROUTER)


def add_ipv6() -> None:
    """Give the hosts that pods meet a second address each, and the pods' second range a way."""
    for gateway, link in ((SECOND_NODE_GATEWAY, NODES_BRIDGE), (SECOND_OUTSIDE_GATEWAY, OUTSIDE.name)):
        inside(ROUTER, "ip", "address", "add", f"{gateway}/64", "dev", link, "nodad")
    for host, address in SECOND_ADDRESSES.items():
        gateway = SECOND_OUTSIDE_GATEWAY if host is OUTSIDE else SECOND_NODE_GATEWAY
        inside(host.name, "ip", "address", "add", address, "dev", "eth0", "nodad")
        inside(host.name, "ip", "-6", "route", "add", "default", "via", gateway)
    inside(ROUTER, "ip", "-6", "route", "add", SECOND_POD_RANGE, "via", SECOND_WORKER_ADDRESS)
    for name in (ROUTER, WORKER.name):
        inside(name, "sysctl", "--quiet", "--write", "net.ipv6.conf.all.forwarding=1")


def forward(name: str) -> None:
    """Let a host forward packets."""
    inside(name, "sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1")


def inside(name: str, *command: str) -> str:
    """Run a command in a host's network and return its output."""
    return run(*enter(name), *command)


def enter(name: str) -> list[str]:
    """The words before a command that shall run in a host's network.

    `ip netns exec` would remount /sys, and kubelet and runc would find no cgroups.
    """
    return ["/usr/bin/nsenter", f"--net={NAMESPACES / name}"]


def run(*command: str, text: str | None = None) -> str:
    """Run a command to its end; its output."""
    answer = subprocess.run(command, capture_output=True, text=True, input=text, timeout=60, check=False)
    if answer.returncode != 0:
        raise LabError(f"{' '.join(command)} ended with code {answer.returncode}", answer.stderr.strip())
    return answer.stdout


def _join(host: Host) -> None:
    """Link a host with the router: the nodes by the router's bridge, the outside by a link of its own."""
    run("ip", "-n", ROUTER, "link", "add", host.name, "type", "veth", "peer", "name", "eth0", "netns", host.name)
    bridge: Sequence[str] = () if host is OUTSIDE else ("master", NODES_BRIDGE)
    run("ip", "-n", ROUTER, "link", "set", host.name, *bridge, "up")
    for address in host.addresses:
        run("ip", "-n", host.name, "address", "add", address, "dev", "eth0")
    run("ip", "-n", host.name, "link", "set", "eth0", "up")
    run("ip", "-n", host.name, "route", "add", "default", "via", host.gateway)
