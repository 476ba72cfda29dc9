# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the pods of a StatefulSet are the wanted ones and ready, and what they wait for if not."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.objects.kinds import Json, Object

_LONGEST = 240
_EVENTS = 5
_REVISION = "controller-revision-hash"


@dataclass(frozen=True)
class Rollout:
    """The state of one StatefulSet; `waiting_for` is empty once it is as its spec says."""

    name: str
    desired: int
    updated: int
    ready: int
    current_revision: str
    update_revision: str
    waiting_for: tuple[str, ...]

    @property
    def complete(self) -> bool:
        return not self.waiting_for

    def as_dict(self) -> Json:
        return {
            "kind": "StatefulSet",
            "name": self.name,
            "complete": self.complete,
            "desired": self.desired,
            "updated": self.updated,
            "ready": self.ready,
            "current_revision": self.current_revision,
            "update_revision": self.update_revision,
            "waiting_for": list(self.waiting_for),
        }


def judge(workload: Object) -> Rollout:
    """Read the status; one that is older than the spec says nothing about it."""
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    desired, existing = int(spec.get("replicas", 1)), int(status.get("replicas", 0))
    updated, ready = int(status.get("updatedReplicas", 0)), int(status.get("readyReplicas", 0))
    current, update = str(status.get("currentRevision", "")), str(status.get("updateRevision", ""))
    return Rollout(
        name=workload["metadata"]["name"],
        desired=desired,
        updated=updated,
        ready=ready,
        current_revision=current,
        update_revision=update,
        waiting_for=tuple(_waiting_for(workload, desired, existing, updated, ready, current == update)),
    )


def _waiting_for(
    workload: Object, desired: int, existing: int, updated: int, ready: int, one_revision: bool
) -> t.Iterator[str]:
    generation = int(workload["metadata"].get("generation", 0))
    observed = int((workload.get("status") or {}).get("observedGeneration", 0))
    if observed < generation:
        yield f"the StatefulSet controller to see generation {generation} (it has seen {observed})"
        return
    held_back = _held_back(workload.get("spec") or {}, desired)
    if existing > desired:
        yield f"{existing - desired} pods to end"
    if updated < desired - held_back:
        yield f"{desired - held_back} pods of the new revision (there are {updated})"
    if ready < desired:
        yield f"{desired} ready pods (there are {ready})"
    if not one_revision and not held_back and desired:
        yield "the new revision to be the current one"


def _held_back(spec: Object, desired: int) -> int:
    """How many pods keep the old revision by the wish of the spec."""
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return desired
    return min(desired, int((strategy.get("rollingUpdate") or {}).get("partition") or 0))


def owned_pods(workload: Object, pods: t.Iterable[Object]) -> list[Object]:
    """The pods that the StatefulSet controller made for it."""
    uid = workload["metadata"]["uid"]
    owners = [(pod, pod["metadata"].get("ownerReferences") or []) for pod in pods]
    return [pod for pod, listed in owners if any(owner.get("uid") == uid for owner in listed)]


def stuck_pods(workload: Object, pods: t.Iterable[Object]) -> list[str]:
    """Pods that are not ready and of an earlier revision, where the controller waits for them to become ready.

    It replaces none then, not even by one that would: with policy OrderedReady only a deletion helps.
    """
    if (workload.get("spec") or {}).get("podManagementPolicy", "OrderedReady") != "OrderedReady":
        return []
    wanted = (workload.get("status") or {}).get("updateRevision")
    return [
        pod["metadata"]["name"]
        for pod in pods
        if pod_reasons(pod) and (pod["metadata"].get("labels") or {}).get(_REVISION, wanted) != wanted
    ]


def pod_reasons(pod: Object) -> list[str]:
    """Why a pod is not ready, in Kubernetes' own words; empty for a ready one."""
    status = pod.get("status") or {}
    conditions = {item.get("type"): item for item in status.get("conditions") or []}
    if (conditions.get("Ready") or {}).get("status") == "True":
        return []
    reasons = [_container_reason(each) for field in _CONTAINERS for each in status.get(field) or []]
    scheduled = conditions.get("PodScheduled") or {}
    if scheduled.get("status") == "False":
        reasons.append(_sentence(scheduled.get("reason"), scheduled.get("message")))
    found = [reason for reason in reasons if reason]
    return found or [f"phase {status.get('phase', 'unknown')}, not ready"]


_CONTAINERS = ("initContainerStatuses", "containerStatuses")


def _container_reason(status: Object) -> str:
    state, name = status.get("state") or {}, f"container {status.get('name')}"
    # What a program wrote as its last message is left out: it may hold anything.
    ended = (status.get("lastState") or {}).get("terminated") or state.get("terminated")
    before = f", last ended with {ended.get('reason')} (exit code {ended.get('exitCode')})" if ended else ""
    if state.get("waiting"):
        waiting = state["waiting"]
        return f"{name}: {_sentence(waiting.get('reason'), waiting.get('message'))}{before}"
    if "running" in state and not status.get("ready"):
        return f"{name}: runs and is not ready{before}"
    return f"{name}{before}" if before and not status.get("ready") else ""


def claim_reasons(workload: Object, claims: t.Iterable[Object]) -> list[str]:
    """The claims of its pods that no volume serves."""
    templates = [each["metadata"]["name"] for each in (workload.get("spec") or {}).get("volumeClaimTemplates") or []]
    prefixes = tuple(f"{name}-{workload['metadata']['name']}-" for name in templates)
    waiting = [
        claim["metadata"]["name"]
        for claim in claims
        if claim["metadata"]["name"].startswith(prefixes) and (claim.get("status") or {}).get("phase") != "Bound"
    ]
    return [f"PersistentVolumeClaim {name} is not bound" for name in sorted(waiting)] if prefixes else []


def event_texts(events: t.Iterable[Object], names: t.Collection[str]) -> list[str]:
    """The last warnings about these objects, oldest first."""
    about = [
        event
        for event in events
        if event.get("type") == "Warning" and (event.get("involvedObject") or {}).get("name") in names
    ]
    last = sorted(about, key=_seen)[-_EVENTS:]
    return [f"{item['involvedObject']['name']}: {_sentence(item.get('reason'), item.get('message'))}" for item in last]


def _seen(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")


def _sentence(reason: t.Any, message: t.Any) -> str:
    text = " ".join(f"{reason or 'unknown'}: {message}".split()) if message else str(reason or "unknown")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
