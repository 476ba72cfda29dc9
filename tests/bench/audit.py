# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit: against network-config-analyzer on the same files, as clusters grow, and focused on a namespace."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from bench import clusters
from bench.measured import Measured
from lab.errors import LabError

PODS, POLICIES, NAMESPACES = 400, 60, 20
GROWTH = 10
LARGE_PODS, LARGE_POLICIES, LARGE_NAMESPACES = 10_000, 1_000, 100
PEER_RUNS, RUNS = 2, 5
PEER_GOAL, GROWTH_GOAL, FOCUS_GOAL, MEMORY_GOAL_MB = 0.05, 12, 4, 500
TIMEOUT_SECONDS = 600


class ChildFailedError(LabError):
    """A process that was to be measured failed."""


def measure(peers: Path) -> Measured:
    """Runs of the two that are compared alternate, so that a busy moment of the machine hits both."""
    measured = Measured({})
    with tempfile.TemporaryDirectory() as scratch:
        _against_peer(measured, peers, Path(scratch))
        _growth(measured, Path(scratch))
        _focus(measured, Path(scratch))
    return measured


def _against_peer(measured: Measured, peers: Path, scratch: Path) -> None:
    """Whole processes, from the files to the matrix in a file or on standard output."""
    folder = scratch / "same"
    folder.mkdir()
    file = folder / "cluster.json"
    _write(file, clusters.objects(PODS, POLICIES, NAMESPACES))
    theirs = [str(peers / "bin" / "nca"), "--connectivity", str(folder), "-r", str(folder)]
    # The form without firewall rules is the plain matrix, which is what is compared.
    theirs += ["-o", "txt_no_fw_rules", "-f", str(scratch / "theirs.txt")]
    ours = _command("matrix", file)
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    for _turn in range(PEER_RUNS):
        times["peer"].append(_seconds(theirs))
        times["ours"].append(_seconds(ours))
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratio = medians["ours"] / medians["peer"]
    print(f"matrix of {PODS} pods and {POLICIES} policies: {medians['ours']:.2f} s, whole process")
    print(f"the same with network-config-analyzer: {medians['peer']:.2f} s")
    print(f"ratio {ratio:.3f} (goal {PEER_GOAL})")
    measured.figures["audit_vs_nca"] = {
        "ours_s": round(medians["ours"], 3),
        "peer_s": round(medians["peer"], 3),
        "ratio": round(ratio, 4),
        "pods": PODS,
        "policies": POLICIES,
        "runs": PEER_RUNS,
    }
    measured.budget("the audit's matrix against network-config-analyzer", ratio, PEER_GOAL)


def _growth(measured: Measured, scratch: Path) -> None:
    files = {number: scratch / f"{number}.json" for number in (PODS, PODS * GROWTH)}
    for number, file in files.items():
        _write(file, clusters.objects(number, POLICIES, NAMESPACES))
    seconds: dict[int, list[float]] = {number: [] for number in files}
    for _turn in range(RUNS):
        for number, file in files.items():
            seconds[number].append(_child("matrix", file)["seconds"])
    small, large = (statistics.median(values) for values in seconds.values())
    factor = large / small
    print(f"matrix of {PODS} pods: {small:.3f} s, of {PODS * GROWTH}: {large:.3f} s")
    print(f"factor {factor:.1f} (goal {GROWTH_GOAL})")
    measured.figures["audit_growth_x10"] = {
        "small_s": round(small, 3),
        "large_s": round(large, 3),
        "factor": round(factor, 2),
        "pods": [*files],
        "policies": POLICIES,
        "runs": RUNS,
    }
    measured.budget(f"the growth of the audit's time from {PODS} to {PODS * GROWTH} pods", factor, GROWTH_GOAL)


def _focus(measured: Measured, scratch: Path) -> None:
    file = scratch / "large.json"
    _write(file, clusters.objects(LARGE_PODS, LARGE_POLICIES, LARGE_NAMESPACES, as_the_api=True))
    runs = [(_child("load", file), _child("focus", file)) for _turn in range(RUNS)]
    load, focus = (statistics.median(run[side]["seconds"] for run in runs) for side in (0, 1))
    memory = max(run[1]["memory_mb"] for run in runs)
    ratio = focus / load
    print(f"audit of one namespace among {LARGE_PODS} pods and {LARGE_POLICIES} policies: {focus:.2f} s")
    print(f"json.load of the same file ({file.stat().st_size / 1e6:.0f} MB): {load:.2f} s")
    print(f"ratio {ratio:.2f} (goal {FOCUS_GOAL}), {memory:.0f} MB (goal {MEMORY_GOAL_MB})")
    measured.figures["audit_focus_10k"] = {
        "ours_s": round(focus, 3),
        "json_load_s": round(load, 3),
        "ratio": round(ratio, 3),
        "memory_mb": round(memory),
        "file_mb": round(file.stat().st_size / 1e6),
        "pods": LARGE_PODS,
        "policies": LARGE_POLICIES,
        "runs": RUNS,
    }
    measured.budget("the focused audit against json.load", ratio, FOCUS_GOAL)
    measured.budget("the memory of the focused audit in MB", memory, MEMORY_GOAL_MB)


def _write(file: Path, objects: list[t.Any]) -> None:
    """Write a List in the compact form in which an API server sends it."""
    document = {"kind": "List", "apiVersion": "v1", "items": objects}
    file.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")


def _command(what: str, file: Path) -> list[str]:
    return [sys.executable, "-m", "bench.audit_child", what, str(file)]


def _child(what: str, file: Path) -> dict[str, t.Any]:
    answer: dict[str, t.Any] = json.loads(_run(_command(what, file)))
    return answer


def _seconds(command: list[str]) -> float:
    started = time.monotonic()
    _run(command)
    return time.monotonic() - started


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    if done.returncode:
        raise ChildFailedError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
