# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter ignite_arguments."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ignite_arguments
short_description: Typed plugin arguments from the variables of role ignite_lockdown
version_added: 0.1.0
author:
  - The netguard.lockdown authors (@netguard)
description:
  - Reads the variables that an entry point of role P(netguard.lockdown.ignite_lockdown#role) passes to plugins, gives
    them their types, and leaves out what is not set, so that a play's C(module_defaults) still count.
  - Never fails because of a bad value. Everything wrong is listed in RV(_value.errors), unknown variables with the
    nearest known one.
positional: _input
options:
  _input:
    description: The role's variables by their full names.
    type: dict
    required: true
  known:
    description: Names of all variables that the role reads.
    type: list
    elements: str
    required: true
  entry_point:
    description: Entry point of the role.
    type: str
    choices:
      [main, verify, refresh, drift, fleet, fleet_report, render, deploy, rollback, remove, audit, verify_evidence]
    default: main
"""

EXAMPLES = r"""
- name: See that digits become an integer, and nothing becomes nothing
  ansible.builtin.debug:
    msg: "{{ variables | netguard.lockdown.ignite_arguments(known=variables.keys()) }}"
  vars:
    variables:
      ignite_lockdown_namespace: cache-ns
      ignite_lockdown_instance: ignite
      ignite_lockdown_grace_seconds: "300"
      ignite_lockdown_cluster_uid: ""
"""

RETURN = r"""
_value:
  description: The arguments and what is wrong with them.
  type: dict
  contains:
    namespace:
      description: The namespace of the instance.
      type: str
    instance:
      description: The name of the instance.
      type: str
    reads:
      description: Whether to read Ignite's own configuration.
      type: bool
    ignite_config_info:
      description: Further arguments for module M(netguard.lockdown.ignite_config_info).
      type: dict
    cluster_network_info:
      description: Further arguments for module M(netguard.lockdown.cluster_network_info).
      type: dict
    enforcement_canary:
      description: Further arguments for module M(netguard.lockdown.enforcement_canary).
      type: dict
    network_policies:
      description: Further arguments for module M(netguard.lockdown.network_policies).
      type: dict
    kube_objects:
      description: Further arguments for module M(netguard.lockdown.kube_objects).
      type: dict
    ignite_rollout:
      description: Arguments for filter P(netguard.lockdown.ignite_rollout#filter).
      type: dict
    proves:
      description: Whether entry point V(deploy) verifies in the end.
      type: bool
    create_namespace:
      description: Whether entry point V(deploy) may create the namespace.
      type: bool
    policy_drift_info:
      description: Further arguments for module M(netguard.lockdown.policy_drift_info).
      type: dict
    flow_probe:
      description: Further arguments for module M(netguard.lockdown.flow_probe).
      type: dict
    ignite_topology_info:
      description: Further arguments for module M(netguard.lockdown.ignite_topology_info).
      type: dict
    ignite_verdict:
      description: Arguments for filter P(netguard.lockdown.ignite_verdict#filter).
      type: dict
    evidence_pack:
      description: Further arguments for module M(netguard.lockdown.evidence_pack).
      type: dict
    evidence_info:
      description: Further arguments for module M(netguard.lockdown.evidence_info).
      type: dict
    probes:
      description: What was probed, null if nothing was.
      type: dict
    topology:
      description: What the servers say of their ring, null if nobody asked.
      type: dict
    canary_proof:
      description: What a canary showed, null if none was run.
      type: dict
    fail_on:
      description: Verdicts at which entry point V(audit) fails.
      type: list
      elements: str
    fail_on_drift:
      description: Whether the run fails on drift.
      type: bool
    fleet_action:
      description: The entry point that a fleet runs, empty for other entry points than V(fleet).
      type: str
    canary:
      description: When entry point V(main) proves that policies are enforced.
      type: str
    errors:
      description: What is wrong, as sentences. Empty if all is well.
      type: list
      elements: str
"""

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.arguments import read_arguments


def ignite_arguments(
    given: t.Mapping[str, t.Any], known: t.Iterable[str], entry_point: str = "main"
) -> dict[str, t.Any]:
    return read_arguments(given, list(known), entry_point).as_record()


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ignite_arguments": ignite_arguments}
