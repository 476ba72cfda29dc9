# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one page: no script, nothing from the network, readable aloud and on paper."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import controls, picture, words
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.markup import Child, Markup, constant, el
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.plain import Json
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.style import STYLE
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.view import (
    NOT_TOLD,
    PART_WORDS,
    VERDICT_WORDS,
    Report,
    rule_name,
)

_SIGNS = {"pass": "✓", "fail": "✗", "inconclusive": "?", "neutral": words.DASH}
_TONES = {
    **{name: name for name in VERDICT_WORDS},
    "not_probed": "inconclusive",
    "not_checked": "neutral",
    "enforced": "pass",
    "not_enforced": "fail",
    "not_run": "neutral",
    NOT_TOLD: "neutral",
    picture.MET: "pass",
    picture.UNMET: "fail",
    picture.UNKNOWN: "inconclusive",
    controls.SHOWN: "pass",
    controls.CONTRADICTED: "fail",
    controls.NOT_SHOWN: "inconclusive",
}
_SEVERITIES = {"critical": "fail", "high": "fail", "error": "fail", "warning": "inconclusive", "medium": "inconclusive"}
_CONTROL_WORDS = {
    controls.SHOWN: "shown",
    controls.CONTRADICTED: "contradicted",
    controls.NOT_SHOWN: "not shown",
}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_LEGEND = ("✓ needed and allowed", "✗ needed, not allowed", "? not certain", "! allowed, not needed")

Section = tuple[str, str, Child]


def render(report: Report) -> str:
    sections = [section for section in _sections(report) if section[2] is not None]
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="generator", content="netguard.lockdown"),
        el("title", f"{VERDICT_WORDS[report.verdict]}: {report.title}"),
        el("style", constant(STYLE)),
    )
    body = el(
        "body",
        el("a", "Skip to the content", href="#content", class_="skip"),
        el(
            "main",
            _top(report),
            _verdict(report),
            _numbers(report),
            _not_probed(report),
            _contents(sections),
            [_section(*section) for section in sections],
            _footer(report),
            id="content",
        ),
    )
    return f"<!doctype html>\n{el('html', head, body, lang='en')}\n"


def _sections(report: Report) -> t.Iterator[Section]:
    yield "meaning", "What this means for Ignite", _consequences(report)
    yield "picture", "Allowed flows", _picture(report)
    yield "matrix", "Who may talk to whom, and why", _matrix(report)
    yield "surplus", "What is allowed and not needed", _surplus(report)
    yield "probes", "Probes: expected and observed", _probes(report)
    yield "canary", "Canary: does each node enforce policies?", _canary(report)
    yield "blast", "If a server is taken over", _blast(report)
    yield "risks", "Residual risks and findings", _findings(report)
    yield "changes", "Changes since the last pack", _changes(report)
    yield "state", "Pods, rules, drift and policies of others", _state(report)
    yield "controls", "Controls", _controls(report)
    yield "sources", "Where this comes from", _sources(report)
    yield "policies", "The policies as rendered", _policies(report)


def _top(report: Report) -> Markup:
    return el(
        "header", el("h1", report.title), el("p", f"{report.run['time']} · pack {report.run['number']}"), class_="top"
    )


def _verdict(report: Report) -> Markup:
    return el(
        "section",
        el("div", _SIGNS[report.verdict], class_="sign", aria_hidden="true"),
        el("p", VERDICT_WORDS[report.verdict], class_="word", id="verdict"),
        el("ul", [el("li", f"{sentence.rstrip('.')}.") for sentence in report.because]),
        class_=f"verdict {report.verdict}",
        aria_labelledby="verdict",
    )


def _numbers(report: Report) -> Markup:
    items = [el("div", el("dt", name), el("dd", value, class_=tone)) for name, value, tone in report.numbers()]
    return el("dl", items, class_="numbers")


def _not_probed(report: Report) -> Markup | None:
    if report.facts["probes"] is not None:
        return None
    text = (
        "This report rests on the policies alone. A cluster whose network plugin enforces nothing accepts policies "
        "silently; only connections that were tried between the real pods show that they hold."
    )
    return _note("inconclusive", "Not probed", "Nobody tried whether the policies are enforced", el("p", text))


