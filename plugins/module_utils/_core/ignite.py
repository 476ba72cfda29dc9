# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ignite needs: the options of the role, typed and judged, become flows with ids and reasons."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from functools import partial

from ansible_collections.netguard.lockdown.plugins.module_utils._core import (
    helper_policies,
    options,
    peers,
    ranges,
    selectors,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.clients import (
    Entry,
    Finding,
    read_client,
    read_extra_flow,
    read_forbidden_flow,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import (
    Flow,
    Pods,
    Subject,
    Target,
    same_traffic,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.adopted import (
    Adopted,
    read_accepted,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.versions import (
    Image,
    Version,
    read_version,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.wanted import reads
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ports import OPTIONAL, Ports

PREFIX = "ignite_lockdown_"
PROFILES = ("standard", "minimal")
DISCOVERIES = ("kubernetes", "dns")
SERVERS = "servers"

# Ignite's own defaults; a test compares them with those of the role.
DEFAULT_PORTS = {"discovery": 47500, "communication": 47100, "thin_client": 10800, "connector": 11211, "rest": 8080}

_LOWEST_PORT, _HIGHEST_PORT = 1024, 65535  # Ignite refuses smaller ones
_PEER_REASONS = {
    "discovery": "servers find each other and watch their ring",
    "communication": "servers exchange data",
}
_API_REASON = "the Kubernetes IP finder asks for the servers' addresses, at start and then every minute"
_DNS_REASON = "names such as kubernetes.default.svc and those of peers are resolved"
_DNS_FINDING = (
    "The cluster's DNS may resolve any name, so data can leave in queries; profile minimal closes this, "
    "on an Ignite that is configured for it"
)

Given = t.Mapping[str, t.Any]

_T = t.TypeVar("_T")
_Reader = t.Callable[[Given, str], Entry]


@dataclass
class Needs:
    """The flows, and everything wrong or worth knowing about what was asked for.

    What is forbidden is kept apart: policies are rendered from `flows` alone.
    """

    flows: list[Flow] = field(default_factory=list)
    forbidden: list[Flow] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    errors: list[LockdownError] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    helpers: list[helper_policies.Helper] = field(default_factory=list)
    ignite: dict[str, t.Any] | None = None

    def as_record(self) -> dict[str, t.Any]:
        return {
            "flows": [flow.as_record() for flow in self.flows],
            "forbidden": [flow.as_record() for flow in self.forbidden],
            "findings": [finding.as_record() for finding in self.findings],
            "errors": [str(error) for error in self.errors],
            "accepted": self.accepted,
            "helpers": [helper.as_record() for helper in self.helpers],
            "ignite": self.ignite,
        }


def ignite_needs(given: Given, configured: t.Mapping[str, t.Any] | None = None) -> Needs:
    """Flows of one Ignite cluster.

    :arg given: the role's variables by their full names, as typed or untyped as templates left them; ports that are
        not given have Ignite's own numbers.
    :arg configured: the result of module ignite_config_info, where Ignite's own configuration counts.
    :returns: with errors, flows hold only what could be read.
    """
    needs = Needs()
    adopted = Adopted(dict(configured)) if configured and reads(given) else None
    if adopted is None and reads(given):
        needs.errors.append(_not_read())
        return needs
    subject = _read(needs, _subject, given)
    ports = _read(needs, partial(_ports, adopted=adopted, needs=needs), given)
    minimal = _read(needs, partial(_is_minimal, adopted=adopted, needs=needs), given)
    discovery = _read(needs, partial(_discovery, adopted=adopted), given)
    if subject is None or ports is None or minimal is None or discovery is None:
        return needs
    with options.collected(needs.errors):
        needs.flows = _server_flows(subject, ports, minimal, discovery)
    if not minimal:
        needs.findings.append(Finding("dns_is_a_way_out", "note", f"{PREFIX}profile", _DNS_FINDING))
    reader = partial(read_client, subject=subject, ports=ports, discovery=discovery)
    clients = _entries(needs, given, "clients", reader)
    extra = _entries(needs, given, "extra_flows", partial(read_extra_flow, subject=subject, ports=ports))
    entries = [*clients, *extra]
    for entry in entries:
        needs.flows += entry.flows
        needs.findings += entry.findings
        needs.accepted += [flow.id for flow in entry.flows if entry.accepted]
    forbidden = _entries(needs, given, "forbidden", partial(read_forbidden_flow, subject=subject, ports=ports))
    needs.forbidden = [flow for entry in forbidden for flow in entry.flows]
    needs.errors += [error for listed in (clients, extra, forbidden) for error in _repeated_names(listed)]
    needs.errors += _repeated_traffic(needs.flows, entries)
    needs.errors += _contradictions(needs.flows, needs.forbidden)
    needs.errors += ranges.too_wide(needs.flows, needs.accepted)
    needs.errors += ranges.in_metadata_range(needs.flows, needs.accepted)
    for entry in clients:
        if entry.helper:
            with options.collected(needs.errors):
                needs.helpers += _helpers(entry.helper, given, minimal)
    if adopted:
        _adopt(needs, given, adopted, ports)
    return needs


def _not_read() -> LockdownError:
    return LockdownError(
        "config_not_read",
        "Cannot tell what Ignite needs",
        "its configuration is to be read, and was not",
        f"Run an entry point that reads it, or set {PREFIX}read_config: false and give the ports",
    )


def _adopt(needs: Needs, given: Given, adopted: Adopted, ports: Ports) -> None:
    """What the configuration that was read adds: its findings, of which some stop the run."""
    where = f"{PREFIX}accept_config_findings"
    numbers = {flow.port for flow in (*needs.flows, *needs.forbidden)}
    used = {*_PEER_REASONS, *(name for name, number in ports.numbers.items() if number in numbers)}
    with options.collected(needs.errors):
        findings, errors = adopted.judge(used, read_accepted(given.get(where), where))
        needs.findings += findings
        needs.errors += errors
    needs.ignite = adopted.summary()


def _helpers(wish: helper_policies.Wish, given: Given, minimal: bool) -> list[helper_policies.Helper]:
    if minimal and any(target == "dns" for target, _protocol, _why in wish.targets):
        raise options.invalid(f"{wish.where}.helper_dns", "profile minimal looks for no DNS; write that rule by hand")
    namespace, instance = (
        options.dns_label(given.get(f"{PREFIX}{name}"), f"{PREFIX}{name}") for name in ("namespace", "instance")
    )
    return list(helper_policies.helpers(wish, namespace, instance))


def _read(needs: Needs, reader: t.Callable[[Given], _T], given: Given) -> _T | None:
    try:
        return reader(given)
    except LockdownError as error:
        needs.errors.append(error)
        return None


def _subject(given: Given) -> Subject:
    where = f"{PREFIX}pod_selector"
    selector = given.get(where)
    selectors.validate(selector, where)
    if peers.is_wide(selector):
        raise options.invalid(where, "it demands no label, so any pod would be an Ignite server")
    return Subject(SERVERS, dict(selector or {}))


def read_ports(given: Given) -> dict[str, int]:
    """The ports as the user gives them, the others as Ignite's own."""
    ports = {**DEFAULT_PORTS, **_given_ports(given)}
    _refuse_shared(ports)
    return ports


def _given_ports(given: Given) -> dict[str, int]:
    where = f"{PREFIX}ports"
    fields = {} if options.is_unset(given.get(where)) else options.mapping(given[where], where)
    options.reject_unknown(fields, (*DEFAULT_PORTS, *OPTIONAL), where)
    return {
        name: options.integer(value, f"{where}.{name}", _LOWEST_PORT, _HIGHEST_PORT) for name, value in fields.items()
    }


def _refuse_shared(ports: dict[str, int]) -> None:
    numbers = [number for name, number in ports.items() if name != "jmx_rmi" or number != ports.get("jmx")]
    shared = [name for name, number in ports.items() if numbers.count(number) > 1]
    if shared:
        raise options.invalid(f"{PREFIX}ports", f"{' and '.join(shared)} share a port")


def _ports(given: Given, adopted: Adopted | None, needs: Needs) -> Ports:
    where = f"{PREFIX}ports"
    if adopted:
        ports, errors = adopted.ports(_given_ports(given), where)
        needs.errors += errors
        return ports
    numbers = read_ports(given)
    absent = {name: f"{where}.{name} is not set" for name in OPTIONAL if name not in numbers}
    return Ports(numbers, absent, told_version(given))


def _is_minimal(given: Given, adopted: Adopted | None, needs: Needs) -> bool:
    """Whether no DNS is allowed: a configuration that was read tells whether Ignite can live so, else the user."""
    profile = options.choice(given.get(f"{PREFIX}profile"), f"{PREFIX}profile", PROFILES)
    word = given.get(f"{PREFIX}minimal_confirmed")
    if adopted:
        needs.errors += list(adopted.refuse_minimal()) if profile == "minimal" else []
        return profile == "minimal"
    confirmed = not options.is_unset(word) and options.flag(word, f"{PREFIX}minimal_confirmed")
    if profile == "minimal" and not confirmed:
        raise LockdownError(
            "minimal_not_confirmed",
            "Refused profile minimal",
            "without DNS an Ignite that is not configured for it runs on, but its next restart does not join",
            "Give Ignite a masterUrl by address and a resolver that refuses at once, "
            f"then set {PREFIX}minimal_confirmed: true",
        )
    return profile == "minimal"


def told_version(given: Given) -> Version | None:
    """Ignite's version as the user gives it, else as the image tells it that is to be deployed."""
    word, image = given.get(f"{PREFIX}version"), given.get(f"{PREFIX}deploy_image")
    if not options.is_unset(word):
        return read_version(str(word), f"{PREFIX}version")
    return Image.of(image).version if isinstance(image, str) else None


def read_discovery(given: Given) -> str:
    """How the servers find each other; by DNS they need no API server, and cannot do without DNS."""
    where = f"{PREFIX}discovery"
    word = given.get(where)
    found = DISCOVERIES[0] if options.is_unset(word) else options.choice(word, where, DISCOVERIES)
    if found == "dns" and given.get(f"{PREFIX}profile") == "minimal":
        raise options.invalid(where, "it is dns, and profile minimal allows no DNS")
    return found


def _discovery(given: Given, adopted: Adopted | None) -> str:
    asked = read_discovery(given)
    if adopted and asked == "dns" and adopted.mode != asked:
        raise options.invalid(f"{PREFIX}discovery", f"it is dns, and {adopted.where} says {adopted.mode}")
    return adopted.mode if adopted else asked


def _server_flows(subject: Subject, ports: Ports, minimal: bool, discovery: str) -> list[Flow]:
    peer = Pods(pod_selector=subject.pod_selector)
    flows = [
        Flow(
            f"peers-{name}-{suffix}",
            direction,
            subject,
            peer,
            "TCP",
            ports.number(name, "the servers"),
            _PEER_REASONS[name],
        )
        for name in _PEER_REASONS
        for direction, suffix in (("ingress", "in"), ("egress", "out"))
    ]
    if discovery == "kubernetes":
        flows.append(Flow("api-server", "egress", subject, Target("api_server"), "TCP", None, _API_REASON))
    if not minimal:
        flows += [
            Flow(f"dns-{protocol.lower()}", "egress", subject, Target("dns"), protocol, None, _DNS_REASON)
            for protocol in ("UDP", "TCP")
        ]
    return flows


def _entries(needs: Needs, given: Given, name: str, reader: _Reader) -> list[Entry]:
    """The entries of one list that can be read; one broken entry does not hide the errors of the next."""
    where = f"{PREFIX}{name}"
    listed: list[dict[str, t.Any]] = []
    found: list[Entry] = []
    with options.collected(needs.errors):
        listed = options.entries(given.get(where), where)
    for index, fields in enumerate(listed):
        with options.collected(needs.errors):
            found.append(reader(fields, f"{where}[{index}]"))
    return found


def _repeated_names(entries: t.Sequence[Entry]) -> t.Iterator[LockdownError]:
    for index, entry in enumerate(entries):
        if any(other.name == entry.name for other in entries[:index]):
            yield options.invalid(f"{entry.where}.name", f"{entry.name} is used twice")


def _repeated_traffic(flows: t.Sequence[Flow], entries: t.Sequence[Entry]) -> t.Iterator[LockdownError]:
    places = {flow.id: entry.where for entry in entries for flow in entry.flows}
    found: dict[tuple[str, str], list[str]] = {}
    for one, other in same_traffic(flows):
        pair = (places.get(one.id, f"flow {one.id}"), places.get(other.id, f"flow {other.id}"))
        found.setdefault(pair, []).append(f"{other.direction} {other.protocol} {other.port}")
    for (first, second), shared in found.items():
        yield LockdownError(
            "duplicate_flow",
            f"Conflicting entries {first} and {second}",
            f"both allow the same peer on {', '.join(dict.fromkeys(shared))}",
            "Keep one of them, or give them different ports",
        )


def _contradictions(allowed: t.Sequence[Flow], forbidden: t.Sequence[Flow]) -> t.Iterator[LockdownError]:
    for one, other in same_traffic([*allowed, *forbidden]):
        if one.expect != other.expect:
            yield LockdownError(
                "contradicting_flows",
                f"Flow {other.id} cannot be forbidden",
                f"flow {one.id} allows the same peer on {other.protocol} {other.port}",
                "Remove one of them",
            )
