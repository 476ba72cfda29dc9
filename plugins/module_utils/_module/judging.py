# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules that judge policies have in common: objects come from a cluster or from files."""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.profile import PROFILES
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.reading import AUTO, Reading
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.world_reading import read_cluster
from ansible_collections.netguard.lockdown.plugins.module_utils._module.contract import (
    CONNECTION_SPEC,
    ArgumentSpec,
    Params,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._module.world_files import read_files

WORLD_SPEC: ArgumentSpec = {
    **CONNECTION_SPEC,
    "cluster_uid": {"type": "str"},
    "src": {"type": "list", "elements": "path", "default": []},
    "profile": {"type": "str", "choices": [AUTO, *PROFILES], "default": AUTO},
}


def connects(params: Params) -> bool:
    """Whether the task needs the cluster: not where option src names files."""
    return not params["src"]


def read(session: Session, params: Params) -> Reading:
    """The world that the task names."""
    if connects(params):
        return read_cluster(session, params.get("cluster_uid"), params["profile"])
    if params.get("cluster_uid"):
        raise LockdownError(
            "invalid_option",
            "cluster_uid cannot be checked with src",
            "files do not say which cluster they come from",
            "Leave one of the two out",
        )
    return read_files(params["src"], params["profile"])
