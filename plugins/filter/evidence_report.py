# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter evidence_report."""

from __future__ import annotations

DOCUMENTATION = r"""
name: evidence_report
short_description: The report of an evidence pack, in all its forms
version_added: 0.1.0
author:
  - The netguard.lockdown authors (@netguard)
description:
  - Makes the report of a pack that M(netguard.lockdown.evidence_pack) wrote, again or with a newer version of this
    collection. The same pack gives the same bytes.
positional: _input, before
options:
  _input:
    description: The content of C(pack.json).
    type: dict
    required: true
  before:
    description: The content of the pack before, to show what has changed.
    type: dict
seealso:
  - module: netguard.lockdown.evidence_pack
"""

EXAMPLES = r"""
- name: Make the page of an old pack again
  ansible.builtin.copy:
    content: "{{ (pack | netguard.lockdown.evidence_report)['report.html'] }}"
    dest: report.html
    mode: "0644"
  vars:
    pack: "{{ lookup('ansible.builtin.file', 'pack.json') | from_json }}"
"""

RETURN = r"""
_value:
  description: >-
    The texts by the names of their files, C(report.html), C(report.md), C(flows.svg), C(matrix.csv), C(junit.xml) and
    C(report.sarif).
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError


def evidence_report(pack: t.Any, before: t.Any = None) -> dict[str, str]:
    # Ansible imports every filter of a collection to find one by its name, and reports are needed in few runs.
    from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import report  # noqa: PLC0415
    from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.plain import mapping  # noqa: PLC0415

    try:
        facts = mapping(before, "before")["facts"] if before else None
        return report.files(mapping(pack, "pack"), facts)
    except LockdownError as error:
        raise AnsibleFilterError(str(error)) from error
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(f"this is not an evidence pack: {type(error).__name__} {error}") from error


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"evidence_report": evidence_report}
