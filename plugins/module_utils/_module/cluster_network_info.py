# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of module cluster_network_info."""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._kube.network_info import resolve_network
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from ansible_collections.netguard.lockdown.plugins.module_utils._module.contract import (
    CONNECTION_SPEC,
    ArgumentSpec,
    Contract,
    Params,
    Result,
)

_DNS_SPEC: ArgumentSpec = {
    "type": "dict",
    "options": {
        "namespace": {"type": "str"},
        "service": {"type": "str"},
        "addresses": {"type": "list", "elements": "str"},
        "pod_selector": {"type": "dict"},
        "ports": {
            "type": "list",
            "elements": "dict",
            "options": {
                "protocol": {"type": "str", "choices": ["UDP", "TCP"], "required": True},
                "port": {"type": "int", "required": True},
            },
        },
    },
    "required_one_of": [["service", "pod_selector", "addresses"]],
    "mutually_exclusive": [["service", "pod_selector"]],
    "required_by": {"pod_selector": ["ports"]},
}


def _work(session: Session, params: Params, check_mode: bool) -> Result:
    """Check mode makes no difference: this only reads."""
    return resolve_network(session, params)


CONTRACT = Contract(
    spec={
        **CONNECTION_SPEC,
        "cluster_uid": {"type": "str"},
        "form": {"type": "str", "choices": ["auto", "endpoints", "service", "both", "entity"], "default": "auto"},
        "accept_unenforced": {"type": "bool", "default": False},
        "extra_api_slices": {"type": "list", "elements": "str", "default": []},
        "allowed_api_cidrs": {"type": "list", "elements": "str", "default": []},
        "api_server_addresses": {"type": "list", "elements": "raw", "default": []},
        "resolve_dns": {"type": "bool", "default": True},
        "dns": _DNS_SPEC,
        "inspect_dns": {"type": "bool", "default": False},
        "grace_seconds": {"type": "int", "default": 0},
        "namespace": {"type": "str"},
        "instance": {"type": "str"},
    },
    work=_work,
)
