# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is different from the pack before, in sentences."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.canonical import canonical_json
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import words
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.plain import Json

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


class Change(t.NamedTuple):
    """One difference: of what kind of thing, how it differs, and the thing in words."""

    subject: str
    how: str
    text: str


def between(before: Json, after: Json) -> list[Change]:
    """Differences between the facts of two packs; equal facts have none."""
    found = [
        change
        for subject, reader in _READERS
        for change in _differences(subject, dict(reader(before)), dict(reader(after)))
    ]
    if not found and canonical_json(before) != canonical_json(after):
        found.append(
            Change("details", CHANGED, "details that the parts above do not show, such as versions of objects")
        )
    return found


def _differences(subject: str, before: dict[str, str], after: dict[str, str]) -> t.Iterator[Change]:
    for key in sorted(set(before) | set(after)):
        if key not in after:
            yield Change(subject, REMOVED, _named(key, before[key]))
        elif key not in before:
            yield Change(subject, ADDED, _named(key, after[key]))
        elif before[key] != after[key]:
            yield Change(subject, CHANGED, f"{key}: {before[key]} → {after[key]}")


def _named(key: str, text: str) -> str:
    return f"{key}: {text}" if text else key


_Pairs = t.Iterator[tuple[str, str]]


def _verdicts(facts: Json) -> _Pairs:
    yield "verdict", facts["verdict"]
    yield from facts["parts"].items()


def _flows(facts: Json) -> _Pairs:
    targets, namespace = facts["targets"], facts["scope"]["namespace"]
    for flow in facts["flows"]:
        met = {True: "allowed", False: "not allowed"}.get(t.cast(t.Any, flow.get("met")), "not certain")
        peer = words.peer(flow, targets, namespace)
        yield flow["id"], f"{flow['direction']} {words.ports(flow, targets)}, {peer}, {met}: {flow['reason']}"


def _addresses(facts: Json) -> _Pairs:
    for target in ("api_server", "dns"):
        for address in words.target_addresses(target, facts["targets"]):
            yield f"{target} {address}", ""


def _policies(facts: Json) -> _Pairs:
    for policy in facts["policies"]:
        spec = policy.get("spec") or {}
        numbers = [words.count(len(spec.get(way) or []), f"{way} rule") for way in ("ingress", "egress")]
        yield policy["metadata"]["name"], ", ".join(numbers)


def _pods(facts: Json) -> _Pairs:
    for pod in facts["audit"].get("pods") or []:
        yield f"{pod['namespace']}/{pod['name']}", ", ".join(pod.get("policies") or [])


def _surplus(facts: Json) -> _Pairs:
    for item in facts["audit"].get("surplus") or []:
        yield words.surplus(item), ""


def _foreign(facts: Json) -> _Pairs:
    for item in facts["audit"].get("foreign") or []:
        yield item["name"], str(item.get("effect") or "")


def _findings(facts: Json) -> _Pairs:
    for finding in facts["findings"]:
        yield f"{finding['id']} {finding['where']}".strip(), finding["severity"]


def _claims(facts: Json) -> _Pairs:
    for claim in facts["claims"].values():
        yield claim["claim"], claim["status"].replace("_", " ")


def _canary(facts: Json) -> _Pairs:
    """Packs of earlier versions know of no canary."""
    for node in (facts.get("canary") or {}).get("nodes") or []:
        yield f"{node['node']}", f"{node['verdict'].replace('_', ' ')}, with {node['image']}"


_READERS: tuple[tuple[str, t.Callable[[Json], _Pairs]], ...] = (
    ("verdict", _verdicts),
    ("flow", _flows),
    ("address", _addresses),
    ("policy", _policies),
    ("pod", _pods),
    ("surplus", _surplus),
    ("foreign policy", _foreign),
    ("canary", _canary),
    ("finding", _findings),
    ("claim", _claims),
)
