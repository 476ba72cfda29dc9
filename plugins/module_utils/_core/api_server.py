# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server as a destination: the addresses and ports that a pod must reach."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import api_trust, engine, engine_records
from ansible_collections.netguard.lockdown.plugins.module_utils._core.api_records import (
    FROM_MEMORY,
    FROM_USER,
    ApiServer,
    Endpoint,
    Entity,
    ForeignHost,
    Options,
    Recall,
    Seen,
    ServiceAddress,
    Target,
    UserAddress,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import host_network, parse_address
from ansible_collections.netguard.lockdown.plugins.module_utils._core.endpoints import SlicePort
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError, ObjectRef
from ansible_collections.netguard.lockdown.plugins.module_utils._core.fence import Fence
from ansible_collections.netguard.lockdown.plugins.module_utils._core.grace import Kept, Pair, keep
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, Source, metadata


def resolve(wanted: Options, seen: Seen) -> ApiServer:
    """The API server's targets, or an error where one of them could be wrong."""
    service = _service_address(seen.service)
    witnesses = api_trust.witnesses(seen.slices, seen.endpoints, wanted.extra_slices)
    live = _user_endpoints(wanted.addresses, witnesses) if wanted.addresses else _live_endpoints(witnesses)
    fence = Fence(seen.ranges, service.cluster_ips, wanted.allowed)
    for endpoint in live:
        fence.check(endpoint.address, endpoint.origin)
    form = engine.choose_form(wanted.form, seen.engine, [endpoint.address for endpoint in live], seen.nodes)
    _refuse_nameless(service, form, wanted)
    kept, dropped = _kept(wanted, seen.recall, live, fence) if form.uses_endpoints else ([], [])
    remembered = [Endpoint(entry.address, entry.port, FROM_MEMORY) for entry in kept]
    endpoints = tuple(sorted([*live, *remembered], key=lambda endpoint: endpoint.order))
    return ApiServer(
        form=form,
        targets=_targets(form, endpoints, service),
        entity=_entity(form, endpoints),
        endpoints=endpoints,
        service=service,
        not_ready=_not_ready(witnesses, wanted),
        kept=tuple(kept),
        sources=_sources(seen, witnesses),
        warnings=(*form.warnings, *_remarks(witnesses, wanted), *dropped, *fence.doubts()),
    )


def _live_endpoints(witnesses: t.Sequence[api_trust.Witness]) -> list[Endpoint]:
    if not witnesses:
        raise api_trust.missing()
    api_trust.refuse_unready(witnesses)
    found: dict[Pair, Endpoint] = {}
    for witness in witnesses:
        for backend in witness.addresses():
            address = parse_address(backend.address, str(witness.source))
            endpoint = Endpoint(address, witness.port(), witness.origin)
            found.setdefault(endpoint.pair, endpoint)
    return list(found.values())


def _user_endpoints(addresses: t.Sequence[UserAddress], witnesses: t.Sequence[api_trust.Witness]) -> list[Endpoint]:
    """The user's word takes the place of what the slices say; only a port left out comes from there."""
    own = next((witness for witness in witnesses if witness.origin != api_trust.FROM_EXTRA), None)
    found: dict[Pair, Endpoint] = {}
    for entry in addresses:
        if entry.port is None and own is None:
            raise LockdownError(
                "invalid_option",
                f"api_server_addresses gives {entry.address} without a port",
                f"there is no EndpointSlice {api_trust.NAMESPACE}/{api_trust.NAME} to take the port from",
                "Give the entry as {address: ..., port: ...}",
            )
        port = entry.port or t.cast("api_trust.Witness", own).port()
        endpoint = Endpoint(entry.address, port, FROM_USER)
        found.setdefault(endpoint.pair, endpoint)
    return list(found.values())


def _kept(
    wanted: Options, recall: Recall | None, live: t.Sequence[Endpoint], fence: Fence
) -> tuple[list[Kept], list[str]]:
    # The user's own list is never extended by a memory.
    if recall is None or recall.seconds <= 0 or wanted.addresses:
        return [], []
    remembered = keep(recall.memory, {endpoint.pair for endpoint in live}, recall.now, recall.seconds)
    refused = [entry for entry in remembered if fence.refusal(entry.address)]
    dropped = [
        f"The vanished endpoint {entry.address}:{entry.port} is not kept: it is refused now" for entry in refused
    ]
    return [entry for entry in remembered if entry not in refused], dropped


def _targets(form: engine_records.Form, endpoints: t.Iterable[Endpoint], service: ServiceAddress) -> tuple[Target, ...]:
    by_port: dict[int, list[str]] = {}
    for endpoint in endpoints:
        by_port.setdefault(endpoint.port, []).append(str(host_network(endpoint.address)))
    targets = [Target(engine_records.ENDPOINTS, port, tuple(by_port[port])) for port in sorted(by_port)]
    blocks = tuple(str(host_network(address)) for address in service.cluster_ips)
    return (
        *(targets if form.uses_endpoints else []),
        *([Target(engine_records.SERVICE, service.port, blocks)] if form.uses_service else []),
    )


def _entity(form: engine_records.Form, endpoints: t.Iterable[Endpoint]) -> Entity | None:
    if not form.uses_entity:
        return None
    return Entity(tuple(sorted({endpoint.port for endpoint in endpoints})), form.additive)


def _service_address(raw: Raw) -> ServiceAddress:
    spec = raw.get("spec") or {}
    where = f"Service {api_trust.NAMESPACE}/{api_trust.NAME}"
    texts = spec.get("clusterIPs") or [spec.get("clusterIP")]
    ports = [
        SlicePort(port.get("name") or "", port.get("protocol") or "TCP", port.get("port"))
        for port in spec.get("ports") or []
        if (port.get("protocol") or "TCP") == "TCP"
    ]
    chosen = api_trust.named_or_only(ports)
    if chosen is None or chosen.number is None:
        raise LockdownError(
            "api_port_unclear",
            f"Cannot tell the API server's port from {where}",
            "it has neither one TCP port named https nor a single TCP port",
            "Check the Service: kube-apiserver writes it with one port, https",
            obj=ObjectRef("Service", api_trust.NAME, api_trust.NAMESPACE),
        )
    cluster_ips = [parse_address(text, where) for text in texts if text not in (None, "", "None")]
    return ServiceAddress(tuple(sorted(cluster_ips, key=lambda ip: (ip.version, int(ip)))), chosen.number)


def _refuse_nameless(service: ServiceAddress, form: engine_records.Form, wanted: Options) -> None:
    if not service.cluster_ips and (form.uses_service or not wanted.addresses):
        raise LockdownError(
            "api_fqdn_service",
            f"Service {api_trust.NAMESPACE}/{api_trust.NAME} has no cluster IP",
            "pods that use it are led to a name, and its addresses in a pod cannot be told from here",
            "Resolve the name in a pod, give the addresses in api_server_addresses and set form to endpoints",
            obj=ObjectRef("Service", api_trust.NAME, api_trust.NAMESPACE),
        )


def _not_ready(witnesses: t.Iterable[api_trust.Witness], wanted: Options) -> tuple[tuple[str, int], ...]:
    if wanted.addresses:
        return ()
    pairs = [
        (backend.address, witness.port())
        for witness in witnesses
        for backend in witness.content.backends
        if not backend.ready
    ]
    return tuple(sorted(set(pairs)))


def _remarks(witnesses: t.Sequence[api_trust.Witness], wanted: Options) -> list[str]:
    names = {witness.source.name for witness in witnesses}
    absent = [name for name in wanted.extra_slices if name not in names]
    remarks = [f"extra_api_slices names {name}, but there is no such slice of the API server" for name in absent]
    for witness in witnesses:
        waiting = [backend.address for backend in witness.content.backends if not backend.ready]
        surplus = [address for backend in witness.content.backends for address in backend.surplus]
        if waiting and not wanted.addresses:
            remarks.append(f"{witness.source}: left out {', '.join(waiting)}, which is not ready")
        if surplus:
            remarks.append(
                f"{witness.source}: left out {', '.join(surplus)}, because only the first address of an endpoint counts"
            )
    return remarks


def _sources(seen: Seen, witnesses: t.Iterable[api_trust.Witness]) -> tuple[Source, ...]:
    unique = dict.fromkeys([*(witness.source for witness in witnesses), Source.of(seen.service), *seen.engine.sources])
    return tuple(unique)


def foreign_hosts(pods: t.Iterable[Raw]) -> list[ForeignHost]:
    """The names that pods are told to dial instead of the Service's address."""
    found: dict[str, set[str]] = {}
    for pod in pods:
        meta = metadata(pod)
        for host in _service_hosts(pod):
            found.setdefault(host, set()).add(f"{meta.get('namespace')}/{meta.get('name')}")
    return [ForeignHost(host, tuple(sorted(found[host]))) for host in sorted(found)]


def _service_hosts(pod: Raw) -> t.Iterator[str]:
    for container in (pod.get("spec") or {}).get("containers") or []:
        for variable in container.get("env") or []:
            host = variable.get("value")
            if variable.get("name") == "KUBERNETES_SERVICE_HOST" and host and not _is_address(host):
                yield host


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
