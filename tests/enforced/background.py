# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that run beside a case: clients under load, and a C&C session that stays open."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import typing as t
from collections.abc import Sequence
from pathlib import Path

import pytest

from enforced.table import Case
from enforced.worlds import World
from lab.cluster.addresses import COMMAND_AND_CONTROL_PORT, OUTSIDE_ADDRESS
from lab.cluster.ignite import Ignite

LOAD = Path(__file__).with_name("load.py")
STEADY = Path(__file__).with_name("steady.py")
HOLD = Path(__file__).with_name("hold.py")
Report = dict[str, dict[str, t.Any]]


class Load:
    """Runs load.py from a place; `report` is there at the end."""

    def __init__(self, place: Sequence[str], addresses: Sequence[str]) -> None:
        self.report: Report = {}
        command = [*place, sys.executable, "-I", str(LOAD), *addresses]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Load:
        if self._child.stdout is None or self._child.stdout.readline() != "running\n":
            self._child.kill()
            pytest.fail("the load did not start")
        time.sleep(1.0)
        return self

    def __exit__(self, *_: object) -> None:
        text, _errors = self._child.communicate(timeout=60)
        self.report = json.loads(text)

    def loses_nothing(self, case: Case) -> None:
        """Record that no operation was lost, and the longest gap between two."""
        for kind, seen in self.report.items():
            lost = f"{seen['failed']} lost"
            case.record(f"{kind} connection", "0 lost", f"{lost} of {seen['operations']} {seen['error']}".strip())
            case.record(f"{kind} connection, longest gap", "", f"{seen['longest_gap']} s", seen["longest_gap"])

    def loses_some(self, case: Case) -> None:
        """Record that operations were lost: else the load would notice nothing, whatever happens."""
        lost = sum(seen["failed"] for seen in self.report.values())
        case.record("operations lost", "some", f"some, {lost}" if lost else "none: the load notices nothing")


class Steady:
    """Runs steady.py from a place, until what it was told to watch is over."""

    def __init__(self, place: Sequence[str], address: str, *ports: int) -> None:
        command = [*place, sys.executable, "-I", str(STEADY), address, *map(str, ports)]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Steady:
        if self._line() != "running":
            self._child.kill()
            pytest.fail("the load did not start")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._child.kill()
        self._child.communicate(timeout=60)

    def loses_nothing(self, case: Case, change: str) -> None:
        """Record that, since the last time, every operation was done in time and no acknowledged write has gone."""
        if self._child.stdin is not None:
            self._child.stdin.write("\n")
            self._child.stdin.flush()
        seen: dict[str, t.Any] = json.loads(self._line())
        amount = f"of {seen['operations']} operations, {seen['retries']} retries {seen['error']}".strip()
        case.record(f"{change}: load", "0 lost, 0 stuck", f"{seen['lost']} lost, {seen['stuck']} stuck {amount}")
        case.record(f"{change}: longest gap", "", f"{seen['longest_gap']} s", seen["longest_gap"])

    def _line(self) -> str:
        return self._child.stdout.readline().strip() if self._child.stdout is not None else ""


class Session:
    """A connection from an Ignite pod to the C&C host."""

    def __init__(self, world: World, ignite: Ignite) -> None:
        place = world.cluster.pod(world.addresses(ignite)[0])
        command = [*place, sys.executable, "-I", "-u", str(HOLD), OUTSIDE_ADDRESS, str(COMMAND_AND_CONTROL_PORT)]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Session:
        if self.state() != "survives":
            pytest.fail("the C&C session did not open")
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.communicate()

    def state(self) -> str:
        """Whether a message still comes back."""
        if self._child.stdin is None or self._child.stdout is None:
            return "closed"
        self._child.stdin.write("ping\n")
        self._child.stdin.flush()
        return self._child.stdout.readline().strip()
