# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the evaluator and the reference the same question, and insists that they agree."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence

from reference import Engine, Json, Reference

from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.evaluate import Answer, evaluate
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.profile import EngineProfile
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import read_world

Query = tuple[str, str, str, int]
POST, PRE = Engine(), Engine(before_dnat=True)
CILIUM = Engine(cidr_matches_pods=False, cidr_matches_nodes=False)
CILIUM_NODES = Engine(cidr_matches_pods=False)
ENGINES = (POST, PRE, CILIUM, CILIUM_NODES)


def profile(engine: Engine) -> EngineProfile:
    judges = "pre-dnat" if engine.before_dnat else "post-dnat"
    return EngineProfile(
        name="test",
        cidr_matches_pods=engine.cidr_matches_pods,
        cidr_matches_nodes=engine.cidr_matches_nodes,
        judges=judges,
    )


class Both:
    """The two judges of one world."""

    def __init__(self, objects: Iterable[Json], engine: Engine = POST) -> None:
        self.objects = list(objects)
        self.profile = profile(engine)
        self.world = read_world(copy.deepcopy(self.objects))
        self.reference = Reference(self.objects, engine)

    def answer(self, source: str, destination: str, port: int, protocol: str = "TCP") -> Answer:
        return evaluate(self.world, self.profile, source, destination, protocol, port)

    def allowed(self, source: str, destination: str, port: int, protocol: str = "TCP") -> bool | None:
        """What both say."""
        second = self.reference.allowed(source, destination, protocol, port)
        first = self.answer(source, destination, port, protocol)
        assert first.allowed is second, (
            f"{source} to {destination}, {protocol} {port}: "
            f"the evaluator says {first.allowed}, the reference {second}\n"
            f"{first}\n{json.dumps([thing for thing in self.objects if 'Polic' in thing['kind']])}"
        )
        return second

    def disagreements(self, queries: Iterable[Query]) -> list[str]:
        found = []
        for source, destination, protocol, port in queries:
            first = evaluate(self.world, self.profile, source, destination, protocol, port).allowed
            second = self.reference.allowed(source, destination, protocol, port)
            if first is not second:
                told = f"the evaluator says {first}, the reference {second}"
                found.append(f"{source} to {destination}, {protocol} {port}, {self.profile}: {told}")
        return found

    def reached(self, source: str, destinations: Sequence[str], port: int, protocol: str = "TCP") -> set[str]:
        """Which of the destinations the source may open a connection to."""
        return {place for place in destinations if self.allowed(source, place, port, protocol)}
