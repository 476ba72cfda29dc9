# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a test probes, the evaluator is asked too, about the objects of that moment: both must say the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
import typing as t
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.evaluate import evaluate
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.profile import EngineProfile, detected
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import read_world
from enforced.table import REACHED, Table
from lab.client import Manifest
from lab.cluster.addresses import HOSTS
from lab.cluster.cilium import CONFIG as CILIUM_SETTINGS
from lab.cluster.cluster import Cluster
from lab.cluster.workloads import SYSTEM
from lab.errors import ApiError

KINDS = {
    "v1": ("Namespace", "Node", "Pod", "Service"),
    "discovery.k8s.io/v1": ("EndpointSlice",),
    "networking.k8s.io/v1": ("NetworkPolicy",),
    "cilium.io/v2": ("CiliumNetworkPolicy",),  # where the engine has it
}
OPTIONAL = "cilium.io/v2"
PROTOCOLS = {"tcp": "TCP", "dns+tcp": "TCP", "dns+udp": "UDP"}
# An answer that says "nobody listens" has passed the policies too.
THROUGH, STOPPED = (*REACHED, "refused"), ("timed out",)
WORDS = {True: "allowed", False: "denied", None: "inconclusive"}
Probe = Callable[..., dict[str, str]]


@dataclass(frozen=True)
class Cell:
    """A connection that was tried, in the state of the cluster that it was tried in."""

    state: str
    source: str
    target: str


class Verdicts:
    """Probes of one test, each with what the evaluator says of it.

    An engine needs a moment for what has changed, and tests probe until it has: the last probe in each state counts.
    """

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._profile: EngineProfile = detected(engine, {})
        self._live: dict[Cell, str] = {}
        self._static: dict[Cell, str] = {}

    def around(self, probe: Probe) -> Probe:
        """The same probe, which also remembers what it saw."""

        def remembering(
            cluster: t.Any, place: Sequence[str], targets: Sequence[str], *more: t.Any, **named: t.Any
        ) -> t.Any:
            things = read(cluster)
            self._profile = detected(self._engine, settings(cluster))
            seen = probe(cluster, place, targets, *more, **named)
            self.add(things, address_of(cluster, place), seen)
            return seen

        return remembering

    def add(self, things: Sequence[Manifest], source: str, seen: dict[str, str]) -> None:
        """Remember what was seen from a source, and judge it by these objects."""
        state = hashlib.sha256(json.dumps(sorted(map(_version, things))).encode()).hexdigest()
        world = read_world(things)
        for target, live in seen.items():
            cell, url = Cell(state, source, target), urllib.parse.urlsplit(target)
            end, port, protocol = url.hostname or "", url.port or 0, PROTOCOLS[url.scheme]
            self._live[cell] = live
            self._static[cell] = WORDS[evaluate(world, self._profile, source, end, protocol, port).allowed]

    def record(self, table: Table, name: str) -> None:
        """Record in how many cells both agree, and every cell in which they do not; those fail the test."""
        if not self._live:
            return
        different = [cell for cell in self._live if told(self._live[cell]) != self._static[cell]]
        alike = f"{len(self._live) - len(different)} of {len(self._live)}"
        with table.case(f"evaluated: {name}") as case:
            case.record("verdicts like the probes", f"{len(self._live)} of {len(self._live)}", alike)
            for cell in different:
                observed = f"{told(self._live[cell])} ({self._live[cell]})"
                case.record(f"{cell.source} to {cell.target}", self._static[cell], observed)


def told(live: str) -> str:
    """What a probe's outcome says of the policies."""
    if live in THROUGH:
        return WORDS[True]
    return WORDS[False] if live in STOPPED else live


def read(cluster: Cluster) -> list[Manifest]:
    """The objects that verdicts depend on; without pods that are on their way out, whose addresses others get."""
    things: list[Manifest] = []
    for version, kinds in KINDS.items():
        for kind in kinds:
            try:
                found = cluster.list(version, kind)
            except ApiError as error:
                if version == OPTIONAL and error.status == 404:
                    continue
                raise
            things += [{**thing, "apiVersion": version, "kind": kind} for thing in found]
    return [thing for thing in things if thing["kind"] != "Pod" or "deletionTimestamp" not in thing["metadata"]]


def settings(cluster: Cluster) -> dict[str, str]:
    """The settings of the engine, where the API has them."""
    found = (one for one in cluster.list("v1", "ConfigMap", SYSTEM) if one["metadata"]["name"] == CILIUM_SETTINGS)
    return dict(next(found, {}).get("data", {}))


def address_of(cluster: Cluster, place: Sequence[str]) -> str:
    """The address that connections from a place come from."""
    path = Path(place[-1].removeprefix("--net="))
    pods = {network: address for address, network in cluster._networks.items()}
    hosts = {host.name: host.addresses[0].partition("/")[0] for host in HOSTS}
    return pods.get(path) or hosts[path.name]


def _version(thing: Manifest) -> list[str]:
    meta = thing["metadata"]
    return [
        thing["kind"],
        meta.get("namespace", ""),
        meta["name"],
        meta.get("uid", ""),
        meta.get("resourceVersion", ""),
    ]


@contextlib.contextmanager
def judged(table: Table, name: str) -> Iterator[None]:
    """Hold each probe made meanwhile against the evaluator's verdict."""
    verdicts = Verdicts(table.engine)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Cluster, "probe", verdicts.around(Cluster.probe))
        yield
    verdicts.record(table, name)
