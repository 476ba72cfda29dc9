# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which flow permits a connection of one of our pods."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import Address
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import Block, Flow, Target
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_targets import ApiTarget, DnsTarget, Targets
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_world import World, WorldPod


@dataclass(frozen=True)
class Connection:
    """A connection from or to one of our pods; `port` is the one that was dialled, at the far end or at the pod."""

    pod: WorldPod
    direction: str
    remote: Address
    protocol: str
    port: int


@dataclass(frozen=True)
class Permits:
    """The flows that allow something, with all that is needed to read their peers."""

    namespace: str
    flows: tuple[Flow, ...]
    targets: Targets
    world: World

    def find(self, link: Connection) -> Flow | None:
        """The first flow that allows the connection."""
        return next((flow for flow in self.flows if flow.expect == "allow" and self._allows(flow, link)), None)

    def _allows(self, flow: Flow, link: Connection) -> bool:
        if (flow.direction, flow.protocol) != (link.direction, link.protocol):
            return False
        if not selectors.matches(flow.subject.pod_selector, link.pod.labels):
            return False
        if isinstance(flow.peer, Target):
            return self._is_target(flow.peer.target, link)
        return link.port in flow.ports() and self._is_peer(flow, link.remote)

    def _is_peer(self, flow: Flow, remote: Address) -> bool:
        if isinstance(flow.peer, Block):
            return remote in flow.peer.network and not any(remote in block for block in flow.peer.excluded)
        pod = self.world.pod_at(remote)
        return pod is not None and self.world.is_peer(pod, flow.peer, self.namespace)

    def _is_target(self, name: str, link: Connection) -> bool:
        target = getattr(self.targets, name)
        if isinstance(target, ApiTarget):
            return (link.remote, link.port) in (*target.endpoints, *target.service)
        if isinstance(target, DnsTarget):
            return self._is_dns(target, link)
        return False

    def _is_dns(self, target: DnsTarget, link: Connection) -> bool:
        if any(
            link.remote == address and link.port == port for _kind, _name, (address, port) in target.ends(link.protocol)
        ):
            return True
        pod = self.world.pod_at(link.remote)
        return pod is not None and target.has(pod) and (link.protocol, link.port) in target.ports
