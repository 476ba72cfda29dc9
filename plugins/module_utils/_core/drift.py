# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drift: why live policies differ from those that would be written today, and whether only targets moved.

The flows that a policy was written for are kept on it as a digest, and the undo record holds what was
written. If both still agree, a difference can only come from targets that are resolved anew.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import (
    cilium_policy,
    effects,
    grace,
    options,
    ownership,
    plan,
    policy,
    selectors,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.policy import Json, Policy

FLOWS_ANNOTATION = "lockdown.netguard.io/flows"
NO_DRIFT, TARGETS_MOVED, REDEFINED = "none", "targets_moved", "redefined"
EXTRA, EDITED, FOREIGN, MISSING = "extra", "edited", "foreign", "missing"
# The last one tells most about a run that finds several.
CLASSES = (NO_DRIFT, TARGETS_MOVED, REDEFINED, EXTRA, EDITED, FOREIGN, MISSING)

_OUR_ANNOTATIONS = (FLOWS_ANNOTATION, grace.SEEN_ANNOTATION, grace.KEPT_ANNOTATION)
_MOVING = (grace.SEEN_ANNOTATION, grace.KEPT_ANNOTATION)


@dataclass(frozen=True)
class Drift:
    """How one policy differs, and who was there: `surplus` and `lacking` measure it against what is wanted."""

    kind: str
    namespace: str
    name: str
    drift: str
    reason: str
    surplus: t.Sequence[str] = ()
    lacking: t.Sequence[str] = ()
    changed_by: t.Sequence[Json] = ()

    def as_record(self) -> Json:
        return {
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
            "class": self.drift,
            "reason": self.reason,
            "surplus": list(self.surplus),
            "lacking": list(self.lacking),
            "changed_by": list(self.changed_by),
        }


def worst(found: t.Iterable[Drift]) -> str:
    return max((item.drift for item in found), key=CLASSES.index, default=NO_DRIFT)


def classify(change: plan.Change, applied: t.Mapping[str, Policy], targets: t.Mapping[str, t.Any]) -> Drift:
    """Why a policy of the plan has to change.

    :arg applied: the policies of ours in the newest revision of the undo record, by name.
    :arg targets: what the plan's definitions were rendered from.
    """
    before, subject = change.before, change.subject
    drift, reason = _class(change, applied.get(change.name), targets)
    lacking, surplus = effects.difference(before, change.after) if drift != NO_DRIFT else ([], [])
    return Drift(
        kind=str(subject["kind"]),
        namespace=str(subject["metadata"].get("namespace", "")),
        name=change.name,
        drift=drift,
        reason=reason,
        surplus=surplus,
        lacking=lacking,
        changed_by=_changed_by(before, drift) if before else (),
    )


def foreign(live: Policy, reason: str, surplus: t.Sequence[str] = ()) -> Drift:
    """A policy of somebody else that stands where, or permits what, it should not."""
    where = policy.reference(live)
    return Drift(where.kind, where.namespace, where.name, FOREIGN, reason, surplus, (), _writers(live))


def require_only_targets(
    made: plan.Plan, applied: t.Mapping[str, Policy], targets: t.Mapping[str, t.Any], *, instance: str
) -> None:
    """Refuse a plan that does more than follow targets that have moved."""
    found = [classify(change, applied, targets) for change in made.writes]
    others = [item for item in found if item.drift != TARGETS_MOVED]
    if others:
        told = "; ".join(f"{item.kind} {item.name}: {item.reason}" for item in others)
        raise LockdownError(
            "not_only_targets",
            f"Refused to refresh instance {instance}",
            f"more than the addresses and ports of its targets has changed: {told}",
            "Look at the whole plan (lockdown in check mode), and run lockdown",
            details={"policies": [item.as_record() for item in others]},
        )


def _class(change: plan.Change, saved: Policy | None, targets: t.Mapping[str, t.Any]) -> tuple[str, str]:
    if change.before is None:
        return MISSING, "it does not exist"
    if change.action == plan.NONE:
        return NO_DRIFT, change.reason
    if change.after is None:
        return (FOREIGN, "it was handed over, and stands") if change.action == plan.REPLACE else (EXTRA, change.reason)
    if change.action == plan.REPAIR:
        return EDITED, change.reason
    if saved is not None and not _stands(change.before, saved):
        return EDITED, "it is not as this collection last wrote it"
    beyond = beyond_targets(change.before, change.after, targets)
    if beyond:
        return REDEFINED, f"the definition is another one now: {'; '.join(beyond)}"
    if saved is None:
        return REDEFINED, "the undo record does not hold it, so that nobody knows whether it is as it was written"
    return TARGETS_MOVED, "the API server or the DNS is elsewhere now"


def _stands(live: Policy, saved: Policy) -> bool:
    """Whether a policy is as it was written, labels and annotations included."""
    written = cilium_policy.as_stored(saved, live)
    return policy.view(live, written) == policy.view(written)


def beyond_targets(before: Policy, after: Policy, targets: t.Mapping[str, t.Any]) -> list[str]:
    """What differs between two states of a policy and is not explained by targets; empty if all is."""
    views = policy.view(before, after), policy.view(after)
    fixed = [_without_targets(view) for view in views]
    found = [f"its {key} differ" for key in fixed[0] if fixed[0][key] != fixed[1][key]]
    gains, _losses = effects.difference(before, after)
    odd = sorted(set(gains) - _permitted(after, targets))
    return found + [f"no target explains: {sentence}" for sentence in odd]


def _without_targets(view: Json) -> Json:
    """What may never change by a refresh. Flows that are the same make losses of others impossible."""
    annotations = {key: value for key, value in view["annotations"].items() if key not in _MOVING}
    flows = annotations.pop(FLOWS_ANNOTATION, None)
    rules = {key: value for key, value in view["spec"].items() if key != "egress"}
    return {"flows": flows, "labels": view["labels"], "annotations": annotations, "pods and other rules": rules}


def _permitted(like: Policy, targets: t.Mapping[str, t.Any]) -> set[str]:
    """What a policy for the same pods permits if it permits just the targets."""
    api = options.mapping(targets.get("api_server"), "targets.api_server")
    if cilium_policy.is_one(like):
        ports = [{"port": str(port), "protocol": "TCP"} for port in (api.get("entity") or {}).get("ports") or []]
        rule = {"toEntities": [cilium_policy.ENTITY], "toPorts": [{"ports": ports}]}
        return effects.permissions({**like, "spec": {**like["spec"], "egress": [rule] if ports else []}})
    egress = [*_api_rules(api), *_dns_rules(targets.get("dns"))]
    return effects.permissions({**like, "spec": {**like["spec"], "ingress": [], "egress": egress}})


def _api_rules(api: t.Mapping[str, t.Any]) -> t.Iterator[Json]:
    for entry in options.entries(api.get("targets"), "targets.api_server.targets"):
        peers = [{"ipBlock": {"cidr": cidr}} for cidr in entry.get("cidrs") or []]
        if peers:
            yield {"to": peers, "ports": [_port(entry)]}


def _dns_rules(given: t.Any) -> t.Iterator[Json]:
    if given is None:
        return
    dns = options.mapping(given, "targets.dns")
    for entry in dns.get("addresses") or []:
        yield {"to": [{"ipBlock": {"cidr": entry["cidr"]}}], "ports": [_port(port) for port in entry["ports"]]}
    if dns.get("pod_selector") and dns.get("ports"):
        namespace = {"matchLabels": {selectors.NAMESPACE_NAME_LABEL: dns.get("namespace")}}
        peer = {"namespaceSelector": namespace, "podSelector": dns["pod_selector"]}
        yield {"to": [peer], "ports": [_port(port) for port in dns["ports"]]}


def _port(entry: t.Mapping[str, t.Any]) -> Json:
    return {"protocol": entry.get("protocol"), "port": entry.get("port")}


def _changed_by(live: Policy, drift: str) -> list[Json]:
    """Who wrote what of ours: others where there are any, for a policy of another origin everyone."""
    if drift in (EXTRA, FOREIGN):
        return _writers(live)
    if drift != EDITED:
        return []
    return [item for item in _writers(live) if item["manager"] != ownership.FIELD_MANAGER] or _writers(live)


def _writers(live: Policy) -> list[Json]:
    """Field managers with what they own of the spec and of our labels and annotations, the last one first."""
    found = [_writer(entry) for entry in live["metadata"].get("managedFields") or [] if not entry.get("subresource")]
    return sorted((item for item in found if item["fields"]), key=lambda item: str(item["time"]), reverse=True)


def _writer(entry: t.Mapping[str, t.Any]) -> Json:
    owned = entry.get("fieldsV1") or {}
    metadata = owned.get("f:metadata") or {}
    spec = [f"spec.{key[2:]}" for key in owned.get("f:spec") or {} if key.startswith("f:")]
    ours = {"labels": (ownership.MANAGED_BY_LABEL, ownership.INSTANCE_LABEL), "annotations": _OUR_ANNOTATIONS}
    marks = [
        f"metadata.{field}[{name}]"
        for field, names in ours.items()
        for name in names
        if f"f:{name}" in (metadata.get(f"f:{field}") or {})
    ]
    return {
        "manager": str(entry.get("manager", "")),
        "operation": str(entry.get("operation", "")),
        "time": str(entry.get("time", "")),
        "fields": sorted(spec) + marks,
    }
