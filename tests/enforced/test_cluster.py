# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's cluster itself: it can be aborted at any moment, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from enforced.table import Table
from lab.cluster import isolation, life, requirements, state
from lab.cluster.cluster import Cluster
from lab.cluster.engines import CILIUM, KUBE_NETWORK_POLICIES, Trial
from lab.cluster.state import Files, Options
from lab.errors import LabError
from lab.processes import wait_until

TESTS = Path(__file__).parents[1]
UP_SECONDS = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A state folder; a cluster that a failed test has left there is ended."""
    yield tmp_path / "lab"
    life.down(tmp_path / "lab")


def up(folder: Path, engine: str) -> subprocess.Popen[str]:
    asked = ["--state", str(folder), "--lifetime", "600", "--engine", engine]
    command = [sys.executable, "-m", "lab", "cluster", "up", *asked]
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)


def processes_of(folder: Path) -> list[str]:
    """The live processes whose command line or control group names the cluster of this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            told = (path / "cmdline").read_text() + (path / "cgroup").read_text()
        except OSError:
            continue
        if str(folder) in told or isolation.cgroup_name(folder) in told:
            found.append(f"{path.name}: {told[:200]}")
    return found


def left_of(folder: Path) -> list[str]:
    """What is left of a cluster on this machine."""
    cgroups = [str(path) for path in isolation.CGROUPS.glob(f"**/{isolation.cgroup_name(folder)}")]
    return [*processes_of(folder), *cgroups, *([str(folder)] if folder.exists() else [])]


def mounts() -> str:
    return Path("/proc/self/mounts").read_text()


def links() -> list[str]:
    return sorted(path.name for path in Path("/sys/class/net").iterdir())


def bpf_objects(*place: str) -> dict[tuple[str, int], list[str]]:
    """The BPF programs, maps and links of this machine, and where each is pinned, as seen from a place.

    Without empty tail-call arrays: of Cilium's about one in four is left by the kernel (6.18: 704 bytes, no program,
    no pin, no process that has it open), whether anybody looks at it meanwhile or not; nothing can free it.
    """
    listed = {kind: _bpf_list(kind, *place) for kind in ("prog", "map", "link")}
    used = {number for program in listed["prog"] for number in program.get("map_ids", [])}
    return {
        (kind, one["id"]): one.get("pinned", [])
        for kind, found in listed.items()
        for one in found
        if one.get("type") != "prog_array" or one["id"] in used or one.get("pinned")
    }


def _bpf_list(kind: str, *place: str) -> list[dict[str, t.Any]]:
    command = [*place, "bpftool", "--json", "--bpffs", kind, "list"]
    answer = subprocess.run(command, capture_output=True, timeout=60, check=True)
    found: list[dict[str, t.Any]] = json.loads(answer.stdout)
    return found


def bpf_objects_of(folder: Path) -> set[tuple[str, int]]:
    """Those that are pinned in the file system that the cluster of this folder has mounted; its engine has some."""
    found = state.read(folder)
    first = isolation.first_process(found.unshare) if found else None
    assert first is not None
    place = ["nsenter", f"--target={first.pid}", "--mount", "--pid"]  # bpftool looks for mounts in /proc
    own = {key for key, pins in bpf_objects(*place).items() if pins}
    assert own
    return own


@pytest.mark.every_engine
def test_an_aborted_start_is_cleared(cluster: Cluster, folder: Path) -> None:
    engine = cluster.state.options.engine
    before = mounts(), links()
    # Its engine has just begun to come up.
    last = {KUBE_NETWORK_POLICIES.name: "containerd.log", CILIUM.name: "cilium-agent.log"}[engine]
    with up(folder, engine) as starting:
        came = wait_until((Files(folder).run / last).exists, 180)
        starting.kill()
    assert came
    assert processes_of(folder)
    assert life.down(folder)
    assert not left_of(folder)
    assert (mounts(), links()) == before
    assert not life.down(folder)


@pytest.mark.every_engine
def test_a_killed_supervisor_takes_everything_along(cluster: Cluster, folder: Path) -> None:
    engine = cluster.state.options.engine
    before = mounts(), links()
    output, _ = up(folder, engine).communicate(timeout=200)
    assert "up: https://127.0.0.1:" in output
    found = state.read(folder)
    assert found is not None
    found.unshare.signal(signal.SIGKILL)
    assert wait_until(lambda: not processes_of(folder), 20)
    with pytest.raises(LabError, match="No cluster is up"):
        life.running(folder)
    again, _ = up(folder, engine).communicate(timeout=200)
    assert "up: https://127.0.0.1:" in again
    made = bpf_objects_of(folder) if engine == CILIUM.name else set()
    assert life.down(folder)
    assert not left_of(folder)
    assert (mounts(), links()) == before
    # The kernel frees them a moment after the last process that used them.
    wait_until(lambda: not made & bpf_objects().keys(), 30, 0.5)
    assert not made & bpf_objects().keys()


@pytest.mark.every_engine
def test_it_is_up_within_a_minute(cluster: Cluster, table: Table) -> None:
    with table.case("lab") as case:
        took = cluster.state.seconds
        case.record("up with warm builds", "in time", "in time" if took <= UP_SECONDS else "too late", took)


def test_without_root_it_says_so(tmp_path: Path) -> None:
    command = ["unshare", "--user", "--map-user=1000", sys.executable, "-m", "lab", "cluster", "up"]
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    answer = subprocess.run(
        [*command, "--state", str(tmp_path / "lab")], capture_output=True, text=True, timeout=60, check=False, env=env
    )
    assert answer.returncode == 1
    assert answer.stderr.startswith("ERROR: The cluster needs root")
    assert not (tmp_path / "lab").exists()


def test_other_options_are_refused(cluster: Cluster) -> None:
    folder = cluster.kubeconfig.parent
    with pytest.raises(LabError, match="with other options"):
        life.up(folder, Options(servers=1, lifetime=1.0))


def test_a_missing_kernel_feature_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        requirements, "TRIALS", (Trial(["--net"], "iptables -A OUTPUT -j NOSUCHTARGET", "packet queues"),)
    )
    with pytest.raises(LabError, match=r"packet queues: .*NOSUCHTARGET"):
        requirements.check(KUBE_NETWORK_POLICIES, print)
