# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the servers find each other: the IP finder of Ignite's TCP discovery."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.findings import ERROR, Part, Reader
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.place import split
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.spring import Bean, Unknown, Value

KUBERNETES, STATIC, DNS, MULTICAST, OTHER, UNKNOWN = "kubernetes", "static", "dns", "multicast", "other", "unknown"
# What the API server is called in masterUrl.
NAME, ADDRESS, ENVIRONMENT = "name", "address", "environment"

MULTICAST_PORT = 47400
_CONNECTION = ".KubernetesConnectionConfiguration"
_DEFAULT_URL = "https://kubernetes.default.svc.cluster.local:443"
_MODES = {
    "TcpDiscoveryKubernetesIpFinder": KUBERNETES,
    "TcpDiscoveryVmIpFinder": STATIC,
    "TcpDiscoveryMulticastIpFinder": MULTICAST,
}
# The pod's own variables for the API server, in the forms in which SpEL can name them; anything else is not known.
_VARIABLE = r"systemEnvironment(?:\.{0}|\[(?:'{0}'|\"{0}\"|{0})\])"
_FROM_ENVIRONMENT = re.compile(
    r"#\{'https://(\[?)'\+"
    + _VARIABLE.format("KUBERNETES_SERVICE_HOST")
    + r"\+'(\]?):(?:443'|'\+"
    + _VARIABLE.format("KUBERNETES_SERVICE_PORT(?:_HTTPS)?")
    + r")\}"
)


@dataclass(frozen=True)
class Discovery:
    """The finder. What belongs to another mode is empty; None is what is not known.

    :arg finder_port: discoveryPort of the Kubernetes finder, 0 if it is not set.
    :arg has_connection_bean: whether the Kubernetes finder is set up through KubernetesConnectionConfiguration.
    :arg addresses: hosts of a static finder as they are written, ports included.
    """

    mode: str
    where: str
    namespace: str | None = ""
    service: str | None = ""
    master_url: str | None = ""
    master_url_kind: str = ""
    finder_port: int | None = 0
    has_connection_bean: bool = False
    addresses: tuple[str, ...] = ()
    multicast_port: int | None = None

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "mode": self.mode,
            "where": self.where,
            "namespace": self.namespace,
            "service": self.service,
            "master_url": self.master_url,
            "master_url_kind": self.master_url_kind,
            "finder_port": self.finder_port,
            "addresses": list(self.addresses),
            "multicast_port": self.multicast_port,
        }


def read_discovery(reader: Reader, ignite: Part) -> Discovery:
    spi = reader.part(ignite, "discoverySpi")
    if not spi.is_known:
        return Discovery(UNKNOWN, reader.where(0))
    if spi.bean and not spi.bean.class_name.endswith(".TcpDiscoverySpi"):
        return Discovery(OTHER, reader.where(spi.line))
    finder = reader.part(spi, "ipFinder")
    if not finder.is_known:
        return Discovery(UNKNOWN, reader.where(spi.line))
    if finder.bean is None:
        return Discovery(MULTICAST, reader.where(spi.line), multicast_port=MULTICAST_PORT)
    mode = _MODES.get(finder.bean.class_name.rpartition(".")[2], OTHER)
    if mode == KUBERNETES:
        return _kubernetes(reader, finder.bean)
    if mode == OTHER:
        return Discovery(OTHER, reader.where(finder.line))
    return _listed(reader, finder, mode)


def _listed(reader: Reader, finder: Part, mode: str) -> Discovery:
    """A finder with a list of addresses; multicast takes one besides."""
    items = reader.items(finder, "addresses")
    unknown = next((item for item in items or [] if not isinstance(item, str)), None)
    if isinstance(unknown, Unknown):
        fix = "Write the addresses out in the configuration"
        reader.note("unknown_value", ERROR, unknown.line or finder.line, f"an address is not known: {unknown.why}", fix)
    if mode == STATIC and (items is None or unknown is not None):
        return Discovery(UNKNOWN, reader.where(finder.line))
    addresses = tuple(item for item in items or [] if isinstance(item, str))
    port = reader.number(finder, "multicastPort", MULTICAST_PORT) if mode == MULTICAST else None
    named = mode == STATIC and any(not _is_address(host_of(each)) for each in addresses)
    return Discovery(DNS if named else mode, reader.where(finder.line), addresses=addresses, multicast_port=port)


def _kubernetes(reader: Reader, finder: Bean) -> Discovery:
    """Since 2.10 the settings are a bean of their own; the finder's own properties are the older form."""
    argument: Value = finder.only_argument()
    if not (argument is None or (isinstance(argument, Bean) and argument.class_name.endswith(_CONNECTION))):
        fix = "Give one KubernetesConnectionConfiguration bean"
        reader.note("unknown_value", ERROR, finder.line, "the constructor argument of the finder is not known", fix)
        return Discovery(UNKNOWN, reader.where(finder.line))
    settings = Part(argument if isinstance(argument, Bean) else finder)

    def holder(name: str) -> Part:
        """The finder's own properties are set after the bean that it is made from, into that bean."""
        return Part(finder) if finder.has(name) else settings

    url, kind = _master_url(reader, holder("masterUrl"))
    return Discovery(
        mode=KUBERNETES,
        where=reader.where(settings.line),
        namespace=reader.text(holder("namespace"), "namespace", "default"),
        service=reader.text(holder("serviceName"), "serviceName", "ignite"),
        master_url=url,
        master_url_kind=kind,
        finder_port=reader.number(settings, "discoveryPort", 0),
        has_connection_bean=argument is not None,
    )


def _master_url(reader: Reader, settings: Part) -> tuple[str | None, str]:
    """The API server's URL, without what a URL can hold besides, and what it names the server by."""
    given = settings.bean.get("masterUrl", _DEFAULT_URL) if settings.bean else _DEFAULT_URL
    if isinstance(given, Unknown):
        match = _FROM_ENVIRONMENT.fullmatch("".join(given.expression.split()))
        if match and bool(match[1]) == bool(match[2]):
            return None, ENVIRONMENT
    text = reader.text(settings, "masterUrl", _DEFAULT_URL)
    parts = split(text) if text is not None else None
    if parts is None or not parts.hostname:
        line = settings.bean.line_of("masterUrl") if settings.bean else 0
        if text is not None:
            reader.note("invalid_value", ERROR, line, "masterUrl is not a URL", "Give it as https://ADDRESS:PORT")
        return None, UNKNOWN
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    url = f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
    return url, ADDRESS if _is_address(parts.hostname) else NAME


def host_of(address: str) -> str:
    """The host of HOST, HOST:PORT, HOST:FIRST..LAST and [HOST]:PORT."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def ports_of(address: str) -> str:
    """The port or range of an address, empty if it has none."""
    rest = address.partition("]")[2] if address.startswith("[") else address
    return rest.partition(":")[2] if rest.count(":") == 1 else ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
