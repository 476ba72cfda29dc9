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
from pathlib import Path

import pytest
from harness import COLLECTIONS, Json, Modules, Outcome, run_playbook

from lab import objects
from lab.control_plane import ControlPlane

LOCKDOWN, AUDIT, VERIFY = (f"netguard.lockdown.{name}" for name in ("lockdown", "audit", "verify_evidence"))
SCHEMA = COLLECTIONS / "ansible_collections/netguard/lockdown/roles/ignite_lockdown/files/evidence-pack.schema.json"
FORMS = {"pack.json", "report.html", "report.md", "flows.svg", "matrix.csv", "junit.xml", "report.sarif"}
EVIL = "=1+1 </script><script>alert(1)</script>"
STATS = {"ANSIBLE_SHOW_CUSTOM_STATS": "true"}

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
    assert second["facts"]["parts"] == {"policies": "pass", "probes": "not_probed", "topology": "not_checked"}
    assert second["facts"]["verdict"] == "inconclusive"
    assert "Not probed" in done.stderr
    assert second["previous"] == {"number": 1, "digest": first["digest"], "gap": None}
    assert head(plane, namespace)["digest"] == second["digest"]
    artifact = json.loads(told[told.index("RUN: ") + 5 :].strip())["ignite_lockdown_audit"]["localhost"]
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


def test_every_change_of_the_chain_is_named(
    plane: ControlPlane, namespace: str, play: Play, evidence: Path, tmp_path: Path
) -> None:
    succeed(play(LOCKDOWN))
    for _ in range(3):
        succeed(play(AUDIT))
    safe = tmp_path / "safe"
    shutil.copytree(evidence, safe)
    one, two, three = packs(evidence)

    def restore() -> None:
        shutil.rmtree(evidence)
        shutil.copytree(safe, evidence)

    two.write_text(two.read_text().replace('"inconclusive"', '"pass"', 1))
    assert "was changed: " in fail(play(VERIFY, evidence_anchor=False))
    assert "Refused to add to a broken chain" in fail(play(AUDIT))
    restore()
    shutil.rmtree(two.parent)
    assert "pack 2" in fail(play(VERIFY, evidence_anchor=False))
    restore()
    shutil.rmtree(three.parent)
    succeed(play(VERIFY, evidence_anchor=False))
    assert "packs are missing at the end" in fail(play(VERIFY))
    assert "Refused to add to a chain with a gap" in fail(play(AUDIT))
    succeed(play(AUDIT, accept_evidence_gap="the disk was lost"))
    assert json.loads(packs(evidence)[-1].read_text())["previous"]["gap"] == "the disk was lost"
    assert one.is_file()
    succeed(play(VERIFY))


def test_a_head_that_somebody_changed_in_the_cluster_is_an_error(
    plane: ControlPlane, namespace: str, play: Play
) -> None:
    succeed(play(LOCKDOWN))
    succeed(play(AUDIT))
    found = plane.read(objects.config_map("netguard-lockdown-ignite", namespace, {}))
    found["data"]["evidence.json"] = "{"
    plane.replace(found)
    assert "Cannot read the chain's head in ConfigMap" in fail(play(AUDIT))
    succeed(play(LOCKDOWN))


def test_signatures(play: Play, evidence: Path, tmp_path: Path) -> None:
    succeed(play(LOCKDOWN))
    for name in ("good", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    locked = tmp_path / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", locked], check=True)
    allowed = tmp_path / "allowed"
    allowed.write_text(f"audit@example.com {(tmp_path / 'good.pub').read_text()}")
    signed = {"evidence_sign_key": str(tmp_path / "good"), "evidence_signer": "audit@example.com"}
    for bad in ("locked", "missing"):
        assert "Cannot sign the evidence" in fail(play(AUDIT, evidence_sign_key=str(tmp_path / bad)))
    assert packs(evidence) == []
    succeed(play(AUDIT, **signed))
    checked = {"evidence_allowed_signers": str(allowed), "evidence_anchor": False}
    succeed(play(VERIFY, **checked))
    (only,) = packs(evidence)
    command = ["ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "audit@example.com", "-n", "netguard.lockdown"]
    subprocess.run([*command, "-s", f"{only}.sig"], input=only.read_bytes(), check=True)
    allowed.write_text(f"audit@example.com {(tmp_path / 'other.pub').read_text()}")
    assert "none of the allowed signers" in fail(play(VERIFY, **checked))
    Path(f"{only}.sig").unlink()
    assert "has no signature" in fail(play(VERIFY, **checked))
    assert "its signature is gone" in fail(play(VERIFY, evidence_anchor=False))
    assert "there is no file" in fail(play(VERIFY, evidence_allowed_signers=str(tmp_path / "nothing")))


def test_bad_variables_are_refused_before_anything_is_read(play: Play) -> None:
    told = fail(play(AUDIT, evidence_dir="", audit_fail_on="sometimes", probes="all good", evidence_anchor="perhaps"))
    for word in ("evidence_dir: it is not set", "none of never, fail, not_pass", "probes", "neither true nor false"):
        assert word in told
    assert "holds no pack.json" in fail(play(VERIFY, evidence_anchor=False))
    assert "evidence_dir: it is not set" in fail(play(VERIFY, evidence_dir=""))


# The modules alone


@pytest.fixture
def given(tmp_path: Path) -> Json:
    return {"schema": json.loads(SCHEMA.read_text()), "directory": str(tmp_path / "evidence"), "anchor": False}


def code(outcome: Outcome) -> str:
    return str(outcome.failure["code"])


def test_a_directory_in_a_container_is_refused(given: Json) -> None:
    evidence = {"namespace": "x", "instance": "y", "targets": {"cluster": {"uid": "u"}}, "audit": {"verdict": "pass"}}
    inside = Modules(environment={"container": "podman"})
    outcome = inside.run("evidence_pack", {**given, "directory": "/runner/evidence", "evidence": evidence})
    assert code(outcome) == "evidence_would_vanish"
    assert "there for one job" in outcome.failure["why"]


def test_bad_evidence_is_named(given: Json) -> None:
    for evidence, word in (({}, "lacks namespace"), ({"audits": 1}, "unknown key 'audits'")):
        outcome = Modules().run("evidence_pack", {**given, "evidence": evidence})
        assert code(outcome) == "invalid_option"
        assert word in outcome.failure["why"]


def test_a_file_in_place_of_the_directory_is_named(given: Json, tmp_path: Path) -> None:
    (tmp_path / "evidence").write_text("")
    assert code(Modules().run("evidence_info", given)) == "no_evidence"
    evidence = {"namespace": "x", "instance": "y", "targets": {"cluster": {"uid": "u"}}, "audit": {"verdict": "pass"}}
    outcome = Modules().run("evidence_pack", {**given, "evidence": evidence, "accept_vanishing": True})
    assert code(outcome) == "invalid_option"
