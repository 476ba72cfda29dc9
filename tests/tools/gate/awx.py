# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collection awx.awx, whose modules say which options an automation controller's objects have."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from gate.locks import lock
from gate.paths import REQUIREMENTS, cache_dir

COLLECTION = "ansible_collections/awx/awx/"


def collection() -> Path:
    """Return the collection out of PyPI's ansible: installing that one as a whole takes minutes."""
    requirements = REQUIREMENTS / "awx.txt"
    key = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = cache_dir() / "collections" / f"awx-{key}"
    with lock(folder.with_suffix(".lock")):
        if not folder.exists():
            _extract(requirements, folder)
    return folder / COLLECTION


def _extract(requirements: Path, folder: Path) -> None:
    print("downloading collection awx.awx ...", flush=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        pip: list[str | Path] = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
        wheel_only = ("--no-deps", "--only-binary", ":all:")
        subprocess.run([*pip, *wheel_only, "--dest", temporary, "--requirement", requirements], check=True)
        (wheel,) = Path(temporary).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            wanted = [name for name in archive.namelist() if name.startswith(COLLECTION)]
            archive.extractall(Path(temporary) / "extracted", wanted)
        (Path(temporary) / "extracted").rename(folder)
