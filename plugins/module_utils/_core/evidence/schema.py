# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of JSON Schema (2020-12) that the schema of the evidence pack uses.

A library for it would be a dependency for one file. A keyword that is not known here is an error, so that
the schema cannot ask for what nobody checks.
"""

from __future__ import annotations

import re
import typing as t

Json = dict[str, t.Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_SILENT = {"$schema", "$id", "$defs", "$comment", "title", "description"}


def violations(value: t.Any, schema: Json) -> list[str]:
    """Sentences, each with the place in the value; empty if the value is as the schema says."""
    return list(_check(value, schema, schema, "$"))


def _check(value: t.Any, schema: Json, root: Json, where: str) -> t.Iterator[str]:
    for keyword, wanted in schema.items():
        if keyword in _SILENT:
            continue
        yield from _KEYWORDS[keyword](value, wanted, schema, root, where)


def _ref(value: t.Any, wanted: str, schema: Json, root: Json, where: str) -> t.Iterator[str]:
    yield from _check(value, root["$defs"][wanted.removeprefix("#/$defs/")], root, where)


def _type(value: t.Any, wanted: t.Any, schema: Json, root: Json, where: str) -> t.Iterator[str]:
    names = [wanted] if isinstance(wanted, str) else wanted
    if not any(_is(value, name) for name in names):
        yield f"{where} is not {' or '.join(names)}"


def _is(value: t.Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES[name])


def _enum(value: t.Any, wanted: list[t.Any], schema: Json, root: Json, where: str) -> t.Iterator[str]:
    if value not in wanted:
        yield f"{where} is none of {', '.join(map(repr, wanted))}"


def _const(value: t.Any, wanted: t.Any, schema: Json, root: Json, where: str) -> t.Iterator[str]:
    if value != wanted or isinstance(value, bool) != isinstance(wanted, bool):
        yield f"{where} is not {wanted!r}"


def _pattern(value: t.Any, wanted: str, schema: Json, root: Json, where: str) -> t.Iterator[str]:
    if isinstance(value, str) and not re.search(wanted, value):
        yield f"{where} does not look like {wanted}"


def _minimum(value: t.Any, wanted: int, schema: Json, root: Json, where: str) -> t.Iterator[str]:
    if _is(value, "number") and value < wanted:
        yield f"{where} is less than {wanted}"


def _maximum(value: t.Any, wanted: int, schema: Json, root: Json, where: str) -> t.Iterator[str]:
    if _is(value, "number") and value > wanted:
        yield f"{where} is more than {wanted}"


def _min_length(value: t.Any, wanted: int, schema: Json, root: Json, where: str) -> t.Iterator[str]:
    if isinstance(value, str) and len(value) < wanted:
        yield f"{where} is shorter than {wanted}"


def _required(value: t.Any, wanted: list[str], schema: Json, root: Json, where: str) -> t.Iterator[str]:
    if isinstance(value, dict):
        yield from (f"{where}.{name} is missing" for name in wanted if name not in value)


def _properties(value: t.Any, wanted: Json, schema: Json, root: Json, where: str) -> t.Iterator[str]:
    if isinstance(value, dict):
        for name, inner in wanted.items():
            if name in value:
                yield from _check(value[name], inner, root, f"{where}.{name}")


def _additional(value: t.Any, wanted: t.Any, schema: Json, root: Json, where: str) -> t.Iterator[str]:
    if isinstance(value, dict):
        for name in sorted(set(value) - set(schema.get("properties", ()))):
            if wanted is False:
                yield f"{where}.{name} is not foreseen"
            elif isinstance(wanted, dict):
                yield from _check(value[name], wanted, root, f"{where}.{name}")


def _items(value: t.Any, wanted: Json, schema: Json, root: Json, where: str) -> t.Iterator[str]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check(item, wanted, root, f"{where}[{index}]")


_Keyword = t.Callable[[t.Any, t.Any, Json, Json, str], t.Iterator[str]]
_KEYWORDS: dict[str, _Keyword] = {
    "$ref": _ref,
    "type": _type,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
    "minimum": _minimum,
    "maximum": _maximum,
    "minLength": _min_length,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
    "items": _items,
}
