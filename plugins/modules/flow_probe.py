#!/usr/bin/python
# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module flow_probe."""

from __future__ import annotations

DOCUMENTATION = r"""
module: flow_probe
short_description: Try allowed and forbidden connections from the real pods
version_added: 0.1.0
author:
  - The netguard.lockdown authors (@netguard)
description:
  - Opens connections from running pods, as the flows of an instance allow or forbid them, and compares what was
    observed with what is expected. A cluster may accept network policies and enforce none of them; only this tells.
  - Each connection is a cell of the result with a verdict. V(pass) means as expected, V(fail) the opposite, and
    V(inconclusive) that nothing was proven. A forbidden target counts as blocked only if it is proven alive from
    elsewhere. See O(control).
  - Uses a program that the containers have, one of python3, bash, or the nc of BusyBox. Before its answers count, the
    program has to give the right ones for ports of the pod itself. Commands are started with an argument vector.
  - Reports, and does not fail because of a verdict. It fails if it cannot work at all.
attributes:
  check_mode:
    support: partial
    details:
      - In check mode nothing is started in any pod, and RV(probed) is V(false).
  diff_mode:
    support: none
    details:
      - There is no earlier state to compare with.
  idempotent:
    support: full
    details:
      - Nothing is changed, unless O(ephemeral_image) is given and needed.
extends_documentation_fragment:
  - netguard.lockdown.attributes
  - netguard.lockdown.attributes.actiongroup_all
  - netguard.lockdown.connection
options:
  cluster_uid:
    description: The uid of namespace C(kube-system). If the cluster has another one, the module fails.
    type: str
  namespace:
    description: The namespace of the pods that the O(flows) are about.
    type: str
    required: true
  flows:
    description:
      - Flow records as the filter P(netguard.lockdown.ignite_flows#filter) returns them. Those with C(expect=deny)
        are connections that must not work.
      - Egress flows are tried from every ready pod of the subject, to each pod of the peer, to each address of a
        target, or to a CIDR block that is one address. A wider block is inconclusive, unless another flow with the
        same port names an address in it.
      - Ingress flows are tried from one ready pod in each namespace of the peer to every ready pod of the subject.
      - DNS flows are real queries. Other flows of UDP and all of SCTP cannot be tried, because silence means nothing
        there.
      - Of a range of ports the first one is tried.
    type: list
    elements: dict
    required: true
  targets:
    description: Result of M(netguard.lockdown.cluster_network_info). Needed by flows with a C(target).
    type: dict
  default_forbidden:
    description:
      - Whether every pod also tries some typical ways out, unless a flow allows them. These are another port of a DNS
        pod, the kubelet of another node, and a pod of another namespace.
      - The DNS itself as well, if O(targets) has it and no flow allows it.
    type: bool
    default: true
  control:
    description:
      - A pod that no policy restricts. From there the forbidden targets are tried first, to prove that they are
        alive.
      - Without it, or if it does not reach a target, the API server connects to pods and nodes through their C(proxy)
        subresource. That takes rights that permit much more, and cannot prove a DNS server or an address outside of
        the cluster.
    type: dict
    suboptions:
      namespace:
        description: Its namespace.
        type: str
        required: true
      pod:
        description: Its name.
        type: str
        required: true
      container:
        description: The container to use, by default any that has a suitable program.
        type: str
  timeout:
    description: Seconds until an attempt counts as timed out, 1 to 60.
    type: int
    default: 3
  deadline:
    description:
      - Seconds for which each pod repeats the attempts that do not come out as expected, 0 to 3600. Policies take a
        moment until they are enforced.
    type: int
    default: 30
  parallel:
    description: How many pods try at the same time, 1 to 64.
    type: int
    default: 8
  max_pods_per_peer:
    description:
      - How many pods of a peer each pod tries, 1 to 1000. The others are reported in RV(left_out); each pod begins
        with another one.
    type: int
    default: 16
  ephemeral_image:
    description:
      - Image of an ephemeral container that is added to pods whose own containers have no suitable program. It must
        have one, C(sh), C(cat) and C(sleep), and run without root.
      - Kubernetes cannot remove an ephemeral container from a pod. It ends after an hour and stays in the pod's
        description. See RV(left_behind).
    type: str
  sockets:
    description: Whether the open sockets of the subject's pods are listed and compared with the flows.
    type: bool
    default: true
seealso:
  - module: netguard.lockdown.cluster_network_info
  - module: netguard.lockdown.network_policies
notes:
  - Needs the right to C(list) pods, namespaces and nodes, to C(get) the namespace kube-system and pods, and to C(get)
    and C(create) C(pods/exec) in the namespaces of the pods that try.
  - Proof by the API server needs C(get) on C(pods/proxy) and C(nodes/proxy), O(ephemeral_image) needs C(patch) on
    C(pods/ephemeralcontainers).
"""

