# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control plane that outlives the command that started it, for Molecule, the demo and shells.

A supervisor process owns the control plane. Everything it keeps lies in the state folder:
kubeconfig, state.json, supervisor.log and run/ (keys, data, logs).
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab import binaries
from lab.certificates import write_secret
from lab.control_plane import ControlPlane
from lab.environment import OwnCluster, own_cluster
from lab.errors import LabError
from lab.processes import Identity, own_identity, start_time, tail, wait_until
from lab.question import arrange_question
from lab.settings import Family, Reconciler

LIFETIME_SECONDS = 2 * 3600.0
UP_SECONDS = 120.0
DOWN_SECONDS = 20.0
TESTS = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Options:
    """What `up` was asked for; a second `up` must ask for the same."""

    servers: int = 1
    endpoint_reconciler: Reconciler = "lease"
    ip_family: Family = "ipv4"
    question: bool = False
    policies: bool = False
    lifetime: float = LIFETIME_SECONDS


@dataclass(frozen=True)
class State:
    """What state.json says. `ready` is false while the supervisor is still starting things."""

    options: Options
    supervisor: Identity | None = None
    ready: bool = False
    own: bool = False
    kubeconfig: str = ""
    kube_system_uid: str = ""
    urls: list[str] = field(default_factory=list)
    audit_logs: list[str] = field(default_factory=list)
    processes: dict[str, Identity] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Replace state.json in one step."""
        draft = _files(folder).state.with_suffix(".new")
        draft.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n", encoding="utf-8")
        draft.replace(_files(folder).state)

    @property
    def identities(self) -> list[Identity]:
        return [*([self.supervisor] if self.supervisor else []), *self.processes.values()]


@dataclass(frozen=True)
class Files:
    """The names that the lab uses in a state folder; it touches no other."""

    state: Path
    kubeconfig: Path
    log: Path
    run: Path


def _files(folder: Path) -> Files:
    return Files(folder / "state.json", folder / "kubeconfig", folder / "supervisor.log", folder / "run")


def read(folder: Path) -> State | None:
    """The state of a folder; None where nothing was started."""
    try:
        raw = json.loads(_files(folder).state.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise LabError(f"{_files(folder).state} is not readable: {error}", "", "run `down`, then `up` again") from error
    raw["options"] = Options(**raw["options"])
    raw["supervisor"] = Identity(**raw["supervisor"]) if raw["supervisor"] else None
    raw["processes"] = {name: Identity(**identity) for name, identity in raw["processes"].items()}
    return State(**raw)


def up(folder: Path, options: Options, report: binaries.Report = binaries.to_stderr) -> tuple[State, bool]:
    """Start a control plane that stays; its state, and whether it was started just now.

    With NETGUARD_TEST_KUBECONFIG and NETGUARD_TEST_CLUSTER_UID the caller's own cluster takes its place.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        try:
            return _up(folder, options, report)
        except BaseException:
            with contextlib.suppress(OSError):  # a folder with anything in it stays
                folder.rmdir()
            raise


def _up(folder: Path, options: Options, report: binaries.Report) -> tuple[State, bool]:
    own = own_cluster()
    state = _live_state(folder)
    if state is not None:
        _require_same(folder, state, options, own)
        return state, False
    _clear(folder)
    if own is not None:
        return _adopt(folder, own, options), True
    binaries.find_or_build(report)  # here, for its progress is for the person who waits
    return _launch(folder, options), True


def down(folder: Path) -> bool:
    """End what `up` started in this folder and remove it; whether there was anything. Harmless to repeat."""
    folder = folder.absolute()
    if not folder.is_dir():
        return False
    with locked(folder):
        there = any(path.exists() for path in dataclasses.astuple(_files(folder)))
        _clear(folder)
        with contextlib.suppress(OSError):  # a folder with other things in it stays
            folder.rmdir()
    return there


def running(folder: Path) -> State:
    """The state of a control plane that is up; an error for one that is not."""
    state = read(folder.absolute())
    if state is None or not (state.own or (state.ready and state.supervisor and state.supervisor.alive)):
        ending = tail(_files(folder).log, 3)
        raise LabError(f"No control plane is up in {folder}", ending, f"python -m lab up --state {folder}")
    return state


