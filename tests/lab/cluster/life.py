# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the cluster up so that it stays, and take it away without a trace."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path

from lab.binaries import Report, to_stderr
from lab.cluster import builds, engines, images, isolation, requirements, state
from lab.cluster.state import Files, Options, State
from lab.errors import LabError
from lab.processes import Identity, start_time, tail, wait_until
from lab.state import TESTS, locked

UP_SECONDS = 240.0
POLL_SECONDS = 0.1


def up(folder: Path, options: Options, report: Report = to_stderr) -> tuple[State, bool]:
    """Start a cluster that stays; its state, and whether it was started just now."""
    folder = folder.absolute()
    engine = engines.known(options.engine)
    if options.dual_stack and not engine.dual_stack:
        raise LabError(f"The cluster of {engine.name} has no dual stack", next_step=f"use {engines.DEFAULT}")
    requirements.check(engine, report)
    programs = builds.find_or_build(engine, report)
    archive = images.find_or_assemble(programs, report)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        found = _living(folder)
        if found is not None:
            if found.options != options:
                raise LabError(
                    f"{folder} is up already, with other options: {found.options}, asked for: {options}",
                    next_step="run `down` first, or ask for the same",
                )
            return found, False
        _clear(folder)
        return _launch(folder, options, programs, archive, report), True


def down(folder: Path) -> bool:
    """End the cluster of this folder and remove what it left; whether there was anything. Harmless to repeat."""
    folder = folder.absolute()
    if not folder.is_dir():
        return False
    with locked(folder):
        there = any(path.exists() for path in Files(folder).all)
        _clear(folder)
        with contextlib.suppress(OSError):  # a folder with other things in it stays
            folder.rmdir()
    return there


def running(folder: Path) -> State:
    """The state of a cluster that is up; an error for one that is not."""
    found = _living(folder.absolute())
    if found is None:
        why = tail(Files(folder).log, 5)
        raise LabError(f"No cluster is up in {folder}", why, f"python -m lab cluster up --state {folder}")
    return found


def _living(folder: Path) -> State | None:
    with contextlib.suppress(LabError):
        found = state.read(folder)
        if found is not None and found.ready and found.unshare.alive:
            return found
    return None


def _clear(folder: Path) -> None:
    """End what the state names and remove the lab's files, after an aborted `up` too."""
    with contextlib.suppress(LabError):
        found = state.read(folder)
        if found is not None and found.unshare.alive:
            isolation.end(found.unshare)
    isolation.remove_cgroups(folder)
    for path in Files(folder).all:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _launch(folder: Path, options: Options, programs: builds.Programs, archive: Path, report: Report) -> State:
    files = Files(folder)
    files.run.mkdir(mode=0o700)
    files.orders.mkdir()
    stack = "dual" if options.dual_stack else "ipv4"
    arguments = [str(folder), str(options.servers), str(options.lifetime), options.engine, stack, str(archive)]
    command = isolation.command(sys.executable, "-u", "-m", "lab.cluster.supervise", *arguments, *programs.words())
    child = _start(command, files.log)
    try:
        state.write(folder, options, child)
        return _wait_ready(folder, child, report)
    except BaseException:
        isolation.end(child, gently=False)
        raise


def _start(command: list[str], log: Path) -> Identity:
    """Start a program that outlives this one; no object of the subprocess module shall wait for it."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    pid = os.posix_spawn(command[0], command, env, file_actions=actions, setsid=True)
    return Identity(pid, start_time(pid) or 0)


def _wait_ready(folder: Path, child: Identity, report: Report) -> State:
    shown = 0

    def settled() -> bool:
        nonlocal shown
        lines = tail(Files(folder).log, 1000).splitlines()
        for line in lines[shown:]:
            report(f"  {line}")
        shown = len(lines)
        return Files(folder).report.exists() or not child.alive

    in_time = wait_until(settled, UP_SECONDS, POLL_SECONDS)
    found = _living(folder)
    if found is not None:
        return found
    why = "its supervisor ended" if in_time else f"not ready within {UP_SECONDS:.0f} s"
    raise LabError(
        f"The cluster did not start: {why}",
        tail(Files(folder).log, 25),
        f"read the logs in {Files(folder).run}, then run `down`",
    )
