#!/usr/bin/python

# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: reachability_info
short_description: Tell who can reach whom under the network policies of a cluster, and why
version_added: 0.1.0
description:
  - Evaluates NetworkPolicies exactly, over all pods, nodes, addresses, and ports of TCP, UDP and SCTP. Nothing is
    sampled and no packet is sent.
  - Objects come from a live cluster or, offline, from files.
  - Every answer names the policy and the rule that allows, or the policies that isolate.
  - What cannot be told is V(null), never allowed or denied. That is so where a policy of another API, which is not
    evaluated, selects a pod, and where objects could not be read.
  - A pod always reaches itself and its own node. Pods that have ended count for nothing. Pods in their node's network
    are their node.
author:
  - The netguard.lockdown authors (@netguard)
extends_documentation_fragment:
  - netguard.lockdown.connection
  - netguard.lockdown.attributes
  - netguard.lockdown.attributes.info_module
  - netguard.lockdown.attributes.actiongroup_all
options:
  queries:
    description: Connections to judge.
    type: list
    elements: dict
    default: []
    suboptions:
      from:
        description: Where it starts, as C(NAMESPACE/POD) or an IP address.
        type: str
        required: true
      to:
        description:
          - Where it goes, as C(NAMESPACE/POD) or an IP address.
          - A Service's address means the Service. The connection ends at one of its ready endpoints then.
        type: str
        required: true
      protocol:
        description: Transport protocol.
        type: str
        choices: [TCP, UDP, SCTP]
        default: TCP
      port:
        description: Destination port, 1 to 65535.
        type: int
        required: true
  matrix:
    description: Whether to return the full matrix in RV(matrix).
    type: bool
    default: false
  matrix_namespaces:
    description: Namespaces whose pods are at one end at least of what the matrix shows. All, if none is named.
    type: list
    elements: str
    default: []
  src:
    description:
      - Files to read the objects from, instead of a cluster. No connection is made then, and the connection options are
        ignored.
      - A file holds YAML with any number of documents, or JSON as the API returns it. Lists of any kind are unpacked.
        Of a folder, all files below it that end with C(.yaml), C(.yml) or C(.json) are read.
      - Read are Namespaces, Pods, Nodes, Services, EndpointSlices, NetworkPolicies, the policies of other APIs as far
        as they are known, and, where they make a difference, Roles, their bindings and ConfigMaps. Other kinds are
        counted in RV(ignored).
    type: list
    elements: path
    default: []
  profile:
    description:
      - How the policy engine judges what the NetworkPolicy API leaves open.
      - V(standard) matches pods and nodes by address blocks, and judges a connection after the address of a Service was
        translated.
      - V(cilium) matches neither pods nor nodes by blocks. V(cilium-nodes) matches nodes, as Cilium does where its
        C(policy-cidr-match-mode) contains C(nodes).
      - V(pre-dnat) judges egress before the address of a Service is translated.
      - V(auto) takes the one of the engine that shows itself, and V(standard) where none does.
    type: str
    choices: [auto, standard, cilium, cilium-nodes, pre-dnat]
    default: auto
  cluster_uid:
    description:
      - The uid of the namespace C(kube-system) of the cluster that is meant. Another cluster is an error.
      - It cannot be combined with O(src).
    type: str
seealso:
  - module: netguard.lockdown.policy_audit_info
"""

EXAMPLES = r"""
- name: Ask whether a pod that was taken over could reach its command-and-control server
  netguard.lockdown.reachability_info:
    queries:
      - {from: cache-ns/ignite-0, to: 203.0.113.10, port: 4444}
  register: reach

- name: Show the answer with its reason
  ansible.builtin.debug:
    msg: "{{ reach.answers[0].allowed }}: {{ reach.answers[0].because }}"

- name: Judge manifests before they are applied, without a cluster
  netguard.lockdown.reachability_info:
    src: [manifests/]
    matrix: true
    matrix_namespaces: [cache-ns]
"""

RETURN = r"""
answers:
  description: One answer for each of O(queries), in their order.
  returned: success
  type: list
  elements: dict
  contains:
    from:
      description: As asked.
      type: str
      sample: cache-ns/ignite-0
    to:
      description: As asked.
      type: str
      sample: 203.0.113.10
    protocol:
      description: As asked.
      type: str
      sample: TCP
    port:
      description: As asked.
      type: int
      sample: 4444
    allowed:
      description: Whether it may be opened, null where that cannot be told.
      type: bool
      sample: false
    because:
      description: What decides.
      type: str
      sample: >-
        cache-ns/ignite-0 is isolated for egress by cache-ns/netguard-ignite-allow-servers,
        cache-ns/netguard-ignite-deny-all, and no rule allows 203.0.113.10 on TCP 4444
    egress: &verdict
      description: The word of the policies of the one end.
      type: dict
      contains:
        allowed:
          description: Whether this end permits it, null where that cannot be told.
          type: bool
          sample: true
        because:
          description: Why.
          type: str
          sample: rule egress[2] of cache-ns/netguard-ignite-allow-servers allows it
        by:
          description: The rule that allows, with C(policy), C(direction) and C(rule), null if none does.
          type: dict
          sample: {policy: cache-ns/netguard-ignite-allow-servers, direction: egress, rule: 2}
    ingress: *verdict
