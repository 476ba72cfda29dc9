# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m gate STEPS...: run the named groups of steps (lint, test, enforced) and close with one count over all."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterable, Iterator

from gate.cells import in_ci, selected
from gate.locks import hold
from gate.paths import BUILD, LOGS, ROOT
from gate.runner import Runner, Step, close, interrupt_on_termination, say
from lab.cluster import engines
from lab.errors import LabError

TIERS = ("unit", "sanity", "integration", "system", "molecule")
CI_BUDGET = 88 * 60.0  # seconds; CI ends a run after 90 minutes without a word
ON_A_CONTROL_PLANE = ("integration", "system", "molecule")


def main(groups: list[str]) -> int:
    """Run the groups and return the exit code."""
    interrupt_on_termination()
    unknown = set(groups) - GROUPS.keys()
    if unknown or not groups:
        print(f"usage: python -m gate {{{','.join(GROUPS)}}}...", file=sys.stderr)
        return 2
    for group in groups:
        hold(BUILD / f"{group}.lock")
    try:
        steps = ordered(step for group in groups for step in GROUPS[group]())
    except LabError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 2
    jobs = int(os.environ.get("JOBS") or min(os.cpu_count() or 1, 2))
    say(f"{', '.join(step.name for step in steps)}; {jobs} at a time; output in {LOGS.relative_to(ROOT)}/")
    started = time.monotonic()
    runner = Runner(steps, jobs, os.environ, CI_BUDGET if in_ci() else math.inf)
    try:
        runner.run()
    except KeyboardInterrupt:
        say("interrupted; what ran has been stopped")
        return 130
    return close(steps, runner.broken, runner.ended, time.monotonic() - started)


def lint_steps() -> Iterator[Step]:
    """List the static checks."""
    yield Step("lint", nox("lint"))


def test_steps() -> Iterator[Step]:
    """List every tier in every selected cell, the build of the control plane's programs first: it is the longest."""
    yield Step("binaries", nox("binaries"), counts=False)
    for tier in TIERS:
        for cell in selected():
            needs = ("binaries",) if tier in ON_A_CONTROL_PLANE else ()
            yield Step(f"{tier}-{cell}", nox(f"{tier}({cell})"), needs)


def enforced_steps() -> Iterator[Step]:
    """List the tests on the real cluster, and before them what needs no cluster: is this machine fit, the builds."""
    word = os.environ.get("ENGINE", "")
    asked = [f"--engine={word}"] if word else []
    yield Step("machine", nox("cluster", "check", *asked), counts=False)
    yield Step("binaries", nox("binaries"), counts=False)
    # After the control plane's programs: these build on most of what was compiled for them.
    yield Step("cluster-binaries", nox("cluster", "build", *asked), ("machine", "binaries"), counts=False)
    for engine in engines.chosen(word):
        run = nox("test-enforced", f"--engine={engine.name}")
        yield Step(f"enforced-{engine.name}", run, ("cluster-binaries",), alone=True)


def ordered(steps: Iterable[Step]) -> list[Step]:
    """Put each step that several groups name where it is named first, and builds before all that can wait."""
    named: dict[str, Step] = {}
    for step in steps:
        named.setdefault(step.name, step)
    return sorted(named.values(), key=lambda step: step.counts)


def nox(session: str, *arguments: str) -> list[str]:
    """Return the command that runs one nox session."""
    return [sys.executable, "-m", "nox", "--noxfile", str(ROOT / "noxfile.py"), "--session", session, "--", *arguments]


GROUPS = {"lint": lint_steps, "test": test_steps, "enforced": enforced_steps}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
