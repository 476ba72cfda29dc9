# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a canary consists of: a pair of pods on each node that runs Ignite, and two policies, as objects.

The listener has three ports. Both policies allow the first one; the listener's ingress policy leaves the second
one out, the dialler's egress policy the third one. So each direction is proven by itself.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from ansible_collections.netguard.lockdown.plugins.module_utils._core import canary_listen, ownership
from ansible_collections.netguard.lockdown.plugins.module_utils._core.pods import has_ended
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_world import DEFAULT_CONTAINER
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, metadata

ALLOWED_PORT, INGRESS_PORT, EGRESS_PORT = 47901, 47902, 47903
PORTS = (ALLOWED_PORT, INGRESS_PORT, EGRESS_PORT)
LISTENER, DIALLER = "listener", "dialler"
CONTAINER = "canary"
PREFIX = "netguard-canary-"

RUN_LABEL = "lockdown.netguard.io/canary"
ROLE_LABEL = "lockdown.netguard.io/canary-role"
EXPIRES_ANNOTATION = "lockdown.netguard.io/expires"
SELECT_ALL = f"{ownership.MANAGED_BY_LABEL}={ownership.FIELD_MANAGER},{RUN_LABEL}"

_SCC_ANNOTATION = "openshift.io/scc"
_NOBODY = 65534
_TIME = "%Y-%m-%dT%H:%M:%SZ"

Json = dict[str, t.Any]


@dataclass(frozen=True)
class NodePlan:
    """How the pair of a node looks: like the Ignite pod that runs there."""

    node: str
    pod: str
    image: str
    pull_policy: str
    pull_secrets: tuple[str, ...]
    tolerations: tuple[Json, ...]
    user: int | None

    @classmethod
    def from_pod(cls, raw: Raw) -> NodePlan:
        meta, spec = metadata(raw), raw["spec"]
        annotations = meta.get("annotations") or {}
        default = annotations.get(DEFAULT_CONTAINER)
        container = min(spec["containers"], key=lambda each: each.get("name") != default)
        never = container.get("imagePullPolicy") == "Never"
        assigned = _SCC_ANNOTATION in annotations
        return cls(
            node=str(spec["nodeName"]),
            pod=str(meta["name"]),
            image=str(container["image"]),
            # The node has the image, so nothing has to be fetched.
            pull_policy="Never" if never else "IfNotPresent",
            pull_secrets=tuple(str(entry["name"]) for entry in spec.get("imagePullSecrets") or [] if entry.get("name")),
            tolerations=tuple(spec.get("tolerations") or []),
            # OpenShift gives each namespace users of its own and refuses others.
            user=None if assigned else _NOBODY,
        )


def plan_nodes(pods: t.Iterable[Raw]) -> list[NodePlan]:
    """One plan for each node that runs one of these pods and to whose pods policies apply."""
    found: dict[str, NodePlan] = {}
    for raw in sorted(pods, key=lambda pod: str(metadata(pod)["name"])):
        spec = raw.get("spec") or {}
        if spec.get("nodeName") and not spec.get("hostNetwork") and not has_ended(raw):
            plan = NodePlan.from_pod(raw)
            found.setdefault(plan.node, plan)
    return [found[node] for node in sorted(found)]


@dataclass(frozen=True)
class Marks:
    """What tells the objects of one run from all others, and when they have lived long enough."""

    run: str
    expires: datetime
    purpose: str

    def metadata(self, name: str, **labels: str) -> Json:
        return {
            "name": name,
            "labels": {
                ownership.MANAGED_BY_LABEL: ownership.FIELD_MANAGER,
                RUN_LABEL: self.run,
                **{key.replace("_", "-"): value for key, value in labels.items()},
            },
            "annotations": {
                EXPIRES_ANNOTATION: self.expires.strftime(_TIME),
                "lockdown.netguard.io/purpose": self.purpose,
            },
        }


def marks(run: str, now: datetime, seconds: int, purpose: str) -> Marks:
    return Marks(run, now + timedelta(seconds=seconds), purpose)


def is_left_over(obj: Raw, now: datetime) -> bool:
    """Whether it is a canary's object of any run whose time is over; what does not say so is not touched."""
    meta = metadata(obj)
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    if RUN_LABEL not in labels or labels.get(ownership.MANAGED_BY_LABEL) != ownership.FIELD_MANAGER:
        return False
    if not str(meta["name"]).startswith(PREFIX):
        return False
    try:
        expires = datetime.strptime(str(annotations.get(EXPIRES_ANNOTATION)), _TIME).replace(tzinfo=now.tzinfo)
    except ValueError:
        return False
    return now > expires and not meta.get("deletionTimestamp")


def namespace(mark: Marks) -> Json:
    """A scratch namespace in which only harmless pods may run."""
    meta = mark.metadata(f"{PREFIX}{mark.run}")
    meta["labels"]["pod-security.kubernetes.io/enforce"] = "restricted"
    meta["labels"]["istio-injection"] = "disabled"
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


def pod_name(mark: Marks, role: str, number: int) -> str:
    return f"{PREFIX}{mark.run}-{role}-{number}"


def pod(plan: NodePlan, mark: Marks, role: str, number: int, seconds: int) -> Json:
    """One pod of a pair. A sidecar would answer in its place, so it asks for none."""
    meta = mark.metadata(pod_name(mark, role, number))
    meta["labels"] |= {ROLE_LABEL: role, "sidecar.istio.io/inject": "false"}
    meta["annotations"] |= {"linkerd.io/inject": "disabled"}
    ports = [{"containerPort": number, "protocol": "TCP"} for number in PORTS] if role == LISTENER else []
    container = {
        "name": CONTAINER,
        "image": plan.image,
        "imagePullPolicy": plan.pull_policy,
        "command": canary_listen.listen(PORTS) if role == LISTENER else canary_listen.idle(seconds),
        "ports": ports,
        "resources": {
            "requests": {"cpu": "10m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "256Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    user = {} if plan.user is None else {"runAsUser": plan.user}
    spec = {
        "nodeName": plan.node,
        "tolerations": list(plan.tolerations),
        "imagePullSecrets": [{"name": name} for name in plan.pull_secrets],
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "activeDeadlineSeconds": seconds,
        "securityContext": {"runAsNonRoot": True, **user, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def policies(mark: Marks) -> list[Json]:
    """The listeners' ingress and the diallers' egress."""
    return [
        _policy(mark, LISTENER, "Ingress", {"from": [_peer(mark, DIALLER)], "ports": _ports(EGRESS_PORT)}),
        _policy(mark, DIALLER, "Egress", {"to": [_peer(mark, LISTENER)], "ports": _ports(INGRESS_PORT)}),
    ]


def _policy(mark: Marks, role: str, direction: str, rule: Json) -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": mark.metadata(f"{PREFIX}{mark.run}-{direction.lower()}"),
        "spec": {"podSelector": _selector(mark, role), "policyTypes": [direction], direction.lower(): [rule]},
    }


def _peer(mark: Marks, role: str) -> Json:
    return {"podSelector": _selector(mark, role)}


def _selector(mark: Marks, role: str) -> Json:
    return {"matchLabels": {RUN_LABEL: mark.run, ROLE_LABEL: role}}


def _ports(other: int) -> list[Json]:
    return [{"protocol": "TCP", "port": port} for port in (ALLOWED_PORT, other)]
