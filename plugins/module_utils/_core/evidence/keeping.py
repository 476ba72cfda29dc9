# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether files would outlive the run: an execution environment takes its own file system with it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from pathlib import PurePosixPath

_OVERLAYS = {"overlay", "overlayfs", "aufs", "fuse-overlayfs", "fuse.fuse-overlayfs"}
_IN_MEMORY = {"tmpfs", "ramfs"}
# ansible-runner's own directory: it is mounted, but made for one job.
_RUNNER = PurePosixPath("/runner")
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Surroundings:
    """What tells a container from a machine.

    :arg marks: what says that this is a container, in words; empty for a machine.
    :arg mounts: the text of /proc/self/mountinfo; empty where there is none.
    """

    marks: tuple[str, ...]
    mounts: str = ""


def why_lost(path: str, surroundings: Surroundings) -> str:
    """Why what is written to this absolute path is gone after the run; empty if it stays.

    On a machine it stays. In a container it stays on a volume only.
    """
    if not surroundings.marks:
        return ""
    told = f"this runs in a container ({', '.join(surroundings.marks)})"
    place = PurePosixPath(path)
    if place.is_relative_to(_RUNNER):
        return f"{told}, and {_RUNNER} is there for one job"
    mount, kind = _mount(place, surroundings.mounts)
    if kind in _IN_MEMORY:
        return f"{told}, and {mount} is held in memory ({kind})"
    if kind in _OVERLAYS or mount == PurePosixPath("/"):
        return f"{told}, and {path} is in its own file system, on no volume"
    return ""


def _mount(place: PurePosixPath, mounts: str) -> tuple[PurePosixPath, str]:
    """The mount point that holds the place, the last one that covers it, and its type."""
    best, kind = PurePosixPath("/"), ""
    for point, name in _mount_points(mounts):
        if place.is_relative_to(point) and len(point.parts) >= len(best.parts):
            best, kind = point, name
    return best, kind


def _mount_points(mounts: str) -> t.Iterator[tuple[PurePosixPath, str]]:
    for line in mounts.splitlines():
        before, _dash, after = line.partition(" - ")
        fields, described = before.split(), after.split()
        if len(fields) > 4 and described:
            yield PurePosixPath(_OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4])), described[0]
