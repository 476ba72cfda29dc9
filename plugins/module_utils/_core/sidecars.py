# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sidecars that a service mesh injects into our pods: they need ways of their own, the control plane's and DNS."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import policy
from ansible_collections.netguard.lockdown.plugins.module_utils._core.policy import Policy


@dataclass(frozen=True)
class Sidecar:
    """A container that is injected. `egress` are the TCP ports that it must reach, with where they are."""

    container: str
    egress: t.Mapping[int, str]


SIDECARS: tuple[Sidecar, ...] = (
    Sidecar("istio-proxy", {15012: "istiod of namespace istio-system"}),
    Sidecar(
        "linkerd-proxy",
        {
            8080: "linkerd-identity of namespace linkerd",
            8086: "linkerd-dst of namespace linkerd",
            8090: "linkerd-policy of namespace linkerd",
            4143: "the other meshed pods",
        },
    ),
)


# A mesh without sidecars carries connections between its pods in tunnels of its own. This mark tells the pods in it.
AMBIENT_MARK = ("ambient.istio.io/redirection", "enabled")
AMBIENT = Sidecar("the tunnel of Istio's ambient mode", {15008: "the other pods of the mesh"})


def of_containers(names: t.Collection[str]) -> list[Sidecar]:
    return [sidecar for sidecar in SIDECARS if sidecar.container in names]


def missing_flows(sidecar: Sidecar, policies: t.Iterable[Policy]) -> list[str]:
    """The ways that no egress rule of these policies opens, by port."""
    ports = {(port.get("port"), port.get("endPort")) for port in _egress_ports(policies)}
    return [
        f"TCP {number} to {where}"
        for number, where in sidecar.egress.items()
        if not any(isinstance(low, int) and low <= number <= (high or low) for low, high in ports)
    ]


def may_ask_names(policies: t.Iterable[Policy]) -> bool:
    """Whether an egress rule permits UDP: without one, no name can be asked for."""
    return any(port.get("protocol") == "UDP" for port in _egress_ports(policies))


def _egress_ports(policies: t.Iterable[Policy]) -> list[Policy]:
    return [port for item in policies for rule in policy.rules_of(item, "Egress") for port in rule.get("ports") or []]