matrix:
  description:
    - Everything that is allowed. What is in no cell is denied.
    - Traffic of a pod with itself and with its own node is always allowed and not shown. Services are not shown, only
      what is behind them.
    - Null without O(matrix).
  returned: success
  type: dict
  contains:
    classes:
      description: Places that no policy tells apart.
      type: list
      elements: dict
      contains:
        id:
          description: Number of the class.
          type: int
          sample: 0
        kind:
          description: C(pods), C(nodes) or C(addresses).
          type: str
          sample: pods
        members:
          description: Names of pods or nodes, or blocks of addresses.
          type: list
          elements: str
          sample: [cache-ns/ignite-0, cache-ns/ignite-1]
    cells:
      description: What one class may open to others.
      type: list
      elements: dict
      contains:
        from:
          description: Number of the class where connections start.
          type: int
          sample: 0
        to:
          description: Numbers of the classes where they end.
          type: list
          elements: int
          sample: [0]
        allowed:
          description:
            - Null where a policy whose effect is not known selects one of the two, and where a node may answer at a
              link-local address that a rule opens and no rule of the engine matches nodes.
          type: bool
          sample: true
        ports:
          description:
            - The ports by protocol, with C(protocol) and C(ports). Empty where a policy of unknown effect leaves them
              open.
          type: list
          elements: dict
          sample: [{protocol: TCP, ports: "47100,47500"}]
problems:
  description: What could not be read, as sentences. Every answer is null if this may matter to it.
  returned: success
  type: list
  elements: str
  sample: []
ended_pods:
  description: How many pods have ended and were left out.
  returned: success
  type: int
  sample: 0
engine:
  description: How the policies were judged.
  returned: success
  type: dict
  contains:
    name:
      description: The policy engine that showed itself, or C(unknown).
      type: str
      sample: unknown
    profile:
      description: Name of the profile.
      type: str
      sample: standard
    cidr_matches_pods:
      description: Whether an address block matches pods.
      type: bool
      sample: true
    cidr_matches_nodes:
      description: Whether an address block matches nodes.
      type: bool
      sample: true
    judges:
      description: C(post-dnat) or C(pre-dnat).
      type: str
      sample: post-dnat
    reason:
      description: Why this profile.
      type: str
      sample: no engine shows itself, so policies are judged as the NetworkPolicy API describes
sources:
  description: Where the objects come from.
  returned: success
  type: dict
  contains:
    from:
      description: C(cluster) or C(files).
      type: str
      sample: cluster
    host:
      description: URL of the API server, empty for files.
      type: str
      sample: https://192.0.2.1:6443
    cluster_uid:
      description: The uid of the namespace C(kube-system), empty for files.
      type: str
      sample: 4f9c1a5e-8d0b-4c7a-9a51-0d4f3ce0a2b7
    server_version:
      description: Version of the API server, empty for files.
      type: str
      sample: v1.36.3
    files:
      description: The files that were read.
      type: list
      elements: str
      sample: []
    objects:
      description: How many objects were read.
      type: int
      sample: 148
ignored:
  description: Kinds that reachability does not depend on, or that are not known, with their number.
  returned: success
  type: dict
  sample: {apps/Deployment: 3}
failure:
  description: What failed, as data. The message holds the same facts as a sentence.
  returned: failure
  type: dict
  contains:
    code:
      description: A stable word for the kind of failure.
      type: str
      sample: unknown_place
    what:
      description: What failed.
      type: str
      sample: Cannot find 'cache-ns/ignite-9' in source
    why:
      description: Why.
      type: str
      sample: namespace cache-ns has no living pod ignite-9
    next_step:
      description: What to do.
      type: str
      sample: Correct source
    object:
      description: The object concerned with C(kind), C(namespace) and C(name), null if there is none.
      type: dict
      sample: null
    details:
      description: Further facts, different for each code.
      type: dict
      sample: {}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netguard.lockdown.plugins.module_utils._module.base import run
from ansible_collections.netguard.lockdown.plugins.module_utils._module.reachability_info import CONTRACT


def main() -> None:
    run(AnsibleModule(argument_spec=CONTRACT.spec, supports_check_mode=True), CONTRACT)


if __name__ == "__main__":
    main()
