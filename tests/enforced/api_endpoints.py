# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the API server is, and where the policies say that it is."""

from __future__ import annotations

from enforced.worlds import World
from lab import objects
from lab.cluster.addresses import API_SERVICE
from lab.cluster.ignite import Ignite


def permitted(world: World, ignite: Ignite) -> list[str]:
    """The API server's endpoints that the allow policy holds."""
    policies = world.cluster.list("networking.k8s.io/v1", "NetworkPolicy", ignite.namespace)
    blocks = {
        peer["ipBlock"]["cidr"].removesuffix("/32")
        for policy in policies
        for rule in policy["spec"].get("egress", [])
        for peer in rule.get("to", [])
        if "ipBlock" in peer
    }
    return sorted(blocks - {API_SERVICE})  # where the engine is not known, the Service address is in it, too


def endpoints(world: World) -> list[str]:
    """The API server's endpoints as it says itself."""
    found = world.cluster.read(objects.reference("discovery.k8s.io/v1", "EndpointSlice", "kubernetes", "default"))
    return sorted(address for endpoint in found.get("endpoints") or [] for address in endpoint["addresses"])
