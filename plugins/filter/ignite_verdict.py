# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter ignite_verdict."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ignite_verdict
short_description: One verdict on a lock-down, with its reasons
version_added: 0.1.0
author:
  - The netguard.lockdown authors (@netguard)
description:
  - Joins what was seen of the policies, of connections and of Ignite's topology to one verdict. Whatever is not proven
    keeps it from being V(pass).
  - Says whether policies that fail may be replaced by the revision before.
positional: _input
options:
  _input:
    description: Result of M(netguard.lockdown.network_policies) with C(mark_verified), in check mode.
    type: dict
    required: true
  probe:
    description: Result of M(netguard.lockdown.flow_probe).
    type: dict
    required: true
  topology:
    description: Result of M(netguard.lockdown.ignite_topology_info).
    type: dict
    required: true
  on_failure:
    description: Whether policies that were never verified are to be replaced by the revision before when they fail.
    type: str
    choices: [keep, restore]
    default: keep
  accept_surviving_sockets:
    description: Whether connections that the policies forbid, and that were open before, are accepted.
    type: bool
    default: false
seealso:
  - module: netguard.lockdown.flow_probe
  - module: netguard.lockdown.ignite_topology_info
"""

EXAMPLES = r"""
- name: Fail with all reasons
  ansible.builtin.assert:
    that: judgement.verdict == 'pass'
    fail_msg: "{{ judgement.message }}"
  vars:
    judgement: "{{ plan | netguard.lockdown.ignite_verdict(probe, topology) }}"
"""

RETURN = r"""
_value:
  description: The verdict.
  type: dict
  contains:
    verdict:
      description: V(pass), V(fail) or V(inconclusive).
      type: str
    reasons:
      description: >-
        What is not as it should be, with C(area) (policies, allowed, forbidden, sockets, topology), C(verdict),
        C(what) and C(next_step). Empty for V(pass).
      type: list
      elements: dict
    restore:
      description: Whether the revision before is to come back.
      type: bool
    kept_because:
      description: Why not, where it was asked for. Empty otherwise.
      type: str
    message:
      description: All of it as text.
      type: str
"""

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import verdict


def ignite_verdict(
    plan: t.Mapping[str, t.Any],
    probe: t.Mapping[str, t.Any],
    topology: t.Mapping[str, t.Any],
    on_failure: str = verdict.KEEP,
    accept_surviving_sockets: bool = False,
) -> dict[str, t.Any]:
    judged = verdict.judge(plan, probe, topology, on_failure=on_failure, accept_sockets=accept_surviving_sockets)
    return judged.as_record()


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ignite_verdict": ignite_verdict}
