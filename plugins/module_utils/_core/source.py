# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a resolved fact comes from, precise enough for an auditor to find it again."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

Raw = t.Mapping[str, t.Any]


def metadata(raw: Raw) -> Raw:
    """The object's metadata; empty where the API server sent none."""
    return raw.get("metadata") or {}


@dataclass(frozen=True)
class Source:
    """A Kubernetes object in the state in which it was read."""

    kind: str
    api_version: str
    namespace: str
    name: str
    uid: str
    resource_version: str

    @classmethod
    def of(cls, raw: Raw) -> Source:
        meta = metadata(raw)
        return cls(
            kind=raw.get("kind", ""),
            api_version=raw.get("apiVersion", ""),
            namespace=meta.get("namespace", ""),
            name=meta.get("name", ""),
            uid=meta.get("uid", ""),
            resource_version=meta.get("resourceVersion", ""),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    def as_dict(self) -> dict[str, str]:
        return asdict(self)
