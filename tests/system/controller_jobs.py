# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as an automation controller starts them: a checkout of the project, its data, ansible-runner, no network."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
import yaml
from harness import COLLECTIONS

from lab.environment import scrubbed_env

Json = dict[str, t.Any]

SOURCE = COLLECTIONS / "ansible_collections" / "netguard" / "lockdown"
EXTENSION = SOURCE / "extensions" / "awx"
JOB_SECONDS = 240


class _Unsafe(yaml.SafeDumper):
    """Every text of a launch, names too, is marked as no template, as the controller does it."""

    def represent_data(self, data: t.Any) -> yaml.Node:
        return self.represent_scalar("!unsafe", data) if isinstance(data, str) else super().represent_data(data)


class _Data(yaml.SafeLoader):
    """Reads what Ansible would keep from being a template."""


def _as_it_is(loader: _Data, node: yaml.ScalarNode) -> t.Any:
    return loader.construct_scalar(node)


_Data.add_constructor("!unsafe", _as_it_is)


def objects(name: str) -> t.Any:
    """A variable of extensions/awx/controller, its templates as they are written."""
    for path in sorted((EXTENSION / "controller").glob("*.yml")):
        found = yaml.load(path.read_text(), _Data)  # noqa: S506
        if name in found:
            return found[name]
    raise KeyError(name)


SURVEYS: Json = objects("netguard_awx_surveys")
TEMPLATES: dict[str, Json] = {
    template["name"].partition(": ")[2]: template for template in objects("controller_templates")
}


def survey_of(template: Json) -> list[Json]:
    name = re.search(r"netguard_awx_surveys\.(\w+)", str(template["survey_spec"]))
    questions: list[Json] = SURVEYS[name[1]]["spec"] if name and template["survey_enabled"] else []
    return questions


def answered(questions: list[Json], answers: Json) -> Json:
    """The variables of a survey: defaults that pass the question's own check, and the answers over them."""
    defaults = {question["variable"]: question["default"] for question in questions if _valid(question)}
    return {**defaults, **{f"netguard_survey_{name}": value for name, value in answers.items()}}


def _valid(question: Json) -> bool:
    default = question["default"]
    if question["type"] in ("integer", "float"):
        return not isinstance(default, str)
    if question["type"] == "multiselect":
        return isinstance(default, list)
    return question["type"] != "multiplechoice" or default in question["choices"]


@dataclass(frozen=True)
class Job:
    """What became of a job."""

    code: int
    output: str
    artifacts: Json

    @property
    def told(self) -> str:
        """The output without its line breaks."""
        return " ".join(self.output.replace("\\n", " ").split())


