# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses that can be no API server: a rule for one of them would open something else."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import (
    Address,
    Network,
    host_network,
    is_metadata,
    overlapping,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cluster import Ranges
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError


@dataclass(frozen=True)
class Fence:
    """:arg cluster_ips: addresses of the Service itself, which no endpoint can have.
    :arg allowed: the user's fence; empty means that there is none.
    """

    ranges: Ranges
    cluster_ips: tuple[Address, ...] = ()
    allowed: tuple[Network, ...] = ()

    def check(self, address: Address, origin: str) -> None:
        """Raise with the reason if this address is refused."""
        refusal = self.refusal(address)
        if refusal:
            reason, why, next_step = refusal
            raise LockdownError(
                "api_endpoint_refused",
                f"Refused {address} as an address of the API server (from {origin})",
                why,
                next_step,
                details={"address": str(address), "reason": reason},
            )

    def refusal(self, address: Address) -> tuple[str, str, str] | None:
        """Why the address is refused (a word, a sentence, the next step), or None if it is not."""
        reason = _special(address)
        if reason:
            return reason, f"it is a {reason.replace('_', ' ')} address", _NEXT_STEP
        block = host_network(address)
        for word, what, blocks in (
            ("pod_range", "the pod range", self.ranges.pods),
            ("service_range", "the Service range", self.ranges.services),
        ):
            hit = overlapping(block, blocks)
            if hit:
                return word, f"it lies in {what} {hit[0]}", _NEXT_STEP
        if address in self.cluster_ips:
            return "service_range", "it is the cluster IP of the Service itself", _NEXT_STEP
        if self.allowed and not overlapping(block, self.allowed):
            fence = ", ".join(str(network) for network in self.allowed)
            return "outside_fence", f"it lies outside of allowed_api_cidrs ({fence})", _FENCE_NEXT_STEP
        return None

    def doubts(self) -> list[str]:
        """What could not be checked."""
        if self.ranges.pods or self.allowed:
            return []
        return [_UNKNOWN_RANGE]


def _special(address: Address) -> str:
    if is_metadata(address) or address.is_link_local:
        return "metadata_or_link_local"
    if address.is_loopback:
        return "loopback"
    if address.is_unspecified:
        return "unspecified"
    if address.is_multicast:
        return "multicast"
    return _odd_ipv6(address)


def _odd_ipv6(address: Address) -> str:
    """An IPv4 address in disguise would escape the other checks, and a zone has no place in a CIDR block."""
    disguised: t.Any = getattr(address, "ipv4_mapped", None)
    if disguised is not None:
        return "IPv4-mapped"
    return "zoned" if getattr(address, "scope_id", None) else ""


_UNKNOWN_RANGE = (
    "The pod range of this cluster is unknown (no Node has a podCIDR and there is no kubeadm-config), so an "
    "API server address inside of it cannot be noticed; allowed_api_cidrs would fence it"
)
_NEXT_STEP = "Find out who named it; give the right addresses in api_server_addresses"
_FENCE_NEXT_STEP = "Find out who named it; extend allowed_api_cidrs only if it is an API server"
