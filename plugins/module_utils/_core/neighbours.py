# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies of other kinds than NetworkPolicy, and what they do to our pods as far as that can be told.

A kind is one entry of `KINDS`. Its judge says whether an object selects our pods and what it does then: it `widens`
what our policies permit, `restricts` it, does `none` of it, or is `inconclusive`.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import cilium_policy, selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, metadata

Labels = t.Mapping[str, str]

WIDENS, RESTRICTS, NO_EFFECT, INCONCLUSIVE = "widens", "restricts", "none", "inconclusive"

_SHARED_NAMES = ("NetworkPolicy", "ClusterNetworkPolicy")
_ALLOWING = ("allow", "accept")
_DENYING = ("deny", "drop", "reject")
_CILIUM_NAMESPACE = "io.kubernetes.pod.namespace"
_CILIUM_NAMESPACE_LABEL = "io.cilium.k8s.namespace.labels."
# Labels that Cilium and Calico give to pods by themselves; those that the objects here do not tell.
_CILIUM_OWN = "io.cilium.k8s.policy."
_CALICO_OWN = ("projectcalico.org/", "pcsa.")
_CALICO_NAMESPACE_LABEL = "pcns."
_CALICO_TERM = re.compile(r"^(?P<key>[\w./-]+)\s*(?P<sign>==|!=)\s*(['\"])(?P<value>[^'\"]*)\3$")
_CALICO_HAS = re.compile(r"^(?P<not>!?)\s*has\(\s*(?P<key>[\w./-]+)\s*\)$")


@dataclass(frozen=True)
class Subject:
    """Our pods as such a policy sees them."""

    namespace: str
    namespace_labels: Labels
    pods: t.Sequence[Labels]

    def selected(self, namespaces: selectors.Selector | None, pods: selectors.Selector | None) -> bool:
        """Whether both selectors hold for one of our pods; None is no condition."""
        own = namespaces is None or selectors.matches(namespaces, self.namespace_labels)
        return own and any(pods is None or selectors.matches(pods, labels) for labels in self.pods)


@dataclass(frozen=True)
class Neighbour:
    """A policy of another kind that may concern our pods."""

    kind: str
    namespace: str
    name: str
    effect: str
    why: str

    @property
    def label(self) -> str:
        """How the user accepts it."""
        return f"{self.kind}/{self.name}"


# Whether an object selects our pods (None: it cannot be told), and the actions of its rules.
_Judge = t.Callable[[Raw, Subject], "tuple[bool | None, t.Iterable[str], str]"]


@dataclass(frozen=True)
class Kind:
    """:arg successor: the API of another group that holds it where its own group is not served."""

    api: str
    kind: str
    resource: str
    namespaced: bool
    judge: _Judge
    successor: str = ""

    @property
    def group(self) -> str:
        return self.api.partition("/")[0]

    @property
    def shown(self) -> str:
        """The kind, with its group where several groups have one of that name."""
        return f"{self.kind}.{self.group}" if self.kind in _SHARED_NAMES else self.kind

    def served(self, apis: t.Collection[str]) -> list[str]:
        """The APIs of a cluster in which it may be: its own, else other versions of the group, else its successor."""
        others = sorted(api for api in apis if api.partition("/")[0] == self.group)
        successor = [self.successor] if self.successor in apis else []
        return [self.api] if self.api in apis else others or successor

    def path(self, api: str, namespace: str) -> str:
        where = f"/namespaces/{namespace}" if self.namespaced else ""
        return f"/apis/{api}{where}/{self.resource}"


def judge(kind: Kind, raw: Raw, subject: Subject) -> Neighbour | None:
    """What the policy does to our pods; None where it does not select any."""
    try:
        selects, actions, why = kind.judge(raw, subject)
        words = {action.lower() for action in actions}
    except (AttributeError, KeyError, TypeError):
        selects, words, why = None, set(), "it has a form that is not understood"
    if selects is False:
        return None
    effect = INCONCLUSIVE if selects is None or words - {*_ALLOWING, *_DENYING, "pass", "log"} else _effect(words)
    meta = metadata(raw)
    return Neighbour(kind.shown, str(meta.get("namespace", "")), str(meta.get("name", "")), effect, why)


def unreadable(kind: Kind) -> Neighbour:
    """All policies of a kind that may not be read."""
    return Neighbour(kind.shown, "", "*", INCONCLUSIVE, f"the right to list {kind.resource} ({kind.api}) is missing")


def _effect(words: t.Collection[str]) -> str:
    if any(word in words for word in _ALLOWING):
        return WIDENS
    return RESTRICTS if any(word in words for word in _DENYING) else NO_EFFECT


