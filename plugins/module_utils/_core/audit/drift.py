# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live policies against those that would be rendered today: what differs, and what kind of change it was."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import effects, grace, ownership
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.case import Case
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.foreign import WIDENS
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.foreign import records as foreign_records
from ansible_collections.netguard.lockdown.plugins.module_utils._core.canonical import canonical_json
from ansible_collections.netguard.lockdown.plugins.module_utils._core.policy import DIRECTIONS, normal_spec
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, metadata

Json = dict[str, t.Any]

ENDPOINT_MOVED, LABEL_MOVED, HAND_EDIT = "endpoint_moved", "label_moved", "hand_edit"
MISSING, FOREIGN_WIDENING = "missing", "foreign_widening"


def records(case: Case) -> list[Json]:
    """Empty where nothing differs, or where nobody said what is to be there."""
    found: list[Json] = []
    for definition in case.question.definitions or ():
        name = str(metadata(definition).get("name"))
        live = case.world.raw_policies.get((case.question.namespace, name))
        if live is None:
            found.append(_record(MISSING, name, f"NetworkPolicy {name} is not there", [], []))
        elif normal_spec(live) != normal_spec(definition):
            gains, losses = effects.difference(definition, live)
            kind, sentence = _class(live, definition)
            found.append(_record(kind, name, sentence, gains, losses))
    if case.question.definitions is not None:
        found += _widening(case)
    return found


def _record(kind: str, policy: str, sentence: str, gains: list[str], losses: list[str]) -> Json:
    return {"class": kind, "policy": policy, "sentence": sentence, "gains": gains, "losses": losses}


def _widening(case: Case) -> t.Iterator[Json]:
    for each in foreign_records(case):
        if each["effect"] == WIDENS:
            name = each["name"]
            yield _record(
                FOREIGN_WIDENING, name, f"{each['kind']} {name} selects the same pods and allows more", [], []
            )


def _class(live: Raw, definition: Raw) -> tuple[str, str]:
    """What kind of change explains the difference."""
    owners = ownership.foreign_spec_owners(live)
    if owners:
        named = ", ".join(f"{owner['manager']} ({owner['time'] or 'time unknown'})" for owner in owners)
        return HAND_EDIT, f"its rules were edited by {named}"
    old, new = _changed(live, definition), _changed(definition, live)
    if old is None or new is None:
        return HAND_EDIT, "its pods or directions are not those of the rendered policy"
    if _ports(old) != _ports(new):
        return HAND_EDIT, "it allows other ports than the rendered policy"
    moves = _shapes(old), _shapes(new)
    if moves[0] == moves[1] == {"block"} and _blocks(old) <= _rendered_then(live):
        was, is_ = (", ".join(sorted(_blocks(rules))) for rules in (old, new))
        return ENDPOINT_MOVED, f"it allows {was}, and the addresses are {is_} now"
    if moves[0] == moves[1] == {"pods"}:
        return LABEL_MOVED, "it selects its peers by other labels than those that the pods have now"
    return HAND_EDIT, "its rules are not those of the rendered policy, and no move of addresses or labels explains that"


def _changed(one: Raw, other: Raw) -> list[Json] | None:
    """The rules of the one that the other does not have; None if they differ in more than rules."""
    specs = normal_spec(one), normal_spec(other)
    if any(specs[0][key] != specs[1][key] for key in ("podSelector", "policyTypes")):
        return None
    return [rule for _name, key, _peers in DIRECTIONS for rule in specs[0][key] if rule not in specs[1][key]]


def _shapes(rules: list[Json]) -> set[str]:
    """Of which kinds the peers are: single addresses, pods by label, or anything else."""
    return {_shape(peer) for peer in _peers(rules)} | {"everyone" for rule in rules if not _peers([rule])}


def _shape(peer: Json) -> str:
    if "ipBlock" not in peer:
        return "pods"
    single = str(peer["ipBlock"]["cidr"]).endswith(("/32", "/128"))
    return "block" if single else "wide block"


def _blocks(rules: list[Json]) -> set[str]:
    return {str(peer["ipBlock"]["cidr"]) for peer in _peers(rules) if "ipBlock" in peer}


def _rendered_then(live: Raw) -> set[str]:
    """The API server's addresses at the time when the live policy was rendered, as it remembers itself."""
    text = (metadata(live).get("annotations") or {}).get(grace.SEEN_ANNOTATION, "")
    addresses = (part.strip().rpartition(":")[0].strip("[]") for part in text.split(","))
    return {f"{address}/{128 if ':' in address else 32}" for address in addresses if address}


def _ports(rules: list[Json]) -> list[t.Any]:
    return sorted({canonical_json(rule["ports"]) for rule in rules})


def _peers(rules: list[Json]) -> list[Json]:
    return [peer for rule in rules for key in ("from", "to") for peer in rule.get(key) or []]
