# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of an Ignite cluster and extra flows: from a user's entry to flow records and findings."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options, peers, selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import (
    DIRECTIONS,
    Block,
    Flow,
    Namespaces,
    Peer,
    Pods,
    Selector,
    Subject,
    end_port,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.helper_policies import Wish
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config import versions
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ports import Ports

# What node-to-node traffic runs on: whoever reaches these ports can act as a node, hence as an administrator.
NODE_PORTS = ("discovery", "communication")


@dataclass(frozen=True)
class Kind:
    """What a kind of client dials, and why.

    :arg does: the reason where the user gives none.
    :arg power: what whoever reaches these ports can do, where that is more than to use the data.
    """

    ports: tuple[str, ...]
    does: str
    power: str = ""


_CONTROL = "control"
_KINDS = {
    "thin": Kind(("thin_client",), "thin client {} uses the Ignite servers"),
    "thick": Kind(NODE_PORTS, "thick client {} uses the Ignite servers"),
    "jdbc": Kind(("thin_client",), "{} asks the Ignite servers by SQL over JDBC"),
    "odbc": Kind(("thin_client",), "{} asks the Ignite servers by SQL over ODBC"),
    "rest": Kind(("rest",), "{} uses Ignite's REST over HTTP", "read and change every cache, and run tasks"),
    "prometheus": Kind(("metrics",), "{} collects the metrics of the Ignite servers"),
    "jmx": Kind(("jmx", "jmx_rmi"), "{} watches the servers' JVMs over JMX", "operate Ignite and its JVM"),
    # Its port depends on the version.
    _CONTROL: Kind((), "{} administers the cluster with control.sh", "administer the cluster"),
    "custom": Kind((), "custom client {} uses the Ignite servers"),
}
KINDS = tuple(_KINDS)
CLIENT_KEYS = (
    "name",
    "kind",
    "ports",
    "force_client_to_server",
    "reason",
    "helper_policy",
    "helper_dns",
    *peers.KEYS,
)
EXTRA_KEYS = ("name", "direction", "protocol", "port", "end_port", "reason", *peers.KEYS)


@dataclass(frozen=True)
class Finding:
    """Something that is allowed as asked, and that a reviewer should know. `level` is warning or note."""

    code: str
    level: str
    where: str
    message: str

    def as_record(self) -> dict[str, str]:
        return {"code": self.code, "level": self.level, "where": self.where, "message": self.message}


@dataclass(frozen=True)
class Entry:
    """What one entry of the user's lists became. `accepted` is the user's reason for a wide peer."""

    where: str
    name: str
    flows: list[Flow]
    accepted: str = ""
    findings: list[Finding] = field(default_factory=list)
    helper: Wish | None = None


def read_client(
    fields: t.Mapping[str, t.Any], where: str, subject: Subject, ports: Ports, discovery: str = "kubernetes"
) -> Entry:
    """The flows of one client.

    :arg discovery: how servers, and thick clients, find the servers.
    """
    options.reject_unknown(fields, CLIENT_KEYS, where)
    name = options.dns_label(fields.get("name"), f"{where}.name")
    where = f"{where} ({name})"
    kind = options.choice(fields.get("kind"), f"{where}.kind", KINDS)
    chosen = _client_ports(fields.get("ports"), f"{where}.ports", kind, ports)
    named = peers.read_peers(fields, where)
    reason = _reason(fields.get("reason"), f"{where}.reason", _KINDS[kind].does.format(name))
    flows = [
        Flow(
            id=_flow_id("client", name, label, index, len(named)),
            direction="ingress",
            subject=subject,
            peer=peer,
            protocol="TCP",
            port=number,
            reason=f"{reason} ({label})",
        )
        for label, number in chosen.items()
        for index, peer in enumerate(named)
    ]
    if _servers_call_back(fields.get("force_client_to_server"), f"{where}.force_client_to_server", kind):
        flows += _callbacks(name, named, subject, ports, reason)
    accepted, findings = _judge(fields, where, kind, chosen, named)
    return Entry(where, name, flows, accepted, findings, _helper(fields, where, kind, flows, discovery))


