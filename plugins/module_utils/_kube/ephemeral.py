# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ephemeral containers: only where the user gives an image, and never taken back, since Kubernetes cannot."""

from __future__ import annotations

import json
import threading
import time
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError, ObjectRef
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_world import WorldPod
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session

_PREFIX = "netguard-probe-"
_START_SECONDS = 60.0
_POLL_SECONDS = 0.5
# It ends by itself: what is left behind then is its entry in the pod.
_LIFETIME_SECONDS = "3600"


class Ephemeral:
    """Adds a container to pods whose own images have no program that opens connections."""

    def __init__(self, session: Session, image: str | None) -> None:
        self._session, self._image = session, image
        self._lock = threading.Lock()
        self.added = False
        self.left_behind: list[dict[str, str]] = []

    def container(self, pod: WorldPod) -> str | None:
        """The name of a running container of the image in the pod; None where the user gave no image."""
        if not self._image:
            return None
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
        name = self._running(self._session.get(path)) or self._add(path)
        with self._lock:
            entry = {"namespace": pod.namespace, "pod": pod.name, "container": name, "image": self._image}
            self.left_behind.append(entry)
        self._wait(path, name)
        return name

    def _running(self, pod: Json) -> str | None:
        """One of an earlier run that still runs."""
        images = {entry["name"]: entry.get("image") for entry in pod["spec"].get("ephemeralContainers") or []}
        return next(
            (
                name
                for name, state in _states(pod).items()
                if name.startswith(_PREFIX) and images.get(name) == self._image and "running" in state
            ),
            None,
        )

    def _add(self, path: str) -> str:
        pod = self._session.get(path)
        taken = {entry["name"] for entry in pod["spec"].get("ephemeralContainers") or []}
        name = next(f"{_PREFIX}{number}" for number in range(1, len(taken) + 2) if f"{_PREFIX}{number}" not in taken)
        container: dict[str, t.Any] = {
            "name": name,
            "image": self._image,
            "command": ["sleep", _LIFETIME_SECONDS],
            # What the strictest Pod Security Standard asks for.
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "runAsNonRoot": True,
                "runAsUser": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        }
        body = {"spec": {"ephemeralContainers": [container]}}
        self._session.request(
            "PATCH", f"{path}/ephemeralcontainers", None, body, "application/strategic-merge-patch+json"
        )
        self.added = True
        return name

    def _wait(self, path: str, name: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            pod = self._session.get(path)
            state = _states(pod).get(name, {})
            if "running" in state:
                return
            if "terminated" in state or time.monotonic() >= deadline:
                raise _not_started(pod, name, state)
            time.sleep(_POLL_SECONDS)


def _states(pod: Json) -> dict[str, Json]:
    listed = (pod.get("status") or {}).get("ephemeralContainerStatuses") or []
    return {entry["name"]: entry.get("state") or {} for entry in listed}


def _not_started(pod: Json, name: str, state: Json) -> LockdownError:
    meta = pod["metadata"]
    return LockdownError(
        "ephemeral_not_running",
        f"Ephemeral container {name} of pod {meta['namespace']}/{meta['name']} does not run",
        json.dumps(state)[:300] if state else "the kubelet has not started it",
        "Give an image in ephemeral_image that the node can pull and that runs without root",
        obj=ObjectRef("Pod", meta["name"], meta["namespace"]),
    )
