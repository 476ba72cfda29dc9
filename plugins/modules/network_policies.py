#!/usr/bin/python
# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module network_policies."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_policies
short_description: Plan, apply and undo the network policies of one instance
version_added: 0.1.0
author:
  - The netguard.lockdown authors (@netguard)
description:
  - Brings the policies of one instance in one namespace to the wanted state, in an order in which no pod is cut off in
    between. Policies that permit something are written before those that only deny, and deleted after them.
  - A policy is ours when it carries the labels C(app.kubernetes.io/managed-by=netguard.lockdown) and
    C(app.kubernetes.io/instance) of this O(instance), and was applied by field manager C(netguard.lockdown). Everything
    else is never touched, except policies that are handed over with O(replace_policies).
  - Before the first change, what stood before is kept in ConfigMap C(netguard-lockdown-INSTANCE) of the namespace, so
    that a run on another machine can undo it. A Lease of the same name admits one run at a time. Both are written only
    when there is something to change, so a converged run writes nothing.
  - If a write fails, the writes before it are taken back.
  - What a GitOps controller (Argo CD, Flux) keeps is not changed, for it would be reverted. Pods that carry the sidecar
    of a service mesh get no policies without DNS, and the flows that the sidecar needs besides are a warning.
attributes:
  check_mode:
    support: full
    description:
      - The API server judges every change by a dry run. Where it does not permit that, or O(server_dry_run) is off, the
        plan is computed here alone and RV(dry_run) is V(local).
  diff_mode:
    support: full
  idempotent:
    support: full
    description: Policies are compared by what they mean, not by how they are written.
extends_documentation_fragment:
  - netguard.lockdown.attributes
  - netguard.lockdown.connection
options:
  namespace:
    description: The namespace of the policies. It must exist.
    type: str
    required: true
  instance:
    description: Name of the instance that owns the policies, 1 to 40 lower-case letters, digits and inner hyphens.
    type: str
    required: true
  state:
    description:
      - With V(present) exactly the O(definitions) stand, or the policies of a O(revision).
      - With V(absent) the instance has no policy. Needs O(accept_unisolated_pods) unless other policies isolate the
        same pods. The undo record stays.
    type: str
    choices: [present, absent]
    default: present
  definitions:
    description:
      - The wanted policies as whole Kubernetes objects of kind C(NetworkPolicy) of C(networking.k8s.io/v1).
      - Beside them a C(CiliumNetworkPolicy) of C(cilium.io/v2), in one form only. Its C(egress) rules name the entity
        C(kube-apiserver) and TCP ports, and C(enableDefaultDeny) is off for both directions, or left out for Cilium
        before 1.16, which has no such field. One that isolates nothing is written first, and has to become valid
        before anything else is written; one that isolates comes after the policies that permit something.
      - Every rule must name its peers, and C(policyTypes) must be explicit. An empty C(from) or C(to) would mean
        everyone, and is an error.
    type: list
    elements: dict
  revision:
    description:
      - Rolls back to a revision of the undo record. V(verified) is the last verified one before the current, or, where
        none was ever verified, the last that was completely applied. Revision V(0) is what stood before the first
        change. Policies that were handed over come back with it.
      - Repeating a rollback changes nothing.
    type: str
  prune:
    description: Whether policies of this instance that are not among the O(definitions) are deleted.
    type: bool
    default: true
  replace_policies:
    description:
      - Names of hand-made policies in the namespace that this instance replaces. They are deleted last, once the
        O(definitions) stand, and kept in the undo record. Names that do not exist are ignored.
    type: list
    elements: str
    default: []
  expected_digest:
    description:
      - RV(digest) of an approved plan. If the plan has another digest now, the module fails and writes nothing. A plan
        that has already been carried out is accepted.
    type: str
  cluster_uid:
    description: The uid of namespace C(kube-system). If the cluster has another one, the module fails.
    type: str
  accept_uncovered_pods:
    description: Accept that the plan cuts off pods that no policy permits anything.
    type: bool
    default: false
  accept_foreign_policies:
    description:
      - Names of policies of others that may widen what the O(definitions) permit.
      - A policy of another kind than C(NetworkPolicy) is named C(KIND/NAME), as in V(AdminNetworkPolicy/monitoring).
      - Where several groups have such a kind, it is named C(KIND.GROUP/NAME), as in
        V(NetworkPolicy.crd.projectcalico.org/web).
    type: list
    elements: str
    default: []
  accept_no_pods:
    description: Accept that the policies select no pod yet.
    type: bool
    default: false
  accept_unisolated_pods:
    description: Accept that pods lose isolation, as after O(state=absent) or a rollback to revision V(0).
    type: bool
    default: false
  server_dry_run:
    description:
      - Whether check mode asks the API server to judge the changes by a dry run. A dry run stores nothing, but it is a
        writing request to admission webhooks and audit logs. Without it, check mode only reads.
      - Outside of check mode the server always judges all changes before the first is written.
    type: bool
    default: true
  mark_verified:
    description:
      - Writes no policy. If exactly the O(definitions) stand, as RV(standing) tells, the current revision of the undo
        record is marked as verified, so that a later rollback finds it. If anything differs, RV(policies) holds the
        differences and nothing is marked.
      - For use after something else than this module has shown that the policies do what they should.
    type: bool
    default: false
  only_targets:
    description:
      - What the O(definitions) were rendered from, as M(netguard.lockdown.cluster_network_info) gives it. With it the
        module writes only if nothing but these targets has moved. The policies of the instance must stand as they were
        last written, for the same flows (annotation C(lockdown.netguard.io/flows)), and the changes must be explained
        by the addresses, pods and ports of the targets. Anything else is an error, and nothing is written.
      - Not with O(state=absent), O(revision), O(mark_verified) or O(replace_policies).
    type: dict
  policy_apis:
    description:
      - The APIs of policies that the cluster serves, each as C(GROUP/VERSION). C(engine.policy_apis) of
        M(netguard.lockdown.cluster_network_info) gives them.
      - Without it the API server is asked, which is one more request.
    type: list
    elements: str
  lock_timeout:
    description:
      - Seconds to wait for another run that holds the Lease. The Lease of a run that died expires after 30 seconds.
    type: float
    default: 40.0
