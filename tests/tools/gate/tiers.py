# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test tiers: each runs its tools, counts what they report and says whether all was well."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence

from gate import awx, plane
from gate.cells import CELLS
from gate.context import Context, for_cell, for_tools
from gate.environments import ensure
from gate.locks import lock
from gate.paths import BUILD, LOGS
from gate.results import Result, from_junit
from gate.surroundings import prepare_ansible_test
from lab.cluster import engines
from lab.errors import LabError

NEEDS_ROOT = "enforced"  # the scenario on the real cluster: a part of that tier, not of molecule's
# System tests that ask nothing of the cell's versions: rulebooks run in an environment of their own, rights are the API
# server's, and the lab is a program of the tests.
THE_SAME_IN_EVERY_CELL = ("test_rulebook", "test_rights", "test_control_plane", "test_lab_command")
LOCAL = ("--local", "--color", "no", "--truncate", "0")
ANSI = re.compile(r"\x1b\[[0-9;]*m")
RECAP = re.compile(r"^(\S+) *: (actions=\d+.*)$", re.MULTILINE)


def unit(cell: str, arguments: Sequence[str] = ()) -> int:
    """Run the tests of the pure parts."""
    return _pytest("unit", cell, arguments)


def system(cell: str, arguments: Sequence[str] = ()) -> int:
    """Run the tests that drive real playbooks against control planes of their own."""
    awx.collection()  # the tests take it out of the cache
    if cell != "newest":
        left_out = [f"--ignore=tests/system/{name}.py" for name in THE_SAME_IN_EVERY_CELL]
        return _pytest("system", cell, [*left_out, *arguments])
    return _pytest("system", cell, arguments, _rulebooks())


def _rulebooks() -> dict[str, str]:
    """Tell tests where ansible-rulebook is, after making its environment where needed."""
    return {"NETGUARD_EDA": str(ensure("eda", CELLS["newest"].python()))}


def page(arguments: Sequence[str] = ()) -> int:
    """Look at the report in a headless Chromium, which must be installed; screenshots go to build/page."""
    return _pytest("page", "newest", arguments)


