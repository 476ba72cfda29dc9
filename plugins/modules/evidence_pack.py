#!/usr/bin/python

# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence_pack
short_description: Add a pack to a chain of evidence, with a report
version_added: 0.1.0
description:
  - Writes what was judged and observed into a directory, as canonical JSON with the digest of the pack before, and
    beside it a report as HTML page, Markdown, SVG, CSV, JUnit XML and SARIF.
  - The facts are the same bytes for the same input, and have a digest of their own. Who ran it, and when, is apart.
  - Refuses to add to a chain that was tampered with or has a gap, and to write where the files would vanish together
    with an execution environment.
  - The digest of the newest pack is also kept in the ConfigMap C(netguard-lockdown-INSTANCE) of the cluster, where the
    owner of the directory cannot change it unnoticed.
author:
  - The netguard.lockdown authors (@netguard)
extends_documentation_fragment:
  - netguard.lockdown.connection
  - netguard.lockdown.attributes
  - netguard.lockdown.attributes.actiongroup_all
attributes:
  check_mode:
    support: full
    details:
      - In check mode nothing is written, neither files nor the ConfigMap.
  diff_mode:
    support: none
    details:
      - A pack is only added, so there is nothing to compare.
  idempotent:
    support: none
    details:
      - Each run adds a pack. With equal input its facts are equal, and C(facts_digest) with them.
options:
  evidence:
    description:
      - What the pack is made of, with the keys C(namespace), C(instance), C(profile), C(targets) (the result of
        M(netguard.lockdown.cluster_network_info)), C(definitions) (the rendered policies), C(findings), C(audit) (the
        result of M(netguard.lockdown.policy_audit_info)), C(probes), C(topology) and C(canary) (the result of
        M(netguard.lockdown.enforcement_canary)).
      - Without C(probes) the report says loudly that nothing was probed, and without C(canary) that none was run. A
        canary of another cluster or namespace is refused.
    type: dict
    required: true
  schema:
    description: The JSON Schema of the pack, from C(roles/ignite_lockdown/files/evidence-pack.schema.json).
    type: dict
    required: true
  directory:
    description: Directory for the chains of evidence. Packs go into CLUSTER/NAMESPACE/INSTANCE/NUMBER-TIME below it.
    type: path
    required: true
  job:
    description: What an automation controller says of the job, kept with the run.
    type: dict
    default: {}
  sign_key:
    description:
      - Path of an SSH private key without a passphrase, or of a public key whose private one is in an C(ssh-agent).
      - With it the pack is signed by C(ssh-keygen -Y sign) (OpenSSH 8.2 or newer), into C(pack.json.sig) beside it.
    type: path
  signer:
    description: Under which name the key is listed for those who verify. By default the user and host of the run.
    type: str
  anchor:
    description: Whether to compare with, and keep, the chain's head in the cluster. Without it no cluster is needed.
    type: bool
    default: true
  cluster_uid:
    description: The uid of namespace C(kube-system) of the cluster that is meant. By default that of the evidence.
    type: str
  accept_gap:
    description:
      - The reason why the packs before are not at hand. The chain goes on from the head that the cluster keeps, and the
        reason is kept in the pack.
    type: str
  accept_not_probed:
    description: Accept a verdict that rests on the policies alone. Otherwise it is C(inconclusive) without probes.
    type: bool
    default: false
  accept_vanishing:
    description: Accept a directory that is gone together with the execution environment.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Add a pack to the chain
  netguard.lockdown.evidence_pack:
    directory: /srv/evidence
    schema: "{{ lookup('ansible.builtin.file', 'evidence-pack.schema.json') | from_json }}"
    sign_key: /etc/netguard/evidence_ed25519
    signer: audit@example.com
    evidence:
      namespace: cache-ns
      instance: ignite
      profile: standard
      targets: "{{ targets }}"
      definitions: "{{ ignite_lockdown_result.definitions }}"
      audit: "{{ audit }}"
      probes: "{{ probes }}"
"""

RETURN = r"""
path:
  description: Directory of the pack.
  returned: success
  type: str
  sample: /srv/evidence/4f9c1a5e-8d0b-4c7a-9a51-0d4f3ce0a2b7/cache-ns/ignite/000007-20261122T175200Z
files:
  description: Paths of its files, none in check mode.
  returned: success
  type: list
  elements: str
  sample: [/srv/evidence/4f9c1a5e-8d0b-4c7a-9a51-0d4f3ce0a2b7/cache-ns/ignite/000007-20261122T175200Z/report.html]
verdict:
  description: C(pass), C(fail) or C(inconclusive), the worst of the parts.
  returned: success
  type: str
  sample: pass
because:
  description: A sentence for each part that is not good.
  returned: success
  type: list
  elements: str
  sample: ["The policies are not what is needed: 1 needed flow is not allowed"]
parts:
  description: The verdicts of C(policies), C(probes) (or C(not_probed)), C(topology) (or C(not_checked)), and what the
    C(canary) showed (C(enforced), C(not_enforced), C(inconclusive) or C(not_run)).
  returned: success
  type: dict
  sample: {policies: pass, probes: pass, topology: not_checked, canary: enforced}
consequences:
  description: What follows for Ignite, with C(kind), C(title), C(text), C(cure) and C(flows).
  returned: success
  type: list
  elements: dict
  sample: []
facts_digest:
  description: Digest of the facts.
  returned: success
  type: str
  sample: sha256:47b18f71d6d78e227d9466241bc6bc5103366051e4a07d5cc0762f7d4b42de42
head:
  description: The pack as the new head of the chain.
  returned: success
  type: dict
  contains:
    number:
      description: Its place in the chain.
      type: int
      sample: 7
    digest:
      description: Digest of facts, run and previous pack together.
      type: str
      sample: sha256:be358aa969db7a52242e39f48669aff9a275622d6bb1e19e3bd536d86cb4d0ef
    run_id:
      description: Id of the run.
      type: str
      sample: 071825b8-8e42-4c84-a065-b13b83a2eb56
    time:
      description: When it was made, in UTC.
      type: str
      sample: "2026-11-22T17:52:00Z"
previous:
  description: The pack that it follows with C(number), C(digest) and C(gap), null for the first one.
  returned: success
  type: dict
  sample:
    number: 6
    digest: sha256:93c2a2aec8b3656a6807168c451891f22c3be868c07aac93efc23b5aea8ba976
    gap: null
anchored:
  description: Whether the head was kept in the cluster.
  returned: success
  type: bool
  sample: true
failure:
  description: What failed, as data. The message holds the same facts as a sentence.
  returned: failure
  type: dict
  sample:
    code: evidence_gap
    what: Refused to add to a chain with a gap
    why: the cluster remembers pack 6 as the last one, and the directory has no pack of it
    next_step: Point ignite_lockdown_evidence_dir to the directory that holds the chain
    object: null
    details: {}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netguard.lockdown.plugins.module_utils._module.base import run
from ansible_collections.netguard.lockdown.plugins.module_utils._module.evidence_pack import CONTRACT


def main() -> None:
    module = AnsibleModule(argument_spec=CONTRACT.spec, supports_check_mode=True)
    run(module, CONTRACT)


if __name__ == "__main__":
    main()
