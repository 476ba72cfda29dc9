# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run steps side by side, each with a log of its own, and close with one line that counts them all."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gate.paths import LOGS, ROOT, cache_base
from gate.results import Result, forget, load

HEARTBEAT = 30.0  # seconds between two lines about what is still running
GRACE = 30.0  # seconds that an interrupted step has to clean up
TAIL = 80  # lines of a failed step's log that are shown


@dataclass(frozen=True)
class Step:
    """A command, the steps that must have ended well before it, whether it counts tests, and whether it runs alone.

    What measures time runs alone: after all other steps, however they ended, and with nothing beside it.
    """

    name: str
    command: Sequence[str]
    needs: tuple[str, ...] = ()
    counts: bool = True
    alone: bool = False


@dataclass
class Running:
    """A step under way."""

    step: Step
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Return how long it has been running."""
        return time.monotonic() - self.started


class Runner:
    """Runs steps as soon as what they need is done, at most so many at a time."""

    def __init__(
        self, steps: Sequence[Step], jobs: int, environment: Mapping[str, str], budget: float = math.inf
    ) -> None:
        self.waiting = list(steps)
        self.jobs = jobs
        self.environment = environment
        self.running: list[Running] = []
        self.ended: dict[str, float] = {}
        self.broken: list[str] = []
        self.reported = time.monotonic()
        self.deadline = time.monotonic() + budget

    def run(self) -> None:
        """Run all steps; a step whose need failed does not run, and counts as failed."""
        for step in self.waiting:
            forget(step.name)
        try:
            while self.waiting or self.running:
                self._start_ready()
                self._collect()
                self._heartbeat()
                if time.monotonic() > self.deadline:
                    self._give_up()
                time.sleep(0.1)
        except KeyboardInterrupt:
            self.stop()
            raise

    def stop(self) -> None:
        """Interrupt what runs, and end what does not clean up in time."""
        for run in self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.process.pid, signal.SIGINT)
        for run in self.running:
            try:
                run.process.wait(GRACE)
            except subprocess.TimeoutExpired:
                os.killpg(run.process.pid, signal.SIGKILL)

    def _give_up(self) -> None:
        """End everything while there is still time to say what was not done."""
        for run in self.running:
            say(f"{run.step.name}: out of time after {run.seconds:.0f} s")
            show_tail(run.step.name)
            self.ended[run.step.name] = run.seconds
        self.stop()
        self.broken += [run.step.name for run in self.running] + [step.name for step in self.waiting]
        self.running, self.waiting = [], []

    def _start_ready(self) -> None:
        for step in list(self.waiting):
            if any(need in self.broken for need in step.needs):
                self.waiting.remove(step)
                self.broken.append(step.name)
                say(f"{step.name}: not run, {', '.join(step.needs)} failed")
            elif self._has_room(step) and all(need in self.ended for need in step.needs):
                self.waiting.remove(step)
                self.running.append(Running(step, self._spawn(step)))
                say(f"{step.name}: started")

    def _has_room(self, step: Step) -> bool:
        if step.alone:
            return not self.running and all(other.alone for other in self.waiting)
        return len(self.running) < self.jobs

    def _spawn(self, step: Step) -> subprocess.Popen[bytes]:
        LOGS.mkdir(parents=True, exist_ok=True)
        with log_of(step.name).open("wb") as log:
            return subprocess.Popen(
                list(step.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.environment),
                start_new_session=True,
            )

    def _collect(self) -> None:
        for run in [run for run in self.running if run.process.poll() is not None]:
            self.running.remove(run)
            self.ended[run.step.name] = run.seconds
            outcome = load(run.step.name)
            good = run.process.returncode == 0 and (not run.step.counts or (outcome is not None and outcome.good))
            say(f"{run.step.name}: {'passed' if good else 'FAILED'} in {run.seconds:.0f} s{describe(outcome)}")
            if not good:
                self.broken.append(run.step.name)
                show_tail(run.step.name)

    def _heartbeat(self) -> None:
        if self.running and time.monotonic() - self.reported > HEARTBEAT:
            self.reported = time.monotonic()
            for run in self.running:
                say(f"{run.step.name}: {run.seconds:.0f} s, {last_line(run.step.name)}")


def say(line: str) -> None:
    """Print a line of progress."""
    print(f"[{time.strftime('%H:%M:%S')}] {line}", flush=True)


def describe(outcome: Result | None) -> str:
    """Put a count into words."""
    if outcome is None:
        return ""
    return f" ({outcome.passed} passed, {len(outcome.failed)} failed, {len(outcome.skipped)} skipped)"


def log_of(step: str) -> Path:
    """Return where the output of a step goes."""
    return LOGS / f"{step}.log"


def anonymous(text: str) -> str:
    """Take this machine's folders out of what is shown: logs are pasted into issues."""
    for folder, name in ((ROOT, "."), (cache_base(), "~/.cache"), (Path.home(), "~")):
        text = text.replace(str(folder), name)
    return text


def last_line(step: str) -> str:
    """Return the last line that a step printed."""
    lines = anonymous(log_of(step).read_text(errors="replace")).split("\n")
    return next((line.strip()[:120] for line in reversed(lines) if line.strip()), "no output yet")


def show_tail(step: str) -> None:
    """Show the end of a failed step's log."""
    lines = anonymous(log_of(step).read_text(errors="replace")).splitlines()[-TAIL:]
    print("\n".join([f"----- end of {log_of(step).name}", *lines, "-----"]), flush=True)


def close(steps: Sequence[Step], broken: Sequence[str], seconds: Mapping[str, float], total: float) -> int:
    """Print the slowest steps, every failed or skipped test, and the closing line; return the exit code."""
    print(f"\nAll steps took {total:.0f} s; the slowest:")
    for name, duration in sorted(seconds.items(), key=lambda item: -item[1])[:8]:
        print(f"  {duration:6.0f} s  {name}")
    passed, failed = 0, 0
    for step in steps:
        outcome = load(step.name) or Result()
        problems = outcome.failed + [f"skipped {name}" for name in outcome.skipped]
        if step.name in broken and not problems:
            problems = ["the step itself, see its log" if step.name in seconds else "the step did not run"]
        for problem in problems:
            print(f"FAILED {step.name}: {problem}")
        passed += outcome.passed
        failed += len(problems)
    print(f"\n{passed} passed, {failed} failed", flush=True)
    return 1 if failed or broken or not passed else 0


def interrupt_on_termination() -> None:
    """Treat SIGTERM like Ctrl-C, so that steps are stopped and clean up.

    A shell's background job is started with SIGINT ignored, and steps inherit that.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
