#!/usr/bin/python

# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: policy_drift_info
short_description: Tell whether and why the policies of an instance differ from the wanted ones
version_added: 0.1.0
description:
  - Compares the policies in the cluster with those that would be written today, and with those that were written last,
    as the undo record keeps them. Each one that differs gets a class that a program can act on.
  - Only reads. The comparison is made here, so that no right to write is needed.
  - The module reports; drift does not make it fail.
author:
  - The netguard.lockdown authors (@netguard)
extends_documentation_fragment:
  - netguard.lockdown.connection
  - netguard.lockdown.attributes
  - netguard.lockdown.attributes.info_module
  - netguard.lockdown.attributes.actiongroup_all
options:
  namespace:
    description: The namespace of the policies.
    type: str
    required: true
  instance:
    description: Name of the instance that owns the policies.
    type: str
    required: true
  definitions:
    description: The wanted policies, as for M(netguard.lockdown.network_policies).
    type: list
    elements: dict
    required: true
  targets:
    description:
      - What the O(definitions) were rendered from, as M(netguard.lockdown.cluster_network_info) gives it. It tells a
        target that has moved from anything else.
    type: dict
    required: true
  replace_policies:
    description: Names of hand-made policies that were handed over to this instance. If one stands, that is drift.
    type: list
    elements: str
    default: []
  accept_foreign_policies:
    description: Names of policies of others that may permit more, as for M(netguard.lockdown.network_policies).
    type: list
    elements: str
    default: []
  cluster_uid:
    description: The uid of namespace C(kube-system). If the cluster has another one, the module fails.
    type: str
  policy_apis:
    description: The APIs of policies that the cluster serves, as for M(netguard.lockdown.network_policies).
    type: list
    elements: str
seealso:
  - module: netguard.lockdown.network_policies
  - module: netguard.lockdown.policy_audit_info
"""

EXAMPLES = r"""
- name: Resolve the targets
  netguard.lockdown.cluster_network_info:
    namespace: cache-ns
    instance: ignite
  register: targets

- name: See whether somebody edited the policies
  netguard.lockdown.policy_drift_info:
    namespace: cache-ns
    instance: ignite
    definitions: "{{ lookup('ansible.builtin.file', 'policies.yaml') | from_yaml_all }}"
    targets: "{{ targets }}"
  register: drift
  failed_when: drift is failed or drift.class == 'edited'
"""

RETURN = r"""
class:
  description:
    - The worst class of all RV(policies). From best to worst, they are V(none), V(targets_moved) (nothing but addresses
      and ports of the API server or the DNS differ, so that a refresh mends it), V(redefined) (the wanted policies are
      others than those that were written), V(extra) (a policy of ours that is no longer wanted), V(edited) (one is not
      as we wrote it), V(foreign) (a policy of somebody else has our name, or permits our pods more) and V(missing).
  returned: success
  type: str
  sample: edited
drifted:
  description: Whether RV(class) is another one than V(none).
  returned: success
  type: bool
  sample: true
policies:
  description: Every wanted policy, and every other one that matters.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the policy.
      type: str
      sample: NetworkPolicy
    namespace:
      description: Namespace of the policy, empty for a kind that has none.
      type: str
      sample: cache-ns
    name:
      description: Name of the policy.
      type: str
      sample: netguard-ignite-deny-all
    class:
      description: One of the values of RV(class).
      type: str
      sample: edited
    reason:
      description: Why, as a sentence.
      type: str
      sample: it was edited by kubectl-edit
    surplus:
      description: What it permits and should not.
      type: list
      elements: str
      sample: [all pods open all ports to everyone]
    lacking:
      description: What it should permit, or isolate, and does not.
      type: list
      elements: str
      sample: []
    changed_by:
      description:
        - Field managers that own what differs or should not be there, the last one first, with C(manager),
          C(operation), C(time) (of the API server, UTC) and C(fields). Nobody keeps who deleted an object.
      type: list
      elements: dict
      sample:
        - {manager: kubectl-edit, operation: Update, time: "2026-11-22T14:00:00Z", fields: [spec.egress]}
cluster:
  description: Identity of the cluster, V(uid) being that of namespace C(kube-system).
  returned: success
  type: dict
  sample: {uid: 5f4e8f0e-0c3b-4c5e-9a39-2f0d5b1f7a10}
revision:
  description: The newest revision of the undo record, null if there is none.
  returned: success
  type: dict
  sample: {number: 1, operation: apply, status: verified, restores: null, plan_digest: "sha256:3e0a..."}
checked_at:
  description: When this was read, by the API server's clock (UTC).
  returned: success
  type: str
  sample: "2026-11-22T14:05:00Z"
failure:
  description: The failure as data, as for M(netguard.lockdown.network_policies).
  returned: failure
  type: dict
  sample:
    code: api_forbidden
    what: GET https://203.0.113.1:6443/api/v1/namespaces/cache-ns/configmaps/netguard-lockdown-ignite failed
    why: 'configmaps "netguard-lockdown-ignite" is forbidden: User "drift" cannot get resource "configmaps"'
    next_step: "Grant this in a Role in namespace cache-ns: {apiGroups: [''], resources: [configmaps], verbs: [get]}"
    object: null
    details: {}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netguard.lockdown.plugins.module_utils._module.base import run
from ansible_collections.netguard.lockdown.plugins.module_utils._module.policy_drift_info import CONTRACT


def main() -> None:
    module = AnsibleModule(argument_spec=CONTRACT.spec, supports_check_mode=True)
    run(module, CONTRACT)


if __name__ == "__main__":
    main()
