# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known, wanted and resolved of the API server."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.netguard.lockdown.plugins.module_utils._core import engine_records, options
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import (
    Address,
    Network,
    host_network,
    parse_address,
    parse_network,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cluster import Ranges
from ansible_collections.netguard.lockdown.plugins.module_utils._core.grace import Kept, Memory, Pair
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, Source

FROM_USER, FROM_MEMORY = "user", "kept"


@dataclass(frozen=True)
class UserAddress:
    """An address that the user gave; without a port, the one that the trusted slice holds."""

    address: Address
    port: int | None


@dataclass(frozen=True)
class Options:
    """The user's word on the API server."""

    form: str = engine_records.AUTO
    extra_slices: tuple[str, ...] = ()
    allowed: tuple[Network, ...] = ()
    addresses: tuple[UserAddress, ...] = ()

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Options:
        return cls(
            form=params.get("form") or engine_records.AUTO,
            extra_slices=tuple(params.get("extra_api_slices") or []),
            allowed=tuple(
                parse_network(text, f"allowed_api_cidrs[{index}]")
                for index, text in enumerate(params.get("allowed_api_cidrs") or [])
            ),
            addresses=tuple(
                _user_address(entry, f"api_server_addresses[{index}]")
                for index, entry in enumerate(params.get("api_server_addresses") or [])
            ),
        )


@dataclass(frozen=True)
class Recall:
    """What our policies remember, and the API server's clock to judge it by."""

    memory: Memory
    now: datetime
    seconds: int


@dataclass(frozen=True)
class Seen:
    """The objects as they were read; `endpoints` only where there is no slice default/kubernetes."""

    service: Raw
    slices: t.Sequence[Raw]
    endpoints: Raw | None
    ranges: Ranges
    nodes: frozenset[Address]
    engine: engine_records.Detected
    recall: Recall | None = None


@dataclass(frozen=True)
class Endpoint:
    """One address and port where an API server answers, and where that was said."""

    address: Address
    port: int
    origin: str

    @property
    def pair(self) -> Pair:
        return self.address, self.port

    @property
    def order(self) -> tuple[int, int, int]:
        return self.address.version, int(self.address), self.port

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "address": str(self.address),
            "port": self.port,
            "cidr": str(host_network(self.address)),
            "origin": self.origin,
        }


@dataclass(frozen=True)
class Target:
    """What one egress rule is rendered from: these blocks on this port."""

    via: str
    port: int
    cidrs: tuple[str, ...]
    protocol: str = "TCP"

    def as_dict(self) -> dict[str, t.Any]:
        return {"via": self.via, "protocol": self.protocol, "port": self.port, "cidrs": list(self.cidrs)}


@dataclass(frozen=True)
class ServiceAddress:
    """The Service default/kubernetes as pods dial it; without a cluster IP it leads to a DNS name."""

    cluster_ips: tuple[Address, ...]
    port: int

    def as_dict(self) -> dict[str, t.Any]:
        return {"cluster_ips": [str(address) for address in self.cluster_ips], "port": self.port}


@dataclass(frozen=True)
class Entity:
    """The API server under the name that Cilium has for it, on the ports where endpoints answer.

    `additive` tells that its policy can be kept from isolating the pods that it selects.
    """

    ports: tuple[int, ...]
    additive: bool
    entities: tuple[str, ...] = ("kube-apiserver",)

    def as_dict(self) -> dict[str, t.Any]:
        return {"entities": list(self.entities), "ports": list(self.ports), "additive": self.additive}


@dataclass(frozen=True)
class ApiServer:
    """The resolved API server."""

    form: engine_records.Form
    targets: tuple[Target, ...]
    entity: Entity | None
    endpoints: tuple[Endpoint, ...]
    service: ServiceAddress
    not_ready: tuple[tuple[str, int], ...]
    kept: tuple[Kept, ...]
    sources: tuple[Source, ...]
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "form": self.form.name,
            "form_requested": self.form.requested,
            "form_reason": self.form.reason,
            "targets": [target.as_dict() for target in self.targets],
            "entity": self.entity.as_dict() if self.entity else None,
            "endpoints": [endpoint.as_dict() for endpoint in self.endpoints],
            "service": self.service.as_dict(),
            "not_ready": [{"address": address, "port": port} for address, port in self.not_ready],
            "kept": [kept.as_dict() for kept in self.kept],
            "sources": [source.as_dict() for source in self.sources],
        }


@dataclass(frozen=True)
class ForeignHost:
    """A DNS name in KUBERNETES_SERVICE_HOST of some pods: they dial other addresses than the slice holds.

    Managed clusters inject it, and how it resolves in a pod cannot be told from here.
    """

    host: str
    pods: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{', '.join(self.pods)} dial the API server as {self.host}; if your pods do so too, resolve that name in "
            "a pod and give the addresses in api_server_addresses"
        )

    def as_dict(self) -> dict[str, t.Any]:
        return {"host": self.host, "pods": list(self.pods)}


def _user_address(entry: t.Any, where: str) -> UserAddress:
    if not isinstance(entry, t.Mapping):
        return UserAddress(parse_address(entry, where), None)
    options.reject_unknown(entry, ("address", "port"), where)
    port = entry.get("port")
    address = parse_address(entry.get("address"), f"{where}.address")
    return UserAddress(address, None if port is None else options.port(port, f"{where}.port"))
