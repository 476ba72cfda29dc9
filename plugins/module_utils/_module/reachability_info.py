# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of module reachability_info."""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.result import reachability
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from ansible_collections.netguard.lockdown.plugins.module_utils._module.contract import Contract, Params, Result
from ansible_collections.netguard.lockdown.plugins.module_utils._module.judging import (
    WORLD_SPEC,
    connects,
    read,
)


def _work(session: Session, params: Params, check_mode: bool) -> Result:
    """Check mode makes no difference: this only reads."""
    reading = read(session, params)
    found = reachability(
        reading, params["queries"], with_matrix=params["matrix"], namespaces=params["matrix_namespaces"]
    )
    return {"changed": False, **found, "engine": reading.engine_record()}


CONTRACT = Contract(
    spec={
        **WORLD_SPEC,
        "queries": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "from": {"type": "str", "required": True},
                "to": {"type": "str", "required": True},
                "protocol": {"type": "str", "choices": list(options.PROTOCOLS), "default": "TCP"},
                "port": {"type": "int", "required": True},
            },
        },
        "matrix": {"type": "bool", "default": False},
        "matrix_namespaces": {"type": "list", "elements": "str", "default": []},
    },
    work=_work,
    connects=connects,
)
