# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report in all its forms: what it says, and that no text can break out of it."""

from __future__ import annotations

import csv
import io
import json
import re
import typing as t
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from evidence_builders import Json, audit, canary, cell, flown, inputs, packs, probes, run, unmet
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import (
    facts,
    markup,
    pack,
    report,
    texts,
    words,
)

SVG = "{http://www.w3.org/2000/svg}"
FORMS = {"report.html", "report.md", "flows.svg", "matrix.csv", "junit.xml", "report.sarif"}
VOID = {"meta", "link", "br", "wbr", "col"}
EVIL = [
    "</title></style></script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "]]><x>",
    "&lt;b&gt; &amp; &#60;",
    '=HYPERLINK("http://198.51.100.1")',
    "+1|2",
    "@SUM(A1)",
    "-2+3",
    "| a | b |",
    "[x](http://198.51.100.1)",
    "<!-- --> {{ x }} {% raw %}",
    "a\x00\x1b[31m\u202eevil\ufffe",
    "two\nlines\r\nand\ttabs",
]  # fmt: skip
SURPLUS: Json = {
    "subject": "all 2 pods of cache-ns", "direction": "egress", "peer": "nearly every IPv4 address", "exists": True,
    "protocol": "TCP", "ports": "1-65535", "by": [], "because": "no policy isolates these pods for egress",
}  # fmt: skip


def sealed(**changed: t.Any) -> Json:
    collected = facts.collect(facts.Inputs.read(inputs(**changed), accept_not_probed=False))
    return pack.seal(collected, run(), None)


def spiked(text: str) -> Json:
    """A pack with this text wherever people or clusters name things."""
    found = audit(
        verdict="fail",
        surplus=[{**SURPLUS, "peer": text, "subject": text, "because": text}],
        missing=[{**SURPLUS, "flow": text, "reason": text, "side": "own", "because": text}],
        drift=[{"class": "hand_edit", "policy": text, "sentence": text, "gains": [text], "losses": []}],
        foreign=[{"kind": "NetworkPolicy", "namespace": "x", "name": text, "pods": [text], "effect": "widens",
                  "adds": True, "because": text}],
        grace=[{"address": text, "port": 1, "vanished_at": text, "until": text, "allowed": True}],
        findings=[{"id": "other", "severity": text, "where": text, "sentence": text, "mitigation": text}],
        inconclusive_because=[text],
        engine={"profile": text, "notes": [text, {"a": text}]},
    )  # fmt: skip
    found["flows"][0].update(reason=text, id=text, met=False)
    found["rules"][0].update(policy=text, flows=[text])
    found["pods"][0].update(name=text, node=text, policies=[text])
    seen = cell(text, verdict="fail", why=text, observed=text)
    seen["to"] = {"kind": text, "name": text, "address": text, "port": 1, "protocol": "TCP"}
    return sealed(
        audit=found,
        probes=probes(verdict="fail", cells=[seen], skipped=[text]),
        profile=text,
        canary=canary(flown(text, "inconclusive", image=text, like=text, reasons=[text], connections=[
            {"kind": text, "before": text, "after": text}
        ])),
    )  # fmt: skip


