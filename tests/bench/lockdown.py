# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole lockdown.yml on a converged cluster, against kubernetes.core tasks with the same effect."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.measured import Measured
from demo.playbooks import PlaybookFailedError, Playbooks
from lab.control_plane import ControlPlane
from lab.environment import scrubbed_env
from lab.question import arrange_question

QUESTION = Path(__file__).parents[2] / "playbooks" / "vars" / "question.yml"
FOLDER = Path(__file__).parent
RUNS = 5
RATIO_GOAL = 0.45
REQUESTS_GOAL = 12
TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Contender:
    name: str
    command: list[str]
    env: dict[str, str]

    def seconds(self) -> float:
        """The wall time of one run, which has to succeed."""
        started = time.monotonic()
        done = subprocess.run(
            self.command,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode:
            raise PlaybookFailedError(f"{self.name} failed:\n{done.stdout}{done.stderr}")
        return time.monotonic() - started


def measure(peers: Path) -> Measured:
    """Runs alternate, so that a busy moment of the machine hits all of them."""
    with ControlPlane() as plane, tempfile.TemporaryDirectory() as scratch:
        arrange_question(plane, policies=True)
        variables = yaml.safe_load(QUESTION.read_text(encoding="utf-8"))
        result = Playbooks(plane.kubeconfig, Path(scratch)).lockdown(variables)
        contenders = _contenders(plane, peers, Path(scratch), variables, result["definitions"])
        times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
        # The first round warms caches of files and byte code, and is not counted.
        for turn in range(RUNS + 1):
            for contender in contenders:
                taken = contender.seconds()
                if turn:
                    times[contender.name].append(taken)
        mark = plane.mark()
        contenders[0].seconds()
        requests = plane.audit(mark)
    return _figures(times, len(requests), sum(event.mutating for event in requests))


def _contenders(
    plane: ControlPlane, peers: Path, scratch: Path, variables: dict[str, t.Any], definitions: list[t.Any]
) -> list[Contender]:
    ours, theirs = scratch / "ours.json", scratch / "theirs.json"
    ours.write_text(json.dumps(variables), encoding="utf-8")
    theirs.write_text(json.dumps({"bench_definitions": definitions}), encoding="utf-8")
    env = {**scrubbed_env(plane.kubeconfig), "ANSIBLE_LOCALHOST_WARNING": "false"}
    peer_env = {name: value for name, value in env.items() if name not in ("ANSIBLE_COLLECTIONS_PATH", "PYTHONPATH")}
    ansible = str(Path(sys.executable).with_name("ansible-playbook"))
    return [
        Contender("ours", [ansible, "netguard.lockdown.lockdown", "-e", f"@{ours}"], env),
        Contender(
            "peer", [str(peers / "bin" / "ansible-playbook"), str(FOLDER / "peer.yml"), "-e", f"@{theirs}"], peer_env
        ),
        Contender("empty", [ansible, str(FOLDER / "empty.yml")], env),
    ]


def _figures(times: dict[str, list[float]], requests: int, writes: int) -> Measured:
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratio = medians["ours"] / medians["peer"]
    print(f"lockdown.yml, converged, median of {RUNS}: {medians['ours']:.2f} s")
    print(f"the same with kubernetes.core:  {medians['peer']:.2f} s")
    print(f"an empty playbook:              {medians['empty']:.2f} s")
    print(
        f"ratio {ratio:.2f} (goal {RATIO_GOAL}), {requests} requests (goal {REQUESTS_GOAL}), {writes} writes (goal 0)"
    )
    measured = Measured(
        {
            "lockdown_vs_kubernetes_core": {
                "ours_s": round(medians["ours"], 3),
                "peer_s": round(medians["peer"], 3),
                "empty_s": round(medians["empty"], 3),
                "ratio": round(ratio, 3),
                "requests": requests,
                "writes": writes,
                "runs": RUNS,
            }
        }
    )
    measured.budget("lockdown.yml against kubernetes.core", ratio, RATIO_GOAL)
    measured.budget("the number of requests of a converged run", requests, REQUESTS_GOAL)
    measured.budget("the number of writes of a converged run", writes, 0)
    return measured
