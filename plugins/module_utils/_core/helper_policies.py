# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies for the namespaces of clients: what lets them reach Ignite where their own namespace is locked down.

They are offered, not applied: a policy with egress cuts everything else off from pods that nothing had isolated before.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import (
    Flow,
    Namespaces,
    Peer,
    Pods,
    Subject,
    Target,
)

_OPPOSITE = {"ingress": "egress", "egress": "ingress"}


@dataclass(frozen=True)
class Helper:
    """One policy; its flows are those of the client, seen from its side."""

    client: str
    namespace: str
    name: str
    flows: tuple[Flow, ...]

    def as_record(self) -> dict[str, t.Any]:
        return {
            "client": self.client,
            "namespace": self.namespace,
            "name": self.name,
            "flows": [flow.as_record() for flow in self.flows],
        }


@dataclass(frozen=True)
class Wish:
    """That a client wants helper policies.

    :arg targets: what the client needs besides Ignite, as target, protocol and reason.
    """

    where: str
    client: str
    flows: tuple[Flow, ...]
    targets: tuple[tuple[str, str, str], ...]


def helpers(wish: Wish, namespace: str, instance: str) -> t.Iterator[Helper]:
    """One policy for each namespace of the client.

    :arg namespace: that of Ignite.
    """
    for home in _homes(wish.flows[0].peer, namespace, wish.where):
        subject = Subject(wish.client, dict(_pods(wish.flows[0].peer) or {}))
        mirrored = [_mirrored(flow, subject, namespace) for flow in wish.flows]
        targets = [
            Flow(
                f"{target.replace('_', '-')}-{protocol.lower()}", "egress", subject, Target(target), protocol, None, why
            )
            for target, protocol, why in wish.targets
        ]
        yield Helper(wish.client, home, f"ignite-{instance}-client-{wish.client}", (*mirrored, *targets))


def _mirrored(flow: Flow, subject: Subject, namespace: str) -> Flow:
    return Flow(
        id=flow.id,
        direction=_OPPOSITE[flow.direction],
        subject=subject,
        peer=Namespaces((namespace,), flow.subject.pod_selector),
        protocol=flow.protocol,
        port=flow.port,
        reason=flow.reason,
    )


def _pods(peer: Peer) -> dict[str, t.Any] | None:
    return peer.pod_selector if isinstance(peer, (Pods, Namespaces)) else None


def _homes(peer: Peer, namespace: str, where: str) -> tuple[str, ...]:
    """The namespaces that the client's pods are in, by name: a policy stands in one."""
    if isinstance(peer, Namespaces):
        return peer.names
    if isinstance(peer, Pods) and peer.namespace_selector is None:
        return (namespace,)
    why = (
        "labels do not tell the names of the namespaces that it would stand in"
        if isinstance(peer, Pods)
        else "clients by address are outside of the cluster, where no policy stands"
    )
    raise LockdownError(
        "no_helper_policy", f"Refused {where}.helper_policy", why, "Name the client's namespaces, or leave it out"
    )
