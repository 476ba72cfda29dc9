# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The open sockets of our pods against the flows: each is allowed by one of them, or forbidden."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import sockets
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_permits import Connection, Permits
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_world import WorldPod

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Listing:
    """The sockets of one pod, and where it can be dialled from within."""

    found: tuple[sockets.Socket, ...] = ()

    @property
    def listening(self) -> frozenset[tuple[str, int]]:
        return sockets.listening(self.found)

    def dialled(self) -> tuple[str, int] | None:
        """An IPv4 address and port of the pod itself that accepts connections."""
        accepting = [entry for entry in self.found if entry.protocol == "TCP" and entry.listens]
        own = [(str(entry.local), entry.local_port) for entry in accepting if entry.local.version == 4]
        # A socket that is open for every IPv6 address takes IPv4 as well.
        every = [(_LOOPBACK, entry.local_port) for entry in accepting if entry.local.is_unspecified]
        return next(iter([*every, *own]), None)


def judge_sockets(pod: WorldPod, listing: Listing, permits: Permits) -> list[dict[str, t.Any]]:
    """One record for every socket that carries data from or to another host."""
    own = [entry for entry in listing.found if entry.connects and entry.remote not in pod.addresses]
    return [_record(pod, entry, sockets.direction(entry, listing.listening), permits) for entry in own]


def _record(pod: WorldPod, entry: sockets.Socket, direction: str, permits: Permits) -> dict[str, t.Any]:
    port = entry.local_port if direction == "ingress" else entry.remote_port
    flow = permits.find(Connection(pod, direction, entry.remote, entry.protocol, port))
    node = permits.world.node(pod.node)
    remote = permits.world.pod_at(entry.remote)
    from_node = direction == "ingress" and node is not None and node.has(entry.remote)
    return {
        "namespace": pod.namespace,
        "pod": pod.name,
        "direction": direction,
        "protocol": entry.protocol,
        "state": entry.state,
        "local": {"address": str(entry.local), "port": entry.local_port},
        "remote": {
            "address": str(entry.remote),
            "port": entry.remote_port,
            "namespace": remote.namespace if remote else "",
            "pod": remote.name if remote else "",
        },
        "flow": flow.id if flow else None,
        "forbidden": flow is None and not from_node,
        "why": _why(flow.reason if flow else "", from_node),
    }


def _why(reason: str, from_node: bool) -> str:
    if reason:
        return reason
    return "its own node, whose kubelet asks for its health" if from_node else "no flow allows it"
