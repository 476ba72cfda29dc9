# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every form of the report shows: rows taken from a pack, in words and without markup."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import canary, changes, picture, words
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.markup import Markup
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.plain import Json
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.words import Party

VERDICT_WORDS = {"pass": "Pass", "fail": "Fail", "inconclusive": "Inconclusive"}
DENY_WORDS = {
    picture.MET: "denied, as it must be",
    picture.UNMET: "allowed, and must be denied",
    picture.UNKNOWN: "not certain",
}
STATUS_WORDS = {
    picture.MET: "allowed",
    picture.UNMET: "needed, not allowed",
    picture.UNKNOWN: "not certain",
    picture.SURPLUS: "allowed, not needed",
}
# Of packs that were made before the canary was a part of them.
NOT_TOLD = "not_told"
PART_WORDS = {
    **VERDICT_WORDS,
    "not_probed": "Not probed",
    "not_checked": "Not checked",
    "enforced": "Enforced",
    "not_enforced": "Not enforced",
    canary.NOT_RUN: "Not run",
    NOT_TOLD: "Not told",
}
GROUND = "Everything else is denied, in both directions"
OPEN_GROUND = "Other traffic is not denied"
_SUMMED_UP, _LONGEST_PEER = 6, 90
_NOT_NEEDED = Party("Allowed, and nothing needs it", "")
_ALL_PORTS = {"TCP 1-65535", "UDP 1-65535", "SCTP 1-65535"}


@dataclass(frozen=True)
class FlowRow:
    """A flow with what the policies and the probes say of it."""

    id: str
    direction: str
    source: str
    destination: str
    port: str
    reason: str
    status: str
    told: str
    rules: tuple[str, ...]
    probes: str


@dataclass(frozen=True)
class CanaryRow:
    """What a canary saw on one node."""

    node: str
    image: str
    like: str
    verdict: str
    connections: str
    why: str


