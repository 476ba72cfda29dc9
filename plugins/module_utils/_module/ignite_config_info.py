# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of module ignite_config_info."""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._kube.ignite_config_run import (
    RESOURCES,
    ConfigRun,
    Task,
    read_offline,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from ansible_collections.netguard.lockdown.plugins.module_utils._module.contract import (
    CONNECTION_SPEC,
    Contract,
    Params,
    Result,
)


def _work(session: Session, params: Params, check_mode: bool) -> Result:
    """Check mode makes no difference: this only reads."""
    task = Task.from_params(params)
    return ConfigRun(session, task).execute() if task.needs_cluster else read_offline(task)


def _connects(params: Params) -> bool:
    return Task.from_params(params).needs_cluster


CONTRACT = Contract(
    spec={
        **CONNECTION_SPEC,
        "namespace": {"type": "str"},
        "workload": {"type": "str"},
        "workload_kind": {"type": "str", "choices": list(RESOURCES), "default": "StatefulSet"},
        "pod_selector": {"type": "dict"},
        "container": {"type": "str"},
        "config_map": {"type": "str"},
        "secret": {"type": "str", "no_log": False},
        "key": {"type": "str", "no_log": False},
        "path": {"type": "path"},
        "content": {"type": "str", "no_log": True},
        "ignite_version": {"type": "str"},
        "cluster_uid": {"type": "str"},
    },
    work=_work,
    mutually_exclusive=[("workload", "pod_selector"), ("config_map", "secret", "path", "content")],
    connects=_connects,
)
