# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Child processes that cannot outlive their owner, and process identities that survive pid reuse."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

TETHER = Path(__file__).with_name("tether.py")


@dataclass(frozen=True)
class Identity:
    """A process: its pid alone may soon belong to another one, together with its start time it may not."""

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        return start_time(self.pid) == self.started

    def signal(self, number: int) -> None:
        """Send a signal to this very process; one that is gone needs none."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait_gone(self, seconds: float) -> bool:
        """Whether the process ended within so many seconds."""
        return wait_until(lambda: not self.alive, seconds)


def start_time(pid: int) -> int | None:
    """Start of a live process in clock ticks after boot; None for one that is gone or only a zombie."""
    folder = Path(f"/proc/{pid}")
    try:
        stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        threads = len(list((folder / "task").iterdir()))
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    # A first thread that has ended looks like a zombie while others still run and hold sockets.
    return None if state in "ZX" and threads <= 1 else int(fields[18])


def own_identity() -> Identity:
    """The identity of the calling process."""
    return Identity(os.getpid(), start_time(os.getpid()) or 0)


def wait_until(condition: Callable[[], bool], seconds: float, interval: float = 0.02) -> bool:
    """Whether the condition came true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a text file, empty where there is none."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def spawn(
    command: Sequence[str], *, log: Path, cwd: Path, env: Mapping[str, str], stdout: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a program that is killed when this process ends; output is appended to the log."""
    if threading.current_thread() is not threading.main_thread():
        # The kernel watches the thread that forked: a child of a short-lived thread would die with it.
        raise LabError("Lab processes must be started from the main thread", "", "call start() from the main thread")
    with log.open("ab") as sink:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=sink if stdout is None else stdout,
            stderr=sink,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
        )


class Process:
    """One program of the control plane."""

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = list(command)
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
        }
        self._child = spawn(self._command, log=self.log, cwd=self._folder, env=env)

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def started(self) -> bool:
        """Whether it was started and not stopped or killed since."""
        return self._child is not None

    @property
    def crashed(self) -> bool:
        """Whether it was started and has ended by itself."""
        return self._child is not None and self._child.poll() is not None

    @property
    def identity(self) -> Identity | None:
        """Who it is; None before its start and after its end."""
        if self._child is None:
            return None
        started = start_time(self._child.pid)
        return None if started is None else Identity(self._child.pid, started)

    def terminate(self, seconds: float = 15.0) -> None:
        """SIGTERM, and SIGKILL for one that does not end in time."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self._child = None

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def failure(self) -> LabError:
        """The error for a program that ended by itself, with the end of its log."""
        code = self._child.poll() if self._child is not None else None
        return LabError(
            f"{self.name} ended with code {code}",
            tail(self.log),
            "read the lines above; they are the end of its log",
        )
