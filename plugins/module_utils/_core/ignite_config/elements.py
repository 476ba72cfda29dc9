# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""XML as plain elements, read so that the text can have no effect but to be read.

A document type declaration is what entities, bombs and requests need; it is refused. Size and depth are bounded.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from xml.parsers import expat

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

# As much as a ConfigMap can hold.
LARGEST = 1024 * 1024
_DEEPEST = 64
_SEPARATOR = "\n"  # no URI holds one


@dataclass(frozen=True)
class Element:
    """An element with its namespace; names of attributes that have a namespace are (namespace, name) in `qualified`."""

    name: str
    line: int
    space: str = ""
    attributes: t.Mapping[str, str] = field(default_factory=dict)
    qualified: t.Mapping[tuple[str, str], str] = field(default_factory=dict)
    text: str = ""
    children: tuple[Element, ...] = ()


def parse(data: str | bytes, where: str) -> Element:
    """The root element.

    :arg data: bytes have the encoding that they declare; a text was decoded already, whatever it declares.
    :arg where: the document, for messages.
    """
    if len(data) > LARGEST:
        raise _refused("oversized_xml", where, f"it is larger than {LARGEST} bytes", "Give Ignite's own configuration")
    reader = _Reader(where, "utf-8" if isinstance(data, str) else None)
    try:
        return reader.read(data.encode() if isinstance(data, str) else data)
    except expat.ExpatError as error:
        why = f"{expat.ErrorString(error.code)} in line {error.lineno}, column {error.offset + 1}"
        raise _refused("malformed_xml", where, why, "Correct the XML") from error
    except (ValueError, LookupError) as error:
        raise _refused("malformed_xml", where, "its encoding cannot be read", "Save it as UTF-8") from error


class _Reader:
    def __init__(self, where: str, encoding: str | None) -> None:
        self._where = where
        self._open: list[_Open] = []
        self._root: Element | None = None
        self._parser = expat.ParserCreate(encoding, _SEPARATOR)
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters

    def read(self, data: bytes) -> Element:
        self._parser.Parse(data, True)
        if self._root is None:
            raise _refused("malformed_xml", self._where, "it holds no element", "Correct the XML")
        return self._root

    def _doctype(self, *_names: t.Any) -> None:
        why = f"line {self._parser.CurrentLineNumber} declares a document type, through which it could define entities"
        raise _refused("unsafe_xml", self._where, why, "Remove the DOCTYPE; Spring's schema does without")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= _DEEPEST:
            raise _refused("oversized_xml", self._where, f"it nests more than {_DEEPEST} elements", "Simplify the XML")
        self._open.append(_Open(name, attributes, self._parser.CurrentLineNumber))

    def _end(self, _name: str) -> None:
        element = self._open.pop().close()
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element

    def _characters(self, text: str) -> None:
        self._open[-1].text.append(text)


@dataclass
class _Open:
    name: str
    attributes: dict[str, str]
    line: int
    text: list[str] = field(default_factory=list)
    children: list[Element] = field(default_factory=list)

    def close(self) -> Element:
        space, _separator, name = self.name.rpartition(_SEPARATOR)
        qualified = {(key.partition(_SEPARATOR)[0], key.partition(_SEPARATOR)[2]): value
                     for key, value in self.attributes.items() if _SEPARATOR in key}  # fmt: skip
        return Element(
            name=name,
            line=self.line,
            space=space,
            attributes={key: value for key, value in self.attributes.items() if _SEPARATOR not in key},
            qualified=qualified,
            text="".join(self.text).strip(),
            children=tuple(self.children),
        )


def _refused(code: str, where: str, why: str, next_step: str) -> LockdownError:
    return LockdownError(code, f"Cannot read {where}", why, next_step)
