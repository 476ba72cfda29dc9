# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the collection's real modules and playbooks in processes of their own, as Ansible would."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import yaml

import ansible_collections.netguard.lockdown.plugins as collection_plugins
from lab.environment import scrubbed_env

Json = dict[str, t.Any]

MODULES = "ansible_collections.netguard.lockdown.plugins.modules"
COLLECTIONS = Path(next(iter(collection_plugins.__path__))).parents[3]
TIMEOUT_SECONDS = 120
_TYPES = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}


@dataclass
class Outcome:
    """What a module run returned. `failed` results are outcomes too."""

    result: Json
    output: str

    @property
    def failed(self) -> bool:
        return bool(self.result.get("failed"))

    @property
    def failure(self) -> Json:
        """The structured failure; a run that succeeded has none, and that is the test's failure."""
        assert self.failed, self.result
        return t.cast(Json, self.result["failure"])

    def __getitem__(self, key: str) -> t.Any:
        assert not self.failed, self.result.get("msg")
        return self.result[key]


@dataclass(frozen=True)
class Modules:
    """Runs modules against one cluster, the way Ansible's wrapper does: arguments in, JSON out."""

    kubeconfig: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, module: str, arguments: Json | None = None, *, check: bool = False) -> Outcome:
        process = self.start(module, arguments, check=check)
        output, errors = process.communicate(timeout=TIMEOUT_SECONDS)
        try:
            return Outcome(json.loads(output), output + errors)
        except ValueError:
            raise AssertionError(f"{module} printed no JSON: {output}{errors}") from None

    def start(self, module: str, arguments: Json | None = None, *, check: bool = False) -> subprocess.Popen[str]:
        """The module as a process in a group of its own, for tests that end it before it is done."""
        given = {**(arguments or {}), "_ansible_check_mode": check, "_ansible_diff": True}
        process = subprocess.Popen(
            [sys.executable, "-m", f"{MODULES}.{module}"],
            env=self.env(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": given}))
        process.stdin.close()
        process.stdin = None
        return process

    def env(self) -> dict[str, str]:
        env = scrubbed_env(self.kubeconfig or "")
        if self.kubeconfig is None:
            del env["K8S_AUTH_KUBECONFIG"]
        return {**env, "PYTHONPATH": str(COLLECTIONS), **self.environment}


def run_playbook(
    playbook: Path | str, variables: Json, env: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """ansible-playbook of this interpreter's environment, with variables as extra vars."""
    command = [sys.executable, "-m", "ansible", "playbook", str(playbook), "-e", json.dumps(variables), *arguments]
    return subprocess.run(
        command,
        env={
            **env,
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_CONFIG": str(Path(__file__).with_name("ansible.cfg")),
            "ANSIBLE_LOCALHOST_WARNING": "false",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def require_documented(
    result: Json, documentation: str, without: t.Collection[str], nullable: t.Collection[str]
) -> None:
    """Require that a result has exactly the keys that RETURN promises, everywhere, each of the documented type."""
    own = ("changed", "failed", "msg", "invocation", "warnings", "exception")
    documented = {key: entry for key, entry in yaml.safe_load(documentation).items() if key not in without}
    _agree({key: value for key, value in result.items() if key not in own}, documented, "", nullable)


def _agree(value: Json, documented: Json, where: str, nullable: t.Collection[str]) -> None:
    assert set(value) == set(documented), where
    for key, entry in documented.items():
        place = f"{where}.{key}".lstrip(".")
        if value[key] is None:
            assert place in nullable, place
            continue
        assert type(value[key]) is _TYPES[entry["type"]], place
        parts = value[key] if entry["type"] == "list" else [value[key]]
        if "elements" in entry:
            assert all(type(part) is _TYPES[entry["elements"]] for part in parts), place
        for part in parts if "contains" in entry else []:
            _agree(part, entry["contains"], place, nullable)
