# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the Python interpreters of this machine."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

PROBE = "import ensurepip, os, sys, venv; print('%d.%d' % sys.version_info[:2], os.path.realpath(sys.executable))"
MINORS = range(10, 16)
TOOLS_RUN_ON = ("3.13", "3.12", "3.11", "3.14")


@functools.cache
def interpreters() -> dict[str, Path]:
    """Return the usable interpreters by "major.minor": those that run and can make virtual environments."""
    found: dict[str, Path] = {}
    for candidate in _candidates():
        probe = subprocess.run([candidate, "-c", PROBE], capture_output=True, text=True, check=False)
        if probe.returncode == 0:
            version, path = probe.stdout.strip().split(" ", 1)
            found.setdefault(version, Path(path))
    return found


def choose(versions: Iterable[str]) -> tuple[str, Path] | None:
    """Return the first of the wanted versions that this machine has."""
    found = interpreters()
    return next(((version, found[version]) for version in versions if version in found), None)


def _candidates() -> Iterator[str]:
    names = [f"python3.{minor}" for minor in MINORS]
    for name in [*names, "python3"]:
        path = shutil.which(name)
        if path:
            yield path
    for directory in _pyenv_versions():
        yield from (str(directory / "bin" / name) for name in names if (directory / "bin" / name).is_file())


def _pyenv_versions() -> list[Path]:
    """List pyenv's interpreters: its shims on PATH answer only for the versions that are switched on."""
    if not shutil.which("pyenv"):
        return []
    root = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False, env=os.environ)
    versions = Path(root.stdout.strip() or os.devnull) / "versions"
    return sorted(versions.iterdir(), reverse=True) if versions.is_dir() else []


def newest() -> Path:
    """Return the newest interpreter that the tools are known to run on."""
    chosen = choose(TOOLS_RUN_ON)
    if chosen is None:
        raise SystemExit(f"the tools need one of Python {', '.join(TOOLS_RUN_ON)} with venv")
    return chosen[1]