seealso:
  - module: netguard.lockdown.cluster_network_info
"""

EXAMPLES = r"""
- name: Show what would change, and keep the digest for the approval
  netguard.lockdown.network_policies:
    namespace: cache-ns
    instance: ignite
    definitions: "{{ lookup('ansible.builtin.file', 'policies.yaml') | from_yaml_all }}"
  check_mode: true
  register: plan

- name: Apply exactly the approved plan and take over the hand-made policies
  netguard.lockdown.network_policies:
    namespace: cache-ns
    instance: ignite
    definitions: "{{ lookup('ansible.builtin.file', 'policies.yaml') | from_yaml_all }}"
    replace_policies:
      - deny-all-ingress-in-cache-ns
      - netpol-cache-ns
    expected_digest: "{{ plan.digest }}"

- name: Roll back to the last verified revision
  netguard.lockdown.network_policies:
    namespace: cache-ns
    instance: ignite
    revision: verified

- name: Note that these policies were seen to work
  netguard.lockdown.network_policies:
    namespace: cache-ns
    instance: ignite
    definitions: "{{ lookup('ansible.builtin.file', 'policies.yaml') | from_yaml_all }}"
    mark_verified: true
  register: confirmed
  failed_when: confirmed is failed or not confirmed.standing

- name: Take the instance away and leave its pods open
  netguard.lockdown.network_policies:
    namespace: cache-ns
    instance: ignite
    state: absent
    accept_unisolated_pods: true
"""

RETURN = r"""
digest:
  description: SHA-256 over the plan. The same cluster, states and steps have the same digest.
  returned: success
  type: str
  sample: sha256:3e0a1c5c3c0a5f8d1d4cb59e8d0e61a8f1a3e7a5f1f2b1c0f6f8b1f5a0f4c2d1
dry_run:
  description:
    - Who judged the changes before any was written. V(server) is the API server's dry run, V(local) the module
      alone, in check mode without the right to write or without O(server_dry_run), and V(none) means that there was
      nothing to judge.
  returned: success
  type: str
  sample: server
