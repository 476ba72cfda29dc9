# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which policy engine a cluster runs, and which form of the API server's address that engine matches."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import replace

from ansible_collections.netguard.lockdown.plugins.module_utils._core import neighbours
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import Address
from ansible_collections.netguard.lockdown.plugins.module_utils._core.engine_records import (
    AUTO,
    BOTH,
    CERTAIN,
    ENDPOINTS,
    ENTITY,
    LIKELY,
    SERVICE,
    Agent,
    Detected,
    Engine,
    Form,
    Found,
    Reading,
    Situation,
    Surroundings,
    Verdict,
    is_idle,
    node_sign,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.engines import ENGINES
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, Source, metadata

ConfigMap = tuple[str, str]

# The API groups whose policies can change what NetworkPolicies do.
POLICY_GROUPS = neighbours.GROUPS | {engine.group for engine in ENGINES if engine.group}

# A form is a set of rules; several engines at once need the rules of each.
_RULES = {
    ENDPOINTS: frozenset({ENDPOINTS}),
    SERVICE: frozenset({SERVICE}),
    BOTH: frozenset({ENDPOINTS, SERVICE}),
    ENTITY: frozenset({ENDPOINTS, ENTITY}),
}


def settings_wanted(around: Surroundings) -> list[ConfigMap]:
    """The ConfigMaps that hold the settings of the engines that show themselves."""
    wanted = [engine.settings_from for engine, _sign in _signs(around) if engine.settings_from]
    return list(dict.fromkeys(wanted))


def detect(around: Surroundings, config_maps: t.Mapping[ConfigMap, Raw | None] | None = None) -> Detected:
    """The engines that are installed; where none is, those whose API is served.

    One that is known to enforce nothing does not count beside one that may.
    """
    maps = config_maps or {}
    found = [_found(engine, sign, around, maps) for engine, sign in _signs(around)]
    enforcing = [each for each in found if each.behaviour.enforces is not False]
    # The first of the table stands for several that enforce nothing: the others are parts of the same platform.
    apis = tuple(sorted(api for api in around.apis if api.partition("/")[0] in POLICY_GROUPS))
    return Detected(tuple(enforcing or found[:1]), apis)


def choose_form(requested: str, detected: Detected, endpoints: t.Iterable[Address], nodes: frozenset[Address]) -> Form:
    """The user's form, or for `auto` the one that the engine is certain to match."""
    verdict = _verdict(detected, Situation(frozenset(endpoints), nodes))
    additive = all(each.behaviour.additive for each in detected.found if each.behaviour.entity)
    if requested == ENTITY:
        _refuse_entity(detected)
    if requested != AUTO:
        return Form(requested, requested, "requested by option form", _doubts(requested, detected, verdict), additive)
    if verdict.form is None:
        raise LockdownError(
            "form_uncertain",
            f"No form of the API server's address is certain to match on {detected.name}",
            verdict.reason,
            verdict.next_step,
            details={"engine": detected.as_dict()},
        )
    return Form(verdict.form, requested, verdict.reason, additive=additive)


def check_enforced(detected: Detected, accepted: bool) -> tuple[str, ...]:
    """Refuse a cluster where policies have no effect; a loud warning where the user insists."""
    if detected.enforces is not False:
        return ()
    evidence = ", ".join(text for each in detected.found for text in each.evidence)
    if not accepted:
        raise LockdownError(
            "engine_enforces_nothing",
            f"Network policies have no effect on this cluster ({detected.name})",
            f"they would be stored, and nothing would enforce them: {evidence}",
            f"{_sentence(detected)}; or set accept_unenforced to write policies that isolate nothing",
            details={"engine": detected.as_dict()},
        )
    loud = f"NOTHING IS ISOLATED: {detected.name} enforces no network policy ({evidence}), and accept_unenforced is set"
    return (f"{loud}. {_sentence(detected)}",)


def _doubts(requested: str, detected: Detected, verdict: Verdict) -> tuple[str, ...]:
    """What speaks against the user's form, where an engine is known."""
    needed = _RULES[verdict.form] if verdict.form else None
    if not detected.found or (needed is not None and needed <= _RULES[requested]):
        return ()
    return (f"form {requested} is used as requested, but {verdict.reason}",)


def _sentence(detected: Detected) -> str:
    return next((each.behaviour.next_step for each in detected.found if each.behaviour.next_step), "")


def _signs(around: Surroundings) -> list[tuple[Engine, Agent | str]]:
    """Every engine that shows itself, with its agent or else with the sign that was seen."""
    agents = {
        (metadata(raw).get("namespace"), metadata(raw).get("name")): Agent(raw)
        for raw in around.daemon_sets
        if not is_idle(raw)
    }
    signs: list[tuple[Engine, Agent | str]] = []
    for engine in ENGINES:
        places = itertools.product(engine.namespaces, engine.agents)
        agent = next((agents[place] for place in places if place in agents), None)
        sign = agent or node_sign(engine, around.nodes)
        if not sign and engine.group in around.groups:
            sign = engine.group
        if sign:
            signs.append((engine, sign))
    # Resources without an agent say nothing beside an engine that is installed.
    return [pair for pair in signs if pair[1] != pair[0].group] or signs


def _found(
    engine: Engine, sign: Agent | str, around: Surroundings, config_maps: t.Mapping[ConfigMap, Raw | None]
) -> Found:
    agent = sign if isinstance(sign, Agent) else None
    by_group = sign == engine.group
    config_map = config_maps.get(engine.settings_from) if engine.settings_from else None
    sources = (Source.of(config_map),) if config_map else ()
    settings: t.Mapping[str, str] = (config_map.get("data") or {}) if config_map else {}
    version = agent.version(engine.container) if agent else ""
    behaviour = engine.read(Reading(agent, around.nodes, version, settings))
    if by_group:
        # Resources may be left of an engine that is gone.
        behaviour = replace(behaviour, enforces=None)
    if engine.group not in around.groups:
        behaviour = replace(behaviour, entity=False)
    shown = [str(agent.source)] if agent else [f"API group {engine.group} is served" if by_group else str(sign)]
    return Found(
        engine=engine,
        confidence=LIKELY if by_group else CERTAIN,
        evidence=(*shown, *map(str, sources)),
        behaviour=behaviour,
        version=version,
        settings=settings,
        sources=(*((agent.source,) if agent else ()), *sources),
    )


def _verdict(detected: Detected, situation: Situation) -> Verdict:
    if not detected.found:
        return Verdict(BOTH, f"the policy engine is unknown, {_BOTH_REASON}")
    verdicts = [_of_one(each, situation) for each in detected.found]
    for verdict in verdicts:
        if verdict.form is None:
            return verdict
    rules = frozenset(rule for verdict in verdicts for rule in _RULES[t.cast("str", verdict.form)])
    form = next((name for name, needed in _RULES.items() if needed == rules), None)
    reason = "; ".join(dict.fromkeys(verdict.reason for verdict in verdicts))
    return Verdict(form, reason, _SEVERAL_NEXT_STEP)


def _of_one(found: Found, situation: Situation) -> Verdict:
    name, behaviour = found.engine.name, found.behaviour
    if behaviour.after_translation is None or behaviour.enforces is False:
        return Verdict(BOTH, f"how {name} judges cannot be told, {_BOTH_REASON}")
    if not behaviour.after_translation:
        return Verdict(SERVICE, f"{name} judges a connection before the Service address is translated")
    if behaviour.cidr_matches_nodes:
        return Verdict(ENDPOINTS, f"{name} judges translated addresses, and an ipBlock matches every endpoint")
    return _apart_from_nodes(found, situation)


def _apart_from_nodes(found: Found, situation: Situation) -> Verdict:
    """An engine whose ipBlocks match no Node: endpoints must be apart from Nodes, or be named as an entity."""
    name, next_step = found.engine.name, found.behaviour.next_step
    if not situation.node_addresses:
        why = f"{name} matches no Node by ipBlock, and no Node lists an address to compare the endpoints with"
        return Verdict(None, why, next_step)
    if not situation.on_nodes:
        return Verdict(
            ENDPOINTS, f"{name} judges translated addresses, and no endpoint is the address of a Node or a pod"
        )
    why = f"{name} matches no Node by ipBlock, and {', '.join(situation.on_nodes)} belongs to a Node"
    if found.behaviour.entity:
        return Verdict(ENTITY, f"{why}, so a CiliumNetworkPolicy names the API server itself")
    return Verdict(None, why, next_step)


def _refuse_entity(detected: Detected) -> None:
    if not any(each.engine.name == "cilium" for each in detected.found):
        raise LockdownError(
            "form_uncertain",
            "Form entity needs Cilium",
            f"the policy engine of this cluster is {detected.name}, which has no CiliumNetworkPolicy",
            "Set form to auto",
            details={"engine": detected.as_dict()},
        )


_BOTH_REASON = (
    "so both forms are given: an engine that judges before the Service address is translated needs the service "
    "rule, any other the endpoints rules; the rule that is not needed is a surplus (it opens no other destination), "
    "and form endpoints or service drops it"
)
_SEVERAL_NEXT_STEP = "Several engines need rules that exclude each other: set form for the one that enforces policies"