def supervise(folder: Path, options: Options) -> None:
    """Own a control plane until SIGTERM or the end of its lifetime (the supervisor's whole life)."""
    stop = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    for number in stop:
        signal.signal(number, _leave)
    State(options, supervisor=own_identity()).write(folder)
    files = _files(folder)
    with ControlPlane(
        servers=options.servers,
        endpoint_reconciler=options.endpoint_reconciler,
        ip_family=options.ip_family,
        lifetime=options.lifetime,
        folder=files.run,
    ) as plane:
        if options.question:
            arrange_question(plane, policies=options.policies)
        write_secret(files.kubeconfig, plane.kubeconfig.read_bytes())
        State(
            options,
            supervisor=own_identity(),
            ready=True,
            kubeconfig=str(files.kubeconfig),
            kube_system_uid=plane.kube_system_uid,
            urls=plane.urls,
            audit_logs=[str(log) for log in plane.audit_logs],
            processes=plane.processes,
        ).write(folder)
        _wait_for_end(plane, options.lifetime)


def _leave(number: int, _frame: object) -> None:
    raise SystemExit(f"ended by {signal.Signals(number).name}")


def _wait_for_end(plane: ControlPlane, lifetime: float) -> None:
    deadline = time.monotonic() + lifetime
    while time.monotonic() < deadline:
        time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))
        if plane.crashed:
            raise plane.crashed[0].failure()
    raise SystemExit(f"the lifetime of {lifetime:g} s is over")


def _live_state(folder: Path) -> State | None:
    """The state if its supervisor lives (one still starting is waited for), or of the caller's cluster."""
    with contextlib.suppress(LabError):
        state = read(folder)
        if state is not None and state.supervisor is not None and state.supervisor.alive and not state.ready:
            return _wait_ready(folder, state.supervisor)
        if state is not None and (state.own or (state.supervisor is not None and state.supervisor.alive)):
            return state
    return None


def _require_same(folder: Path, state: State, options: Options, own: OwnCluster | None) -> None:
    if state.own != (own is not None) or (own is not None and own.uid != state.kube_system_uid):
        raise LabError(
            f"{folder} is up with another cluster ({state.kube_system_uid}) than is asked for now",
            "",
            "run `down` first",
        )
    if state.options != options:
        raise LabError(
            f"{folder} is up already, with other options: {state.options}, asked for: {options}",
            "",
            "run `down` first, or ask for the same",
        )


def _adopt(folder: Path, own: OwnCluster, options: Options) -> State:
    if options.question or options.servers != 1:
        raise LabError(
            "The lab does not arrange objects or servers in a cluster of your own",
            "--question writes to kube-system, --servers is about servers that the lab starts",
            "leave these options out, and prepare the cluster yourself",
        )
    files = _files(folder)
    files.kubeconfig.symlink_to(own.kubeconfig.absolute())
    state = State(options, ready=True, own=True, kubeconfig=str(files.kubeconfig), kube_system_uid=own.uid)
    state.write(folder)
    return state


def _launch(folder: Path, options: Options) -> State:
    files = _files(folder)
    command = [sys.executable, "-m", "lab", "supervise", "--state", str(folder), *as_arguments(options)]
    with files.log.open("ab") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=TESTS,
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            start_new_session=True,
        )
    try:
        return _wait_ready(folder, Identity(child.pid, start_time(child.pid) or 0))
    except BaseException:
        child.terminate()
        child.wait()
        _clear(folder)
        raise


def _wait_ready(folder: Path, supervisor: Identity) -> State:
    def settled() -> bool:
        state = read(folder)
        return (state is not None and state.ready) or not supervisor.alive

    in_time = wait_until(settled, UP_SECONDS, 0.05)
    state = read(folder)
    if state is not None and state.ready:
        return state
    why = "its supervisor ended" if in_time else f"not ready within {UP_SECONDS:.0f} s"
    raise LabError(f"The control plane did not start: {why}", tail(_files(folder).log, 25))


def _clear(folder: Path) -> None:
    """End what the state names and remove the lab's files."""
    state = None
    with contextlib.suppress(LabError):
        state = read(folder)
    if state is not None:
        _end(state)
    files = _files(folder)
    shutil.rmtree(files.run, ignore_errors=True)
    for path in (files.state, files.kubeconfig, files.log):
        path.unlink(missing_ok=True)


def _end(state: State) -> None:
    if state.supervisor is not None:
        state.supervisor.signal(signal.SIGTERM)
        state.supervisor.wait_gone(DOWN_SECONDS)
    for identity in state.identities:
        identity.signal(signal.SIGKILL)
        if not identity.wait_gone(DOWN_SECONDS):
            raise LabError(f"Process {identity.pid} does not end", "", "see what it waits for, end it by hand")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One `up` or `down` at a time in a folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def as_arguments(options: Options) -> list[str]:
    """The options as `up` and `supervise` take them on the command line."""
    arguments = [
        f"--servers={options.servers}",
        f"--endpoint-reconciler={options.endpoint_reconciler}",
        f"--ip-family={options.ip_family}",
        f"--lifetime={options.lifetime}",
    ]
    return [
        *arguments,
        *(["--question"] if options.question else []),
        *(["--policies"] if options.policies else []),
    ]
