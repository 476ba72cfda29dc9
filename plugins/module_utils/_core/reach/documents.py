# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes objects out of the text of a file: YAML with any number of documents, or JSON as the API returns it."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import Located


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
    # Deferred: the library comes with the kubernetes client, and JSON needs none.
    import yaml  # noqa: PLC0415

    loader: t.Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    number = 0
    try:
        while True:
            number += 1
            try:
                node = loader.get_node() if loader.check_node() else None
                document = None if node is None else loader.construct_document(node)
            except (yaml.YAMLError, ValueError, RecursionError) as error:
                raise _yaml_error(error, name, number) from error
            if node is None:
                return
            _refuse_repeated_keys(node, yaml, name, number)
            yield from _located(document, f"{name}, document {number}, line {node.start_mark.line + 1}")
    finally:
        loader.dispose()


def _located(document: t.Any, place: str) -> t.Iterator[Located]:
    """Objects of one document: one, a sequence of them, or none where it is empty."""
    if isinstance(document, list):
        yield from (Located(item, f"{place}, item {index}") for index, item in enumerate(document))
    elif document is not None:
        yield Located(document, place)


def _refuse_repeated_keys(root: t.Any, yaml: t.Any, name: str, number: int) -> None:
    """A key that is there twice would silently hide what the first one said."""
    waiting, known = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in known or isinstance(node, yaml.ScalarNode):
            continue
        known.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                    if key.value in keys:
                        raise _malformed(name, number, key.start_mark.line + 1, f"the key {key.value!r} is there twice")
                    keys.add(key.value)
                waiting.append(value)
        else:
            waiting += node.value


def _yaml_error(error: Exception, name: str, number: int) -> LockdownError:
    mark = getattr(error, "problem_mark", None)
    why = getattr(error, "problem", None) or str(error)
    return _malformed(name, number, mark.line + 1 if mark else 1, str(why))


def _malformed(name: str, document: int, line: int, why: str) -> LockdownError:
    return LockdownError(
        "malformed_file",
        f"Cannot read {name}, document {document}, line {line}",
        why,
        "Correct the file, or leave it out",
        details={"file": name, "document": document, "line": line},
    )
