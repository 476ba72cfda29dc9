# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubeconfig files with everything embedded, so that one file is all a test hands on."""

from __future__ import annotations

import base64
import typing as t
from pathlib import Path

import yaml

from lab.certificates import KeyPair, write_secret


def write(path: Path, *, server: str, authority: bytes, user: dict[str, t.Any], namespace: str = "default") -> Path:
    """Write a kubeconfig with one context, named lab, readable by its owner only."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": {"server": server, "certificate-authority-data": _text(authority)}}],
        "users": [{"name": "lab", "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab", "namespace": namespace}}],
    }
    write_secret(path, yaml.safe_dump(config, sort_keys=False).encode())
    return path


def certificate_user(pair: KeyPair) -> dict[str, t.Any]:
    return {"client-certificate-data": _text(pair.certificate), "client-key-data": _text(pair.key)}


def token_user(token: str) -> dict[str, t.Any]:
    return {"token": token}


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
