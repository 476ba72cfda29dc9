# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that traffic starts from and ends at, as far as reachability asks about them."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options
from ansible_collections.netguard.lockdown.plugins.module_utils._core.endpoints import SERVICE_NAME_LABEL
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.pods import has_ended
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.addresses import Point, point
from ansible_collections.netguard.lockdown.plugins.module_utils._core.selectors import NAMESPACE_NAME_LABEL
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw

_NO_LABELS: dict[str, str] = {}


class NamedPort(t.NamedTuple):
    name: str
    protocol: str
    number: int


class Namespace(t.NamedTuple):
    """:arg assumed: whether no object said that it exists, so that its labels are not known."""

    name: str
    labels: dict[str, str]
    assumed: bool = False


class Pod(t.NamedTuple):
    namespace: str
    name: str
    labels: dict[str, str]
    addresses: tuple[Point, ...]
    node: str
    host_network: bool
    ports: tuple[NamedPort, ...]
    service_account: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Node(t.NamedTuple):
    name: str
    addresses: tuple[Point, ...]


class ServicePort(t.NamedTuple):
    name: str
    protocol: str
    port: int


class Service(t.NamedTuple):
    namespace: str
    name: str
    addresses: tuple[Point, ...]
    ports: tuple[ServicePort, ...]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Slice(t.NamedTuple):
    """The ready endpoints of a Service with one list of ports."""

    namespace: str
    service: str
    ports: tuple[ServicePort, ...]
    addresses: tuple[Point, ...]


def read_namespace(raw: Raw, where: str) -> Namespace:
    name = name_of(raw, where)
    return Namespace(name, {**labels_of(raw, where), NAMESPACE_NAME_LABEL: name})


def read_pod(raw: Raw, where: str) -> Pod | None:
    """The pod; None if it has ended."""
    status = raw.get("status") or {}
    if has_ended(raw):
        return None
    spec = raw.get("spec") or {}
    return Pod(
        namespace=namespace_of(raw),
        name=name_of(raw, where),
        labels=labels_of(raw, where),
        addresses=_pod_addresses(status, where),
        node=spec.get("nodeName") or "",
        host_network=bool(spec.get("hostNetwork")),
        ports=_named_ports(spec, where),
        service_account=spec.get("serviceAccountName") or "default",
    )


def read_node(raw: Raw, where: str) -> Node:
    listed = (raw.get("status") or {}).get("addresses") or []
    texts = [entry.get("address") for entry in listed if str(entry.get("type", "")).endswith("IP")]
    return Node(name_of(raw, where), tuple(_point(text, f"{where} status.addresses") for text in texts))


def read_service(raw: Raw, where: str) -> Service:
    spec = raw.get("spec") or {}
    texts = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return Service(
        namespace=namespace_of(raw),
        name=name_of(raw, where),
        addresses=tuple(_point(text, f"{where} spec.clusterIPs") for text in texts if text not in (None, "", "None")),
        ports=tuple(_service_ports(spec.get("ports"), where)),
    )


def read_slice(raw: Raw, where: str) -> Slice:
    ready = [entry for entry in raw.get("endpoints") or [] if (entry.get("conditions") or {}).get("ready") is not False]
    # The addresses of one endpoint lead to the same place; consumers use the first one.
    texts = [(entry.get("addresses") or [None])[0] for entry in ready]
    family_is_address = raw.get("addressType") != "FQDN"
    return Slice(
        namespace=namespace_of(raw),
        service=labels_of(raw, where).get(SERVICE_NAME_LABEL, ""),
        ports=tuple(_service_ports(raw.get("ports"), where)),
        addresses=tuple(_point(text, f"{where} endpoints") for text in texts) if family_is_address else (),
    )


def name_of(raw: Raw, where: str) -> str:
    name = (raw.get("metadata") or {}).get("name")
    if not isinstance(name, str) or not name:
        raise bad_object(where, "metadata.name is missing")
    return name


def namespace_of(raw: Raw) -> str:
    """The namespace; a manifest without one goes to `default`, as with kubectl."""
    return str((raw.get("metadata") or {}).get("namespace") or "default")


def labels_of(raw: Raw, where: str) -> dict[str, str]:
    labels = (raw.get("metadata") or {}).get("labels")
    if not labels:
        return _NO_LABELS
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise bad_object(where, "metadata.labels is a mapping of text to text")
    return labels


def bad_object(where: str, why: str) -> LockdownError:
    return LockdownError("invalid_object", f"Invalid object: {where}", why, "Correct it, or leave it out")


def _pod_addresses(status: Raw, where: str) -> tuple[Point, ...]:
    texts = [entry.get("ip") for entry in status.get("podIPs") or [] if entry.get("ip")]
    if not texts and status.get("podIP"):
        texts = [status["podIP"]]
    return tuple(_point(text, f"{where} status.podIPs") for text in texts)


def _named_ports(spec: Raw, where: str) -> tuple[NamedPort, ...]:
    return tuple(
        NamedPort(
            entry["name"],
            entry.get("protocol") or "TCP",
            options.port(entry.get("containerPort"), f"containerPort of {where}"),
        )
        for container in spec.get("containers") or []
        for entry in container.get("ports") or []
        if entry.get("name")
    )


def _service_ports(listed: t.Any, where: str) -> t.Iterator[ServicePort]:
    for entry in listed or []:
        if entry.get("port") is not None:
            number = options.port(entry["port"], f"port of {where}")
            yield ServicePort(entry.get("name") or "", entry.get("protocol") or "TCP", number)


def _point(text: t.Any, where: str) -> Point:
    try:
        return point(text)
    except ValueError as error:
        raise bad_object(where, f"{text!r} is not an IP address") from error
