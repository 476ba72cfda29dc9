# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The question's policy states: who reaches whom, and what becomes of Ignite; as seen on a real cluster."""

from __future__ import annotations

import typing as t

import pytest
from agreement import CILIUM, POST, PRE
from our_policies import ENDPOINTS, SERVICE, ours
from question_states import (
    API_ENDPOINTS,
    CLIENTS,
    COMMUNICATION,
    DISCOVERY,
    DNS_SERVICE,
    IGNITE,
    NO_API_SERVER,
    NO_NAME,
    SPLITS,
    WORKS,
    Ignite,
    attempt,
    cluster,
    policies,
)
from reference import Engine, Json

from lab import objects

LABELLED = {"zone": "kube-system"}
OURS = {
    "standard": ours(),
    "minimal": ours(dns=False),
    "service": ours([SERVICE]),
    "both": ours([ENDPOINTS, SERVICE]),
}


# without and with the question's own policies


def test_without_policies_it_works_and_calls_home() -> None:
    ignite = Ignite(cluster())
    assert ignite.outcome() == WORKS
    assert ignite.calls_home


def test_ingress_only_with_one_pod_works_and_calls_home() -> None:
    ignite = Ignite([*cluster(pods=1), *policies("ingress-only")])
    assert ignite.pods == [IGNITE[0]]
    assert ignite.outcome() == WORKS
    assert ignite.calls_home
    assert all(ignite.served(client) for client in CLIENTS)


def test_ingress_only_with_two_pods_splits_because_it_admits_no_peers() -> None:
    ignite = Ignite([*cluster(), *policies("ingress-only")])
    assert ignite.outcome() == SPLITS
    assert ignite.calls_home
    answer = ignite.judges.answer(*IGNITE, DISCOVERY)
    assert (answer.allowed, answer.egress.allowed, answer.ingress.allowed) == (False, True, False)


def test_ingress_only_lets_in_the_named_clients_and_no_other() -> None:
    stranger = objects.pod("stranger", "client-ns", {"app": "else"}, ip="10.244.1.30")
    namesake = objects.pod("namesake", "default", {"app": "some-pod"}, ip="10.244.1.31")
    ignite = Ignite([*cluster(), stranger, namesake, *policies("ingress-only")])
    for port in (11211, 47100, 47500, 10800):
        assert all(ignite.served(client, port) for client in CLIENTS)
        assert not any(ignite.served(pod, port) for pod in ("client-ns/stranger", "default/namesake", "203.0.113.10"))
    assert not any(ignite.served(client, 8080) for client in CLIENTS)


# deny all, and each attempt to open it again

ATTEMPTS = {
    (): NO_NAME,
    (1,): NO_NAME,
    (2,): NO_API_SERVER,
    (3,): NO_API_SERVER,
    (4,): NO_NAME,
    (5,): NO_NAME,
    (6,): NO_NAME,
    (1, 2, 3, 4, 5, 6): NO_API_SERVER,
}


def under(rules: tuple[int, ...]) -> list[Json]:
    return attempt(*rules) if rules else policies("deny-all")


@pytest.mark.parametrize("engine", [POST, PRE, CILIUM], ids=["after DNAT", "before DNAT", "Cilium"])
@pytest.mark.parametrize(("rules", "outcome"), ATTEMPTS.items(), ids=str)
def test_no_attempt_lets_it_start(rules: tuple[int, ...], outcome: str, engine: Engine) -> None:
    # Judged before translation, an attempt that names the DNS pods or kube-system names no Service's address.
    if engine == PRE and rules == (3,):
        outcome = NO_NAME
    ignite = Ignite([*cluster(LABELLED), *under(rules)], engine)
    assert ignite.outcome() == outcome
    assert not ignite.asks_the_api_server


@pytest.mark.parametrize("rules", ATTEMPTS, ids=str)
def test_no_attempt_reaches_the_command_and_control_server_but_dns_may_go_anywhere(rules: tuple[int, ...]) -> None:
    ignite = Ignite([*cluster(LABELLED), *under(rules)])
    assert not ignite.calls_home
    for protocol in ("UDP", "TCP"):
        assert ignite.all("203.0.113.10", 53, protocol) is (2 in rules)


@pytest.mark.parametrize(
    ("rules", "out"),
    [((), False), ((1,), True), ((2,), False), ((3,), False), ((4,), True), ((5,), False), ((1, 2, 3, 4, 5, 6), True)],
    ids=str,
)
def test_the_way_out_to_peers_is_of_no_use_while_nobody_may_come_in(rules: tuple[int, ...], out: bool) -> None:
    ignite = Ignite([*cluster(LABELLED), *under(rules)])
    assert not ignite.meets_its_peers
    for port in (DISCOVERY, COMMUNICATION):
        answer = ignite.judges.answer(*IGNITE, port)
        assert (answer.egress.allowed, answer.ingress.allowed) == (out, False)


