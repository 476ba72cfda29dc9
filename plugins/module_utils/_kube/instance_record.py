# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ConfigMap netguard-lockdown-INSTANCE: what an instance remembers in its cluster.

It has several writers, each with a key of its own: a write keeps the other keys, and meets the state that was read, or
fails.
"""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._core import ownership
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError, ObjectRef
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session


class InstanceRecord:
    def __init__(self, session: Session, namespace: str, instance: str) -> None:
        self._session = session
        self._instance = instance
        self._collection = f"/api/v1/namespaces/{namespace}/configmaps"
        self.reference = ObjectRef("ConfigMap", f"netguard-lockdown-{instance}", namespace)
        self._data: dict[str, str] = {}
        self._resource_version: str | None = None

    def read(self) -> dict[str, str] | None:
        """Its data; None if there is no such ConfigMap."""
        found = self._session.find(f"{self._collection}/{self.reference.name}")
        if found is None:
            return None
        if not ownership.has_our_labels(found, self._instance):
            raise LockdownError(
                "name_taken",
                f"Cannot use {self.reference}",
                "a ConfigMap of that name exists and lacks our labels",
                "Remove it, or choose another instance name",
                obj=self.reference,
            )
        self._resource_version = found["metadata"]["resourceVersion"]
        self._data = dict(found.get("data") or {})
        return self._data

    def write(self, data: dict[str, str]) -> None:
        """Set these keys."""
        metadata: Json = {
            "name": self.reference.name,
            "namespace": self.reference.namespace,
            "labels": ownership.labels_for(self._instance),
        }
        wanted = {**self._data, **data}
        body: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": wanted}
        if self._resource_version is None:
            written = self._session.create(self._collection, body)
        else:
            metadata["resourceVersion"] = self._resource_version
            written = self._session.replace(f"{self._collection}/{self.reference.name}", body)
        self._resource_version = written["metadata"]["resourceVersion"]
        self._data = wanted
