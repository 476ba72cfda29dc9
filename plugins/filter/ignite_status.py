# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter ignite_status."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ignite_status
short_description: How a run went on one cluster, in a record of bounded size
version_added: 0.1.0
author:
  - The netguard.lockdown authors (@netguard)
description:
  - Turns C(ignite_lockdown_result), or the result of the task that failed, into a record that fits into a fact cache
    and into an automation controller's database. Texts are cut off, lists are bounded.
positional: _input, host, entry_point
options:
  _input:
    description: The fact C(ignite_lockdown_result), or C(ansible_failed_result).
    type: dict
    required: true
  host:
    description: Inventory name of the host.
    type: str
    required: true
  entry_point:
    description: Entry point that was run.
    type: str
    required: true
seealso:
  - plugin: netguard.lockdown.fleet_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Keep how it went
  ansible.builtin.set_fact:
    cacheable: true
    lockdown_status: "{{ ignite_lockdown_result | netguard.lockdown.ignite_status(inventory_hostname, 'main') }}"
"""

RETURN = r"""
_value:
  description: The record.
  type: dict
  contains:
    host:
      description: Inventory name of the host.
      type: str
    entry_point:
      description: Entry point that was run.
      type: str
    namespace:
      description: Namespace of the instance, empty if it is not known.
      type: str
    instance:
      description: Name of the instance, empty if it is not known.
      type: str
    cluster_uid:
      description: uid of the cluster, empty if it was not reached.
      type: str
    outcome:
      description: V(ok), V(changed), V(drift) or V(failed).
      type: str
    drift:
      description: Worst class of drift as in M(netguard.lockdown.policy_drift_info), null if nobody looked.
      type: str
    code:
      description: Stable code of the failure, null if there is none.
      type: str
    message:
      description: What was done, found or went wrong.
      type: str
    next_step:
      description: What to do about it, empty if there is nothing to do.
      type: str
    policies:
      description: Up to ten policies that differ, with C(kind), C(name), C(class), C(reason) and C(changed_by).
      type: list
      elements: dict
    more_policies:
      description: How many further policies differ.
      type: int
    checked_at:
      description: When drift was looked for, by the API server's clock, else null.
      type: str
    artifact:
      description: A variable name for the record among those of other hosts, instances and jobs.
      type: str
"""

import typing as t


def ignite_status(result: t.Any, host: str, entry_point: str) -> dict[str, t.Any]:
    from ansible_collections.netguard.lockdown.plugins.module_utils._core import status  # noqa: PLC0415

    record = status.of_run(result, host=host, entry_point=entry_point)
    return {**record, "artifact": status.artifact_name(record)}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ignite_status": ignite_status}