class Page(HTMLParser):
    """What a browser would make of the page: tags that are open, ids, references, texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.headings: list[int] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


GOOD = packs(2)
PAGE = report.files(GOOD[1], GOOD[0]["facts"])["report.html"]


def test_the_same_pack_gives_the_same_bytes() -> None:
    again = json.loads(json.dumps(GOOD[1]))
    assert report.files(again, GOOD[0]["facts"]) == report.files(GOOD[1], GOOD[0]["facts"])
    assert set(report.files(GOOD[0])) == FORMS


def test_the_verdict_comes_first() -> None:
    assert PAGE.index(">Pass<") < PAGE.index("<nav")
    assert "Ignite can talk to what it needs and to nothing else; probes between the real pods confirm it." in PAGE
    assert "<title>Pass: Network lock-down of cache-ns/ignite</title>" in PAGE


def test_what_was_not_probed_is_said_loudly_in_every_form() -> None:
    files = report.files(sealed(probes=None))
    page = files["report.html"]
    assert page.index("Nobody tried whether the policies are enforced") < page.index("<nav")
    assert ">Inconclusive<" in page
    assert "**Not probed.**" in files["report.md"]
    assert 'skipped message="not probed"' in files["junit.xml"]
    assert '"not_probed"' in files["report.sarif"]
    assert "not probed" in files["matrix.csv"]


def test_what_the_canary_showed_is_in_every_form() -> None:
    files = report.files(sealed(canary=canary(flown(), flown("node-2", "inconclusive"))))
    for name in ("report.html", "report.md", "junit.xml", "report.sarif"):
        text = files[name].replace("\\", "")
        assert "proved enforcement on 1 of 2 nodes; it could prove nothing on node-2" in text, name
        assert "2026-11-22T17:50:00Z" in text, name
    for name in ("report.html", "report.md"):
        assert "docker.io/apacheignite/ignite:2.17.0" in files[name].replace("\\", "")
    assert "canary_inconclusive" in files["report.sarif"]
    assert "canary_" not in report.files(sealed(canary=canary()))["report.sarif"]
    bad = report.files(sealed(canary=canary(flown(verdict="not_enforced"))))
    assert "canary_not_enforced" in bad["report.sarif"]
    assert 'failure message="why it is not_enforced"' in bad["junit.xml"]


def test_that_no_canary_was_run_is_said_and_never_passed_over() -> None:
    files = report.files(sealed())
    for name in ("report.html", "report.md", "junit.xml", "report.sarif"):
        assert "The canary was not run: nobody tried whether each node enforces policies" in files[name].replace(
            "\\", ""
        ), name


def test_a_pack_from_before_says_nothing_of_a_canary() -> None:
    old = sealed()
    for found in (old["facts"], old["facts"]["parts"]):
        del found["canary"]
    files = report.files(old)
    for name in ("report.html", "report.md", "junit.xml", "report.sarif"):
        assert "The pack says nothing of a canary" in files[name], name
        assert "proved enforcement" not in files[name]
    assert report.files(sealed(canary=canary()), old["facts"])["report.md"].count("canary added") == 1


def test_the_page_stands_alone() -> None:
    page = Page(PAGE)
    assert not set(page.tags) & {"script", "link", "iframe", "img", "object", "embed", "form", "base", "audio", "video"}
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name in ("src", "srcset", "action")]
    assert all(value.startswith("#") for value in page.values("href"))
    assert not re.search(r"url\(|@import", PAGE)
    assert "default-src 'none'" in page.values("content")[0]


def test_the_page_can_be_read_by_machines_that_read_aloud() -> None:
    page = Page(PAGE)
    assert page.open == []
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in page.values("href")} <= set(ids)
    assert set(page.values("aria-labelledby")) <= set(ids)
    assert ("html", "lang", "en") in page.attributes
    assert page.headings[0] == 1
    assert all(after <= before + 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert page.tags.count("caption") == page.tags.count("table") > 5
    assert set(page.values("scope")) == {"col", "row"}
    assert ("svg", "role", "img") in page.attributes
    assert "prefers-color-scheme:dark" in PAGE
    assert "@media print" in PAGE


@pytest.mark.parametrize("text", EVIL)
def test_no_text_breaks_out(text: str) -> None:
    files = report.files(spiked(text), GOOD[0]["facts"])
    plain, page = Page(files["report.html"]), Page(report.files(spiked("x"), GOOD[0]["facts"])["report.html"])
    assert plain.open == []
    assert set(plain.tags) == set(page.tags)
    assert {name for _, name, _ in plain.attributes} == {name for _, name, _ in page.attributes}
    for name in ("flows.svg", "junit.xml"):
        assert {element.tag for element in ET.fromstring(files[name]).iter()} <= {
            *(f"{SVG}{tag}" for tag in ("svg", "title", "desc", "style", "text", "path", "rect", "g")),
            "testsuites", "testsuite", "testcase", "failure", "skipped",
        }  # fmt: skip
    assert json.loads(files["report.sarif"])["version"] == "2.1.0"
    rows = list(csv.reader(io.StringIO(files["matrix.csv"], newline="")))
    assert {len(row) for row in rows} == {9}
    assert not [value for row in rows for value in row if value.lstrip(" ")[:1] in tuple("=+-@\t\r\n")[:7] and value]
    lines = files["report.md"].splitlines()
    assert "<script>" not in files["report.md"]
    assert len({line.replace("\\|", "").count("|") for line in lines if line.startswith("| From")}) == 1


@settings(max_examples=60)
@given(st.text(max_size=30))
def test_no_text_at_all_breaks_the_markup(text: str) -> None:
    found = markup.el("p", text, title=text)
    (element,) = ET.fromstring(f"<r>{found}</r>")
    shown = markup.clean(text).replace("\r\n", "\n").replace("\r", "\n")
    assert (element.text or "") == shown


@pytest.mark.parametrize("text", EVIL)
def test_a_spreadsheet_computes_nothing(text: str) -> None:
    assert texts._cell(text)[:1] not in ("=", "+", "-", "@", "\t", "\r", "\n")
    assert texts._cell(f"  {text}").lstrip(" ")[:1] not in ("=", "+", "-", "@")


def test_the_picture_stands_alone_and_tells_itself() -> None:
    picture = ET.fromstring(report.files(GOOD[1])["flows.svg"])
    told = picture.findtext(f"{SVG}desc") or ""
    assert picture.tag == f"{SVG}svg"
    for word in (
        "Kubernetes API server",
        "TCP 6443",
        "cluster DNS",
        "UDP 53",
        "TCP 10800",
        "Everything else is denied",
    ):
        assert word in told
        assert word in "".join(picture.itertext())
    open_ = ET.fromstring(report.files(sealed(audit=audit(verdict="fail", surplus=[SURPLUS])))["flows.svg"])
    assert "allowed, not needed" in (open_.findtext(f"{SVG}desc") or "")


def test_every_flow_is_in_the_matrix_with_its_reason() -> None:
    rows = list(csv.DictReader(io.StringIO(report.files(GOOD[1])["matrix.csv"])))
    flows = GOOD[1]["facts"]["flows"]
    assert [(row["flow"], row["reason"]) for row in rows] == [(flow["id"], flow["reason"]) for flow in flows]
    api = next(row for row in rows if row["flow"] == "api-server")
    assert (api["to"], api["port"]) == ("Kubernetes API server (172.30.0.2, 172.30.0.3)", "TCP 6443")
    assert api["probes"] == "1 of 1 as expected"


def test_junit_counts_what_it_holds() -> None:
    suites = ET.fromstring(report.files(sealed(audit=unmet("api-server"), probes=None))["junit.xml"])
    for suite in [suites, *suites]:
        cases = list(suite.iter("testcase"))
        assert int(suite.attrib["tests"]) == len(cases)
        assert int(suite.attrib["failures"]) == sum(case.find("failure") is not None for case in cases)
        assert int(suite.attrib["skipped"]) == sum(case.find("skipped") is not None for case in cases)
    assert int(suites.attrib["failures"]) > 0


def test_sarif_names_each_kind_of_result_among_its_rules() -> None:
    (only,) = json.loads(report.files(sealed(audit=unmet("api-server"), probes=None))["report.sarif"])["runs"]
    rules = [rule["id"] for rule in only["tool"]["driver"]["rules"]]
    assert {result["ruleId"] for result in only["results"]} == set(rules)
    assert len(rules) == len(set(rules))
    assert {result["level"] for result in only["results"]} <= {"error", "warning", "note"}
    prints = [result["partialFingerprints"]["netguard/v1"] for result in only["results"]]
    assert len(prints) == len(set(prints))


def test_a_flow_that_must_be_denied_reads_so() -> None:
    found = audit()
    banned = {**found["flows"][4], "id": "no-metadata", "expect": "deny", "reason": "nobody needs it"}
    found["flows"].append(banned)
    assert "denied, as it must be" in report.files(sealed(audit=found))["report.html"]
    banned["met"] = False
    assert "allowed, and must be denied" in report.files(sealed(audit={**found, "verdict": "fail"}))["report.html"]


def test_name_servers_by_address_are_named_with_their_ports() -> None:
    ports = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
    cache = {"cidr": "169.254.20.10/32", "ports": ports, "origin": "node_local"}
    pods = {"namespace": "kube-system", "pod_selector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    flow: t.Any = {"peer": {"target": "dns"}, "protocol": "UDP", "port": None}
    both = {"dns": {**pods, "ports": [{"protocol": "UDP", "port": 5353}], "addresses": [cache]}}
    assert words.target_addresses("dns", both) == ["pods k8s-app=kube-dns in kube-system", "169.254.20.10"]
    assert words.ports(flow, both) == "UDP 53, 5353"
    alone = {"dns": {"namespace": None, "pod_selector": None, "ports": [], "addresses": [cache]}}
    assert words.target_addresses("dns", alone) == ["169.254.20.10"]
    assert words.ports(flow, alone) == "UDP 53"
