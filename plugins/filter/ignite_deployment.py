# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter ignite_deployment."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ignite_deployment
short_description: What an Ignite's configuration and workload are rendered from
version_added: 0.1.0
author:
  - The netguard.lockdown authors (@netguard)
description:
  - Turns variables of role P(netguard.lockdown.ignite_lockdown#role), and what is known of the cluster, into the typed
    values that the role's templates for a deployment take.
  - Never fails because of a bad value. Everything wrong is listed in RV(_value.errors). With errors, nothing may be
    rendered.
positional: _input, flows, targets
options:
  _input:
    description: The role's variables by their full names.
    type: dict
    required: true
  flows:
    description: The flows that P(netguard.lockdown.ignite_flows#filter) makes from the same variables.
    type: list
    elements: dict
    required: true
  targets:
    description: >-
      The result of M(netguard.lockdown.cluster_network_info). Without it the variables are judged, and the address of
      the API server stays empty.
    type: dict
seealso:
  - plugin: netguard.lockdown.ignite_agreement
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Refuse bad variables before anything is asked of the cluster
  ansible.builtin.assert:
    that: (variables | netguard.lockdown.ignite_deployment(flows)).errors == []
"""

RETURN = r"""
_value:
  description: The values, and what there is to say about them.
  type: dict
  contains:
    deployment:
      description: The values for the templates, null with errors.
      type: dict
    findings:
      description: What a reviewer should know, with C(code), C(level), C(where) and C(message).
      type: list
      elements: dict
    errors:
      description: What is wrong, as sentences. Empty if all is well.
      type: list
      elements: str
"""

import typing as t


def ignite_deployment(
    given: t.Mapping[str, t.Any], flows: t.Sequence[t.Mapping[str, t.Any]], targets: t.Any = None
) -> dict[str, t.Any]:
    # Ansible imports every filter to find one.
    from ansible_collections.netguard.lockdown.plugins.module_utils._core.deploy.deployment import work_out  # noqa: PLC0415

    return work_out(given, flows, targets).as_record()


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ignite_deployment": ignite_deployment}
