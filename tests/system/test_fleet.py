# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Eight real control planes in one run, shipped as an automation controller ships its jobs; two of them are bad."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from harness import COLLECTIONS, run_playbook

from lab import binaries, objects
from lab.client import Client
from lab.environment import scrubbed_env

Json = dict[str, t.Any]

COLLECTION = COLLECTIONS / "ansible_collections" / "netguard" / "lockdown"
QUESTION = yaml.safe_load((COLLECTION / "playbooks" / "vars" / "question.yml").read_text(encoding="utf-8"))
ALLOW, DENY = "netguard-ignite-allow-servers", "netguard-ignite-deny-all"
DOWN, FORBIDDEN = "prod-down.example", "prod-forbidden"
GOOD = [f"prod-{number}" for number in range(1, 7)]
EVERY = [*GOOD, DOWN, FORBIDDEN]
AT_ONCE = 4
START_SECONDS = 120
JOB_SECONDS = 240
JOB = """
- name: The job of a controller's project
  ansible.builtin.import_playbook: netguard.lockdown.fleet
"""


@dataclass(frozen=True)
class Member:
    """A control plane in a process of its own."""

    name: str
    process: subprocess.Popen[str]
    log: Path

    def read(self) -> t.Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        return json.loads(line)

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()


@dataclass(frozen=True)
class Fleet:
    """The members, and an inventory with a context of one kubeconfig for each."""

    inventory: Path
    where: dict[str, Json]

    def policies(self, name: str) -> list[str]:
        client = Client.from_kubeconfig(Path(self.where[name]["kubeconfig"]))
        return sorted(
            item["metadata"]["name"] for item in client.list("networking.k8s.io/v1", "NetworkPolicy", "cache-ns")
        )


@pytest.fixture(scope="module")
def fleet(programs: binaries.Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    members: list[Member] = []
    where: dict[str, Json] = {}
    try:
        for first in range(0, len(EVERY), AT_ONCE):
            started = [_start(name, folder) for name in EVERY[first : first + AT_ONCE]]
            members += started
            where.update({member.name: member.read() for member in started})
        down = next(member for member in members if member.name == DOWN)
        down.tell("down")
        assert down.read() is None
        yield Fleet(_inventory(folder, where), where)
    finally:
        for member in members:
            member.process.communicate(timeout=START_SECONDS)


def _start(name: str, folder: Path) -> Member:
    log = folder / f"{name}.log"
    with log.open("w") as sink:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("fleet_member.py"))],
            env={**os.environ, "PYTHONPATH": str(COLLECTION / "tests")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sink,
            text=True,
        )
    return Member(name, process, log)


def _inventory(folder: Path, where: dict[str, Json]) -> Path:
    """One kubeconfig with a context for each cluster, as a credential of a controller has it."""
    merged: Json = {"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []}
    for name, found in where.items():
        single = yaml.safe_load(Path(found["nobody" if name == FORBIDDEN else "kubeconfig"]).read_text())
        for kind in ("clusters", "users"):
            merged[kind].append({**single[kind][0], "name": name})
        merged["contexts"].append({"name": name, "context": {"cluster": name, "user": name}})
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(merged))
    kubeconfig.chmod(0o600)
    hosts = {
        name: {"ignite_lockdown_context": name, "ignite_lockdown_cluster_uid": found["uid"]}
        for name, found in where.items()
    }
    variables = {**QUESTION, "ignite_lockdown_kubeconfig": str(kubeconfig), "ignite_lockdown_connect_timeout": 10}
    group = {"ignite_clusters": {"hosts": hosts, "vars": variables}}
    path = folder / "inventory.yml"
    path.write_text(yaml.safe_dump({"all": {"children": group}}))
    return path