def read_extra_flow(fields: t.Mapping[str, t.Any], where: str, subject: Subject, ports: Ports) -> Entry:
    """The records of one extra flow; its reason is mandatory, for nothing else explains it."""
    options.reject_unknown(fields, EXTRA_KEYS, where)
    name = options.dns_label(fields.get("name"), f"{where}.name")
    where = f"{where} ({name})"
    if options.is_unset(fields.get("reason")):
        raise options.invalid(f"{where}.reason", "an extra flow needs a reason, the business need behind it")
    named = peers.read_peers(fields, where)
    label, number = _port(fields.get("port"), f"{where}.port", ports)
    flows = [
        Flow(
            id=_flow_id("extra", name, label, index, len(named)),
            direction=options.choice(fields.get("direction"), f"{where}.direction", DIRECTIONS),
            subject=subject,
            peer=peer,
            protocol=options.choice(fields.get("protocol", "TCP"), f"{where}.protocol", options.PROTOCOLS),
            port=number,
            end_port=end_port(fields.get("end_port"), number, f"{where}.end_port"),
            reason=options.text(fields.get("reason"), f"{where}.reason"),
        )
        for index, peer in enumerate(named)
    ]
    accepted = peers.read_acceptance(fields, where)
    return Entry(where, name, flows, accepted, _findings(where, named, accepted))


def read_forbidden_flow(fields: t.Mapping[str, t.Any], where: str, subject: Subject, ports: Ports) -> Entry:
    """The records of one connection that must not work; it is written like an extra flow."""
    entry = read_extra_flow(fields, where, subject, ports)
    flows = [replace(flow, id=f"forbidden-{flow.id.removeprefix('extra-')}", expect="deny") for flow in entry.flows]
    return Entry(entry.where, entry.name, flows)


def _callbacks(name: str, named: t.Sequence[Peer], subject: Subject, ports: Ports, reason: str) -> list[Flow]:
    """The way from servers to a thick client: it listens for them on the communication port."""
    return [
        Flow(
            id=_flow_id("client", name, "communication-out", index, len(named)),
            direction="egress",
            subject=subject,
            peer=peer,
            protocol="TCP",
            port=ports.number("communication", f"client {name}"),
            reason=f"{reason} (servers open connections to thick clients)",
        )
        for index, peer in enumerate(named)
    ]


def _servers_call_back(value: t.Any, where: str, kind: str) -> bool:
    forced = not options.is_unset(value) and options.flag(value, where)
    if forced and kind != "thick":
        raise options.invalid(where, f"a {kind} client knows no forceClientToServerConnections")
    return kind == "thick" and not forced


def _client_ports(value: t.Any, where: str, kind: str, ports: Ports) -> dict[str, int]:
    """Label to number of each port; the list of the user replaces that of the kind."""
    listed = options.sequence(value, where)
    given = [_port(item, f"{where}[{index}]", ports) for index, item in enumerate(listed)]
    if not given:
        if kind == "custom":
            raise options.invalid(where, "a custom client needs its own list of ports")
        numbers = {label: ports.number(label, where) for label in _kind_ports(kind, ports, where)}
        return {label: number for label, number in numbers.items() if ports.name_of(number) == label}
    chosen = dict(given)
    if len(chosen) < len(given):
        raise options.invalid(where, "a port is listed twice")
    missing = [label for label in NODE_PORTS if kind == "thick" and label not in chosen]
    if missing:
        raise options.invalid(where, f"a thick client cannot work without {' and '.join(missing)}")
    return chosen


def _kind_ports(kind: str, ports: Ports, where: str) -> tuple[str, ...]:
    if kind != _CONTROL:
        return _KINDS[kind].ports
    if ports.version is None:
        raise LockdownError(
            "version_not_known",
            f"Refused {where}",
            "control.sh dials the connector port up to 2.16 and the thin client port since 2.17, and the version of "
            "Ignite is not known",
            "Give ignite_lockdown_version, or the client's ports",
        )
    return ("thin_client",) if ports.version >= versions.CONTROL_BY_THIN_CLIENT else ("connector",)


