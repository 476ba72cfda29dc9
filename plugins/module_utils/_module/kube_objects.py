# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of module kube_objects."""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._core.objects.secrets import conceal
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.objects_run import ObjectsRun, Task
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from ansible_collections.netguard.lockdown.plugins.module_utils._module.contract import (
    CONNECTION_SPEC,
    Contract,
    Params,
    Result,
)


def _work(session: Session, params: Params, check_mode: bool) -> Result:
    return ObjectsRun(session, Task.from_params(params, check_mode=check_mode)).execute()


CONTRACT = Contract(
    spec={
        **CONNECTION_SPEC,
        "namespace": {"type": "str", "required": True},
        "instance": {"type": "str", "required": True},
        "definitions": {"type": "list", "elements": "dict", "required": True},
        "secret_data": {"type": "str", "no_log": True},
        "adopt": {"type": "list", "elements": "str", "default": []},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "float", "default": 300.0},
        "cluster_uid": {"type": "str"},
        "server_dry_run": {"type": "bool", "default": True},
    },
    work=_work,
    conceal=conceal,
)
