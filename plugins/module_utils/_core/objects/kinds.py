# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of objects around a workload that may be written, and where the API serves them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import ObjectRef

Json = dict[str, t.Any]
Object = t.Mapping[str, t.Any]

NAMESPACE, SECRET, STATEFUL_SET = "Namespace", "Secret", "StatefulSet"


@dataclass(frozen=True)
class Kind:
    api_version: str
    resource: str
    namespaced: bool = True

    @property
    def prefix(self) -> str:
        return f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"


# In the order in which they are written: what others refer to comes first, what starts pods last.
KINDS: dict[str, Kind] = {
    NAMESPACE: Kind("v1", "namespaces", namespaced=False),
    "ServiceAccount": Kind("v1", "serviceaccounts"),
    "Role": Kind("rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": Kind("rbac.authorization.k8s.io/v1", "rolebindings"),
    "ConfigMap": Kind("v1", "configmaps"),
    SECRET: Kind("v1", "secrets"),
    "Service": Kind("v1", "services"),
    "PodDisruptionBudget": Kind("policy/v1", "poddisruptionbudgets"),
    STATEFUL_SET: Kind("apps/v1", "statefulsets"),
}
_ORDER = list(KINDS)


def in_order(definitions: t.Iterable[Object]) -> list[Object]:
    return sorted(definitions, key=lambda item: _ORDER.index(item["kind"]))


def path_of(definition: Object) -> str:
    kind, metadata = KINDS[definition["kind"]], definition["metadata"]
    within = f"/namespaces/{metadata['namespace']}" if kind.namespaced else ""
    return f"{kind.prefix}{within}/{kind.resource}/{metadata['name']}"


def reference(definition: Object) -> ObjectRef:
    metadata = definition["metadata"]
    return ObjectRef(definition["kind"], metadata["name"], metadata.get("namespace", ""))


def label_of(definition: Object) -> str:
    """The short name within one namespace, as option adopt takes it."""
    return f"{definition['kind']}/{definition['metadata']['name']}"