EXAMPLES = r"""
- name: Resolve API server and DNS
  netguard.lockdown.cluster_network_info:
  register: targets

- name: Try what the policies allow, and what they must not
  netguard.lockdown.flow_probe:
    namespace: cache-ns
    flows: "{{ flows + forbidden }}"
    targets: "{{ targets }}"
    control:
      namespace: monitoring
      pod: toolbox-0
  vars:
    forbidden:
      - id: command-and-control
        direction: egress
        subject:
          name: servers
          pod_selector:
            matchLabels:
              app: ignite
        peer:
          cidr: 203.0.113.10/32
        protocol: TCP
        port: 4444
        expect: deny
        reason: a host on the internet
  register: probe

- name: Fail unless everything is as expected
  ansible.builtin.assert:
    that: probe.verdict == 'pass'
"""

RETURN = r"""
probed:
  description: Whether anything was tried. V(false) in check mode.
  returned: success
  type: bool
  sample: true
verdict:
  description: The worst verdict of all cells, C(pass), C(fail) or C(inconclusive). Also C(inconclusive) without any
    cell.
  returned: success
  type: str
  sample: pass
summary:
  description: Counts.
  returned: success
  type: dict
  contains:
    cells:
      description: Number of connections, in check mode those of the O(flows) that would be tried.
      type: int
      sample: 30
    pass:
      description: Cells that came out as expected.
      type: int
      sample: 30
    fail:
      description: Cells that came out otherwise.
      type: int
      sample: 0
    inconclusive:
      description: Cells that prove nothing.
      type: int
      sample: 0
    left_out:
      description: Number of entries in RV(left_out).
      type: int
      sample: 1
    forbidden_sockets:
      description: Number of entries in RV(sockets) that no flow allows.
      type: int
      sample: 0
cells:
  description: The connections, each with what came of it. Empty in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    flow:
      description:
        - Id of the flow, or of a default forbidden target (C(default-kubelet), C(default-other-namespace),
          C(default-dns-other-port), C(default-dns-pod-udp), C(default-dns-pod-tcp), C(default-dns-service-udp),
          C(default-dns-service-tcp)).
        - C(open-sockets) stands for the open sockets of a pod that could not be listed.
      type: str
      sample: peers-discovery-out
    reason:
      description: The flow's reason.
      type: str
      sample: servers find each other and watch their ring
    direction:
      description: C(egress) or C(ingress), as the flow has it.
      type: str
      sample: egress
    from:
      description: The pod that tried, null if nothing could be tried.
      type: dict
      contains:
        namespace:
          description: Its namespace.
          type: str
          sample: cache-ns
        pod:
          description: Its name.
          type: str
          sample: ignite-0
        container:
          description: The container that was used, empty if none has a suitable program.
          type: str
          sample: ignite
        node:
          description: Its node.
          type: str
          sample: worker-1
    to:
      description: What was dialled, null if nothing could be tried.
      type: dict
      contains:
        kind:
          description: C(pod), C(service), C(node), C(api_server), or C(address) for anything else.
          type: str
          sample: pod
        name:
          description: Name of the pod, Service or node, empty otherwise.
          type: str
          sample: ignite-1
        namespace:
          description: Its namespace, empty otherwise.
          type: str
          sample: cache-ns
        address:
          description: IP address.
          type: str
          sample: 10.244.0.5
        port:
          description: Port number.
          type: int
          sample: 47500
        protocol:
          description: C(TCP) or C(UDP).
          type: str
          sample: TCP
    expect:
      description: C(allow) or C(deny).
      type: str
      sample: allow
    observed:
      description:
        - C(connected), C(refused), C(timed_out), C(unreachable), C(dns_answered), or C(dns_failed) for a connection
          to a name server that gave no proper answer.
        - C(no_tool) if no container has a suitable program, C(missing) if the pod is gone, C(restarted) if its
          container was restarted meanwhile, C(not_probed) if it could not be tried, C(failed) for anything else.
      type: str
      sample: connected
    verdict:
      description: C(pass), C(fail) or C(inconclusive).
      type: str
      sample: pass
    why:
      description: The reason of the verdict.
      type: str
      sample: reached, as allowed
    baseline:
      description: What proves that a forbidden target is alive, null for allowed ones.
      type: dict
      contains:
        proven:
          description: Whether it is alive.
          type: bool
          sample: true
        by:
          description: Who proved it, empty if nobody did.
          type: str
          sample: the control pod
        why:
          description: What was seen, or why nothing was proven.
          type: str
          sample: connected
      sample: null
    attempts:
      description: How often it was tried.
      type: int
      sample: 1
    seconds:
      description: Seconds from the first attempt to the end of the last one.
      type: float
      sample: 0.3
    tool:
      description: The program that was used (C(python3), C(bash), C(nc)), empty if there is none.
      type: str
      sample: bash
sockets:
  description: The subject's sockets that carried data from or to other hosts before anything was tried. Empty in
    check mode.
  returned: success
  type: list
  elements: dict
  contains:
    namespace:
      description: Namespace of the pod.
      type: str
      sample: cache-ns
    pod:
      description: Name of the pod.
      type: str
      sample: ignite-0
    direction:
      description: C(ingress) if the pod listens on the local port, else C(egress).
      type: str
      sample: egress
    protocol:
      description: C(TCP) or C(UDP).
      type: str
      sample: TCP
    state:
      description: C(ESTABLISHED), or C(FIN_WAIT2) or C(CLOSE_WAIT) if one side has ended.
      type: str
      sample: ESTABLISHED
    local:
      description: The pod's end.
      type: dict
      contains:
        address:
          description: IP address.
          type: str
          sample: 10.244.0.4
        port:
          description: Port number.
          type: int
          sample: 60207
    remote:
      description: The other end.
      type: dict
      contains:
        address:
          description: IP address.
          type: str
          sample: 10.244.0.5
        port:
          description: Port number.
          type: int
          sample: 47500
        namespace:
          description: Namespace of the pod that has this address, empty if none has.
          type: str
          sample: cache-ns
        pod:
          description: Its name.
          type: str
          sample: ignite-1
    flow:
      description: Id of the flow that allows it, null if none does.
      type: str
      sample: peers-discovery-out
    forbidden:
      description: Whether nothing allows it. Connections from the pod's own node are allowed.
      type: bool
      sample: false
    why:
      description: The flow's reason, or why it is judged so.
      type: str
      sample: servers find each other and watch their ring
left_out:
  description: What was not tried although a flow says so. It does not change the verdict.
  returned: success
  type: list
  elements: dict
  contains:
    flow:
      description: Id of the flow, or of the default forbidden target.
      type: str
      sample: clients-shop-thin-client
    pod:
      description: The pod concerned, empty for all.
      type: str
      sample: ""
    why:
      description: Why.
      type: str
      sample: no pod of the peer is ready
left_behind:
  description: The ephemeral containers that were used and stay in their pods.
  returned: success
  type: list
  elements: dict
  contains:
    namespace:
      description: Namespace of the pod.
      type: str
      sample: cache-ns
    pod:
      description: Name of the pod.
      type: str
      sample: ignite-0
    container:
      description: Name of the ephemeral container.
      type: str
      sample: netguard-probe-1
    image:
      description: Its image.
      type: str
      sample: registry.example.com/busybox:1
cluster:
  description: The cluster that was probed.
  returned: success
  type: dict
  contains:
    uid:
      description: The uid of namespace C(kube-system).
      type: str
      sample: 5f3e9d1c-1c2b-4d6e-9a57-0c8b5e1f7a11
failure:
  description: What failed, as data. The message holds the same facts as a sentence.
  returned: failure
  type: dict
  contains:
    code:
      description: A stable word for the kind of failure.
      type: str
      sample: no_pods
    what:
      description: What failed.
      type: str
      sample: No pod of servers can be probed
    why:
      description: Why.
      type: str
      sample: of 0 pods in namespace cache-ns that flow peers-discovery-in selects, none is ready
    next_step:
      description: What to do.
      type: str
      sample: Correct the selector, or wait until the pods are ready
    object:
      description: The object concerned with C(kind), C(namespace) and C(name), null if there is none.
      type: dict
      sample: {kind: Pod, namespace: cache-ns, name: ignite-0}
    details:
      description: Further facts, different for each code.
      type: dict
      sample: {}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netguard.lockdown.plugins.module_utils._module.base import run
from ansible_collections.netguard.lockdown.plugins.module_utils._module.flow_probe import CONTRACT


def main() -> None:
    module = AnsibleModule(argument_spec=CONTRACT.spec, supports_check_mode=True)
    run(module, CONTRACT)


if __name__ == "__main__":
    main()
