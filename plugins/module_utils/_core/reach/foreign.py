# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies of other APIs: what they select as far as it can be told; what they do is left open."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import cilium, objects
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.policies import Policy
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw

_ADMIN = "it is decided before any NetworkPolicy, and this API is not evaluated"
_BASELINE = "it decides where no NetworkPolicy does, and this API is not evaluated"
_OTHER = "this API is not evaluated"


def _of_subject(raw: Raw, where: str) -> Policy:
    """AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy of SIG Network."""
    spec = raw.get("spec") or {}
    subject = spec.get("subject") or {}
    pods = subject.get("pods") or {}
    namespaces = subject.get("namespaces", pods.get("namespaceSelector", {}))
    fallback = raw.get("kind") == "BaselineAdminNetworkPolicy" or spec.get("tier") == "Baseline"
    return Policy(
        kind=str(raw.get("kind")),
        namespace="",
        name=objects.name_of(raw, where),
        pod_selector=_valid(pods.get("podSelector"), where),
        isolates=(),
        rules=(),
        opaque=_BASELINE if fallback else _ADMIN,
        namespace_selector=_valid(namespaces, where),
        fallback=fallback,
    )


def _of_namespace(raw: Raw, where: str) -> Policy:
    """A policy whose selector is not read: it may select every pod of its namespace."""
    return Policy(str(raw.get("kind")), objects.namespace_of(raw), objects.name_of(raw, where), {}, (), (), _OTHER)


def _of_cluster(raw: Raw, where: str) -> Policy:
    return Policy(str(raw.get("kind")), "", objects.name_of(raw, where), {}, (), (), _OTHER, namespace_selector={})


def _cilium(raw: Raw, where: str) -> Policy:
    return cilium.read(raw, where)


def _cilium_clusterwide(raw: Raw, where: str) -> Policy:
    return cilium.read(raw, where, clusterwide=True)


def _valid(selector: t.Any, where: str) -> selectors.Selector:
    """The selector, or the one of everything where it cannot be read: a policy too many is only a doubt."""
    try:
        selectors.validate(selector or {}, where)
    except LockdownError:
        return {}
    return selector or {}


Reader = t.Callable[[Raw, str], Policy]

# By API group and kind; a group that is not known is told by the kind alone.
READERS: dict[tuple[str, str], Reader] = {
    ("policy.networking.k8s.io", "AdminNetworkPolicy"): _of_subject,
    ("policy.networking.k8s.io", "BaselineAdminNetworkPolicy"): _of_subject,
    ("policy.networking.k8s.io", "ClusterNetworkPolicy"): _of_subject,
    ("cilium.io", "CiliumNetworkPolicy"): _cilium,
    ("cilium.io", "CiliumClusterwideNetworkPolicy"): _cilium_clusterwide,
    ("crd.projectcalico.org", "NetworkPolicy"): _of_namespace,
    ("projectcalico.org", "NetworkPolicy"): _of_namespace,
    ("crd.projectcalico.org", "GlobalNetworkPolicy"): _of_cluster,
    ("projectcalico.org", "GlobalNetworkPolicy"): _of_cluster,
    ("crd.antrea.io", "NetworkPolicy"): _of_namespace,
    ("crd.antrea.io", "ClusterNetworkPolicy"): _of_cluster,
    ("k8s.ovn.org", "EgressFirewall"): _of_namespace,
    ("networking.k8s.aws", "ClusterNetworkPolicy"): _of_subject,
    ("networking.k8s.aws", "ApplicationNetworkPolicy"): _of_namespace,
    ("networking.gke.io", "FQDNNetworkPolicy"): _of_namespace,
}
# The collections of the API that hold them: (group, plural).
RESOURCES: dict[str, tuple[str, ...]] = {
    "policy.networking.k8s.io": (
        "adminnetworkpolicies",
        "baselineadminnetworkpolicies",
        "clusternetworkpolicies",
    ),
    "cilium.io": ("ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies"),
    "crd.projectcalico.org": ("networkpolicies", "globalnetworkpolicies"),
    "crd.antrea.io": ("networkpolicies", "clusternetworkpolicies"),
    "k8s.ovn.org": ("egressfirewalls",),
    "networking.k8s.aws": ("clusternetworkpolicies", "applicationnetworkpolicies"),
    "networking.gke.io": ("fqdnnetworkpolicies",),
    "projectcalico.org": ("networkpolicies", "globalnetworkpolicies"),
}
# A group that shows the objects of another one where that is served, too.
_SHOWS = {"projectcalico.org": "crd.projectcalico.org"}


def resources(groups: t.Collection[str]) -> dict[str, tuple[str, ...]]:
    """The collections to read of a cluster that serves these groups."""
    return {group: names for group, names in RESOURCES.items() if group in groups and _SHOWS.get(group) not in groups}
