# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports that Ignite listens on, each with the range that it may move in."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.findings import (
    ERROR,
    NOTE,
    NUMBER,
    WARNING,
    Finding,
    Part,
    Reader,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.spring import Unknown
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.workload import Workload

LOWEST, HIGHEST = 1024, 65535
ROLE_PORTS = ("discovery", "communication", "thin_client", "connector", "rest")
_RANGE = 100
_REST_LIBRARY = "ignite-rest-http"
_JETTY_PORT, _JMX_PORT = "IGNITE_JETTY_PORT", "com.sun.management.jmxremote.port"
_JMX_FILE = "com.sun.management.config.file"
_RMI_PORT = "com.sun.management.jmxremote.rmi.port"
# -javaagent:FILE=[HOST:]PORT:CONFIGURATION, the form of the Prometheus JMX exporter.
_EXPORTER = re.compile(r"-javaagent:[^=]*jmx_prometheus_javaagent[^=]*=(?:[^:]*:)?([0-9]{1,5}):.*")
_CLASSES = {
    "discovery": "TcpDiscoverySpi",
    "communication": "TcpCommunicationSpi",
    "thin_client": "ClientConnectorConfiguration",
    "connector": "ConnectorConfiguration",
}
_LEGACY = ("sqlConnectorConfiguration", "odbcConfiguration")


@dataclass(frozen=True)
class Listener:
    """One port. Enabled is None where that is not known; ports are None where they are not known.

    :arg setting: the property that pins the range to this one port.
    """

    name: str
    port: int | None
    last_port: int | None
    where: str
    setting: str
    enabled: bool | None = True
    protocol: str = "TCP"

    @property
    def counts(self) -> bool:
        return self.enabled is not False

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "name": self.name,
            "protocol": self.protocol,
            "enabled": self.enabled,
            "port": self.port,
            "last_port": self.last_port,
            "where": self.where,
        }


def read_listeners(reader: Reader, ignite: Part, workload: Workload | None) -> list[Listener]:
    """Every listener but that of multicast, which belongs to discovery."""
    with reader.about("connector"):
        connector = _own_class(reader, ignite, "connectorConfiguration", "connector")
    listeners = [
        _spi(reader, ignite, "discovery", "discoverySpi", 47500),
        _spi(reader, ignite, "communication", "communicationSpi", 47100),
        _thin_client(reader, ignite),
        _ranged(reader, connector, "connector", ("port", "portRange"), 11211),
        _rest(reader, connector, workload),
        *_jmx(reader, workload),
        *_metrics(workload),
    ]
    return [_plausible(reader, listener) for listener in listeners]


def role_ports(listeners: t.Iterable[Listener]) -> dict[str, int] | None:
    """The ports in the form of the role's variable; None if one of them is not known."""
    wanted = [listener for listener in listeners if listener.name in ROLE_PORTS and listener.counts]
    found = {listener.name: listener.port for listener in wanted if listener.port is not None}
    return found if len(found) == len(wanted) else None


def judge_listeners(listeners: t.Sequence[Listener]) -> t.Iterator[Finding]:
    active = [listener for listener in listeners if listener.counts]
    for listener in active:
        if listener.last_port is not None and listener.last_port != listener.port:
            yield _moving(listener)
        elif listener.last_port is None and listener.port is not None:
            yield Finding(
                "range_not_known", ERROR, listener.where, f"the range of port {listener.name} is not known",
                f"Set {listener.setting} to 0", listener.name,
            )  # fmt: skip
    for index, one in enumerate(active):
        for other in active[index + 1 :]:
            if _overlap(one, other):
                yield _shared(one, other)


def _moving(listener: Listener) -> Finding:
    return Finding(
        "range_not_pinned",
        ERROR,
        listener.where,
        f"{listener.name} takes the next free port from {listener.port} to {listener.last_port} when its own is busy, "
        "outside of what a policy allows",
        f"Set {listener.setting} to 0",
        listener.name,
    )


