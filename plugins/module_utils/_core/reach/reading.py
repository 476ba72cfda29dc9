# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is judged and how: a world, the engine's way to judge, and where both come from."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import profile
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.profile import EngineProfile
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import World

AUTO = "auto"
_CILIUM_SETTINGS = ("kube-system", "cilium-config")


@dataclass
class Reading:
    """:arg engine: name of the policy engine, or `unknown`.
    :arg sources: where the objects come from, as a record.
    :arg unread: what could not be read and might matter, as sentences.
    """

    world: World
    engine: str
    profile: EngineProfile
    profile_reason: str
    sources: dict[str, t.Any]
    unread: list[str] = field(default_factory=list)

    def unsound(self) -> list[str]:
        """Why answers about this world cannot be trusted at all; empty if they can."""
        return [*self.unread, *map(str, self.world.unmodelled)]

    def engine_record(self) -> dict[str, t.Any]:
        return {"name": self.engine, **self.profile.as_record(), "reason": self.profile_reason}


def choose_profile(requested: str, engine: str, chosen: EngineProfile) -> tuple[EngineProfile, str]:
    """The user's profile, or the one of the engine that showed itself, with the reason."""
    if requested != AUTO:
        return profile.named(requested), "requested by option profile"
    if engine == "unknown":
        return chosen, "no engine shows itself, so policies are judged as the NetworkPolicy API describes"
    return chosen, f"the policy engine is {engine}"


def engine_of(world: World) -> tuple[str, t.Mapping[str, str]]:
    """The engine that objects of files give away, and its settings."""
    config_map = world.config_maps.get(_CILIUM_SETTINGS)
    if config_map is not None:
        return "cilium", config_map.get("data") or {}
    return ("cilium" if any(policy.kind.startswith("Cilium") for policy in world.policies) else "unknown"), {}
