# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Definitions of objects as a user gives them: checked, with our labels, ready to be applied."""

from __future__ import annotations

import base64
import binascii
import math
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options, ownership, selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.objects.kinds import (
    KINDS,
    NAMESPACE,
    SECRET,
    Json,
    in_order,
    label_of,
)

_DEEPEST = 64
_METADATA = ("name", "namespace", "labels", "annotations")
_TEXT_KINDS = ("ConfigMap", SECRET)


def prepare(given: t.Sequence[t.Any], *, namespace: str, instance: str) -> list[Json]:
    """The definitions in the order in which they are written, or an error that names the place."""
    prepared = [_prepare(item, namespace, instance, f"definitions[{index}]") for index, item in enumerate(given)]
    labels = [label_of(item) for item in prepared]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise _invalid("definitions", f"{', '.join(twice)} is defined twice")
    return t.cast("list[Json]", in_order(prepared))


def _prepare(given: t.Any, namespace: str, instance: str, where: str) -> Json:
    definition = options.mapping(given, where)
    kind = definition.get("kind")
    if not isinstance(kind, str) or kind not in KINDS or definition.get("apiVersion") != KINDS[kind].api_version:
        known = ", ".join(f"{name} ({each.api_version})" for name, each in KINDS.items())
        raise _invalid(where, f"kind {kind!r} of {definition.get('apiVersion')!r} is not one of: {known}")
    metadata = options.mapping(definition.get("metadata"), f"{where}.metadata")
    name = options.object_name(metadata.get("name"), f"{where}.metadata.name")
    where = f"{where} ({kind} {name})"
    options.reject_unknown(metadata, _METADATA, f"{where}.metadata")
    if "status" in definition:
        raise _invalid(where, "status is written by controllers")
    _check_place(kind, metadata, namespace, instance, where)
    made: Json = {**_plain(definition, where), "metadata": _metadata(kind, metadata, namespace, instance, where)}
    return _with_texts(made, where) if kind in _TEXT_KINDS else made


def _check_place(kind: str, metadata: Json, namespace: str, instance: str, where: str) -> None:
    given = metadata["name"] if kind == NAMESPACE else metadata.get("namespace")
    if given not in (None, namespace):
        raise _invalid(where, f"it is for namespace {given!r}, and the task for {namespace!r}")
    if kind == "ConfigMap" and metadata["name"] == f"netguard-lockdown-{instance}":
        raise _invalid(where, "that name belongs to the undo record of the instance")


def _metadata(kind: str, metadata: Json, namespace: str, instance: str, where: str) -> Json:
    made: Json = {"name": metadata["name"]}
    if kind != NAMESPACE:
        made["namespace"] = namespace
    for field in ("labels", "annotations"):
        part = _texts(metadata.get(field), f"{where}.metadata.{field}")
        if part:
            made[field] = part
    made["labels"] = {**made.get("labels", {}), **ownership.labels_for(instance)}
    selectors.validate({"matchLabels": made["labels"]}, f"{where}.metadata.labels")
    return made


def _with_texts(definition: Json, where: str) -> Json:
    """A ConfigMap or Secret with valid values. No message quotes one, for it may be a password."""
    data = _texts(definition.get("data"), f"{where}.data")
    if definition["kind"] == SECRET:
        data = {key: _canonical(value, f"{where}.data[{key}]") for key, value in data.items()}
        plain = _texts(definition.pop("stringData", None), f"{where}.stringData")
        data.update({key: base64.b64encode(value.encode()).decode() for key, value in plain.items()})
    return {**definition, "data": data} if data else definition


def _canonical(value: str, where: str) -> str:
    try:
        return base64.b64encode(base64.b64decode("".join(value.split()), validate=True)).decode()
    except (binascii.Error, ValueError):
        # Without the cause, which would carry the value.
        raise _invalid(where, "it is not base64; text that is not encoded belongs into stringData") from None


def _texts(value: t.Any, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, t.Mapping):
        raise _invalid(where, f"it is a {type(value).__name__}, not a mapping of text to text")
    odd = [key for key, item in value.items() if not (isinstance(key, str) and isinstance(item, str))]
    if odd:
        raise _invalid(where, f"the value of {odd[0]} is a {type(value[odd[0]]).__name__}, not a text: quote it")
    return dict(value)


def _plain(value: t.Any, where: str, depth: int = 0) -> t.Any:
    """The value as JSON has it, without keys that hold null: to Kubernetes they are the same as absent ones."""
    if depth > _DEEPEST:
        raise _invalid(where[:100], f"it nests more than {_DEEPEST} levels, which no object of Kubernetes does")
    if isinstance(value, t.Mapping):
        return {str(key): _plain(item, f"{where}.{key}", depth + 1) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, str):
        return _encodable(value, where)
    if isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise _invalid(where, f"it is a {type(value).__name__}, which JSON has no form for: quote it")


def _encodable(value: str, where: str) -> str:
    """The text itself. One that was cut within a character has no form in UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _invalid(where, "it holds half of a character, which UTF-8 has no form for") from None
    return value


def _invalid(where: str, why: str) -> LockdownError:
    return LockdownError("invalid_definition", f"Invalid definition in {where}", why, "Correct the definition")
