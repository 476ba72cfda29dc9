# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of module policy_audit_info."""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options, ownership
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.case import Question
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.result import audit
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import parse_flows
from ansible_collections.netguard.lockdown.plugins.module_utils._core.policy import prepare
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from ansible_collections.netguard.lockdown.plugins.module_utils._module.contract import Contract, Params, Result
from ansible_collections.netguard.lockdown.plugins.module_utils._module.judging import (
    WORLD_SPEC,
    connects,
    read,
)


def _work(session: Session, params: Params, check_mode: bool) -> Result:
    """Check mode makes no difference: this only reads."""
    namespace = options.dns_label(params["namespace"], "namespace")
    if params.get("instance"):
        ownership.require_instance_name(params["instance"])
    flows = parse_flows(params["flows"])
    if not flows:
        raise LockdownError(
            "invalid_option",
            "flows is empty",
            "without flows nothing says what is needed, and everything would be too much",
            "Give the flows, as filter ignite_flows returns them",
        )
    definitions = _definitions(params, namespace)
    reading = read(session, params)
    question = Question(
        namespace=namespace,
        flows=flows,
        profile=reading.profile,
        instance=params.get("instance") or "",
        targets=params.get("targets"),
        definitions=definitions,
        unread=tuple(reading.unread),
    )
    return {
        "changed": False,
        **audit(reading.world, question),
        "engine": reading.engine_record(),
        "sources": reading.sources,
    }


def _definitions(params: Params, namespace: str) -> list[Result] | None:
    """The rendered policies, checked as the module that applies them checks them."""
    given = params.get("definitions")
    if given is None:
        return None
    instance = params.get("instance") or "audit"
    return [
        prepare(each, namespace=namespace, instance=instance, where=f"definitions[{index}]")
        for index, each in enumerate(given)
    ]


CONTRACT = Contract(
    spec={
        **WORLD_SPEC,
        "namespace": {"type": "str", "required": True},
        "instance": {"type": "str"},
        "flows": {"type": "list", "elements": "dict", "required": True},
        "targets": {"type": "dict"},
        "definitions": {"type": "list", "elements": "dict"},
    },
    work=_work,
    connects=connects,
)
