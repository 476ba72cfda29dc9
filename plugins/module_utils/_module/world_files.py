# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the world that policies are judged in from files: no cluster is needed."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import documents, reading
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.profile import detected
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.reading import Reading
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import Located, read_world

_SUFFIXES = (".yaml", ".yml", ".json")


def read_files(paths: t.Sequence[str], profile: str) -> Reading:
    """The objects of files and of folders with all that is in them.

    :arg profile: name of an engine profile, or auto.
    """
    files = [file for path in paths for file in _files(Path(path))]
    problems: list[LockdownError] = []
    failures: list[LockdownError] = []
    world = read_world(_objects(files, failures), problems)
    problems += failures
    world.unmodelled += failures
    engine, settings = reading.engine_of(world)
    chosen, reason = reading.choose_profile(profile, engine, detected(engine, settings))
    return Reading(
        world=world,
        engine=engine,
        profile=chosen,
        profile_reason=reason,
        sources={
            "from": "files",
            "host": "",
            "cluster_uid": "",
            "server_version": "",
            "files": [str(file) for file in files],
            "objects": len(world.namespaces) + len(world.pods) + len(world.policies) + len(world.services),
        },
    )


def _objects(files: t.Iterable[Path], failures: list[LockdownError]) -> t.Iterator[Located]:
    """Yield what can be read; a file that is broken in the middle gives what stands before."""
    for file in files:
        try:
            yield from documents.parse(_text(file), str(file))
        except LockdownError as error:
            failures.append(error)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if each.suffix in _SUFFIXES and each.is_file())
        if not found:
            raise _unreadable(path, f"it holds no file that ends with {', '.join(_SUFFIXES)}")
        return found
    if not path.is_file():
        raise _unreadable(path, "there is no such file or folder")
    return [path]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, str(error)) from error


def _unreadable(path: Path, why: str) -> LockdownError:
    return LockdownError("unreadable_file", f"Cannot read {path}", why, "Correct option src")
