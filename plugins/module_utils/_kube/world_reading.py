# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the world that policies are judged in from a live cluster: GET only, a list for each kind."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import cluster
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import foreign, reading
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import profile as profile_
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.reading import Reading
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import read_world
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import ApiError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.engine_reading import (
    list_daemon_sets,
    read_engine,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session

_REQUIRED = (
    "/api/v1/namespaces",
    "/api/v1/nodes",
    "/api/v1/pods",
    "/api/v1/services",
    "/apis/discovery.k8s.io/v1/endpointslices",
    "/apis/networking.k8s.io/v1/networkpolicies",
)
_RIGHTS = tuple(
    f"/apis/rbac.authorization.k8s.io/v1/{name}"
    for name in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
)
_CONFIG_MAPS = "/api/v1/namespaces/kube-system/configmaps"
# The DNS servers' configuration, which says whether they ask servers outside.
_DNS_CONFIGURATIONS = ("coredns", "rke2-coredns-rke2-coredns")


def read_cluster(session: Session, pin: str | None, profile: str) -> Reading:
    """The cluster's objects.

    :arg pin: uid of namespace kube-system of the cluster that is meant.
    :arg profile: name of an engine profile, or auto.
    """
    kube_system = session.get("/api/v1/namespaces/kube-system")
    uid = cluster.identity(kube_system, pin, session.host)
    version = str(session.get("/version").get("gitVersion", ""))
    groups = session.get("/apis").get("groups") or []
    raws = [raw for path in _REQUIRED for raw in session.list(path)]
    nodes = [raw for raw in raws if raw["kind"] == "Node"]
    apis = [each["groupVersion"] for group in groups for each in group.get("versions") or []]
    detected = read_engine(session, apis, nodes, list_daemon_sets(session))
    unread = profile_.doubts(detected)
    raws += _foreign(session, groups, unread)
    raws += _optional(session)
    chosen, reason = reading.choose_profile(profile, detected.name, profile_.of_engine(detected))
    return Reading(
        world=read_world(raws, []),
        engine=detected.name,
        profile=chosen,
        profile_reason=reason,
        sources={
            "from": "cluster",
            "host": session.host,
            "cluster_uid": uid,
            "server_version": version,
            "files": [],
            "objects": len(raws),
        },
        unread=unread,
    )


def _foreign(session: Session, groups: t.Sequence[Json], unread: list[str]) -> list[Json]:
    """Policies of other APIs, where the cluster serves them; what may not be read is noted, for it may decide."""
    found: list[Json] = []
    wanted = foreign.resources([str(group.get("name")) for group in groups])
    for group in groups:
        unseen = list(wanted.get(str(group.get("name")), ()))
        for version in _versions(group) if unseen else ():
            served = {entry["name"] for entry in session.get(f"/apis/{version}").get("resources") or []}
            for resource in sorted(served.intersection(unseen)):
                unseen.remove(resource)
                try:
                    found += session.list(f"/apis/{version}/{resource}")
                except ApiError as error:
                    unread.append(f"{resource} of {version} may select these pods and could not be read: {error.why}")
    return found


def _versions(group: Json) -> list[str]:
    """All of them, the preferred one first: a kind may be served in another version only."""
    first = group["preferredVersion"]["groupVersion"]
    return [first, *(each["groupVersion"] for each in group.get("versions") or [] if each["groupVersion"] != first)]


def _optional(session: Session) -> list[Json]:
    """Roles, and the configuration of the DNS: what may not be read is left out, and the result says so."""
    found: list[Json] = []
    try:
        for path in _RIGHTS:
            found += session.list(path)
    except ApiError as error:
        _only_if_forbidden(error)
        found = []
    for name in _DNS_CONFIGURATIONS:
        try:
            config_map = session.find(f"{_CONFIG_MAPS}/{name}")
        except ApiError as error:
            _only_if_forbidden(error)
            continue
        if config_map is not None:
            found.append({"kind": "ConfigMap", "apiVersion": "v1", **config_map})
    return found


def _only_if_forbidden(error: ApiError) -> None:
    if not error.lacks_right:
        raise error
