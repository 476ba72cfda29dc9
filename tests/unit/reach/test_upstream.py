# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes' own network-policy cases, by the evaluator and by the reference, in both address families."""

from __future__ import annotations

import itertools
from fnmatch import fnmatchcase

import pytest
from agreement import POST, PRE, Both
from reference import Engine
from upstream import CASES, Case, Row, Step, filled

from lab import objects
from lab.objects import Manifest

SUITE = 48
PORTS = (80, 81)
PROTOCOLS = ("TCP", "UDP", "SCTP")
FAMILIES = {
    "ipv4": {"pods": "10.244.0.", "services": "10.96.0.", "bits": "32", "large": "0.0.0.0/4"},
    "ipv6": {"pods": "fd00:10:244::", "services": "fd00:10:96::", "bits": "128", "large": "fd00:10::/32"},
}


def world(case: Case, step: Step, family: str) -> tuple[list[Manifest], dict[str, str]]:
    """The objects at one moment, and each pod's Service address."""
    plan, made, virtual = FAMILIES[family], list[Manifest](), dict[str, str]()
    for name in ("x", "y", "z"):
        known = {"kubernetes.io/metadata.name": name, **step.namespace_labels.get(name, {})}
        made.append(objects.namespace(name, known))
    addresses = {pod: f"{plan['pods']}{number}" for number, pod in enumerate(case.pods.split(), start=10)}
    for number, (pod, address) in enumerate(addresses.items(), start=10):
        namespace, name = pod.split("/")
        named = [
            {"name": f"serve-{port}-{protocol.lower()}", "protocol": protocol, "containerPort": port}
            for port, protocol in itertools.product(PORTS, PROTOCOLS)
        ]
        labels = {"pod": name, **step.pod_labels.get(pod, {})}
        made.append(objects.pod(name, namespace, labels, ip=address, ports=named))
        virtual[pod] = f"{plan['services']}{number}"
        ports = [{"name": port["name"], "protocol": port["protocol"], "port": port["containerPort"]} for port in named]
        made.append(objects.service(f"s-{name}", namespace, selector=labels, ports=ports, cluster_ip=virtual[pod]))
        made.append(
            objects.endpoint_slice(
                f"s-{name}-1", namespace, service=f"s-{name}", addresses=[address], pods=[name], ports=ports
            )
        )
    policies: list[Manifest] = filled(step.policies, {**addresses, **plan})
    return [*made, *policies], virtual


def expected(rows: list[Row], source: str, destination: str) -> bool:
    """What the last row says that fits; a pod always reaches itself."""
    fitting = [allowed for begin, end, allowed in rows if fnmatchcase(source, begin) and fnmatchcase(destination, end)]
    return source == destination or (fitting or [True])[-1]


def test_the_suite_is_complete() -> None:
    assert len({case.name for case in CASES}) == len(CASES) == SUITE


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, family: str) -> None:
    for step in case.steps:
        made, virtual = world(case, step, family)
        judges = Both(made)
        for port, rows in step.expected.items():
            for source, destination in itertools.product(case.pods.split(), repeat=2):
                wanted = expected(rows, source, destination)
                told = f"{source} to {destination}, {step.protocol} {port}"
                assert judges.allowed(source, destination, port, step.protocol) is wanted, told
                assert judges.allowed(source, virtual[destination], port, step.protocol) is wanted, f"Service: {told}"


@pytest.mark.parametrize("engine", [POST, PRE], ids=["after DNAT", "before DNAT"])
def test_between_pods_it_does_not_matter_when_the_engine_judges(engine: Engine) -> None:
    for case in CASES:
        for step in case.steps:
            made, _ = world(case, step, "ipv4")
            judges = Both(made, engine)
            for (port, rows), source, destination in itertools.product(
                step.expected.items(), case.pods.split(), case.pods.split()
            ):
                wanted = expected(rows, source, destination)
                assert judges.allowed(source, destination, port, step.protocol) is wanted, case.name
