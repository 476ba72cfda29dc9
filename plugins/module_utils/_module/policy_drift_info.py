# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of module policy_drift_info."""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._kube.drift_run import Task, execute
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from ansible_collections.netguard.lockdown.plugins.module_utils._module.contract import (
    CONNECTION_SPEC,
    Contract,
    Params,
    Result,
)


def _work(session: Session, params: Params, check_mode: bool) -> Result:
    """Check mode makes no difference: this only reads."""
    return execute(session, Task.from_params(params))


CONTRACT = Contract(
    spec={
        **CONNECTION_SPEC,
        "namespace": {"type": "str", "required": True},
        "instance": {"type": "str", "required": True},
        "definitions": {"type": "list", "elements": "dict", "required": True},
        "targets": {"type": "dict", "required": True},
        "replace_policies": {"type": "list", "elements": "str", "default": []},
        "accept_foreign_policies": {"type": "list", "elements": "str", "default": []},
        "cluster_uid": {"type": "str"},
        "policy_apis": {"type": "list", "elements": "str"},
    },
    work=_work,
)
