# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each further inventory host costs: fleet.yml for 1, 2, 4 and 8 hosts, converged.

The hosts are namespaces of one control plane: that shows the cost on the controller, where all clusters meet.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import typing as t
from pathlib import Path

from bench.lockdown import Contender
from bench.measured import Measured
from lab import objects
from lab.control_plane import ControlPlane
from lab.environment import scrubbed_env
from lab.question import arrange_question

HOSTS = (1, 2, 4, 8)
RUNS = 3
GROWTH_GOAL = 0.6


def measure(_peers: Path) -> Measured:
    """The first round locks down and warms caches, and is not counted."""
    names = [f"cluster-{number}" for number in range(max(HOSTS))]
    with ControlPlane() as plane, tempfile.TemporaryDirectory() as scratch:
        arrange_question(plane)
        for number, name in enumerate(names):
            plane.create(objects.namespace(name))
            plane.create(objects.pod("ignite-0", name, {"app": "ignite"}, ip=f"10.244.9.{number + 1}"))
        inventory = Path(scratch) / "inventory.json"
        inventory.write_text(json.dumps(_inventory(names)), encoding="utf-8")
        contenders = [_contender(plane, inventory, names[:count]) for count in HOSTS]
        contenders[-1].seconds()
        times = {contender.name: [contender.seconds() for _run in range(RUNS)] for contender in contenders}
    return _figures([statistics.median(values) for values in times.values()])


def _inventory(names: list[str]) -> dict[str, t.Any]:
    return {"ignite_clusters": {"hosts": {name: {"ignite_lockdown_namespace": name} for name in names}}}


def _contender(plane: ControlPlane, inventory: Path, names: list[str]) -> Contender:
    given = {"ignite_lockdown_hosts": "ignite_clusters", "ignite_lockdown_fleet_action": "lockdown"}
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "netguard.lockdown.fleet",
        *("-i", str(inventory), "-e", json.dumps(given)),
        *("--limit", ",".join(names), "--forks", str(len(names))),
    ]
    return Contender(f"fleet of {len(names)}", command, scrubbed_env(plane.kubeconfig))


def _figures(seconds: list[float]) -> Measured:
    """One more host against the first one, over the whole curve."""
    added = (seconds[-1] - seconds[0]) / (HOSTS[-1] - HOSTS[0])
    growth = added / seconds[0]
    for count, value in zip(HOSTS, seconds, strict=True):
        print(f"fleet.yml, converged, {count} hosts: {value:.2f} s")
    print(f"each further host {added:.2f} s, {growth:.2f} of the first (goal {GROWTH_GOAL})")
    figures = {
        "hosts": list(HOSTS),
        "seconds": [round(value, 3) for value in seconds],
        "added_host_s": round(added, 3),
        "added_host_ratio": round(growth, 3),
        "runs": RUNS,
        "clusters": "namespaces of one control plane",
    }
    measured = Measured({"fleet_growth": figures})
    measured.budget("a further host of a fleet against the first", growth, GROWTH_GOAL)
    return measured