def _port(value: t.Any, where: str, ports: Ports) -> tuple[str, int]:
    """Label and number of a port given by name or by number; a number that has a name is labelled with it."""
    if isinstance(value, str) and not value.strip().isdigit():
        name = options.choice(value, where, ports.names)
        return name, ports.number(name, where)
    number = options.port(value, where)
    return ports.name_of(number), number


def _flow_id(kind: str, name: str, label: str, index: int, count: int) -> str:
    number = f"-{index + 1}" if count > 1 else ""
    return f"{kind}-{name}-{label.replace('_', '-')}{number}"


def _reason(value: t.Any, where: str, default: str) -> str:
    return default if options.is_unset(value) else options.text(value, where)


def _judge(
    fields: t.Mapping[str, t.Any], where: str, kind: str, chosen: t.Mapping[str, int], named: t.Sequence[Peer]
) -> tuple[str, list[Finding]]:
    accepted = peers.read_acceptance(fields, where)
    findings = _findings(where, named, accepted)
    exposed = [label for label in NODE_PORTS if label in chosen]
    if kind != "thick" and exposed:
        message = (
            f"It is a {kind} client, but may use {' and '.join(exposed)}: "
            "whoever reaches these ports can join as a node and is an administrator"
        )
        findings.append(Finding("client_on_node_ports", "warning", where, message))
    if _KINDS[kind].power:
        message = f"Whoever reaches {' and '.join(chosen)} can {_KINDS[kind].power}"
        findings.append(Finding("client_with_power", "note", where, message))
    return accepted, findings


def _helper(
    fields: t.Mapping[str, t.Any], where: str, kind: str, flows: t.Sequence[Flow], discovery: str
) -> Wish | None:
    wanted, with_dns = (
        not options.is_unset(fields.get(key)) and options.flag(fields[key], f"{where}.{key}")
        for key in ("helper_policy", "helper_dns")
    )
    if not wanted:
        if with_dns:
            raise options.invalid(f"{where}.helper_dns", "it is a part of helper_policy, which is not wanted")
        return None
    targets = [("dns", protocol, "the client asks for the names of Ignite") for protocol in ("UDP", "TCP") if with_dns]
    if kind == "thick" and discovery == "kubernetes":
        targets.append(("api_server", "TCP", "the client's Kubernetes IP finder asks for the servers' addresses"))
    return Wish(where, str(fields["name"]), tuple(flows), tuple(targets))


def _findings(where: str, named: t.Sequence[Peer], accepted: str) -> list[Finding]:
    findings = list(_label_findings(where, named))
    if accepted:
        message = f"A wide peer was accepted: {accepted}"
        findings.append(Finding("wide_peer_accepted", "warning", where, message))
    return findings


def _label_findings(where: str, named: t.Sequence[Peer]) -> t.Iterator[Finding]:
    for peer in named:
        if isinstance(peer, Pods) and not _by_name(peer.namespace_selector):
            message = "Whoever may label a namespace can make its pods this peer; a namespace's name cannot be faked"
            yield Finding("peer_by_namespace_labels", "warning", where, message)
        if not isinstance(peer, Block) and getattr(peer, "pod_selector", None) is not None:
            message = f"Whoever may create or label pods in {_place(peer)} can make them this peer"
            yield Finding("peer_by_pod_labels", "note", where, message)


def _by_name(selector: Selector | None) -> bool:
    """Whether a selector pins namespaces by the label that the API server sets; none means the own one."""
    if selector is None:
        return True
    label = selectors.NAMESPACE_NAME_LABEL
    rules = selector.get("matchExpressions") or []
    return label in (selector.get("matchLabels") or {}) or any(
        rule["key"] == label and rule["operator"] == "In" for rule in rules
    )


def _place(peer: Peer) -> str:
    if isinstance(peer, Namespaces):
        return f"namespace {', '.join(peer.names)}"
    by_label = isinstance(peer, Pods) and peer.namespace_selector is not None
    return "a matching namespace" if by_label else "Ignite's namespace"
