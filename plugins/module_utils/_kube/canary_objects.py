# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a canary in the cluster: made, removed again, and those of runs that were killed swept away."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import canary_plan as plans
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import ApiError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session

_NAMESPACES = "/api/v1/namespaces"
_TRIES = 5
_ACCOUNT_SECONDS = 15.0
_POLL_SECONDS = 0.5
# A new namespace gets the account that pods run as a moment later.
_NO_ACCOUNT_YET = "service account"


class CanaryObjects:
    """Everything that one run makes; a context that leaves nothing of it behind."""

    def __init__(self, session: Session, mark: plans.Marks, given: str) -> None:
        """:arg given: the namespace to use; one of its own is made where it is empty."""
        self._session, self._mark = session, mark
        self._scratch = not given
        self.namespace = given or f"{plans.PREFIX}{mark.run}"
        self._made: list[str] = []
        self.left_behind: list[Json] = []

    def __enter__(self) -> CanaryObjects:
        return self

    def __exit__(self, *_error: object) -> None:
        """Remove what was made. A failure is noted: it must not hide the one that ended the run."""
        for path in reversed(self._made):
            try:
                self._remove(path)
            except LockdownError as error:
                self.left_behind.append({"path": path, "why": error.why})

    def open(self) -> None:
        """Make the scratch namespace, unless one was given."""
        if self._scratch:
            self._create(_NAMESPACES, plans.namespace(self._mark))

    def pod(self, body: Json) -> None:
        deadline = time.monotonic() + _ACCOUNT_SECONDS
        while True:
            try:
                self._create(f"{_NAMESPACES}/{self.namespace}/pods", body)
                return
            except ApiError as error:
                early = self._scratch and not error.lacks_right and _NO_ACCOUNT_YET in error.why.lower()
                if not early or time.monotonic() >= deadline:
                    raise
            time.sleep(_POLL_SECONDS)

    def policy(self, body: Json) -> None:
        self._create(f"/apis/networking.k8s.io/v1/namespaces/{self.namespace}/networkpolicies", body)

    def pods(self) -> dict[str, Json]:
        """The run's pods that are there, by name."""
        query = {"labelSelector": f"{plans.SELECT_ALL},{plans.RUN_LABEL}={self._mark.run}"}
        found = self._session.list(f"{_NAMESPACES}/{self.namespace}/pods", query)
        return {pod["metadata"]["name"]: pod for pod in found if not pod["metadata"].get("deletionTimestamp")}

    def _create(self, collection: str, body: Json) -> None:
        path = f"{collection}/{body['metadata']['name']}"
        # An answer may get lost although the object is there. What goes with the namespace is not removed one by one.
        if path not in self._made and (not self._scratch or collection == _NAMESPACES):
            self._made.append(path)
        self._session.create(collection, body)

    def _remove(self, path: str) -> None:
        _remove(self._session, path, lambda obj: _is_of(obj, self._mark.run))


class LeftOvers:
    """Objects of runs that were killed."""

    def __init__(self, session: Session, given: str) -> None:
        self._session, self._given = session, given

    def find(self) -> list[str]:
        """Their paths, in the namespace that is used or, without one, the scratch namespaces."""
        collections = [_NAMESPACES]
        if self._given:
            collections = [
                f"{_NAMESPACES}/{self._given}/pods",
                f"/apis/networking.k8s.io/v1/namespaces/{self._given}/networkpolicies",
            ]
        query = {"labelSelector": plans.SELECT_ALL}
        return [
            f"{collection}/{obj['metadata']['name']}"
            for collection in collections
            for obj in self._session.list(collection, query)
            if plans.is_left_over(obj, self._session.server_now())
        ]

    def sweep(self, paths: t.Iterable[str]) -> None:
        for path in paths:
            _remove(self._session, path, lambda obj: plans.is_left_over(obj, self._session.server_now()))


def _is_of(obj: Json, run: str) -> bool:
    return (obj["metadata"].get("labels") or {}).get(plans.RUN_LABEL) == run


def _remove(session: Session, path: str, is_meant: t.Callable[[Json], bool]) -> None:
    """Delete an object if it is the one that is meant; its kubelet and controllers may change it meanwhile."""
    for attempt in range(_TRIES):
        obj = session.find(path)
        if obj is None or not is_meant(obj) or obj["metadata"].get("deletionTimestamp"):
            return
        try:
            session.delete(path, uid=obj["metadata"]["uid"], resource_version=obj["metadata"]["resourceVersion"])
            return
        except ApiError as error:
            if error.status == 404:
                return
            if error.status != 409 or attempt == _TRIES - 1:
                raise


def forbidden(error: ApiError, given: str) -> LockdownError:
    """A right that is missing, with the file that has them all."""
    file = "rbac-canary.yml" if given else "rbac-canary-scratch.yml"
    advice = f"Apply files/{file} of role ignite_lockdown, which grants all that the canary needs"
    if not given:
        advice += ", or name a namespace for the canary: then rights in that one are enough"
    return LockdownError(
        "canary_forbidden",
        "The canary may not do what it needs to",
        f"{error.what}: {error.why}",
        f"{advice}. {error.next_step}",
        obj=error.obj,
        details=error.details,
    )