def environment() -> dict[str, str]:
    """What leads to no cluster: the inventory alone says where they are."""
    env = {name: value for name, value in scrubbed_env("").items() if name != "K8S_AUTH_KUBECONFIG"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', os.defpath)}"
    return {
        **env,
        "PATH": path,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(Path(__file__).with_name("ansible.cfg")),
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }


@dataclass(frozen=True)
class Job:
    """What a controller has of a job that is over."""

    code: int
    artifacts: Json
    output: str

    @property
    def statuses(self) -> dict[str, Json]:
        return {record["host"]: record for record in self.artifacts.values()}


def job(fleet: Fleet, folder: Path, action: str, *, limit: str = "all") -> Job:
    """Ship a job by transmit, worker and process, each a program of its own, and read what comes back."""
    for part in ("project", "inventory", "env"):
        (folder / part).mkdir(parents=True)
    (folder / "project" / "fleet.yml").write_text(JOB)
    (folder / "inventory" / "hosts.yml").write_bytes(fleet.inventory.read_bytes())
    given = {"ignite_lockdown_hosts": "ignite_clusters", "ignite_lockdown_fleet_action": action}
    (folder / "env" / "extravars").write_text(json.dumps(given))
    (folder / "env" / "cmdline").write_text(f"--forks 8 --limit '{limit}'")
    away = folder.with_name(f"{folder.name}-away")
    away.mkdir()
    runner = [sys.executable, "-m", "ansible_runner"]
    steps = [
        [*runner, "transmit", str(folder), "-p", "fleet.yml"],
        [*runner, "worker", "--private-data-dir", str(away)],
        [*runner, "process", str(folder)],
    ]
    env, stream, done = environment(), b"", None
    for step in steps:
        done = subprocess.run(step, env=env, input=stream, capture_output=True, timeout=JOB_SECONDS, check=False)
        stream = done.stdout
    assert done is not None
    artifact = folder / "artifacts"
    events = [json.loads(path.read_text()) for path in (artifact / "job_events").glob("*.json")]
    (stats,) = [event for event in events if event["event"] == "playbook_on_stats"]
    output = (artifact / "stdout").read_text()
    return Job(int((artifact / "rc").read_text()), stats["event_data"].get("artifact_data") or {}, output)


def test_a_bad_cluster_never_harms_the_others(fleet: Fleet, tmp_path: Path) -> None:
    done = job(fleet, tmp_path / "lockdown", "lockdown")
    assert done.code == 2, done.output
    assert set(done.statuses) == set(EVERY), done.output
    for name in GOOD:
        assert done.statuses[name]["outcome"] == "changed", done.statuses[name]
        assert done.statuses[name]["cluster_uid"] == fleet.where[name]["uid"]
        assert fleet.policies(name) == [ALLOW, DENY]
    down, forbidden = done.statuses[DOWN], done.statuses[FORBIDDEN]
    assert (down["outcome"], forbidden["outcome"]) == ("failed", "failed")
    assert (down["code"], forbidden["code"]) == ("api_unreachable", "api_forbidden")
    assert str(fleet.where[DOWN]["port"]) in down["message"]
    assert "nobody-in-particular" in forbidden["message"]
    assert down["next_step"]
    assert forbidden["next_step"]
    assert fleet.policies(FORBIDDEN) == []
    assert all(name in done.output for name in EVERY)
    assert all(len(json.dumps(record)) < 4096 for record in done.artifacts.values())


def test_slices_share_nothing_and_are_put_together_at_the_end(fleet: Fleet, tmp_path: Path) -> None:
    first, second, bad = GOOD[:3], GOOD[3:], GOOD[1]
    settled = job(fleet, tmp_path / "settled", "lockdown", limit=",".join(GOOD))
    assert settled.code == 0, settled.output
    client = Client.from_kubeconfig(Path(fleet.where[bad]["kubeconfig"]))
    client.delete(objects.reference("networking.k8s.io/v1", "NetworkPolicy", DENY, "cache-ns"))
    slices = [
        job(fleet, tmp_path / f"slice-{number}", "drift", limit=",".join(names))
        for number, names in enumerate((first, second))
    ]
    assert [done.code for done in slices] == [2, 0], slices[1].output
    assert [sorted(done.statuses) for done in slices] == [first, second]
    assert {name: record["drift"] for done in slices for name, record in done.statuses.items()} == {
        name: "missing" if name == bad else "none" for name in GOOD
    }

    # A node that two others lead to gets the artifacts of both, name by name.
    together = {**slices[0].artifacts, **slices[1].artifacts, "ignite_lockdown_report_dir": str(tmp_path / "report")}
    done = run_playbook("netguard.lockdown.fleet_report", together, environment())
    assert done.returncode == 2, done.stdout + done.stderr
    assert "5 of 6 clusters are as they should be" in done.stdout
    report = json.loads((tmp_path / "report" / "fleet.json").read_text())
    assert (report["bad"], report["counts"]["ok"]) == ([bad], 5)
    cases = ElementTree.parse(tmp_path / "report" / "fleet-junit.xml").getroot()
    assert [case.get("name") for case in cases.iter("testcase")] == GOOD
    assert [case.get("type") for case in cases.iter("failure")] == ["missing"]
    assert (tmp_path / "report" / "fleet.txt").read_text().splitlines()[2].startswith(f"{bad}   drift    missing  ")

    # Jobs that left nothing, or nothing that can be read, are not jobs that went well.
    for left, told in (
        ({}, "No cluster gave a status"),
        ({"ignite_lockdown_status_a": {"host": "a"}}, "cannot be read"),
    ):
        none = run_playbook("netguard.lockdown.fleet_report", left, environment())
        assert none.returncode == 2, none.stdout + none.stderr
        assert told in none.stdout

    well = run_playbook("netguard.lockdown.fleet_report", slices[1].artifacts, environment())
    assert well.returncode == 0, well.stdout + well.stderr
