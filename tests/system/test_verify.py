# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook verify where no node runs: nothing can be proven, so it is no success, and nothing is written."""

from __future__ import annotations

import subprocess
import typing as t
from collections.abc import Iterator

import pytest
import yaml
from harness import COLLECTIONS, run_playbook

from lab.control_plane import ControlPlane
from lab.environment import scrubbed_env
from lab.question import arrange_question

COLLECTION = COLLECTIONS / "ansible_collections" / "netguard" / "lockdown"
QUESTION = yaml.safe_load((COLLECTION / "playbooks" / "vars" / "question.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def locked(programs: object) -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        arrange_question(plane, policies=True)
        assert play(plane, "lockdown").returncode == 0
        yield plane


def play(plane: ControlPlane, name: str, *arguments: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
    given = {**QUESTION, "ignite_lockdown_verify_deadline": 0, **variables}
    return run_playbook(f"netguard.lockdown.{name}", given, scrubbed_env(plane.kubeconfig), *arguments)


def writes(plane: ControlPlane, mark: t.Any) -> list[str]:
    return [str(event) for event in plane.audit(mark) if event.mutating and event.subresource != "exec"]


def test_what_cannot_be_proven_is_no_success(locked: ControlPlane) -> None:
    mark = locked.mark()
    done = play(locked, "verify", ignite_lockdown_on_failure="restore")
    assert done.returncode != 0
    assert "The lock-down is not proven" in done.stdout
    assert "the log of ignite-0 holds no topology snapshot" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert writes(locked, mark) == []


def test_check_mode_tries_nothing_and_does_not_fail(locked: ControlPlane) -> None:
    mark = locked.mark()
    done = play(locked, "verify", "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout
    assert [event for event in locked.audit(mark) if event.subresource == "exec"] == []
    assert writes(locked, mark) == []


def test_policies_that_differ_fail_in_check_mode_too(locked: ControlPlane) -> None:
    client = {"name": "new", "kind": "thin", "namespaces": ["client-ns"]}
    done = play(locked, "verify", "--check", ignite_lockdown_clients=[client])
    assert done.returncode != 0
    assert "NetworkPolicy netguard-ignite-allow-servers is not as rendered" in done.stdout
