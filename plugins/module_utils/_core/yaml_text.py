# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML documents out of a text; a key that is there twice is an error."""

from __future__ import annotations

import typing as t


class YamlTextError(Exception):
    """Why a text is not YAML, and in which line."""

    def __init__(self, why: str, line: int) -> None:
        super().__init__(why)
        self.why = why
        self.line = line


def documents(text: str) -> t.Iterator[tuple[t.Any, int]]:
    """Yield each document with the line that it starts in."""
    # Deferred: the library comes with the kubernetes client, and not every run reads YAML.
    import yaml  # noqa: PLC0415

    # Of Ansible's own kinds of text the C parser takes none: what they are joined to is a plain one.
    loader: t.Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)("".join(text))
    try:
        while True:
            try:
                node = loader.get_node() if loader.check_node() else None
                document = None if node is None else loader.construct_document(node)
            except (yaml.YAMLError, ValueError, RecursionError) as error:
                raise _error(error) from error
            if node is None:
                return
            _refuse_repeated_keys(node, yaml)
            yield document, node.start_mark.line + 1
    finally:
        loader.dispose()


def _refuse_repeated_keys(root: t.Any, yaml: t.Any) -> None:
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
                        raise YamlTextError(f"the key {key.value!r} is there twice", key.start_mark.line + 1)
                    keys.add(key.value)
                waiting.append(value)
        else:
            waiting += node.value


def _error(error: Exception) -> YamlTextError:
    mark = getattr(error, "problem_mark", None)
    return YamlTextError(str(getattr(error, "problem", None) or error), mark.line + 1 if mark else 1)
