# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command in a container: an argument vector in, bounded output and an exit code out, by a deadline."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError, ObjectRef
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import ApiError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.streams import Stream

_STDOUT, _STDERR, _STATUS = 1, 2, 3
_LIMIT = 4 * 1024 * 1024
# What the API server and the kubelets say of a container that is not there (yet, any more).
_NOT_RUNNING = ("container not found", "is not running", "not created or running", "is not valid for pod")


@dataclass(frozen=True)
class Container:
    """Where a command runs."""

    namespace: str
    pod: str
    container: str

    def __str__(self) -> str:
        return f"container {self.container} of pod {self.namespace}/{self.pod}"


@dataclass(frozen=True)
class Output:
    """What a command said."""

    stdout: str
    stderr: str
    exit_code: int


def run(session: Session, where: Container, command: t.Sequence[str], seconds: float, limit: int = _LIMIT) -> Output:
    """Run a command to its end. Safe to call from several threads.

    The command itself is not ended at the deadline, since Kubernetes has no request for that: it has to
    bound its own time.

    :arg command: the program and its arguments; no shell reads them.
    :arg seconds: until when it must have ended, connecting included.
    :arg limit: bytes of output that are taken, stdout and stderr together.
    Raises LockdownError: `container_missing` where the pod or container is not there or not running,
    `exec_not_started` where the program is not, `exec_lost` where the connection ended before the
    command, `stream_timeout` at the deadline, `exec_flooded` beyond the limit, and ApiError where the
    API server refuses.
    """
    path = f"/api/v1/namespaces/{where.namespace}/pods/{where.pod}/exec"
    query = [("container", where.container), ("stdout", "true"), ("stderr", "true")]
    query += [("command", word) for word in command]
    received: dict[int, bytearray] = {_STDOUT: bytearray(), _STDERR: bytearray(), _STATUS: bytearray()}
    try:
        with Stream(session, path, query, seconds) as stream:
            for channel, data in stream.messages():
                received.setdefault(channel, bytearray()).extend(data)
                if sum(map(len, received.values())) > limit:
                    raise _flooded(where, limit)
                if channel == _STATUS:
                    break
    except ApiError as error:
        raise _missing(where, error.why) if _is_missing(error) else error from error
    except LockdownError as error:
        raise _lost(where, error.why) if error.code == "api_unreachable" else error from error
    stdout, stderr = (received[channel].decode(errors="replace") for channel in (_STDOUT, _STDERR))
    return Output(stdout, stderr, _exit_code(where, bytes(received[_STATUS])))


def _exit_code(where: Container, data: bytes) -> int:
    """The exit code that the closing Status tells; an error where the command never ran to its end."""
    if not data:
        raise _lost(where, "the connection ended without the command's exit status")
    try:
        status = json.loads(data)
    except ValueError:
        status = {"message": data.decode(errors="replace")}
    if status.get("status") == "Success":
        return 0
    causes = (status.get("details") or {}).get("causes") or []
    for cause in causes:
        if cause.get("reason") == "ExitCode" and str(cause.get("message")).isdigit():
            return int(cause["message"])
    message = " ".join(str(status.get("message") or "no reason given").split())
    if any(phrase in message for phrase in _NOT_RUNNING):
        raise _missing(where, message)
    raise LockdownError(
        "exec_not_started",
        f"Cannot run a command in {where}",
        message.rstrip("."),
        "Use an image that has the program, or name another container",
        obj=_object(where),
    )


def _is_missing(error: ApiError) -> bool:
    return error.status == 404 or any(phrase in error.why for phrase in _NOT_RUNNING)


def _missing(where: Container, why: str) -> LockdownError:
    return LockdownError(
        "container_missing",
        f"Cannot run a command in {where}",
        why.strip().rstrip("."),
        "Check the names, and that the container is running",
        obj=_object(where),
    )


def _lost(where: Container, why: str) -> LockdownError:
    return LockdownError(
        "exec_lost",
        f"A command in {where} came to no end",
        why,
        "See whether the container, its node or the API server was restarted, and run again",
        obj=_object(where),
    )


def _flooded(where: Container, limit: int) -> LockdownError:
    return LockdownError(
        "exec_flooded",
        f"A command in {where} was given up",
        f"it wrote more than {limit} bytes",
        "Look into the container: no command of this collection writes so much",
        obj=_object(where),
    )


def _object(where: Container) -> ObjectRef:
    return ObjectRef("Pod", where.pod, where.namespace)
