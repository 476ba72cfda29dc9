# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTML, SVG and XML that cannot be broken out of: every text is escaped unless it is markup already."""

from __future__ import annotations

import re
import typing as t
from html import escape

# No XML may hold control characters, and those that turn the direction of writing make a page say something else.
_NOT_SHOWN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_VOID = {"br", "col", "link", "meta", "wbr"}


class Markup(str):
    """A text that is markup: made by this module, never by a cast of what came in."""

    __slots__ = ()


Child = t.Union[str, int, None, t.Iterable["Child"]]  # noqa: UP007
Attribute = t.Union[str, int, float, bool, None]  # noqa: UP007


def clean(text: str) -> str:
    """The text without characters that no page can show as what they are."""
    return _NOT_SHOWN.sub(_REPLACEMENT, text)


def el(tag: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """An element. `class_` is `class`, an inner underscore is a hyphen; None and False leave an attribute out."""
    opening = f"<{tag}{''.join(_attributes(attributes))}>"
    if tag in _VOID:
        return Markup(opening)
    return Markup(f"{opening}{''.join(_flat(children))}</{tag}>")


def join(*children: Child) -> Markup:
    return Markup("".join(_flat(children)))


def constant(text: str) -> Markup:
    """Markup that stands in the source, such as a style sheet."""
    return Markup(text)


def _attributes(attributes: t.Mapping[str, Attribute]) -> t.Iterator[str]:
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        plain = name.rstrip("_").replace("_", "-")
        yield f" {plain}" if value is True else f' {plain}="{escape(clean(str(value)))}"'


def _flat(children: t.Iterable[Child]) -> t.Iterator[str]:
    for child in children:
        if isinstance(child, Markup):
            yield child
        elif isinstance(child, (str, int)):
            yield escape(clean(str(child)), quote=False)
        elif child is not None:
            yield from _flat(child)
