# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's DNS as a destination: which pods answer, and on which ports they really listen."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.dns_cache import DnsAddress
from ansible_collections.netguard.lockdown.plugins.module_utils._core.dns_service import (
    BY_USER,
    Candidate,
    Candidates,
    DnsPort,
    UserDns,
    ambiguous,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.endpoints import (
    Slice,
    from_slice,
    of_service,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError, ObjectRef
from ansible_collections.netguard.lockdown.plugins.module_utils._core.pods import has_ended
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, Source, metadata


@dataclass(frozen=True)
class DnsBackend:
    """One address of a DNS pod; `name` is empty where nothing tells the pod."""

    name: str
    address: str
    ready: bool

    def as_dict(self) -> dict[str, t.Any]:
        return {"name": self.name, "address": self.address, "ready": self.ready}


@dataclass(frozen=True)
class Chosen:
    """The DNS Service and its slices, decided before its pods are read."""

    service: Candidate
    found_by: str
    slices: tuple[Slice, ...]
    sources: tuple[Source, ...]
    warnings: tuple[str, ...]

    @property
    def selector(self) -> dict[str, t.Any]:
        return {"matchLabels": dict(self.service.selector)}


@dataclass(frozen=True)
class Dns:
    """The resolved DNS. Without pods (`pod_selector` is None) it is reached by `addresses` alone.

    `forwards_outside` tells whether it asks servers outside of the cluster; None is "not known".
    """

    namespace: str
    pod_selector: Raw | None
    ports: tuple[DnsPort, ...]
    service: Candidate | None
    found_by: str
    backends: tuple[DnsBackend, ...]
    over_match: tuple[str, ...]
    sources: tuple[Source, ...]
    warnings: tuple[str, ...] = ()
    addresses: tuple[DnsAddress, ...] = ()
    forwards_outside: bool | None = None

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "namespace": self.namespace or None,
            "pod_selector": None if self.pod_selector is None else dict(self.pod_selector),
            "addresses": [each.as_dict() for each in self.addresses],
            "forwards_outside": self.forwards_outside,
            "ports": [port.as_dict() for port in self.ports],
            "service": self.service.as_dict() if self.service else None,
            "found_by": self.found_by,
            "backends": [backend.as_dict() for backend in self.backends],
            "over_match": {"count": len(self.over_match), "pods": list(self.over_match)},
            "sources": [source.as_dict() for source in self.sources],
        }


def choose(candidates: Candidates, raw_slices: t.Sequence[Raw]) -> Chosen:
    """The one candidate with a ready backend; an error that names them if there is none or more than one."""
    found = [(service, _slices(service, raw_slices)) for service in candidates.services]
    ready = [(service, own) for service, own in found if any(each.ready for each in own)]
    idle = [service for service, own in found if not any(each.ready for each in own)]
    if len(ready) > 1:
        raise ambiguous(
            [service for service, _own in ready],
            "each has ready backends, and nothing tells which one pods use",
        )
    if not ready:
        raise _nobody_ready(idle)
    service, slices = ready[0]
    return Chosen(
        service=service,
        found_by=candidates.found_by,
        slices=slices,
        sources=(service.source, *(each.source for each in slices), *candidates.sources),
        warnings=tuple(f"{other.ref} has no ready backend and is not taken for the DNS" for other in idle),
    )


def resolve(chosen: Chosen, pods: t.Sequence[Raw]) -> Dns:
    """The DNS as its pods and slices show it. `pods` are those that the Service's selector matches."""
    service = chosen.service
    living = [pod for pod in pods if not has_ended(pod)]
    backends = tuple(_backends(chosen.slices, service.namespace, living))
    _refuse_unreachable(service, backends, living)
    answering = {backend.name for backend in backends}
    surplus = tuple(sorted(_name(pod) for pod in living if _name(pod) not in answering))
    ports, doubts = _target_ports(chosen)
    return Dns(
        namespace=service.namespace,
        pod_selector=chosen.selector,
        ports=ports,
        service=service,
        found_by=chosen.found_by,
        backends=backends,
        over_match=surplus,
        sources=chosen.sources,
        warnings=(*chosen.warnings, *doubts, *_over_match_warning(service, surplus)),
    )


def resolve_user(choice: UserDns, pods: t.Sequence[Raw]) -> Dns:
    """The pods that the user named; at least one of them must be ready."""
    living = [pod for pod in pods if not has_ended(pod)]
    backends = [DnsBackend(_name(pod), address, _is_ready(pod)) for pod in living for address in _addresses(pod)]
    ready = {backend.name for backend in backends if backend.ready}
    ref = ObjectRef("Pod", "", choice.namespace)
    if not ready:
        raise LockdownError(
            "dns_not_ready",
            f"Option dns selects no ready pod in namespace {choice.namespace}",
            f"{len(living)} pods match its pod_selector, none of them is ready",
            "Correct dns.pod_selector, or wait until a DNS pod is ready",
            obj=ref,
            details={"pods": [_name(pod) for pod in living]},
        )
    _refuse_host_network(ref, [pod for pod in living if _name(pod) in ready])
    return Dns(
        namespace=choice.namespace,
        pod_selector=choice.pod_selector or {},
        ports=choice.ports,
        service=None,
        found_by=BY_USER,
        backends=tuple(sorted(backends, key=_backend_order)),
        over_match=(),
        sources=tuple(Source.of(pod) for pod in sorted(living, key=_name)),
    )


def by_address() -> Dns:
    """A DNS that no pod of this cluster serves, at the user's word; its addresses are yet to be added."""
    return Dns("", None, (), None, BY_USER, (), (), ())


def _slices(service: Candidate, raws: t.Sequence[Raw]) -> tuple[Slice, ...]:
    return tuple(from_slice(raw) for raw in of_service(raws, service.namespace, service.name))


def _nobody_ready(services: t.Sequence[Candidate]) -> LockdownError:
    names = [f"{service.namespace}/{service.name}" for service in services]
    return LockdownError(
        "dns_not_ready",
        f"The cluster's DNS has no ready backend: Service {', '.join(names)}",
        "its EndpointSlices hold no ready endpoint, so its target ports are unknown",
        "Wait until a DNS pod is ready; if pods ask a server that is no pod, give dns.addresses; or set resolve_dns to "
        "false if no DNS is to be allowed",
        obj=services[0].ref,
        details={"services": names},
    )


def _target_ports(chosen: Chosen) -> tuple[tuple[DnsPort, ...], list[str]]:
    """The ports behind the Service's port 53. They are matched by name, so that a metrics port is none."""
    service = chosen.service
    found = {
        DnsPort(port.protocol, port.number)
        for each in chosen.slices
        if each.ready
        for port in each.ports
        if port.number is not None and service.port_names.get(port.protocol) == port.name
    }
    missing = [protocol for protocol in ("UDP", "TCP") if protocol not in {port.protocol for port in found}]
    if len(missing) == 2:
        raise LockdownError(
            "dns_ports_unclear",
            f"Cannot tell on which ports the pods of {service.ref} listen",
            "no port of its EndpointSlices has the name of the Service's port 53",
            "Check the Service's ports, or give pods and ports in option dns (namespace, pod_selector, ports)",
            obj=service.ref,
        )
    doubts = [f"{service.ref} does not answer over {protocol}, so only the other is allowed" for protocol in missing]
    return tuple(sorted(found, key=lambda port: port.order)), doubts


def _backends(slices: t.Iterable[Slice], namespace: str, pods: t.Iterable[Raw]) -> list[DnsBackend]:
    by_address = {address: _name(pod) for pod in pods for address in _addresses(pod)}
    found = {
        DnsBackend(
            name=backend.pod.partition("/")[2]
            if backend.pod.startswith(f"{namespace}/")
            else by_address.get(backend.address, ""),
            address=backend.address,
            ready=backend.ready,
        )
        for each in slices
        for backend in each.backends
    }
    return sorted(found, key=_backend_order)


def _backend_order(backend: DnsBackend) -> tuple[str, str]:
    return backend.name, backend.address


def _refuse_unreachable(service: Candidate, backends: t.Iterable[DnsBackend], pods: t.Sequence[Raw]) -> None:
    """A rule by pod selector reaches a backend only if the selector matches it and it has an own address."""
    ready = {backend.name for backend in backends if backend.ready}
    matched = [pod for pod in pods if _name(pod) in ready]
    if not matched:
        raise LockdownError(
            "dns_backends_unmatched",
            f"The selector of {service.ref} matches none of its ready backends",
            "a rule for that selector would reach no DNS pod",
            "Check the Service's selector and who writes its EndpointSlices",
            obj=service.ref,
            details={"backends": sorted(backend.address for backend in backends if backend.ready)},
        )
    _refuse_host_network(service.ref, matched)


def _refuse_host_network(ref: ObjectRef, pods: t.Iterable[Raw]) -> None:
    hosted = sorted(_name(pod) for pod in pods if (pod.get("spec") or {}).get("hostNetwork"))
    if hosted:
        raise LockdownError(
            "dns_host_network",
            f"DNS pods of {ref} use their node's network: {', '.join(hosted)}",
            "no pod selector matches such traffic",
            "Give the addresses of those nodes in option dns (addresses, and ports where they are not 53), alone",
            obj=ref,
            details={"pods": hosted},
        )


def _over_match_warning(service: Candidate, surplus: t.Sequence[str]) -> list[str]:
    if not surplus:
        return []
    remark = f"The selector of {service.ref} also matches pods that are no backend of it: {', '.join(surplus)}"
    return [f"{remark}; the DNS rule reaches them too"]


def _name(pod: Raw) -> str:
    return str(metadata(pod).get("name", ""))


def _addresses(pod: Raw) -> list[str]:
    return [entry["ip"] for entry in (pod.get("status") or {}).get("podIPs") or [] if entry.get("ip")]


def _is_ready(pod: Raw) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(entry.get("type") == "Ready" and entry.get("status") == "True" for entry in conditions)
