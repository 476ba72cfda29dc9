# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between policy engines when they judge the same policies."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.netguard.lockdown.plugins.module_utils._core.engine_records import Behaviour, Detected
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

POST_DNAT, PRE_DNAT = "post-dnat", "pre-dnat"


@dataclass(frozen=True)
class EngineProfile:
    """How an engine reads what the NetworkPolicy API leaves open.

    :arg cidr_matches_pods: whether an ipBlock matches a pod by its address.
    :arg judges: whether egress is judged after the address of a Service was translated, or before.
    :arg cidr_matches_nodes: whether an ipBlock matches a node by its address.
    """

    name: str
    cidr_matches_pods: bool = True
    judges: str = POST_DNAT
    cidr_matches_nodes: bool = True

    def as_record(self) -> dict[str, t.Any]:
        return {
            "profile": self.name,
            "cidr_matches_pods": self.cidr_matches_pods,
            "cidr_matches_nodes": self.cidr_matches_nodes,
            "judges": self.judges,
        }


STANDARD = EngineProfile("standard")
CILIUM = EngineProfile("cilium", cidr_matches_pods=False, cidr_matches_nodes=False)
CILIUM_NODES = EngineProfile("cilium-nodes", cidr_matches_pods=False)
BEFORE_TRANSLATION = EngineProfile("pre-dnat", judges=PRE_DNAT)
PROFILES: dict[str, EngineProfile] = {
    profile.name: profile for profile in (STANDARD, CILIUM, CILIUM_NODES, BEFORE_TRANSLATION)
}


def named(name: str) -> EngineProfile:
    """The profile that the user asked for."""
    if name not in PROFILES:
        raise LockdownError(
            "invalid_option",
            "Invalid engine profile",
            f"{name!r} is none of {', '.join(PROFILES)}",
            "Correct profile",
        )
    return PROFILES[name]


def of_engine(found: Detected) -> EngineProfile:
    """The profile of the engine that a live cluster runs; what nothing tells is as the API describes it."""
    if not found.found:
        return STANDARD
    behaviour = found.found[0].behaviour
    judged = EngineProfile(
        found.name,
        cidr_matches_pods=behaviour.cidr_matches_pods is not False,
        judges=PRE_DNAT if behaviour.after_translation is False else POST_DNAT,
        cidr_matches_nodes=behaviour.cidr_matches_nodes is not False,
    )
    return next((known for known in PROFILES.values() if replace(known, name=judged.name) == judged), judged)


def doubts(found: Detected) -> list[str]:
    """What keeps a verdict on policies from telling what happens on this engine."""
    if found.enforces is False:
        return [f"{found.name} enforces no network policy, so whatever the policies say, everything is allowed"]
    if len({_way(each.behaviour) for each in found.found}) > 1:
        names = " and ".join(each.engine.name for each in found.found)
        return [f"{names} are installed side by side and judge in different ways, of which one was looked at"]
    if found.found and found.found[0].behaviour.after_translation is None:
        return [f"nothing tells whether {found.name} judges a Service's address before or after its translation"]
    return []


def _way(behaviour: Behaviour) -> tuple[bool | None, ...]:
    return behaviour.after_translation, behaviour.cidr_matches_pods, behaviour.cidr_matches_nodes


def detected(engine: str, settings: t.Mapping[str, str]) -> EngineProfile:
    """The profile of an engine by its name, as far as files show it; the API's own reading for any other."""
    if engine != "cilium":
        return STANDARD
    modes = re.split(r"[\s,]+", settings.get("policy-cidr-match-mode", ""))
    return CILIUM_NODES if "nodes" in modes else CILIUM
