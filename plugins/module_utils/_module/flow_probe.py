# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of module flow_probe."""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._kube.probe_run import ProbeRun, Task
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from ansible_collections.netguard.lockdown.plugins.module_utils._module.contract import (
    CONNECTION_SPEC,
    Contract,
    Params,
    Result,
)


def _work(session: Session, params: Params, check_mode: bool) -> Result:
    return ProbeRun(session, Task.from_params(params)).execute(check_mode=check_mode)


CONTRACT = Contract(
    spec={
        **CONNECTION_SPEC,
        "cluster_uid": {"type": "str"},
        "namespace": {"type": "str", "required": True},
        "flows": {"type": "list", "elements": "dict", "required": True},
        "targets": {"type": "dict"},
        "default_forbidden": {"type": "bool", "default": True},
        "control": {
            "type": "dict",
            "options": {
                "namespace": {"type": "str", "required": True},
                "pod": {"type": "str", "required": True},
                "container": {"type": "str"},
            },
        },
        "timeout": {"type": "int", "default": 3},
        "deadline": {"type": "int", "default": 30},
        "parallel": {"type": "int", "default": 8},
        "max_pods_per_peer": {"type": "int", "default": 16},
        "ephemeral_image": {"type": "str"},
        "sockets": {"type": "bool", "default": True},
    },
    work=_work,
)
