# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment: its definition is taken, and what the tarball asks for is all that playbooks need."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from controller_jobs import EXTENSION, SOURCE, install, outside

from lab.control_plane import ControlPlane
from lab.question import arrange_question

DEFINITION = EXTENSION / "execution-environment"
BUILDER = Path(sys.executable).parent / "ansible-builder"
SECONDS = 600


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**outside(), **environment}, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tarball in tarball/ and the collection installed from it in installed/."""
    folder = tmp_path_factory.mktemp("environment")
    install(folder / "tarball", folder / "installed")
    return folder


def test_the_definition_makes_a_build_context_that_installs_the_tarball(place: Path) -> None:
    work = place / "definition"
    shutil.copytree(DEFINITION, work)
    (tarball,) = (place / "tarball").glob("*.tar.gz")
    shutil.copy(tarball, work / "netguard-lockdown.tar.gz")
    run(BUILDER, "create", cwd=work)
    build = work / "context" / "_build"
    assert (build / "collections" / "netguard-lockdown.tar.gz").read_bytes() == tarball.read_bytes()
    # As the build does in its first stage, where only these files are.
    run(
        sys.executable, "-m", "ansible", "galaxy", "collection", "install", "--offline", "-r", "requirements.yml",
        "-p", place / "in-the-image", cwd=build,
    )  # fmt: skip
    manifest = place / "in-the-image" / "ansible_collections" / "netguard" / "lockdown" / "MANIFEST.json"
    assert json.loads(manifest.read_text())["collection_info"]["name"] == "lockdown"


def test_the_definition_names_nothing_that_the_collection_says_itself() -> None:
    definition = yaml.safe_load((DEFINITION / "execution-environment.yml").read_text())
    assert definition["version"] == 3
    assert set(definition["dependencies"]) == {
        "python_interpreter",
        "ansible_core",
        "ansible_runner",
        "system",
        "galaxy",
    }


def test_what_the_tarball_asks_for_is_what_playbooks_need(place: Path, programs: object) -> None:
    """A clean virtual environment with ansible-core and the introspected requirements, nothing else."""
    pip, system = place / "requirements.txt", place / "bindep.txt"
    run(BUILDER, "introspect", place / "installed", "--write-pip", pip, "--write-bindep", system, cwd=place)
    wanted = [line.partition("#")[0].strip() for line in pip.read_text().splitlines()]
    # The builder leaves out what ansible-core brings along: PyYAML.
    assert [line for line in wanted if line] == ["kubernetes>=28.1.0,!=36.0.*"]
    assert not system.exists()  # no system package at all
    venv = place / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=place)
    core = f"ansible-core=={importlib.metadata.version('ansible-core')}"
    there = ("--disable-pip-version-check", "--python", venv / "bin" / "python")
    run(
        sys.executable, "-m", "pip", *there, "install", "--quiet", "--no-compile", core, "--requirement", pip, cwd=place
    )  # fmt: skip
    with ControlPlane() as plane:
        arrange_question(plane)
        question = SOURCE / "playbooks" / "vars" / "question.yml"
        for mode in (["--check", "--diff"], []):
            output = run(
                venv / "bin" / "ansible-playbook", "netguard.lockdown.lockdown", "-e", f"@{question}", *mode,
                cwd=place,
                ANSIBLE_COLLECTIONS_PATH=str(place / "installed"),
                HOME=str(place),
                K8S_AUTH_KUBECONFIG=str(plane.kubeconfig),
            )  # fmt: skip
            assert "failed=0" in output
        names = [item["metadata"]["name"] for item in plane.list("networking.k8s.io/v1", "NetworkPolicy", "cache-ns")]
    assert "netguard-ignite-allow-servers" in names
