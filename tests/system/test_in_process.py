# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ways to run a module, in the controller's process and in one of its own, give the same results."""

from __future__ import annotations

import json
import sys
import typing as t
import uuid
from pathlib import Path

import pytest
import yaml
from harness import run_playbook

from lab import objects
from lab.control_plane import ControlPlane
from lab.environment import scrubbed_env

Json = dict[str, t.Any]

OWN_PROCESS = "AnsiballZ_network_policies"
POLICY: Json = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "netguard-ignite-deny-all"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
}


class Runner:
    """Runs one task of module network_policies in a play and returns its result and the output."""

    def __init__(self, plane: ControlPlane, namespace: str, scratch: Path) -> None:
        self.plane, self.namespace, self._scratch = plane, namespace, scratch
        # Another name for the same interpreter is enough to be another interpreter.
        self.other_python = scratch / "python"
        self.other_python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
        self.other_python.chmod(0o700)

    def run(
        self,
        options: Json | None = None,
        *,
        python: str = "{{ ansible_playbook_python }}",
        env: dict[str, str] | None = None,
        **task: t.Any,
    ) -> tuple[Json, str]:
        result = self._scratch / "result.json"
        given = {"namespace": self.namespace, "instance": "ignite", "definitions": ["{{ policy }}"], **(options or {})}
        work = {"netguard.lockdown.network_policies": given, "register": "outcome", "ignore_errors": True, **task}
        keep = {"content": "{{ outcome | to_json }}", "dest": str(result), "mode": "0600"}
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "connection": "local",
            "vars": {"ansible_python_interpreter": python, "policy": POLICY},
            "tasks": [work, {"ansible.builtin.copy": keep, "check_mode": False}],
        }
        playbook = self._scratch / "play.yml"
        playbook.write_text(yaml.safe_dump([play]), encoding="utf-8")
        # An absolute path: Ansible asks the user database for the home directory, its background job asks HOME.
        jobs = {"ANSIBLE_ASYNC_DIR": str(self._scratch / "jobs")}
        done = run_playbook(playbook, {}, {**(env or scrubbed_env(self.plane.kubeconfig)), **jobs}, "-vvv")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(result.read_text(encoding="utf-8")), done.stdout + done.stderr


@pytest.fixture
def runner(plane: ControlPlane, namespace: str, tmp_path: Path) -> Runner:
    plane.create(objects.pod("ignite-0", namespace, {"app": "ignite"}, ip="10.244.1.10"))
    return Runner(plane, namespace, tmp_path)


ACCEPTED = {"accept_uncovered_pods": True, "accept_no_pods": True}


def test_both_ways_give_the_same_plan(runner: Runner) -> None:
    here, output = runner.run(ACCEPTED, check_mode=True)
    there, other_output = runner.run(ACCEPTED, check_mode=True, python=str(runner.other_python))
    assert OWN_PROCESS not in output
    assert OWN_PROCESS in other_output
    assert here["changed"]
    # The older core keeps the warnings of a module in its result, and shows both kinds.
    apart = {"invocation", "warnings"}
    assert {key: here[key] for key in set(there) - apart} == {key: there[key] for key in set(there) - apart}


@pytest.mark.parametrize(
    "options",
    [{"definitions": [{"kind": "Pod"}]}, {"no_such_option": 1}, {"instance": None}, {"lock_timeout": "soon"}],
    ids=["a wrong policy", "an unknown option", "a missing option", "a wrong type"],
)
def test_both_ways_refuse_alike(runner: Runner, options: Json) -> None:
    here, output = runner.run(options)
    there, _output = runner.run(options, python=str(runner.other_python))
    assert OWN_PROCESS not in output
    assert here["failed"]
    assert there["failed"]
    assert here.get("failure") == there.get("failure")
    assert set(here["msg"].split()) & set(there["msg"].split())


def test_warnings_reach_the_user(runner: Runner) -> None:
    _done, output = runner.run(ACCEPTED)
    assert "they have no network: ignite-0" in output.replace("\n", " ")


def test_module_defaults_of_the_group_apply(runner: Runner) -> None:
    defaults = {"group/netguard.lockdown.all": {"kubeconfig": str(runner.plane.kubeconfig)}}
    env = {name: value for name, value in scrubbed_env("").items() if name != "K8S_AUTH_KUBECONFIG"}
    done, output = runner.run(ACCEPTED, module_defaults=defaults, env=env)
    assert done["changed"], done
    assert OWN_PROCESS not in output


@pytest.mark.parametrize("task", [{"environment": {"LC_ALL": "C"}}, {"async": 60, "poll": 1}])
def test_what_needs_a_process_of_its_own_gets_one(runner: Runner, task: Json) -> None:
    done, output = runner.run(ACCEPTED, **task)
    assert done["changed"], done
    assert OWN_PROCESS in output


@pytest.mark.parametrize("own_process", [False, True])
def test_a_token_is_never_shown(runner: Runner, own_process: bool) -> None:
    secret = uuid.uuid4().hex
    options = {"host": runner.plane.urls[0], "api_key": secret, "ca_cert": "/etc/hostname"}
    env = {name: value for name, value in scrubbed_env("").items() if name != "K8S_AUTH_KUBECONFIG"}
    python = {"python": str(runner.other_python)} if own_process else {}
    failed, output = runner.run(options, env=env, **python)
    assert failed["failed"]
    assert secret not in output
    assert secret not in json.dumps(failed)
