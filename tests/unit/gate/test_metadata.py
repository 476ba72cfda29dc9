# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection says of itself in several places is the same everywhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gate.cells import CELLS

ROOT = Path(__file__).resolve().parents[3]


def load(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def pin(cell: str, package: str) -> str:
    """Return the version that a cell pins, the newest one where Python decides."""
    requirements = (ROOT / "tests" / "requirements" / f"{cell}.txt").read_text()
    found: list[str] = re.findall(rf"^{package}==([0-9.]+)", requirements, re.MULTILINE)
    return max(found, key=lambda version: [int(part) for part in version.split(".")])


def test_the_action_group_names_every_module() -> None:
    modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
    assert modules
    assert sorted(load("meta/runtime.yml")["action_groups"]["all"]) == modules


def test_the_oldest_core_of_the_matrix_is_the_required_one() -> None:
    required = load("meta/runtime.yml")["requires_ansible"]
    assert required == f">={'.'.join(pin('oldest', 'ansible-core').split('.')[:2])}.0"


def test_the_execution_environment_takes_the_oldest_client_of_the_matrix() -> None:
    environment = load("meta/execution-environment.yml")
    assert environment["version"] == 1
    requirements = (ROOT / environment["dependencies"]["python"]).read_text()
    assert f"kubernetes>={pin('oldest', 'kubernetes')},!=36.0.*" in requirements.splitlines()
    assert (ROOT / environment["dependencies"]["system"]).is_file()
    assert not re.search(r"<|==|~=", requirements)


@pytest.mark.parametrize("cell", list(CELLS))
def test_the_readme_names_what_is_tested(cell: str) -> None:
    row = f"| {pin(cell, 'ansible-core')} | {CELLS[cell].pythons[0]} | {pin(cell, 'kubernetes')} |"
    assert row in (ROOT / "README.md").read_text()


def test_the_readme_names_the_kubernetes_version_of_the_lab() -> None:
    modules = (ROOT / "tests" / "lab" / "tools" / "kubernetes" / "go.mod").read_text()
    version = re.search(r"k8s\.io/kubernetes v([0-9.]+)", modules)
    assert version
    assert f"| {version[1]} |" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    "section",
    ["Description", "Requirements", "Installation", "Use Cases", "Testing", "Support", "Release notes",
     "Related information", "License"],
)  # fmt: skip
def test_the_readme_has_the_sections_that_automation_hub_asks_for(section: str) -> None:
    assert re.search(rf"^## {section}$", (ROOT / "README.md").read_text(), re.MULTILINE)
