# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for flows, peers and ports, the same in every form of the report."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.plain import Json

DASH = "\N{EN DASH}"

_TARGETS = {"api_server": "Kubernetes API server", "dns": "cluster DNS"}


class Party(t.NamedTuple):
    """One end of a flow: what it is called, and what exactly that is."""

    title: str
    detail: str

    def __str__(self) -> str:
        return f"{self.title} ({self.detail})" if self.detail else self.title


def subject(flow: Json, namespace: str) -> Party:
    named = flow["subject"]
    return Party(str(named["name"]), f"{_labels(named['pod_selector'])} in {namespace}")


def peer(flow: Json, targets: Json, namespace: str) -> Party:
    given = flow["peer"]
    if "target" in given:
        return Party(_TARGETS[given["target"]], ", ".join(target_addresses(given["target"], targets)))
    if "cidr" in given:
        excepted = f"without {', '.join(given['except'])}" if given.get("except") else "addresses outside the cluster"
        return Party(str(given["cidr"]), excepted)
    if "namespaces" in given:
        return Party(f"namespace {' or '.join(given['namespaces'])}", _pods(given.get("pod_selector")))
    return _pods_peer(flow, given["pods"], namespace)


def _pods_peer(flow: Json, given: Json, namespace: str) -> Party:
    if is_itself(flow):
        return Party(
            f"{flow['subject']['name']} among themselves", f"{_labels(given.get('pod_selector'))} in {namespace}"
        )
    if given.get("namespace_selector") is None:
        return Party(_pods(given.get("pod_selector")), f"in {namespace}")
    where = selectors.describe(given["namespace_selector"], "all namespaces")
    return Party(_pods(given.get("pod_selector")), f"namespaces {where}")


def is_itself(flow: Json) -> bool:
    """Whether the flow is one among the pods of its own subject."""
    pods = flow["peer"].get("pods") or {}
    return pods.get("namespace_selector") is None and pods.get("pod_selector") == flow["subject"]["pod_selector"]


def target_addresses(target: str, targets: Json) -> list[str]:
    """Where a target is, as far as it was resolved."""
    found = targets.get(target) or {}
    if target == "dns":
        named = selectors.describe(found.get("pod_selector"), "all pods")
        pods = [f"pods {named} in {found['namespace']}"] if found.get("namespace") else []
        return [*pods, *(entry["cidr"].partition("/")[0] for entry in found.get("addresses") or [])]
    return [f"{cidr.partition('/')[0]}" for entry in found.get("targets") or [] for cidr in entry["cidrs"]]


def _dns_ports(found: Json) -> list[Json]:
    """Those of the pods, and of the name servers that are reached by address."""
    lists = [found.get("ports"), *(entry.get("ports") for entry in found.get("addresses") or [])]
    return [port for listed in lists for port in listed or []]


def ports(flow: Json, targets: Json) -> str:
    """Protocol and port, resolved where the flow leaves it to the target."""
    if flow["port"] is not None:
        last = f"{DASH}{flow['end_port']}" if flow.get("end_port") else ""
        return f"{flow['protocol']} {flow['port']}{last}"
    found = targets.get(flow["peer"].get("target", "")) or {}
    listed = found.get("targets") if flow["peer"].get("target") == "api_server" else _dns_ports(found)
    numbers = sorted({entry["port"] for entry in listed or [] if entry["protocol"] == flow["protocol"]})
    return f"{flow['protocol']} {', '.join(map(str, numbers)) or '(not resolved)'}"


def capital(text: str) -> str:
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]


def shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}"


def rules(records: t.Any) -> str:
    """Rules by policy, direction and place."""
    return ", ".join(f"{item['policy']} {item['direction']}[{item['index']}]" for item in records or []) or DASH


def count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _pods(selector: t.Any) -> str:
    return "all pods" if not selector else f"pods {_labels(selector)}"


def _labels(selector: t.Any) -> str:
    return selectors.describe(selector, "any labels")


def surplus(item: Json) -> str:
    """A permission that nothing needs."""
    return f"{item['direction']} of {item['subject']}: {item['peer']}, {item['protocol']} {item['ports']}"


def listed(values: t.Any) -> str:
    """Texts or records in one line."""
    if isinstance(values, list):
        return ", ".join(sentence(value) for value in values) or DASH
    return scalar(values)


def scalar(value: t.Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return DASH if value is None or value == "" else str(value)


def sentence(value: t.Any) -> str:
    """A record in one line: its own sentence where it has one, else its fields."""
    if isinstance(value, dict):
        if value.get("sentence"):
            return str(value["sentence"])
        return "; ".join(f"{key.replace('_', ' ')}: {listed(item)}" for key, item in value.items())
    return scalar(value)