@dataclass
class Controller:
    """Starts jobs: the project at its revision, the collection from its tarball, an inventory and a credential."""

    folder: Path
    hosts: dict[str, Json] = field(default_factory=dict)
    credential: dict[str, str] = field(default_factory=dict)
    started: int = 0

    def __post_init__(self) -> None:
        self.project = self.folder / "checkout"
        self.collections = self.folder / "requirements_collections"
        _clone(self.folder / "origin", self.project)
        install(self.folder, self.collections)
        # What the controller does with the project's requirements; all of them are there by now.
        galaxy("install", "--offline", "-r", self.project / "collections" / "requirements.yml", "-p", self.collections)

    def with_credential(self, credential: dict[str, str], hosts: dict[str, Json]) -> Controller:
        """The same controller with another credential and inventory."""
        other = copy.copy(self)
        other.folder = Path(tempfile.mkdtemp(dir=self.folder))
        other.credential, other.hosts = credential, hosts
        return other

    def launch(self, template: str, answers: Json | None = None, **more: t.Any) -> Job:
        """Launch a job template with answers to its survey; those that it does not ask for are left out."""
        questions = survey_of(TEMPLATES[template])
        asked = {question["variable"].removeprefix("netguard_survey_") for question in questions}
        given = {name: value for name, value in (answers or {}).items() if name in asked}
        return self.run(TEMPLATES[template], answered(questions, given), **more)

    def run(self, template: Json, variables: Json, *, job_type: str = "") -> Job:
        self.started += 1
        place = self.folder / f"job-{self.started}"
        mode = ["--check"] if (job_type or template["job_type"]) == "check" else []
        _write(place / "env" / "extravars", yaml.dump(variables, Dumper=_Unsafe, default_flow_style=False))
        _write(place / "env" / "cmdline", " ".join([*mode, *(["--diff"] if template["diff_mode"] else [])]))
        _write(place / "env" / "envvars", json.dumps(self._environment(place)))
        _write(place / "inventory" / "hosts.json", json.dumps(self._inventory(), indent=1))
        shutil.copytree(self.project, place / "project")
        command = [sys.executable, "-m", "ansible_runner", "run", str(place), "--ident", "job"]
        done = subprocess.run(
            [*command, "--playbook", template["playbook"]],
            env=outside(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=JOB_SECONDS,
            check=False,
        )
        return Job(done.returncode, done.stdout + done.stderr, _artifacts(place))

    def _environment(self, place: Path) -> dict[str, str]:
        settings = {"ANSIBLE_COLLECTIONS_PATH": str(self.collections), "ANSIBLE_FORCE_COLOR": "false"}
        home = place / "home"
        home.mkdir()
        return {**settings, "HOME": str(home), **self.credential}

    def _inventory(self) -> Json:
        (inventory,) = objects("controller_inventories")
        evidence = {"ignite_lockdown_evidence_dir": str(self.folder / "evidence")}
        return {"all": {"hosts": self.hosts, "vars": {**inventory["variables"], **evidence}}}


def inject(kind: Json, inputs: Json, folder: Path) -> dict[str, str]:
    """The environment that a credential type makes of its inputs, its file included."""
    # Texts for files and variables, no pages.
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string  # noqa: S701
    path = folder / "credential-file"
    _write(path, template(kind["injectors"]["file"]["template"]).render(inputs))
    names = {**inputs, "tower": {"filename": str(path)}}
    return {name: template(text).render(names) for name, text in kind["injectors"]["env"].items()}


def galaxy(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "ansible", "galaxy", "collection", *map(str, arguments)]
    subprocess.run(command, env=outside(), check=True, capture_output=True, timeout=JOB_SECONDS)


def install(folder: Path, collections: Path) -> Path:
    """Build the collection's tarball and install it; the tarball's path."""
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob("*.tar.gz")):
        galaxy("build", SOURCE, "--output-path", folder)
    (tarball,) = folder.glob("*.tar.gz")
    galaxy("install", "--offline", tarball, "-p", collections)
    return tarball


def _clone(origin: Path, target: Path) -> None:
    """A checkout of a repository that holds the project and nothing else."""
    shutil.copytree(EXTENSION / "project", origin)
    user = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], [*user, "commit", "-qm", "The project"]):
        subprocess.run(["git", "-C", str(origin), *command], check=True, capture_output=True)
    subprocess.run(["git", "clone", "-q", str(origin), str(target)], check=True, capture_output=True)


def outside() -> dict[str, str]:
    """This environment without the checkout's own collection, and without a way to any cluster."""
    env = {name: value for name, value in scrubbed_env("").items() if not name.startswith(("ANSIBLE_", "PYTHONPATH"))}
    del env["K8S_AUTH_KUBECONFIG"]
    programs = str(Path(sys.executable).parent)
    return {**env, "PATH": os.pathsep.join([programs, env.get("PATH", os.defpath)])}


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


def _artifacts(place: Path) -> Json:
    """What set_stats handed on, as the controller reads it from the last event."""
    for event in _events(place):
        if event.get("event") == "playbook_on_stats":
            found: Json = event["event_data"].get("artifact_data") or {}
            return found
    return {}


def _events(place: Path) -> Iterator[Json]:
    for path in (place / "artifacts" / "job" / "job_events").glob("*.json"):
        yield json.loads(path.read_text())
