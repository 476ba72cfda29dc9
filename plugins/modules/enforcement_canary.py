#!/usr/bin/python
# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module enforcement_canary."""

from __future__ import annotations

DOCUMENTATION = r"""
module: enforcement_canary
short_description: Prove that every node which runs Ignite enforces NetworkPolicy
version_added: 0.1.0
author:
  - The netguard.lockdown authors (@netguard)
description:
  - For each node that runs pods of the application, starts a pair of small pods there, sees that the one can connect to
    the other, writes two policies, and waits until exactly the connections that these do not allow stop working. Then
    it removes everything.
  - One policy is for ingress into the listening pod, the other one for egress out of the dialling pod. Each leaves out
    a port that the other one allows, so both directions are proven by themselves. A connection that both policies allow
    has to work all the time.
  - The pods have the image, pull secrets and tolerations of the application's pod on that node, so that nothing has
    to be pulled from elsewhere. They satisfy the Pod Security Standard C(restricted), have no ServiceAccount token, and
    end by themselves. The image needs a shell, something that connects (C(python3), C(bash) or the C(nc) of BusyBox)
    and something that listens (C(python3), that C(nc), or C(java)).
  - Nothing of the application is touched. Every object carries the label C(lockdown.netguard.io/canary) and says in the
    annotation C(lockdown.netguard.io/expires) when it may be removed. What a killed run left behind is removed by the
    next run after that time.
  - Fails with the code C(not_enforced) if a connection that must not work still works on some node, and with
    C(enforcement_unproven) if that cannot be told, unless O(accept_inconclusive). The failure's details hold what
    RV(nodes) would.
attributes:
  check_mode:
    support: full
    details:
      - In check mode nothing is written and nothing is tried. RV(nodes) tells where pods would be started.
  diff_mode:
    support: none
    details:
      - What is made is removed again.
  idempotent:
    support: full
    details:
      - Nothing changes, except that the remains of a killed run are removed.
extends_documentation_fragment:
  - netguard.lockdown.attributes
  - netguard.lockdown.attributes.actiongroup_all
  - netguard.lockdown.connection
options:
  cluster_uid:
    description: The uid of namespace C(kube-system). If the cluster has another one, the module fails.
    type: str
  namespace:
    description: The namespace of the application's pods. It is only read.
    type: str
    required: true
  pod_selector:
    description: Label selector of the application's pods. Those with their node's network do not count, for policies
      do not apply to them.
    type: dict
    required: true
  canary_namespace:
    description:
      - The namespace for the canary's pods and policies. It is never deleted, and what is in it already is not
        touched. No other policy may select the pods there.
      - Without it, a namespace is made for the run and removed at its end. That takes rights in all namespaces.
      - If the image is private, name a namespace that has its pull secrets.
    type: str
  start_timeout:
    description: Seconds until all pods must run, 1 to 3600.
    type: int
    default: 60
  timeout:
    description: Seconds until an attempt counts as timed out, 1 to 60.
    type: int
    default: 2
  deadline:
    description: Seconds after the policies were written until they must be enforced, 1 to 3600.
    type: int
    default: 30
  parallel:
    description: On how many nodes to try at the same time, 1 to 64.
    type: int
    default: 8
  accept_inconclusive:
    description: Whether to succeed, too, if enforcement could not be proven. A node that is seen not to enforce is an
      error in any case.
    type: bool
    default: false
seealso:
  - module: netguard.lockdown.flow_probe
  - module: netguard.lockdown.network_policies
notes:
  - Needs the right to C(list) pods in O(namespace) and to C(get) the namespace kube-system. The rest is in
    C(files/rbac-canary.yml) of role P(netguard.lockdown.ignite_lockdown#role) for O(canary_namespace), and in
    C(files/rbac-canary-scratch.yml) for a namespace made by the run.
"""

EXAMPLES = r"""
- name: See that policies would be enforced where Ignite runs
  netguard.lockdown.enforcement_canary:
    namespace: cache-ns
    pod_selector:
      matchLabels:
        app: ignite
    canary_namespace: netguard-canary
  register: canary

- name: Tell where it was proven
  ansible.builtin.debug:
    msg: "{{ canary.nodes | map(attribute='node') | join(', ') }}"
"""

