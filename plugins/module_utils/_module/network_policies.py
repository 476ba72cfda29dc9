# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of module network_policies."""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._kube.policies_run import PolicyRun, Task
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from ansible_collections.netguard.lockdown.plugins.module_utils._module.contract import (
    CONNECTION_SPEC,
    Contract,
    Params,
    Result,
)


def _work(session: Session, params: Params, check_mode: bool) -> Result:
    return PolicyRun(session, Task.from_params(params, check_mode=check_mode)).execute()


CONTRACT = Contract(
    spec={
        **CONNECTION_SPEC,
        "namespace": {"type": "str", "required": True},
        "instance": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "definitions": {"type": "list", "elements": "dict"},
        "revision": {"type": "str"},
        "prune": {"type": "bool", "default": True},
        "replace_policies": {"type": "list", "elements": "str", "default": []},
        "expected_digest": {"type": "str"},
        "cluster_uid": {"type": "str"},
        "accept_uncovered_pods": {"type": "bool", "default": False},
        "accept_foreign_policies": {"type": "list", "elements": "str", "default": []},
        "accept_no_pods": {"type": "bool", "default": False},
        "accept_unisolated_pods": {"type": "bool", "default": False},
        "server_dry_run": {"type": "bool", "default": True},
        "mark_verified": {"type": "bool", "default": False},
        "only_targets": {"type": "dict"},
        "policy_apis": {"type": "list", "elements": "str"},
        "lock_timeout": {"type": "float", "default": 40.0},
    },
    work=_work,
    mutually_exclusive=(("definitions", "revision"), ("only_targets", "revision")),
    required_if=(("state", "present", ("definitions", "revision"), True), ("mark_verified", True, ("definitions",))),
)
