# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter survey_options."""

from __future__ import annotations

DOCUMENTATION = r"""
name: survey_options
short_description: Typed options of role ignite_lockdown from the answers of a survey
version_added: 0.1.0
author:
  - The netguard.lockdown authors (@netguard)
description:
  - Turns the answers of an automation controller's survey into options of role
    P(netguard.lockdown.ignite_lockdown#role). Digits become numbers, words become booleans, lines become lists, and
    YAML text becomes lists and mappings. An answer that is left empty is left out, so that inventories and defaults
    count.
  - Answers are data. One that holds a template is refused.
  - Never fails because of a bad answer. Everything wrong is listed in RV(_value.errors).
positional: _input
options:
  _input:
    description: The variables of the survey by their full names, each with the prefix C(netguard_survey_).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: See what became of the answers
  ansible.builtin.debug:
    msg: "{{ answers | netguard.lockdown.survey_options }}"
  vars:
    answers:
      netguard_survey_namespace: cache-ns
      netguard_survey_instance: ""
      netguard_survey_lock_timeout: "60"
      netguard_survey_replace_policies: |
        deny-all-ingress-in-cache-ns
        netpol-cache-ns
      netguard_survey_clients: "[{name: shop, kind: thin, namespaces: [shop]}]"
      netguard_survey_accept: [accept_no_pods]
"""

RETURN = r"""
_value:
  description: The options and what is wrong with the answers.
  type: dict
  contains:
    options:
      description: Options of the role by their full names, as far as they were answered.
      type: dict
    errors:
      description: What is wrong, as sentences. Empty if all is well.
      type: list
      elements: str
"""

import typing as t


def survey_options(given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    # Deferred: every run of the role loads all filters, and few runs have a survey.
    from ansible_collections.netguard.lockdown.plugins.module_utils._core.survey import read_answers  # noqa: PLC0415

    return read_answers(given).as_record()


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"survey_options": survey_options}
