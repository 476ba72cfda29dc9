# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policy engines: how one is recognised, and which form of the API server's address it matches.

An engine is one entry of `ENGINES`. Its `judge` gets the facts and answers with a form and the
reason for it, or with the reason why no form is certain.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import Address
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, Source

ENDPOINTS, SERVICE, BOTH, AUTO = "endpoints", "service", "both", "auto"


@dataclass(frozen=True)
class Situation:
    """What an engine's answer depends on."""

    endpoints: frozenset[Address]
    node_addresses: frozenset[Address]
    settings: t.Mapping[str, str]


@dataclass(frozen=True)
class Verdict:
    """A form and why; without a form, why none is certain and what the user can do."""

    form: str | None
    reason: str
    next_step: str = ""


@dataclass(frozen=True)
class Engine:
    """:arg api_group: the API group that only this engine's CRDs serve.
    :arg settings_from: namespace and name of the ConfigMap that holds its settings.
    """

    name: str
    api_group: str
    settings_from: tuple[str, str] | None
    judge: t.Callable[[Situation], Verdict]


@dataclass(frozen=True)
class Detected:
    """The engine of a cluster with what gave it away."""

    engine: Engine | None
    evidence: tuple[str, ...] = ()
    settings: t.Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()

    @property
    def name(self) -> str:
        return self.engine.name if self.engine else "unknown"

    def with_settings(self, config_map: Raw | None) -> Detected:
        """The same engine with the settings it runs with, as far as its ConfigMap is there."""
        if config_map is None:
            return self
        source = Source.of(config_map)
        return Detected(self.engine, (*self.evidence, str(source)), config_map.get("data") or {}, (source,))

    def as_dict(self) -> dict[str, t.Any]:
        return {"name": self.name, "evidence": list(self.evidence)}


@dataclass(frozen=True)
class Form:
    """The form that was chosen for `requested`, with the reason and what the user should be warned of."""

    name: str
    requested: str
    reason: str
    warnings: tuple[str, ...] = ()

    @property
    def uses_endpoints(self) -> bool:
        return self.name in (ENDPOINTS, BOTH)

    @property
    def uses_service(self) -> bool:
        return self.name in (SERVICE, BOTH)


def detect(api_groups: t.Iterable[str]) -> Detected:
    """The engine whose API group the cluster serves."""
    served = set(api_groups)
    for engine in ENGINES:
        if engine.api_group in served:
            return Detected(engine, (f"API group {engine.api_group} is served",))
    return Detected(None)


def choose_form(requested: str, detected: Detected, endpoints: t.Iterable[Address], nodes: frozenset[Address]) -> Form:
    """The user's form, or for `auto` the one that the engine is certain to match."""
    verdict = _verdict(detected, Situation(frozenset(endpoints), nodes, detected.settings))
    if requested != AUTO:
        doubt = () if verdict.form else (f"form {requested} is used as requested, but {verdict.reason}",)
        return Form(requested, requested, "requested by option form", doubt)
    if verdict.form is None:
        raise LockdownError(
            "form_uncertain",
            f"No form of the API server's address is certain to match on {detected.name}",
            verdict.reason,
            verdict.next_step,
            details={"engine": detected.as_dict(), "settings": dict(detected.settings)},
        )
    return Form(verdict.form, requested, verdict.reason)


def _verdict(detected: Detected, situation: Situation) -> Verdict:
    if detected.engine is None:
        return Verdict(
            BOTH,
            "the policy engine is unknown, so both forms are given: an engine that judges before the Service "
            "address is translated needs the service rule, any other the endpoints rules; the rule that is "
            "not needed is a surplus (it opens no other destination), and form endpoints or service drops it",
        )
    return detected.engine.judge(situation)


def _cilium(situation: Situation) -> Verdict:
    """Cilium judges after translation, and an ipBlock matches no node unless the match mode says so."""
    modes = re.split(r"[\s,]+", situation.settings.get("policy-cidr-match-mode", ""))
    if "nodes" in modes:
        return Verdict(
            ENDPOINTS, "Cilium's policy-cidr-match-mode contains nodes, so an ipBlock matches every endpoint"
        )
    on_nodes = sorted(situation.endpoints & situation.node_addresses, key=str)
    if on_nodes:
        named = ", ".join(map(str, on_nodes))
        return Verdict(None, f"Cilium matches no node by ipBlock, and {named} belongs to a Node", _CILIUM_NEXT_STEP)
    if not situation.node_addresses:
        return Verdict(
            None,
            "Cilium matches no node by ipBlock, and no Node lists an address to compare the endpoints with",
            _CILIUM_NEXT_STEP,
        )
    return Verdict(ENDPOINTS, "Cilium judges translated addresses, and no endpoint is the address of a Node or a pod")


_CILIUM_NEXT_STEP = (
    "Set policy-cidr-match-mode to nodes in ConfigMap kube-system/cilium-config (Cilium 1.15 or newer) and "
    "restart its agents; or set option form, if another engine than Cilium enforces policies here"
)

ENGINES: tuple[Engine, ...] = (Engine("cilium", "cilium.io", ("kube-system", "cilium-config"), _cilium),)
