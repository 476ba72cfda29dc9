#!/usr/bin/python
# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module kube_objects."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_objects
short_description: Apply the objects of one workload and wait until its pods are ready
version_added: 0.1.0
author:
  - The netguard.lockdown authors (@netguard)
description:
  - Brings the objects around one workload to the wanted state by server-side apply with field manager
    C(netguard.lockdown), and waits until its StatefulSets are rolled out. Network policies belong to
    M(netguard.lockdown.network_policies).
  - An object is ours when it carries the labels C(app.kubernetes.io/managed-by=netguard.lockdown) and
    C(app.kubernetes.io/instance) of this O(instance), which this module sets, and was applied by our field manager.
    An object of a wanted name that is not ours is an error, unless it is listed in O(adopt).
  - Nothing is ever deleted. If a write fails, what was written before it stays, and the failure names it.
  - An object that stands as wanted costs one reading request. No write is tried for it, not even as a dry run.
  - Every change is judged by a dry run of the API server before the first one is written. Where the namespace does
    not exist yet, it is created first, because nothing within it can be judged before.
  - What Secrets hold is never shown. Differences name their keys only, and the contents are kept out of the arguments
    that Ansible logs.
attributes:
  check_mode:
    support: full
    description:
      - The API server judges every change by a dry run. Where it cannot, because the namespace does not exist yet, or
        may not, the change is judged here alone, and RV(dry_run) is V(local).
  diff_mode:
    support: full
    description: By field, without what Secrets hold.
  idempotent:
    support: full
    description:
      - Objects are compared by the fields that are ours; defaults of the API server and fields of others count for
        nothing.
extends_documentation_fragment:
  - netguard.lockdown.attributes
  - netguard.lockdown.connection
options:
  namespace:
    description: The namespace of the objects.
    type: str
    required: true
  instance:
    description: Name of the instance that owns the objects, 1 to 40 lower-case letters, digits and inner hyphens.
    type: str
    required: true
  definitions:
    description:
      - The wanted objects as whole Kubernetes objects, in any order. They are written in the order C(Namespace),
        C(ServiceAccount), C(Role), C(RoleBinding), C(ConfigMap), C(Secret), C(Service), C(PodDisruptionBudget),
        C(StatefulSet). Other kinds are refused.
      - Each lies in O(namespace), or names none; a C(Namespace) is that one. Metadata holds C(name), C(namespace),
        C(labels) and C(annotations) only.
      - Fields that a definition leaves out are not touched, unless an earlier run of this module set them. Those are
        removed.
      - Values of a C(Secret) are base64 in C(data) or plain text in C(stringData).
    type: list
    elements: dict
    required: true
  secret_data:
    description:
      - What the Secrets among the O(definitions) hold, as JSON. A task does not set this. What a task has in
        O(definitions) is moved here, because Ansible logs the arguments of modules and this one never.
      - A mapping of the index within O(definitions) to the C(data) and C(stringData) of that Secret.
    type: str
  adopt:
    description:
      - Objects, as C(KIND/NAME), that are taken over though they are not ours, or though other field managers hold
        fields of them. Fields that the definition leaves out stay as they are.
    type: list
    elements: str
    default: []
  wait:
    description: Whether to wait until every StatefulSet of the O(definitions) is rolled out, changed or not.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait in all. After that the module fails and says what it waited for.
    type: float
    default: 300.0
  cluster_uid:
    description: The uid of namespace C(kube-system). If the cluster has another one, the module fails.
    type: str
  server_dry_run:
    description:
      - Whether check mode asks the API server to judge the changes by a dry run. A dry run stores nothing, but it is a
        writing request to admission webhooks and audit logs. Without it, check mode only reads.
      - Outside of check mode the server always judges the changes before they are written.
    type: bool
    default: true
seealso:
  - module: netguard.lockdown.network_policies
"""

EXAMPLES = r"""
- name: Show what would change, also where the namespace does not exist yet
  netguard.lockdown.kube_objects:
    namespace: cache-ns
    instance: ignite
    definitions: "{{ lookup('ansible.builtin.file', 'ignite.yaml') | from_yaml_all }}"
  check_mode: true
  diff: true

