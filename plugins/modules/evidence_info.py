#!/usr/bin/python

# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence_info
short_description: Verify chains of evidence
version_added: 0.1.0
description:
  - Verifies the packs that M(netguard.lockdown.evidence_pack) wrote below a directory. Digests, the schema, the links
    from pack to pack, signatures, and the head that the cluster keeps.
  - A pack that was changed, dropped, put in between or cut off is named, with the way in which it differs. The others
    are judged all the same.
  - The module reports; a broken chain does not make it fail.
author:
  - The netguard.lockdown authors (@netguard)
extends_documentation_fragment:
  - netguard.lockdown.connection
  - netguard.lockdown.attributes
  - netguard.lockdown.attributes.info_module
  - netguard.lockdown.attributes.actiongroup_all
options:
  directory:
    description: Directory with the chains. Packs are looked for in all folders below it.
    type: path
    required: true
  schema:
    description: The JSON Schema of the pack, from C(roles/ignite_lockdown/files/evidence-pack.schema.json).
    type: dict
    required: true
  allowed_signers:
    description:
      - Path of a file with the keys that may sign, in the form described under ALLOWED SIGNERS in C(ssh-keygen(1\)).
      - With it, every pack must have a signature that one of them made.
    type: path
  anchor:
    description:
      - Whether to compare the chains of this cluster with the head that it keeps. Only this shows that packs at the end
        are missing. Fails where there is no chain of this cluster at all. Without it no cluster is needed.
    type: bool
    default: true
  cluster_uid:
    description: The uid of namespace C(kube-system) of the cluster that is meant.
    type: str
"""

EXAMPLES = r"""
- name: Verify what an auditor was given, without a cluster
  netguard.lockdown.evidence_info:
    directory: /srv/evidence
    schema: "{{ lookup('ansible.builtin.file', 'evidence-pack.schema.json') | from_json }}"
    allowed_signers: allowed_signers
    anchor: false
"""

RETURN = r"""
directory:
  description: The directory.
  returned: success
  type: str
  sample: /srv/evidence
verdict:
  description: C(intact) or C(broken).
  returned: success
  type: str
  sample: intact
packs:
  description: How many packs hold what was sealed.
  returned: success
  type: int
  sample: 7
chains:
  description: One for each cluster, namespace and instance.
  returned: success
  type: list
  elements: dict
  contains:
    cluster_uid:
      description: The cluster.
      type: str
      sample: 4f9c1a5e-8d0b-4c7a-9a51-0d4f3ce0a2b7
    namespace:
      description: The namespace.
      type: str
      sample: cache-ns
    instance:
      description: The instance.
      type: str
      sample: ignite
    packs:
      description: The packs in order, with C(path), C(number), C(digest), C(facts_digest), C(run_id), C(time), C(by)
        and C(verdict).
      type: list
      elements: dict
      sample: []
    head:
      description: The last one, with C(number), C(digest), C(run_id) and C(time).
      type: dict
      sample:
        number: 7
        digest: sha256:be358aa969db7a52242e39f48669aff9a275622d6bb1e19e3bd536d86cb4d0ef
        run_id: 071825b8-8e42-4c84-a065-b13b83a2eb56
        time: "2026-11-22T17:52:00Z"
    problems:
      description: What is wrong with the chain, in the form of RV(problems).
      type: list
      elements: dict
      sample: []
    notes:
      description: What a reader should know, in the form of RV(problems).
      type: list
      elements: dict
      sample: []
problems:
  description: Everything that is wrong.
  returned: success
  type: list
  elements: dict
  contains:
    code:
      description: >-
        One of C(unreadable), C(not_a_pack), C(tampered), C(rewritten), C(bad_signature), C(signature_missing), C(gap),
        C(fork), C(broken_link), C(truncated), C(other_chain) and C(anchor_missing).
      type: str
      sample: tampered
    path:
      description: Path of the pack below the directory.
      type: str
      sample: 4f9c1a5e-8d0b-4c7a-9a51-0d4f3ce0a2b7/cache-ns/ignite/000003-20261101T080000Z/pack.json
    message:
      description: The same as a sentence.
      type: str
      sample: pack.json was changed
notes:
  description: All notes. C(anchored), C(anchor_lags), C(not_anchored), C(accepted_gap), C(time_goes_back).
  returned: success
  type: list
  elements: dict
  sample: []
failure:
  description: What failed, as data. The message holds the same facts as a sentence.
  returned: failure
  type: dict
  sample:
    code: no_evidence
    what: There is no evidence to verify
    why: /srv/evidence holds no pack.json
    next_step: Correct the directory; it may have been lost with an execution environment
    object: null
    details: {}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netguard.lockdown.plugins.module_utils._module.base import run
from ansible_collections.netguard.lockdown.plugins.module_utils._module.evidence_info import CONTRACT


def main() -> None:
    module = AnsibleModule(argument_spec=CONTRACT.spec, supports_check_mode=True)
    run(module, CONTRACT)


if __name__ == "__main__":
    main()