def enforced(arguments: Sequence[str] = ()) -> int:
    """Run the tests on a real cluster with a policy engine, and the role's scenario there; they need root on Linux.

    --engine=NAME chooses the engine, --engine=all every one, with a cluster each; --full asks all cases of any
    engine, where only the usual one has all of them otherwise. Other arguments go to pytest; then they choose the
    cases, and the scenario is left out.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", default="")
    parser.add_argument("--full", action="store_true", default=bool(os.environ.get("FULL")))
    options, chosen = parser.parse_known_args(list(arguments))
    try:
        wanted = engines.chosen(options.engine)
    except LabError as error:
        print(f"ERROR: {error}", flush=True)
        return 2
    context = for_tools("enforced")
    codes = [_enforced_on(context, engine.name, chosen, full=options.full) for engine in wanted]
    return max(codes)


def _enforced_on(context: Context, engine: str, chosen: Sequence[str], *, full: bool) -> int:
    # What is missing is told once and in plain words, not by every test.
    if context.run("python", "-m", "lab", "cluster", "build", f"--engine={engine}"):
        return _close("enforced", engine, 1, Result(failed=["the real cluster cannot be started here, see above"]))
    report = LOGS / f"enforced-{engine}.xml"
    report.unlink(missing_ok=True)
    usual = engine == engines.DEFAULT
    cases = chosen or ([] if usual or full else ["--short"])
    command = ("pytest", "tests/enforced", f"--engine={engine}", "--durations=10", f"--junitxml={report}", *cases)
    code = context.run(*command, env={"NETGUARD_BUILD": str(BUILD), **_rulebooks()})
    result = from_junit([report] if report.exists() else [])
    if usual and not chosen:
        scenario_code, scenario = _scenarios(for_cell("newest", "enforced-molecule"), "--scenario-name", NEEDS_ROOT)
        code, result = code or scenario_code, result + scenario
    return _close("enforced", engine, code, result)


def sanity(cell: str, arguments: Sequence[str] = ()) -> int:
    """Run ansible-test sanity on all Ansible content, the integration targets and molecule's scenarios included.

    The Python programs around the tests are left to ruff and mypy.
    """
    context = for_cell(cell, "sanity", keep_home=True)
    for folder in (context.collection / "tests").iterdir():
        if folder.is_dir() and folder.name != "integration":
            shutil.rmtree(folder)
    with lock(context.home.with_suffix(".lock")):
        prepare_ansible_test(context.venv, context.home)
        code = context.run("ansible-test", "sanity", *LOCAL, "--requirements", "--junit", *arguments)
    reports = (context.collection / "tests" / "output" / "junit").glob("*.xml")
    return _close("sanity", cell, code, from_junit(sorted(reports)))


def integration(cell: str, arguments: Sequence[str] = ()) -> int:
    """Run the targets of tests/integration against one control plane."""
    context = for_cell(cell, "integration")
    tests = context.collection / "tests"
    command = ("ansible-test", "integration", *LOCAL)
    targets = context.output(*command, "--list-targets", *arguments).split()
    with plane.up(context) as variables:
        (tests / "integration" / "integration_config.yml").write_text(json.dumps(variables))
        code = context.run(*command, "--continue-on-error", *arguments)
    reports = (json.loads(path.read_text()) for path in (tests / "output" / "data").glob("integration-*.json"))
    passed = {name for report in reports for name in report["targets"]}
    return _close("integration", cell, code, Result(len(passed), sorted(set(targets) - passed)))


def molecule(cell: str, arguments: Sequence[str] = ()) -> int:
    """Run the molecule scenarios, one after the other, on one control plane that the scenario default starts."""
    chosen = [option for name in arguments for option in ("--scenario-name", name)]
    code, result = _scenarios(for_cell(cell, "molecule"), *(chosen or ["--all", "--exclude", NEEDS_ROOT]))
    return _close("molecule", cell, code, result)


def _scenarios(context: Context, *chosen: str) -> tuple[int, Result]:
    with tempfile.TemporaryDirectory(prefix="netguard-molecule-") as state:
        command = ["molecule", "test", "--report", "--no-command-borders", *chosen]
        code, output = context.follow(*command, env={"MOLECULE_EPHEMERAL_DIRECTORY": state})
    return code, from_recap(output)


def from_recap(output: str) -> Result:
    """Count the scenarios of molecule's recap; a playbook that is missing is a failure, though molecule goes on."""
    scenarios: dict[str, str] = {}
    for name, counts in RECAP.findall(ANSI.sub("", output)):
        count = {key: int(number) for key, number in re.findall(r"(\w+)=(\d+)", counts)}
        if not count["successful"] or count["failed"] or count["missing"]:
            scenarios[name] = f"{name}: {counts.strip()}"
        scenarios.setdefault(name, "")  # default has two lines: one before the others, one after
    failed = [problem for problem in scenarios.values() if problem]
    if "Missing playbook" in output and not failed:
        failed = ["Missing playbook"]
    return Result(list(scenarios.values()).count(""), failed)


def _pytest(tier: str, cell: str, arguments: Sequence[str], env: Mapping[str, str] | None = None) -> int:
    context = for_cell(cell, tier)
    report = LOGS / f"{tier}-{cell}.xml"
    report.unlink(missing_ok=True)
    chosen = [] if any(argument.startswith("tests/") for argument in arguments) else [f"tests/{tier}"]
    command = ("pytest", *chosen, "--durations=10", f"--junitxml={report}", *arguments)
    code = context.run(*command, env={"NETGUARD_BUILD": str(BUILD), **(env or {})})
    return _close(tier, cell, code, from_junit([report] if report.exists() else []))


def _close(tier: str, cell: str, code: int, result: Result) -> int:
    """Keep the count, name the problems, and return the exit code of the tier."""
    result.save(f"{tier}-{cell}")
    for problem in [*result.failed, *(f"skipped: {name}" for name in result.skipped)]:
        print(f"{tier}: {problem}", flush=True)
    print(f"{tier} ({cell}): {result.passed} passed, {len(result.failed)} failed, {len(result.skipped)} skipped")
    return code or (0 if result.good else 1)
