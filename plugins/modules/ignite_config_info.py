#!/usr/bin/python
# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module ignite_config_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ignite_config_info
short_description: Read the configuration of an Ignite that is already there
version_added: 0.1.0
author:
  - The netguard.lockdown authors (@netguard)
description:
  - Network policies are right only while they match what Ignite is configured for. This module reads Ignite 2's Spring
    XML and the workload that it runs in, gives the ports in the form that the role C(ignite_lockdown) takes, and names
    what a policy cannot hold, each finding with its fix.
  - The configuration is found through the workload's C(CONFIG_URI) and volumes, or named with O(config_map) or
    O(secret), or given with O(path) or O(content).
  - Nothing is guessed. Placeholders, SpEL (but for a C(masterUrl) from the pod's own C(KUBERNETES_SERVICE_HOST)), other
    files, profiles, factories, autowiring, files of JVM options and variables that come from other objects are reported
    as unknown.
  - XML is read without entities, document types and network; it may have 1 MiB. The result holds no password and no
    JVM option.
extends_documentation_fragment:
  - netguard.lockdown.attributes
  - netguard.lockdown.attributes.info_module
  - netguard.lockdown.attributes.actiongroup_all
  - netguard.lockdown.connection
options:
  namespace:
    description: Namespace of O(workload), O(config_map) and O(secret), which need it.
    type: str
  workload:
    description:
      - Name of the workload whose pods are the Ignite servers. Without it only the configuration is read, so version,
        REST, probes and the pods' resolver stay unknown.
    type: str
  workload_kind:
    description: Kind of the O(workload).
    type: str
    choices: [StatefulSet, Deployment, DaemonSet]
    default: StatefulSet
  pod_selector:
    description:
      - Label selector of the servers' pods, by which the O(workload) is found where its name is not known. Exactly one
        StatefulSet, Deployment or DaemonSet of the namespace must have a pod template with these labels.
    type: dict
  container:
    description:
      - Container that Ignite runs in. If left out, the only one, or the one that has C(CONFIG_URI) or C(OPTION_LIBS) in
        its environment, or whose image is called ignite.
    type: str
  config_map:
    description: ConfigMap that holds the configuration.
    type: str
  secret:
    description: Secret that holds the configuration.
    type: str
  key:
    description: Key of the O(config_map) or O(secret). If left out, the only one that ends in C(.xml).
    type: str
  path:
    description: File that holds the configuration, where the module runs.
    type: path
  content:
    description: The configuration itself.
    type: str
  ignite_version:
    description: Version of Ignite, such as V(2.17.0). If left out, that of an image that is called ignite.
    type: str
  cluster_uid:
    description: The uid of namespace C(kube-system). If the cluster has another one, the module fails.
    type: str
notes:
  - Needs the right to get namespace C(kube-system), the O(workload), and the ConfigMap or Secret that holds the
    configuration, and no other; with O(pod_selector), to list StatefulSets, Deployments and DaemonSets of the
    namespace in place of getting the workload. With none of O(workload), O(pod_selector), O(config_map) and O(secret),
    no cluster is asked.
  - Ports of containers and Services are not compared; only what Ignite listens on counts for policies.
seealso:
  - module: netguard.lockdown.cluster_network_info
  - module: netguard.lockdown.ignite_topology_info
"""

EXAMPLES = r"""
- name: Read the configuration that the servers were started with
  netguard.lockdown.ignite_config_info:
    namespace: cache-ns
    workload: ignite
  register: ignite

- name: Stop where a policy could not hold what this Ignite does
  ansible.builtin.assert:
    that: ignite.findings | selectattr('level', 'eq', 'error') | length == 0
    fail_msg: "{{ ignite.findings | selectattr('level', 'eq', 'error') }}"

- name: Lock the namespace down, with the ports that were read
  ansible.builtin.include_role:
    name: netguard.lockdown.ignite_lockdown
  vars:
    ignite_lockdown_namespace: cache-ns
    ignite_lockdown_ports: "{{ ignite.ports }}"

- name: Judge a configuration before it is deployed, without a cluster
  netguard.lockdown.ignite_config_info:
    path: files/ignite.xml
    ignite_version: 2.17.0
"""

RETURN = r"""
config:
  description: What was read, as findings name it.
  returned: success
  type: str
  sample: ConfigMap cache-ns/ignite-config, key ignite.xml
workload:
  description: What was read of the workload, null without one.
  returned: success
  type: dict
  sample:
    kind: StatefulSet
    namespace: cache-ns
    name: ignite
    container: ignite
    image: apacheignite/ignite:2.10.0
version:
  description: Version of Ignite, null if it is not known.
  returned: success
  type: str
  sample: 2.10.0
ports:
  description:
    - TCP ports as option C(ignite_lockdown_ports) of the role takes them. Those of switched off listeners are left out.
    - Null if one of them is not known; a default in its place could be wrong.
  returned: success
  type: dict
  sample: {discovery: 47500, communication: 47100, thin_client: 10800, connector: 11211, rest: 8080}
listeners:
  description: What Ignite listens on.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description:
        - V(discovery), V(communication), V(thin_client), V(connector), V(rest), V(jmx) and V(jmx_rmi) (with a
          workload), V(metrics) (the Prometheus JMX exporter, if it is loaded as an agent) or V(multicast) (if discovery
          uses it).
      type: str
      sample: discovery
    protocol:
      description: V(TCP) or V(UDP).
      type: str
      sample: TCP
    enabled:
      description: Whether it listens, null if that is not known.
      type: bool
      sample: true
    port:
      description: The first port that it tries, null if it is not known.
      type: int
      sample: 47500
    last_port:
      description: The last port that it tries when those before are busy, RV(listeners[].port) if it is pinned.
      type: int
      sample: 47599
    where:
      description: Where the port is set, or where it could be.
      type: str
      sample: ConfigMap cache-ns/ignite-config, key ignite.xml, line 8
discovery:
  description: How the servers find each other.
  returned: success
  type: dict
  contains:
    mode:
      description:
        - V(kubernetes), V(static) (addresses), V(dns) (a static finder with names), V(multicast), V(other) (another
          class) or V(unknown).
      type: str
      sample: kubernetes
    where:
      description: Where it is set.
      type: str
      sample: ConfigMap cache-ns/ignite-config, key ignite.xml, line 11
    namespace:
      description: Namespace of the Service that the Kubernetes finder asks for, null if it is not known.
      type: str
      sample: cache-ns
    service:
      description: Name of that Service, null if it is not known.
      type: str
      sample: ignite
    master_url:
      description: URL of the API server, null if it is not known or comes from the pod's environment.
      type: str
      sample: https://kubernetes.default.svc.cluster.local:443
    master_url_kind:
      description:
        - Whether the URL names the server by V(name) (which needs DNS) or V(address), is made from the pod's
          C(KUBERNETES_SERVICE_HOST) (V(environment)), or is V(unknown). Empty in other modes.
      type: str
      sample: name
    finder_port:
      description: C(discoveryPort) of the Kubernetes finder, 0 if it is not set, null if it is not known.
      type: int
      sample: 0
    addresses:
      description: What a static or multicast finder lists.
      type: list
      elements: str
      sample: []
    multicast_port:
      description: UDP port of multicast, null in other modes.
      type: int
      sample: null
security:
  description: What protects this Ignite, and what its clients need to know. Null is what is not known.
  returned: success
  type: dict
  contains:
    nodes_tls:
      description: Whether servers and thick clients talk TLS (C(sslContextFactory)).
      type: bool
      sample: false
    thin_clients_tls:
      description: Whether the thin client port wants TLS.
      type: bool
      sample: false
    connector_tls:
      description: Whether the connector port wants TLS.
      type: bool
      sample: false
    authentication:
      description: Whether clients must authenticate. Null where a plugin may demand it.
      type: bool
      sample: false
    persistence:
      description: Whether a data region is persistent.
      type: bool
      sample: false
    is_client:
      description: Whether this is the configuration of a thick client.
      type: bool
      sample: false
    force_client_to_server:
      description: Whether servers never dial thick clients (C(forceClientToServerConnections)).
      type: bool
      sample: false
    hides_system_properties:
      description: Whether C(includeProperties) is an empty list.
      type: bool
      sample: false
minimal:
  description: Whether this Ignite fits profile V(minimal), which has no DNS. Unknown is not fit.
  returned: success
  type: dict
  contains:
    fit:
      description: Whether it fits.
      type: bool
      sample: false
    reasons:
      description: Why it does not, and what would change that. Empty if it fits.
      type: list
      elements: str
      sample:
        - >-
          the IP finder asks DNS for the host of https://kubernetes.default.svc.cluster.local:443; give masterUrl as an
          address, such as that of Service kubernetes in namespace default
findings:
  description: What is wrong or worth knowing, the worst first.
  returned: success
  type: list
  elements: dict
  contains:
    code:
      description: Stable name of the finding.
      type: str
      sample: range_not_pinned
    level:
      description:
        - V(error) for what a policy cannot hold, what Ignite refuses or what is not known, V(warning) for what should
          be changed, V(note) for what should be known.
      type: str
      sample: error
    where:
      description: Place in the configuration or workload.
      type: str
      sample: ConfigMap cache-ns/ignite-config, key ignite.xml, line 8
    message:
      description: What is found, as a sentence without its full stop.
      type: str
      sample: >-
        discovery takes the next free port from 47500 to 47599 when its own is busy, outside of what a policy allows
    fix:
      description: What to change.
      type: str
      sample: Set localPortRange of TcpDiscoverySpi to 0
    listener:
      description: The listener whose port is concerned, empty if it is more than one port.
      type: str
      sample: discovery
sources:
  description: Objects that were read, in the state in which they were read.
  returned: success
  type: list
  elements: dict
  sample:
    - kind: ConfigMap
      api_version: v1
      namespace: cache-ns
      name: ignite-config
      uid: 0e0c2a4c-4b5e-4a0c-8d7b-5f3b2a1c9d8e
      resource_version: "1042"
cluster:
  description: Identity of the cluster, V(uid) being that of namespace C(kube-system). Null if no cluster was asked.
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
    code: config_key_not_found
    what: Cannot read ConfigMap cache-ns/ignite-config
    why: it has no key ignite.xml; it has log4j2.xml, node.xml
    next_step: Name the key
    object: {kind: ConfigMap, namespace: cache-ns, name: ignite-config}
    details: {}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netguard.lockdown.plugins.module_utils._module.base import run
from ansible_collections.netguard.lockdown.plugins.module_utils._module.ignite_config_info import CONTRACT


def main() -> None:
    module = AnsibleModule(
        argument_spec=CONTRACT.spec,
        mutually_exclusive=CONTRACT.mutually_exclusive,
        supports_check_mode=True,
    )
    run(module, CONTRACT)


if __name__ == "__main__":
    main()
