# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container images as files: layers and configurations in the archive format that containerd imports."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


class Layer:
    """The files of one layer: contents or symbolic links by their path in the image."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[Path | bytes, int]] = {}
        self._links: dict[str, str] = {}

    def add(self, path: str, content: Path | bytes, mode: int = 0o755) -> None:
        self._files[path] = (content, mode)

    def link(self, path: str, target: str) -> None:
        self._links[path] = target

    def add_tree(self, path: str, folder: Path) -> None:
        """Add a folder with everything in it; symbolic links become what they point to."""
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                self.add(f"{path}/{file.relative_to(folder)}", file, file.stat().st_mode & 0o777)

    def write(self, archive: Path) -> None:
        """Write the layer as a tar file that depends on nothing but its content."""
        with tarfile.open(archive, "w") as tar:
            for name in sorted(self._folders()):
                tar.addfile(_entry(name, tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755))
            for name, target in sorted(self._links.items()):
                entry = _entry(name, tarfile.SYMTYPE, 0o777)
                entry.linkname = target
                tar.addfile(entry)
            for name, (content, mode) in sorted(self._files.items()):
                data = content if isinstance(content, bytes) else content.read_bytes()
                entry = _entry(name, tarfile.REGTYPE, mode)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))

    def _folders(self) -> set[str]:
        parents = {str(parent) for name in (*self._files, *self._links) for parent in Path(name).parents}
        return (parents | {"tmp"}) - {"."}


@dataclass(frozen=True)
class Image:
    """An image: its full name with tag, its layers by name, and what runs in it."""

    name: str
    layers: Sequence[str]
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)


def write(images: Sequence[Image], layers: Mapping[str, Layer], archive: Path, scratch: Path) -> None:
    """Write images to one archive; what they share is in it once."""
    files: dict[str, Path] = {}
    for name, layer in layers.items():
        files[name] = scratch / f"{name}.tar"
        layer.write(files[name])
    digests = {name: _sha256(file) for name, file in files.items()}
    with tarfile.open(archive, "w") as tar:
        for name, file in files.items():
            tar.add(file, f"{digests[name]}.tar")
        manifest = []
        for image in images:
            config = json.dumps(_config(image, digests)).encode()
            config_name = f"{hashlib.sha256(config).hexdigest()}.json"
            _add(tar, config_name, config)
            blobs = [f"{digests[name]}.tar" for name in image.layers]
            manifest.append({"Config": config_name, "RepoTags": [image.name], "Layers": blobs})
        _add(tar, "manifest.json", json.dumps(manifest).encode())


def _config(image: Image, digests: Mapping[str, str]) -> dict[str, t.Any]:
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": list(image.command), "Env": [f"{name}={value}" for name, value in image.env.items()]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digests[name]}" for name in image.layers]},
    }


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = kind, mode
    return entry


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
