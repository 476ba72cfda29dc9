# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every session starts from: an environment, an exported tree and a way to run programs in them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gate.cells import CELLS
from gate.environments import ensure
from gate.pythons import newest
from gate.surroundings import environment, fresh_home, kept_home
from gate.tree import COLLECTION, export


@dataclass(frozen=True)
class Context:
    """A virtual environment and the collection tree that its tools work on."""

    name: str
    venv: Path
    tree: Path
    home: Path

    @property
    def collection(self) -> Path:
        """Return the exported collection."""
        return self.tree / COLLECTION

    @property
    def env(self) -> dict[str, str]:
        """Return the environment variables for its tools."""
        return environment(self.venv, self.tree, self.home)

    def run(self, *command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> int:
        """Run a program in the collection and return its exit code."""
        return self._start(command, cwd, env, None).wait()

    def follow(self, *command: str | Path, env: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Run a program, show its output as it comes, and return its exit code and output."""
        process = self._start(command, None, env, subprocess.PIPE, subprocess.STDOUT)
        lines = []
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            lines.append(line)
        return process.wait(), "".join(lines)

    def output(self, *command: str | Path) -> str:
        """Run a program that must end well and return what it printed to its standard output."""
        process = self._start(command, None, None, subprocess.PIPE)
        text = process.communicate()[0]
        if process.returncode:
            raise SystemExit(f"{' '.join(map(str, command))} ended with code {process.returncode}")
        return text

    def _start(
        self,
        command: Sequence[str | Path],
        cwd: Path | None,
        env: Mapping[str, str] | None,
        stdout: int | None,
        stderr: int | None = None,
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd or self.collection,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )


def for_cell(cell: str, purpose: str, keep_home: bool = False) -> Context:
    """Return the context of a matrix cell for one purpose: tiers that run side by side share no tree."""
    name = f"{purpose}-{cell}"
    home = kept_home(name) if keep_home else fresh_home(name)
    context = Context(name, ensure(cell, CELLS[cell].python()), export(name), home)
    _introduce(context)
    return context


def for_tools(requirements: str) -> Context:
    """Return the context of tools that do not depend on the matrix."""
    return Context(requirements, ensure(requirements, newest()), export(requirements), fresh_home(requirements))


def _introduce(context: Context) -> None:
    names = "('ansible-core', 'kubernetes')"
    code = (
        "import sys, importlib.metadata as m;"
        f"print('Python %d.%d.%d,' % sys.version_info[:3], *(f'{{n}} {{m.version(n)}}' for n in {names}), flush=True)"
    )
    if context.run("python", "-c", code):
        sys.exit(f"the environment of {context.name} is broken")
