# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a canary's pod runs, may yet run, or never will, and why."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import canary_listen
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw

RUNS, WAITS, FAILED = "runs", "waits", "failed"

_HOPELESS = (
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
)
_LONGEST_MESSAGE = 300


@dataclass(frozen=True)
class PodState:
    state: str
    why: str = ""


def pod_state(raw: Raw | None) -> PodState:
    """How far the start of a pod with one container has come."""
    if raw is None:
        return PodState(FAILED, "its pod was deleted by somebody else")
    status = raw.get("status") or {}
    started: list[Raw] = status.get("containerStatuses") or [{}]
    container = started[0].get("state") or {}
    if status.get("phase") in ("Failed", "Succeeded"):
        return PodState(FAILED, _ended(status, container.get("terminated") or {}))
    if container.get("running") and status.get("podIPs"):
        return PodState(RUNS)
    waiting = container.get("waiting") or {}
    if waiting.get("reason") in _HOPELESS:
        return PodState(FAILED, _said("its container does not start", waiting))
    if waiting:
        return PodState(WAITS, _said("its container has not started", waiting))
    return PodState(WAITS, "the node's kubelet has not started it")


def _ended(status: Raw, terminated: Raw) -> str:
    if terminated.get("exitCode") == canary_listen.NO_LISTENER:
        return "nothing in its image can listen: there is no python3, no nc of BusyBox and no java"
    if terminated:
        return _said(f"its container ended with exit code {terminated.get('exitCode')}", terminated)
    return _said("the node refused its pod", status)


def _said(what: str, by: t.Mapping[str, t.Any]) -> str:
    words = " ".join(f"{by.get('reason') or ''} {by.get('message') or ''}".split())[:_LONGEST_MESSAGE]
    return f"{what}: {words}" if words else what
