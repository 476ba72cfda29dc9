# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a canary is evidence of: which nodes were seen to enforce policies, with which image, and when.

Its own verdict is not taken over: it is made again from its nodes, and from where the pods run by now.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import canary_verdict, options
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import words
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.plain import Json

NOT_RUN = "not_run"

_VERDICTS = (canary_verdict.ENFORCED, canary_verdict.NOT_ENFORCED, canary_verdict.INCONCLUSIVE)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_TEXTS = ("node", "like", "image", "tool")


def read(given: t.Any, where: str, cluster_uid: str, namespace: str) -> Json | None:
    """The canary's part of the facts; None where none was run, or in check mode only.

    Seconds are left out: they differ although nothing has changed.
    """
    if options.is_unset(given) or given == {}:
        return None
    found = options.mapping(given, where)
    if found.get("skipped") or found.get("probed") is False:
        return None
    _refuse_another(found, where, cluster_uid, namespace)
    if not isinstance(found.get("time"), str) or not _TIME.fullmatch(found["time"]):
        raise options.invalid(f"{where}.time", "it is not a time in UTC, such as 2026-11-22T17:52:00Z")
    return {
        "time": found["time"],
        "namespace": _text(found, "namespace", where),
        "scratch": options.flag(found.get("scratch"), f"{where}.scratch"),
        "nodes": [
            _node(node, f"{where}.nodes[{index}]")
            for index, node in enumerate(options.entries(found.get("nodes"), f"{where}.nodes"))
        ],
    }


def part(canary: Json | None, pods: t.Iterable[Json]) -> str:
    """The verdict over the nodes on which the pods run now."""
    if canary is None:
        return NOT_RUN
    verdict = canary_verdict.overall([node["verdict"] for node in canary["nodes"]])
    if verdict == canary_verdict.ENFORCED and not_tried(canary, pods):
        return canary_verdict.INCONCLUSIVE
    return verdict


def not_tried(canary: Json, pods: t.Iterable[Json]) -> list[str]:
    """Nodes that run pods of the instance, and on which the canary was not."""
    tried = {node["node"] for node in canary["nodes"]}
    return sorted({str(pod["node"]) for pod in pods if pod.get("node")} - tried)


def sentence(canary: Json | None, pods: t.Iterable[Json]) -> str:
    """What is known, in one sentence without its full stop."""
    if canary is None:
        return "The canary was not run: nobody tried whether each node enforces policies"
    nodes, missed = canary["nodes"], not_tried(canary, pods)
    told = [f"The canary of {canary['time']} proved enforcement on {_count(nodes, canary_verdict.ENFORCED)}"]
    for verdict, what in (
        (canary_verdict.NOT_ENFORCED, "saw that policies are not enforced on"),
        (canary_verdict.INCONCLUSIVE, "could prove nothing on"),
    ):
        named = [node["node"] for node in nodes if node["verdict"] == verdict]
        told += [f"{what} {', '.join(named)}"] if named else []
    told += [f"was not on {', '.join(missed)}, where pods of the instance run"] if missed else []
    return "; it ".join(told)


def _count(nodes: t.Sequence[Json], verdict: str) -> str:
    return f"{sum(node['verdict'] == verdict for node in nodes)} of {words.count(len(nodes), 'node')}"


def _refuse_another(found: Json, where: str, cluster_uid: str, namespace: str) -> None:
    """A canary of another place proves nothing here."""
    of = (
        options.mapping(found.get("cluster"), f"{where}.cluster").get("uid"),
        options.mapping(found.get("application"), f"{where}.application").get("namespace"),
    )
    if of != (cluster_uid, namespace):
        raise LockdownError(
            "canary_of_another_place",
            f"Cannot take {where} into evidence",
            f"it is of namespace {of[1]} on cluster {of[0]}, the evidence of namespace {namespace} on {cluster_uid}",
            "Give the canary's result of this instance, or none",
        )


def _node(node: Json, where: str) -> Json:
    return {
        **{name: _text(node, name, where) for name in _TEXTS},
        "verdict": options.choice(node.get("verdict"), f"{where}.verdict", _VERDICTS),
        "reasons": [str(reason) for reason in options.sequence(node.get("reasons") or [], f"{where}.reasons")],
        "connections": [
            {name: _text(one, name, f"{where}.connections") for name in ("kind", "before", "after")}
            for one in options.entries(node.get("connections"), f"{where}.connections")
        ],
    }


def _text(found: Json, name: str, where: str) -> str:
    value = found.get(name)
    if not isinstance(value, str):
        raise options.invalid(f"{where}.{name}", "it is not a text")
    return value
