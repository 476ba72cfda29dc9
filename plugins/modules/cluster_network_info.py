#!/usr/bin/python

# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_network_info
short_description: Resolve the API server and the DNS of a Kubernetes cluster into addresses and ports for policies
version_added: 0.1.0
description:
  - Finds out where pods reach the API server and the cluster's DNS, in the form that network policies need. Policies
    are judged on real addresses and ports, which are neither the Service's nor constant.
  - Whatever cannot be told for certain is an error that says what to do, never a wider target.
  - Only reads. It makes at most nine requests on a cluster that kubeadm built, one more with O(grace_seconds), one
    more for every further 500 nodes, and two more where there are more than 500 Services. It lists DaemonSets to tell
    the policy engine, and reads the ConfigMap of its settings where there is one.
author:
  - The netguard.lockdown authors (@netguard)
extends_documentation_fragment:
  - netguard.lockdown.connection
  - netguard.lockdown.attributes
  - netguard.lockdown.attributes.info_module
  - netguard.lockdown.attributes.actiongroup_all
options:
  cluster_uid:
    description:
      - The uid of the namespace C(kube-system) of the cluster that is meant.
      - Another cluster is an error, before anything else is read.
    type: str
  form:
    description:
      - Which of the API server's addresses become targets.
      - V(endpoints) are the addresses of the API servers themselves, for engines that judge a connection after the
        address of the Service was translated. Most do.
      - V(service) is the cluster IP of the Service C(default/kubernetes), for engines that judge before that.
      - V(both) gives both as separate targets.
      - V(entity) gives V(endpoints), and RV(api_server.entity) besides, for a CiliumNetworkPolicy that names the API
        server itself. Cilium's address blocks match no node.
      - V(auto) chooses by the policy engine that the cluster shows. An unknown one gets V(both). Where no form is
        certain to match, the module fails.
    type: str
    choices: [auto, endpoints, service, both, entity]
    default: auto
  accept_unenforced:
    description:
      - Go on where the cluster is known to enforce no network policy. It is an error otherwise, because policies would
        be stored and isolate nothing. It stays a warning.
    type: bool
    default: false
  extra_api_slices:
    description:
      - Names of further EndpointSlices of the Service C(default/kubernetes) to believe.
      - The API server writes exactly one, C(kubernetes). Any other one that is not listed here is an error, because
        whoever may write it could name any address.
      - V(kubernetes) itself is believed only without the mark of another controller, unless it is listed here too.
    type: list
    elements: str
    default: []
  allowed_api_cidrs:
    description: CIDR blocks that every address of the API server must lie in. Without any, there is no such fence.
    type: list
    elements: str
    default: []
  api_server_addresses:
    description:
      - Addresses of the API servers, in place of those that the EndpointSlice holds.
      - The answer for clusters whose pods know the API server by a DNS name. Resolve it in a pod.
      - An entry is an address, or a dictionary with C(address) and C(port). Without a port, the one of the
        EndpointSlice is taken.
    type: list
    elements: raw
    default: []
  resolve_dns:
    description: Whether to resolve the cluster's DNS. Switch it off where no DNS is to be allowed.
    type: bool
    default: true
  dns:
    description:
      - The cluster's DNS, where it cannot be found or more than one could be meant.
      - Without it, the Service that the kubelets' configuration (ConfigMap C(kube-system/kubelet-config)) names is
        taken, and if there is none, the only ready one of C(kube-system/kube-dns),
        C(kube-system/rke2-coredns-rke2-coredns), C(kube-system/coredns) and C(openshift-dns/dns-default).
    type: dict
    suboptions:
      namespace:
        description: Namespace of the DNS pods. Required with O(dns.service) and O(dns.pod_selector).
        type: str
      service:
        description: Name of the DNS Service.
        type: str
      pod_selector:
        description: Label selector of the DNS pods, where no Service has one.
        type: dict
      addresses:
        description:
          - Addresses of name servers that are not pods, alone or besides the pods. For instance C(169.254.169.254) for
            Cloud DNS on GKE, or a cache on every node that was not found by itself.
          - They are allowed on port 53 only, unless O(dns.ports) says otherwise and there is no O(dns.pod_selector).
        type: list
        elements: str
      ports:
        description: Ports on which these pods or addresses listen.
        type: list
        elements: dict
        suboptions:
          protocol:
            description: Transport protocol.
            type: str
            choices: [UDP, TCP]
            required: true
          port:
            description: Port number, 1 to 65535.
            type: int
            required: true
  inspect_dns:
    description:
      - Whether to read the configuration of CoreDNS, to tell whether it asks servers outside of the cluster. One more
        request. Where it cannot be read, RV(dns.forwards_outside) is null.
    type: bool
    default: false
  grace_seconds:
    description:
      - Seconds for which an address stays a target after it has vanished from the EndpointSlice, so that a rotation
        of API servers opens no gap.
      - The policies of O(instance) in O(namespace) remember the addresses. Without such policies nothing is kept.
      - An EndpointSlice without any ready address is an error all the same.
    type: int
    default: 0
  namespace:
    description: Namespace of the policies that remember addresses. Required with O(grace_seconds).
    type: str
  instance:
    description: Instance of the policies that remember addresses. Required with O(grace_seconds).
    type: str
