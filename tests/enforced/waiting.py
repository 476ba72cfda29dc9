# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ignite clusters that are watched for minutes. They start before the first test, which need not wait for them then."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from enforced.differences import OF
from enforced.worlds import Playbooks, World
from lab import objects
from lab.client import Manifest
from lab.cluster.addresses import API_PORT
from lab.cluster.ignite import COMMUNICATION, DISCOVERY, Ignite

ALLOW = "netguard-ignite-allow-servers"
ENTITY = "cilium.io/v2", "CiliumNetworkPolicy"
QUICK = 2  # SYN retries: a connection attempt fails after 7 s instead of 130 s
SPLIT, STOPS = "servers=1", "not started"


@dataclass(frozen=True)
class Waiting:
    """Clusters by the names of their cells, since when they run, and what is expected of them."""

    world: World
    clusters: Mapping[str, Ignite]
    expected: Mapping[str, str]
    began: float = field(default_factory=time.monotonic)


# The egress rules of the question, and why Ignite fails with each: those that let the pod ask the DNS get as far as
# to the API server, the others fail before.
ATTEMPTS = {1: "UnknownHostException", 2: "timed out", 3: "timed out"}
ATTEMPTS |= dict.fromkeys((4, 5, 6), "UnknownHostException")


def attempts(world: World) -> Waiting:
    """Deny-all with each of the question's egress rules, and with all of them at the kernel's own time-out."""
    world.cluster.patch(objects.namespace("kube-system"), {"metadata": {"labels": {"zone": "kube-system"}}})
    rules = {f"attempt {number}": (number,) for number in ATTEMPTS}
    clusters = {name: Ignite(world.namespace("try"), replicas=1, syn_retries=QUICK) for name in rules}
    expected = {f"attempt {number}": cause for number, cause in ATTEMPTS.items()}
    together = "all together"
    clusters[together], expected[together] = Ignite(world.namespace("try"), replicas=1), "timed out"
    for name, ignite in clusters.items():
        world.cluster.create_all(world.question_policies("deny-all", ignite.namespace))
        chosen = rules.get(name, tuple(ATTEMPTS))
        world.cluster.create_all(world.question_policies("egress-attempts", ignite.namespace, chosen))
        world.deploy(ignite)
    return Waiting(world, clusters, expected)


@dataclass(frozen=True)
class Removal:
    """A part of the role's allow policy that is left out, and what Ignite does then."""

    name: str
    direction: str
    ports: tuple[int, ...]
    expected: str


REMOVALS = (
    Removal("discovery to peers", "egress", (DISCOVERY,), SPLIT),
    Removal("discovery from peers", "ingress", (DISCOVERY,), SPLIT),
    Removal("communication to peers", "egress", (COMMUNICATION,), STOPS),
    Removal("communication from peers", "ingress", (COMMUNICATION,), STOPS),
    Removal("API server, all addresses", "egress", (API_PORT, 443), STOPS),
    Removal("DNS", "egress", (53,), STOPS),
)


def removals(world: World, playbooks: Playbooks) -> Waiting:
    """The role's policies, in each namespace without one part, before its Ignite starts."""
    locked = world.namespace("locked")
    playbooks.lockdown(locked, accept_no_pods=True)
    policies = world.cluster.list("networking.k8s.io/v1", "NetworkPolicy", locked)
    entity = _entity(world, locked)
    clusters = {}
    for removal in REMOVALS:
        ignite = Ignite(world.namespace("without"), replicas=2, syn_retries=QUICK)
        world.cluster.create_all(_without(removal, policies, ignite.namespace))
        if API_PORT not in removal.ports:
            world.cluster.create_all(_copy(policy, ignite.namespace) for policy in entity)
        world.deploy(ignite)
        clusters[removal.name] = ignite
    return Waiting(world, clusters, {removal.name: removal.expected for removal in REMOVALS})


def _entity(world: World, namespace: str) -> list[Manifest]:
    """The policies that name the API server, where no address block matches it."""
    by_address = OF[world.cluster.state.options.engine].address_matches_nodes
    return [] if by_address else world.cluster.list(*ENTITY, namespace)


def _copy(policy: Manifest, namespace: str) -> Manifest:
    return {**objects.reference(*ENTITY, policy["metadata"]["name"], namespace), "spec": policy["spec"]}


def _without(removal: Removal, policies: list[Manifest], namespace: str) -> list[Manifest]:
    """Copies of the policies for another namespace; the rules with the removal's ports are left out."""
    specs = {policy["metadata"]["name"]: copy.deepcopy(policy["spec"]) for policy in policies}
    rules: list[Manifest] = specs[ALLOW][removal.direction]
    kept = [rule for rule in rules if not {port["port"] for port in rule["ports"]} & set(removal.ports)]
    assert len(kept) < len(rules), f"no rule for {removal.ports} in {rules}"
    specs[ALLOW][removal.direction] = kept
    return [objects.network_policy(name, namespace, spec) for name, spec in specs.items()]
