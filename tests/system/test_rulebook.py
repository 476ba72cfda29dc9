# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped rulebook under a real ansible-rulebook: endpoints move, and the policies follow."""

from __future__ import annotations

import statistics
import time
import typing as t
from collections.abc import Iterator

import pytest
import yaml
from harness import COLLECTIONS
from rotation import ALLOW, POLICIES, api_slice, blocks, rotate
from rulebook import Rulebook, record

from demo.playbooks import Playbooks
from lab.control_plane import ControlPlane
from lab.question import arrange_question

Json = dict[str, t.Any]

QUESTION_FILE = COLLECTIONS / "ansible_collections" / "netguard" / "lockdown" / "playbooks" / "vars" / "question.yml"
ROTATIONS = 5


@pytest.fixture(scope="module")
def locked(programs: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ControlPlane, Rulebook]]:
    """The question, locked down, with its API server's endpoints in the test's hand."""
    with ControlPlane(endpoint_reconciler="none") as plane:
        arrange_question(plane)
        plane.create(api_slice("192.0.2.1"))
        question = yaml.safe_load(QUESTION_FILE.read_text(encoding="utf-8"))
        variables = {**question, "ignite_lockdown_api_form": "endpoints"}
        Playbooks(plane.kubeconfig, tmp_path_factory.mktemp("playbooks")).lockdown(variables)
        yield plane, Rulebook(plane.kubeconfig, tmp_path_factory.mktemp("rulebook"), variables)


def test_policies_follow_and_are_repaired(locked: tuple[ControlPlane, Rulebook]) -> None:
    plane, rulebook = locked
    settings = {"lockdown_interval_seconds": 1, "lockdown_on_drift": "netguard.lockdown.lockdown"}
    with rulebook.running(**settings):
        rulebook.until(lambda: rulebook.runs() == 1)  # the state at the start
        seconds = []
        for number in range(10, 10 + ROTATIONS):
            runs, address = rulebook.runs(), f"192.0.2.{number}"
            rotate(plane, address)
            seconds.append(rulebook.until(lambda wanted=f"{address}/32": wanted in blocks(plane)))  # type: ignore[misc]
            rulebook.until(lambda before=runs: rulebook.runs() > before)  # type: ignore[misc]
            time.sleep(1)
        record(statistics.median(seconds), ROTATIONS)

        stolen = [{"op": "replace", "path": "/spec/egress", "value": [{}]}]
        allow = f"{POLICIES}/{ALLOW['metadata']['name']}"
        plane.api("PATCH", allow, stolen, content_type="application/json-patch+json")
        rulebook.until(lambda: f"192.0.2.{9 + ROTATIONS}/32" in blocks_or_none(plane))
        assert "policy_changed" in rulebook.text()
        plane.api("DELETE", allow)
        rulebook.until(lambda: plane.exists(ALLOW))
        assert "policy_deleted" in rulebook.text()


def blocks_or_none(plane: ControlPlane) -> list[str]:
    """As blocks(); a rule without peers allows everyone and names nobody."""
    rules = plane.read(ALLOW)["spec"]["egress"]
    return blocks(plane) if all("to" in rule for rule in rules) else []