seealso:
  - module: netguard.lockdown.network_policies
"""

EXAMPLES = r"""
- name: Resolve the API server and the DNS
  netguard.lockdown.cluster_network_info:
    kubeconfig: ~/.kube/config
  register: network

- name: Show where pods reach the API server
  ansible.builtin.debug:
    var: network.api_server.targets

- name: Make sure that it is the right cluster, and that API servers are in the control plane's network
  netguard.lockdown.cluster_network_info:
    context: production
    cluster_uid: 4f9c1a5e-8d0b-4c7a-9a51-0d4f3ce0a2b7
    allowed_api_cidrs:
      - 172.30.0.0/24

- name: Name the server of Cloud DNS on GKE
  netguard.lockdown.cluster_network_info:
    dns:
      addresses:
        - 169.254.169.254

- name: Name the DNS where more than one Service could be meant
  netguard.lockdown.cluster_network_info:
    dns:
      namespace: kube-system
      service: coredns

- name: Keep an address for an hour after it has vanished
  netguard.lockdown.cluster_network_info:
    grace_seconds: 3600
    namespace: cache-ns
    instance: ignite
"""

RETURN = r"""
cluster:
  description: The cluster's identity and address ranges.
  returned: success
  type: dict
  contains:
    uid:
      description: The uid of the namespace C(kube-system). It identifies the cluster.
      type: str
      sample: 4f9c1a5e-8d0b-4c7a-9a51-0d4f3ce0a2b7
    server_version:
      description: Version of the API server.
      type: str
      sample: v1.36.3
    pod_cidrs:
      description: Ranges of pod addresses as far as Nodes or kubeadm's configuration tell. Empty means unknown.
      type: list
      elements: str
      sample: [10.244.0.0/16]
    service_cidrs:
      description: Ranges of Service addresses as far as kubeadm's configuration was read. Empty means unknown.
      type: list
      elements: str
      sample: [10.96.0.0/12]
    sources:
      description: The objects that say so.
      type: list
      elements: dict
      contains: &source
        kind:
          description: Kind of the object.
          type: str
          sample: Namespace
        api_version:
          description: API version of the object.
          type: str
          sample: v1
        namespace:
          description: Namespace of the object, empty for objects of the cluster.
          type: str
          sample: ""
        name:
          description: Name of the object.
          type: str
          sample: kube-system
        uid:
          description: The object's uid.
          type: str
          sample: 4f9c1a5e-8d0b-4c7a-9a51-0d4f3ce0a2b7
        resource_version:
          description: The state in which the object was read.
          type: str
          sample: "8"
