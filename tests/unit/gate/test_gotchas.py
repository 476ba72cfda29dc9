# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every known gotcha of network policies names a test that exists, or says why there is none."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import pytest
import yaml

TESTS = Path(__file__).resolve().parents[2]
GOTCHAS: list[dict[str, t.Any]] = yaml.safe_load((TESTS / "gotchas.yml").read_text(encoding="utf-8"))


def names(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("entry", GOTCHAS, ids=lambda entry: str(entry["gotcha"])[:60])
def test_a_gotcha_names_its_test(entry: dict[str, t.Any]) -> None:
    assert set(entry) <= {"gotcha", "tests", "platforms", "open"}
    assert bool(entry.get("tests")) != bool(entry.get("open"))
    for test in entry.get("tests", []):
        path, _separator, name = test.partition("::")
        assert name in names(TESTS / path), test
    for platform in entry.get("platforms", []):
        assert (TESTS / "unit" / "platforms" / platform / "expected.yml").is_file(), platform


def test_no_gotcha_is_told_twice() -> None:
    sentences = [entry["gotcha"] for entry in GOTCHAS]
    assert len(set(sentences)) == len(sentences)
