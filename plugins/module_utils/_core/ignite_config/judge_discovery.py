# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an Ignite's discovery a policy cannot hold, or its version cannot do."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config import discovery as modes
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config import versions
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.discovery import (
    Discovery,
    host_of,
    ports_of,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.findings import (
    ERROR,
    NOTE,
    WARNING,
    Finding,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.versions import Version

_DEFAULT_PORT = 47500


def judge_discovery(
    discovery: Discovery, port: int | None, version: Version | None, namespace: str
) -> t.Iterator[Finding]:
    """:arg port: the servers' discovery port.
    :arg namespace: that of the workload, empty if it is not known.
    """
    if discovery.mode == modes.MULTICAST:
        message = "the servers look for each other by multicast (UDP), which no policy allows and few networks carry"
        yield Finding("multicast", ERROR, discovery.where, message, "Set ipFinder to TcpDiscoveryKubernetesIpFinder")
    elif discovery.mode in (modes.OTHER, modes.UNKNOWN):
        message = "how the servers find each other is not known, so neither is what they need for it"
        yield Finding("unknown_discovery", ERROR, discovery.where, message, "Use the Kubernetes IP finder")
    elif discovery.mode == modes.KUBERNETES:
        yield from _kubernetes(discovery, port, version, namespace)
    else:
        yield from _listed(discovery, port, version)


def _kubernetes(discovery: Discovery, port: int | None, version: Version | None, namespace: str) -> t.Iterator[Finding]:
    where = discovery.where
    if discovery.has_connection_bean and version and version < versions.CONNECTION_CONFIGURATION:
        message = f"KubernetesConnectionConfiguration does not exist in {version}, so Ignite does not start"
        fix = "Set the properties on TcpDiscoveryKubernetesIpFinder itself, or use 2.10 or newer"
        yield Finding("finder_form", ERROR, where, message, fix)
    if namespace and discovery.namespace and discovery.namespace != namespace:
        message = f"the servers are in namespace {namespace}, and are looked for in {discovery.namespace}"
        yield Finding("other_namespace", WARNING, where, message, f"Set namespace to {namespace}")
    yield from _finder_port(discovery, port, version)


def _finder_port(discovery: Discovery, port: int | None, version: Version | None) -> t.Iterator[Finding]:
    """The finder gives no port, or discoveryPort; thick clients then try Ignite's default."""
    given, where = discovery.finder_port, discovery.where
    if given and version and version < versions.FINDER_PORT:
        message = f"discoveryPort does not exist in {version}, so Ignite does not start"
        yield Finding("finder_port_unsupported", ERROR, where, message, "Remove discoveryPort, or use 2.12 or newer")
    elif given and port is not None and given != port:
        message = f"discoveryPort {given} is not the servers' discovery port {port}"
        yield Finding("finder_port_differs", ERROR, where, message, f"Set discoveryPort to {port}")
    elif not given and port not in (None, _DEFAULT_PORT):
        if version and version >= versions.FINDER_PORT:
            message = f"thick clients try port {_DEFAULT_PORT} and not {port}"
            yield Finding("finder_port_not_set", WARNING, where, message, f"Set discoveryPort to {port}")
        else:
            message = f"before 2.12 this finder cannot lead thick clients to discovery port {port}"
            fix = f"Use port {_DEFAULT_PORT}, or 2.12 or newer with discoveryPort"
            yield Finding("discovery_port_unsupported", ERROR, where, message, fix)


def _listed(discovery: Discovery, port: int | None, version: Version | None) -> t.Iterator[Finding]:
    where = discovery.where
    hosts = [host_of(address) for address in discovery.addresses]
    if hosts and all(map(is_loopback, hosts)):
        message = "all addresses lead back to the pod that dials them, so every server stays a cluster of its own"
        yield Finding("loopback_addresses", ERROR, where, message, "List the servers' names")
    if not discovery.addresses:
        message = "the static finder lists no address, so every server stays a cluster of its own"
        yield Finding("no_addresses", ERROR, where, message, "List the servers' names")
    for address in discovery.addresses:
        given = ports_of(address)
        if ".." in given:
            message = f"{host_of(address)} is looked for on the ports {given}, beyond what a policy allows"
            yield Finding("address_range", WARNING, where, message, "Give the one discovery port")
        elif given and port is not None and given != str(port):
            message = f"{host_of(address)} is looked for on port {given}, and the servers' discovery port is {port}"
            yield Finding("address_port_differs", ERROR, where, message, f"Use port {port}")
    if discovery.mode == modes.STATIC and discovery.addresses:
        message = "pods get new addresses when they are replaced, and the list of addresses stays"
        yield Finding("fixed_addresses", WARNING, where, message, "List the names of a headless Service")
    if discovery.mode == modes.DNS and version and version < versions.ALL_ADDRESSES:
        message = f"{version} takes one address of each name once, so the name of a Service leads to one server"
        yield Finding("one_address_of_a_name", NOTE, where, message, "List the pods by their own names")


def is_loopback(host: str) -> bool:
    """Of an address, or of the name that every pod has for itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