def _rules(spec: Raw) -> list[Raw]:
    return [*(spec.get("ingress") or []), *(spec.get("egress") or [])]


def _admin(raw: Raw, subject: Subject) -> tuple[bool | None, t.Iterable[str], str]:
    spec = raw["spec"]
    chosen = spec["subject"]
    if spec.get("tier") == "Baseline":
        return _baseline(raw, subject)
    actions = [str(rule["action"]) for rule in _rules(spec)]
    return _admin_selects(chosen, subject), actions, "its rules are judged before every NetworkPolicy"


def _admin_selects(chosen: Raw, subject: Subject) -> bool:
    if "namespaces" in chosen:
        return subject.selected(chosen["namespaces"], None)
    pods = chosen["pods"]
    return subject.selected(pods.get("namespaceSelector") or {}, pods.get("podSelector") or {})


def _baseline(raw: Raw, subject: Subject) -> tuple[bool | None, t.Iterable[str], str]:
    selects = _admin_selects(raw["spec"]["subject"], subject)
    return selects, (), "it counts only for pods that no NetworkPolicy isolates"


def _cilium(raw: Raw, subject: Subject) -> tuple[bool | None, t.Iterable[str], str]:
    specs = [*([raw["spec"]] if raw.get("spec") else []), *(raw.get("specs") or [])]
    chosen = [(_cilium_selects(spec, raw, subject), spec) for spec in specs]
    answers = [answer for answer, _spec in chosen]
    selects = None if None in answers else any(answers)
    actions = [
        action
        for answer, spec in chosen
        if answer is not False
        for keys, action in ((("ingress", "egress"), "allow"), (("ingressDeny", "egressDeny"), "deny"))
        if any(rule for key in keys for rule in spec.get(key) or [])
    ]
    why = "its selector cannot be judged from here" if selects is None else "Cilium adds it to the NetworkPolicies"
    return selects, actions, why


def _cilium_selects(spec: Raw, raw: Raw, subject: Subject) -> bool | None:
    if "nodeSelector" in spec:
        return False
    if "namespace" in metadata(raw) and metadata(raw)["namespace"] != subject.namespace:
        return False
    pods: dict[str, t.Any] = {"matchLabels": {}, "matchExpressions": []}
    given = spec.get("endpointSelector") or {}
    rules = [
        *({"key": key, "operator": "In", "values": [text]} for key, text in (given.get("matchLabels") or {}).items()),
        *(given.get("matchExpressions") or []),
    ]
    for rule in rules:
        prefix, _colon, key = str(rule["key"]).rpartition(":")
        if prefix not in ("", "k8s", "any") or key.startswith(_CILIUM_OWN):
            return None
        answer = _cilium_namespace(rule, key, subject)
        if answer is False:
            return False
        if answer is None:
            pods["matchExpressions"].append({**rule, "key": key})
    return subject.selected(None, pods)


def _cilium_namespace(rule: Raw, key: str, subject: Subject) -> bool | None:
    """Whether a requirement on the namespace holds; None for one on the pod's own labels."""
    if key == _CILIUM_NAMESPACE:
        return selectors.matches({"matchExpressions": [{**rule, "key": key}]}, {key: subject.namespace})
    if key.startswith(_CILIUM_NAMESPACE_LABEL):
        own = {**rule, "key": key.removeprefix(_CILIUM_NAMESPACE_LABEL)}
        return selectors.matches({"matchExpressions": [own]}, subject.namespace_labels)
    return None


def _calico(raw: Raw, subject: Subject) -> tuple[bool | None, t.Iterable[str], str]:
    spec = raw["spec"]
    actions = [str(rule["action"]) for rule in _rules(spec)]
    if spec.get("tier") not in (None, "", "default"):
        # What no policy of the tier decides is denied at its end, whatever NetworkPolicies allow.
        actions.append("deny")
    own = {"projectcalico.org/name": subject.namespace, **subject.namespace_labels}
    in_namespace = _calico_matches(spec.get("namespaceSelector"), own)
    given = {f"{_CALICO_NAMESPACE_LABEL}{key}": text for key, text in subject.namespace_labels.items()} | {
        "projectcalico.org/namespace": subject.namespace,
        "projectcalico.org/orchestrator": "k8s",
    }
    pods = [_calico_matches(spec.get("selector"), {**given, **labels}) for labels in subject.pods]
    if in_namespace is False or (pods and not any(answer is not False for answer in pods)):
        return False, actions, ""
    if spec.get("serviceAccountSelector") or in_namespace is None or True not in pods:
        return None, actions, "its selector cannot be judged from here"
    return True, actions, "Calico judges it by its order and tier, beside the NetworkPolicies"