- name: Apply, and wait at most 10 minutes for the pods
  netguard.lockdown.kube_objects:
    namespace: cache-ns
    instance: ignite
    definitions: "{{ lookup('ansible.builtin.file', 'ignite.yaml') | from_yaml_all }}"
    wait_timeout: 600

- name: Take over a Service that was made by hand
  netguard.lockdown.kube_objects:
    namespace: cache-ns
    instance: ignite
    definitions:
      - apiVersion: v1
        kind: Service
        metadata: {name: ignite}
        spec:
          clusterIP: None
          publishNotReadyAddresses: true
          selector: {app: ignite}
          ports: [{name: discovery, port: 47500}]
    adopt: [Service/ignite]
"""

RETURN = r"""
objects:
  description: Every wanted object, in the order of the writes.
  returned: success
  type: list
  elements: dict
  contains:
    api_version:
      description: API version of the object.
      type: str
      sample: apps/v1
    kind:
      description: Kind of the object.
      type: str
      sample: StatefulSet
    namespace:
      description: Namespace of the object, empty for a Namespace.
      type: str
      sample: cache-ns
    name:
      description: Name of the object.
      type: str
      sample: ignite
    action:
      description: What is done, V(create), V(update) or V(none).
      type: str
      sample: update
    reason:
      description: Why.
      type: str
      sample: it differs
    differences:
      description:
        - The fields that are written, each with its V(path) and the values V(before) and V(after), null where it is
          absent. Equal values mean that the value is right and was not ours. The values of a Secret's data are not
          shown.
      type: list
      elements: dict
      sample:
        - path: spec.template.spec.containers[name=ignite].image
          before: docker.io/apacheignite/ignite:2.16.0
          after: docker.io/apacheignite/ignite:2.17.0
    stolen_fields:
      description:
        - Other field managers that had taken fields of an object of ours, with V(manager), V(time) and V(fields). They
          are taken back.
      type: list
      elements: dict
      sample: []
    judged_by:
      description: Who judged the change, V(server) by a dry run or V(local); V(none) where there was none to judge.
      type: str
      sample: server
rollout:
  description: How far the pods are.
  returned: success
  type: dict
  contains:
    waited:
      description: Whether this run waited for the pods. In check mode it never does.
      type: bool
      sample: true
    seconds:
      description: Seconds that it waited.
      type: float
      sample: 41.5
    workloads:
      description:
        - The StatefulSets that were waited for, with their V(kind), V(name), the numbers of pods that are V(desired),
          V(updated) and V(ready), V(current_revision), V(update_revision), whether each is V(complete), and else what
          it is V(waiting_for).
      type: list
      elements: dict
      sample:
        - kind: StatefulSet
          name: ignite
          complete: true
          desired: 3
          updated: 3
          ready: 3
          current_revision: ignite-5d8f6c7d9b
          update_revision: ignite-5d8f6c7d9b
          waiting_for: []
cluster:
  description: Identity of the cluster, V(uid) being that of namespace C(kube-system).
  returned: success
  type: dict
  sample: {uid: 5f4e8f0e-0c3b-4c5e-9a39-2f0d5b1f7a10}
dry_run:
  description:
    - Who judged the changes before any was written. V(server) is the API server's dry run, V(local) means that at least
      one change was judged by the module alone, and V(none) that there was nothing to judge.
  returned: success
  type: str
  sample: server
failure:
  description:
    - The failure as data. V(code) is stable, V(what), V(why) and V(next_step) are sentences, V(object) is the
      Kubernetes object concerned and V(details) depends on the code. Where a write failed, V(details.written) names
      what was written before and stays.
  returned: failure
  type: dict
  sample:
    code: field_conflict
    what: Cannot write StatefulSet cache-ns/ignite
    why: field manager kube-controller-manager (subresource scale) holds spec.replicas with another value
    next_step: Leave that out of the definition, stop that manager, or list StatefulSet/ignite in adopt
    object: {kind: StatefulSet, namespace: cache-ns, name: ignite}
    details: {manager: kube-controller-manager, fields: [spec.replicas]}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netguard.lockdown.plugins.module_utils._module.base import run
from ansible_collections.netguard.lockdown.plugins.module_utils._module.kube_objects import CONTRACT


def main() -> None:
    module = AnsibleModule(argument_spec=CONTRACT.spec, supports_check_mode=True)
    run(module, CONTRACT)


if __name__ == "__main__":
    main()
