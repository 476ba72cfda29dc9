# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as text for people and spreadsheets: Markdown and CSV."""

from __future__ import annotations

import csv
import io
import re
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import words
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.markup import clean
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.view import (
    PART_WORDS,
    VERDICT_WORDS,
    FlowRow,
    Report,
)

# What Markdown, HTML in Markdown, and automatic links are made of.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~&:@-])")
# What a spreadsheet may take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_COLUMNS = ("flow", "direction", "from", "to", "port", "reason", "status", "rules", "probes")


def as_csv(report: Report) -> str:
    """The matrix, surplus included, one line for each permission or need."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for row in [*map(_cells, report.flows()), *_surplus(report)]:
        writer.writerow([_cell(value) for value in row])
    return buffer.getvalue()


def _cells(row: FlowRow) -> tuple[str, ...]:
    return (
        row.id, row.direction, row.source, row.destination, row.port, row.reason, row.told,
        " ".join(row.rules), row.probes,
    )  # fmt: skip


def _surplus(report: Report) -> t.Iterator[tuple[str, ...]]:
    for item in report.audit.get("surplus") or []:
        ends = (str(item["peer"]), str(item["subject"]))
        source, destination = ends if item["direction"] == "ingress" else ends[::-1]
        port = f"{item['protocol']} {item['ports']}"
        by = words.rules(item.get("by"))
        yield ("", item["direction"], source, destination, port, "", "allowed, not needed", by, "")


def _cell(value: str) -> str:
    """A cell that stays text: a leading quote keeps a spreadsheet from computing it."""
    text = clean(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def as_markdown(report: Report) -> str:
    parts = [
        f"# {_text(report.title)}",
        f"**{VERDICT_WORDS[report.verdict]}.** " + " ".join(f"{_text(item.rstrip('.'))}." for item in report.because),
        _not_probed(report),
        _table(("", "Value"), [(name, value) for name, value, _verdict in report.numbers()]),
        "## What this means for Ignite",
        _consequences(report),
        "## Canary: does each node enforce policies?",
        _text(report.canary()),
        _canary(report),
        "## Who may talk to whom, and why",
        _table(
            ("From", "To", "Port", "Reason", "Policies", "Probes"),
            [(row.source, row.destination, row.port, row.reason, row.told, row.probes) for row in report.flows()],
        ),
        "## What is allowed and not needed",
        _bullets([words.surplus(item) for item in report.audit.get("surplus") or []], "Nothing was found."),
        "## Residual risks and findings",
        _bullets([_finding(item) for item in report.facts["findings"]], "None."),
        "## Changes since the last pack",
        _changes(report),
        "## Controls",
        _table(
            ("Control", "Asks for", "Evidence"),
            [
                (f"{item['framework']} {item['number']}", item["requirement"], item["status"].replace("_", " "))
                for item in report.facts["controls"]
            ],
        ),
        "## Where this comes from",
        _table(
            ("", "Value"),
            [
                ("Cluster", report.scope["cluster_uid"]),
                ("Run", f"{report.run['id']}, by {report.run['by']}, {report.run['time']}"),
                ("Facts", report.pack["facts_digest"]),
                (f"Pack {report.run['number']}", report.pack["digest"]),
            ],
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _not_probed(report: Report) -> str:
    if report.facts["probes"] is not None:
        return ""
    return "> **Not probed.** Nobody tried whether the policies are enforced; this rests on the policies alone."


def _canary(report: Report) -> str:
    rows = [
        (row.node, PART_WORDS[row.verdict], row.image, row.like, row.connections, row.why)
        for row in report.canary_nodes()
    ]
    return _table(("Node", "Verdict", "Image", "Like", "Connections", "Why"), rows) if rows else ""


def _consequences(report: Report) -> str:
    found = report.facts["consequences"]
    if not found:
        return "The servers start, find each other, serve the named clients, and reach nothing else."
    return "\n\n".join(
        f"### {_text(item['title'])}\n\n{_text(item['text'])}\n\nWhat to do: {_text(item['cure'])}" for item in found
    )


def _finding(item: dict[str, t.Any]) -> str:
    helps = f" What helps: {item['mitigation']}" if item["mitigation"] else ""
    return f"{item['id']} ({item['severity']}): {item['sentence']}.{helps}".replace("..", ".")


def _changes(report: Report) -> str:
    found = report.changes()
    if found is None:
        return "There is no pack to compare with."
    return _bullets([f"{item.subject} {item.how}: {item.text}" for item in found], "None.")


def _bullets(items: t.Sequence[str], nothing: str) -> str:
    return "\n".join(f"- {_text(item)}" for item in items) or nothing


def _table(head: t.Sequence[str], rows: t.Iterable[t.Sequence[str]]) -> str:
    lines = [head, ("---",) * len(head), *([_text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(value: str) -> str:
    """A text in one line that Markdown shows as it is."""
    return _SPECIAL.sub(r"\\\1", " ".join(clean(value).split()))
