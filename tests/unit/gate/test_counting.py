# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate's own counting: nothing that failed, was skipped or did not run may look like success."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gate import __main__ as gate
from gate import files, results, runner
from gate.paths import ROOT
from gate.results import Result, from_junit
from gate.runner import Runner, Step, close
from gate.tiers import from_recap

RECAP = "RECAP\n\x1b[32mrender   \x1b[0m: actions=3  successful={}  disabled=0  skipped=0  missing={}  failed={}\n"


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(runner, "LOGS", tmp_path / "logs")
    return tmp_path


def junit(folder: Path, body: str) -> list[Path]:
    report = folder / "report.xml"
    report.write_text(f'<testsuites><testcase classname="c" name="n">{body}</testcase></testsuites>')
    return [report]


def test_a_passed_test_counts(tmp_path: Path) -> None:
    assert from_junit(junit(tmp_path, "")) == Result(passed=1)


@pytest.mark.parametrize("outcome", ["failure", "error"])
def test_a_failed_test_counts(tmp_path: Path, outcome: str) -> None:
    assert from_junit(junit(tmp_path, f"<{outcome}>why</{outcome}>")) == Result(failed=["c::n"])


def test_a_skipped_test_is_no_success(tmp_path: Path) -> None:
    assert from_junit(junit(tmp_path, '<skipped message="no cluster"/>')) == Result(skipped=["c::n: no cluster"])


def test_a_sanity_test_without_a_file_to_look_at_does_not_count(tmp_path: Path) -> None:
    assert from_junit(junit(tmp_path, "<skipped>No tests applicable.</skipped>")) == Result()


@pytest.mark.parametrize("result", [Result(), Result(1, ["x"]), Result(1, [], ["x"])])
def test_a_step_without_tests_or_with_problems_is_not_good(result: Result) -> None:
    assert not result.good


@pytest.mark.parametrize(
    ("counts", "passed", "failed"), [((3, 0, 0), 1, 0), ((2, 1, 0), 0, 1), ((2, 0, 1), 0, 1), ((0, 0, 0), 0, 1)]
)
def test_a_scenario_counts_only_with_all_its_playbooks(counts: tuple[int, int, int], passed: int, failed: int) -> None:
    result = from_recap(RECAP.format(*counts))
    assert (result.passed, len(result.failed)) == (passed, failed)


def test_a_scenario_that_ran_in_two_parts_counts_once() -> None:
    good, bad = RECAP.format(1, 0, 0), RECAP.format(0, 0, 1)
    assert from_recap(good + good) == Result(1)
    for output in (good + bad, bad + good):
        result = from_recap(output)
        assert (result.passed, len(result.failed)) == (0, 1)


def test_a_missing_playbook_fails_without_a_recap_too() -> None:
    assert from_recap("verify: Executed: Missing playbook").failed


def run(*steps: Step) -> tuple[Runner, int]:
    made = Runner(steps, 2, {})
    made.run()
    return made, close(steps, made.broken, made.ended, 0.0)


def step(name: str, code: str, *needs: str, counts: bool = False) -> Step:
    return Step(name, [sys.executable, "-c", code], needs, counts)


