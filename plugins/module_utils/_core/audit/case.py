# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit is asked, and what everything that answers a part of it works on."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core import ownership
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.describe import Describer
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.imagined import imagine
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.judge import Judge, Judgement
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.wanted import Wanted, wanted
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import Flow
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.grants import Compiled
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.policies import PodPeer, Policy
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.profile import EngineProfile
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.universe import Interest, Universe
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import World
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, metadata


@dataclass(frozen=True)
class Question:
    """:arg definitions: the policies as rendered today, for drift; None if nobody rendered any.
    :arg targets: the result of module cluster_network_info.
    :arg unread: what could not be read and might matter, as sentences.
    """

    namespace: str
    flows: t.Sequence[Flow]
    profile: EngineProfile
    instance: str = ""
    targets: Raw | None = None
    definitions: t.Sequence[Raw] | None = None
    unread: tuple[str, ...] = ()


@dataclass
class Case:
    """A world in sets, with the judgement of its policies."""

    question: Question
    world: World
    wanted: list[Wanted]
    compiled: Compiled
    judgement: Judgement
    describer: Describer
    ours: frozenset[int] = field(default_factory=frozenset)

    @property
    def universe(self) -> Universe:
        return self.compiled.universe

    @property
    def policies(self) -> t.Sequence[Policy]:
        return self.compiled.policies

    @classmethod
    def of(cls, world: World, question: Question) -> Case:
        measures = wanted(question.flows, question.targets)
        imagined = imagine(world, _pod_peers(world, question, measures))
        interest = _interest(imagined, measures)
        universe = Universe(imagined, question.profile, interest)
        compiled = Compiled(universe, imagined.policies)
        return cls(
            question=question,
            world=world,
            wanted=measures,
            compiled=compiled,
            judgement=Judge(compiled, question.namespace, measures).judge(),
            describer=Describer(universe),
            ours=frozenset(
                number for number, policy in enumerate(imagined.policies) if is_ours(policy, world, question)
            ),
        )


def is_ours(policy: Policy, world: World, question: Question) -> bool:
    """Whether the policy is one of those that are judged: rendered today, or with the instance's labels."""
    if policy.kind != "NetworkPolicy" or policy.namespace != question.namespace:
        return False
    if question.definitions is not None:
        return policy.name in {str(metadata(each).get("name")) for each in question.definitions}
    raw = world.raw_policies.get((policy.namespace, policy.name), {})
    return not question.instance or ownership.has_our_labels(raw, question.instance)


def _interest(world: World, measures: t.Sequence[Wanted]) -> Interest:
    interest = Interest()
    for policy in world.policies:
        interest.add_policy(policy)
    for each in measures:
        interest.add_peer(PodPeer(each.flow.subject.pod_selector, None))
        for rule in each.rules:
            interest.add_rule(rule)
    return interest


def _pod_peers(world: World, question: Question, measures: t.Sequence[Wanted]) -> t.Iterator[tuple[str, PodPeer]]:
    """Every way in which the namespace's policies and flows select pods."""
    for each in measures:
        yield question.namespace, PodPeer(each.flow.subject.pod_selector, None)
        for rule in each.rules:
            yield from ((question.namespace, peer) for peer in rule.peers or () if isinstance(peer, PodPeer))
    for policy in world.policies:
        if policy.namespace == question.namespace:
            for rule in policy.rules:
                yield from ((policy.namespace, peer) for peer in rule.peers or () if isinstance(peer, PodPeer))
