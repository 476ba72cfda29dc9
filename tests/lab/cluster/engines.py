# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy engines that the cluster can run, by the names that `--engine` and `ENGINE` take."""

from __future__ import annotations

from lab.errors import LabError

KUBE_NETWORK_POLICIES = "kube-network-policies"
ENGINES = (KUBE_NETWORK_POLICIES,)
DEFAULT = KUBE_NETWORK_POLICIES


def known(name: str) -> str:
    """The name if there is such an engine, the usual one for an empty name; else an error that lists them."""
    if name and name not in ENGINES:
        raise LabError(f"There is no policy engine {name!r}", next_step=f"use one of: {', '.join(ENGINES)}")
    return name or DEFAULT
