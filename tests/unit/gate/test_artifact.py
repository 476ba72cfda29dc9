# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tarball holds what users need and nothing else, and installs without a network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from gate.tree import tracked_files

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = {"changelogs", "docs", "extensions", "meta", "playbooks", "plugins", "roles"}
FILES = {
    ".ansible-lint",  # tells Galaxy's importer what it cannot judge
    "ARCHITECTURE.md",
    "CHANGELOG.rst",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "REUSE.toml",
    "SECURITY.md",
    "tests/config.yml",  # tells ansible-test which Pythons to judge the installed collection for
}
BY_THE_BUILD = {"FILES.json", "MANIFEST.json"}
STRAY = (
    ".ansible/collections/x.py",
    ".venv/lib/site.py",
    "build/trees/unit/galaxy.yml",
    "dist/old.tar.gz",
    "molecule/default/created.yml",
    "netguard-lockdown-0.0.1.tar.gz",
    "plugins/modules/__pycache__/x.cpython-313.pyc",
    "tests/output/junit/report.xml",
    "venv/bin/python",
)


def wanted(path: str) -> bool:
    """Tell whether a tracked file belongs into the tarball."""
    return path in FILES or (path.partition("/")[0] in FOLDERS and not path.startswith("changelogs/fragments/"))


def run(*command: str | Path, home: Path) -> str:
    """Run an Ansible program that knows no collection but those below its home."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"HOME": str(home), "ANSIBLE_COLLECTIONS_PATH": str(home)}
    return subprocess.run(command, check=True, cwd=home, env=environment, capture_output=True, text=True).stdout


def ansible_galaxy(*arguments: str | Path, home: Path) -> None:
    run("ansible-galaxy", "collection", *arguments, home=home)


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from a copy of the checkout that is littered with what a working copy collects."""
    directory = tmp_path_factory.mktemp("artifact")
    for path in tracked_files():
        (directory / "source" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, directory / "source" / path)
    for name in STRAY:
        (directory / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / "source" / name).write_text("stray\n")
    ansible_galaxy("build", directory / "source", "--output-path", directory, home=directory)
    return next(directory.glob("*.tar.gz"))


def test_the_tarball_holds_exactly_what_users_need(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        packed = {member.name for member in archive if member.isfile()}
    assert packed == BY_THE_BUILD | {str(path) for path in tracked_files() if wanted(str(path))}
    assert {"plugins/modules/network_policies.py", "README.md", "LICENSE"} <= packed


def test_the_tarball_installs_offline_and_is_found(tarball: Path, tmp_path: Path) -> None:
    ansible_galaxy("install", "--offline", "--collections-path", tmp_path, tarball, home=tmp_path)
    manifest = json.loads((tmp_path / "ansible_collections/netguard/lockdown/MANIFEST.json").read_text())
    assert manifest["collection_info"]["dependencies"] == {}
    name = "netguard.lockdown.network_policies"
    documented = json.loads(run("ansible-doc", "--json", "--type", "module", name, home=tmp_path))
    assert str(tmp_path) in documented[name]["doc"]["filename"]
