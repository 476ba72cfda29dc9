# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit's surplus and missing sets hold exactly the points that the reference says they must hold."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Iterator
from random import Random

import random_worlds as worlds
from agreement import ENGINES, profile
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from reference import Engine, Json, Place, Reference, _beyond_policies

from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.case import Case, Question
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.judge import OWN_SIDE, Part
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import parse_flows
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import ports
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.places import of_one_family
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import read_world
from lab import objects
from lab.objects import Manifest

EXAMPLES, POINTS = 50, 40
NAMESPACE = "red"
SUBJECT: Json = {"matchLabels": {"app": "ignite"}}
GREEN: Json = {"matchExpressions": [{"key": worlds.NAME, "operator": "In", "values": ["green"]}]}
# What is wanted: as flows, and as the rules of a policy that say the same.
WANTED: list[tuple[str, Json, Json, str, int]] = [
    ("egress", {"pods": {"pod_selector": SUBJECT}}, {"podSelector": SUBJECT}, "TCP", 80),
    ("ingress", {"pods": {"pod_selector": SUBJECT}}, {"podSelector": SUBJECT}, "TCP", 80),
    ("ingress", {"namespaces": ["green"]}, {"namespaceSelector": GREEN}, "TCP", 8080),
    ("egress", {"namespaces": ["green"]}, {"namespaceSelector": GREEN}, "UDP", 53),
    ("egress", {"cidr": "203.0.113.0/24"}, {"ipBlock": {"cidr": "203.0.113.0/24"}}, "TCP", 443),
]
FLOWS = [
    {
        "id": f"flow-{number}",
        "direction": direction,
        "subject": {"name": "servers", "pod_selector": SUBJECT},
        "peer": peer,
        "protocol": protocol,
        "port": port,
        "end_port": None,
        "expect": "allow",
        "reason": "it is wanted",
    }
    for number, (direction, peer, _rule, protocol, port) in enumerate(WANTED)
]


def measure() -> Manifest:
    """The policy that allows what is wanted and nothing else."""
    spec: Manifest = {"podSelector": SUBJECT, "policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": []}
    for direction, _peer, rule, protocol, port in WANTED:
        key = "to" if direction == "egress" else "from"
        spec[direction].append({key: [rule], "ports": [{"protocol": protocol, "port": port}]})
    return objects.network_policy("wanted", NAMESPACE, spec)


Point = tuple[str, str, str, str, int]  # direction, the pod, the other end, protocol, port


def points(world: list[Manifest], random: Random) -> Iterator[Point]:
    """Connections of the pods in question, in either direction, most on ports that somebody speaks of."""
    subjects = [
        f"{NAMESPACE}/{pod['metadata']['name']}"
        for pod in world
        if pod["kind"] == "Pod"
        and pod["metadata"]["namespace"] == NAMESPACE
        and pod["metadata"].get("labels", {}).get("app") == "ignite"
        and pod["status"]["phase"] == "Running"
        and not pod["spec"]["hostNetwork"]
    ]
    for _ in range(POINTS if subjects else 0):
        end = random.choice(worlds.places(world))
        port = (random.choice(worlds.PROTOCOLS), random.choice(worlds.NUMBERS))
        yield random.choice(["ingress", "egress"]), random.choice(subjects), end, *port


def holds(case: Case, parts: Iterable[Part], point: Point) -> bool:
    direction, pod, end, protocol, port = point
    places = case.universe.places
    ends = of_one_family(places.find(pod, "pod"), places.find(end, "end"))
    own, other = (case.universe.group_of(place) for place in ends)
    if own is None or other is None:
        return False
    return any(
        part.direction == direction
        and part.subjects >> own & 1
        and part.others >> other & 1
        and ports.holds(part.ports, protocol, port)
        for part in parts
    )


def permits(judge: Reference, point: Point, ends: tuple[Place, Place]) -> bool:
    """Whether the pod's own policies permit the connection."""
    direction, _pod, _end, protocol, port = point
    ask = judge._may_leave if direction == "egress" else judge._may_enter
    return bool(ask(*ends, protocol, port))


def ends_of(judge: Reference, point: Point) -> tuple[Place, Place] | None:
    direction, pod, end, _protocol, _port = point
    met = judge._meet(pod, end)
    if met is None or _beyond_policies(*met):
        return None
    return met if direction == "egress" else (met[1], met[0])


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
    phases=(Phase.generate, Phase.shrink),
)
@given(
    worlds.worlds(with_services=False),
    st.sampled_from(ENGINES),
    st.randoms(use_true_random=True),
    st.booleans(),
)
def test_surplus_and_missing_are_exact(world: list[Manifest], engine: Engine, random: Random, ours: bool) -> None:
    for thing in world:
        if thing["kind"] == "Pod" and random.random() < 0.7:
            thing["metadata"].update(namespace=NAMESPACE, labels={"app": "ignite"})
    world = [*world, measure()] if ours else world
    question = Question(NAMESPACE, parse_flows(t.cast("list[t.Any]", FLOWS)), profile(engine))
    case = Case.of(read_world(world), question)
    plain = [thing for thing in world if thing["kind"] != "NetworkPolicy"]
    live, wanted = Reference(world, engine), Reference([*plain, measure()], engine)
    lacking = [part for part in case.judgement.missing if part.side == OWN_SIDE]
    for point in points(world, random):
        ends = ends_of(live, point)
        if ends is not None:
            has, should = permits(live, point, ends), permits(wanted, point, ends)
            assert holds(case, case.judgement.surplus, point) is (has and not should), ("surplus", point)
            assert holds(case, lacking, point) is (should and not has), ("missing", point)
