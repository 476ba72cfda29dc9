# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values in the plain types of JSON, and one byte form for them.

What comes through templates carries the template engine's own types; what cannot be told again in the
same bytes (NaN, lone surrogates, keys that are no texts) has no place in evidence.
"""

from __future__ import annotations

import json
import math
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.canonical import canonical_json
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

Json = dict[str, t.Any]


def plain(value: t.Any, where: str) -> t.Any:
    """The value in JSON's own types, or an error that names the place of what has none."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _number(value, where)
    if isinstance(value, t.Mapping):
        return {_key(key, where): plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise _invalid(where, f"a {type(value).__name__} has no form in JSON")


def mapping(value: t.Any, where: str) -> Json:
    found = plain(value, where)
    if not isinstance(found, dict):
        raise _invalid(where, "it is not a mapping")
    return found


def file_text(value: Json) -> str:
    """The bytes that a file of evidence has."""
    return canonical_json(value) + "\n"


def parse(text: str) -> Json:
    """A mapping from JSON text. Raises ValueError for anything else, and for a key that is given twice."""
    found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    if not isinstance(found, dict):
        raise ValueError("it is not a mapping")
    return found


def _once(pairs: list[tuple[str, t.Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _value in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} is given twice")
    return found


def _no_constant(word: str) -> t.Any:
    raise ValueError(f"{word} is not JSON")


def _text(value: str, where: str) -> str:
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _invalid(where, "it holds half of a character (a lone surrogate)") from error
    return text


def _key(key: t.Any, where: str) -> str:
    if not isinstance(key, str):
        raise _invalid(where, f"key {key!r} is not a text")
    return _text(key, where)


def _number(value: float, where: str) -> float:
    if not math.isfinite(value):
        raise _invalid(where, f"{value} is not a number")
    return float(value)


def _invalid(where: str, why: str) -> LockdownError:
    return LockdownError("invalid_evidence", f"Cannot take {where} into evidence", why, f"Correct {where}")
