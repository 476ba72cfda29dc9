# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo prints: plain text that a person reads from top to bottom."""

from __future__ import annotations

import textwrap
import typing as t
from collections.abc import Iterable, Sequence
from pathlib import Path

from ansible_collections.netguard.lockdown.plugins.module_utils._core import selectors

Json = dict[str, t.Any]

WIDTH = 118


def step(text: str) -> None:
    print(f"\n==> {text}", flush=True)


def result(outcome: Json, seconds: float) -> None:
    """Everything that a run decided, and from what."""
    print(f"    done in {seconds:.1f} s on cluster {outcome['cluster']['uid']}")
    _title("Targets, resolved from the live cluster")
    _table(_targets(outcome["targets"]))
    _paragraph(outcome["targets"]["api_server"]["form_reason"])
    _title("Flows: what Ignite needs, and why")
    for flow in outcome["flows"]:
        _flow(flow)
    _title("Findings")
    _bullets([_finding(finding) for finding in outcome["findings"]] or ["none"])
    _title("Who is affected today")
    _bullets(_affected(outcome["preflight"]))
    _title("Plan, in the order of the writes")
    for change in outcome["plan"]:
        _change(change)
    print(f"    digest {outcome['digest']}")


def second_run(outcome: Json, seconds: float, requests: int, writes: Sequence[str]) -> None:
    changed = "something changed" if outcome["changed"] else "nothing changed"
    print(f"    {changed} in {seconds:.1f} s: {requests} requests, {len(writes)} of them writes")
    _bullets(writes)


def files(paths: Iterable[Path]) -> None:
    for path in paths:
        shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        print(f"    {Path(*shown.parts[-3:])}")


def nothing_was_written() -> None:
    print("\n    Nothing was written. To apply it: ansible-playbook netguard.lockdown.lockdown")


def _targets(targets: Json) -> list[list[str]]:
    rows = [["target", "addresses", "port", "read from"]]
    api = targets["api_server"]
    for target in api["targets"]:
        name = f"API server ({target['via']})"
        rows.append([name, ", ".join(target["cidrs"]), _port(target), _sources(api["sources"])])
    dns: Json = targets.get("dns") or {"ports": []}
    for port in dns["ports"]:
        pods = f"pods [{_selector(dns['pod_selector'])}] of {dns['namespace']}"
        rows.append(["cluster DNS", pods, _port(port), _sources(dns["sources"])])
    return rows


def _sources(sources: Sequence[Json]) -> str:
    return ", ".join(f"{item['kind']} {item['namespace']}/{item['name']}".replace(" /", " ") for item in sources)


def _flow(flow: Json) -> None:
    subject, peer = f"pods [{_selector(flow['subject']['pod_selector'])}]", _peer(flow["peer"])
    source, target = (peer, subject) if flow["direction"] == "ingress" else (subject, peer)
    print(f"    {flow['id']}")
    print(f"        {source} -> {target}, {_port(flow)}")
    print(f"        because {flow['reason']}")


def _peer(peer: Json) -> str:
    if "target" in peer:
        return {"api_server": "API server", "dns": "cluster DNS"}[peer["target"]]
    if "cidr" in peer:
        return str(peer["cidr"])
    if "namespaces" in peer:
        pods = f"pods [{_selector(peer['pod_selector'])}] of " if peer.get("pod_selector") else ""
        return f"{pods}namespaces {', '.join(peer['namespaces'])}"
    pods, spaces = peer["pods"].get("pod_selector"), peer["pods"].get("namespace_selector")
    where = f" of namespaces [{_selector(spaces)}]" if spaces else ""
    return f"pods [{_selector(pods or {})}]{where}"


def _selector(selector: Json) -> str:
    return selectors.describe(selector, "all")


def _port(item: Json) -> str:
    end = f"-{item['end_port']}" if item.get("end_port") else ""
    number = item["port"] if item.get("port") else "as resolved"
    return f"{item['protocol']} {number}{end}"


def _finding(finding: Json) -> str:
    return f"{finding['level']} for {finding['where']}: {finding['message']}"


def _affected(preflight: Json) -> list[str]:
    lines = [f"Ignite pod {pod['name']} ({pod['address']})" for pod in preflight["pods"]]
    for peer in preflight["peers"]:
        matched = ", ".join(peer["pods"]) or "no pod today"
        lines.append(f"{peer['peer']}: {matched}")
    lines += [f"not covered by any allow policy: {name}" for name in preflight["uncovered_pods"]]
    lines += [f"policy of others: {item['name']} ({item['owner']})" for item in preflight["foreign_policies"]]
    return lines


def _change(change: Json) -> None:
    print(f"    {change['action']:8} {change['kind']} {change['name']}: {change['reason']}")
    for sign, sentences in (("+", change["gains"]), ("-", change["losses"])):
        for sentence in sentences:
            print(textwrap.fill(sentence, WIDTH, initial_indent=f"        {sign} ", subsequent_indent="          "))


def _title(text: str) -> None:
    print(f"\n    {text}\n    {'-' * len(text)}")


def _paragraph(text: str) -> None:
    print(textwrap.fill(text, WIDTH, initial_indent="    ", subsequent_indent="    "))


def _bullets(lines: Sequence[str]) -> None:
    for line in lines:
        print(textwrap.fill(line, WIDTH, initial_indent="    * ", subsequent_indent="      "))


def _table(rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest cell, the last one wrapped to the page."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    indent = 4 + sum(widths) + 2 * len(widths)
    for row in rows:
        head = "  ".join(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True))
        lines = textwrap.wrap(row[-1], max(WIDTH - indent, 40)) or [""]
        print(f"    {head}  {lines[0]}".rstrip())
        for line in lines[1:]:
            print(f"{' ' * indent}{line}")
