# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter ignite_flows."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ignite_flows
short_description: The flows that an Ignite cluster needs
version_added: 0.1.0
author:
  - The netguard.lockdown authors (@netguard)
description:
  - Turns variables of role P(netguard.lockdown.ignite_lockdown#role) into typed flows, each with an id and a reason.
  - Never fails because of a bad value. Everything wrong is listed in RV(_value.errors), so that one task can report
    all of it; with errors, RV(_value.flows) is not complete and must not be used.
positional: _input
options:
  _input:
    description: >-
      The role's variables by their full names. Read are C(ignite_lockdown_pod_selector), C(ignite_lockdown_ports),
      C(ignite_lockdown_clients), C(ignite_lockdown_extra_flows), C(ignite_lockdown_forbidden),
      C(ignite_lockdown_discovery), C(ignite_lockdown_profile), C(ignite_lockdown_minimal_confirmed),
      C(ignite_lockdown_version) and those that tell whether Ignite's configuration is read.
    type: dict
    required: true
  configured:
    description: >-
      The result of M(netguard.lockdown.ignite_config_info). It counts only if the variables ask for it, and is
      an error if it is missing then. Its ports win; one that is given otherwise is an error.
    type: dict
seealso:
  - plugin: netguard.lockdown.ignite_targets
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what two thin clients add
  ansible.builtin.debug:
    msg: "{{ variables | netguard.lockdown.ignite_flows }}"
  vars:
    variables:
      ignite_lockdown_pod_selector: {matchLabels: {app: ignite}}
      ignite_lockdown_ports: {discovery: 47500, communication: 47100, thin_client: 10800, connector: 11211, rest: 8080}
      ignite_lockdown_profile: standard
      ignite_lockdown_clients:
        - {name: web, kind: thin, namespaces: [web]}
"""

RETURN = r"""
_value:
  description: The flows and what there is to say about them.
  type: dict
  contains:
    flows:
      description: >-
        Flow records with C(id), C(direction), C(subject), C(peer), C(protocol), C(port) (an integer, or null where the
        peer is a target that is resolved from the cluster), C(end_port), C(expect) and C(reason).
      type: list
      elements: dict
    forbidden:
      description: >-
        Flow records of connections that must not work, with C(expect=deny). Probes try them; nothing is rendered from
        them.
      type: list
      elements: dict
    findings:
      description: >-
        What is allowed as asked and a reviewer should know, with C(code), C(level), C(where) and C(message), and C(fix)
        where it comes from Ignite's configuration.
      type: list
      elements: dict
    errors:
      description: What is wrong, as sentences. Empty if all is well.
      type: list
      elements: str
    accepted:
      description: Ids of the flows whose wide peer was accepted with C(accept_wide).
      type: list
      elements: str
    helpers:
      description: >-
        Policies that clients asked for, one for each namespace, with C(client), C(namespace), C(name) and C(flows).
      type: list
      elements: dict
    ignite:
      description: What was read of Ignite's configuration and its workload, null if it was not read.
      type: dict
"""

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite import ignite_needs


def ignite_flows(given: t.Mapping[str, t.Any], configured: t.Mapping[str, t.Any] | None = None) -> dict[str, t.Any]:
    return ignite_needs(given, configured).as_record()


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ignite_flows": ignite_flows}
