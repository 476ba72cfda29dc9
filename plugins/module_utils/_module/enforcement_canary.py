# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of module enforcement_canary."""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._kube.canary_run import CanaryRun, Task
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from ansible_collections.netguard.lockdown.plugins.module_utils._module.contract import (
    CONNECTION_SPEC,
    Contract,
    Params,
    Result,
)


def _work(session: Session, params: Params, check_mode: bool) -> Result:
    return CanaryRun(session, Task.from_params(params)).execute(check_mode=check_mode)


CONTRACT = Contract(
    spec={
        **CONNECTION_SPEC,
        "cluster_uid": {"type": "str"},
        "namespace": {"type": "str", "required": True},
        "pod_selector": {"type": "dict", "required": True},
        "canary_namespace": {"type": "str"},
        "start_timeout": {"type": "int", "default": 60},
        "timeout": {"type": "int", "default": 2},
        "deadline": {"type": "int", "default": 30},
        "parallel": {"type": "int", "default": 8},
        "accept_inconclusive": {"type": "bool", "default": False},
    },
    work=_work,
)