def test_the_closing_line_is_the_sum_of_all_steps(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = build / "results"
    folder.mkdir()
    write = "open({!r}, 'w').write('{{\"passed\": 2}}')"
    steps = [step(name, write.format(str(folder / f"{name}.json"))) for name in ("a", "b")]
    assert run(*steps)[1] == 0
    assert capsys.readouterr().out.splitlines()[-1] == "4 passed, 0 failed"


def test_a_step_that_counts_nothing_fails(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(step("a", "", counts=True))[1] == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 passed, 1 failed"


def test_a_step_whose_need_failed_does_not_run_and_fails(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, code = run(step("build", "raise SystemExit('no disk')"), step("tests", "", "build"))
    assert (made.broken, code) == (["build", "tests"], 1)
    assert "no disk" in capsys.readouterr().out


def test_what_does_not_end_in_time_is_stopped_and_fails(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "import signal, time; signal.signal(signal.SIGINT, lambda *_: exit(print('cleaned up'))); time.sleep(60)"
    made = Runner([step("slow", code), step("next", "", "slow")], 2, {}, budget=1.0)
    made.run()
    assert made.broken == ["slow", "next"]
    assert "cleaned up" in (build / "logs" / "slow.log").read_text()
    assert close([step("slow", ""), step("next", "")], made.broken, made.ended, 0.0) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 passed, 2 failed"


def test_what_runs_alone_waits_for_all_others_however_they_end(build: Path) -> None:
    log = build / "log"
    write = (
        f"import time; f = open({str(log)!r}, 'a'); f.write('{{0}} '); f.flush(); time.sleep(0.3); f.write('/{{0}} ')"
    )
    alone = Step("alone", [sys.executable, "-c", write.format("alone")], counts=False, alone=True)
    made, code = run(alone, step("a", write.format("a") + "; raise SystemExit(1)"), step("b", write.format("b")))
    assert (made.broken, code) == (["a"], 1)
    assert log.read_text().endswith("alone /alone ")


def test_a_step_of_two_groups_runs_once_and_builds_come_first() -> None:
    steps = gate.ordered([step("unit", "", counts=True), step("build", ""), step("unit", ""), step("build", "")])
    assert [one.name for one in steps] == ["build", "unit"]


def test_an_unknown_engine_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(gate, "hold", lambda _path: None)
    monkeypatch.setenv("ENGINE", "none-such")
    assert gate.main(["enforced"]) == 2
    told = capsys.readouterr().err
    assert "no policy engine 'none-such'" in told
    assert "kube-network-policies" in told


def test_every_engine_is_a_step_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE", "all")
    found = {one.name: one for one in gate.enforced_steps()}
    assert all(found[f"enforced-{name}"].alone for name in ("kube-network-policies", "cilium"))
    assert found["cluster-binaries"].command[-1] == "--engine=all"  # before, and beside the other tiers


def cases(*options: str) -> set[str]:
    """The test files of the real cluster that a run with these options takes cases from."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", "tests/enforced"]
    answer = subprocess.run([*command, *options], capture_output=True, text=True, check=True, cwd=ROOT)
    return {line.partition("::")[0].rpartition("/")[2] for line in answer.stdout.splitlines() if "::" in line}


def test_an_engine_gets_its_own_cases_and_in_a_short_run_those_of_all() -> None:
    every = {"test_question.py", "test_role.py", "test_afterwards.py", "test_under_load.py", "test_verify.py"}
    long, short = cases("--engine=cilium"), cases("--engine=cilium", "--short")
    assert every <= short < long
    assert "test_cilium.py" in short
    assert "test_flow_probe.py" in long - short
    usual = cases()
    assert "test_cilium.py" in long - usual
    assert "test_dual_stack.py" in usual - long


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("x = '{}'".format("/".join(["", "root", "x"])), "names a path of one machine"),
        ("see https://{}/x".format(".".join(["pypi", "org"])), "names a package registry's host"),
        ("no licence", "has no line"),
    ],
)
def test_a_file_that_names_a_machine_or_no_licence_is_found(tmp_path: Path, text: str, finding: str) -> None:
    (tmp_path / "REUSE.toml").write_text(f"# {files.LICENCE}\n[[annotations]]\npath = ['**/*.json']\n")
    (tmp_path / "data.json").write_text("{}")
    (tmp_path / "x.py").write_text(text if finding == "has no line" else f"# {files.LICENCE}\n{text}\n")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    found = list(files.all_findings(tmp_path))
    assert len(found) == 1
    assert finding in found[0]


def test_a_background_job_is_ended_by_sigterm_with_its_steps(tmp_path: Path) -> None:
    """Such a job, and all that it starts, would ignore SIGINT."""
    step = "import sys, time; print('up', flush=True); time.sleep(60)"
    program = f"""
import signal, subprocess, sys
from gate.runner import interrupt_on_termination
signal.signal(signal.SIGINT, signal.SIG_IGN)
interrupt_on_termination()
child = subprocess.Popen([sys.executable, "-c", {step!r}])
try:
    child.wait()
except KeyboardInterrupt:
    child.send_signal(signal.SIGINT)
    sys.exit(child.wait(10))
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", program], env=env, stdout=subprocess.PIPE) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == b"up\n"
        job.terminate()
        assert job.wait(20) == 256 - signal.SIGINT
