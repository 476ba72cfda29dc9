# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time: a coordination Lease, held only while there is something to write."""

from __future__ import annotations

import time
import types
import typing as t
from datetime import datetime, timedelta, timezone

from ansible_collections.netguard.lockdown.plugins.module_utils._core import ownership
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError, ObjectRef
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import ApiError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session

DURATION_SECONDS = 30
_RENEW_AFTER_SECONDS = 10.0
_POLL_SECONDS = 1.0


class Lease:
    """A context in which no other run may write to the same instance.

    A run that died keeps its Lease until it expires; whoever waits then takes it over. Expiry is
    judged by the API server's clock, since the two runs may be on different machines.

    :arg wait_seconds: how long to wait for another holder before giving up.
    """

    def __init__(self, session: Session, namespace: str, instance: str, *, holder: str, wait_seconds: float) -> None:
        self._session = session
        self._namespace, self._instance = namespace, instance
        self._name = f"netguard-lockdown-{instance}"
        self._holder = holder
        self._wait_seconds = wait_seconds
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._held: Json = {}
        self._renewed = 0.0

    def __enter__(self) -> Lease:
        deadline = time.monotonic() + self._wait_seconds
        while not self._try_acquire():
            if time.monotonic() >= deadline:
                raise self._is_held()
            time.sleep(_POLL_SECONDS)
        self._renewed = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        try:
            metadata = self._held["metadata"]
            self._session.delete(self._path, uid=metadata["uid"], resource_version=metadata["resourceVersion"])
        except LockdownError:
            # It expires by itself, and a failure here must not hide the one that ended the run.
            return

    def renew(self) -> None:
        """Prolong the Lease when it is due; a Lease that somebody else has taken ends the run."""
        if time.monotonic() - self._renewed < _RENEW_AFTER_SECONDS:
            return
        try:
            self._held = self._session.replace(self._path, self._body(self._held["metadata"]["resourceVersion"]))
        except ApiError as error:
            if error.status in (404, 409):
                raise self._is_lost() from error
            raise
        self._renewed = time.monotonic()

    @property
    def _path(self) -> str:
        return f"{self._collection}/{self._name}"

    def _try_acquire(self) -> bool:
        current = self._session.find(self._path)
        try:
            if current is None:
                self._held = self._session.create(self._collection, self._body(None))
            elif self._expired(current):
                self._held = self._session.replace(self._path, self._body(current["metadata"]["resourceVersion"]))
            else:
                return False
        except ApiError as error:
            if error.status == 409:
                return False
            raise
        return True

    def _expired(self, lease: Json) -> bool:
        if not ownership.has_our_labels(lease, self._instance):
            raise LockdownError(
                "name_taken",
                f"Cannot use {self._reference}",
                "a Lease of that name exists and lacks our labels",
                "Remove it, or choose another instance name",
                obj=self._reference,
            )
        spec = lease.get("spec") or {}
        renewed = _parse_time(spec.get("renewTime"))
        seconds = int(spec.get("leaseDurationSeconds") or 0)
        return renewed is None or self._session.server_now() > renewed + timedelta(seconds=seconds)

    def _body(self, resource_version: str | None) -> Json:
        now = self._session.server_now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        metadata: Json = {
            "name": self._name,
            "namespace": self._namespace,
            "labels": ownership.labels_for(self._instance),
        }
        if resource_version is not None:
            metadata["resourceVersion"] = resource_version
        acquired = (self._held.get("spec") or {}).get("acquireTime", now)
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "holderIdentity": self._holder,
                "leaseDurationSeconds": DURATION_SECONDS,
                "acquireTime": acquired,
                "renewTime": now,
            },
        }

    @property
    def _reference(self) -> ObjectRef:
        return ObjectRef("Lease", self._name, self._namespace)

    def _is_held(self) -> LockdownError:
        spec = (self._session.find(self._path) or {}).get("spec") or {}
        holder, since = spec.get("holderIdentity", "another run"), spec.get("acquireTime", "a moment ago")
        return LockdownError(
            "lease_held",
            f"Another run is changing instance {self._instance}",
            f"{self._reference} is held by {holder} since {since}",
            f"Wait for it, or raise lock_timeout; the Lease of a dead run expires after {DURATION_SECONDS} s",
            obj=self._reference,
            details={"holder": holder, "since": since},
        )

    def _is_lost(self) -> LockdownError:
        return LockdownError(
            "lease_lost",
            f"Stopped changing instance {self._instance}",
            f"{self._reference} was taken by another run meanwhile",
            "Run again when the other run has ended",
            obj=self._reference,
        )


def _parse_time(text: t.Any) -> datetime | None:
    if not text:
        return None
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if "." in text else "%Y-%m-%dT%H:%M:%SZ"
    return datetime.strptime(text, form).replace(tzinfo=timezone.utc)