policies:
  description: Every wanted policy and every other one that is affected, in the order of the writes.
  returned: success
  type: list
  elements: dict
  contains:
    api_version:
      description: API version of the policy.
      type: str
      sample: networking.k8s.io/v1
    kind:
      description: Kind of the policy.
      type: str
      sample: NetworkPolicy
    namespace:
      description: Namespace of the policy.
      type: str
      sample: cache-ns
    name:
      description: Name of the policy.
      type: str
      sample: netguard-ignite-deny-all
    action:
      description:
        - What is done. V(repair) undoes somebody else's edit of a policy of ours, V(replace) deletes a policy that was
          handed over, V(restore) brings one back.
      type: str
      sample: create
    reason:
      description: Why.
      type: str
      sample: it does not exist
    gains:
      description: What becomes permitted.
      type: list
      elements: str
      sample: []
    losses:
      description: What is permitted no longer.
      type: list
      elements: str
      sample: [any egress of all pods that no policy permits, any ingress of all pods that no policy permits]
    stolen_fields:
      description: Other field managers that had taken parts of a policy of ours, with V(manager), V(time), V(fields).
      type: list
      elements: dict
      sample: []
    before:
      description: The policy before in normal form, null if there was none.
      type: dict
      sample: null
    after:
      description: The policy after in normal form, null if there is none.
      type: dict
      sample:
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        name: netguard-ignite-deny-all
        labels:
          app.kubernetes.io/managed-by: netguard.lockdown
          app.kubernetes.io/instance: ignite
        annotations: {}
        spec:
          podSelector: {}
          policyTypes: [Ingress, Egress]
          ingress: []
          egress: []
preflight:
  description: Who is affected.
  returned: success
  type: dict
  contains:
    pods:
      description: Pods that the allow policies select.
      type: list
      elements: dict
      sample: [{name: ignite-0, address: 10.244.1.10, covered_by: [netguard-ignite-allow-ignite]}]
    uncovered_pods:
      description: Pods that the policies isolate and that nothing permits any traffic.
      type: list
      elements: str
      sample: []
    skipped_pods:
      description: Pods to which policies do not apply, with V(name) and V(why).
      type: list
      elements: dict
      sample: []
    foreign_policies:
      description:
        - Policies of others that select the same pods, with V(name), V(owner), whether it V(widens) ours, the
          V(effects) it adds, and whether it is V(accepted).
      type: list
      elements: dict
      sample: []
    other_policies:
      description:
        - Policies of other kinds (AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy and those of
          Cilium, Calico, Antrea and OVN-Kubernetes) that select the same pods, with V(kind), V(namespace), V(name) and
          whether each is V(accepted).
        - Their V(effect) is V(widens) (an error unless accepted), V(restricts), V(none) or V(inconclusive), with the
          reason (V(why)). A kind that may not be listed is V(inconclusive) and has the name V(*).
      type: list
      elements: dict
      sample: []
    peers:
      description:
        - The namespaces and pods that each selecting peer matches today. Looked up only when something is to change.
      type: list
      elements: dict
      sample:
        - policy: netguard-ignite-allow-ignite
          peer: pods [app=ignite] of this namespace
          namespaces: [cache-ns]
          pods: [cache-ns/ignite-0]
cluster:
  description: Identity of the cluster, V(uid) being that of namespace C(kube-system).
  returned: success
  type: dict
  sample: {uid: 5f4e8f0e-0c3b-4c5e-9a39-2f0d5b1f7a10}
standing:
  description:
    - Whether the wanted policies, and no other ones of this instance, stood before this run. With O(mark_verified) the
      answer to whether they stand.
  returned: success
  type: bool
  sample: false
revision:
  description:
    - The revision that this run added to the undo record, null if it changed nothing. With O(mark_verified) the current
      one, null if there is no undo record.
  returned: success
  type: dict
  sample: {number: 1, operation: apply, status: applied, restores: null, plan_digest: "sha256:3e0a..."}
failure:
  description:
    - The failure as data. V(code) is stable, V(what), V(why) and V(next_step) are sentences, V(object) is the
      Kubernetes object concerned and V(details) depends on the code.
  returned: failure
  type: dict
  sample:
    code: foreign_policies
    what: Policies of others widen what ours permit
    why: netpol-cache-ns select the same pods, and policies add up
    next_step: Remove them, hand them over with replace_policies, or list them in accept_foreign_policies
    object: null
    details: {policies: [netpol-cache-ns]}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netguard.lockdown.plugins.module_utils._module.base import run
from ansible_collections.netguard.lockdown.plugins.module_utils._module.network_policies import CONTRACT


def main() -> None:
    module = AnsibleModule(
        argument_spec=CONTRACT.spec,
        mutually_exclusive=CONTRACT.mutually_exclusive,
        required_if=CONTRACT.required_if,
        supports_check_mode=True,
    )
    run(module, CONTRACT)


if __name__ == "__main__":
    main()
