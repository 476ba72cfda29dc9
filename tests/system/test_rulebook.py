# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped rulebook under a real ansible-rulebook: endpoints move, and the policies follow."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from harness import COLLECTIONS
from rotation import ALLOW, POLICIES, api_slice, blocks, rotate

from demo.playbooks import Playbooks
from lab.control_plane import ControlPlane
from lab.environment import scrubbed_env
from lab.processes import wait_until
from lab.question import arrange_question

Json = dict[str, t.Any]

QUESTION_FILE = COLLECTIONS / "ansible_collections" / "netguard" / "lockdown" / "playbooks" / "vars" / "question.yml"
ROTATIONS = 5
GOAL_SECONDS = 5.0
# A machine under load may miss the goal; a policy that is not repaired by then is not repaired at all.
LIMIT_SECONDS = 60.0
ENDED = (0, 128 + signal.SIGTERM)  # the second one is the JVM's


class Rulebook:
    """ansible-rulebook with the collection's rulebook, an inventory and its variables."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane, self._folder, self.log = plane, folder, folder / "rulebook.log"
        question = yaml.safe_load(QUESTION_FILE.read_text(encoding="utf-8"))
        self.variables = {**question, "ignite_lockdown_api_form": "endpoints"}

    @contextlib.contextmanager
    def running(self, **settings: t.Any) -> Iterator[None]:
        local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        inventory = {"all": {"hosts": {"localhost": {**self.variables, **local}}}}
        (self._folder / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        (self._folder / "vars.yml").write_text(yaml.safe_dump({**self.variables, **settings}), encoding="utf-8")
        command = ["ansible-rulebook", "--rulebook", "netguard.lockdown.refresh", "--inventory", "inventory.yml"]
        with self.log.open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [*command, "--vars", "vars.yml", "--print-events"],
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                yield
                process.send_signal(signal.SIGTERM)
                assert process.wait(LIMIT_SECONDS) in ENDED, self.text()
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(LIMIT_SECONDS)

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def until(self, condition: t.Callable[[], bool]) -> float:
        """Seconds until it holds."""
        started = time.monotonic()
        assert wait_until(condition, LIMIT_SECONDS, 0.05), self.text()
        return time.monotonic() - started

    def runs(self) -> int:
        return self.text().count("PLAY RECAP")

    def _environment(self) -> dict[str, str]:
        environment, java = os.environ.get("NETGUARD_EDA"), shutil.which("java")
        assert environment, "NETGUARD_EDA must name the environment of ansible-rulebook; make system sets it"
        assert java, "ansible-rulebook needs a JVM 17 (Debian package openjdk-17-jdk-headless)"
        return {
            **scrubbed_env(self.plane.kubeconfig),
            "PATH": os.pathsep.join([str(Path(environment) / "bin"), os.environ["PATH"]]),
            "JAVA_HOME": str(Path(java).resolve().parents[1]),
            "PYTHONPATH": "",
            "HOME": str(self._folder),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        }


@pytest.fixture(scope="module")
def rulebook(programs: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rulebook]:
    """The question, locked down, with its API server's endpoints in the test's hand."""
    with ControlPlane(endpoint_reconciler="none") as plane:
        arrange_question(plane)
        plane.create(api_slice("192.0.2.1"))
        made = Rulebook(plane, tmp_path_factory.mktemp("rulebook"))
        Playbooks(plane.kubeconfig, tmp_path_factory.mktemp("playbooks")).lockdown(made.variables)
        yield made


def test_policies_follow_and_are_repaired(rulebook: Rulebook) -> None:
    plane = rulebook.plane
    settings = {"lockdown_interval_seconds": 1, "lockdown_on_drift": "netguard.lockdown.lockdown"}
    with rulebook.running(**settings):
        rulebook.until(lambda: rulebook.runs() == 1)  # the state at the start
        seconds = []
        for number in range(10, 10 + ROTATIONS):
            runs, address = rulebook.runs(), f"192.0.2.{number}"
            rotate(plane, address)
            seconds.append(rulebook.until(lambda wanted=f"{address}/32": wanted in blocks(plane)))  # type: ignore[misc]
            rulebook.until(lambda before=runs: rulebook.runs() > before)  # type: ignore[misc]
            time.sleep(1)
        record(statistics.median(seconds))

        stolen = [{"op": "replace", "path": "/spec/egress", "value": [{}]}]
        allow = f"{POLICIES}/{ALLOW['metadata']['name']}"
        plane.api("PATCH", allow, stolen, content_type="application/json-patch+json")
        rulebook.until(lambda: f"192.0.2.{9 + ROTATIONS}/32" in blocks_or_none(plane))
        assert "policy_changed" in rulebook.text()
        plane.api("DELETE", allow)
        rulebook.until(lambda: plane.exists(ALLOW))
        assert "policy_deleted" in rulebook.text()


def blocks_or_none(plane: ControlPlane) -> list[str]:
    """As blocks(); a rule without peers allows everyone and names nobody."""
    rules = plane.read(ALLOW)["spec"]["egress"]
    return blocks(plane) if all("to" in rule for rule in rules) else []


def record(median: float) -> None:
    """Keep the figure beside the bench's."""
    print(f"policy repaired {median:.2f} s after the slice changed (median of {ROTATIONS}, goal {GOAL_SECONDS} s)")
    output = Path(os.environ.get("NETGUARD_BUILD", "build")) / "bench.json"
    figures: Json = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
    figures["eda_repair_seconds"] = round(median, 2)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
