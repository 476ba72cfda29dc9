# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter ignite_agreement."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ignite_agreement
short_description: Whether a rendered Ignite is the one that was meant
version_added: 0.1.0
author:
  - The netguard.lockdown authors (@netguard)
description:
  - Reads the rendered objects as module M(netguard.lockdown.ignite_config_info) reads those of any Ignite, and compares
    ports, discovery, TLS, authentication and persistence with what the policies are rendered from.
  - What no policy can hold, such as a port that may move, is an error too.
positional: _input, deployment
options:
  _input:
    description: The rendered objects, a StatefulSet and a ConfigMap with key C(ignite.xml) among them.
    type: list
    elements: dict
    required: true
  deployment:
    description: What they were rendered from, RV(netguard.lockdown.ignite_deployment#filter:_value.deployment).
    type: dict
    required: true
seealso:
  - plugin: netguard.lockdown.ignite_deployment
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Stop before anything is written that differs from the policies
  ansible.builtin.assert:
    that: (objects | netguard.lockdown.ignite_agreement(deployment)).errors == []
"""

RETURN = r"""
_value:
  description: How the two compare.
  type: dict
  contains:
    findings:
      description: What a reviewer should know, with C(code), C(level), C(where), C(message) and C(fix).
      type: list
      elements: dict
    errors:
      description: What differs or cannot be held by a policy, as sentences. Empty if all is well.
      type: list
      elements: str
"""

import typing as t


def ignite_agreement(objects: t.Sequence[t.Mapping[str, t.Any]], deployment: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    # Ansible imports every filter to find one.
    from ansible_collections.netguard.lockdown.plugins.module_utils._core.deploy.agreement import compare  # noqa: PLC0415

    return compare(objects, deployment).as_record()


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ignite_agreement": ignite_agreement}
