# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of module ignite_topology_info."""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.topology_run import Task, TopologyRun
from ansible_collections.netguard.lockdown.plugins.module_utils._module.contract import (
    CONNECTION_SPEC,
    Contract,
    Params,
    Result,
)


def _work(session: Session, params: Params, check_mode: bool) -> Result:
    return TopologyRun(session, Task.from_params(params, check_mode=check_mode)).execute()


CONTRACT = Contract(
    spec={
        **CONNECTION_SPEC,
        "namespace": {"type": "str", "required": True},
        "pod_selector": {"type": "dict", "required": True},
        "container": {"type": "str"},
        "discovery_port": {"type": "int", "default": 47500},
        "expected_servers": {"type": "int"},
        "deadline": {"type": "int", "default": 30},
        "cluster_uid": {"type": "str"},
    },
    work=_work,
)
