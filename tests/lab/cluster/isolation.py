# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps the cluster apart from the machine: its PID and mount namespaces, and its control group."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import signal
import sys
from functools import partial
from pathlib import Path

from lab.cluster.networks import run
from lab.errors import LabError
from lab.processes import Identity, start_time, wait_until

CGROUPS = Path("/sys/fs/cgroup")
INIT = Path(__file__).with_name("init.py")
# The first line: everything in the PID namespace dies with `unshare`, and `unshare` with nobody but the lab.
UNSHARE = [
    "/usr/bin/unshare",
    *("--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"),
    *("--mount", "--propagation=private", "--ipc"),
]
END_SECONDS = 20.0
CLONE_NEWCGROUP = 0x02000000


def command(*program: str) -> list[str]:
    """The command line that runs a program apart from the machine."""
    return [*UNSHARE, sys.executable, "-I", "-S", str(INIT), *program]


def mount_own_folders(folder: Path) -> None:
    """Give the cluster its own /run, /var/log, /var/lib and control groups; called inside, seen by nobody else."""
    for path in ("/run", "/var/log"):
        run("mount", "-t", "tmpfs", "-o", "mode=755", "lab", path)
    for name in ("netns", "lock", "upper", "work"):
        (Path("/run") / name).mkdir()
    options = "lowerdir=/var/lib,upperdir=/run/upper,workdir=/run/work"
    run("mount", "-t", "overlay", "-o", options, "lab", "/var/lib")
    _enter_own_cgroup(folder)


def _enter_own_cgroup(folder: Path) -> None:
    """Make this process' control group what seems to be the root of all to it and its children."""
    tops = _hierarchies()
    for top in tops:
        own = top / cgroup_name(folder)
        own.mkdir()
        for setting in ("cpuset.cpus", "cpuset.mems"):  # version 1 starts with empty ones, which admit nobody
            if (own / setting).exists() and (top / "cgroup.clone_children").exists():
                (own / setting).write_text((top / setting).read_text(encoding="utf-8"), encoding="utf-8")
        (own / "cgroup.procs").write_text("0", encoding="utf-8")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWCGROUP) != 0:
        raise LabError(f"unshare(CLONE_NEWCGROUP): {os.strerror(ctypes.get_errno())}")
    for top in tops:
        own = top / cgroup_name(folder)
        if top == CGROUPS:  # version 2: a group that hands resources on to others may hold no processes itself
            (own / "lab").mkdir()
            (own / "lab" / "cgroup.procs").write_text("0", encoding="utf-8")
        run("mount", "--bind", str(own), str(top))


def first_process(unshare: Identity) -> Identity | None:
    """The first process of the PID namespace, as seen from the machine."""
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read_text(encoding="utf-8").split()
        for child in map(int, children):
            started = start_time(child)
            if started is not None:
                return Identity(child, started)
    return None


def end(unshare: Identity, *, gently: bool = True) -> None:
    """End everything in the namespaces."""
    first = first_process(unshare)
    if gently and first is not None:
        first.signal(signal.SIGTERM)
        first.wait_gone(END_SECONDS)
    for process in (first, unshare):
        if process is not None:
            process.signal(signal.SIGKILL)
            if not process.wait_gone(END_SECONDS):
                raise LabError(
                    f"Process {process.pid} of the lab's cluster does not end",
                    next_step=f"see what it waits for (/proc/{process.pid}/stack), then run `down` again",
                )


def cgroup_name(folder: Path) -> str:
    """The control group of the cluster in this state folder."""
    return f"netguard-lab-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"


def remove_cgroups(folder: Path) -> None:
    """Remove the cluster's control groups; the processes in them have ended."""
    for top in _hierarchies():
        for path, _, _ in os.walk(top / cgroup_name(folder), topdown=False):
            if not wait_until(partial(_removed, Path(path)), END_SECONDS):
                raise LabError(
                    f"The control group {path} cannot be removed",
                    f"processes in it: {_members(Path(path))}",
                    "end them, then run `down` again",
                )


def _hierarchies() -> list[Path]:
    """The tree of control groups of version 2, or each of version 1."""
    if (CGROUPS / "cgroup.procs").exists():
        return [CGROUPS]
    return sorted(path for path in CGROUPS.iterdir() if not path.is_symlink() and (path / "cgroup.procs").exists())


def _removed(path: Path) -> bool:
    with contextlib.suppress(OSError):
        path.rmdir()
    return not path.exists()


def _members(path: Path) -> str:
    with contextlib.suppress(OSError):
        return (path / "cgroup.procs").read_text(encoding="utf-8").replace("\n", " ")
    return "unknown"