RETURN = r"""
probed:
  description: Whether anything was tried. V(false) in check mode, and if no pod of the application runs.
  returned: success
  type: bool
  sample: true
verdict:
  description: C(enforced) if that is proven on every node, C(not_enforced) if some node lets through what it must not,
    else C(inconclusive). Also C(inconclusive) in check mode.
  returned: success
  type: str
  sample: enforced
nodes:
  description: The nodes that run the application, by name.
  returned: success
  type: list
  elements: dict
  contains:
    node:
      description: Its name.
      type: str
      sample: worker-1
    like:
      description: The application's pod that the canary's pods look like.
      type: str
      sample: ignite-0
    image:
      description: The image of its default container, else of its first one.
      type: str
      sample: docker.io/apacheignite/ignite:2.17.0
    verdict:
      description: C(enforced), C(not_enforced) or C(inconclusive).
      type: str
      sample: enforced
    reasons:
      description: Why it is not C(enforced). Empty otherwise.
      type: list
      elements: str
      sample: []
    tool:
      description: The program that opened the connections (C(python3), C(bash), C(nc)), empty if none was used.
      type: str
      sample: bash
    connections:
      description: The three connections between the two pods.
      type: list
      elements: dict
      contains:
        kind:
          description: C(allowed) by both policies, denied by the one for C(ingress), or by the one for C(egress).
          type: str
          sample: ingress
        before:
          description: What came of it without the policies, as module M(netguard.lockdown.flow_probe) says it. Empty
            if it was not tried.
          type: str
          sample: connected
        after:
          description: What came of the last attempt with the policies. Empty if it was not tried.
          type: str
          sample: timed_out
        denied_after_seconds:
          description: Seconds from writing the policies to the first attempt since which none worked, null if there is
            no such attempt.
          type: float
          sample: 1.2
namespace:
  description: The namespace in which it was tried. In check mode a namespace made by the run has another name.
  returned: success
  type: str
  sample: netguard-canary
scratch:
  description: Whether that namespace was made by the run, and removed at its end.
  returned: success
  type: bool
  sample: false
swept:
  description: Paths of objects that a killed run had left behind and that were removed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: []
left_behind:
  description: Objects of this run that could not be removed.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Its path in the API.
      type: str
      sample: /api/v1/namespaces/netguard-canary/pods/netguard-canary-3f2a9c01d4-dialler-0
    why:
      description: Why.
      type: str
      sample: connection refused
cluster:
  description: The cluster.
  returned: success
  type: dict
  contains:
    uid:
      description: The uid of namespace C(kube-system).
      type: str
      sample: 5f3e9d1c-1c2b-4d6e-9a57-0c8b5e1f7a11
application:
  description: What was asked for.
  returned: success
  type: dict
  contains:
    namespace:
      description: The namespace of the application's pods.
      type: str
      sample: cache-ns
    pod_selector:
      description: Their label selector.
      type: dict
      sample: {matchLabels: {app: ignite}}
time:
  description: When it was done, in UTC by the API server's clock.
  returned: success
  type: str
  sample: "2026-11-22T17:52:00Z"
failure:
  description: What failed, as data. The message holds the same facts as a sentence.
  returned: failure
  type: dict
  contains:
    code:
      description: A stable word for the kind of failure, as C(not_enforced), C(enforcement_unproven) or
        C(canary_forbidden).
      type: str
      sample: not_enforced
    what:
      description: What failed.
      type: str
      sample: The cluster's engine does not enforce NetworkPolicy
    why:
      description: Why.
      type: str
      sample: >-
        node worker-1: 30 s after the policies were written, a connection that the listener's ingress policy does not
        allow still works
    next_step:
      description: What to do.
      type: str
      sample: Install or switch on a policy engine on these nodes
    object:
      description: The object concerned with C(kind), C(namespace) and C(name), null if there is none.
      type: dict
      sample: {kind: pods, namespace: netguard-canary, name: ""}
    details:
      description: Further facts, different for each code. For C(not_enforced) and C(enforcement_unproven) they are
        C(nodes) and C(left_behind).
      type: dict
      sample: {}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netguard.lockdown.plugins.module_utils._module.base import run
from ansible_collections.netguard.lockdown.plugins.module_utils._module.enforcement_canary import CONTRACT


def main() -> None:
    module = AnsibleModule(argument_spec=CONTRACT.spec, supports_check_mode=True)
    run(module, CONTRACT)


if __name__ == "__main__":
    main()
