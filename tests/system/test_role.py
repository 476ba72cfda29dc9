# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the role finds its cluster: its own variables, a play's defaults, one inventory host for each cluster."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from conftest import StartPlane
from harness import run_playbook

from lab import objects
from lab.control_plane import ControlPlane
from lab.environment import scrubbed_env
from lab.question import arrange_question

Json = dict[str, t.Any]

ALLOW, DENY = "netguard-ignite-allow-servers", "netguard-ignite-deny-all"
UNSEEN = "a-token-that-must-not-be-seen"
PLAY = """
- name: A play with defaults for the whole collection
  hosts: localhost
  gather_facts: false
  connection: local
  module_defaults:
    group/netguard.lockdown.all:
      kubeconfig: {kubeconfig}
      context: lab
      request_timeout: 30
  vars:
    ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"
  tasks:
    - name: Lock down
      ansible.builtin.import_role:
        name: netguard.lockdown.ignite_lockdown
"""


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    """An environment that leads to no cluster at all."""
    env = scrubbed_env(tmp_path / "none")
    del env["K8S_AUTH_KUBECONFIG"]
    return {**env, "HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "none")}


@pytest.fixture
def variables(plane: ControlPlane, namespace: str) -> Json:
    """A namespace with one Ignite pod, and a cluster that has DNS."""
    plane.create(objects.pod("ignite-0", namespace, {"app": "ignite"}, ip="10.244.0.9"))
    return {
        "ignite_lockdown_namespace": namespace,
        "ignite_lockdown_profile": "minimal",
        "ignite_lockdown_minimal_confirmed": True,
    }


def policies(plane: ControlPlane, namespace: str) -> list[str]:
    items = plane.list("networking.k8s.io/v1", "NetworkPolicy", namespace)
    return sorted(item["metadata"]["name"] for item in items)


def test_a_plays_defaults_for_the_group_reach_the_modules(
    plane: ControlPlane, namespace: str, variables: Json, nowhere: dict[str, str], tmp_path: Path
) -> None:
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAY.format(kubeconfig=plane.kubeconfig))
    done = run_playbook(playbook, variables, nowhere)
    assert done.returncode == 0, done.stdout + done.stderr
    assert policies(plane, namespace) == [ALLOW, DENY]


def test_a_variable_of_the_role_wins_over_a_plays_default_and_leaves_the_others(
    plane: ControlPlane, namespace: str, variables: Json, nowhere: dict[str, str], tmp_path: Path
) -> None:
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAY.format(kubeconfig=plane.kubeconfig))
    other = run_playbook(playbook, {**variables, "ignite_lockdown_context": "other"}, nowhere)
    assert other.returncode == 2
    assert "other" in other.stdout
    assert str(plane.kubeconfig) in other.stdout
    empty = run_playbook(playbook, {**variables, "ignite_lockdown_context": ""}, nowhere)
    assert empty.returncode == 0, empty.stdout + empty.stderr
    assert policies(plane, namespace) == [ALLOW, DENY]


def test_secrets_are_nowhere_in_the_output(
    plane: ControlPlane, variables: Json, nowhere: dict[str, str], tmp_path: Path
) -> None:
    authority = tmp_path / "ca.crt"
    authority.write_bytes(plane.authority)
    connection = {"host": plane.urls[0], "api_key": UNSEEN, "ca_cert": str(authority)}
    given = {f"ignite_lockdown_{name}": value for name, value in connection.items()}
    for more in ({}, {"ignite_lockdown_namespace": "Not A Name"}, {"ignite_lockdown_typo": 1}):
        done = run_playbook("netguard.lockdown.lockdown", {**variables, **given, **more}, nowhere, "-vvv")
        assert done.returncode == 2, done.stdout
        assert UNSEEN not in done.stdout + done.stderr
    wrong = run_playbook("netguard.lockdown.lockdown", {**variables, **given}, nowhere)
    assert "401" in wrong.stdout


def test_each_inventory_host_is_a_cluster_of_its_own(
    start_plane: StartPlane, nowhere: dict[str, str], tmp_path: Path
) -> None:
    planes = {name: start_plane() for name in ("one", "two")}
    for running in planes.values():
        arrange_question(running)
    hosts = {
        name: {
            "ignite_lockdown_kubeconfig": str(running.kubeconfig),
            "ignite_lockdown_cluster_uid": running.read(objects.namespace("kube-system"))["metadata"]["uid"],
        }
        for name, running in planes.items()
    }
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"clusters": {"hosts": hosts}}))
    where = {"ignite_lockdown_namespace": "cache-ns", "ignite_lockdown_hosts": "clusters"}
    done = run_playbook("netguard.lockdown.lockdown", where, nowhere, "-i", str(inventory))
    assert done.returncode == 0, done.stdout + done.stderr
    for running in planes.values():
        assert policies(running, "cache-ns") == [ALLOW, DENY]
    swapped = json.loads(json.dumps(hosts))
    swapped["one"]["ignite_lockdown_cluster_uid"] = hosts["two"]["ignite_lockdown_cluster_uid"]
    inventory.write_text(yaml.safe_dump({"clusters": {"hosts": swapped}}))
    pinned = run_playbook("netguard.lockdown.lockdown", where, nowhere, "-i", str(inventory))
    assert pinned.returncode == 2
    assert hosts["one"]["ignite_lockdown_cluster_uid"] in pinned.stdout
