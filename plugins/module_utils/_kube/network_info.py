# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the resolvers need, and no more: every request here is a GET."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.netguard.lockdown.plugins.module_utils._core import (
    api_records,
    api_server,
    api_trust,
    cluster,
    corefile,
    dns,
    dns_cache,
    dns_service,
    engine,
    grace,
    options,
    ownership,
    selectors,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.endpoints import SERVICE_NAME_LABEL
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Source
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import ApiError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.engine_reading import (
    list_daemon_sets,
    read_engine,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.services import Services
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session

Params = t.Mapping[str, t.Any]

_CORE = "/api/v1"
_SLICES = "/apis/discovery.k8s.io/v1"
_POLICIES = "/apis/networking.k8s.io/v1"
_KUBE_SYSTEM = f"{_CORE}/namespaces/kube-system"
_DEFAULT = f"{_CORE}/namespaces/{api_trust.NAMESPACE}"


def resolve_network(session: Session, params: Params) -> Json:
    """The result of module cluster_network_info: cluster, API server, DNS and engine."""
    wanted, choice = api_records.Options.from_params(params), dns_service.UserDns.from_params(params)
    _check_grace(params)
    uid, version, sources = _identity(session, params.get("cluster_uid"))
    nodes = session.list(f"{_CORE}/nodes")
    ranges = _ranges(session, nodes)
    daemon_sets = list_daemon_sets(session)
    detected = read_engine(session, session.api_versions(), nodes, daemon_sets)
    cache = dns_cache.node_cache(daemon_sets) if params["resolve_dns"] else dns_cache.NodeCache()
    doubts = engine.check_enforced(detected, params["accept_unenforced"])
    services = Services(session, at_once=params["resolve_dns"])
    service = services.get(api_trust.NAMESPACE, api_trust.NAME)
    candidates = _candidates(session, services, choice, cache) if params["resolve_dns"] else None
    slices = _slices(session, candidates)
    api = api_server.resolve(
        wanted,
        api_records.Seen(
            service=service,
            slices=slices,
            endpoints=_endpoints(session, slices),
            ranges=ranges,
            nodes=cluster.node_addresses(nodes),
            engine=detected,
            recall=_recall(session, params),
        ),
    )
    resolved, pods = _dns(session, choice, candidates, slices) if params["resolve_dns"] else (None, [])
    if resolved:
        resolved = _completed(session, resolved, pods, cache, choice, inspect=params["inspect_dns"])
    cache_doubts = dns_cache.check_reachable(resolved.addresses if resolved else (), detected, choice, cache.pods)
    given = dns_cache.by_user(choice) if choice and resolved else ()
    dns_cache.check_given(given, detected, cluster.node_addresses(nodes), ranges.pods)
    asked = [each.address for each in given if each.address not in cache.addresses]
    translated = dns_cache.translated(services.with_cluster_ips(asked), detected)
    hosts = api_server.foreign_hosts(pods)
    return {
        "changed": False,
        "cluster": cluster.Cluster(uid, version, ranges, sources).as_dict(),
        "api_server": {**api.as_dict(), "foreign_hosts": [host.as_dict() for host in hosts]},
        "dns": resolved.as_dict() if resolved else None,
        "engine": detected.as_dict(),
        "warnings": [
            *doubts,
            *detected.warnings,
            *api.warnings,
            *map(str, hosts),
            *(resolved.warnings if resolved else ()),
            *cache_doubts,
            *translated,
        ],
    }


def _check_grace(params: Params) -> None:
    seconds = params["grace_seconds"]
    if seconds < 0:
        raise LockdownError(
            "invalid_option", "Invalid grace_seconds", f"{seconds} is negative", "Correct grace_seconds"
        )
    if not seconds:
        return
    if not (params.get("namespace") and params.get("instance")):
        raise LockdownError(
            "invalid_option",
            "grace_seconds needs namespace and instance",
            "the policies of that instance remember which addresses were there",
            "Set namespace and instance, or leave grace_seconds at 0",
        )
    options.dns_label(params["namespace"], "namespace")
    ownership.require_instance_name(params["instance"])


def _identity(session: Session, pin: str | None) -> tuple[str, str, tuple[Source, ...]]:
    namespace = session.get(_KUBE_SYSTEM)
    uid = cluster.identity(namespace, pin, session.host)
    version = session.get("/version")
    return uid, str(version.get("gitVersion", "")), (Source.of(namespace),)


def _ranges(session: Session, nodes: t.Sequence[Json]) -> cluster.Ranges:
    ranges = cluster.node_ranges(nodes)
    if ranges.pods:
        return ranges
    config_map = session.find(f"{_KUBE_SYSTEM}/configmaps/kubeadm-config")
    return cluster.kubeadm_ranges(config_map) if config_map else ranges


def _candidates(
    session: Session, services: Services, choice: dns_service.UserDns | None, cache: dns_cache.NodeCache
) -> dns_service.Candidates | None:
    """The Services that may be the DNS; None where the user named pods."""
    if choice and not choice.service:
        return None
    if choice and choice.service:
        service = services.find(choice.namespace, choice.service)
        return dns_service.by_user(choice.namespace, choice.service, service)
    config_map = session.find(f"{_KUBE_SYSTEM}/configmaps/kubelet-config")
    addresses = dns_service.cluster_dns(config_map) if config_map else ()
    if config_map and addresses:
        found = services.with_cluster_ips(addresses)
        configured = dns_service.by_configuration(found, config_map, cache.addresses)
        if configured:
            return configured
    return dns_service.by_name(services.all())


def _slices(session: Session, candidates: dns_service.Candidates | None) -> list[Json]:
    """The slices of the API server, and of the DNS in the same answer."""
    names = [service.name for service in candidates.services] if candidates else []
    if not names:
        selector = f"{SERVICE_NAME_LABEL}={api_trust.NAME}"
        return session.list(f"{_SLICES}/namespaces/{api_trust.NAMESPACE}/endpointslices", {"labelSelector": selector})
    every = ",".join(dict.fromkeys([api_trust.NAME, *names]))
    return session.list(f"{_SLICES}/endpointslices", {"labelSelector": f"{SERVICE_NAME_LABEL} in ({every})"})


def _endpoints(session: Session, slices: t.Sequence[Json]) -> Json | None:
    """The Endpoints object, read only where kube-apiserver's slice is missing: it is deprecated."""
    if api_trust.has_own_slice(slices):
        return None
    return session.find(f"{_DEFAULT}/endpoints/{api_trust.NAME}")


def _dns(
    session: Session,
    choice: dns_service.UserDns | None,
    candidates: dns_service.Candidates | None,
    slices: t.Sequence[Json],
) -> tuple[dns.Dns, list[Json]]:
    if candidates is None:
        chosen = t.cast("dns_service.UserDns", choice)
        if chosen.by_address_only:
            return dns.by_address(), []
        pods = _pods(session, chosen.namespace, chosen.pod_selector or {})
        return dns.resolve_user(chosen, pods), pods
    decided = dns.choose(candidates, slices)
    pods = _pods(session, decided.service.namespace, decided.selector)
    return dns.resolve(decided, pods), pods


def _completed(
    session: Session,
    resolved: dns.Dns,
    pods: t.Sequence[Json],
    cache: dns_cache.NodeCache,
    choice: dns_service.UserDns | None,
    *,
    inspect: bool,
) -> dns.Dns:
    """The DNS with what answers by address, and where asked for, with what its configuration says."""
    known = {each.address: each for each in cache.as_addresses()}
    known.update({each.address: each for each in (dns_cache.by_user(choice) if choice else ())})
    return replace(
        resolved,
        addresses=tuple(known.values()),
        sources=(*resolved.sources, *cache.sources),
        forwards_outside=_forwards(session, pods) if inspect else None,
    )


def _forwards(session: Session, pods: t.Sequence[Json]) -> bool | None:
    place = corefile.config_map_of(pods)
    if place is None:
        return None
    try:
        return corefile.forwards(session.find(f"{_CORE}/namespaces/{place[0]}/configmaps/{place[1]}"))
    except ApiError as error:
        if error.lacks_right:
            return None
        raise


def _pods(session: Session, namespace: str, selector: t.Mapping[str, t.Any]) -> list[Json]:
    query = {"labelSelector": selectors.as_query(selector)}
    return session.list(f"{_CORE}/namespaces/{namespace}/pods", query)


def _recall(session: Session, params: Params) -> api_records.Recall | None:
    seconds = params["grace_seconds"]
    if not seconds:
        return None
    labels = selectors.as_query({"matchLabels": ownership.labels_for(params["instance"])})
    path = f"{_POLICIES}/namespaces/{params['namespace']}/networkpolicies"
    policies = session.list(path, {"labelSelector": labels})
    return api_records.Recall(grace.remember(policies, params["instance"]), session.server_now(), seconds)
