# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How each policy engine is started, by its name."""

from __future__ import annotations

from lab.cluster import engines
from lab.cluster.cilium import Cilium
from lab.cluster.kube_network_policies import KubeNetworkPolicies
from lab.cluster.site import Driver

DRIVERS: dict[str, Driver] = {
    engines.KUBE_NETWORK_POLICIES.name: KubeNetworkPolicies(),
    engines.CILIUM.name: Cilium(),
}
