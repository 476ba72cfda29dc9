# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes objects out of the text of a file: YAML with any number of documents, or JSON as the API returns it."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import Located
from ansible_collections.netguard.lockdown.plugins.module_utils._core.yaml_text import YamlTextError, documents


def parse(text: str, name: str) -> t.Iterator[Located]:
    """Yield the objects of a file; raise for text that is neither YAML nor JSON, with document and line."""
    if text.lstrip()[:1] == "{":
        document = _json(text, name)
        if document is not None:
            yield Located(document, name)
            return
    yield from _yaml(text, name)


def _json(text: str, name: str) -> t.Any:
    """The document; None where the text is YAML in braces and no JSON."""
    try:
        return json.loads(text)
    except ValueError as error:
        if name.endswith(".json"):
            raise _malformed(name, 1, getattr(error, "lineno", 1), str(error)) from error
        return None


def _yaml(text: str, name: str) -> t.Iterator[Located]:
    number = 1
    try:
        for document, line in documents(text):
            yield from _located(document, f"{name}, document {number}, line {line}")
            number += 1
    except YamlTextError as error:
        raise _malformed(name, number, error.line, error.why) from error


def _located(document: t.Any, place: str) -> t.Iterator[Located]:
    """Objects of one document: one, a sequence of them, or none where it is empty."""
    if isinstance(document, list):
        yield from (Located(item, f"{place}, item {index}") for index, item in enumerate(document))
    elif document is not None:
        yield Located(document, place)


def _malformed(name: str, document: int, line: int, why: str) -> LockdownError:
    return LockdownError(
        "malformed_file",
        f"Cannot read {name}, document {document}, line {line}",
        why,
        "Correct the file, or leave it out",
        details={"file": name, "document": document, "line": line},
    )
