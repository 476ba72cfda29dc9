# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an Ignite pod under the role's policies may go and where not, and what its probes see."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence

from enforced.table import DROPPED, REACHED
from enforced.worlds import Unrestricted, World
from lab.cluster.addresses import (
    API_PORT,
    API_SERVERS,
    COMMAND_AND_CONTROL_PORT,
    CONTROLLER_MANAGER_PORT,
    DNS_PORT,
    DNS_SERVICE,
    HTTP_PORT,
    HTTPS_PORT,
    KUBELET_PORT,
    METADATA_ADDRESS,
    NEIGHBOUR_ADDRESS,
    OUTSIDE_ADDRESS,
)
from lab.cluster.clients import CLIENT_PORT
from lab.cluster.cluster import PROBE
from lab.cluster.ignite import COMMUNICATION, DISCOVERY
from lab.cluster.workloads import DNS_READY_PORT

C2 = f"tcp://{OUTSIDE_ADDRESS}:{COMMAND_AND_CONTROL_PORT}"
KNOWN_NAME = "kubernetes.default.svc.cluster.local"
Cells = dict[str, str]  # what it is called in the table: the target of the probe


def forbidden(world: World, free: Unrestricted) -> Cells:
    """What no Ignite pod may reach, whatever the profile."""
    return {
        "C&C": C2,
        "outside HTTPS": f"tcp://{OUTSIDE_ADDRESS}:{HTTPS_PORT}",
        "outside DNS, udp": f"dns+udp://{OUTSIDE_ADDRESS}:{DNS_PORT}/example.org",
        "outside DNS, tcp": f"dns+tcp://{OUTSIDE_ADDRESS}:{DNS_PORT}/example.org",
        "metadata address": f"tcp://{METADATA_ADDRESS}:{HTTP_PORT}",
        "other namespace's pod": f"tcp://{free.neighbour}:{CLIENT_PORT}",
        "DNS pod, other port": f"tcp://{world.cluster_dns()}:{DNS_READY_PORT}",
        "API server's host, other port": f"tcp://{API_SERVERS[0]}:{CONTROLLER_MANAGER_PORT}",
        "other node's kubelet": f"tcp://{NEIGHBOUR_ADDRESS}:{KUBELET_PORT}",
    }


def needed(peer: str, api: Sequence[str] = API_SERVERS) -> Cells:
    """What every Ignite pod needs."""
    return {
        "peer's discovery": f"tcp://{peer}:{DISCOVERY}",
        "peer's communication": f"tcp://{peer}:{COMMUNICATION}",
        **{f"API server {number}": f"tcp://{address}:{API_PORT}" for number, address in enumerate(api)},
    }


def dns(server: str, name: str = KNOWN_NAME) -> Cells:
    """Questions to a DNS server."""
    return {f"DNS, {protocol}": f"dns+{protocol}://{server}:{DNS_PORT}/{name}" for protocol in ("udp", "tcp")}


def turned(world: World, ring: Sequence[str], free: Unrestricted, api: Sequence[str] = API_SERVERS) -> str:
    """The probes, from each of these Ignite pods, that do not see what they should; "none" if all do."""
    out = forbidden(world, free)
    cells = [{**out, **needed(ring[number - 1], api), **dns(DNS_SERVICE)} for number in range(len(ring))]
    places = [free.place, *(world.cluster.pod(address) for address in ring)]
    targets = [list(one.values()) for one in (out, *cells)]
    control, *seen = world.cluster.probe_all(list(zip(places, targets, strict=True)))

    def wrong(name: str, target: str, outcome: str) -> bool:
        return (outcome != DROPPED or control[target] not in REACHED) if name in out else outcome not in REACHED

    return (
        "; ".join(
            f"{address} to {name}: {outcomes[target]}"
            for address, here, outcomes in zip(ring, cells, seen, strict=True)
            for name, target in here.items()
            if wrong(name, target, outcomes[target])
        )
        or "none"
    )


def unjudged(place: Sequence[str], target: str) -> str:
    """A probe that the evaluator is not asked about: it knows pods by one address, and no translations."""
    command = [*place, sys.executable, "-I", str(PROBE), "3", target]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    found: dict[str, str] = json.loads(answer.stdout)
    return found[target]


def calls_home(world: World, started: Mapping[str, float], open_seconds: float) -> tuple[int, int]:
    """How often pods have reached the C&C host: in so many seconds after their start, and later.

    The pods are given by their addresses, with the time at which they started.
    """
    ages = [
        visit["time"] - started[visit["peer"]]
        for visit in world.cluster.visitors(min(started.values()))
        if visit["kind"] == "echo" and visit["peer"] in started
    ]
    return sum(age <= open_seconds for age in ages), sum(age > open_seconds for age in ages)
