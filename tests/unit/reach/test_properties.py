# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random worlds: the evaluator says what the reference says, and what it says keeps the laws of NetworkPolicy.

NETGUARD_QUERIES is how many questions are put to both judges (CONTRIBUTING.md); without it, as many as take seconds.
"""

from __future__ import annotations

import copy
import os
from random import Random

import random_worlds as worlds
from agreement import ENGINES, POST, Both, Query, profile
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from reference import Engine

from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.evaluate import evaluate
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.matrix import matrix
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import read_world
from lab.objects import Manifest

QUERIES = int(os.environ.get("NETGUARD_QUERIES", "6000"))
PER_WORLD = 200
LAW_EXAMPLES, LAW_QUERIES = 25, 40

laws = settings(
    max_examples=LAW_EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
    phases=(Phase.generate, Phase.shrink),  # explaining a failure takes minutes
)
randoms = st.randoms(use_true_random=True)  # the seed is drawn: what fails can be had again
engines = st.sampled_from(ENGINES)


def answers(world: list[Manifest], engine: Engine, asked: list[Query]) -> list[bool | None]:
    judges = Both(world, engine)
    return [judges.answer(source, end, port, protocol).allowed for source, end, protocol, port in asked]


def test_the_evaluator_agrees_with_the_reference() -> None:
    """One question after the other, until so many have been asked as were wanted."""
    asked = 0

    @settings(laws, max_examples=-(-QUERIES // PER_WORLD))
    @given(worlds.worlds(), engines, randoms)
    def agree(world: list[Manifest], engine: Engine, random: Random) -> None:
        nonlocal asked
        questions = worlds.queries(world, random, PER_WORLD)
        asked += len(questions)
        assert not Both(world, engine).disagreements(questions)[:3]

    agree()
    assert asked >= QUERIES, f"only {asked} questions were asked"
    print(f"{asked} questions, no disagreement")


@laws
@given(worlds.worlds(), engines, randoms)
def test_another_policy_never_closes_what_an_isolated_pod_may_do(
    world: list[Manifest], engine: Engine, random: Random
) -> None:
    """Policies add up: once a pod is isolated in both directions, one more can only allow more."""
    deny = [
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
        | {"metadata": {"name": "deny-all", "namespace": name}}
        | {"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}}
        for name in worlds.NAMESPACES
    ]
    last = worlds.policies(world)[-1]
    fewer = [thing for thing in world if thing is not last]
    asked = worlds.queries(world, random, LAW_QUERIES)
    before, after = answers([*fewer, *deny], engine, asked), answers([*world, *deny], engine, asked)
    closed = [query for query, old, new in zip(asked, before, after, strict=True) if old and new is False]
    assert not closed, last


@laws
@given(worlds.worlds(), engines, randoms)
def test_the_order_of_objects_rules_peers_and_ports_does_not_matter(
    world: list[Manifest], engine: Engine, random: Random
) -> None:
    mixed = copy.deepcopy(world)
    random.shuffle(mixed)
    for policy in worlds.policies(mixed):
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            rules = policy["spec"].get(direction) or []
            random.shuffle(rules)
            for rule in rules:
                random.shuffle(rule.get(peers) or [])
                random.shuffle(rule.get("ports") or [])
    asked = worlds.queries(world, random, LAW_QUERIES)
    assert answers(world, engine, asked) == answers(mixed, engine, asked)


def pieces(rules: list[Manifest], peers: str) -> list[Manifest]:
    """Each rule as one rule for each pair of a peer and a port."""
    return [
        {**({peers: [peer]} if peer else {}), **({"ports": [port]} if port else {})}
        for rule in rules
        for peer in rule.get(peers) or [None]
        for port in rule.get("ports") or [None]
    ]


def split(policy: Manifest) -> list[Manifest]:
    """A policy as one policy for each piece of a rule, and one that only isolates."""
    spec = policy["spec"]
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    parts: list[Manifest] = [{"policyTypes": types}]
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        if direction.capitalize() in types:
            parts += [
                {"policyTypes": [direction.capitalize()], direction: [piece]}
                for piece in pieces(spec.get(direction) or [], peers)
            ]
    name = policy["metadata"]["name"]
    return [
        policy
        | {"metadata": {**policy["metadata"], "name": f"{name}-{number}"}}
        | {"spec": {"podSelector": spec["podSelector"], **part}}
        for number, part in enumerate(parts)
    ]


@laws
@given(worlds.worlds(), engines, randoms)
def test_splitting_rules_and_policies_changes_nothing(world: list[Manifest], engine: Engine, random: Random) -> None:
    parts = [thing for thing in world if thing["kind"] != "NetworkPolicy"]
    parts += [piece for policy in worlds.policies(world) for piece in split(policy)]
    asked = worlds.queries(world, random, LAW_QUERIES)
    assert answers(world, engine, asked) == answers(parts, engine, asked)


@laws
@given(worlds.worlds(), engines, randoms)
def test_lists_are_their_items(world: list[Manifest], engine: Engine, random: Random) -> None:
    kinds = sorted({thing["kind"] for thing in world})
    lists = [
        {"apiVersion": "v1", "kind": f"{kind}List", "items": [thing for thing in world if thing["kind"] == kind]}
        for kind in kinds
    ]
    asked = worlds.queries(world, random, LAW_QUERIES)
    plain = answers(world, engine, asked)
    for wrapped in (lists, [{"apiVersion": "v1", "kind": "List", "items": world}]):
        seen = read_world(copy.deepcopy(wrapped))
        found = [evaluate(seen, profile(engine), *query).allowed for query in asked]
        assert found == plain


@laws
@given(worlds.worlds(), engines, randoms)
def test_the_matrix_says_the_same_at_every_point(world: list[Manifest], engine: Engine, random: Random) -> None:
    """Services are not in it: it tells of places, and what stands behind a Service is one."""
    judges = Both(world, engine)
    whole = matrix(judges.world, judges.profile)
    virtual = {thing["spec"]["clusterIP"] for thing in world if thing["kind"] == "Service"}
    for source, end, protocol, port in worlds.queries(world, random, LAW_QUERIES):
        if end not in virtual:
            told = f"{source} to {end}, {protocol} {port}"
            seen = judges.reference.allowed(source, end, protocol, port)
            assert whole.allowed(source, end, protocol, port) is seen, told


@laws
@given(worlds.worlds(max_policies=0), randoms)
def test_without_policies_everything_is_open(world: list[Manifest], random: Random) -> None:
    ends = worlds.places(world)
    asked = [query for query in worlds.queries(world, random, LAW_QUERIES) if query[1] in ends]
    assert set(answers(world, POST, asked)) <= {True}
