# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Export the checkout to ansible_collections/netguard/lockdown, where ansible-test, mypy and pytest want it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from gate.locks import hold
from gate.paths import BUILD, ROOT

COLLECTION = Path("ansible_collections") / "netguard" / "lockdown"


def export(name: str) -> Path:
    """Copy what git tracks, or would track, to build/trees/<name> and return that collections path.

    The copy is a git repository of its own: ansible-test then lists its files by itself,
    instead of finding the checkout around it, which ignores build/. It is this process' own until it ends.
    """
    root = BUILD / "trees" / name
    hold(root.with_suffix(".lock"))
    target = root / COLLECTION
    shutil.rmtree(root, ignore_errors=True)
    for path in tracked_files():
        destination = target / path
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, destination, follow_symlinks=False)
    subprocess.run(["git", "init", "--quiet", target], check=True)
    return root


def tracked_files(root: Path = ROOT) -> list[Path]:
    """List the files of a checkout that are tracked or new, but neither ignored nor deleted."""
    command: list[str | Path] = ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    paths = (Path(name) for name in sorted(set(listed.split("\0"))) if name)
    return [path for path in paths if (root / path).is_symlink() or (root / path).is_file()]
