#!/usr/bin/python

# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: policy_audit_info
short_description: Judge network policies against the flows that are needed
version_added: 0.1.0
description:
  - Compares what the policies of a namespace's pods permit with what flows say is needed. What is missing and what is
    too much are exact sets over all pods, nodes, addresses, and ports of TCP, UDP and SCTP. Nothing is sampled.
  - Tells what each rule is for, which rules can match nothing and which add nothing, so that RV(minimality) proves in
    numbers that nothing is allowed without a reason.
  - Tells how live policies differ from those that would be rendered today, what policies of others add, and what
    somebody could reach who has taken over a pod.
  - Objects come from a live cluster or, offline, from files.
  - The module reports. It does not fail because of a verdict.
author:
  - The netguard.lockdown authors (@netguard)
extends_documentation_fragment:
  - netguard.lockdown.connection
  - netguard.lockdown.attributes
  - netguard.lockdown.attributes.info_module
  - netguard.lockdown.attributes.actiongroup_all
options:
  namespace:
    description: Namespace of the pods that are judged.
    type: str
    required: true
  instance:
    description:
      - Instance whose policies are the ones judged. Policies that select the same pods and lack its labels are listed
        in RV(foreign).
      - With O(definitions), their names decide instead.
    type: str
  flows:
    description: >-
      What is needed, as the filter P(netguard.lockdown.ignite_flows#filter) returns it in C(flows). A flow with
      C(expect=deny) must not be possible.
    type: list
    elements: dict
    required: true
  targets:
    description: The result of M(netguard.lockdown.cluster_network_info), for flows to the API server or the DNS.
    type: dict
  definitions:
    description: The policies as they would be rendered today. Without them there is no RV(drift).
    type: list
    elements: dict
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
  - module: netguard.lockdown.reachability_info
  - module: netguard.lockdown.cluster_network_info
  - plugin: netguard.lockdown.ignite_flows
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Judge the policies of an Ignite cluster
  netguard.lockdown.policy_audit_info:
    namespace: cache-ns
    instance: ignite
    flows: "{{ (variables | netguard.lockdown.ignite_flows).flows }}"
    targets: "{{ network }}"
  register: audit

- name: Stop if something is missing or too much
  ansible.builtin.assert:
    that: audit.verdict == 'pass'
    fail_msg: "{{ audit.missing + audit.surplus }}"

- name: Judge manifests in a pipeline, without a cluster
  netguard.lockdown.policy_audit_info:
    src: [snapshot.json, rendered/]
    namespace: cache-ns
    flows: "{{ flows }}"
    targets: "{{ lookup('ansible.builtin.file', 'targets.json') | from_json }}"
"""

RETURN = r"""
verdict:
  description:
    - C(fail) if something is missing, too much or different from O(definitions).
    - C(inconclusive) if not, but RV(inconclusive_because) says why that cannot be claimed.
    - C(pass) otherwise.
  returned: success
  type: str
  sample: pass
inconclusive_because:
  description: What keeps a pass from being claimed, as sentences.
  returned: success
  type: list
  elements: str
  sample: []
summary:
  description: Numbers of everything.
  returned: success
  type: dict
  sample:
    pods: 2
    policies: 2
    flows: 12
    flows_met: 12
    rules: 12
    rules_needed: 12
    rules_dead: 0
    rules_redundant: 0
    missing: 0
    surplus: 0
    foreign: 0
    grace: 0
    drift: 0
    findings: 8
minimality:
  description: The proof that nothing is allowed without a reason, in numbers.
  returned: success
  type: dict
  contains:
    minimal:
      description: Whether there is no surplus and every rule is needed by a flow with a reason.
      type: bool
      sample: true
    surplus:
      description: How many parts of RV(surplus) there are, by protocol.
      type: dict
      sample: {TCP: 0, UDP: 0, SCTP: 0}
    rules:
      description: Rules of policies that select the pods.
      type: int
      sample: 12
    rules_with_flow:
      description: Those that serve a flow.
      type: int
      sample: 12
    rules_with_reason:
      description: Those whose flows all have a reason.
      type: int
      sample: 12
    rules_needed:
      description: Those without which a flow would lack something.
      type: int
      sample: 12
pods:
  description: The pods that flows start from or end at.
  returned: success
  type: list
  elements: dict
  contains:
    namespace:
      description: Namespace of the pod.
      type: str
      sample: cache-ns
    name:
      description: Name of the pod.
      type: str
      sample: ignite-0
    address:
      description: Its first address, empty if it has none yet.
      type: str
      sample: 10.244.0.10
    node:
      description: The node that it runs on.
      type: str
      sample: node-1
    policies:
      description: The policies that select it.
      type: list
      elements: str
      sample: [netguard-ignite-allow-servers, netguard-ignite-deny-all]
    isolated:
      description: By direction, whether a policy isolates it.
      type: dict
      sample: {ingress: true, egress: true}
flows:
  description: O(flows), each with C(met). It is null where a policy whose effect is not known may decide.
  returned: success
  type: list
  elements: dict
  sample:
    - id: api-server
      direction: egress
      subject: {name: servers, pod_selector: {matchLabels: {app: ignite}}}
      peer: {target: api_server}
      protocol: TCP
      port: null
      end_port: null
      expect: allow
      reason: the address finder asks the API server for its peers
      met: true
missing:
  description: What flows need and policies do not permit.
  returned: success
  type: list
  elements: dict
  contains:
    flow:
      description: Id of the flow.
      type: str
      sample: api-server
    reason:
      description: Reason of the flow.
      type: str
      sample: the address finder asks the API server for its peers
    subject:
      description: The pods, in words.
      type: str
      sample: all 2 pods of cache-ns
    pods:
      description: The pods as C(NAMESPACE/NAME).
      type: list
      elements: str
      sample: [cache-ns/ignite-0, cache-ns/ignite-1]
    direction:
      description: C(ingress) or C(egress).
      type: str
      sample: egress
    peer:
      description: The other ends, in words.
      type: str
      sample: 203.0.113.0/24
    peer_set:
      description: The other ends, exactly.
      type: dict
      contains:
        pods:
          description: Pods by namespace, with C(namespace), C(names) and C(all), whether this is every pod.
          type: list
          elements: dict
          sample: [{namespace: kube-system, names: [coredns-0, coredns-1], all: true}]
        imagined:
          description: Pods that do not exist, by the labels that they would have. A rule for them would let them in.
          type: list
          elements: str
          sample: ["cache-ns/*app=other"]
        nodes:
          description: Names of nodes.
          type: list
          elements: str
          sample: [node-1]
        cidrs:
          description: The other addresses, as blocks. They do not hold the addresses of pods, nodes and Services.
          type: list
          elements: str
          sample: [198.51.100.0/24]
    exists:
      description: Whether one of the other ends exists today. Otherwise they are pods that may come.
      type: bool
      sample: true
    protocol:
      description: Transport protocol.
      type: str
      sample: TCP
    ports:
      description: The ports.
      type: str
      sample: 1-6442,6444-65535
    side:
      description: Whose policies do not permit it. C(own) are those of the pods, C(peer) those of the other end.
      type: str
      sample: own
    because:
      description: Why it is not possible.
      type: str
      sample: deny-all-traffic-in-cache-ns isolates all 2 pods of cache-ns for egress, and no rule allows it
surplus:
  description:
    - What policies permit and no flow needs, or a flow with C(expect=deny) forbids.
    - It is judged by the policies of the pods alone. Whether the other end would permit it makes no difference.
  returned: success
  type: list
  elements: dict
  contains:
    subject:
      description: The pods, in words.
      type: str
      sample: all 2 pods of cache-ns
    pods:
      description: The pods as C(NAMESPACE/NAME).
      type: list
      elements: str
      sample: [cache-ns/ignite-0, cache-ns/ignite-1]
    direction:
      description: C(ingress) or C(egress).
      type: str
      sample: egress
    peer:
      description: The other ends, in words.
      type: str
      sample: 203.0.113.0/24
    peer_set:
      description: The other ends, exactly.
      type: dict
      contains:
        pods:
          description: Pods by namespace, with C(namespace), C(names) and C(all), whether this is every pod.
          type: list
          elements: dict
          sample: [{namespace: kube-system, names: [coredns-0, coredns-1], all: true}]
        imagined:
          description: Pods that do not exist, by the labels that they would have. A rule for them would let them in.
          type: list
          elements: str
          sample: ["cache-ns/*app=other"]
        nodes:
          description: Names of nodes.
          type: list
          elements: str
          sample: [node-1]
        cidrs:
          description: The other addresses, as blocks. They do not hold the addresses of pods, nodes and Services.
          type: list
          elements: str
          sample: [198.51.100.0/24]
    exists:
      description: Whether one of the other ends exists today. Otherwise they are pods that may come.
      type: bool
      sample: true
    protocol:
      description: Transport protocol.
      type: str
      sample: TCP
    ports:
      description: The ports.
      type: str
      sample: 1-6442,6444-65535
    by:
      description: The rules that permit it, with C(policy), C(namespace), C(kind), C(direction) and C(index).
      type: list
      elements: dict
      sample:
        - {policy: netpol-cache-ns-egress, namespace: cache-ns, kind: NetworkPolicy, direction: egress, index: 1}
    because:
      description: Why it is possible.
      type: str
      sample: netpol-cache-ns-egress egress[1] allows it
    flow:
      description: Id of the flow that forbids it, null if no flow speaks of it.
      type: str
      sample: null
rules:
  description: Every rule of every policy that selects the pods.
  returned: success
  type: list
  elements: dict
  contains:
    policy:
      description: Name of the policy.
      type: str
      sample: netguard-ignite-allow-servers
    namespace:
      description: Its namespace.
      type: str
      sample: cache-ns
    kind:
      description: Its kind.
      type: str
      sample: NetworkPolicy
    direction:
      description: C(ingress) or C(egress).
      type: str
      sample: egress
    index:
      description: Number of the rule in its direction, from 0.
      type: int
      sample: 2
    allows:
      description: What it allows, in words.
      type: str
      sample: TCP 6443 to 172.30.0.2/32, 172.30.0.3/32
    flows:
      description: Ids of the flows that it serves.
      type: list
      elements: str
      sample: [api-server]
    reasons:
      description: The reasons of these flows.
      type: list
      elements: str
      sample: [the address finder asks the API server for its peers]
    needed:
      description: Whether a flow would lack something without it.
      type: bool
      sample: true
    dead:
      description: Whether it can match nothing.
      type: bool
      sample: false
    redundant:
      description: Whether the other rules allow all of it.
      type: bool
      sample: false
    ours:
      description: Whether its policy is one of those that are judged.
      type: bool
      sample: true
foreign:
  description: Policies that select the same pods and are not the judged ones.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the policy.
      type: str
      sample: AdminNetworkPolicy
    namespace:
      description: Its namespace, empty for policies of the whole cluster.
      type: str
      sample: ""
    name:
      description: Its name.
      type: str
      sample: deny-metadata
    pods:
      description: The pods that it selects, or may select.
      type: list
      elements: str
      sample: [cache-ns/ignite-0, cache-ns/ignite-1]
    effect:
      description: C(widens), C(nothing) or C(unknown).
      type: str
      sample: unknown
    adds:
      description: Whether it allows more than the judged policies, null if unknown.
      type: bool
      sample: null
    because:
      description: Why.
      type: str
      sample: it is decided before any NetworkPolicy, and this API is not evaluated
grace:
  description: Addresses of the API server that have vanished and are kept for a while. They are no surplus.
  returned: success
  type: list
  elements: dict
  contains:
    address:
      description: IP address.
      type: str
      sample: 172.30.0.4
    port:
      description: Port number.
      type: int
      sample: 6443
    vanished_at:
      description: When it was first missed, in UTC.
      type: str
      sample: "2026-11-22T14:00:00Z"
    until:
      description: When the grace ends.
      type: str
      sample: "2026-11-22T15:00:00Z"
    allowed:
      description: Whether the policies still permit it.
      type: bool
      sample: true
drift:
  description: How live policies differ from O(definitions).
  returned: success
  type: list
  elements: dict
  contains:
    class:
      description:
        - C(missing) if the policy is not there.
        - C(endpoint_moved) if only addresses of the API server are others than when it was rendered.
        - C(label_moved) if only the labels of its peers are.
        - C(hand_edit) if somebody edited it, or no move explains the difference.
        - C(foreign_widening) if a policy of others allows the same pods more.
      type: str
      sample: endpoint_moved
    policy:
      description: Name of the policy.
      type: str
      sample: netguard-ignite-allow-servers
    sentence:
      description: What happened.
      type: str
      sample: it allows 172.30.0.2/32, 172.30.0.9/32, and the addresses are 172.30.0.2/32, 172.30.0.3/32 now
    gains:
      description: What the live policy permits and the rendered one does not.
      type: list
      elements: str
      sample: ["pods [app=ignite] open TCP 6443 to 172.30.0.9/32"]
    losses:
      description: What the rendered policy permits and the live one does not.
      type: list
      elements: str
      sample: ["pods [app=ignite] open TCP 6443 to 172.30.0.3/32"]
blast_radius:
  description: If a pod is taken over, what can be done from there. One entry for pods that can do the same.
  returned: success
  type: list
  elements: dict
  contains:
    pods:
      description: The pods.
      type: list
      elements: str
      sample: [cache-ns/ignite-0, cache-ns/ignite-1]
    destinations:
      description: What it can open, permitted by both ends.
      type: list
      elements: dict
      contains:
        peer:
          description: Where, in words.
          type: str
          sample: all 2 pods of kube-system
        peer_set:
          description: Where, exactly.
          type: dict
          sample:
            pods: [{namespace: kube-system, names: [coredns-0, coredns-1], all: true}]
            imagined: []
            nodes: []
            cidrs: []
        exists:
          description: Whether this exists today.
          type: bool
          sample: true
        protocol:
          description: Transport protocol.
          type: str
          sample: UDP
        ports:
          description: The ports.
          type: str
          sample: "53"
    service_accounts:
      description: What the pods' ServiceAccounts may do with the API server, beyond what every user may.
      type: list
      elements: dict
      contains:
        namespace:
          description: Namespace of the ServiceAccount.
          type: str
          sample: cache-ns
        name:
          description: Its name.
          type: str
          sample: ignite
        known:
          description: Whether roles were read. Otherwise its rights are not known.
          type: bool
          sample: true
        rights:
          description: Its rights with C(namespace), C(verbs), C(resources), C(names) and C(by), the binding.
          type: list
          elements: dict
          sample:
            - namespace: cache-ns
              verbs: [get]
              resources: [endpoints]
              names: [ignite]
              by: RoleBinding cache-ns/ignite
        beyond_discovery:
          description: Those that are more than to read one Endpoints object by name, as sentences.
          type: list
          elements: str
          sample: []
    dns:
      description: Whether DNS can be asked (C(reachable)) and carries names outside (C(carries_out)), and why.
      type: dict
      sample:
        reachable: true
        carries_out: true
        because: the cluster's DNS forwards names that it does not know, so questions can carry data out
    node:
      description: The pods' nodes (C(nodes)), the pods in their network (C(host_network_pods)), and why that matters.
      type: dict
      sample:
        nodes: [node-1, node-2]
        host_network_pods: []
        because: no policy comes between a pod and its own node, on any port
    established:
      description: What becomes of connections that are open already.
      type: str
      sample: >-
        connections that were open before a policy came may go on: whether they are cut is up to the engine; a restart
        of the pods ends them
findings:
  description: Residual risks, and remarks beside the verdict.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: A stable word for the kind of finding.
      type: str
      sample: dns_carries_out
    severity:
      description: C(warning) or C(note).
      type: str
      sample: warning
    where:
      description: What it is about.
      type: str
      sample: cache-ns/ignite-0, cache-ns/ignite-1
    sentence:
      description: What was found.
      type: str
      sample: >-
        a pod that is taken over can send data out in DNS questions: the cluster's DNS forwards names that it does not
        know, so questions can carry data out
    mitigation:
      description: What to do about it.
      type: str
      sample: Use profile minimal, which needs no DNS, or a DNS for this namespace that forwards nothing
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
      sample: targets_missing
    what:
      description: What failed.
      type: str
      sample: Flows with target api_server cannot be judged
    why:
      description: Why.
      type: str
      sample: targets holds no api_server, so their addresses are unknown
    next_step:
      description: What to do.
      type: str
      sample: Give the result of module cluster_network_info as targets
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
from ansible_collections.netguard.lockdown.plugins.module_utils._module.policy_audit_info import CONTRACT


def main() -> None:
    run(AnsibleModule(argument_spec=CONTRACT.spec, supports_check_mode=True), CONTRACT)


if __name__ == "__main__":
    main()
