# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is affected: pods, neighbours and other people's policies, judged before anything is written."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core import ownership, policy, selectors, sidecars
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import (
    Network,
    host_network,
    overlapping,
    parse_address,
    parse_network,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.effects import describe_peer, permissions
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.neighbours import (
    INCONCLUSIVE,
    RESTRICTS,
    WIDENS,
    Neighbour,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.plan import Plan
from ansible_collections.netguard.lockdown.plugins.module_utils._core.pods import has_ended
from ansible_collections.netguard.lockdown.plugins.module_utils._core.policy import Json, Policy

_FURTHER_NETWORKS = "k8s.v1.cni.cncf.io/networks"


@dataclass(frozen=True)
class Accepted:
    """The user's explicit words. Each turns one refusal into a report."""

    uncovered_pods: bool = False
    foreign_policies: t.Collection[str] = ()
    no_pods: bool = False
    unisolated_pods: bool = False


@dataclass(frozen=True)
class Pod:
    """A pod as far as policies see it. A pod without a name stands for those that may come."""

    name: str
    labels: t.Mapping[str, str]
    address: str = ""
    containers: tuple[str, ...] = ()
    name_servers: tuple[str, ...] = ()
    annotations: t.Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_api(cls, obj: t.Mapping[str, t.Any]) -> Pod:
        metadata, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
        listed = [each for key in ("containers", "initContainers") for each in spec.get(key) or []]
        return cls(
            name=str(metadata["name"]),
            labels=metadata.get("labels") or {},
            address=str(status.get("podIP") or ""),
            containers=tuple(str(each.get("name", "")) for each in listed),
            name_servers=tuple(map(str, (spec.get("dnsConfig") or {}).get("nameservers") or [])),
            annotations=metadata.get("annotations") or {},
        )


def why_skipped(obj: t.Mapping[str, t.Any]) -> str:
    """Why policies do not apply to a pod, or an empty text."""
    if has_ended(obj):
        return "it has completed"
    if (obj.get("spec") or {}).get("hostNetwork"):
        return "it uses its node's network, where policies do not apply"
    return ""


@dataclass(frozen=True)
class Preflight:
    """The judgement over one plan. `pods` are those that policies can affect."""

    plan: Plan
    instance: str
    pods: t.Sequence[Pod]
    skipped: t.Sequence[tuple[str, str]] = ()
    neighbours: t.Sequence[Neighbour] = ()

    @classmethod
    def of(cls, plan: Plan, instance: str, objects: t.Sequence[t.Mapping[str, t.Any]]) -> Preflight:
        reasons = [(obj, why_skipped(obj)) for obj in objects]
        return cls(
            plan=plan,
            instance=instance,
            pods=[Pod.from_api(obj) for obj, why in reasons if not why],
            skipped=[(str(obj["metadata"]["name"]), why) for obj, why in reasons if why],
        )

    @property
    def _wanted(self) -> list[Policy]:
        return [
            change.after
            for change in self.plan.changes
            if change.after and ownership.belongs(change.after, self.instance)
        ]

    @property
    def _allows(self) -> list[Policy]:
        return [item for item in self._wanted if policy.allows_something(item)]

    def covered(self) -> list[Pod]:
        """The pods that an allow policy of this instance selects."""
        return [pod for pod in self.pods if _selecting(self._allows, pod)]

    def subjects(self) -> list[t.Mapping[str, str]]:
        """Labels of the pods that our policies permit something, running or to come."""
        return [pod.labels for pod in [*self.covered(), *(_representative(item) for item in self._allows)]]

    def uncovered(self) -> list[Pod]:
        """Pods that this instance isolates and that no policy of anybody permits anything."""
        outcome = self.plan.outcome()
        permitting = [item for item in outcome if policy.allows_something(item)]
        return [pod for pod in self.pods if _selecting(self._wanted, pod) and not _selecting(permitting, pod)]

    def newly_cut_off(self) -> list[Pod]:
        """Those of the uncovered pods that this plan isolates in a direction that was open."""
        return [
            pod
            for pod in self.uncovered()
            if _isolation(self.plan.outcome(), pod.labels) - _isolation(self.plan.live, pod.labels)
        ]

    def unisolated(self) -> list[Pod]:
        """Pods, running or to come, that lose isolation in a direction."""
        to_come = [_representative(change.before) for change in self.plan.writes if change.before]
        before, after = self.plan.live, self.plan.outcome()
        return [
            pod
            for pod in [*self.pods, *_unique(to_come)]
            if _isolation(before, pod.labels) - _isolation(after, pod.labels)
        ]

    def foreign(self) -> list[tuple[Policy, list[str]]]:
        """Policies of others that select our pods, each with what it adds to ours."""
        ours = set().union(*(permissions(item) for item in self._allows)) if self._allows else set()
        subjects = self.subjects()
        found = []
        for item in self.plan.outcome():
            mine = ownership.belongs(item, self.instance)
            if not mine and any(policy.selects(item, labels) for labels in subjects):
                found.append((item, sorted(permissions(item) - ours)))
        return found

    def check(self, accepted: Accepted) -> None:
        """Raise for the first thing that the user has not accepted."""
        self._check_gitops()
        self._check_pods(accepted)
        self._check_sidecars()
        self._check_uncovered(accepted)
        self._check_foreign(accepted)
        self._check_unisolated(accepted)

    def _check_pods(self, accepted: Accepted) -> None:
        if self._allows and not self.covered() and not accepted.no_pods:
            chosen = "; ".join(selectors.describe(policy.selector_of(item), "all pods") for item in self._allows)
            raise LockdownError(
                "no_pods",
                "The pod selector matches no pod",
                f"none of the {len(self.pods)} pods of the namespace matches: {chosen}",
                "Correct the selector, or set accept_no_pods where the pods come later",
            )

    def _check_uncovered(self, accepted: Accepted) -> None:
        pods = [pod.name for pod in self.newly_cut_off()]
        if pods and not accepted.uncovered_pods:
            raise LockdownError(
                "uncovered_pods",
                "The plan would cut off pods that no allow policy covers",
                f"nothing permits any traffic of {', '.join(pods)}",
                "Cover them with a policy or move them away, or set accept_uncovered_pods",
                details={"pods": pods},
            )

    def warnings(self) -> list[str]:
        """What does not stop a run and still has to be known."""
        found = [
            f"{each.label}: {each.why}; whether it changes what our policies permit cannot be told"
            for each in self.neighbours
            if each.effect == INCONCLUSIVE
        ]
        found += [
            f"{each.label} may deny our pods something: {each.why}"
            for each in self.neighbours
            if each.effect == RESTRICTS
        ]
        return [*found, *self._sidecar_warnings(), *self._name_server_warnings(), *self._way_warnings()]

    def _sidecar_warnings(self) -> t.Iterator[str]:
        for pod in self.covered():
            for sidecar in sidecars.of_containers(pod.containers):
                missing = sidecars.missing_flows(sidecar, _selecting(self._allows, pod))
                if missing:
                    needed = ", ".join(missing)
                    yield f"Pod {pod.name} carries {sidecar.container}, which needs {needed}: add extra flows"

    def _name_server_warnings(self) -> t.Iterator[str]:
        for pod in self.covered():
            blocks = _blocks(_selecting(self._allows, pod))
            others = [text for text in pod.name_servers if not _is_local(text) and not _in_blocks(text, blocks)]
            if others:
                yield (
                    f"Pod {pod.name} asks {', '.join(others)} for names (its dnsConfig), and no address block of our "
                    "policies holds that; this is right only if it is the cluster IP of the DNS Service"
                )

    def _way_warnings(self) -> t.Iterator[str]:
        """Ways into and out of pods that NetworkPolicies do not see as they are."""
        mark, value = sidecars.AMBIENT_MARK
        for pod in self.covered():
            if pod.annotations.get(_FURTHER_NETWORKS):
                yield (
                    f"Pod {pod.name} has further networks (annotation {_FURTHER_NETWORKS}): NetworkPolicies apply to "
                    "the cluster's network only, so whatever the others lead to stays open"
                )
            missing = sidecars.missing_flows(sidecars.AMBIENT, _selecting(self._allows, pod))
            if pod.annotations.get(mark) == value and missing:
                yield (
                    f"Pod {pod.name} is in a mesh (annotation {mark}) whose tunnels need {', '.join(missing)}, and "
                    "from them: add extra flows both ways, or take it out of the mesh (label istio.io/dataplane-mode: "
                    "none)"
                )

    def _check_gitops(self) -> None:
        owned = [(change.before, ownership.gitops_owner(change.before)) for change in self.plan.writes if change.before]
        kept = [f"{policy.reference(item)} by {owner}" for item, owner in owned if owner]
        if kept:
            raise LockdownError(
                "gitops_owned",
                "Refused to change what a GitOps controller keeps",
                f"it would be reverted or pruned: {', '.join(kept)}",
                "Render the policies with entry point render of the role, and commit them to its repository",
                details={"policies": kept},
            )

    def _check_sidecars(self) -> None:
        """A mesh's sidecar finds its control plane by name."""
        for pod in self.covered():
            found = sidecars.of_containers(pod.containers)
            if found and not sidecars.may_ask_names(_selecting(self._allows, pod)):
                raise LockdownError(
                    "sidecar_needs_dns",
                    "Refused policies without DNS",
                    f"pod {pod.name} carries {found[0].container}, which finds its control plane by name",
                    "Use profile standard, or keep the mesh from injecting its sidecar into the Ignite pods",
                    details={"pod": pod.name, "container": found[0].container},
                )

    def _check_foreign(self, accepted: Accepted) -> None:
        names = [policy.name_of(item) for item, adds in self.foreign() if adds]
        names += [each.label for each in self.neighbours if each.effect == WIDENS]
        open_names = sorted(set(names) - set(accepted.foreign_policies))
        if self._allows and open_names:
            raise LockdownError(
                "foreign_policies",
                "Policies of others widen what ours permit",
                f"{', '.join(open_names)} select the same pods, and policies add up",
                "Remove them, hand them over with replace_policies, or list them in accept_foreign_policies",
                details={"policies": open_names},
            )

    def _check_unisolated(self, accepted: Accepted) -> None:
        pods = self.unisolated()
        if pods and not accepted.unisolated_pods:
            shown = [pod.name or f"future pods [{_labels_text(pod)}]" for pod in pods]
            raise LockdownError(
                "unisolated_pods",
                "The plan would leave pods without isolation",
                f"no policy would restrict a direction any more for {', '.join(shown)}",
                "Set accept_unisolated_pods if that is meant",
                details={"pods": shown},
            )

    def as_dict(self, accepted: Accepted, peers: list[Json]) -> Json:
        return {
            "pods": [
                {"name": pod.name, "address": pod.address, "covered_by": _names(_selecting(self._allows, pod))}
                for pod in self.covered()
            ],
            "uncovered_pods": [pod.name for pod in self.uncovered()],
            "skipped_pods": [{"name": name, "why": why} for name, why in self.skipped],
            "foreign_policies": [
                {
                    "name": policy.name_of(item),
                    "owner": _owner(item),
                    "widens": bool(adds),
                    "effects": adds,
                    "accepted": policy.name_of(item) in accepted.foreign_policies,
                }
                for item, adds in self.foreign()
            ],
            "other_policies": [
                {
                    "kind": each.kind,
                    "namespace": each.namespace,
                    "name": each.name,
                    "effect": each.effect,
                    "why": each.why,
                    "accepted": each.label in accepted.foreign_policies,
                }
                for each in self.neighbours
            ],
            "peers": peers,
        }


@dataclass(frozen=True)
class PeerQuery:
    """A peer of a rule that selects pods, to be looked up in the cluster."""

    policy: str
    sentence: str
    namespaces: selectors.Selector | None
    pods: selectors.Selector


def peer_queries(definitions: t.Sequence[Policy]) -> list[PeerQuery]:
    """Every distinct selecting peer of the definitions."""
    queries: dict[tuple[str, str], PeerQuery] = {}
    for item in definitions:
        for direction, _rules, peers in policy.DIRECTIONS:
            for rule in policy.rules_of(item, direction):
                for peer in rule.get(peers) or []:
                    if not peer.get("ipBlock"):
                        query = _peer_query(item, peer)
                        queries.setdefault((query.policy, query.sentence), query)
    return list(queries.values())


def _peer_query(item: Policy, peer: Policy) -> PeerQuery:
    return PeerQuery(
        policy.name_of(item), describe_peer(peer), peer.get("namespaceSelector"), peer.get("podSelector") or {}
    )


def _selecting(policies: t.Iterable[Policy], pod: Pod) -> list[Policy]:
    return [item for item in policies if policy.selects(item, pod.labels)]


def _isolation(policies: t.Iterable[Policy], labels: t.Mapping[str, str]) -> set[str]:
    return {direction for item in policies if policy.selects(item, labels) for direction in policy.isolates(item)}


def _representative(item: Policy) -> Pod:
    """A pod that the policy selects, as far as equality requirements tell."""
    selector = policy.selector_of(item)
    labels = dict(selector.get("matchLabels") or {})
    for rule in selector.get("matchExpressions") or []:
        if rule["operator"] in ("In", "Exists"):
            labels.setdefault(rule["key"], (rule.get("values") or ["any"])[0])
    return Pod("", labels)


def _blocks(policies: t.Iterable[Policy]) -> list[Network]:
    return [
        parse_network(peer["ipBlock"]["cidr"], "policy")
        for item in policies
        if policy.is_network_policy(item)
        for rule in policy.rules_of(item, "Egress")
        for peer in rule.get("to") or []
        if peer.get("ipBlock")
    ]


def _in_blocks(text: str, blocks: t.Iterable[Network]) -> bool:
    try:
        return bool(overlapping(host_network(parse_address(text, "dnsConfig")), blocks))
    except LockdownError:
        return False


def _is_local(text: str) -> bool:
    return text.startswith("127.") or text == "::1"


def _unique(pods: t.Sequence[Pod]) -> list[Pod]:
    return list({_labels_text(pod): pod for pod in pods}.values())


def _labels_text(pod: Pod) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(pod.labels.items())) or "any labels"


def _names(policies: t.Iterable[Policy]) -> list[str]:
    return sorted(policy.name_of(item) for item in policies)


def _owner(item: Policy) -> str:
    if ownership.has_our_labels(item):
        return f"netguard.lockdown instance {item['metadata']['labels'].get(ownership.INSTANCE_LABEL, '')}"
    managers = {str(entry.get("manager")) for entry in item["metadata"].get("managedFields") or []}
    return ", ".join(sorted(managers)) or "unknown"
