# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter ignite_targets."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ignite_targets
short_description: What policies are rendered from
version_added: 0.1.0
author:
  - The netguard.lockdown authors (@netguard)
description:
  - Joins the flows that an Ignite cluster needs with the targets that were resolved from the live cluster, typed.
  - A target that a flow needs must be there and be exact. Every block of the API server is a single address.
  - CIDR blocks of clients and extra flows must stay out of the cluster's pod and service ranges.
  - Where Ignite's configuration was read, its C(masterUrl) must lead to the API server that was resolved.
  - Never fails because of a bad value. Everything wrong is listed in RV(_value.errors), with what was wrong before.
    With errors, nothing may be rendered.
positional: _input, targets
options:
  _input:
    description: The value of P(netguard.lockdown.ignite_flows#filter).
    type: dict
    required: true
  targets:
    description: The result of M(netguard.lockdown.cluster_network_info), or data of that form.
    type: dict
    required: true
seealso:
  - plugin: netguard.lockdown.ignite_flows
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Stop before anything is rendered from incomplete targets
  ansible.builtin.assert:
    that: rules.errors == []
  vars:
    rules: "{{ variables | netguard.lockdown.ignite_flows | netguard.lockdown.ignite_targets(targets) }}"
"""

RETURN = r"""
_value:
  description: The flows, the typed targets and what there is to say about them.
  type: dict
  contains:
    flows:
      description: The flow records as they came in.
      type: list
      elements: dict
    api_server:
      description: One rule for each entry, with C(protocol), C(port) (an integer) and C(cidrs).
      type: list
      elements: dict
    entity:
      description: >-
        The API server as Cilium names it, with C(ports) (integers) and C(additive), null where addresses are enough.
      type: dict
    endpoints:
      description: The API server's endpoints as C(ADDRESS:PORT), for the annotation of the policies.
      type: list
      elements: str
    kept:
      description: Endpoints that have vanished and are kept for a while, as C(ADDRESS:PORT=TIME).
      type: list
      elements: str
    dns:
      description: The cluster's DNS with C(namespace), C(pod_selector) and C(ports), null if no flow needs it.
      type: dict
    helpers:
      description: The policies for clients as they came in.
      type: list
      elements: dict
    ignite:
      description: What was read of Ignite's configuration, as it came in; null if nothing was read.
      type: dict
    flows_digest:
      description: SHA-256 over what the flows allow, for the annotation of the policies. Reasons make no difference.
      type: str
    findings:
      description: >-
        The findings that came in, and what could not be judged, with C(code), C(level), C(where) and C(message).
      type: list
      elements: dict
    errors:
      description: The errors that came in, and what is wrong with the targets, as sentences. Empty if all is well.
      type: list
      elements: str
"""

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import Flow, flows_digest, parse_flows
from ansible_collections.netguard.lockdown.plugins.module_utils._core.targets import Judged, judge_targets


def ignite_targets(needs: t.Mapping[str, t.Any], targets: t.Any) -> dict[str, t.Any]:
    try:
        flows = parse_flows(needs["flows"])
        judged = Judged() if needs["errors"] else _judge(needs, flows, targets)
    except LockdownError as error:
        flows, judged = [], Judged(errors=[error])
    record = judged.as_record()
    return {
        **record,
        "flows_digest": flows_digest(flows),
        "flows": needs["flows"],
        "findings": [*needs["findings"], *record["findings"]],
        "errors": [*needs["errors"], *record["errors"]],
        "helpers": needs["helpers"],
        "ignite": needs["ignite"],
    }


def _judge(needs: t.Mapping[str, t.Any], flows: t.Sequence[Flow], targets: t.Any) -> Judged:
    helpers = [flow for helper in needs["helpers"] for flow in parse_flows(helper["flows"])]
    discovery = (needs["ignite"] or {}).get("discovery")
    return judge_targets(targets, flows, needs["accepted"], helpers, discovery)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ignite_targets": ignite_targets}
