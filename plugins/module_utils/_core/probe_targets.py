# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses behind the flows' targets, from the result of module cluster_network_info."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options, selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import Address, parse_address, parse_network
from ansible_collections.netguard.lockdown.plugins.module_utils._core.dns_service import DNS_PORT
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import Flow, Target
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_world import WorldPod

Fields = t.Mapping[str, t.Any]
End = tuple[Address, int]


@dataclass(frozen=True)
class ApiTarget:
    """The API servers' own addresses, and the address of their Service."""

    endpoints: tuple[End, ...]
    service: tuple[End, ...]


@dataclass(frozen=True)
class DnsTarget:
    """The pods of the cluster's DNS, the ports that they serve, and the address of their Service.

    `pod_selector` is None where no pods are known; `others` are name servers by address, each with protocol and port.
    """

    namespace: str
    pod_selector: Fields | None
    ports: tuple[tuple[str, int], ...]
    backends: tuple[tuple[str, Address], ...]
    service_name: str
    service: tuple[Address, ...]
    others: tuple[tuple[Address, str, int], ...] = ()

    def has(self, pod: WorldPod) -> bool:
        if self.pod_selector is None:
            return False
        return pod.namespace == self.namespace and selectors.matches(self.pod_selector, pod.labels)

    def ends(self, protocol: str) -> list[tuple[str, str, End]]:
        """What is asked for names with a protocol: kind, name, and address with port."""
        ports = [number for name, number in self.ports if name == protocol]
        pods = [("pod", name, (address, number)) for name, address in self.backends for number in ports]
        others = [("address", "", (address, number)) for address, name, number in self.others if name == protocol]
        services = [("service", self.service_name, (address, DNS_PORT)) for address in self.service]
        return [*pods, *services, *others]


@dataclass(frozen=True)
class Targets:
    """What is known of both; None where it was not resolved."""

    api_server: ApiTarget | None = None
    dns: DnsTarget | None = None

    @property
    def known_service(self) -> Address | None:
        """The address of a Service whose name every DNS server of the cluster knows."""
        ends = self.api_server.service if self.api_server else ()
        return next((address for address, _port in ends), next(iter(self.dns.service if self.dns else ()), None))


def read_targets(given: t.Any, flows: t.Sequence[Flow]) -> Targets:
    """Typed targets; an error where a flow needs one that is not there."""
    fields = options.mapping(given, "targets") if given else {}
    found = Targets(
        api_server=_api_server(fields["api_server"]) if fields.get("api_server") else None,
        dns=_dns(fields["dns"]) if fields.get("dns") else None,
    )
    wanted = [flow for flow in flows if isinstance(flow.peer, Target)]
    for flow in wanted:
        name = t.cast("Target", flow.peer).target
        if getattr(found, name) is None:
            raise options.invalid("targets", f"flow {flow.id} needs {name}, which is not given")
    return found


def _api_server(value: t.Any) -> ApiTarget:
    where = "targets.api_server"
    fields = options.mapping(value, where)
    kept = {_end(entry, f"{where}.kept") for entry in options.entries(fields.get("kept"), f"{where}.kept")}
    ends = [
        (parse_network(cidr, f"{where}.targets").network_address, options.port(entry.get("port"), f"{where}.targets"))
        for entry in options.entries(fields.get("targets"), f"{where}.targets")
        for cidr in options.words(entry.get("cidrs"), f"{where}.targets")
    ]
    service = options.mapping(fields.get("service") or {}, f"{where}.service")
    place = f"{where}.service.cluster_ips"
    addresses = [parse_address(text, place) for text in options.words(service.get("cluster_ips"), place)]
    known = tuple((address, options.port(service.get("port"), f"{where}.service.port")) for address in addresses)
    # What has vanished is still allowed for a while, and nobody answers there.
    return ApiTarget(tuple(end for end in ends if end not in kept and end not in known), known)


def _dns(value: t.Any) -> DnsTarget:
    where = "targets.dns"
    fields = options.mapping(value, where)
    selector = None
    if fields.get("pod_selector") is not None:
        selector = options.mapping(fields["pod_selector"], f"{where}.pod_selector")
        selectors.validate(selector, f"{where}.pod_selector")
    service = options.mapping(fields.get("service") or {}, f"{where}.service")
    place = f"{where}.service.cluster_ips"
    backends = options.entries(fields.get("backends"), f"{where}.backends")
    return DnsTarget(
        namespace=options.dns_label(fields.get("namespace"), f"{where}.namespace") if selector is not None else "",
        pod_selector=selector,
        ports=tuple(_ports(fields, where)),
        backends=tuple(
            (str(entry.get("name") or ""), parse_address(entry.get("address"), f"{where}.backends"))
            for entry in backends
            if entry.get("ready", True)
        ),
        service_name=str(service.get("name") or ""),
        service=tuple(parse_address(text, place) for text in options.words(service.get("cluster_ips"), place)),
        others=tuple(_others(fields, f"{where}.addresses")),
    )


def _ports(fields: Fields, where: str) -> t.Iterator[tuple[str, int]]:
    place = f"{where}.ports"
    for entry in options.entries(fields.get("ports"), place):
        yield options.choice(entry.get("protocol"), place, options.PROTOCOLS), options.port(entry.get("port"), place)


def _others(fields: Fields, where: str) -> t.Iterator[tuple[Address, str, int]]:
    for index, entry in enumerate(options.entries(fields.get("addresses"), where)):
        address = parse_network(entry.get("cidr"), f"{where}[{index}].cidr").network_address
        for protocol, port in _ports(entry, f"{where}[{index}]"):
            yield address, protocol, port


def _end(entry: Fields, where: str) -> End:
    return parse_address(entry.get("address"), where), options.port(entry.get("port"), where)
