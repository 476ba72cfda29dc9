# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter ignite_connection."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ignite_connection
short_description: Connection options that are set in the variables of role ignite_lockdown
version_added: 0.1.0
author:
  - The netguard.lockdown authors (@netguard)
description:
  - Gives the connection options of this collection's modules, as far as the variables set them. An option that is not
    set is left out, so that a play's C(module_defaults) for group C(netguard.lockdown.all) still count.
  - The result can hold secrets. Use it for C(module_defaults) only.
positional: _input
options:
  _input:
    description: The role's variables by their full names.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Resolve targets on the cluster that the variables name
  netguard.lockdown.cluster_network_info:
  module_defaults:
    netguard.lockdown.cluster_network_info: "{{ variables | netguard.lockdown.ignite_connection }}"
  vars:
    variables:
      ignite_lockdown_kubeconfig: ~/.kube/config
      ignite_lockdown_context: production
"""

RETURN = r"""
_value:
  description: Option names without the prefix, and their values.
  type: dict
"""

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.arguments import read_connection


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ignite_connection": read_connection}