def _note(tone: str, kind: str, title: str, *children: Child) -> Markup:
    return el("div", el("div", kind, class_="kind"), el("h3", title), children, class_=f"note {tone}")


def _contents(sections: t.Sequence[Section]) -> Markup:
    items = [el("li", el("a", title, href=f"#{name}")) for name, title, _body in sections]
    return el("nav", el("ol", items), aria_label="Contents")


def _section(name: str, title: str, content: Child) -> Markup:
    return el("section", el("h2", title, id=f"{name}-title"), content, id=name, aria_labelledby=f"{name}-title")


def _mark(word: str, tone: str) -> Markup:
    return el("span", el("span", f"{_SIGNS[tone]} ", aria_hidden="true"), word, class_=f"mark {tone}")


def _lead(text: str) -> Markup:
    return el("p", text, class_="lead")


def _table(caption: str, head: t.Sequence[str], rows: t.Iterable[t.Sequence[Child]]) -> Markup:
    """A table whose first column names the row."""
    body = [el("tr", el("th", row[0], scope="row"), [el("td", cell) for cell in row[1:]]) for row in rows]
    columns = el("tr", [el("th", name, scope="col") for name in head])
    table = el("table", el("caption", caption), el("thead", columns), el("tbody", body))
    return el("div", table, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _consequences(report: Report) -> Child:
    kinds = {
        "outage": ("fail", "Outage"),
        "exposure": ("fail", "Exposure"),
        "latent": ("inconclusive", "Waiting to happen"),
    }
    notes: list[Child] = []
    for item in report.facts["consequences"]:
        tone, kind = kinds[item["kind"]]
        cure = el("p", el("strong", "What to do: "), item["cure"])
        notes.append(_note(tone, kind, item["title"], el("p", item["text"]), cure))
    if notes:
        return notes
    text = "The servers start, find each other, serve the named clients, and reach nothing else."
    return el("p", text)


def _picture(report: Report) -> Child:
    caption = el("figcaption", [el("span", text) for text in _LEGEND], class_="legend")
    return el("figure", report.drawing(), caption, class_="scroll")


def _matrix(report: Report) -> Child:
    rows = [
        (
            row.source,
            row.destination,
            el("span", row.port, class_="tight"),
            [el("div", row.reason), el("code", row.id, class_="small")],
            [
                _mark(row.told, _TONES[row.status]),
                [el("div", rule, class_="small") for rule in row.rules],
            ],
            el("span", row.probes, class_="tight"),
        )
        for row in report.flows()
    ]
    head = ("From", "To", "Port", "Reason", "Policies", "Probes")
    caption = "Every flow that is needed or forbidden, with its reason, and what the policies make of it"
    return [_table(caption, head, rows), _missing(report)]


def _missing(report: Report) -> Child:
    missing = report.audit.get("missing") or []
    rows = [
        (
            [item["subject"], el("div", item["flow"], class_="small")],
            item["direction"],
            item["peer"],
            f"{item['protocol']} {item['ports']}",
            words.capital(item["because"]),
        )
        for item in missing
    ]
    if not rows:
        return None
    head = ("Pods", "Direction", "Peer", "Ports", "Why")
    return el("div", _table("What exactly is not allowed, and why", head, rows), class_="gap")


def _surplus(report: Report) -> Child:
    surplus = report.audit.get("surplus") or []
    if not surplus:
        doubt = report.facts["parts"]["policies"] == "inconclusive"
        return el("p", "None was found, but not all could be judged." if doubt else "Nothing, for TCP, UDP and SCTP.")
    rows = [
        (
            item["subject"],
            item["direction"],
            [item["peer"], None if item.get("exists", True) else el("div", "none there today", class_="small")],
            f"{item['protocol']} {item['ports']}",
            words.capital(item.get("because") or words.rules(item.get("by"))),
        )
        for item in surplus
    ]
    return _table("Permissions that no flow needs, as exact sets", ("Pods", "Direction", "Peer", "Ports", "Why"), rows)


def _probes(report: Report) -> Child:
    probes = report.facts["probes"]
    if probes is None:
        return el("p", _mark("Not probed", "inconclusive"), ". No connection was tried.")
    rows = [
        (
            f"{cell['from']['namespace']}/{cell['from']['pod']}",
            _destination(cell["to"]),
            cell["flow"],
            "connects" if cell["expect"] == "allow" else "is blocked",
            str(cell["observed"]).replace("_", " "),
            _mark(VERDICT_WORDS[cell["verdict"]].lower(), _TONES[cell["verdict"]]),
            cell.get("why") or "",
        )
        for cell in sorted(probes["cells"], key=lambda cell: ("fail", "inconclusive", "pass").index(cell["verdict"]))
    ]
    head = ("From", "To", "Flow", "Expected", "Observed", "Verdict", "Why")
    parts: list[Child] = [_table("Connections opened between the real pods", head, rows)]
    if probes.get("skipped"):
        parts.append(
            _note(
                "neutral",
                "Not tried",
                words.count(len(probes["skipped"]), "connection"),
                _plain_list(probes["skipped"]),
            )
        )
    return parts


def _canary(report: Report) -> Child:
    part = report.canary_part
    lead = el("p", _mark(PART_WORDS[part], _TONES[part]), f". {report.canary()}")
    rows = [
        (
            row.node,
            _mark(PART_WORDS[row.verdict].lower(), _TONES[row.verdict]),
            [el("div", row.image), el("div", f"like pod {row.like}", class_="small")],
            row.connections,
            row.why or words.DASH,
        )
        for row in report.canary_nodes()
    ]
    if not rows:
        return lead
    caption = "What a pair of pods on each node saw, before and after two policies of their own"
    return [lead, _table(caption, ("Node", "Verdict", "Image", "Connections", "Why"), rows)]


def _destination(to: Json) -> str:
    name = "/".join(str(to[key]) for key in ("namespace", "name") if to.get(key))
    place = f"{to.get('address') or ''}:{to.get('port') or ''}".strip(":")
    return f"{name or to.get('kind', '')} {to.get('protocol') or ''} {place}".strip()


def _plain_list(items: t.Iterable[t.Any]) -> Markup:
    return el("ul", [el("li", words.sentence(item)) for item in items], class_="plain")


def _blast(report: Report) -> Child:
    groups = report.audit.get("blast_radius")
    if not groups:
        return None
    lead = "What somebody who runs code in a server could do from there, by the policies as they are."
    return [_lead(lead), [_blast_group(group) for group in groups]]


def _blast_group(group: Json) -> Child:
    reached = [
        (
            item["peer"],
            f"{item['protocol']} {item['ports']}",
            "yes" if item["exists"] else "none today; a pod or namespace with such labels would be",
        )
        for item in group["destinations"]
    ]
    caption = f"Connections that {', '.join(group['pods']) or 'such pods'} could open"
    pairs: list[tuple[str, Child]] = [
        ("Kubernetes API", [el("div", _account(account)) for account in group["service_accounts"]] or words.DASH),
        ("DNS", words.capital(group["dns"]["because"])),
        ("Node", _own_node(group["node"])),
        ("Open connections", words.capital(group["established"])),
    ]
    return [_table(caption, ("Destination", "Ports", "Is there"), reached), _pairs(pairs)]


def _account(account: Json) -> str:
    name = f"ServiceAccount {account['namespace']}/{account['name']}"
    if not account["known"]:
        return f"{name}: its rights were not read"
    beyond = account["beyond_discovery"]
    return f"{name} may also: {'; '.join(beyond)}" if beyond else f"{name} may do nothing but what every account may"


def _own_node(node: Json) -> str:
    pods = (
        f"; pods with the node's network: {', '.join(node['host_network_pods'])}" if node["host_network_pods"] else ""
    )
    return f"{words.capital(node['because'])} ({', '.join(node['nodes']) or 'not scheduled'}{pods})"


def _record(value: t.Any) -> Child:
    """Any record, keys as terms."""
    if isinstance(value, dict):
        items = [[el("dt", key.replace("_", " ")), el("dd", _record(item))] for key, item in value.items()]
        return el("dl", items, class_="facts")
    if isinstance(value, list):
        return words.listed(value)
    return words.scalar(value)


def _findings(report: Report) -> Child:
    if not report.facts["findings"]:
        return el("p", "None.")
    rows = [
        (
            [el("div", f"{words.capital(item['sentence']).rstrip('.')}."), el("code", item["id"], class_="small")],
            _mark(item["severity"], _SEVERITIES.get(item["severity"], "neutral")),
            f"{words.capital(item['mitigation']).rstrip('.')}." if item["mitigation"] else words.DASH,
            el("span", item["where"] or words.DASH, class_="small"),
        )
        for item in sorted(report.facts["findings"], key=lambda item: _rank(item["severity"]))
    ]
    caption = "What stays open although the verdict may be good, and what helps against it"
    return _table(caption, ("What it is", "Severity", "What helps", "Where"), rows)


def _rank(severity: str) -> int:
    """The worst first."""
    return ("fail", "inconclusive", "neutral").index(_SEVERITIES.get(severity, "neutral"))


def _changes(report: Report) -> Child:
    found = report.changes()
    if found is None:
        first = report.pack["previous"] is None
        return el("p", "This is the first pack of the chain." if first else "The pack before is not at hand.")
    if not found:
        return el("p", "None: the facts are the same, byte for byte.")
    rows = [(change.subject, change.how, change.text) for change in found]
    return _table("Compared with the pack before", ("What", "How", "Details"), rows)


def _state(report: Report) -> Child:
    return [_pods(report), _rules(report), _drift(report), _foreign(report), _grace(report)]


def _pods(report: Report) -> Child:
    pods = report.audit.get("pods") or []
    if not pods:
        return _note(
            "inconclusive", "Empty", "No pod is in scope", el("p", "No pod of the namespace matches the selector.")
        )
    rows = [
        (
            pod["name"],
            words.scalar(pod.get("address")),
            words.scalar(pod.get("node")),
            words.listed(pod.get("policies")),
        )
        for pod in pods
    ]
    return _table("Pods in scope and the policies that select each", ("Pod", "Address", "Node", "Policies"), rows)


def _rules(report: Report) -> Child:
    rules = report.audit.get("rules") or []
    if not rules:
        return None
    rows = [(rule_name(rule), words.listed(rule.get("flows")), _rule_use(rule)) for rule in rules]
    return _table("Every rule and the flows that it serves", ("Rule", "Flows", "Use"), rows)


def _rule_use(rule: Json) -> Markup:
    if rule.get("dead"):
        return _mark("can never match", "inconclusive")
    if rule.get("redundant"):
        return _mark("adds nothing", "inconclusive")
    return _mark("needed", "pass") if rule.get("needed") else _mark("not needed", "fail")


def _drift(report: Report) -> Child:
    drift = report.audit.get("drift") or []
    return _note("fail", "Drift", "The cluster differs from what was rendered", _plain_list(drift)) if drift else None


def _foreign(report: Report) -> Child:
    foreign = report.audit.get("foreign") or []
    if not foreign:
        return None
    rows = [
        (
            f"{item['kind']} {item['namespace']}/{item['name']}",
            _mark(item["effect"], "pass" if item["adds"] is False else "inconclusive"),
            words.capital(item["because"]),
            words.listed(item["pods"]),
        )
        for item in foreign
    ]
    return _table("Policies of others that select the same pods", ("Policy", "Effect", "Why", "Pods"), rows)


def _grace(report: Report) -> Child:
    grace = report.audit.get("grace") or []
    return _note("neutral", "Grace", "Addresses that are kept for a while", _plain_list(grace)) if grace else None


def _controls(report: Report) -> Child:
    claims = report.facts["claims"]
    shown = [
        (claim["claim"], _mark(_CONTROL_WORDS[claim["status"]], _TONES[claim["status"]]), claim["because"])
        for claim in claims.values()
    ]
    asked = [
        (
            f"{item['framework']} {item['number']}",
            [el("div", item["requirement"]), el("div", item["remark"], class_="small") if item["remark"] else None],
            el("ul", [el("li", claims[name]["claim"]) for name in item["claims"]], class_="plain"),
            _mark(_CONTROL_WORDS[item["status"]], _TONES[item["status"]]),
        )
        for item in report.facts["controls"]
    ]
    return [
        _lead("What this pack shows, and the controls that it speaks for. The judgement is the auditor's."),
        _table("Claims", ("Claim", "Status", "Because"), shown),
        _table("Controls", ("Control", "Asks for", "Claims", "Evidence"), asked),
    ]


def _sources(report: Report) -> Child:
    facts, run, pack = report.facts, report.run, report.pack
    cluster = facts["targets"].get("cluster") or {}
    pairs: list[tuple[str, Child]] = [
        ("Cluster", el("code", facts["scope"]["cluster_uid"])),
        ("Server version", words.scalar(cluster.get("server_version"))),
        ("Profile", facts["profile"] or words.DASH),
        ("Parts", ", ".join(f"{name}: {PART_WORDS[part].lower()}" for name, part in facts["parts"].items())),
        ("Run", f"{run['id']}, by {run['by']}, {run['time']}"),
        ("Signature", _signature(run)),
        ("Facts", el("code", pack["facts_digest"])),
        ("Pack", el("code", pack["digest"])),
        ("Follows", _previous(pack)),
    ]
    ignite = facts.get("ignite")
    if ignite:
        pairs.insert(3, ("Ignite", _ignite(ignite)))
    engine = report.audit.get("engine") or facts["targets"].get("engine")
    parts: list[Child] = [_pairs(pairs), el("h3", "Network engine"), _record(engine or {})]
    rows = [
        (
            f"{source['kind']} {'/'.join(filter(None, (source.get('namespace'), source['name'])))}",
            name,
            el("code", source.get("uid") or words.DASH),
            el("code", source.get("resource_version") or words.DASH),
        )
        for name, target in {**facts["targets"], "ignite": ignite}.items()
        for source in (target or {}).get("sources") or []
    ]
    if rows:
        parts.append(
            _table("Objects that addresses and ports were read from", ("Object", "For", "uid", "resourceVersion"), rows)
        )
    return parts


def _ignite(ignite: Json) -> str:
    """Version and protection as its own configuration says."""
    told = [
        (name, {True: "yes", False: "no"}.get(ignite["security"].get(key), "not known"))
        for name, key in (
            ("TLS between servers", "nodes_tls"),
            ("TLS for thin clients", "thin_clients_tls"),
            ("authentication", "authentication"),
        )
    ]
    listed = ", ".join(f"{name}: {word}" for name, word in told)
    return f"{ignite['version'] or 'version not known'}; {listed}; read from {ignite['config']}"


def _signature(run: Json) -> str:
    signature = run["signature"]
    if not signature:
        return "not signed"
    return f"signed as {signature['identity']}; verify pack.json with pack.json.sig (ssh-keygen -Y verify)"


def _previous(pack: Json) -> Child:
    previous = pack["previous"]
    if previous is None:
        return "nothing: the first pack"
    gap = f", which is not at hand: {previous['gap']}" if previous["gap"] else ""
    return [f"pack {previous['number']} ", el("code", previous["digest"]), gap]


def _pairs(pairs: t.Iterable[tuple[str, Child]]) -> Markup:
    return el("dl", [[el("dt", name), el("dd", value)] for name, value in pairs], class_="facts")


def _policies(report: Report) -> Child:
    if not report.facts["policies"]:
        return None
    return [
        el("div", el("pre", json.dumps(policy, indent=2, ensure_ascii=False, sort_keys=True)), class_="scroll")
        for policy in report.facts["policies"]
    ]


def _footer(report: Report) -> Markup:
    text = (
        "Made by netguard.lockdown from the evidence pack with the digest above. The page holds no script and loads "
        "nothing. ICMP and other protocols without ports are not defined by network policies; nothing is claimed of "
        "them."
    )
    return el("footer", el("p", text))
