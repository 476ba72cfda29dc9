#!/usr/bin/python
# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module ignite_topology_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ignite_topology_info
short_description: Whether all servers of an Ignite cluster form one cluster
version_added: 0.1.0
author:
  - The netguard.lockdown authors (@netguard)
description:
  - Ignite servers that cannot reach each other start all the same, each as a cluster of its own, and call it a
    success. This module tells one cluster from several.
  - It asks two sources. The pods' logs hold the newest topology that each node knows; it must be the same in all of
    them and count as many servers as there are server pods. The pods' open connections (C(/proc/net/tcp)) show the
    ring in which each server holds a connection to the discovery port of the next; it must lead through all of them.
  - A source that cannot be read makes the verdict V(inconclusive), never V(pass). A right that is missing is an error.
  - It looks again until the verdict is V(pass) or O(deadline) is over.
attributes:
  check_mode:
    support: partial
    details:
      - Nothing is executed in a pod, so the connections stay unknown and the verdict is not V(pass).
  diff_mode:
    support: none
    details:
      - This module changes nothing that could differ.
  idempotent:
    support: full
    details:
      - This module only reads.
extends_documentation_fragment:
  - netguard.lockdown.connection
  - netguard.lockdown.attributes
  - netguard.lockdown.attributes.actiongroup_all
options:
  namespace:
    description: Namespace of the Ignite pods.
    type: str
    required: true
  pod_selector:
    description: Label selector (C(matchLabels), C(matchExpressions)) of the Ignite server pods.
    type: dict
    required: true
  container:
    description:
      - Container that Ignite runs in. If left out, the one that declares O(discovery_port), else the pod's default one.
    type: str
  discovery_port:
    description: TCP port of C(TcpDiscoverySpi).
    type: int
    default: 47500
  expected_servers:
    description:
      - Number of servers that there must be. If left out, as many as there are matching pods that are not thick
        clients.
    type: int
  deadline:
    description: Seconds to wait for the verdict V(pass), 0 to 3600.
    type: int
    default: 30
  cluster_uid:
    description: The uid of namespace C(kube-system). If the cluster has another one, the module fails.
    type: str
notes:
  - Needs the rights to list pods and to get C(pods/log), and to get and create C(pods/exec) for C(cat) in the pods.
  - A log that was rotated since the last change of the topology holds none, which makes the verdict V(inconclusive).
seealso:
  - module: netguard.lockdown.flow_probe
"""

EXAMPLES = r"""
- name: Make sure that the three servers are one cluster
  netguard.lockdown.ignite_topology_info:
    namespace: cache-ns
    pod_selector:
      matchLabels:
        app: ignite
    expected_servers: 3
  register: topology
  failed_when: topology is failed or topology.verdict != 'pass'
"""

RETURN = r"""
verdict:
  description:
    - V(pass) for one cluster of all servers, V(fail) for anything else, V(inconclusive) if a source is missing.
  returned: success
  type: str
  sample: fail
reasons:
  description: Why the verdict is not V(pass), as sentences.
  returned: success
  type: list
  elements: str
  sample:
    - ignite-0 sees 1 of 2 servers (topology version 1)
    - ignite-1 sees 1 of 2 servers (topology version 1)
    - "the discovery connections form 2 rings, a split cluster: ignite-0 | ignite-1"
expected_servers:
  description: Number of servers that there must be.
  returned: success
  type: int
  sample: 2
snapshot:
  description: The newest topology that any server knows, with V(version), V(servers) and V(clients). Null if none does.
  returned: success
  type: dict
  sample: {version: 1, servers: 1, clients: 0}
groups:
  description: Names of the pods that are one ring, for each ring.
  returned: success
  type: list
  elements: list
  sample: [[ignite-0], [ignite-1]]
nodes:
  description: What each pod tells.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the pod.
      type: str
      sample: ignite-0
    started:
      description: Whether its log says that the node has started.
      type: bool
      sample: true
    is_client:
      description: Whether its log says that it is a thick client.
      type: bool
      sample: false
    snapshot:
      description: The newest topology in its log, null if there is none.
      type: dict
      sample: {version: 1, servers: 1, clients: 0}
    peers:
      description: Other pods whose discovery port it holds a connection to, null if that is not known.
      type: list
      elements: str
      sample: []
    problem:
      description: Why a source could not be read. Empty if both could.
      type: str
      sample: ""
seconds:
  description: Seconds until the verdict.
  returned: success
  type: float
  sample: 30.2
cluster:
  description: Identity of the cluster, V(uid) being that of namespace C(kube-system).
  returned: success
  type: dict
  sample: {uid: 5f4e8f0e-0c3b-4c5e-9a39-2f0d5b1f7a10}
failure:
  description:
    - The failure as data. V(code) is stable, V(what), V(why) and V(next_step) are sentences, V(object) is the
      Kubernetes object concerned and V(details) depends on the code.
  returned: failure
  type: dict
  sample:
    code: api_forbidden
    what: GET https://172.30.0.2:6443/api/v1/namespaces/cache-ns/pods/ignite-0/log failed
    why: >-
      pods "ignite-0" is forbidden: User "ops" cannot get resource "pods/log" in API group "" in the namespace
      "cache-ns"
    next_step: >-
      Grant this in a Role in namespace cache-ns: {apiGroups: [''], resources: [pods/log], verbs: [get]}; all rights of
      each playbook are in files/rbac of role netguard.lockdown.ignite_lockdown
    object: {kind: pods, namespace: cache-ns, name: ignite-0}
    details: {status: 403}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netguard.lockdown.plugins.module_utils._module.base import run
from ansible_collections.netguard.lockdown.plugins.module_utils._module.ignite_topology_info import CONTRACT


def main() -> None:
    module = AnsibleModule(argument_spec=CONTRACT.spec, supports_check_mode=True)
    run(module, CONTRACT)


if __name__ == "__main__":
    main()
