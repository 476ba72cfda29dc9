# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of module evidence_pack."""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from ansible_collections.netguard.lockdown.plugins.module_utils._module.contract import (
    CONNECTION_SPEC,
    Contract,
    Params,
    Result,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._store.evidence_run import EvidenceRun, Task


def _work(session: Session, params: Params, check_mode: bool) -> Result:
    return EvidenceRun(session, Task.from_params(params, check_mode=check_mode)).execute()


def _connects(params: Params) -> bool:
    return bool(params["anchor"])


CONTRACT = Contract(
    spec={
        **CONNECTION_SPEC,
        "evidence": {"type": "dict", "required": True},
        "schema": {"type": "dict", "required": True},
        "directory": {"type": "path", "required": True},
        "job": {"type": "dict", "default": {}},
        "sign_key": {"type": "path", "no_log": False},
        "signer": {"type": "str"},
        "anchor": {"type": "bool", "default": True},
        "cluster_uid": {"type": "str"},
        "accept_gap": {"type": "str"},
        "accept_not_probed": {"type": "bool", "default": False},
        "accept_vanishing": {"type": "bool", "default": False},
    },
    work=_work,
    connects=_connects,
)
