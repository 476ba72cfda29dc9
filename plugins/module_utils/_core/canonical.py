# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One byte form for equal data, and its digest."""

from __future__ import annotations

import hashlib
import json
import typing as t


def canonical_json(value: t.Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: t.Any) -> str:
    """SHA-256 over the canonical form, as `sha256:HEX`."""
    return "sha256:" + hashlib.sha256(canonical_json(value).encode()).hexdigest()
