# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure parts of the collection import nothing that does I/O for them."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CORE = ROOT / "plugins" / "module_utils" / "_core"
OWN = "ansible_collections.netguard.lockdown.plugins.module_utils._core"
# A parser of text, and a requirement of the collection: no way out of the process.
PARSERS = {"yaml"}


def imported(source: str) -> Iterator[str]:
    """Yield every module that a source text imports, inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def impure(source: str) -> list[str]:
    """List the imports that a pure module must not have."""
    return [
        name
        for name in imported(source)
        if not (name == OWN or name.startswith(f"{OWN}."))
        and name.split(".")[0] not in sys.stdlib_module_names | PARSERS
    ]


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: str(path.relative_to(CORE)))
def test_a_core_module_imports_only_the_standard_library_and_its_own_kind(path: Path) -> None:
    assert impure(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "import kubernetes",
        "from ansible.module_utils.basic import AnsibleModule",
        "from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session",
        "from . import _kube",
        "def late():\n    import urllib3",
    ],
)
def test_an_impure_import_is_found(line: str) -> None:
    assert impure(line)