@dataclass(frozen=True)
class Report:
    """A pack, and the facts of the one before where they are at hand."""

    pack: Json
    before: Json | None = None

    @property
    def facts(self) -> Json:
        return t.cast(Json, self.pack["facts"])

    @property
    def audit(self) -> Json:
        return t.cast(Json, self.facts["audit"])

    @property
    def run(self) -> Json:
        return t.cast(Json, self.pack["run"])

    @property
    def scope(self) -> Json:
        return t.cast(Json, self.facts["scope"])

    @property
    def title(self) -> str:
        return f"Network lock-down of {self.scope['namespace']}/{self.scope['instance']}"

    @property
    def verdict(self) -> str:
        return str(self.facts["verdict"])

    @property
    def because(self) -> list[str]:
        """Why the verdict is what it is, in sentences."""
        given: list[str] = list(self.facts["because"])
        if given:
            return given
        proven = self.facts["parts"]["probes"] == "pass"
        seen = "; probes between the real pods confirm it" if proven else ", by the policies alone"
        return [f"Ignite can talk to what it needs and to nothing else{seen}"]

    def flows(self) -> list[FlowRow]:
        return [self._flow(flow) for flow in self.facts["flows"]]

    def _flow(self, flow: Json) -> FlowRow:
        namespace, targets = self.scope["namespace"], self.facts["targets"]
        own, other = str(words.subject(flow, namespace)), str(words.peer(flow, targets, namespace))
        if words.is_itself(flow):
            other = own
        ends = (other, own) if flow["direction"] == "ingress" else (own, other)
        return FlowRow(
            flow["id"],
            flow["direction"],
            *ends,
            words.ports(flow, targets),
            flow["reason"],
            status(flow),
            (DENY_WORDS if is_ban(flow) else STATUS_WORDS)[status(flow)],
            tuple(rule_name(rule) for rule in self.audit.get("rules") or [] if flow["id"] in (rule.get("flows") or [])),
            self._probed(flow["id"]),
        )

    def _probed(self, flow: str) -> str:
        probes = self.facts["probes"]
        if probes is None:
            return "not probed"
        verdicts = [cell["verdict"] for cell in probes["cells"] if cell["flow"] == flow]
        if not verdicts:
            return "no probe"
        good = verdicts.count("pass")
        return f"{good} of {len(verdicts)} as expected"

    def numbers(self) -> list[tuple[str, str, str]]:
        """The figures that matter most: name, value, and whether that is good."""
        flows = [flow for flow in self.facts["flows"] if not is_ban(flow)]
        rules = self.audit.get("rules") or []
        met = sum(status(flow) == picture.MET for flow in flows)
        needed = sum(bool(rule.get("needed")) for rule in rules)
        surplus, drift = (len(self.audit.get(name) or []) for name in ("surplus", "drift"))
        return [
            ("Needed flows allowed", f"{met} of {len(flows)}", _tone(met == len(flows))),
            ("Surplus permissions", str(surplus), _tone(not surplus)),
            ("Rules that are needed", f"{needed} of {len(rules)}", _tone(needed == len(rules))),
            ("Drift", str(drift), _tone(not drift)),
            self._probes_number(),
        ]

    def _probes_number(self) -> tuple[str, str, str]:
        probes = self.facts["probes"]
        if probes is None:
            return ("Connections probed", "none", "inconclusive")
        verdicts = [cell["verdict"] for cell in probes["cells"]]
        return ("Probes as expected", f"{verdicts.count('pass')} of {len(verdicts)}", str(probes["verdict"]))

    @property
    def canary_part(self) -> str:
        return str(self.facts["parts"].get("canary", NOT_TOLD))

    def canary(self) -> str:
        """What the canary showed, or that there was none, as a sentence."""
        if self.canary_part == NOT_TOLD:
            return "The pack says nothing of a canary: it was made before packs did."
        return f"{canary.sentence(self.facts['canary'], self.audit.get('pods') or [])}."

    def canary_nodes(self) -> list[CanaryRow]:
        return [_canary_row(node) for node in (self.facts.get("canary") or {}).get("nodes") or []]

    def changes(self) -> list[changes.Change] | None:
        """None where there is nothing to compare with."""
        return None if self.before is None else changes.between(self.before, self.facts)

    def drawing(self) -> Markup:
        namespace, targets = self.scope["namespace"], self.facts["targets"]
        flows = self.facts["flows"]
        core = words.subject(flows[0], namespace) if flows else Party("pods", f"in {namespace}")
        ways = [
            picture.Way(
                words.peer(flow, targets, namespace),
                flow["direction"] == "ingress",
                words.is_itself(flow),
                words.ports(flow, targets),
                flow["reason"],
                status(flow),
            )
            for flow in flows
            if not is_ban(flow)
        ]
        members = [pod["name"] for pod in self.audit.get("pods") or []]
        return picture.draw(self.title, core, members, [*_merged(ways), *self._surplus_ways()], self._ground())

    def _surplus_ways(self) -> list[picture.Way]:
        """One card for each direction, with a line for each peer; the table lists them all."""
        ports: dict[tuple[bool, str], list[str]] = {}
        for item in self.audit.get("surplus") or []:
            key = (item["direction"] == "ingress", str(item["peer"]))
            ports.setdefault(key, []).append(f"{item['protocol']} {item['ports']}")
        ways = [
            picture.Way(
                _NOT_NEEDED, inward, False, words.shortened(peer, _LONGEST_PEER), _protocols(listed), picture.SURPLUS
            )
            for (inward, peer), listed in ports.items()
        ]
        if len(ways) > _SUMMED_UP:
            rest = f"{len(ways) - _SUMMED_UP} more, see the table"
            return [*ways[:_SUMMED_UP], replace(ways[-1], port=rest, reason="")]
        return ways

    def _ground(self) -> str:
        return GROUND if self.facts["claims"]["isolated"]["status"] == "shown" else OPEN_GROUND


def _canary_row(node: Json) -> CanaryRow:
    seen = [
        f"{one['kind']}: {one['before'] or 'not tried'}, with policies {one['after'] or 'not tried'}"
        for one in node["connections"]
    ]
    return CanaryRow(
        node["node"], node["image"], node["like"], node["verdict"], "; ".join(seen), "; ".join(node["reasons"])
    )


def is_ban(flow: Json) -> bool:
    """Whether the flow is one that must not be possible."""
    return bool(flow["expect"] == "deny")


def status(flow: Json) -> str:
    met = flow.get("met")
    if met is None:
        return picture.UNKNOWN
    return picture.MET if met else picture.UNMET


def rule_name(rule: Json) -> str:
    return words.rules([rule])


def _merged(ways: t.Sequence[picture.Way]) -> list[picture.Way]:
    """Among themselves, both directions of a flow are one line."""
    found: list[picture.Way] = []
    for way in ways:
        twin = next((one for one in found if way.among and one.among and _same(one, way)), None)
        if twin is None:
            found.append(way)
        elif twin.status == picture.MET != way.status:
            found[found.index(twin)] = way
    return found


def _same(one: picture.Way, other: picture.Way) -> bool:
    return (one.party, one.port, one.reason) == (other.party, other.port, other.reason)


def _protocols(listed: t.Sequence[str]) -> str:
    return "all ports" if set(listed) == _ALL_PORTS else "; ".join(listed)


def _tone(good: bool) -> str:
    return "pass" if good else "fail"
