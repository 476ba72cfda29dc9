# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the servers of an Ignite cluster form one cluster: by their logs and by the ring that they keep.

Two sources, because each can lie alone: a log tells what was, and a node that is cut off from its
peers logs "started OK" for a cluster of its own; sockets tell what is, and not what it means.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core.pods import has_ended

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"

# Quiet and verbose logs say it differently.
_STARTED = re.compile(r"Ignite node started OK|Node started : \[")
_SNAPSHOT = re.compile(r"Topology snapshot \[ver=(\d+),.*?servers=(\d+), clients=(\d+)")
_CLIENT_NODE = re.compile(r"Local node \[.*clientMode=true")


@dataclass(frozen=True, order=True)
class Snapshot:
    """A topology as a node logged it."""

    version: int
    servers: int
    clients: int

    def as_dict(self) -> dict[str, int]:
        return {"version": self.version, "servers": self.servers, "clients": self.clients}


@dataclass(frozen=True)
class Log:
    """What the log of one node tells.

    Snapshots are not logged in the order of their versions, so the newest one is not the last line's.
    """

    started: bool = False
    is_client: bool = False
    snapshot: Snapshot | None = None

    @classmethod
    def read(cls, text: str) -> Log:
        found = (Snapshot(*map(int, numbers)) for numbers in _SNAPSHOT.findall(text))
        return cls(
            started=_STARTED.search(text) is not None,
            is_client=_CLIENT_NODE.search(text) is not None,
            snapshot=max(found, default=None),
        )


@dataclass(frozen=True)
class Node:
    """A pod that should be a server.

    :arg peers: names of the other pods whose discovery port it holds a connection to; None if nobody could look.
    :arg problem: why it could not be read.
    """

    name: str
    log: Log = field(default_factory=Log)
    peers: frozenset[str] | None = None
    problem: str = ""

    def as_dict(self) -> dict[str, t.Any]:
        """The plain form that the module returns."""
        return {
            "name": self.name,
            "started": self.log.started,
            "is_client": self.log.is_client,
            "snapshot": self.log.snapshot.as_dict() if self.log.snapshot else None,
            "peers": None if self.peers is None else sorted(self.peers),
            "problem": self.problem,
        }


@dataclass(frozen=True)
class Judgement:
    """One verdict with its reasons; `groups` are the pods that hold a ring together."""

    verdict: str
    reasons: tuple[str, ...]
    servers: int
    snapshot: Snapshot | None
    groups: tuple[tuple[str, ...], ...]

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "expected_servers": self.servers,
            "snapshot": self.snapshot.as_dict() if self.snapshot else None,
            "groups": [list(group) for group in self.groups],
        }


def is_running(pod: t.Mapping[str, t.Any]) -> bool:
    """Whether a pod is, or is to become, part of the cluster: neither completed nor on its way out."""
    return not has_ended(pod) and not pod["metadata"].get("deletionTimestamp")


def server_container(pod: t.Mapping[str, t.Any], discovery_port: int) -> str:
    """The container that Ignite runs in: the one that declares the discovery port, else the pod's default one."""
    containers = pod["spec"]["containers"]
    for container in containers:
        if any(port.get("containerPort") == discovery_port for port in container.get("ports") or []):
            return str(container["name"])
    default = (pod["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
    names = [str(container["name"]) for container in containers]
    return default if default in names else names[0]


def judge(nodes: t.Sequence[Node], expected: int | None = None) -> Judgement:
    """Whether the nodes are one cluster.

    :arg expected: number of servers that the user knows there must be; None for as many as there are pods.
    """
    servers = [node for node in nodes if not node.log.is_client]
    wanted = len(servers) if expected is None else expected
    groups = _groups(servers)
    failures = [*_miscounted(servers, wanted), *_by_log(servers, wanted), *_by_ring(servers, groups)]
    doubts = [*_unread(servers)]
    verdict = FAIL if failures else INCONCLUSIVE if doubts else PASS
    snapshots = [node.log.snapshot for node in servers if node.log.snapshot]
    return Judgement(verdict, (*failures, *doubts), wanted, max(snapshots, default=None), groups)


def _miscounted(servers: t.Sequence[Node], wanted: int) -> t.Iterator[str]:
    if not servers:
        yield "no pod is a server"
    elif len(servers) != wanted:
        yield f"{len(servers)} pods are servers, and {wanted} are expected"


def _by_log(servers: t.Sequence[Node], wanted: int) -> t.Iterator[str]:
    for node in servers:
        if node.log.snapshot and node.log.snapshot.servers != wanted:
            seen = node.log.snapshot
            yield f"{node.name} sees {seen.servers} of {wanted} servers (topology version {seen.version})"
    versions = {node.log.snapshot.version: node.name for node in servers if node.log.snapshot}
    if len(versions) > 1:
        named = ", ".join(f"{name} is at {version}" for version, name in sorted(versions.items()))
        yield f"the nodes' newest topology versions differ: {named}"


def _by_ring(servers: t.Sequence[Node], groups: t.Sequence[t.Sequence[str]]) -> t.Iterator[str]:
    if len(groups) > 1 and all(node.peers is not None for node in servers):
        named = " | ".join(", ".join(group) for group in groups)
        yield f"the discovery connections form {len(groups)} rings, a split cluster: {named}"


def _unread(servers: t.Sequence[Node]) -> t.Iterator[str]:
    for node in servers:
        if node.problem:
            yield f"{node.name}: {node.problem}"
        if node.log.snapshot is None:
            yield f"the log of {node.name} holds no topology snapshot"
        elif not node.log.started:
            yield f"the log of {node.name} does not say that the node has started"
        if node.peers is None:
            yield f"the connections of {node.name} could not be read"


def _groups(servers: t.Sequence[Node]) -> tuple[tuple[str, ...], ...]:
    """Pods that reach each other along discovery connections, each in its direction.

    A node holds the connection to the next one of the ring, so the pods of one ring all reach all.
    """
    reached = {node.name: _reach(node.name, servers) for node in servers}
    groups = {
        tuple(sorted(other for other in reached if other in reached[name] and name in reached[other]))
        for name in reached
    }
    return tuple(sorted(groups))


def _reach(start: str, servers: t.Sequence[Node]) -> set[str]:
    peers = {node.name: node.peers or frozenset() for node in servers}
    seen, waiting = {start}, [start]
    while waiting:
        new = peers.get(waiting.pop(), frozenset()) - seen
        seen |= new
        waiting += new
    return seen
