# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter fleet_report."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_report
short_description: One summary of many clusters
version_added: 0.1.0
author:
  - The netguard.lockdown authors (@netguard)
description:
  - Puts the records of P(netguard.lockdown.ignite_status#filter) together, from whichever plays, slices or jobs they
    come.
positional: _input, hosts
options:
  _input:
    description: The records.
    type: list
    elements: dict
    required: true
  hosts:
    description: Inventory names of the hosts that were asked. One without a record has failed.
    type: list
    elements: str
    default: []
seealso:
  - plugin: netguard.lockdown.ignite_status
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show the summary
  ansible.builtin.debug:
    msg: "{{ (statuses | netguard.lockdown.fleet_report).text }}"
"""

RETURN = r"""
_value:
  description: The summary.
  type: dict
  contains:
    good:
      description: Whether there is a record, and every outcome is V(ok) or V(changed).
      type: bool
    counts:
      description: Number of hosts for each outcome.
      type: dict
    hosts:
      description: The records, sorted by host.
      type: list
      elements: dict
    bad:
      description: Names of the hosts with drift or a failure.
      type: list
      elements: str
    text:
      description: A table for people.
      type: str
    junit:
      description: The same as JUnit XML, with a test case for each host.
      type: str
    message:
      description: How many are well, and a line with reason and next step for each one that is not.
      type: str
"""

import typing as t


def fleet_report(records: t.Iterable[t.Any], hosts: t.Iterable[str] = ()) -> dict[str, t.Any]:
    from ansible_collections.netguard.lockdown.plugins.module_utils._core import status  # noqa: PLC0415

    return status.report(records, hosts)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"fleet_report": fleet_report}
