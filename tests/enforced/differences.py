# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engines do differently with the same policies, where the API leaves it open."""

from __future__ import annotations

from dataclasses import dataclass

from lab.cluster import engines

CUT, SURVIVES = "cut", "survives"


@dataclass(frozen=True)
class Differences:
    """How an engine of the lab judges.

    :arg open_session: what becomes of a connection that stands when a policy comes that forbids it.
    :arg address_matches_nodes: whether an ipBlock matches nodes; if not, the role names API servers there as an entity.
    """

    open_session: str
    address_matches_nodes: bool


# One looks at new connections only; the other at every packet, and its API servers are on nodes.
OF = {
    engines.KUBE_NETWORK_POLICIES.name: Differences(SURVIVES, address_matches_nodes=True),
    engines.CILIUM.name: Differences(CUT, address_matches_nodes=False),
}
