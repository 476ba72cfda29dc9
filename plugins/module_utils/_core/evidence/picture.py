# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of the flows: who may reach the pods on the left, what they may reach on the right.

It is drawn with estimated widths, so that it needs no font metrics and equal input gives equal bytes.
"""

from __future__ import annotations

import typing as t
import unicodedata
from dataclasses import dataclass, replace

from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.markup import Markup, constant, el, join
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.words import Party

MET, UNMET, UNKNOWN, SURPLUS = "met", "unmet", "unknown", "surplus"

_WIDTH = 1120
_CARD, _CENTRE, _PAD = 360, 248, 14
_LEFT, _RIGHT = 0, _WIDTH - _CARD
_MIDDLE = (_WIDTH - _CENTRE) // 2
_LINE, _SPACE, _GAP, _TOP = 17, 7, 16, 34
_MARK = 18
_MANY = 8

# Widths of glyphs in parts of the font size, on the safe side for the fonts of the style.
_WIDE, _UPPER, _NORMAL, _NARROW = 0.98, 0.74, 0.61, 0.36
_NARROW_LETTERS, _WIDE_LETTERS = set("fijlrt.,:;!'|()[]-/ "), set("mwMW@%")
_SIZES = {"title": 15.5, "port": 14.0, "": 13.0, "soft": 12.0}

_MARKS = {MET: "✓", UNMET: "✗", UNKNOWN: "?", SURPLUS: "!"}

STYLE = """
.flows{--ink:#1c2430;--soft:#5b6675;--line:#c9d0da;--card:#ffffff;--core:#eef3fb;--core-line:#4a6fa5;--good:#1f7a4d;
--bad:#b3261e;--unsure:#8a5a00;font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif;
font-size:13px}
@media (prefers-color-scheme:dark){.flows{--ink:#e7ebf1;--soft:#9aa6b6;--line:#3a4553;--card:#1b222c;--core:#1c2a3d;
--core-line:#7ea6dd;--good:#63c795;--bad:#ff8a80;--unsure:#f0b955}}
@media print{.flows{--ink:#000;--soft:#444;--line:#999;--card:#fff;--core:#f3f6fb;--core-line:#4a6fa5;--good:#1f6b45;
--bad:#a31e17;--unsure:#7a5000}}
.flows text{fill:var(--ink)}
.flows .soft{fill:var(--soft);font-size:12px}
.flows .head{fill:var(--soft);font-size:12px;font-weight:600;letter-spacing:.04em}
.flows .title{font-weight:600;font-size:14px}
.flows .port{font-weight:600;font-variant-numeric:tabular-nums}
.flows .card{fill:var(--card);stroke:var(--line)}
.flows .core{fill:var(--core);stroke:var(--core-line);stroke-width:1.5}
.flows .way{fill:none;stroke:var(--good);stroke-width:1.8}
.flows .tip{fill:var(--good)}
.flows .unmet.way{stroke:var(--bad);stroke-dasharray:2 5}
.flows .unmet.tip{fill:var(--bad)}
.flows .unknown.way{stroke:var(--unsure);stroke-dasharray:7 4}
.flows .unknown.tip{fill:var(--unsure)}
.flows .surplus.way{stroke:var(--bad);stroke-width:2.4}
.flows .surplus.tip{fill:var(--bad)}
.flows .surplus.card{stroke:var(--bad);stroke-dasharray:6 4}
.flows .met.mark{fill:var(--good)}
.flows .unmet.mark,.flows .surplus.mark{fill:var(--bad)}
.flows .unknown.mark{fill:var(--unsure)}
.flows .mark{font-weight:700}
"""


@dataclass(frozen=True)
class Way:
    """One line of the picture: a port with its reason, and whether the policies allow it.

    :arg inward: whether the connection is opened towards the pods in the middle.
    """

    party: Party
    inward: bool
    among: bool
    port: str
    reason: str
    status: str


@dataclass(frozen=True)
class _Line:
    text: str
    style: str
    mark: str = ""

    @property
    def height(self) -> int:
        return _LINE + (_SPACE if self.mark or not self.text else 0)


@dataclass(frozen=True)
class _Card:
    """A box with its lines; `ways` are the arrows that lead from or to it, as (inward, status)."""

    lines: tuple[_Line, ...]
    ways: tuple[tuple[bool, str], ...]
    surplus: bool = False

    @property
    def height(self) -> int:
        return 2 * _PAD + sum(line.height for line in self.lines) - 4


def draw(title: str, core: Party, members: t.Sequence[str], ways: t.Sequence[Way], ground: str) -> Markup:
    """The whole picture as one SVG element.

    :arg core: the pods in the middle.
    :arg members: their names.
    :arg ground: what becomes of all other traffic, in a few words.
    """
    outer = [way for way in ways if not way.among]
    inward = {way.party for way in outer if way.inward}
    left = _cards([way for way in outer if way.party in inward])
    right = _cards([way for way in outer if way.party not in inward])
    centre = _centre(core, members, [way for way in ways if way.among], ground)
    height = max(_stack(left), _stack(right), centre.height) + _TOP + 8
    top = _TOP + (height - _TOP - 8 - centre.height) // 2
    parts = [
        el("title", title),
        el("desc", _told(core, ways, ground)),
        el("style", constant(STYLE)),
        _text(_LEFT, 16, "MAY REACH THE SERVERS", "head"),
        _text(_MIDDLE, 16, "SERVERS", "head"),
        _text(_RIGHT, 16, "THE SERVERS MAY REACH", "head"),
        *_column(left, _LEFT, height, (top, centre.height), towards=_MIDDLE),
        *_column(right, _RIGHT, height, (top, centre.height), towards=_MIDDLE + _CENTRE),
        _box(centre, _MIDDLE, top, _CENTRE, "core"),
    ]
    return el(
        "svg",
        parts,
        xmlns="http://www.w3.org/2000/svg",
        class_="flows",
        viewBox=f"0 0 {_WIDTH} {height}",
        width=_WIDTH,
        height=height,
        role="img",
        aria_label=title,
    )


def standalone(picture: Markup) -> str:
    """The picture as a file of its own."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{picture}\n'


def _told(core: Party, ways: t.Sequence[Way], ground: str) -> str:
    """The picture in words, for those who do not see it."""
    told = [f"{_verb(way)} {way.port}: {way.reason} ({_STATUS[way.status]})." for way in ways]
    return f"{core}. {' '.join(told)} {ground}."


_STATUS = {MET: "allowed", UNMET: "needed, not allowed", UNKNOWN: "not certain", SURPLUS: "allowed, not needed"}


def _verb(way: Way) -> str:
    if way.among:
        return "Among the servers"
    return f"From {way.party}" if way.inward else f"To {way.party}"


def _cards(ways: t.Sequence[Way]) -> list[_Card]:
    """One card for each party, those that nothing needs last."""
    parties = list(dict.fromkeys(way.party for way in ways))
    cards = [_card(party, [way for way in ways if way.party == party]) for party in parties]
    return sorted(cards, key=lambda card: card.surplus)


def _card(party: Party, ways: t.Sequence[Way]) -> _Card:
    lines = [*_wrapped(party.title, _CARD, "title"), *_wrapped(party.detail, _CARD, "soft")]
    both = len({way.inward for way in ways}) > 1
    for way in ways:
        arrow = ("→ " if way.inward else "← ") if both else ""
        lines += _line_of(way, arrow, _CARD)
    directions = dict.fromkeys((way.inward, way.status) for way in ways)
    return _Card(tuple(lines), tuple(directions), all(way.status == SURPLUS for way in ways))


def _line_of(way: Way, arrow: str, width: int) -> t.Iterator[_Line]:
    """The port with its mark, and the reason below it."""
    for number, line in enumerate(_wrapped(f"{arrow}{way.port}", width - _MARK, "port")):
        yield replace(line, mark="" if number else way.status)
    yield from _wrapped(way.reason, width, "soft")


def _centre(core: Party, members: t.Sequence[str], among: t.Sequence[Way], ground: str) -> _Card:
    lines = [*_wrapped(core.title, _CENTRE, "title"), *_wrapped(core.detail, _CENTRE, "soft")]
    lines += [line for name in members[:_MANY] for line in _wrapped(name, _CENTRE, "")]
    if len(members) > _MANY:
        lines.append(_Line(f"and {len(members) - _MANY} more", "soft"))
    if not members:
        lines.append(_Line("no pod matches", "soft"))
    if among:
        lines += [_Line("", ""), _Line("⇄ among themselves", "soft")]
    for way in among:
        lines += _line_of(way, "", _CENTRE)
    lines += [_Line("", ""), *_wrapped(ground, _CENTRE, "soft")]
    return _Card(tuple(lines), ())


def _wrapped(text: str, width: int, style: str) -> list[_Line]:
    """Lines that fit into a box of this width; a word that is longer is broken."""
    lines = [""]
    room = (width - 2 * _PAD) / _SIZES[style]
    for word in text.split():
        if lines[-1] and _measure(f"{lines[-1]} {word}") > room:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
        while _measure(lines[-1]) > room:
            fits = next(n for n in range(len(lines[-1]), 0, -1) if n == 1 or _measure(lines[-1][:n]) <= room)
            lines[-1:] = [lines[-1][:fits], lines[-1][fits:]]
    return [_Line(line, style) for line in lines if line]


def _measure(text: str) -> float:
    """The width of a text in parts of the font size."""
    return sum(map(_glyph, text))


def _glyph(letter: str) -> float:
    if letter in _NARROW_LETTERS:
        return _NARROW
    if letter in _WIDE_LETTERS or unicodedata.east_asian_width(letter) in "WF":
        return _WIDE
    return _UPPER if letter.isupper() or not letter.isascii() else _NORMAL


def _stack(cards: t.Sequence[_Card]) -> int:
    return sum(card.height for card in cards) + _GAP * max(0, len(cards) - 1)


def _column(
    cards: t.Sequence[_Card], left: int, height: int, core: tuple[int, int], *, towards: int
) -> t.Iterator[Markup]:
    """The cards of one side, and the arrows between them and the middle, which end spread over its side."""
    y = _TOP + (height - _TOP - 8 - _stack(cards)) // 2
    arrows = sum(len(card.ways) for card in cards)
    number = 0
    for card in cards:
        for index, (inward, status) in enumerate(card.ways):
            number += 1
            outer = left + _CARD if left < towards else left
            here = y + card.height * (index + 1) // (len(card.ways) + 1)
            there = core[0] + core[1] * number // (arrows + 1)
            yield _arrow((outer, here), (towards, there), inward=inward, status=status)
        yield _box(card, left, y, _CARD, "surplus card" if card.surplus else "card")
        y += card.height + _GAP


def _arrow(outer: tuple[int, int], inner: tuple[int, int], *, inward: bool, status: str) -> Markup:
    """A curve with its tip at the end towards which the connection is opened."""
    (x0, y0), (x1, y1) = (outer, inner) if inward else (inner, outer)
    step = 1 if x1 > x0 else -1
    end, bend = x1 - 9 * step, (x0 + x1) // 2
    curve = f"M{x0} {y0}C{bend} {y0} {bend} {y1} {end} {y1}"
    tip = f"M{x1} {y1}L{x1 - 10 * step} {y1 - 5}V{y1 + 5}Z"
    return join(el("path", d=curve, class_=f"{status} way"), el("path", d=tip, class_=f"{status} tip"))


def _box(card: _Card, left: int, top: int, width: int, style: str) -> Markup:
    parts = [el("rect", x=left + 1, y=top, width=width - 2, height=card.height, rx=8, class_=style)]
    y = top + _PAD - 7
    for line in card.lines:
        x, y = left + _PAD, y + line.height
        if line.mark:
            parts.append(_text(x, y, _MARKS[line.mark], f"{line.mark} mark"))
            x += _MARK
        parts.append(_text(x, y, line.text, line.style))
    return el("g", parts)


def _text(x: int, y: int, text: str, style: str) -> Markup:
    return el("text", text, x=x, y=y, class_=style or None)