api_server:
  description: The API server as a destination.
  returned: success
  type: dict
  contains:
    form:
      description: The chosen form, one of C(endpoints), C(service), C(both) and C(entity).
      type: str
      sample: endpoints
    form_requested:
      description: The value of O(form).
      type: str
      sample: auto
    form_reason:
      description: Why this form was chosen.
      type: str
      sample: Cilium judges translated addresses, and no endpoint is the address of a Node or a pod
    targets:
      description: One rule for each entry. Addresses and port of an entry belong together, those of two entries do
        not.
      type: list
      elements: dict
      contains:
        via:
          description: C(endpoints) or C(service).
          type: str
          sample: endpoints
        protocol:
          description: Transport protocol.
          type: str
          sample: TCP
        port:
          description: Port number.
          type: int
          sample: 6443
        cidrs:
          description: Blocks of exactly one address each.
          type: list
          elements: str
          sample: [172.30.0.2/32, 172.30.0.3/32]
    entity:
      description: The API server as Cilium names it, null unless the form is C(entity).
      type: dict
      contains:
        entities:
          description: Names for C(toEntities).
          type: list
          elements: str
          sample: [kube-apiserver]
        ports:
          description: Ports of the endpoints.
          type: list
          elements: int
          sample: [6443]
        additive:
          description: Whether this Cilium knows C(enableDefaultDeny), so that the policy need not isolate (1.16 or
            newer).
          type: bool
          sample: true
    endpoints:
      description: The addresses of the API servers.
      type: list
      elements: dict
      contains:
        address:
          description: IP address.
          type: str
          sample: 172.30.0.2
        port:
          description: Port number.
          type: int
          sample: 6443
        cidr:
          description: The block that holds just this address.
          type: str
          sample: 172.30.0.2/32
        origin:
          description:
            - Who says so. C(slice) is the API server's own EndpointSlice, C(endpoints) its Endpoints object,
              C(extra_slice) one of O(extra_api_slices), C(user) O(api_server_addresses), and C(kept) the memory of
              our policies.
          type: str
          sample: slice
    service:
      description: The Service C(default/kubernetes).
      type: dict
      contains:
        cluster_ips:
          description: Its cluster IPs.
          type: list
          elements: str
          sample: [10.96.0.1]
        port:
          description: Its port.
          type: int
          sample: 443
    not_ready:
      description: Endpoints that were left out because they are marked as not ready.
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
    kept:
      description: Endpoints that have vanished and are kept because of O(grace_seconds).
      type: list
      elements: dict
      contains:
        address:
          description: IP address.
          type: str
          sample: 172.30.0.3
        port:
          description: Port number.
          type: int
          sample: 6443
        vanished_at:
          description: When it was first missed, in UTC by the API server's clock.
          type: str
          sample: "2026-11-22T14:00:00Z"
        until:
          description: When the grace ends.
          type: str
          sample: "2026-11-22T15:00:00Z"
    foreign_hosts:
      description: DNS names by which DNS pods dial the API server instead of the Service's address.
      type: list
      elements: dict
      contains:
        host:
          description: The name.
          type: str
          sample: cluster-1.hcp.example.com
        pods:
          description: The pods that are told to use it.
          type: list
          elements: str
          sample: [kube-system/coredns-0]
    sources:
      description: The objects that say so.
      type: list
      elements: dict
      contains: *source
dns:
  description: The cluster's DNS as a destination, null if O(resolve_dns=false).
  returned: success
  type: dict
  contains:
    namespace:
      description: Namespace of the DNS pods, null if there are none.
      type: str
      sample: kube-system
    pod_selector:
      description: Label selector of the DNS pods, null if there are none.
      type: dict
      sample: {matchLabels: {k8s-app: kube-dns}}
    addresses:
      description: Name servers that only a rule by address reaches. Caches on every node are found by themselves.
      type: list
      elements: dict
      contains:
        cidr:
          description: The block that holds just this address.
          type: str
          sample: 169.254.20.10/32
        ports:
          description: Its ports with C(protocol) and C(port).
          type: list
          elements: dict
          sample: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
        origin:
          description: C(node_local) for a cache on every node, C(user) for O(dns).
          type: str
          sample: node_local
    forwards_outside:
      description: Whether it asks servers outside of the cluster. Null if O(inspect_dns) is off or it cannot be told.
      type: bool
      sample: true
    ports:
      description: Ports on which the DNS pods listen. They may differ from the Service's port 53.
      type: list
      elements: dict
      contains:
        protocol:
          description: C(UDP) or C(TCP).
          type: str
          sample: UDP
        port:
          description: Port number.
          type: int
          sample: 53
    service:
      description: The DNS Service, null if O(dns) gave the pods.
      type: dict
      contains:
        namespace:
          description: Its namespace.
          type: str
          sample: kube-system
        name:
          description: Its name.
          type: str
          sample: kube-dns
        cluster_ips:
          description: Its cluster IPs.
          type: list
          elements: str
          sample: [10.96.0.10]
    found_by:
      description: C(user) for O(dns), C(cluster_configuration) for the kubelets' configuration, or C(well_known) for
        its name.
      type: str
      sample: cluster_configuration
    backends:
      description: The pods that answer.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the pod, empty if nothing tells it.
          type: str
          sample: coredns-0
        address:
          description: IP address.
          type: str
          sample: 10.244.0.2
        ready:
          description: Whether it is ready.
          type: bool
          sample: true
    over_match:
      description: Pods that the selector matches too, although they do not answer. The DNS rule reaches them as well.
      type: dict
      contains:
        count:
          description: How many.
          type: int
          sample: 0
        pods:
          description: Their names.
          type: list
          elements: str
          sample: [not-coredns]
    sources:
      description: The objects that say so.
      type: list
      elements: dict
      contains: *source
