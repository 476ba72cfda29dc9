# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands in a pod: a container with a program that opens connections, found once, used for every attempt."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import probe_tools as tools
from ansible_collections.netguard.lockdown.plugins.module_utils._core import sockets
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_sockets import Listing
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_world import ContainerState, WorldPod
from ansible_collections.netguard.lockdown.plugins.module_utils._kube import exec as execution
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import ApiError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.ephemeral import Ephemeral
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session

Observation = tools.Observation

_FIND_SECONDS = 10.0
# What starting a process in a busy container may take on top of the attempts themselves.
_MARGIN_SECONDS = 10.0
# So many connections at once are no load for a pod.
_BATCH = 24


class Hand:
    """Attempts from one pod. Used by one thread at a time."""

    def __init__(self, session: Session, pod: WorldPod, only: str | None, ephemeral: Ephemeral) -> None:
        """:arg only: the container to use; any that has a program, where it is None."""
        self._session, self._pod, self._only, self._ephemeral = session, pod, only, ephemeral
        self._place: execution.Container | None = None
        self._obstacle = Observation(tools.NO_TOOL)
        self.tool = ""
        self.listing: Listing | None = None
        self.error: LockdownError | None = None

    @property
    def container(self) -> str:
        return self._place.container if self._place else ""

    def find(self, *, listing: bool) -> None:
        """Find a program, and read the open sockets if asked. A failure is kept for the attempts."""
        try:
            self._find_tool()
        except LockdownError as error:
            self.error = error
            self._note(error)
            return
        if listing:
            try:
                self._read_sockets()
            except LockdownError as error:
                self.error = error

    def attempt(self, destinations: t.Sequence[tools.Destination], seconds: int) -> list[Observation]:
        """One observation per destination; never an error for what is wrong with the pod."""
        if self._place is None and self._obstacle.outcome == tools.FAILED:
            self.find(listing=False)
        found: list[Observation] = []
        for start in range(0, len(destinations), _BATCH):
            observed = self._attempt(tuple(destinations[start : start + _BATCH]), seconds)
            if observed is None:
                # The next batch would only wait for the same thing.
                return found + [self._obstacle] * (len(destinations) - len(found))
            found += observed
        return found

    def _attempt(self, destinations: tuple[tools.Destination, ...], seconds: int) -> list[Observation] | None:
        """One observation per destination, or None with the obstacle noted."""
        if self._place is None:
            return None
        listener = self.listing.dialled() if self.listing else None
        batch = tools.Batch(self.tool, destinations, seconds, listener)
        began = time.monotonic()
        try:
            output = execution.run(self._session, self._place, batch.command(), seconds + _MARGIN_SECONDS)
        except LockdownError as error:
            self._note(error)
            return None
        observed = batch.read(output.stdout, time.monotonic() - began)
        if output.exit_code and any(seen.outcome == tools.FAILED for seen in observed):
            self._note(_ended(self._place, output))
            return None
        return observed

    def _find_tool(self) -> None:
        for state in self._pod.containers:
            if state.running and self._only in (None, state.name) and self._try(state.name):
                return
        if self._only and all(state.name != self._only for state in self._pod.containers):
            raise LockdownError(
                "container_missing",
                f"Cannot probe from pod {self._pod.namespace}/{self._pod.name}",
                f"it has no container {self._only}",
                f"Name one of {', '.join(state.name for state in self._pod.containers)}",
            )
        added = self._ephemeral.container(self._pod)
        if added:
            self._try(added)

    def _try(self, name: str) -> bool:
        place = execution.Container(self._pod.namespace, self._pod.name, name)
        try:
            output = execution.run(self._session, place, tools.FIND, _FIND_SECONDS)
        except LockdownError as error:
            # An image without a shell has none of the programs either; the next container may.
            if error.code != "exec_not_started":
                raise
            return False
        tool = tools.choose(output.stdout)
        if tool is not None:
            self._place, self.tool = place, tool
        return tool is not None

    def _read_sockets(self) -> None:
        where = f"pod {self._pod.namespace}/{self._pod.name}"
        running = [state.name for state in self._pod.containers if state.running]
        place = self._place or execution.Container(self._pod.namespace, self._pod.name, next(iter(running), ""))
        output = execution.run(self._session, place, sockets.LISTING, _FIND_SECONDS)
        self.listing = Listing(tuple(sockets.parse_listing(output.stdout, where)))

    def _note(self, error: LockdownError) -> None:
        """Keep why nothing can be tried: the pod went, its container was restarted, or the error itself."""
        self._obstacle = Observation(tools.FAILED, str(error))
        if isinstance(error, ApiError) and error.lacks_right:
            return
        try:
            raw = self._session.find(f"/api/v1/namespaces/{self._pod.namespace}/pods/{self._pod.name}")
        except LockdownError:
            return
        now = WorldPod.from_api(raw) if raw else None
        if now is None or now.uid != self._pod.uid:
            # A pod of the same name is another one, with another address.
            self._place = None
            self._obstacle = Observation(tools.MISSING, error.why)
        elif _state(now, self.container) != _state(self._pod, self.container) and self.container:
            self._obstacle = Observation(tools.RESTARTED, error.why)


def _state(pod: WorldPod, container: str) -> ContainerState | None:
    return next((state for state in pod.containers if state.name == container), None)


def _ended(place: execution.Container, output: execution.Output) -> LockdownError:
    said = " ".join(output.stderr.split())[-200:]
    return LockdownError(
        "exec_ended",
        f"The attempts from {place} ended early",
        f"exit code {output.exit_code}{': ' + said if said else ''}",
        "See whether the container was restarted, and run again",
    )
