# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The static checks, all run even when one fails."""

from __future__ import annotations

import os
import subprocess
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from gate.context import Context, for_tools
from gate.paths import BUILD
from gate.results import Result
from gate.tree import COLLECTION

SIDE_BY_SIDE = 2
IMPORTER = {"GALAXY_IMPORTER_CHECK_REQUIRED_TAGS": "true", "GALAXY_IMPORTER_RUN_FLAKE8": "false"}


@dataclass(frozen=True)
class Check:
    """A command in the exported collection, and words that its output must not have though it ends well."""

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str] = field(default_factory=dict)
    forbidden: tuple[str, ...] = ()
    directory: Path | None = None


def lint() -> int:
    """Run the static checks and return the exit code."""
    context = for_tools("lint")
    result = Result()
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for name, problem in pool.map(lambda check: (check.name, _problem(context, check)), _checks(context)):
            if problem is None:
                result.passed += 1
            else:
                result.failed.append(name)
                print(f"----- {name}\n{problem}\n-----", flush=True)
    result.save("lint")
    print(f"{result.passed} checks passed, failed: {', '.join(result.failed) or 'none'}", flush=True)
    return 0 if result.good else 1


def _checks(context: Context) -> Iterator[Check]:
    artifact = build_artifact(context)
    importer: list[str | Path] = ["python", "-m", "galaxy_importer.main", artifact]
    yield Check("galaxy-importer", importer, IMPORTER, ("WARNING", "ERROR"), artifact.parent)
    yield Check("ansible-lint", ["ansible-lint", "--offline", "--profile", "production", "--strict"])
    yield _mypy(context, "plugins", "--python-version", "3.10", COLLECTION / "plugins")
    yield _mypy(context, "tests", COLLECTION / "tests", COLLECTION / "noxfile.py")
    yield Check(
        "antsibull-docs",
        ["antsibull-docs", "lint-collection-docs", "--plugin-docs", "--check-extra-docs-refs",
         "--validate-collection-refs", "self", "--disallow-unknown-collection-refs", "."],
    )  # fmt: skip
    yield Check("antsibull-changelog", ["antsibull-changelog", "lint"])
    yield Check("ruff", ["ruff", "check", "."])
    yield Check("yamllint", ["yamllint", "--strict", "."])
    yield Check("files", ["python", "-m", "gate.files"], {"PYTHONPATH": "tests/tools"})
    yield Check("generated files", ["python", "tests/tools/generate.py", "--check"])


def _mypy(context: Context, name: str, *arguments: str | Path) -> Check:
    """Return a mypy check in which imports resolve as in tests: from the tree's root and from pytest's path."""
    settings = tomllib.loads((context.collection / "pyproject.toml").read_text())
    paths = settings["tool"]["pytest"]["ini_options"]["pythonpath"]
    bases = os.pathsep.join([".", *(str(COLLECTION / path) for path in paths)])
    command: list[str | Path] = ["mypy", "--no-incremental", "--config-file", COLLECTION / "pyproject.toml", *arguments]
    return Check(f"mypy {name}", command, {"PYTHONPATH": "", "MYPYPATH": bases}, directory=context.tree)


def build_artifact(context: Context) -> Path:
    """Build the collection's tarball from an exported tree and return its path."""
    directory = BUILD / "artifact"
    if context.run("ansible-galaxy", "collection", "build", "--force", "--output-path", directory):
        raise SystemExit("the collection cannot be built")
    return max(directory.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime)


def _problem(context: Context, check: Check) -> str | None:
    started = time.monotonic()
    done = subprocess.run(
        check.command,
        cwd=check.directory or context.collection,
        env={**context.env, **check.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    bad = done.returncode != 0 or any(word in done.stdout for word in check.forbidden)
    print(f"{check.name}: {'FAILED' if bad else 'passed'} in {time.monotonic() - started:.0f} s", flush=True)
    return done.stdout if bad else None
