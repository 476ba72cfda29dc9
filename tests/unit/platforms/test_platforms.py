# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every platform of this folder: its API state goes through the real resolver, and what comes out through the role.

A platform is a folder with two files. `state.yml` is what its API server holds (see recorded.py). `expected.yml` has
`about`, the module's `options`, and either `refusal` (code and words of the error) or what is resolved: `engine`,
`form`, `permits` (what the rendered policies let the servers reach besides each other), `requests` and `warnings`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from recorded import Recorded

import ansible_collections.netguard.lockdown.plugins as collection_plugins
from ansible_collections.netguard.lockdown.plugins.module_utils._core import effects
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.network_info import resolve_network
from ansible_collections.netguard.lockdown.plugins.module_utils._module.cluster_network_info import CONTRACT
from lab.environment import scrubbed_env

Json = dict[str, t.Any]

COLLECTIONS = Path(next(iter(collection_plugins.__path__))).parents[3]
FOLDER = Path(__file__).parent
ROLE = COLLECTIONS / "ansible_collections/netguard/lockdown/roles/ignite_lockdown"
PLATFORMS = sorted(path.parent.name for path in FOLDER.glob("*/state.yml"))
KEYS = {"about", "options", "engine", "form", "permits", "requests", "warnings", "refusal"}
TIMEOUT_SECONDS = 180
PLAYBOOK = """
- name: Render the policies of every platform
  hosts: all
  gather_facts: false
  connection: local
  vars_files:
    - "{{ role }}/vars/main/internal.yml"
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    targets_file: "{{ directory }}/{{ inventory_hostname }}.json"
    __ignite_lockdown_targets: "{{ lookup('ansible.builtin.file', targets_file) | from_json }}"
  tasks:
    - name: Render
      ansible.builtin.set_fact:
        definitions: >-
          {{
            __ignite_lockdown_rules.errors or
            lookup('ansible.builtin.template', role ~ '/templates/policies.yml.j2') | from_yaml_all | list
          }}

    - name: Keep them
      ansible.builtin.copy:
        content: >-
          {{
            dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'definitions'))) | to_json
          }}
        dest: "{{ directory }}/rendered.json"
        mode: "0600"
      run_once: true
"""


def expected(platform: str) -> Json:
    found: Json = yaml.safe_load((FOLDER / platform / "expected.yml").read_text(encoding="utf-8"))
    return found


def resolve(platform: str) -> tuple[Json, Recorded]:
    """The module's result with the platform's options, and the session that served it."""
    session = Recorded(FOLDER / platform)
    defaults = {name: entry.get("default") for name, entry in CONTRACT.spec.items()}
    return resolve_network(session, {**defaults, **expected(platform).get("options", {})}), session


RESOLVED = [name for name in PLATFORMS if "refusal" not in expected(name)]
REFUSED = [name for name in PLATFORMS if "refusal" in expected(name)]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Json]]:
    """The policies that the role's templates make of every platform that resolves."""
    directory = tmp_path_factory.mktemp("platforms")
    hosts = {}
    for name in RESOLVED:
        (directory / f"{name}.json").write_text(json.dumps(resolve(name)[0]))
        minimal = {"ignite_lockdown_profile": "minimal", "ignite_lockdown_minimal_confirmed": True}
        hosts[name] = minimal if expected(name).get("options", {}).get("resolve_dns") is False else {}
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    usual = {**defaults, "directory": str(directory), "role": str(ROLE), "ignite_lockdown_namespace": "cache-ns"}
    (directory / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": usual}}))
    (directory / "playbook.yml").write_text(PLAYBOOK)
    (directory / "ansible.cfg").touch()
    run = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", directory / "inventory.yml", directory / "playbook.yml"],
        env={
            **scrubbed_env(directory / "no-kubeconfig"),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    found: dict[str, list[Json]] = json.loads((directory / "rendered.json").read_text())
    return found


def permits(policies: list[Json]) -> list[str]:
    """What the servers may reach besides each other."""
    subject = "pods [app=ignite] open "
    sentences = [sentence for policy in policies for sentence in effects.permissions(policy)]
    found = [sentence.removeprefix(subject) for sentence in sentences if sentence.startswith(subject)]
    return sorted(text for text in found if not text.endswith("to pods [app=ignite] of this namespace"))


def test_there_are_enough_platforms_and_each_tells_what_it_is() -> None:
    assert len(PLATFORMS) >= 24
    for name in PLATFORMS:
        assert set(expected(name)) <= KEYS, name
        assert expected(name)["about"], name


@pytest.mark.parametrize("platform", RESOLVED)
def test_what_is_resolved(platform: str) -> None:
    found, session = resolve(platform)
    wanted = expected(platform)
    assert found["engine"]["name"] == wanted["engine"]
    assert found["api_server"]["form"] == wanted["form"]
    assert len(session.requests) == wanted["requests"], "\n".join(session.requests)
    words = wanted.get("warnings", [])
    assert len(found["warnings"]) == len(words), found["warnings"]
    for word, warning in zip(words, found["warnings"], strict=True):
        assert word in warning


@pytest.mark.parametrize("platform", RESOLVED)
def test_what_the_policies_permit(platform: str, rendered: dict[str, list[Json]]) -> None:
    assert permits(rendered[platform]) == sorted(expected(platform)["permits"])


@pytest.mark.parametrize("platform", REFUSED)
def test_what_is_refused(platform: str) -> None:
    code, words = expected(platform)["refusal"]["code"], expected(platform)["refusal"]["says"]
    with pytest.raises(LockdownError) as caught:
        resolve(platform)
    assert caught.value.code == code, str(caught.value)
    for word in words:
        assert word in str(caught.value)
