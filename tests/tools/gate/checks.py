# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The static checks, all run even when one fails."""

from __future__ import annotations

import os
import re
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
    ansible_lint: list[str | Path] = ["ansible-lint", "--offline", "--profile", "production", "--strict"]
    yield Check("ansible-lint", ansible_lint)
    # The settings leave these out, because of the importer; files that are named are looked at all the same.
    project = sorted((context.collection / "extensions" / "awx" / "project").glob("*.yml"))
    yield Check("ansible-lint of the project", [*ansible_lint, *project])
    yield from _type_checks(context)
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


def _type_checks(context: Context) -> Iterator[Check]:
    """Yield mypy's checks, in which imports resolve as in tests: from the tree's root and from pytest's path."""
    settings = tomllib.loads((context.collection / "pyproject.toml").read_text())
    paths = [COLLECTION / path for path in settings["tool"]["pytest"]["ini_options"]["pythonpath"]]
    bases = {"PYTHONPATH": "", "MYPYPATH": os.pathsep.join([".", *map(str, paths)])}
    # Folders of tests that are on the path may hold modules of the same name: each is checked on its own.
    alone = [path for path in paths if any((context.tree / path).glob("test_*.py"))]
    exclude = ["--exclude", "|".join(f"^{re.escape(str(path))}/" for path in alone)]
    runs: dict[str, list[str | Path]] = {
        "plugins": ["--python-version", "3.10", COLLECTION / "plugins"],
        "tests": [*exclude, COLLECTION / "tests", COLLECTION / "noxfile.py"],
        **{str(path.relative_to(COLLECTION)): [path] for path in alone},
    }
    for name, arguments in runs.items():
        cache: list[str | Path] = ["--cache-dir", BUILD / "mypy" / name.replace("/", "-")]
        command: list[str | Path] = ["mypy", "--config-file", COLLECTION / "pyproject.toml", *cache, *arguments]
        yield Check(f"mypy {name}", command, bases, directory=context.tree)


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
