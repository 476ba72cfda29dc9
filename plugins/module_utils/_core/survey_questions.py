# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Generated from extensions/awx/survey.yml and the role's argument specs by make generate: change it there.
"""What a survey asks for: the type of each option, and the options behind a question for several."""

from __future__ import annotations

QUESTIONS: dict[str, str] = {
    "namespace": "str",
    "instance": "str",
    "pod_selector": "dict",
    "clients": "list of dict",
    "extra_flows": "list of dict",
    "profile": "str",
    "replace_policies": "list of str",
    "accept_foreign_policies": "list of str",
    "expected_digest": "str",
    "lock_timeout": "int",
    "forbidden": "list of dict",
    "expected_servers": "int",
    "probe_timeout": "int",
    "verify_deadline": "int",
    "on_failure": "str",
    "rollback_revision": "str",
    "remove_confirmed": "bool",
    "audit_fail_on": "str",
    "accept_evidence_gap": "str",
    "fleet_action": "str",
    "deploy_image": "str",
    "version": "str",
    "discovery": "str",
    "deploy_replicas": "int",
    "deploy_resources": "dict",
    "deploy_heap_mb": "int",
    "deploy_data_region_mb": "int",
    "deploy_persistence_size": "str",
    "deploy_create_namespace": "bool",
    "deploy_full_restart": "bool",
    "deploy_wait_timeout": "int",
}
FLAGS: dict[str, tuple[str, ...]] = {
    "accept": (
        "minimal_confirmed",
        "accept_unenforced",
        "accept_uncovered_pods",
        "accept_no_pods",
        "accept_unisolated_pods",
        "accept_surviving_sockets",
        "accept_not_probed",
    ),
}
