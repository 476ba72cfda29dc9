# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as a real browser shows it: in light and dark, wide and narrow, on paper; screenshots go to build/page."""

from __future__ import annotations

import os
import re
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, browser
from evidence_builders import Json, audit, packs, unmet
from test_evidence_report import SURPLUS, sealed, spiked

from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import report

BUILD = Path(os.environ.get("NETGUARD_BUILD") or Path(__file__).resolve().parents[2] / "build")
OUT = BUILD / "page"
LOWEST_CONTRAST = 4.5  # WCAG 2 AA
GOOD = packs(2)
PAGES: dict[str, tuple[Json, Json | None]] = {
    "pass": (GOOD[1], GOOD[0]["facts"]),
    "not-probed": (sealed(probes=None), None),
    "fail": (sealed(audit={**unmet("api-server", "peers-"), "surplus": [SURPLUS]}, probes=None), GOOD[0]["facts"]),
    "empty": (sealed(audit=audit(pods=[], rules=[], flows=[])), None),
    "evil": (spiked("</style><script>document.title='evil'</script><img src=http://198.51.100.1/x>"), None),
    "long": (spiked("averylongname" * 30), None),
}
CONTRAST = """
(() => {
  const parse = text => (text.match(/[0-9.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = element => {
    for (let one = element; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour.length && (colour.length < 4 || colour[3] > 0)) return colour;
    }
    return [255, 255, 255];
  };
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || element.closest('style,title,desc,.skip')) continue;
    const drawn = element.closest('svg');
    const style = getComputedStyle(element);
    const front = light(parse(drawn ? style.fill : style.color)), back = light(ground(drawn ? drawn : element));
    const ratio = (Math.max(front, back) + .05) / (Math.min(front, back) + .05);
    const text = walker.currentNode.textContent.trim().slice(0, 40);
    if (ratio < LOWEST) bad.push(`${element.tagName} ${text} ${ratio}`);
  }
  return bad;
})()
""".replace("LOWEST", str(LOWEST_CONTRAST))
SPILLING = """
[...document.querySelectorAll('svg text')].filter(text => {
  const box = text.getBBox();
  const card = [...text.parentElement.children].find(one => one.tagName === 'rect');
  return card && (box.x + box.width > card.x.baseVal.value + card.width.baseVal.value
    || box.y + box.height > card.y.baseVal.value + card.height.baseVal.value);
}).map(text => text.textContent)
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all pages."""
    OUT.mkdir(parents=True, exist_ok=True)
    with browser(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, chromium: Browser) -> tuple[str, Browser]:
    """Each page, opened."""
    name: str = request.param
    path = OUT / f"{name}.html"
    pack, before = PAGES[name]
    files = report.files(pack, before)
    path.write_text(files["report.html"])
    (OUT / f"{name}.svg").write_text(files["flows.svg"])
    chromium.show()
    chromium.open(path)
    return name, chromium


Page = tuple[str, Browser]


def test_it_asks_nobody_for_anything_and_has_no_complaints(page: Page) -> None:
    name, chromium = page
    assert chromium.requests() == [(OUT / f"{name}.html").as_uri()]
    assert chromium.complaints() == []
    assert chromium.evaluate("document.title") != "evil"
    assert chromium.evaluate("document.compatMode") == "CSS1Compat"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_readable(page: Page, scheme: str, width: int) -> None:
    name, chromium = page
    chromium.show(width=width, scheme=scheme)
    chromium.screenshot(OUT / f"{name}-{scheme}-{width}.png")
    assert chromium.evaluate(CONTRAST) == []
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width


def test_light_and_dark_differ(chromium: Browser, page: Page) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        chromium.show(scheme=scheme)
        grounds.append(chromium.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]


def test_the_texts_of_the_picture_stay_in_their_boxes(page: Page) -> None:
    assert page[1].evaluate(SPILLING) == []


def test_the_verdict_is_the_first_that_is_seen(page: Page) -> None:
    top: t.Any = page[1].evaluate("document.querySelector('.verdict .word').getBoundingClientRect().bottom")
    assert top < 250


def test_it_prints_light_and_complete(page: Page) -> None:
    name, chromium = page
    chromium.show(scheme="dark", media="print")
    assert chromium.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert chromium.evaluate(CONTRAST) == []
    document = chromium.print(OUT / f"{name}.pdf")
    assert document.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", document)) >= 2


def test_it_can_be_read_aloud(page: Page) -> None:
    nodes = page[1].call("Accessibility.getFullAXTree")["nodes"]
    named = {
        (node["role"]["value"], (node.get("name") or {}).get("value", "")) for node in nodes if not node["ignored"]
    }
    roles = [role for role, _ in named]
    assert any(role in ("image", "img") and name for role, name in named)
    assert {"main", "navigation", "table", "columnheader", "rowheader", "heading"} <= set(roles)
    assert not [role for role, name in named if role in ("table", "link", "heading") and not name]
