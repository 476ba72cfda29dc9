# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error type of this collection: what failed, why, and what to do next."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class ObjectRef:
    """A Kubernetes object, precise enough to find it again."""

    kind: str
    name: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        name = f"{self.namespace}/{self.name}" if self.namespace and self.name else self.name
        if not name:
            return f"{self.kind} in namespace {self.namespace}" if self.namespace else self.kind
        return f"{self.kind} {name}"

    def as_dict(self) -> dict[str, str]:
        return {"kind": self.kind, "namespace": self.namespace, "name": self.name}


class LockdownError(Exception):
    """A failure that a user can act on.

    `code` is stable and machine-readable; `what`, `why` and `next_step` are sentences without
    a final full stop; `details` holds the same facts as data.
    """

    def __init__(
        self,
        code: str,
        what: str,
        why: str,
        next_step: str,
        *,
        obj: ObjectRef | None = None,
        details: t.Mapping[str, t.Any] | None = None,
    ) -> None:
        super().__init__(f"{what}: {why}. {next_step}.")
        self.code = code
        self.what = what
        self.why = why
        self.next_step = next_step
        self.obj = obj
        self.details = dict(details or {})

    def as_result(self) -> dict[str, t.Any]:
        """The structured form that a module returns as `failure`."""
        return {
            "code": self.code,
            "what": self.what,
            "why": self.why,
            "next_step": self.next_step,
            "object": self.obj.as_dict() if self.obj else None,
            "details": self.details,
        }
