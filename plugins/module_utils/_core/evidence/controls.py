# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What auditors ask for, as data: each control with the claims that speak for it.

The words are our own; the numbers lead to the originals. Whether a control is fulfilled is the auditor's
judgement: a pack shows claims, or shows that they do not hold.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.plain import Json

SHOWN, CONTRADICTED, NOT_SHOWN = "shown", "contradicted", "not_shown"

CLAIMS = {
    "isolated": "Policies isolate every pod of the instance, in both directions",
    "needed_allowed": "Everything that Ignite needs is allowed",
    "justified": "Every rule serves a flow, and every flow has a reason",
    "minimal": "Nothing is allowed but these flows",
    "stored_is_active": "The policies in the cluster are the ones that follow from the configuration",
    "nothing_foreign": "No policy of others allows the pods more",
    "sources_known": "Every resolved address names the object that it was read from",
    "enforced": "Allowed connections were seen to stand, and forbidden ones to fail, between the real pods",
}


@dataclass(frozen=True)
class Control:
    framework: str
    number: str
    requirement: str
    claims: tuple[str, ...]
    remark: str = ""


_CIS, _NSA, _PCI = "CIS Kubernetes Benchmark", "NSA/CISA Kubernetes Hardening Guide", "PCI DSS 4.0.1"
_SOC, _NIST = "SOC 2", "NIST SP 800-53 Rev. 5"
_REPEAT = "The date is that of the run; the chain of packs shows how often it was done"

CONTROLS = (
    Control(_CIS, "5.3.1", "The network plugin enforces network policies", ("enforced",)),
    Control(_CIS, "5.3.2", "The namespace's pods are under network policies", ("isolated",)),
    Control(_NSA, "Network policies", "Both directions are denied unless a policy allows them", ("isolated",)),
    Control(
        _NSA,
        "Metadata service",
        "Pods cannot reach a cloud's metadata address",
        ("isolated", "minimal"),
        "No flow leads there unless it was accepted as wide, which is then a finding",
    ),
    Control(
        _PCI,
        "1.2.5",
        "Each allowed service, protocol and port is known, approved and has a business need",
        ("justified", "minimal"),
    ),
    Control(
        _PCI,
        "1.2.7",
        "The configuration is reviewed at least every six months",
        ("justified", "stored_is_active"),
        _REPEAT,
    ),
    Control(_PCI, "1.2.8", "Stored and active configuration are the same", ("stored_is_active",)),
    Control(
        _PCI, "1.3.1", "Nothing but needed traffic comes in", ("isolated", "minimal", "nothing_foreign", "enforced")
    ),
    Control(
        _PCI, "1.3.2", "Nothing but needed traffic goes out", ("isolated", "minimal", "nothing_foreign", "enforced")
    ),
    Control(_PCI, "11.4.5", "Segmentation is tested at least once a year and after changes", ("enforced",), _REPEAT),
    Control(
        _PCI,
        "11.4.6",
        "Service providers test segmentation at least every six months and after changes",
        ("enforced",),
        _REPEAT,
    ),
    Control(
        _SOC,
        "CC6.6",
        "Access from outside of the boundary is restricted, with evidence over a period",
        ("isolated", "minimal", "enforced"),
        _REPEAT,
    ),
    Control(
        _NIST, "SC-7(5)", "Traffic is denied by default and allowed by exception", ("isolated", "justified", "minimal")
    ),
)


def assess(claims: Json) -> list[Json]:
    """Each control with what the claims make of it: the worst of them counts."""
    return [
        {**asdict(control), "claims": list(control.claims), "status": _status(control, claims)} for control in CONTROLS
    ]


def _status(control: Control, claims: Json) -> str:
    found = {claims[name]["status"] for name in control.claims}
    return next(status for status in (CONTRADICTED, NOT_SHOWN, SHOWN) if status in found)
