# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments in the cache, one per interpreter and set of requirements, made once and reused."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import time
from pathlib import Path

from gate.locks import lock
from gate.paths import REQUIREMENTS, cache_dir


def ensure(name: str, python: Path) -> Path:
    """Return the environment with the requirements tests/requirements/<name>.txt, after making it where needed."""
    requirements = REQUIREMENTS / f"{name}.txt"
    key = hashlib.sha256(f"{python}\n{requirements.read_text()}".encode()).hexdigest()[:12]
    venv = cache_dir() / "environments" / f"{name}-{key}"
    ready = venv / "ready"
    with lock(venv.with_suffix(".lock")):
        if not ready.exists():
            _make(venv, python, requirements)
            ready.touch()
    return venv


def _make(venv: Path, python: Path, requirements: Path) -> None:
    started = time.monotonic()
    print(f"installing {requirements.name} for {python.name} ...", flush=True)
    shutil.rmtree(venv, ignore_errors=True)
    subprocess.run([python, "-m", "venv", venv], check=True)
    pip: list[str | Path] = [venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--requirement", requirements], check=True)
    subprocess.run([*pip, "check"], check=True)
    print(f"installed {requirements.name} in {time.monotonic() - started:.0f} s", flush=True)
