# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the demo's playbooks and reads what they leave."""

from __future__ import annotations

import json
import re
import subprocess
import typing as t
from pathlib import Path

from lab.environment import scrubbed_env

Json = dict[str, t.Any]

FOLDER = Path(__file__).parent
TIMEOUT_SECONDS = 120


class PlaybookFailedError(Exception):
    """A playbook failed; the text is the task's own message."""


class Playbooks:
    """The collection's playbooks against the cluster of one kubeconfig."""

    def __init__(self, kubeconfig: Path, scratch: Path) -> None:
        self._kubeconfig, self._scratch = kubeconfig, scratch

    def lockdown(self, variables: Json, *, check: bool = False) -> Json:
        """The fact ignite_lockdown_result of a run."""
        result = self._scratch / "result.json"
        self._run("lockdown.yml", {**variables, "demo_result": str(result)}, *(["--check"] if check else []))
        return t.cast("Json", json.loads(result.read_text(encoding="utf-8")))

    def render(self, variables: Json, targets: Path, output: Path) -> list[Path]:
        """The files that the entry point render writes."""
        where = {"ignite_lockdown_targets": str(targets), "ignite_lockdown_render_dir": str(output)}
        self._run("render.yml", {**variables, **where})
        return sorted(output.iterdir())

    def _run(self, playbook: str, variables: Json, *arguments: str) -> None:
        answers = self._scratch / "variables.json"
        answers.write_text(json.dumps(variables), encoding="utf-8")
        done = subprocess.run(
            ["ansible-playbook", str(FOLDER / playbook), "-e", f"@{answers}", *arguments],
            env={
                **scrubbed_env(self._kubeconfig),
                "ANSIBLE_LOCALHOST_WARNING": "false",
                "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode:
            raise PlaybookFailedError(_reason(done.stdout + done.stderr))


def _reason(output: str) -> str:
    """The message of the failed task; the whole output where there is none."""
    found = re.search(r'"msg": ("(?:[^"\\]|\\.)*")', output)
    return json.loads(found.group(1)) if found else output
