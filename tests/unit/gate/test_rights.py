# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account for everything and the accounts of single playbooks have the same rights in all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import rights
import yaml

ROOT = Path(__file__).resolve().parents[3]
FILES = ROOT / "roles" / "ignite_lockdown" / "files"


def granted(paths: Iterable[Path]) -> set[tuple[str, str, str]]:
    """List what manifests grant, as (API group, resource, verb)."""
    return {
        (group, resource, verb)
        for path in paths
        for item in yaml.safe_load(path.read_text())["items"]
        for rule in item.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_all_accounts_together_can_do_what_the_one_for_everything_can() -> None:
    for_everything = [FILES / f"rbac{part}.yml" for part in ("", "-engines", "-audit", "-verify", "-deploy")]
    assert granted(ROOT / rights.FOLDER / f"{name}.yml" for name in rights.PLAYBOOKS) == granted(for_everything)


@pytest.mark.parametrize("playbook", rights.PLAYBOOKS)
def test_no_rule_is_wider_than_it_says(playbook: str) -> None:
    items = yaml.safe_load((ROOT / rights.FOLDER / f"{playbook}.yml").read_text())["items"]
    rules = [rule for item in items for rule in item.get("rules", ())]
    assert rules
    assert "*" not in str(rules)
    account = {(item["metadata"]["name"], item["metadata"].get("namespace")) for item in items}
    assert {name for name, _namespace in account} == {f"netguard-lockdown-{playbook}"}


@pytest.mark.parametrize("playbook", ["plan", "audit"])
def test_readers_may_write_no_more_than_the_anchor_of_evidence(playbook: str) -> None:
    writes = {each for each in granted([ROOT / rights.FOLDER / f"{playbook}.yml"]) if each[2] not in ("get", "list")}
    anchor = {("", "configmaps", "create"), ("", "configmaps", "update")}
    assert writes == (anchor if playbook == "audit" else set())
