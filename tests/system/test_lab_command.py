# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m lab`: a control plane that outlives the command, and goes without a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.client import Client
from lab.processes import start_time, wait_until
from lab.state import read

TESTS = Path(__file__).parents[1]


def lab(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command with a closed stdin, as a job system does."""
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS), **(env or {})},
        timeout=120,
        check=False,
    )


def pids(folder: Path) -> list[int]:
    state = read(folder)
    assert state is not None
    return [identity.pid for identity in state.identities]


def all_gone(processes: list[int]) -> bool:
    return wait_until(lambda: all(start_time(pid) is None for pid in processes), 10)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    state = tmp_path / "state"
    yield state
    lab("down", "--state", str(state))


def test_up_twice_use_and_down(folder: Path) -> None:
    first = lab("up", "--state", str(folder), "--question")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("up: https://127.0.0.1:")
    running = pids(folder)
    assert len(running) == 3

    again = lab("up", "--state", str(folder), "--question")
    assert again.stdout.startswith("up already: https://127.0.0.1:")
    assert pids(folder) == running

    other = lab("up", "--state", str(folder), "--servers", "2")
    assert other.returncode == 1
    assert "is up already, with other options" in other.stderr

    client = Client.from_kubeconfig(folder / "kubeconfig")
    state = json.loads((folder / "state.json").read_text())
    assert client.api("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"] == state["kube_system_uid"]
    assert client.api("GET", "/api/v1/namespaces/cache-ns")["metadata"]["labels"]["zone"] == "cache-zone"
    assert Path(state["audit_logs"][0]).stat().st_size > 0

    shell = lab("env", "--state", str(folder), env={"KUBECONFIG": "elsewhere", "K8S_AUTH_HOST": "elsewhere"})
    assert shell.stdout.splitlines()[-1] == f"export K8S_AUTH_KUBECONFIG={folder / 'kubeconfig'}"
    assert {"unset KUBECONFIG", "unset K8S_AUTH_HOST"} <= set(shell.stdout.splitlines())

    assert lab("down", "--state", str(folder)).stdout == "down\n"
    assert all_gone(running)
    assert not folder.exists()
    assert lab("down", "--state", str(folder)).stdout == "nothing was up\n"


def test_two_at_once_start_one(folder: Path) -> None:
    command = [sys.executable, "-m", "lab", "up", "--state", str(folder)]
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    both = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(process.communicate(timeout=120)[0].split(":")[0] for process in both)
    assert said == ["up", "up already"]


def test_what_a_killed_supervisor_left_is_replaced(folder: Path) -> None:
    lab("up", "--state", str(folder))
    before = pids(folder)
    os.kill(before[0], signal.SIGKILL)
    assert all_gone(before)

    dead = lab("env", "--state", str(folder))
    assert dead.returncode == 1
    assert "No control plane is up" in dead.stderr

    again = lab("up", "--state", str(folder))
    assert again.stdout.startswith("up: ")
    assert not set(before) & set(pids(folder))


def test_a_failed_start_says_why_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    for name in ("etcd", "kube-apiserver"):
        (assets / name).write_text("#!/bin/sh\necho no such luck\nexit 1\n")
        (assets / name).chmod(0o755)
    failed = lab("up", "--state", str(folder), env={"KUBEBUILDER_ASSETS": str(assets)})
    assert failed.returncode == 1
    assert "no such luck" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not folder.exists()


def test_the_lifetime_ends_everything_and_down_leaves_other_files_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "inventory").write_text("theirs")
    lab("up", "--state", str(folder), "--lifetime", "1")
    assert all_gone(pids(folder))
    assert not (folder / "run").exists()
    assert "the lifetime of 1 s is over" in lab("env", "--state", str(folder)).stderr
    assert lab("down", "--state", str(folder)).returncode == 0
    assert [path.name for path in folder.iterdir()] == ["inventory"]


def test_an_own_cluster_takes_its_place(folder: Path, tmp_path: Path) -> None:
    lab("up", "--state", str(folder))
    state = read(folder)
    assert state is not None
    named = {"NETGUARD_TEST_KUBECONFIG": state.kubeconfig, "NETGUARD_TEST_CLUSTER_UID": state.kube_system_uid}
    theirs = tmp_path / "theirs"

    up = lab("up", "--state", str(theirs), env=named)
    assert up.stdout.startswith("up: your own cluster"), up.stderr
    assert (theirs / "kubeconfig").read_bytes() == (folder / "kubeconfig").read_bytes()
    assert "does not arrange objects" in lab("up", "--state", str(tmp_path / "x"), "--question", env=named).stderr
    assert lab("down", "--state", str(theirs)).stdout == "down\n"
    assert not theirs.exists()
    assert Client.from_kubeconfig(folder / "kubeconfig").api("GET", "/version")

    wrong = lab("up", "--state", str(theirs), env={**named, "NETGUARD_TEST_CLUSTER_UID": "another"})
    assert wrong.returncode == 1
    assert "but NETGUARD_TEST_CLUSTER_UID says another" in wrong.stderr
