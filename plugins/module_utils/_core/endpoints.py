# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backends of a Service, read from its EndpointSlices or, where there are none, from its Endpoints."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, Source, metadata

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"


@dataclass(frozen=True)
class SlicePort:
    """A port as the slice lists it; `number` is None for the API's "any port"."""

    name: str
    protocol: str
    number: int | None


@dataclass(frozen=True)
class Backend:
    """One endpoint. Only its first address has a meaning in the API; `surplus` holds the others."""

    address: str
    ready: bool
    pod: str
    surplus: tuple[str, ...] = ()


@dataclass(frozen=True)
class Slice:
    """An EndpointSlice, or one subset of an Endpoints object."""

    source: Source
    address_type: str
    ports: tuple[SlicePort, ...]
    backends: tuple[Backend, ...]
    controller: str = ""

    @property
    def ready(self) -> tuple[Backend, ...]:
        return tuple(backend for backend in self.backends if backend.ready)


def from_slice(raw: Raw) -> Slice:
    """An EndpointSlice of discovery.k8s.io/v1."""
    return Slice(
        source=Source.of(raw),
        address_type=raw.get("addressType", ""),
        ports=_ports(raw.get("ports")),
        backends=tuple(_backend(endpoint) for endpoint in raw.get("endpoints") or [] if endpoint.get("addresses")),
        controller=_controller(raw),
    )


def from_endpoints(raw: Raw) -> list[Slice]:
    """The subsets of a v1 Endpoints object, each as a slice of its own (a subset has its own ports)."""
    return [_from_subset(raw, subset) for subset in raw.get("subsets") or [{}]]


def of_service(raws: t.Iterable[Raw], namespace: str, name: str) -> list[Raw]:
    """Those EndpointSlices that carry the label of this Service in its namespace, in a stable order."""
    own = [
        raw
        for raw in raws
        if metadata(raw).get("namespace") == namespace
        and (metadata(raw).get("labels") or {}).get(SERVICE_NAME_LABEL) == name
    ]
    return sorted(own, key=lambda raw: str(metadata(raw).get("name", "")))


def _from_subset(raw: Raw, subset: Raw) -> Slice:
    ready = [_subset_backend(address, ready=True) for address in subset.get("addresses") or []]
    waiting = [_subset_backend(address, ready=False) for address in subset.get("notReadyAddresses") or []]
    return Slice(
        source=Source.of(raw),
        address_type="",
        ports=_ports(subset.get("ports")),
        backends=(*ready, *waiting),
        controller=_controller(raw),
    )


def _ports(raws: t.Sequence[Raw] | None) -> tuple[SlicePort, ...]:
    return tuple(
        SlicePort(name=raw.get("name") or "", protocol=raw.get("protocol") or "TCP", number=raw.get("port"))
        for raw in raws or []
    )


def _backend(raw: Raw) -> Backend:
    first, *others = raw["addresses"]
    # The API reads an absent condition as ready.
    ready = (raw.get("conditions") or {}).get("ready")
    return Backend(address=first, ready=ready is not False, pod=_pod(raw), surplus=tuple(others))


def _subset_backend(raw: Raw, *, ready: bool) -> Backend:
    return Backend(address=raw.get("ip", ""), ready=ready, pod=_pod(raw))


def _pod(raw: Raw) -> str:
    target = raw.get("targetRef") or {}
    return f"{target.get('namespace', '')}/{target.get('name', '')}" if target.get("kind") == "Pod" else ""


def _controller(raw: Raw) -> str:
    """Who maintains the object by its own words; empty for what kube-apiserver writes itself."""
    meta = metadata(raw)
    label = (meta.get("labels") or {}).get(MANAGED_BY_LABEL, "")
    owners = [f"{owner.get('kind')} {owner.get('name')}" for owner in meta.get("ownerReferences") or []]
    return label or ", ".join(owners)
