# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on a lock-down: from the policies, the probes and Ignite's topology, with what to do about it.

Everything that is not proven keeps it from being a success. Whether earlier policies may come back
depends on what failed: that something forbidden got through is no reason to open more.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core.topology import FAIL, INCONCLUSIVE, PASS

KEEP, RESTORE = "keep", "restore"
ON_FAILURE = (KEEP, RESTORE)
_VERIFIED = "verified"

Record = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Reason:
    """One thing that is not as it should be. `area` is policies, allowed, forbidden, sockets or topology."""

    area: str
    verdict: str
    what: str
    next_step: str

    def as_record(self) -> dict[str, str]:
        return {"area": self.area, "verdict": self.verdict, "what": self.what, "next_step": self.next_step}


@dataclass(frozen=True)
class Verdict:
    """:arg restore: whether the revision before is to come back.
    :arg kept_because: why it is not, where the user asked for it.
    """

    verdict: str
    reasons: tuple[Reason, ...] = field(default_factory=tuple)
    restore: bool = False
    kept_because: str = ""

    def as_record(self) -> dict[str, t.Any]:
        return {
            "verdict": self.verdict,
            "reasons": [reason.as_record() for reason in self.reasons],
            "restore": self.restore,
            "kept_because": self.kept_because,
            "message": self.message(),
        }

    def message(self) -> str:
        """Every reason with its next step, each next step once."""
        if self.verdict == PASS:
            return "The lock-down holds, and Ignite works"
        head = "The lock-down is not as it should be" if self.verdict == FAIL else "The lock-down is not proven"
        lines = [f"- {reason.what}" for reason in self.reasons]
        steps = dict.fromkeys(reason.next_step for reason in self.reasons)
        kept = [f"The policies are kept: {self.kept_because}"] if self.kept_because else []
        return "\n".join([f"{head}:", *lines, "What to do:", *(f"- {step}" for step in steps), *kept])


def judge(plan: Record, probe: Record, topology: Record, *, on_failure: str, accept_sockets: bool) -> Verdict:
    """One verdict.

    :arg plan: result of module network_policies with mark_verified, in check mode.
    :arg probe: result of module flow_probe.
    :arg topology: result of module ignite_topology_info.
    :arg accept_sockets: whether forbidden connections that were open before are accepted.
    """
    reasons = (*_policies(plan), *_probes(probe), *_sockets(probe, accept_sockets), *_topology(topology))
    verdicts = {reason.verdict for reason in reasons}
    verdict = FAIL if FAIL in verdicts else INCONCLUSIVE if verdicts else PASS
    if verdict == PASS or on_failure != RESTORE:
        return Verdict(verdict, reasons)
    kept_because = _kept_because(verdict, reasons, plan)
    return Verdict(verdict, reasons, not kept_because, kept_because)


def _policies(plan: Record) -> t.Iterator[Reason]:
    if plan["standing"]:
        return
    for policy in plan["policies"]:
        if policy["action"] != "none":
            what = f"{policy['kind']} {policy['name']} is not as rendered ({policy['action']}): {policy['reason']}"
            yield Reason("policies", FAIL, what, "Run the lock-down again, check mode and diff show what it changes")


def _probes(probe: Record) -> t.Iterator[Reason]:
    if not probe["probed"]:
        yield Reason("allowed", INCONCLUSIVE, "No connection was tried", "Run it without check mode")
    for cell in probe["cells"]:
        if cell["verdict"] == PASS:
            continue
        area = "allowed" if cell["expect"] == "allow" else "forbidden"
        next_step = _UNSEEN if cell["verdict"] == INCONCLUSIVE else _WRONG[area]
        yield Reason(area, cell["verdict"], f"{_sentence(cell)}: {cell['why']}", next_step)


_UNSEEN = "Let the probe see it: give it a pod with tools, a control pod, or the right that is named"
_WRONG = {
    "allowed": "Find what keeps the connection from working: the target itself, another policy, or a form of address "
    "that the network engine does not match",
    "forbidden": "Find what lets it through: another policy, a pod that the policies do not select, or an engine that "
    "does not enforce them",
}


def _sentence(cell: Record) -> str:
    source, target = cell["from"], cell["to"]
    ends = [f"from {source['namespace']}/{source['pod']}"] if source else []
    if target:
        name = f"{target['name']} " if target["name"] else ""
        ends.append(f"to {name}{target['address']} {target['protocol']} {target['port']}")
    what = f"Flow {cell['flow']}, {cell['expect']}" + (f", {' '.join(ends)}" if ends else "")
    return f"{what}: {cell['observed'].replace('_', ' ')}"


def _sockets(probe: Record, accepted: bool) -> t.Iterator[Reason]:
    for socket in probe["sockets"]:
        if socket["forbidden"] and not accepted:
            what = f"{socket['pod']} holds a connection {_far_end(socket)} that no flow allows"
            yield Reason("sockets", FAIL, what, _RESTART)


def _far_end(socket: Record) -> str:
    remote = socket["remote"]
    way = "to" if socket["direction"] == "egress" else "from"
    name = f" ({remote['namespace']}/{remote['pod']})" if remote["pod"] else ""
    return f"{way} {remote['address']}:{remote['port']}{name}"


_RESTART = (
    "Restart the pods that hold forbidden connections one after the other (kubectl rollout restart); the policies keep "
    "them from being opened again"
)


def _topology(topology: Record) -> t.Iterator[Reason]:
    for sentence in topology["reasons"]:
        yield Reason(
            "topology",
            topology["verdict"],
            f"Topology: {sentence}",
            "Compare with the probes: servers that do not reach each other's discovery port form clusters of their own",
        )


def _kept_because(verdict: str, reasons: t.Sequence[Reason], plan: Record) -> str:
    """Why earlier policies must not come back; empty where they may."""
    if verdict != FAIL:
        return "nothing is known to be wrong"
    areas = {reason.area for reason in reasons if reason.verdict == FAIL}
    if areas & {"forbidden", "sockets"}:
        return "something forbidden got through, and earlier policies would not stop it either"
    if "policies" in areas:
        return "they are not those that this run rendered"
    revision = plan["revision"]
    if revision is None:
        return "there is no undo record"
    if revision["status"] == _VERIFIED:
        return f"revision {revision['number']} was verified before, so something else has changed since"
    return ""
