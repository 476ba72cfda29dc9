# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of module evidence_info."""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from ansible_collections.netguard.lockdown.plugins.module_utils._module.contract import (
    CONNECTION_SPEC,
    Contract,
    Params,
    Result,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._store.evidence_check import verify


def _work(session: Session, params: Params, check_mode: bool) -> Result:
    """Check mode makes no difference: this only reads."""
    return verify(session, params)


def _connects(params: Params) -> bool:
    return bool(params["anchor"])


CONTRACT = Contract(
    spec={
        **CONNECTION_SPEC,
        "directory": {"type": "path", "required": True},
        "schema": {"type": "dict", "required": True},
        "allowed_signers": {"type": "path"},
        "anchor": {"type": "bool", "default": True},
        "cluster_uid": {"type": "str"},
    },
    work=_work,
    connects=_connects,
)