def _shared(one: Listener, other: Listener) -> Finding:
    message = f"{one.name} ({_span(one)}) and {other.name} ({_span(other)}) use the same port"
    return Finding("port_used_twice", ERROR, other.where, message, "Give each its own port and pin it")


def _span(listener: Listener) -> str:
    return str(listener.port) if listener.last_port == listener.port else f"{listener.port} to {listener.last_port}"


def _overlap(one: Listener, other: Listener) -> bool:
    if {one.name, other.name} == {"jmx", "jmx_rmi"}:  # the JVM lets both use one port
        return False
    if one.port is None or other.port is None or one.protocol != other.protocol:
        return False
    return one.port <= (other.last_port or other.port) and other.port <= (one.last_port or one.port)


def _spi(reader: Reader, ignite: Part, name: str, holder: str, default: int) -> Listener:
    with reader.about(name):
        part = _own_class(reader, ignite, holder, name)
    # A null is as if nothing was set, for Ignite needs both.
    return _ranged(reader, replace(part, is_null=False), name, ("localPort", "localPortRange"), default)


def _own_class(reader: Reader, ignite: Part, holder: str, name: str) -> Part:
    """The part if it is of Ignite's own class. Another one, or what a factory makes, may set ports by itself."""
    part, kind = reader.part(ignite, holder), _CLASSES[name]
    own = part.bean.class_name.rpartition(".")[2] if part.bean else kind
    if own == kind:
        return part
    message = f"{holder} is {own or 'of an unknown class'}, not {kind}: its ports and connections are not known"
    reader.note(f"other_{name}", ERROR, part.line, message, f"Use {kind}, or give its flows by hand")
    return Part(is_known=False)


def _thin_client(reader: Reader, ignite: Part) -> Listener:
    with reader.about("thin_client"):
        part = _own_class(reader, ignite, "clientConnectorConfiguration", "thin_client")
    listener = _ranged(reader, part, "thin_client", ("port", "portRange"), 10800, inclusive=True)
    for name in _LEGACY:
        if ignite.bean and ignite.bean.has(name):
            message = f"the deprecated {name} may change the port of thin clients"
            fix = "Use clientConnectorConfiguration"
            with reader.about("thin_client"):
                reader.note("legacy_connector", ERROR, ignite.bean.line_of(name), message, fix)
            listener = replace(listener, port=None, last_port=None)
    return listener


def _ranged(
    reader: Reader, part: Part, name: str, properties: tuple[str, str], default: int, *, inclusive: bool = False
) -> Listener:
    """:arg inclusive: whether the range counts the ports after the first; else it counts all of them."""
    with reader.about(name):
        port = reader.number(part, properties[0], default)
        size = reader.number(part, properties[1], _RANGE)
    return Listener(
        name=name,
        port=port,
        last_port=_last(port, size, inclusive),
        where=reader.where(part.bean.line_of(properties[0]) if part.bean else 0),
        setting=f"{properties[1]} of {_CLASSES[name]}",
        enabled=False if part.is_null else True if part.is_known else None,
    )


def _last(port: int | None, size: int | None, inclusive: bool) -> int | None:
    if port is None or size is None or size < 0:
        return None
    return port + size if inclusive or size == 0 else port + size - 1


def _rest(reader: Reader, connector: Part, workload: Workload | None) -> Listener:
    """REST over HTTP: its port is a system property, its range that of the connector."""
    given = workload.system_property(_JETTY_PORT) if workload else None
    port = _number(reader, workload, given, ("rest", _JETTY_PORT), 8080)
    with reader.about("rest"):
        if connector.bean and connector.bean.has("jettyPath"):
            message = "a Jetty configuration of its own sets the REST port"
            reader.note("jetty_file", ERROR, connector.bean.line_of("jettyPath"), message, f"Use -D{_JETTY_PORT}")
            port = None
        size = reader.number(connector, "portRange", _RANGE)
    return Listener(
        name="rest",
        port=port,
        last_port=_last(port, size, inclusive=False),
        where=workload.where if workload and given is not None else reader.where(connector.line),
        setting=f"portRange of {_CLASSES['connector']}",
        enabled=False if connector.is_null else has_rest(workload),
    )


