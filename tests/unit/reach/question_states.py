# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The question's cluster as API objects, its policies, and what an Ignite needs from them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import yaml
from agreement import POST, Both
from reference import Engine

from lab import objects, question
from lab.objects import Manifest

API_SERVICE, DNS_SERVICE = "10.96.0.1", "10.96.0.10"
API_ENDPOINTS = ("172.30.0.2", "172.30.0.3")
API_PORT = 6443
SERVICE_RANGE = "10.96.0.0/16"
COMMAND_AND_CONTROL = ("203.0.113.10", 4444)
DATA = Path(question.__file__).with_name("data")
IGNITE = ("cache-ns/ignite-0", "cache-ns/ignite-1")
CLIENTS = ("client-ns/some-pod", "client-ns/another-pod")
DISCOVERY, COMMUNICATION, THIN_CLIENT = 47500, 47100, 10800

# What happens to an Ignite, told as in its log.
WORKS = "one cluster"
SPLITS = "each pod is a cluster of its own"
NO_NAME = "does not start: UnknownHostException"
NO_API_SERVER = "does not start: Connection timed out"


def cluster(kube_system_labels: dict[str, str] | None = None, pods: int = 2) -> list[Manifest]:
    """The question's namespaces, pods, Services and nodes, with so many Ignite pods."""
    plan = question.Addresses.of("ipv4")
    things = [
        *question._cluster(plan, SERVICE_RANGE, DNS_SERVICE),
        *question._dns(plan, DNS_SERVICE),
        *question._ignite(plan),
        *question._clients(plan),
        objects.namespace("kube-system", kube_system_labels),
        objects.namespace("default"),
        objects.service("kubernetes", "default", ports=[{"name": "https", "port": 443}], cluster_ip=API_SERVICE),
        objects.endpoint_slice(
            "kubernetes",
            "default",
            service="kubernetes",
            addresses=API_ENDPOINTS,
            ports=[{"name": "https", "protocol": "TCP", "port": API_PORT}],
        ),
    ]
    gone = {f"ignite-{number}" for number in range(pods, len(IGNITE))}
    return [thing for thing in things if thing["kind"] != "ConfigMap" and thing["metadata"]["name"] not in gone]


def policies(name: str, rules: Sequence[int] = ()) -> list[Manifest]:
    """The question's policies of this file; `rules` chooses egress rules, counted from 1."""
    read: list[Manifest] = [
        found for found in yaml.safe_load_all((DATA / f"{name}.yml").read_text(encoding="utf-8")) if found
    ]
    for policy in read:
        if rules:
            policy["spec"]["egress"] = [policy["spec"]["egress"][number - 1] for number in rules]
    return read


def attempt(*rules: int) -> list[Manifest]:
    return [*policies("deny-all"), *policies("egress-attempts", rules)]


class Ignite:
    """What the question's Ignite may do under these policies; both judges are asked."""

    def __init__(self, things: Sequence[Manifest], engine: Engine = POST) -> None:
        self.judges = Both(copy.deepcopy(list(things)), engine)
        known = {f"{thing['metadata'].get('namespace')}/{thing['metadata']['name']}" for thing in things}
        self.pods = [name for name in IGNITE if name in known]

    def all(self, destination: str, port: int, protocol: str = "TCP") -> bool:
        """Whether every Ignite pod may open this connection."""
        return all(self.judges.allowed(pod, destination, port, protocol) for pod in self.pods)

    @property
    def asks_dns(self) -> bool:
        return self.all(DNS_SERVICE, 53, "UDP")

    @property
    def asks_the_api_server(self) -> bool:
        return self.all(API_SERVICE, 443)

    @property
    def meets_its_peers(self) -> bool:
        return all(
            self.judges.allowed(one, other, port)
            for one in self.pods
            for other in self.pods
            for port in (DISCOVERY, COMMUNICATION)
        )

    @property
    def calls_home(self) -> bool:
        """Whether any pod reaches the command-and-control server."""
        address, port = COMMAND_AND_CONTROL
        return any(self.judges.allowed(pod, address, port) for pod in self.pods)

    def served(self, client: str, port: int = THIN_CLIENT) -> bool:
        return all(self.judges.allowed(client, pod, port) for pod in self.pods)

    def outcome(self, *, by_name: bool = True) -> str:
        """What becomes of it: discovery asks the DNS (unless the API server is given by its address), then the API."""
        if by_name and not self.asks_dns:
            return NO_NAME
        if not self.asks_the_api_server:
            return NO_API_SERVER
        return WORKS if self.meets_its_peers else SPLITS