def _calico_matches(text: t.Any, labels: Labels) -> bool | None:
    """A selector of Calico: terms that are joined by `&&`; None for anything richer."""
    answers: list[bool | None] = []
    for term in str(text or "all()").split("&&"):
        word = term.strip()
        equal, has = _CALICO_TERM.match(word), _CALICO_HAS.match(word)
        known = equal or has
        if word in ("all()", "global()"):
            answers.append(True)
        elif known and known["key"].startswith(_CALICO_OWN) and known["key"] not in labels:
            answers.append(None)
        elif equal:
            answers.append((labels.get(equal["key"]) == equal["value"]) == (equal["sign"] == "=="))
        elif has:
            answers.append((has["key"] in labels) == (not has["not"]))
        else:
            answers.append(None)
    return False if False in answers else None if None in answers else True


def _antrea(raw: Raw, subject: Subject) -> tuple[bool | None, t.Iterable[str], str]:
    spec = raw["spec"]
    actions = [str(rule.get("action") or "Allow") for rule in _rules(spec)]
    applied = [entry for owner in (spec, *_rules(spec)) for entry in owner.get("appliedTo") or []]
    answers = [_antrea_selects(entry, subject) for entry in applied]
    selects = True if True in answers else None if None in answers else False
    return selects, actions, "Antrea judges it before every NetworkPolicy, unless its tier is Baseline"


def _antrea_selects(entry: Raw, subject: Subject) -> bool | None:
    if set(entry) - {"podSelector", "namespaceSelector"}:
        return None
    return subject.selected(entry.get("namespaceSelector"), entry.get("podSelector"))


def _egress_firewall(raw: Raw, _subject: Subject) -> tuple[bool | None, t.Iterable[str], str]:
    # It permits nothing that a NetworkPolicy denies.
    actions = [action for rule in raw["spec"].get("egress") or [] if (action := str(rule["type"])) == "Deny"]
    return True, actions, "OVN-Kubernetes judges it besides, for traffic that leaves the cluster"


def _adding(raw: Raw, subject: Subject) -> tuple[bool | None, t.Iterable[str], str]:
    """A policy of the form of a NetworkPolicy whose rules can name what those cannot, as DNS names."""
    spec = raw["spec"]
    actions = ["allow" for _rule in _rules(spec)]
    return subject.selected(None, spec.get("podSelector") or {}), actions, "its rules add to those of NetworkPolicies"


_ADMIN = "policy.networking.k8s.io"
_CALICO, _ANTREA = "crd.projectcalico.org/v1", "crd.antrea.io/v1beta1"
# Calico keeps its policies there where it runs without an API server of its own and without the older CRDs.
_CALICO_NATIVE = "projectcalico.org/v3"
_AWS = "networking.k8s.aws/v1alpha1"

CILIUM = Kind(cilium_policy.API_VERSION, cilium_policy.KIND, cilium_policy.RESOURCE, True, _cilium)
KINDS: tuple[Kind, ...] = (
    Kind(f"{_ADMIN}/v1alpha1", "AdminNetworkPolicy", "adminnetworkpolicies", False, _admin),
    Kind(f"{_ADMIN}/v1alpha1", "BaselineAdminNetworkPolicy", "baselineadminnetworkpolicies", False, _baseline),
    Kind(f"{_ADMIN}/v1alpha2", "ClusterNetworkPolicy", "clusternetworkpolicies", False, _admin),
    CILIUM,
    Kind(
        cilium_policy.API_VERSION,
        "CiliumClusterwideNetworkPolicy",
        "ciliumclusterwidenetworkpolicies",
        False,
        _cilium,
    ),
    Kind(_CALICO, "NetworkPolicy", "networkpolicies", True, _calico, _CALICO_NATIVE),
    Kind(_CALICO, "GlobalNetworkPolicy", "globalnetworkpolicies", False, _calico, _CALICO_NATIVE),
    Kind(_ANTREA, "NetworkPolicy", "networkpolicies", True, _antrea),
    Kind(_ANTREA, "ClusterNetworkPolicy", "clusternetworkpolicies", False, _antrea),
    Kind("k8s.ovn.org/v1", "EgressFirewall", "egressfirewalls", True, _egress_firewall),
    Kind(_AWS, "ClusterNetworkPolicy", "clusternetworkpolicies", False, _admin),
    Kind(_AWS, "ApplicationNetworkPolicy", "applicationnetworkpolicies", True, _adding),
    Kind("networking.gke.io/v1alpha1", "FQDNNetworkPolicy", "fqdnnetworkpolicies", True, _adding),
)
GROUPS = frozenset(api.partition("/")[0] for kind in KINDS for api in (kind.api, kind.successor) if api)