engine:
  description: The policy engine and how it judges, which decides the form.
  returned: success
  type: dict
  contains:
    name:
      description: >-
        C(aks), C(antrea), C(aws-vpc-cni), C(azure-npm), C(calico), C(canal), C(cilium), C(eks-auto), C(eks-fargate),
        C(flannel), C(gke), C(gke-dataplane-v2), C(k3s), C(kindnet), C(kube-network-policies), C(kube-router),
        C(ovn-kubernetes), C(weave) or C(unknown). C(aks), C(eks-fargate) and C(gke) are nodes of these platforms
        without an engine.
      type: str
      sample: cilium
    version:
      description: Version of its agent by the image's tag, empty if that does not tell.
      type: str
      sample: v1.19.0
    confidence:
      description: C(certain) where it was seen to be installed, C(likely) where only its API is served, else C(none).
      type: str
      sample: certain
    enforces:
      description: Whether policies have an effect, null if that cannot be told.
      type: bool
      sample: true
    judges:
      description: >-
        Whether a connection is judged C(after_translation) of the Service's address, C(before_translation), or
        C(unknown).
      type: str
      sample: after_translation
    cidr_matches_nodes:
      description: Whether an address block matches nodes, null if that cannot be told.
      type: bool
      sample: false
    cidr_matches_pods:
      description: Whether an address block matches pods, null if that cannot be told.
      type: bool
      sample: false
    limits:
      description: What the engine is known not to do.
      type: list
      elements: str
      sample: [an ipBlock matches no pod]
    settings:
      description: Those of its settings that matter here.
      type: dict
      sample: {kube-proxy-replacement: "false"}
    also:
      description: Names of further engines that are installed beside it.
      type: list
      elements: str
      sample: []
    policy_apis:
      description: Served APIs, as C(GROUP/VERSION), whose policies can change what network policies do.
      type: list
      elements: str
      sample: [cilium.io/v2]
    evidence:
      description: What gave it away.
      type: list
      elements: str
      sample: [DaemonSet kube-system/cilium, ConfigMap kube-system/cilium-config]
failure:
  description: What failed, as data. The message holds the same facts as a sentence.
  returned: failure
  type: dict
  contains:
    code:
      description: A stable word for the kind of failure.
      type: str
      sample: untrusted_endpoint_slice
    what:
      description: What failed.
      type: str
      sample: EndpointSlice default/planted claims to hold API servers
    why:
      description: Why.
      type: str
      sample: >-
        kube-apiserver writes only default/kubernetes, and whoever may write slices in namespace default could
        name any address
    next_step:
      description: What to do.
      type: str
      sample: Find out who wrote it (its managedFields tell) and delete it, or list it in extra_api_slices
    object:
      description: The object concerned with C(kind), C(namespace) and C(name), null if there is none.
      type: dict
      sample: {kind: EndpointSlice, namespace: default, name: planted}
    details:
      description: Further facts, different for each code.
      type: dict
      sample: {}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netguard.lockdown.plugins.module_utils._module.base import run
from ansible_collections.netguard.lockdown.plugins.module_utils._module.cluster_network_info import CONTRACT


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
