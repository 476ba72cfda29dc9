# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks between processes; the kernel frees those of a process that died."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_held: list[IO[str]] = []


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock, so that steps side by side do not make the same thing twice."""
    with _open(path) as handle:
        _take(handle, path)
        yield


def hold(path: Path) -> None:
    """Take an exclusive lock and keep it until this process ends."""
    handle = _open(path)
    _take(handle, path)
    _held.append(handle)


def _open(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("w")


def _take(handle: IO[str], path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"waiting for another run that uses {path.stem} ...", flush=True)
        fcntl.flock(handle, fcntl.LOCK_EX)
