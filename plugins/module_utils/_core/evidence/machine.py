# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report for machines: JUnit XML for pipelines, SARIF 2.1.0 for code scanning."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.canonical import digest
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import picture, words
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.markup import Markup, clean, el
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.plain import Json
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.view import (
    Report,
    rule_name,
)

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
# What other tools and people write, as SARIF's levels.
_LEVELS = {"critical": "error", "high": "error", "error": "error", "medium": "warning", "warning": "warning"}


class Case(t.NamedTuple):
    """One test case: good without a failure and without being skipped."""

    name: str
    failure: str = ""
    skipped: str = ""


def as_junit(report: Report) -> str:
    """Suites of cases: flows, minimality, probes, canary, claims."""
    suites = [
        ("flows", _flow_cases(report)),
        ("minimality", _minimality_cases(report)),
        ("probes", _probe_cases(report)),
        ("canary", _canary_cases(report)),
        ("claims", _claim_cases(report)),
    ]
    every = [case for _name, cases in suites for case in cases]
    body = [_suite(f"{report.scope['namespace']}/{report.scope['instance']} {name}", cases) for name, cases in suites]
    document = el("testsuites", body, name=report.title, **_counts(every))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{document}\n'


def _suite(name: str, cases: t.Sequence[Case]) -> Markup:
    return el("testsuite", [_case(name, case) for case in cases], name=name, **_counts(cases))


def _case(suite: str, case: Case) -> Markup:
    failure = el("failure", message=case.failure) if case.failure else None
    skipped = el("skipped", message=case.skipped) if case.skipped and not case.failure else None
    return el("testcase", failure, skipped, classname=suite, name=case.name)


def _counts(cases: t.Sequence[Case]) -> dict[str, int]:
    return {
        "tests": len(cases),
        "failures": sum(bool(case.failure) for case in cases),
        "errors": 0,
        "skipped": sum(bool(case.skipped and not case.failure) for case in cases),
    }


def _flow_cases(report: Report) -> list[Case]:
    return [
        Case(
            f"{row.id}: {row.source} to {row.destination} {row.port}",
            row.told if row.status == picture.UNMET else "",
            row.told if row.status == picture.UNKNOWN else "",
        )
        for row in report.flows()
    ]


def _minimality_cases(report: Report) -> list[Case]:
    surplus = report.audit.get("surplus") or []
    doubt = "the policies could not be judged completely" if report.facts["parts"]["policies"] == "inconclusive" else ""
    needs = [
        Case(f"needed: {rule_name(rule)}", "" if rule.get("needed") else "no flow needs this rule")
        for rule in report.audit.get("rules") or []
    ]
    return [Case("no surplus", "; ".join(map(words.surplus, surplus)), doubt), *needs]


def _probe_cases(report: Report) -> list[Case]:
    probes = report.facts["probes"]
    if probes is None:
        return [Case("probes between the real pods", skipped="not probed")]
    cases = []
    for cell in probes["cells"]:
        to = f"{cell['to'].get('name') or cell['to'].get('address')}:{cell['to'].get('port')}"
        name = f"{cell['flow']}: {cell['from']['pod']} to {to} ({cell['expect']})"
        told = f"{cell['observed']}; {cell.get('why') or ''}".strip("; ")
        failed = told if cell["verdict"] == "fail" else ""
        cases.append(Case(name, failed, told if cell["verdict"] == "inconclusive" else ""))
    return cases


def _canary_cases(report: Report) -> list[Case]:
    nodes = [
        Case(
            f"policies are enforced on node {row.node}",
            row.why if row.verdict == "not_enforced" else "",
            row.why if row.verdict == "inconclusive" else "",
        )
        for row in report.canary_nodes()
    ]
    whole = report.canary_part
    doubt = "" if whole in ("enforced", "not_enforced") else report.canary()
    return [Case("policies are enforced on every node of the instance", _canary_failure(report), doubt), *nodes]


def _canary_failure(report: Report) -> str:
    return report.canary() if report.canary_part == "not_enforced" else ""


def _claim_cases(report: Report) -> list[Case]:
    return [
        Case(
            claim["claim"],
            claim["because"] if claim["status"] == "contradicted" else "",
            claim["because"] if claim["status"] == "not_shown" else "",
        )
        for claim in report.facts["claims"].values()
    ]


def as_sarif(report: Report) -> str:
    results = list(_results(report))
    rules = {result["ruleId"]: result for result in results}
    driver = {
        "name": "netguard.lockdown",
        "rules": [
            {"id": name, "name": name, "shortDescription": {"text": name.replace("_", " ").replace("-", " ")}}
            for name in sorted(rules)
        ],
    }
    log = {
        "$schema": _SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "automationDetails": {"id": f"{report.scope['namespace']}/{report.scope['instance']}/"},
                "properties": {"verdict": report.verdict, "pack": report.pack["digest"]},
                "results": results,
            }
        ],
    }
    return json.dumps(log, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _results(report: Report) -> t.Iterator[Json]:
    for row in report.flows():
        if row.status != picture.MET:
            level = "error" if row.status == picture.UNMET else "warning"
            told = f"{row.source} to {row.destination} {row.port}: {row.reason}"
            yield _result(report, "flow_not_met", level, told, row.id)
    for item in report.audit.get("surplus") or []:
        yield _result(report, "surplus", "error", words.surplus(item), words.rules(item.get("by")))
    for item in report.audit.get("drift") or []:
        yield _result(report, f"drift_{item['class']}", "error", words.sentence(item), str(item["policy"]))
    yield from _probe_results(report)
    if report.canary_part != "enforced":
        level = {"not_enforced": "error", "inconclusive": "warning"}.get(report.canary_part, "note")
        yield _result(report, f"canary_{report.canary_part}", level, report.canary(), "canary")
    for item in report.facts["findings"]:
        yield _result(report, str(item["id"]), _level(item["severity"]), item["sentence"], item["where"] or "findings")


def _probe_results(report: Report) -> t.Iterator[Json]:
    probes = report.facts["probes"]
    if probes is None:
        told = "Whether the network engine enforces the policies was not observed"
        yield _result(report, "not_probed", "warning", told, "probes")
        return
    for cell in probes["cells"]:
        if cell["verdict"] != "pass":
            told = f"expected {cell['expect']}, observed {cell['observed']}: {cell.get('why') or ''}".strip(": ")
            yield _result(report, f"probe_{cell['verdict']}", _level(cell["verdict"]), told, str(cell["flow"]))


def _level(severity: t.Any) -> str:
    return (
        "error"
        if severity == "fail"
        else _LEVELS.get(str(severity), "warning" if severity == "inconclusive" else "note")
    )


def _result(report: Report, rule: str, level: str, text: str, where: str) -> Json:
    """A result at a place that is no file: what matters is which object in which namespace."""
    scope = report.scope
    name = f"{scope['cluster_uid']}/{scope['namespace']}/{scope['instance']}/{clean(where)}"
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": clean(text)},
        "locations": [{"logicalLocations": [{"fullyQualifiedName": name, "kind": "resource"}]}],
        "partialFingerprints": {"netguard/v1": digest([rule, name, text]).removeprefix("sha256:")},
    }