def has_rest(workload: Workload | None) -> bool | None:
    """Whether REST over HTTP is loaded; another image than Apache's may load it by itself."""
    if workload is None or isinstance(workload.libraries, Unknown):
        return None
    if _REST_LIBRARY in workload.libraries:
        return True
    return False if workload.image.is_official and not workload.replaces_start else None


def _jmx(reader: Reader, workload: Workload | None) -> t.Iterator[Listener]:
    """JMX listens on two ports: that of its registry, and that of the connections to which the registry leads."""
    if workload is None:
        return
    given = workload.system_property(_JMX_PORT)
    if given is None and workload.system_property(_JMX_FILE) is not None:
        given = Unknown(f"the file of {_JMX_FILE} may set it")
    if given is None:
        off = None if workload.replaces_start else False
        yield from (Listener(name, None, None, workload.where, _JMX_PORT, enabled=off) for name in ("jmx", "jmx_rmi"))
        return
    port = _number(reader, workload, given, ("jmx", _JMX_PORT), 0)
    yield Listener("jmx", port, port, workload.where, _JMX_PORT)
    second = workload.system_property(_RMI_PORT)
    if second is None:
        message = "JMX takes a second port at random, which no policy can hold"
        fix = f"Write -D{_RMI_PORT}=PORT into JVM_OPTS"
        reader.findings.append(Finding("jmx_rmi_not_pinned", WARNING, workload.where, message, fix, "jmx_rmi"))
        yield Listener("jmx_rmi", None, None, workload.where, _RMI_PORT)
    else:
        port = _number(reader, workload, second, ("jmx_rmi", _RMI_PORT), 0)
        yield Listener("jmx_rmi", port, port, workload.where, _RMI_PORT)


def _metrics(workload: Workload | None) -> t.Iterator[Listener]:
    """The exporter of metrics that is loaded into the JVM as an agent; another one is not seen here."""
    for value in workload.options.values() if workload else ():
        for match in map(_EXPORTER.fullmatch, value.split()):
            if workload and match:
                yield Listener("metrics", int(match[1]), int(match[1]), workload.where, "-javaagent")


def _number(
    reader: Reader, workload: Workload | None, given: str | Unknown | None, names: tuple[str, str], default: int
) -> int | None:
    """:arg names: the listener and the system property."""
    listener, name = names
    if given is None:
        return default
    if isinstance(given, str) and NUMBER.fullmatch(given):
        return int(given)
    why = given.why if isinstance(given, Unknown) else "it is not a whole number"
    where = workload.where if workload else reader.document
    message = f"system property {name} is not known: {why}"
    fix = f"Write -D{name}=PORT into JVM_OPTS"
    reader.findings.append(Finding("unknown_value", ERROR, where, message, fix, listener))
    return None


def _plausible(reader: Reader, listener: Listener) -> Listener:
    """The listener without a number that is none."""
    if listener.port is None or LOWEST <= listener.port <= HIGHEST or not listener.counts:
        return listener
    code = "port_too_low" if listener.port < LOWEST else "invalid_port"
    message = f"port {listener.port} of {listener.name} is not between {LOWEST} and {HIGHEST}"
    fix = "Choose a port that Ignite and its image, which may run without privileges, can open"
    reader.findings.append(Finding(code, ERROR, listener.where, message, fix, listener.name))
    return replace(listener, port=None, last_port=None)


def judge_rest(workload: Workload | None) -> t.Iterator[Finding]:
    """REST settings that have no effect, or more of one than meant."""
    if workload and workload.environment.get(_JETTY_PORT) is not None:
        message = f"environment variable {_JETTY_PORT} has no effect: Ignite reads the system property only"
        fix = f"Write -D{_JETTY_PORT}=PORT into JVM_OPTS"
        yield Finding("jetty_port_ignored", WARNING, workload.where, message, fix)
    if workload and workload.system_property(_JMX_PORT) is not None:
        message = "JMX listens for connections from elsewhere"
        yield Finding("jmx_enabled", NOTE, workload.where, message, "Allow it to named peers only, or switch it off")
