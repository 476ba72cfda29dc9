# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks audit and verify_evidence: the chain on disk, its head in the cluster, and who tries to change them."""

from __future__ import annotations

import json
import shutil
import subprocess
import typing as t
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from evidence_builders import TARGETS, inputs
from harness import COLLECTIONS, Json, Modules, Outcome, run_playbook

from lab import objects
from lab.control_plane import ControlPlane

LOCKDOWN, AUDIT, VERIFY = (f"netguard.lockdown.{name}" for name in ("lockdown", "audit", "verify_evidence"))
FILES = COLLECTIONS / "ansible_collections/netguard/lockdown/roles/ignite_lockdown/files"
SCHEMA: Json = json.loads((FILES / "evidence-pack.schema.json").read_text())
FORMS = {"pack.json", "report.html", "report.md", "flows.svg", "matrix.csv", "junit.xml", "report.sarif"}
EVIL = "=1+1 </script><script>alert(1)</script>"
STATS = {"ANSIBLE_SHOW_CUSTOM_STATS": "true"}

# A lock-down and an audit in one run: the first instance has a canary, and the second one must not be given it.
TOGETHER = """
- name: Lock down and audit
  hosts: localhost
  gather_facts: false
  connection: local
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - name: Lock down
      ansible.builtin.include_role:
        name: netguard.lockdown.ignite_lockdown
      vars:
        ignite_lockdown_canary: always
        ignite_lockdown_canary_start_timeout: 1
        ignite_lockdown_accept_unproven_canary: true
    - name: Audit
      ansible.builtin.include_role:
        name: netguard.lockdown.ignite_lockdown
        tasks_from: audit
      vars:
        ignite_lockdown_instance: "{{ item }}"
        ignite_lockdown_audit_fail_on: never
      loop: [ignite, other]
"""

Play = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def variables(plane: ControlPlane, namespace: str, tmp_path: Path) -> Json:
    """A namespace with two Ignite pods, to be locked down and audited."""
    for index in (0, 1):
        plane.create(objects.pod(f"ignite-{index}", namespace, {"app": "ignite"}, ip=f"10.244.0.{9 + index}"))
    return {
        "ignite_lockdown_namespace": namespace,
        "ignite_lockdown_profile": "minimal",
        "ignite_lockdown_minimal_confirmed": True,
        "ignite_lockdown_clients": [{"name": "shop", "kind": "thin", "namespaces": ["shop"], "reason": EVIL}],
    }


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    return tmp_path / "evidence"


@pytest.fixture
def play(env: dict[str, str], variables: Json, evidence: Path, tmp_path: Path) -> Play:
    """Run a playbook for the namespace; only audit and verification are told of the evidence."""

    def run(playbook: str, *arguments: str, **more: t.Any) -> subprocess.CompletedProcess[str]:
        given = {f"ignite_lockdown_{name}": value for name, value in more.items()}
        if playbook != LOCKDOWN:
            given = {"ignite_lockdown_evidence_dir": str(evidence), **given}
        if playbook == AUDIT:
            given = {"ignite_lockdown_accept_vanishing_evidence": True, **given}
        whole = {**variables, **given} if playbook != VERIFY else given
        return run_playbook(playbook, whole, {**env, **STATS}, *arguments)

    return run


def packs(evidence: Path) -> list[Path]:
    return sorted(evidence.rglob("pack.json"))


def head(plane: ControlPlane, namespace: str) -> Json:
    found = plane.read(objects.config_map("netguard-lockdown-ignite", namespace, {}))
    assert json.loads(found["data"]["history.json"])["schema"] == 1
    return t.cast(Json, json.loads(found["data"]["evidence.json"]))


