# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The undo record's home: ConfigMap netguard-lockdown-INSTANCE in the instance's namespace."""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._core import ownership, undo
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError, ObjectRef
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session


class UndoRecord:
    """Reads and writes the history; a write meets the state that was read, or fails."""

    def __init__(self, session: Session, namespace: str, instance: str) -> None:
        self._session = session
        self._namespace, self._instance = namespace, instance
        self._name = f"netguard-lockdown-{instance}"
        self._collection = f"/api/v1/namespaces/{namespace}/configmaps"
        self._resource_version: str | None = None

    def read(self) -> undo.History:
        found = self._session.find(f"{self._collection}/{self._name}")
        if found is None:
            return undo.History()
        if not ownership.has_our_labels(found, self._instance):
            reference = ObjectRef("ConfigMap", self._name, self._namespace)
            raise LockdownError(
                "name_taken",
                f"Cannot use {reference}",
                "a ConfigMap of that name exists and lacks our labels",
                "Remove it, or choose another instance name",
                obj=reference,
            )
        self._resource_version = found["metadata"]["resourceVersion"]
        return undo.load(found.get("data") or {})

    def write(self, history: undo.History) -> None:
        metadata: Json = {
            "name": self._name,
            "namespace": self._namespace,
            "labels": ownership.labels_for(self._instance),
        }
        body: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": undo.dump(history)}
        if self._resource_version is None:
            written = self._session.create(self._collection, body)
        else:
            metadata["resourceVersion"] = self._resource_version
            written = self._session.replace(f"{self._collection}/{self._name}", body)
        self._resource_version = written["metadata"]["resourceVersion"]
