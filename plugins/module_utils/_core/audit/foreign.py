# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies that are not ours and select the pods in question: what they add, as far as it can be told."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.case import Case
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.judge import policy_adds
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.masks import Mask
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.policies import Policy

Json = dict[str, t.Any]

WIDENS, NOTHING, UNKNOWN = "widens", "nothing", "unknown"


def records(case: Case) -> list[Json]:
    found = []
    for number, policy in enumerate(case.policies):
        selected = case.compiled.subjects[number] & case.judgement.scope
        if selected and number not in case.ours:
            effect, because = _effect(case, number, policy, selected)
            found.append(
                {
                    "kind": policy.kind,
                    "namespace": policy.namespace,
                    "name": policy.name,
                    "pods": [str(pod) for pod in case.describer.pods(selected)],
                    "effect": effect,
                    "adds": None if effect == UNKNOWN else effect == WIDENS,
                    "because": because,
                }
            )
    return found


def _effect(case: Case, number: int, policy: Policy, selected: Mask) -> tuple[str, str]:
    if policy.opaque:
        bound = case.compiled.egress.isolated & case.compiled.ingress.isolated
        if policy.fallback and not selected & ~bound:
            return NOTHING, "it counts only where no NetworkPolicy does, and these pods are isolated both ways"
        return UNKNOWN, policy.opaque
    if policy_adds(case.compiled, number, case.ours, selected):
        return WIDENS, "its rules allow what the judged policies do not"
    return NOTHING, "its rules allow nothing that the judged policies do not allow"