def succeed(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fail(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


def test_a_chain_from_the_first_audit_to_its_verification(
    plane: ControlPlane, namespace: str, play: Play, evidence: Path
) -> None:
    told = fail(play(AUDIT))
    assert "Egress is wider than needed" in told
    first = json.loads(packs(evidence)[0].read_text())
    assert (first["facts"]["verdict"], first["previous"]) == ("fail", None)
    succeed(play(LOCKDOWN))
    assert head(plane, namespace)["digest"] == first["digest"]
    done = play(AUDIT)
    told = succeed(done)
    second = json.loads(packs(evidence)[1].read_text())
    assert second["facts"]["parts"] == {
        "policies": "pass",
        "probes": "not_probed",
        "topology": "not_checked",
        "canary": "not_run",
    }
    assert second["facts"]["verdict"] == "inconclusive"
    assert "Not probed" in done.stderr
    assert second["previous"] == {"number": 1, "digest": first["digest"], "gap": None}
    assert head(plane, namespace)["digest"] == second["digest"]
    artifact = json.loads(told[told.index("RUN: ") + 5 :].strip())["ignite_lockdown_audit"]["localhost"][
        f"{plane.kube_system_uid}/{namespace}/ignite"
    ]
    assert (artifact["verdict"], artifact["digest"]) == ("inconclusive", second["digest"])
    assert artifact["counts"]["flows_met"] == artifact["counts"]["flows"]
    assert {path.name for path in packs(evidence)[1].parent.iterdir()} == FORMS
    page = (packs(evidence)[1].parent / "report.html").read_text()
    assert "</script>" not in page
    assert "=1+1 &lt;/script&gt;" in page
    assert "Changes since the last pack" in page
    succeed(play(VERIFY))
    third = succeed(play(AUDIT, audit_fail_on="never"))
    assert json.loads(packs(evidence)[2].read_text())["facts_digest"] == second["facts_digest"], third


def test_what_a_canary_has_shown_is_evidence_of_its_own_instance(
    plane: ControlPlane, namespace: str, play: Play, evidence: Path, tmp_path: Path
) -> None:
    """No kubelet runs here, so that it can prove nothing; and what is handed on must be of this place."""
    plane.create(objects.pod("ignite-2", namespace, {"app": "ignite"}, node_name="node-0"))
    together = tmp_path / "together.yml"
    together.write_text(TOGETHER)
    output = succeed(play(str(together), accept_vanishing_evidence=True))
    found = {path.parents[1].name: json.loads(path.read_text())["facts"] for path in packs(evidence)}
    assert {name: facts["parts"]["canary"] for name, facts in found.items()} == {
        "ignite": "inconclusive",
        "other": "not_run",
    }
    nodes = {node["node"]: node for node in found["ignite"]["canary"]["nodes"]}
    assert {node["verdict"] for node in nodes.values()} == {"inconclusive"}
    assert (nodes["node-0"]["like"], nodes["node-0"]["image"]) == ("ignite-2", objects.IMAGE)
    page = next(evidence.rglob("ignite/*/report.md")).read_text().replace("\\", "")
    assert "it could prove nothing on" in page
    assert "The canary was not run" in next(evidence.rglob("other/*/report.md")).read_text()
    artifacts = json.loads(output[output.index("RUN: ") + 5 :].strip())["ignite_lockdown_audit"]
    shown = {
        entry["instance"]: (entry["parts"]["canary"], entry["number"]) for entry in artifacts["localhost"].values()
    }
    assert shown == {"ignite": ("inconclusive", 1), "other": ("not_run", 1)}
    proof = {
        "probed": True, "time": "2026-11-22T17:50:00Z", "namespace": "canary", "scratch": False,
        "cluster": {"uid": plane.kube_system_uid}, "application": {"namespace": namespace},
        "nodes": [{**node, "verdict": "enforced", "reasons": []} for node in nodes.values()],
    }  # fmt: skip
    succeed(play(AUDIT, canary_proof=proof))
    assert json.loads(packs(evidence)[1].read_text())["facts"]["parts"]["canary"] == "enforced"
    told = fail(play(AUDIT, canary_proof={**proof, "application": {"namespace": "elsewhere"}}))
    assert "it is of namespace elsewhere" in told
    assert "canary_proof" in fail(play(AUDIT, canary_proof="enforced"))
    succeed(play(VERIFY))


def test_check_mode_writes_nothing(plane: ControlPlane, namespace: str, play: Play, evidence: Path) -> None:
    succeed(play(LOCKDOWN))
    succeed(play(AUDIT, "--check", accept_not_probed=True))
    assert packs(evidence) == []
    found = plane.read(objects.config_map("netguard-lockdown-ignite", namespace, {}))
    assert set(found["data"]) == {"history.json"}


def test_a_verdict_that_is_not_pass_can_fail_the_run(play: Play, evidence: Path) -> None:
    succeed(play(LOCKDOWN))
    told = fail(play(AUDIT, audit_fail_on="not_pass"))
    assert "The audit ended with inconclusive" in told
    assert len(packs(evidence)) == 1
    succeed(play(AUDIT, audit_fail_on="not_pass", accept_not_probed=True))


def test_a_broken_chain_fails_the_playbooks(play: Play, evidence: Path) -> None:
    succeed(play(LOCKDOWN))
    succeed(play(AUDIT))
    (only,) = packs(evidence)
    only.write_text(only.read_text().replace('"inconclusive"', '"pass"', 1))
    assert "was changed: " in fail(play(VERIFY, evidence_anchor=False))
    assert "Refused to add to a broken chain" in fail(play(AUDIT))


def test_bad_variables_are_refused_before_anything_is_read(play: Play) -> None:
    told = fail(play(AUDIT, evidence_dir="", audit_fail_on="sometimes", probes="all good", evidence_anchor="perhaps"))
    for word in ("evidence_dir: it is not set", "none of never, fail, not_pass", "probes", "neither true nor false"):
        assert word in told
    assert "holds no pack.json" in fail(play(VERIFY, evidence_anchor=False))
    assert "evidence_dir: it is not set" in fail(play(VERIFY, evidence_dir=""))


# The modules


@dataclass
class Chain:
    """The chain of one instance, written and verified by the modules."""

    modules: Modules
    evidence: Json
    directory: Path

    def add(self, *, check: bool = False, **options: t.Any) -> Outcome:
        usual = {"schema": SCHEMA, "directory": str(self.directory), "accept_vanishing": True}
        return self.modules.run("evidence_pack", {**usual, "evidence": self.evidence, **options}, check=check)

    def verify(self, **options: t.Any) -> Outcome:
        return self.modules.run("evidence_info", {"schema": SCHEMA, "directory": str(self.directory), **options})

    def codes(self, **options: t.Any) -> list[str]:
        return [problem["code"] for problem in self.verify(**options)["problems"]]


@pytest.fixture
def chain(plane: ControlPlane, namespace: str, evidence: Path) -> Chain:
    """A chain without a pack yet."""
    uid = plane.read(objects.namespace("kube-system"))["metadata"]["uid"]
    given = inputs(namespace=namespace, targets={**TARGETS, "cluster": {"uid": uid}})
    return Chain(Modules(plane.kubeconfig), given, evidence)


def code(outcome: Outcome) -> str:
    return str(outcome.failure["code"])


def test_every_change_of_the_chain_is_named(chain: Chain, tmp_path: Path) -> None:
    made = [Path(chain.add()["path"]) for _ in range(3)]
    assert chain.codes() == []
    safe = tmp_path / "safe"
    shutil.copytree(chain.directory, safe)

    def restore() -> None:
        shutil.rmtree(chain.directory)
        shutil.copytree(safe, chain.directory)

    shutil.rmtree(made[1])
    assert chain.codes(anchor=False) == ["gap"]
    assert code(chain.add()) == "evidence_broken"
    restore()
    shutil.rmtree(made[2])
    assert chain.codes(anchor=False) == []
    assert chain.codes() == ["truncated"]
    assert code(chain.add()) == "evidence_gap"
    after = chain.add(accept_gap="the disk was lost")
    assert after["previous"]["gap"] == "the disk was lost"
    assert [note["code"] for note in chain.verify()["notes"]] == ["accepted_gap", "anchored"]


def test_the_head_of_the_chain_is_kept_beside_the_undo_record(
    chain: Chain, plane: ControlPlane, namespace: str
) -> None:
    assert chain.add(check=True)["files"] == []
    assert not plane.exists(objects.config_map("netguard-lockdown-ignite", namespace, {}))
    made = chain.add()
    assert made["anchored"]
    assert head(plane, namespace) == made["head"]
    found = plane.read(objects.config_map("netguard-lockdown-ignite", namespace, {}))
    found["data"]["evidence.json"] = "{"
    plane.replace(found)
    assert code(chain.add()) == "evidence_head_unreadable"
    del found["data"]["evidence.json"]
    found["metadata"] = plane.read(found)["metadata"]
    plane.replace(found)
    assert chain.codes() == ["anchor_missing"]


def test_evidence_of_another_cluster_is_refused(chain: Chain) -> None:
    chain.evidence["targets"]["cluster"]["uid"] = "another"
    assert code(chain.add()) == "wrong_cluster"
    assert chain.add(anchor=False)["head"]["number"] == 1


def test_a_chain_that_is_gone_as_a_whole_is_missed_although_others_are_there(chain: Chain) -> None:
    place = chain.directory / Path(chain.add()["path"]).relative_to(chain.directory).parts[0]
    other = inputs(targets={**TARGETS, "cluster": {"uid": "another-cluster"}})
    assert chain.add(evidence=other, anchor=False)["head"]["number"] == 1
    assert chain.verify()["verdict"] == "intact"
    shutil.rmtree(place)
    failure = chain.verify().failure
    assert failure["code"] == "no_evidence_of_cluster"
    assert "another-cluster" in failure["why"]
    assert chain.verify(anchor=False)["verdict"] == "intact"


def test_without_the_right_to_write_the_pack_is_kept_and_the_next_run_catches_up(
    chain: Chain, plane: ControlPlane, namespace: str
) -> None:
    plane.create_all(objects.grant("reader", [objects.rule(["get"], ["namespaces", "configmaps"])]))
    told = chain.add(impersonate_user="reader")
    assert "could not be kept in the cluster" in told.failure["what"]
    assert told.failure["details"]["path"] in told.failure["what"]
    assert chain.codes(anchor=False) == []
    assert chain.add()["head"]["number"] == 2
    assert head(plane, namespace)["number"] == 2


def test_signatures(chain: Chain, tmp_path: Path) -> None:
    for name, phrase in (("good", ""), ("other", ""), ("locked", "secret")):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", phrase, "-f", tmp_path / name], check=True)
    allowed = tmp_path / "allowed"
    allowed.write_text(f"audit@example.com {(tmp_path / 'good.pub').read_text()}")
    for bad in ("locked", "missing"):
        assert code(chain.add(sign_key=str(tmp_path / bad), anchor=False)) == "cannot_sign"
    assert packs(chain.directory) == []
    signed = chain.add(sign_key=str(tmp_path / "good"), signer="audit@example.com", anchor=False)
    checked = {"allowed_signers": str(allowed), "anchor": False}
    assert chain.codes(**checked) == []
    (only,) = packs(chain.directory)
    assert f"{only}.sig" in signed["files"]
    command = ["ssh-keygen", "-Y", "verify", "-f", str(allowed), "-I", "audit@example.com", "-n", "netguard.lockdown"]
    subprocess.run([*command, "-s", f"{only}.sig"], input=only.read_bytes(), check=True)
    chain.add(anchor=False)
    assert chain.codes(**checked) == ["signature_missing"]
    allowed.write_text(f"audit@example.com {(tmp_path / 'other.pub').read_text()}")
    assert chain.codes(**checked) == ["bad_signature", "signature_missing"]
    Path(f"{only}.sig").unlink()
    assert chain.codes(anchor=False) == ["signature_missing"]
    assert code(chain.verify(allowed_signers=str(tmp_path / "nothing"))) == "no_allowed_signers"


def test_a_directory_in_a_container_is_refused(chain: Chain) -> None:
    inside = replace(chain, modules=Modules(environment={"container": "podman"}), directory=Path("/runner/evidence"))
    outcome = inside.add(accept_vanishing=False, anchor=False)
    assert code(outcome) == "evidence_would_vanish"
    assert "there for one job" in outcome.failure["why"]


def test_bad_evidence_and_bad_places_are_named(chain: Chain) -> None:
    assert code(chain.verify(anchor=False)) == "no_evidence"
    for evidence, word in (({}, "lacks namespace"), ({"audits": 1}, "unknown key 'audits'")):
        outcome = chain.add(evidence=evidence, anchor=False)
        assert code(outcome) == "invalid_option"
        assert word in outcome.failure["why"]
    chain.directory.write_text("")
    assert code(chain.verify(anchor=False)) == "no_evidence"
    assert code(chain.add(anchor=False)) == "invalid_option"
