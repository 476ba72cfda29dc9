# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom to believe about the API server's address.

kube-apiserver writes exactly one EndpointSlice for its Service, `default/kubernetes`. Only that one
is believed; whoever may write slices in namespace default could otherwise open egress to any host.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.endpoints import (
    Backend,
    Slice,
    SlicePort,
    from_endpoints,
    from_slice,
    of_service,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError, ObjectRef
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, Source, metadata

NAMESPACE, NAME = "default", "kubernetes"
FROM_SLICE, FROM_ENDPOINTS, FROM_EXTRA = "slice", "endpoints", "extra_slice"
_PORT_NAME = "https"


@dataclass(frozen=True)
class Witness:
    """A slice that may name API servers, and why it may."""

    content: Slice
    origin: str

    @property
    def source(self) -> Source:
        return self.content.source

    def addresses(self) -> tuple[Backend, ...]:
        """The ready endpoints; an error where they are DNS names."""
        if self.content.address_type == "FQDN":
            raise _named_only(self)
        return self.content.ready

    def port(self) -> int:
        """The port named https, or the only one; an error where neither is clear."""
        ports = [port for port in self.content.ports if port.protocol == "TCP" and port.number is not None]
        chosen = named_or_only(ports)
        if chosen is None or chosen.number is None:
            raise _unclear_port(self.source, self.content.ports)
        return chosen.number


def has_own_slice(slices: t.Iterable[Raw]) -> bool:
    """Whether kube-apiserver's own slice is among these; without it the Endpoints object must be read."""
    return any(metadata(raw).get("name") == NAME for raw in of_service(slices, NAMESPACE, NAME))


def witnesses(slices: t.Iterable[Raw], endpoints: Raw | None, extra: t.Collection[str]) -> list[Witness]:
    """The slices to believe, kube-apiserver's own first; an error if another one claims to be one of them."""
    labelled = {str(metadata(raw)["name"]): raw for raw in of_service(slices, NAMESPACE, NAME)}
    own = labelled.pop(NAME, None)
    _refuse_planted([raw for name, raw in labelled.items() if name not in extra])
    found = _own(own, endpoints)
    if NAME not in extra:
        for witness in found:
            _refuse_foreign(witness.content)
    return found + [Witness(from_slice(raw), FROM_EXTRA) for raw in labelled.values()]


def refuse_unready(found: t.Sequence[Witness]) -> None:
    """An emptied slice is an error: an application that was working would be cut off."""
    ready = {witness.source for witness in found if witness.content.ready}
    for witness in found:
        if witness.source not in ready:
            raise LockdownError(
                "api_no_ready_endpoint",
                f"{witness.source} holds no ready endpoint",
                "its endpoints are marked as not ready"
                if witness.content.backends
                else "it is empty, as it may be for a moment while API servers restart",
                "Run again when an API server is ready; nothing was changed",
                obj=_ref(witness.source),
                details={"not_ready": [backend.address for backend in witness.content.backends]},
            )


def missing() -> LockdownError:
    return LockdownError(
        "api_endpoints_missing",
        "Cannot tell where the API server is",
        f"there is neither an EndpointSlice nor an Endpoints object {NAMESPACE}/{NAME}",
        "Check the endpoint reconciler of kube-apiserver, name other slices of the Service in "
        "extra_api_slices, or give api_server_addresses",
        obj=ObjectRef("EndpointSlice", NAME, NAMESPACE),
    )


def named_or_only(ports: t.Sequence[SlicePort]) -> SlicePort | None:
    """The port that is named https, else the only one there is."""
    candidates = [port for port in ports if port.name == _PORT_NAME] or list(ports)
    return candidates[0] if len(candidates) == 1 else None


def _own(raw: Raw | None, endpoints: Raw | None) -> list[Witness]:
    if raw is not None:
        return [Witness(from_slice(raw), FROM_SLICE)]
    return [Witness(subset, FROM_ENDPOINTS) for subset in from_endpoints(endpoints)] if endpoints else []


def _refuse_planted(raws: t.Sequence[Raw]) -> None:
    names = [str(metadata(raw)["name"]) for raw in raws]
    if names:
        raise LockdownError(
            "untrusted_endpoint_slice",
            f"EndpointSlice {', '.join(f'{NAMESPACE}/{name}' for name in names)} claims to hold API servers",
            f"kube-apiserver writes only {NAMESPACE}/{NAME}, and whoever may write slices in namespace "
            f"{NAMESPACE} could name any address",
            "Find out who wrote it (its managedFields tell) and delete it, or list it in extra_api_slices",
            obj=ObjectRef("EndpointSlice", names[0], NAMESPACE),
            details={"slices": [Source.of(raw).as_dict() for raw in raws]},
        )


def _refuse_foreign(content: Slice) -> None:
    """kube-apiserver's own objects name no controller and no owner; a mark of one tells of another writer."""
    if content.controller:
        raise LockdownError(
            "untrusted_endpoint_slice",
            f"{content.source} was not written by kube-apiserver",
            f"it says that it belongs to {content.controller}",
            "Find out who wrote it (its managedFields tell). kube-apiserver writes it anew if it is deleted; where "
            f"another writer is meant, list {NAME} in extra_api_slices",
            obj=_ref(content.source),
            details={"slices": [content.source.as_dict()]},
        )


def _named_only(witness: Witness) -> LockdownError:
    names = [backend.address for backend in witness.content.ready]
    return LockdownError(
        "api_fqdn_endpoint",
        f"{witness.source} names the API server by DNS name",
        f"policies need addresses, and {', '.join(names)} may resolve to others in a pod than here",
        "Resolve it in a pod and give the addresses in api_server_addresses",
        obj=_ref(witness.source),
        details={"names": names},
    )


def _unclear_port(source: Source, ports: t.Sequence[SlicePort]) -> LockdownError:
    listed = ", ".join(f"{port.name or 'unnamed'} {port.number or 'any'}/{port.protocol}" for port in ports)
    return LockdownError(
        "api_port_unclear",
        f"Cannot tell the API server's port from {source}",
        f"it lists {listed or 'no port'}, and neither one TCP port named {_PORT_NAME} nor a single TCP port",
        "Give the addresses with their port in api_server_addresses",
        obj=_ref(source),
    )


def _ref(source: Source) -> ObjectRef:
    return ObjectRef(source.kind, source.name, source.namespace)
