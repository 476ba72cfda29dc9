# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of Kubernetes' own network-policy conformance suite, in our own words.

There are 48: 42 over TCP, 3 over UDP, 3 over SCTP. The worlds are small: up to three namespaces x, y and z with pods a,
b and c; a pod's label `pod` is its name, a namespace's label is the one the API server sets. What is not said to be
cut off is reachable.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from lab import objects
from lab.objects import Manifest

NAME = "kubernetes.io/metadata.name"
Rule = Manifest
Row = tuple[str, str, bool]


@dataclass(frozen=True)
class Step:
    """What holds at one moment, and what then reaches what on each port.

    A row is (from, to, allowed), with "*" for everything, "x/*" for a namespace; later rows win.
    """

    policies: list[Manifest]
    expected: dict[int, list[Row]]
    protocol: str = "TCP"
    pod_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    namespace_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A world and what happens in it."""

    name: str
    pods: str
    steps: list[Step]


def policy(
    name: str,
    selector: Manifest,
    *,
    ingress: list[Rule] | None = None,
    egress: list[Rule] | None = None,
    namespace: str = "x",
) -> Manifest:
    """A policy for the directions that are given, an empty list included."""
    spec: Manifest = {"podSelector": selector, "policyTypes": []}
    for direction, rules in (("Ingress", ingress), ("Egress", egress)):
        if rules is not None:
            spec["policyTypes"].append(direction)
            spec[direction.lower()] = rules
    return objects.network_policy(name, namespace, spec)


def labels(**wanted: str) -> Manifest:
    return {"matchLabels": wanted}


def term(key: str, operator: str, *values: str) -> Manifest:
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


def named(namespace: str) -> Manifest:
    return {"matchLabels": {NAME: namespace}}


def pods(selector: Manifest) -> Manifest:
    return {"podSelector": selector}


def namespaces(selector: Manifest) -> Manifest:
    return {"namespaceSelector": selector}


def both(namespace: Manifest, pod: Manifest) -> Manifest:
    return {"namespaceSelector": namespace, "podSelector": pod}


def block(cidr: str, *excepted: str) -> Manifest:
    return {"ipBlock": {"cidr": cidr, **({"except": list(excepted)} if excepted else {})}}


def port(number: int | str, protocol: str = "") -> Manifest:
    return {"port": number, **({"protocol": protocol} if protocol else {})}


ALL: Manifest = {}
A = labels(pod="a")
B = labels(pod="b")
OTHERS = term(NAME, "NotIn", "x")
NO_INGRESS = policy("deny-ingress", ALL, ingress=[])
NO_EGRESS = policy("deny-egress", ALL, egress=[])
NOTHING = policy("deny-all", ALL, ingress=[], egress=[])
ANYTHING: list[Rule] = [{}]
CLOSED: Row = ("*", "x/*", False)
A_CLOSED: Row = ("*", "x/a", False)
A_SILENT: Row = ("x/a", "*", False)


def once(expected: list[Row], *policies: Manifest, on: int = 80, protocol: str = "TCP") -> list[Step]:
    return [Step(list(policies), {on: expected}, protocol)]


def into_a(*peers: Manifest, ports: list[Manifest] | None = None) -> Manifest:
    rule: Rule = {**({"from": list(peers)} if peers else {}), **({"ports": ports} if ports else {})}
    return policy("into-a", A, ingress=[rule])


def out_of_a(*peers: Manifest) -> Manifest:
    return policy("out-of-a", A, egress=[{"to": list(peers)}])


# The addresses are those that the tests give the pods; the suites run once with each family.
POD_BLOCK = {"x/b": "{x/b}/{bits}", "y/b": "{y/b}/{bits}"}
LARGE_BLOCK = "{large}"

FROM_Y = into_a(namespaces(named("y")))
FROM_Y_AT_80 = policy("y-at-80", A, ingress=[{"from": [namespaces(named("y"))], "ports": [port(80, "TCP")]}])
FROM_Y_AT_81 = policy("y-at-81", A, ingress=[{"from": [namespaces(named("y"))], "ports": [port(81, "TCP")]}])
ONLY_Y: list[Row] = [("x/*", "x/a", False), ("z/*", "x/a", False)]
ROUND_B = block(LARGE_BLOCK, POD_BLOCK["x/b"])


def at_81(protocol: str) -> Manifest:
    return policy("at-81", A, ingress=[{"from": [namespaces(named("y"))], "ports": [port(81, protocol)]}])


def three(protocol: str) -> list[Case]:
    """The cases that UDP and SCTP have in common with TCP."""
    one_pod = into_a(both(named("y"), A))
    return [
        Case(f"{protocol}: no ingress", "x/a x/b y/a y/b", once([CLOSED], NO_INGRESS, protocol=protocol)),
        Case(
            f"{protocol}: one port from one namespace",
            "x/a x/b y/a z/a",
            once(ONLY_Y, at_81(protocol), on=81, protocol=protocol),
        ),
        Case(
            f"{protocol}: one pod of one namespace",
            "x/a x/b y/a",
            once([A_CLOSED, ("y/a", "x/a", True)], one_pod, protocol=protocol),
        ),
    ]


CASES: list[Case] = [
    # isolation
    Case("no ingress", "x/a x/b y/a y/b", once([CLOSED], NO_INGRESS)),
    Case("nothing in, nothing out", "x/a x/b y/a", once([CLOSED, ("x/*", "*", False)], NOTHING)),
    Case("allow everything in", "x/a x/b y/a", [Step([policy("open", ALL, ingress=ANYTHING)], {80: [], 81: []})]),
    Case("no egress for one pod", "x/a x/b y/a", once([A_SILENT], policy("silent", A, egress=[]))),
    Case("no egress for a namespace", "x/a x/b y/a", once([("x/*", "*", False)], NO_EGRESS)),
    # peers
    Case(
        "pods of the own namespace, by label",
        "x/a x/b x/c y/a",
        once([A_CLOSED, ("x/b", "x/a", True)], into_a(pods(B))),
    ),
    Case(
        "one target opened in a closed namespace",
        "x/a x/b y/a",
        once([("*", "x/b", False)], NO_INGRESS, into_a(both(ALL, ALL))),
    ),
    Case("all namespaces", "x/a x/b y/a z/a", once([], into_a(namespaces({"matchLabels": {}})))),
    Case("another namespace only", "x/a x/b y/a z/a", once(ONLY_Y, FROM_Y)),
    Case(
        "pods, by an expression",
        "x/a x/b y/a",
        once([A_CLOSED, ("x/b", "x/a", True)], into_a(pods(term("pod", "In", "b")))),
    ),
    Case(
        "a namespace, by an expression",
        "x/a x/b y/a z/a",
        once(ONLY_Y, into_a(namespaces(term(NAME, "In", "y")))),
    ),
    Case("pods or namespaces", "x/a x/b x/c y/a", once([("x/c", "x/a", False)], into_a(namespaces(OTHERS), pods(B)))),
    Case(
        "pods and namespaces",
        "x/a x/b y/a y/b z/b",
        once([A_CLOSED, ("y/b", "x/a", True), ("z/b", "x/a", True)], into_a(both(OTHERS, B))),
    ),
    Case(
        "several pods and namespaces",
        "x/a x/b y/a y/b y/c",
        once([("x/*", "x/a", False), ("y/a", "x/a", False)], into_a(both(OTHERS, term("pod", "In", "b", "c")))),
    ),
    Case("one of two kinds of pods", "x/a x/b x/c", once([], into_a(pods(B), pods(labels(pod="c"))))),
    Case(
        "one pod of another namespace",
        "x/a x/b y/a y/b z/a",
        once([A_CLOSED, ("y/a", "x/a", True)], into_a(both(named("y"), A))),
    ),
    Case(
        "the own namespace only",
        "x/a x/b y/a z/a",
        once([("y/*", "x/*", False), ("z/*", "x/*", False)], policy("home", ALL, ingress=[{"from": [pods(ALL)]}])),
    ),
    Case("a namespace, by the label that is always there", "x/a x/b y/a z/a", once(ONLY_Y, FROM_Y)),
    Case(
        "all but one namespace, by the label that is always there, outwards",
        "x/a x/b y/a z/a",
        once([("x/a", "y/*", False)], out_of_a(namespaces(term(NAME, "NotIn", "y")))),
    ),
    # ports
    Case("one port from one namespace", "x/a x/b y/a y/b z/a", once(ONLY_Y, FROM_Y_AT_81, on=81)),
    Case(
        "policies that add up on the same pod",
        "x/a x/b y/a y/b z/a",
        [
            Step([FROM_Y_AT_81], {81: ONLY_Y, 80: [A_CLOSED]}),
            Step([FROM_Y_AT_81, FROM_Y_AT_80], {81: ONLY_Y, 80: ONLY_Y}),
        ],
    ),
    Case(
        "a named port in, from everywhere",
        "x/a x/b y/a",
        [Step([policy("named", ALL, ingress=[{"ports": [port("serve-81-tcp")]}])], {81: [], 80: [CLOSED]})],
    ),
    Case(
        "a named port in, from one namespace",
        "x/a x/b y/a z/a",
        [
            Step(
                [into_a(namespaces(named("y")), ports=[port("serve-80-tcp", "TCP")])],
                {80: ONLY_Y, 81: [A_CLOSED]},
            )
        ],
    ),
    Case(
        "a named port out",
        "x/a y/a",
        [
            Step(
                [policy("named", ALL, egress=[{"ports": [port("serve-80-tcp")]}])],
                {80: [], 81: [("x/*", "*", False)]},
            )
        ],
    ),
    Case(
        "any port of one protocol",
        "x/a y/a",
        [
            Step([into_a(ports=[{"protocol": "TCP"}])], {80: []}),
            Step([into_a(ports=[{"protocol": "TCP"}])], {80: [A_CLOSED]}, "UDP"),
        ],
    ),
    # what changes
    Case(
        "a policy is updated",
        "x/a y/a",
        [Step([policy("one", ALL, ingress=ANYTHING)], {81: []}), Step([NO_INGRESS], {81: [CLOSED]})],
    ),
    Case(
        "a namespace gets a label",
        "x/a y/a",
        [
            Step([into_a(namespaces(labels(ns2="updated")))], {80: [A_CLOSED]}),
            Step(
                [into_a(namespaces(labels(ns2="updated")))],
                {80: [A_CLOSED, ("y/*", "x/a", True)]},
                namespace_labels={"y": {"ns2": "updated"}},
            ),
        ],
    ),
    Case(
        "a pod gets the label of a peer",
        "x/a x/b",
        [
            Step([into_a(pods(labels(pod="b", pod2="updated")))], {80: [A_CLOSED]}),
            Step(
                [into_a(pods(labels(pod="b", pod2="updated")))],
                {80: []},
                pod_labels={"x/b": {"pod2": "updated"}},
            ),
        ],
    ),
    Case(
        "a pod gets the label of a subject",
        "x/a y/a",
        [
            Step([policy("late", labels(target="isolated"), ingress=[])], {80: []}),
            Step(
                [policy("late", labels(target="isolated"), ingress=[])],
                {80: [A_CLOSED]},
                pod_labels={"x/a": {"target": "isolated"}},
            ),
        ],
    ),
    Case(
        "policies are deleted",
        "x/a y/a",
        [Step([NOTHING], {80: [CLOSED, ("x/*", "*", False)]}), Step([], {80: []})],
    ),
    # both directions
    Case(
        "ingress and egress in one policy",
        "x/a x/b x/c y/a",
        [
            Step(
                [policy("two", A, ingress=[{"from": [pods(B)]}], egress=[{"ports": [port(80)]}])],
                {
                    80: [A_CLOSED, ("x/b", "x/a", True)],
                    81: [A_CLOSED, A_SILENT, ("x/b", "x/a", True)],
                },
            )
        ],
    ),
    Case(
        "the sender may not, though the receiver would let it",
        "x/a y/a y/b",
        once(
            [A_SILENT, ("*", "y/a", False), ("x/a", "y/a", True), ("*", "y/b", False)],
            out_of_a(both(named("y"), A)),
            policy("from-xa", A, ingress=[{"from": [both(named("x"), A)]}], namespace="y"),
            policy("from-xa-to-b", B, ingress=[{"from": [both(named("x"), A)]}], namespace="y"),
        ),
    ),
    Case(
        "out to one pod of another namespace",
        "x/a y/a y/b",
        once([A_SILENT, ("x/a", "y/a", True)], out_of_a(both(named("y"), A))),
    ),
    Case(
        "ingress and egress in two policies",
        "x/a x/b y/a",
        [
            Step([policy("out", A, egress=ANYTHING)], {80: []}),
            Step([policy("out", A, egress=ANYTHING), policy("in", A, ingress=[])], {80: [A_CLOSED]}),
        ],
    ),
    Case(
        "in on one port, then everything in",
        "x/a y/a",
        [
            Step([policy("at-80", ALL, ingress=[{"ports": [port(80)]}])], {81: [CLOSED]}),
            Step(
                [policy("at-80", ALL, ingress=[{"ports": [port(80)]}]), policy("all", ALL, ingress=ANYTHING)],
                {81: []},
            ),
        ],
    ),
    Case(
        "out on one port, then everything out",
        "x/a y/a",
        [
            Step([policy("at-80", ALL, egress=[{"ports": [port(80)]}])], {81: [("x/*", "*", False)]}),
            Step(
                [policy("at-80", ALL, egress=[{"ports": [port(80)]}]), policy("all", ALL, egress=ANYTHING)],
                {81: []},
            ),
        ],
    ),
    # addresses
    Case(
        "out to the address of a pod",
        "x/a y/a y/b",
        once([A_SILENT, ("x/a", "y/b", True)], out_of_a(block(POD_BLOCK["y/b"]))),
    ),
    Case("out to a block but for one pod", "x/a x/b x/c", once([("x/a", "x/b", False)], out_of_a(ROUND_B))),
    Case(
        "an address that one policy excepts and another names",
        "x/a x/b x/c",
        [
            Step([out_of_a(ROUND_B)], {80: [("x/a", "x/b", False)]}),
            Step([out_of_a(block(POD_BLOCK["x/b"]))], {80: [A_SILENT, ("x/a", "x/b", True)]}),
        ],
    ),
    # protocols
    Case(
        "SCTP is not TCP",
        "x/a y/a",
        once([CLOSED], NO_INGRESS, into_a(ports=[port(81, "SCTP")]), on=81),
    ),
    Case(
        "a rule for SCTP isolates from TCP too",
        "x/a y/a",
        once([A_CLOSED], into_a(ports=[port(80, "SCTP")]), on=81),
    ),
    Case("UDP is not TCP", "x/a y/a", once([A_CLOSED], into_a(ports=[port(81, "UDP")]), on=81)),
    *three("UDP"),
    *three("SCTP"),
]


def filled(value: t.Any, addresses: Mapping[str, str]) -> t.Any:
    """The same with addresses where "{x/b}" and the like stand."""
    if isinstance(value, dict):
        return {key: filled(part, addresses) for key, part in value.items()}
    if isinstance(value, list):
        return [filled(part, addresses) for part in value]
    if isinstance(value, str) and value.startswith("{"):
        for key, address in addresses.items():
            value = value.replace(f"{{{key}}}", address)
    return value
