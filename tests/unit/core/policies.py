# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NetworkPolicies as definitions and as the API server would return them, for the tests of this folder."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import ownership

NAMESPACE = "cache-ns"
INSTANCE = "ignite"
IGNITE: dict[str, t.Any] = {"matchLabels": {"app": "ignite"}}
PEER_RULE: dict[str, t.Any] = {
    "from": [{"podSelector": IGNITE}],
    "ports": [{"protocol": "TCP", "port": 47500}],
}

Json = dict[str, t.Any]


def definition(name: str, selector: Json, **spec: t.Any) -> Json:
    """A definition as network_policies holds it: with namespace and the instance's labels."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": ownership.labels_for(INSTANCE)},
        "spec": {"podSelector": selector, "policyTypes": ["Ingress", "Egress"], **spec},
    }


def allow(name: str = "allow", **spec: t.Any) -> Json:
    return definition(name, IGNITE, **{"ingress": [PEER_RULE], **spec})


def deny_all(name: str = "deny-all") -> Json:
    return definition(name, {})


def cilium(name: str = "allow-api-server", *, additive: bool = True, **spec: t.Any) -> Json:
    """The policy that names the API server."""
    ports = [{"port": "6443", "protocol": "TCP"}]
    made = definition(name, IGNITE)
    switch = {"enableDefaultDeny": {"ingress": False, "egress": False}} if additive else {}
    rule = {"toEntities": ["kube-apiserver"], "toPorts": [{"ports": ports}]}
    return {
        **made,
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "spec": {"endpointSelector": IGNITE, **switch, "egress": [rule], **spec},
    }


def live(wanted: Json, *, instance: str = INSTANCE) -> Json:
    """A policy of ours as the API server returns it after our apply."""
    labels = ownership.labels_for(instance)
    entry = {
        "manager": ownership.FIELD_MANAGER,
        "operation": "Apply",
        "fieldsV1": {
            "f:metadata": {"f:labels": {f"f:{key}": {} for key in labels}},
            "f:spec": {f"f:{key}": {} for key in wanted["spec"]},
        },
    }
    return _served(wanted, [entry], labels)


def edited(policy: Json, manager: str = "kubectl-edit", **spec: t.Any) -> Json:
    """The same policy after somebody else changed its spec."""
    changed = copy.deepcopy(policy)
    changed["spec"].update(spec)
    changed["metadata"]["managedFields"].append(
        {"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": {f"f:{key}": {} for key in spec}}}
    )
    return changed


def foreign(name: str, selector: Json, *, labels: dict[str, str] | None = None, **spec: t.Any) -> Json:
    """A policy that somebody else made by hand."""
    policy = definition(name, selector, **spec)
    entry = {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:podSelector": {}}}}
    return _served(policy, [entry], labels or {})


def pod(name: str, labels: dict[str, str], *, phase: str = "Running", host_network: bool = False) -> Json:
    return {
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {"hostNetwork": True} if host_network else {},
        "status": {"phase": phase, "podIP": "10.244.1.10"},
    }


def _served(policy: Json, managed_fields: list[Json], labels: dict[str, str]) -> Json:
    served = copy.deepcopy(policy)
    served["metadata"].update(
        uid=f"uid-{served['metadata']['name']}", resourceVersion="7", managedFields=managed_fields, labels=labels
    )
    # The API server drops empty rule lists.
    for rules in ("ingress", "egress"):
        if not served["spec"].get(rules, True):
            del served["spec"][rules]
    return served
