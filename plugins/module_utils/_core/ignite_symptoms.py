# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What missing and surplus flows mean for Ignite, in the words of those who run it."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import words
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.plain import Json

OUTAGE, EXPOSURE, LATENT = "outage", "exposure", "latent"

_API_START = (
    "Before a server joins, it asks the Kubernetes API server for the addresses of its peers. The policies drop that "
    "request. Start-up then stops at 'IgniteSpiException: Failed to retrieve Ignite pods IP addresses', caused by "
    "{cause}, and is tried again for ever. Servers that already run go on until they are restarted."
)
_TIMED_OUT = "'Connection timed out' or 'Operation timed out'"
_UNKNOWN_FIRST = f"'UnknownHostException' while names do not resolve either, and once they do by {_TIMED_OUT}"
_API_CURE = (
    "Allow egress to the API server's own address and port{addresses}. A rule for its Service address and port 443, "
    "for the namespace kube-system or for any pod labels does not match: most network engines judge a connection after "
    "the Service address was replaced, and the API server is seldom a pod that labels could match."
)
_SPLIT = (
    "The servers cannot reach each other on discovery ({ports}). None of them sees a peer, so each forms an active "
    "cluster of its own, without an error or a warning. Writes then go to one of several clusters. It shows only in "
    "the line 'Topology snapshot' of the log: servers=1 on every pod."
)
_SPLIT_CURE = "Allow discovery between the servers in both directions: ingress and egress, for the pods' own labels."
_HANG = (
    "The servers find each other but cannot exchange data on communication ({ports}). A joining server stays at 'Still "
    "waiting for initial partition map exchange', and operations hang with it."
)
_DNS = (
    "The servers cannot resolve names. With the usual masterUrl, which holds a name, the address of the API server is "
    "not found ('UnknownHostException'); and up to Ignite 2.16 the names of peers are resolved while a server joins, "
    "which takes a minute or fails."
)


@dataclass(frozen=True)
class Consequence:
    """One thing that follows.

    :arg kind: outage (Ignite does not work), latent (it will not, later), exposure (too much is open).
    :arg flows: ids of the flows that are not met.
    """

    kind: str
    title: str
    text: str
    cure: str
    flows: tuple[str, ...] = ()

    def as_record(self) -> Json:
        return {**asdict(self), "flows": list(self.flows)}


@dataclass(frozen=True)
class Situation:
    """What is met and what is not.

    :arg unmet: flows, as records, that the policies do not allow completely.
    :arg open_ways: directions, ingress or egress, in which more is allowed than the flows.
    """

    flows: t.Sequence[Json]
    unmet: t.Sequence[Json]
    servers: int
    open_ways: t.Collection[str]
    targets: Json

    def missing(self, prefix: str) -> tuple[str, ...]:
        return tuple(flow["id"] for flow in self.unmet if flow["id"].startswith(prefix))

    def ports(self, prefix: str) -> str:
        return ", ".join(dict.fromkeys(words.ports(f, self.targets) for f in self.flows if f["id"].startswith(prefix)))


def consequences(situation: Situation) -> list[Json]:
    found = [
        *_api(situation),
        *_discovery(situation),
        *_communication(situation),
        *_dns(situation),
        *_others(situation),
        *_exposure(situation),
    ]
    return [consequence.as_record() for consequence in found]


def _api(situation: Situation) -> t.Iterator[Consequence]:
    missing = situation.missing("api-server")
    if not missing:
        return
    named = any(flow["id"].startswith("dns-") for flow in situation.flows)
    resolves = named and not situation.missing("dns-")
    text = _API_START.format(cause=_TIMED_OUT if resolves or not named else _UNKNOWN_FIRST)
    text += " That names resolve (nslookup works in the pod) does not change this." if resolves else ""
    listed = words.target_addresses("api_server", situation.targets)
    numbers = situation.ports("api-server")
    addresses = f" ({', '.join(listed)}, {numbers})" if listed else ""
    yield Consequence(OUTAGE, "Ignite does not start", text, _API_CURE.format(addresses=addresses), missing)


def _discovery(situation: Situation) -> t.Iterator[Consequence]:
    missing = situation.missing("peers-discovery")
    if not missing:
        return
    text = _SPLIT.format(ports=situation.ports("peers-discovery"))
    if situation.servers < 2:
        told = "It works with one server, as there is now. " + text
        yield Consequence(LATENT, "A second server would split off", told, _SPLIT_CURE, missing)
    elif situation.missing("api-server"):
        told = "This shows once the servers can start. " + text
        yield Consequence(LATENT, "If it could start, Ignite would split", told, _SPLIT_CURE, missing)
    else:
        number = words.count(situation.servers, "server")
        title = f"Ignite splits: {number}, {situation.servers} clusters"
        yield Consequence(OUTAGE, title, text, _SPLIT_CURE, missing)


def _communication(situation: Situation) -> t.Iterator[Consequence]:
    missing = situation.missing("peers-communication")
    if not missing or situation.missing("peers-discovery"):
        return
    kind, title = (OUTAGE, "Ignite hangs") if situation.servers > 1 else (LATENT, "A second server would hang")
    cure = "Allow communication between the servers in both directions; either side may open the connection."
    yield Consequence(kind, title, _HANG.format(ports=situation.ports("peers-communication")), cure, missing)


def _dns(situation: Situation) -> t.Iterator[Consequence]:
    missing = situation.missing("dns-")
    if missing:
        cure = (
            "Allow UDP and TCP to the cluster's DNS pods on the ports on which they listen, in their own namespace; a "
            "rule with a pod selector alone means this namespace. Or use profile minimal, which needs no DNS."
        )
        yield Consequence(OUTAGE, "Ignite cannot resolve names", _DNS, cure, missing)


def _others(situation: Situation) -> t.Iterator[Consequence]:
    known = ("api-server", "peers-", "dns-")
    further = [flow for flow in situation.unmet if not flow["id"].startswith(known)]
    if further:
        listed = [f"{words.capital(flow['reason'])}: {words.ports(flow, situation.targets)}." for flow in further]
        title = f"{words.count(len(further), 'flow')} of clients or extra flows cut off"
        text = f"Not or not completely allowed: {' '.join(listed)}"
        ids = tuple(flow["id"] for flow in further)
        yield Consequence(OUTAGE, title, text, "Render and apply the policies anew.", ids)


def _exposure(situation: Situation) -> t.Iterator[Consequence]:
    if "egress" in situation.open_ways:
        text = (
            "A server can open connections that Ignite does not need. Whoever takes over a client and, from there, a "
            "server, could call a command-and-control host or other services from it. Denying only addresses "
            "outside of the cluster would not be enough: other namespaces stay reachable, and DNS carries data out."
        )
        yield Consequence(EXPOSURE, "Egress is wider than needed", text, "Close what the surplus table lists.")
    if "ingress" in situation.open_ways:
        text = (
            "Others than the named clients, or the named clients on further ports, can reach the servers. Whoever "
            "reaches discovery or communication can act as a member of the cluster."
        )
        yield Consequence(EXPOSURE, "Ingress is wider than needed", text, "Close what the surplus table lists.")
