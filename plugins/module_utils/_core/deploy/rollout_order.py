# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order policies and workload change, so that no server lacks a connection that it needs.

While pods are replaced one by one, some are as before and some as they will be, and what both need must be allowed:
the rules of before and after, joined. What is no longer needed goes when the last pod has been replaced.
"""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite import PREFIX

Record = t.Mapping[str, t.Any]
Object = dict[str, t.Any]

STOP, POLICIES, WORKLOAD = "stop", "policies", "workload"
_UNCHANGED = "none"
_LISTS = ("ingress", "egress")


@dataclass(frozen=True)
class Step:
    """One change, with the objects that are applied. `joined` tells that policies of before still count."""

    kind: str
    why: str
    definitions: list[Object]
    joined: bool = False

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "kind": self.kind,
            "why": self.why,
            "definitions": self.definitions,
            "joined": self.joined,
            "names": [f"{item['kind']}/{item['metadata']['name']}" for item in self.definitions],
        }


@dataclass
class Order:
    steps: list[Step] = field(default_factory=list)
    restart: list[str] = field(default_factory=list)
    errors: list[LockdownError] = field(default_factory=list)

    def as_record(self) -> dict[str, t.Any]:
        return {
            "steps": [step.as_dict() for step in self.steps],
            "restart": self.restart,
            "errors": [str(error) for error in self.errors],
        }


@dataclass(frozen=True)
class Change:
    """What is wanted and what there is.

    :arg policies: the policies' changes as module network_policies plans them; empty where it was not asked.
    :arg live: what module ignite_config_info says of the Ignite that runs; None where there is none.
    :arg waits: whether the run waits for the pods. What may still be needed is never taken away before.
    """

    deployment: Record
    workload: t.Sequence[Object]
    definitions: t.Sequence[Object]
    policies: t.Sequence[Record]
    live: Record | None
    full_restart: bool
    waits: bool


def order(change: Change) -> Order:
    live = change.live
    if live is None:
        return Order([
            Step(POLICIES, "a new Ignite gets its policies before its pods", list(change.definitions)),
            Step(WORKLOAD, "its pods start isolated", list(change.workload)),
        ])  # fmt: skip
    errors = list(_impossible(live, change.deployment))
    restart = list(_incompatible(live, change.deployment))
    if restart and not change.full_restart:
        errors.append(_needs_restart(restart, change.deployment))
    if restart and change.full_restart and not change.waits:
        errors.append(
            options.invalid(f"{PREFIX}deploy_wait", "a full restart has to wait until all servers have stopped")
        )
    if errors:
        return Order(restart=restart, errors=errors)
    if restart:
        return Order(_restart_steps(change), restart)
    return Order(_rolling_steps(change))


def joined(wanted: t.Sequence[Object], planned: t.Sequence[Record]) -> list[Object]:
    """The wanted policies with the rules that the ones in place have besides.

    :arg planned: changes with the policy before in normal form.
    """
    before = {(item["kind"], item["name"]): item["before"] for item in planned if item.get("before")}
    found = [_with_rules(item, before.pop((item["kind"], item["metadata"]["name"]), None)) for item in wanted]
    kept = [_as_definition(item) for item in before.values() if _is_pruned(item, planned)]
    return [*kept, *found]


def _restart_steps(change: Change) -> list[Step]:
    stopped = copy.deepcopy(_stateful_set(change.workload))
    stopped["spec"]["replicas"] = 0
    return [
        Step(STOP, "the servers of before and after cannot form one cluster", [stopped]),
        Step(POLICIES, "no server runs that would need the policies of before", list(change.definitions)),
        Step(WORKLOAD, "all servers start anew", list(change.workload)),
    ]


def _rolling_steps(change: Change) -> list[Step]:
    """The workload's step comes even where it changes nothing: a run before may not have waited for its pods."""
    workload = Step(WORKLOAD, "pods are replaced one by one", list(change.workload))
    if all(item["action"] == _UNCHANGED for item in change.policies):
        return [workload]
    both = joined(change.definitions, change.policies)
    first = Step(POLICIES, "what the servers need before and after the change", both, joined=True)
    last = Step(POLICIES, "what Ignite needs, and no more", list(change.definitions))
    return [first, workload, *([last] if change.waits else [])]


def _impossible(live: Record, meant: Record) -> t.Iterator[LockdownError]:
    """What no StatefulSet can change."""
    before, after = live["security"]["persistence"], meant["persistence"] is not None
    if before is not None and before != after:
        yield LockdownError(
            "storage_cannot_change",
            f"Refused to {'add' if after else 'remove'} persistence",
            "a StatefulSet's volumes cannot change, and this role deletes neither a StatefulSet nor a claim",
            f"Deploy a new instance beside this one ({PREFIX}instance, {PREFIX}pod_selector) and move the data",
        )


def _incompatible(live: Record, meant: Record) -> t.Iterator[str]:
    """Differences through which a server of before and one of after do not join each other."""
    ports = live["ports"] or {listener["name"]: listener["port"] for listener in live["listeners"]}
    yield from _difference("discovery port", ports.get("discovery"), meant["ports"]["discovery"])
    yield from _version(live, meant)
    yield from _difference("TLS between servers", live["security"]["nodes_tls"], meant["tls"] is not None)
    yield from _difference("authentication", live["security"]["authentication"], meant["authentication"])


def _version(live: Record, meant: Record) -> t.Iterator[str]:
    image = (live["workload"] or {}).get("image")
    if live["version"] is not None:
        yield from _difference("version", live["version"], meant["version"])
    elif image != meant["image"]:
        yield f"image {meant['image']} in place of {image}, whose version is not known"


def _difference(what: str, before: t.Any, after: t.Any) -> t.Iterator[str]:
    if before != after:
        yield f"{what} {_said(after)} in place of {_said(before)}"


def _said(value: t.Any) -> str:
    return {True: "on", False: "off", None: "what is not known"}.get(value, str(value))


def _needs_restart(reasons: t.Sequence[str], meant: Record) -> LockdownError:
    lost = "" if meant["persistence"] else ", and all data is in memory and lost with it"
    return LockdownError(
        "needs_full_restart",
        "Refused a change that needs a full restart",
        f"servers before and after it do not join each other ({', '.join(reasons)}){lost}",
        f"Set {PREFIX}deploy_full_restart: true to stop all servers and start them anew",
    )


def _stateful_set(objects: t.Sequence[Object]) -> Object:
    return next(item for item in objects if item["kind"] == "StatefulSet")


def _with_rules(wanted: Object, before: Record | None) -> Object:
    found = copy.deepcopy(wanted)
    for name in _LISTS if before else ():
        held = (before or {})["spec"].get(name) or []
        own = found["spec"].get(name) or []
        found["spec"][name] = [*own, *(rule for rule in held if rule not in own)]
    return found


def _is_pruned(before: Record, planned: t.Sequence[Record]) -> bool:
    return any(item["name"] == before["name"] and item["action"] == "delete" and item["kind"] == before["kind"]
               for item in planned)  # fmt: skip


def _as_definition(before: Record) -> Object:
    return {
        "apiVersion": before["apiVersion"],
        "kind": before["kind"],
        "metadata": {"name": before["name"], "labels": before["labels"], "annotations": before["annotations"]},
        "spec": before["spec"],
    }