def test_kube_system_without_the_label_that_the_attempt_names_is_not_matched() -> None:
    assert Ignite([*cluster(), *attempt(3)]).outcome() == NO_NAME


def test_a_pod_may_not_even_reach_the_address_that_the_fifth_attempt_names() -> None:
    """It was a pod's own address, and has moved on; where it is somebody else's, that one is reached."""
    ignite = Ignite([*cluster(), *attempt(5)])
    assert ignite.all("172.21.70.49", 47500)
    assert not ignite.all("10.244.2.10", 47500, "UDP")


# ours


@pytest.mark.parametrize(("form", "engine"), [("standard", POST), ("both", POST), ("service", PRE), ("both", PRE)])
def test_under_ours_it_works_and_calls_nobody(form: str, engine: Engine) -> None:
    ignite = Ignite([*cluster(), *OURS[form]], engine)
    assert ignite.asks_the_api_server
    assert ignite.meets_its_peers
    assert not ignite.calls_home
    assert all(ignite.served(client) for client in CLIENTS)
    if engine == POST:
        assert ignite.outcome() == WORKS


@pytest.mark.parametrize(("form", "engine"), [("service", POST), ("standard", PRE)])
def test_the_wrong_form_for_the_engine_stops_it(form: str, engine: Engine) -> None:
    assert not Ignite([*cluster(), *OURS[form]], engine).asks_the_api_server


def test_the_minimal_profile_needs_the_api_servers_address_and_has_no_dns() -> None:
    ignite = Ignite([*cluster(), *OURS["minimal"]])
    assert ignite.outcome(by_name=False) == WORKS
    assert ignite.outcome() == NO_NAME
    for server in (DNS_SERVICE, "kube-system/coredns-0", "203.0.113.10", "169.254.20.10"):
        assert not any(
            ignite.judges.allowed(pod, server, 53, protocol) for pod in IGNITE for protocol in ("UDP", "TCP")
        )


FORBIDDEN_OUT = [
    ("203.0.113.10", 443, "TCP"),
    ("203.0.113.10", 53, "UDP"),
    ("169.254.169.254", 80, "TCP"),
    ("client-ns/some-pod", 8080, "TCP"),
    ("client-ns/some-pod", 10800, "TCP"),
    ("kube-system/coredns-0", 9153, "TCP"),
    ("kube-system/coredns-0", 8181, "TCP"),
    (API_ENDPOINTS[0], 10257, "TCP"),
    (API_ENDPOINTS[0], 6443, "UDP"),
    (API_ENDPOINTS[0], 443, "TCP"),
    ("192.0.2.19", 10250, "TCP"),
    ("2001:db8::7", 443, "TCP"),
]


@pytest.mark.parametrize("profile", ["standard", "minimal"])
@pytest.mark.parametrize(("destination", "port", "protocol"), FORBIDDEN_OUT)
def test_under_ours_nothing_else_goes_out(
    profile: str, destination: str, port: int, protocol: t.Literal["TCP", "UDP"]
) -> None:
    ignite = Ignite([*cluster(LABELLED), *OURS[profile]])
    assert not any(ignite.judges.allowed(pod, destination, port, protocol) for pod in IGNITE)


@pytest.mark.parametrize("profile", ["standard", "minimal"])
def test_under_ours_nobody_else_comes_in(profile: str) -> None:
    stranger = objects.pod("stranger", "client-ns", {"app": "else"}, ip="10.244.1.30")
    impostor = objects.pod("impostor", "cache-ns", {"app": "else"}, ip="10.244.1.32")
    ignite = Ignite([*cluster(LABELLED), stranger, impostor, *OURS[profile]])
    others = ("client-ns/stranger", "cache-ns/impostor", "kube-system/coredns-0", "203.0.113.10", "192.0.2.19")
    for port in (11211, 47100, 47500, 10800, 8080, 22):
        assert not any(ignite.judges.allowed(other, pod, port) for other in others for pod in IGNITE)
    assert ignite.judges.allowed(*IGNITE, 11211) is False
    assert ignite.judges.allowed(*IGNITE, DISCOVERY, "UDP") is False


def test_under_ours_a_stray_pod_of_the_namespace_is_cut_off() -> None:
    stray = objects.pod("stray", "cache-ns", {"app": "else"}, ip="10.244.1.32", node_name="node-1")
    ignite = Ignite([*cluster(), stray, *OURS["standard"]])
    for destination in (DNS_SERVICE, "client-ns/some-pod", "203.0.113.10", *IGNITE):
        assert not ignite.judges.allowed("cache-ns/stray", destination, 53, "UDP")
    assert not ignite.judges.allowed("client-ns/some-pod", "cache-ns/stray", 10800)
