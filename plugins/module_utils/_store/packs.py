# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evidence directory: one folder for each cluster, namespace and instance, in it one for each pack."""

from __future__ import annotations

import tempfile
import typing as t
from pathlib import Path

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.chain import (
    ABSENT,
    NOT_CHECKED,
    PackFile,
    Scope,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.plain import file_text
from ansible_collections.netguard.lockdown.plugins.module_utils._store import signing

PACK = "pack.json"
# A pack of a namespace with thousands of pods stays below this.
_MAX_BYTES = 64 * 1024 * 1024

Json = dict[str, t.Any]


def folder(directory: str, scope: Scope) -> Path:
    return Path(directory).joinpath(*scope)


def read(directory: Path, allowed_signers: str = "") -> list[PackFile]:
    """Every pack below the directory; with allowed signers each signature is judged, without only missed."""
    try:
        paths = sorted(directory.rglob(PACK)) if directory.is_dir() else []
        return [_read(path, directory, allowed_signers) for path in paths]
    except OSError as error:
        raise _cannot("read", directory, error) from error


def _read(path: Path, directory: Path, allowed_signers: str) -> PackFile:
    if path.stat().st_size > _MAX_BYTES:
        raise LockdownError(
            "evidence_too_large", f"Refused to read {path}", f"it has more than {_MAX_BYTES} bytes", "Remove it"
        )
    signature = signing.judge(path, allowed_signers) if allowed_signers else _presence(path)
    return PackFile(str(path.relative_to(directory)), path.read_bytes().decode(errors="replace"), signature)


def _presence(path: Path) -> str:
    return NOT_CHECKED if path.with_name(path.name + signing.SUFFIX).exists() else ABSENT


def write(place: Path, pack: Json, files: t.Mapping[str, str], sign_key: str = "") -> list[str]:
    """Write a pack and its report, and return the paths. Either all of it is there in the end or nothing."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=place.parent) as scratch:
            made = Path(scratch) / "pack"
            made.mkdir(mode=0o755)
            for name, text in {PACK: file_text(pack), **files}.items():
                (made / name).write_bytes(text.encode())
            if sign_key:
                signing.sign(made / PACK, sign_key)
            made.rename(place)
    except OSError as error:
        raise _cannot("write to", place, error) from error
    return sorted(str(path) for path in place.iterdir())


def _cannot(verb: str, path: Path, error: OSError) -> LockdownError:
    return LockdownError(
        "evidence_directory",
        f"Cannot {verb} the evidence directory {path}",
        error.strerror or str(error),
        "Correct the path or its permissions",
    )
