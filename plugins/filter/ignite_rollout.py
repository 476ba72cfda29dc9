# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter ignite_rollout."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ignite_rollout
short_description: In which order policies and workload of an Ignite change
version_added: 0.1.0
author:
  - The netguard.lockdown authors (@netguard)
description:
  - A new Ignite gets its policies before its pods. Where one runs, the rules of before and after are allowed together
    until its pods have been replaced, and what is no longer needed goes then.
  - A change through which servers of before and after do not join each other (version, discovery port, TLS,
    authentication) stops all servers first, on the explicit word. Without it, it is an error.
positional: _input
options:
  _input:
    description: What was rendered, RV(netguard.lockdown.ignite_deployment#filter:_value.deployment).
    type: dict
    required: true
  workload:
    description: The rendered objects of the workload.
    type: list
    elements: dict
    required: true
  definitions:
    description: The rendered policies.
    type: list
    elements: dict
    required: true
  policies:
    description: >-
      The policies' changes (RV(netguard.lockdown.network_policies#module:policies)), empty if there is no namespace.
    type: list
    elements: dict
    required: true
  live:
    description: The result of M(netguard.lockdown.ignite_config_info) for the Ignite that runs, if one does.
    type: dict
  full_restart:
    description: Whether all servers may be stopped.
    type: bool
    default: false
  wait:
    description: Whether the run waits for the pods. Without it, nothing is taken away that may still be needed.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Show the order
  ansible.builtin.debug:
    msg: "{{ (deployment | netguard.lockdown.ignite_rollout(objects, policies, [])).steps | map(attribute='why') }}"
"""

RETURN = r"""
_value:
  description: The order.
  type: dict
  contains:
    steps:
      description: >-
        What is applied, one after the other, with C(kind) (V(stop), V(policies) or V(workload)), C(why), C(definitions)
        and their C(names), and whether policies of before are C(joined) with those that are wanted.
      type: list
      elements: dict
    restart:
      description: Why all servers have to stop. Empty if they need not.
      type: list
      elements: str
    errors:
      description: Why nothing may be changed, as sentences. Empty if all is well.
      type: list
      elements: str
"""

import typing as t

Records = t.Sequence[dict[str, t.Any]]


def ignite_rollout(
    deployment: t.Mapping[str, t.Any],
    workload: Records,
    definitions: Records,
    policies: Records,
    live: t.Mapping[str, t.Any] | None = None,
    full_restart: bool = False,
    wait: bool = True,
) -> dict[str, t.Any]:
    # Ansible imports every filter to find one.
    from ansible_collections.netguard.lockdown.plugins.module_utils._core.deploy.rollout_order import Change, order  # noqa: PLC0415

    change = Change(
        deployment=deployment,
        workload=workload,
        definitions=definitions,
        policies=policies,
        live=live or None,
        full_restart=full_restart,
        waits=wait,
    )
    return order(change).as_record()


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ignite_rollout": ignite_rollout}
