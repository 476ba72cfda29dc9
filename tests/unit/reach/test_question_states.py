# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The question's policy states: who reaches whom, and what becomes of Ignite; as seen on a real cluster."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from agreement import CILIUM, POST, PRE
from flow_builders import APPLICATIONS
from question_states import (
    API_ENDPOINTS,
    API_PORT,
    API_SERVICE,
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

import ansible_collections.netguard.lockdown.plugins as collection_plugins
from lab import objects
from lab.environment import scrubbed_env

COLLECTIONS = Path(next(iter(collection_plugins.__path__))).parents[3]
LABELLED = {"zone": "kube-system"}
RENDER_SECONDS = 120
PLAYBOOK = """
- hosts: all
  gather_facts: false
  connection: local
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - ansible.builtin.import_role:
        name: netguard.lockdown.ignite_lockdown
        tasks_from: render
        rolespec_validate: false
    - ansible.builtin.copy:
        content: "{{ ignite_lockdown_result.definitions | to_json }}"
        dest: "{{ kept }}"
        mode: "0600"
"""
ENDPOINTS: Json = {
    "via": "endpoints",
    "protocol": "TCP",
    "port": API_PORT,
    "cidrs": [f"{address}/32" for address in API_ENDPOINTS],
}
SERVICE: Json = {"via": "service", "protocol": "TCP", "port": 443, "cidrs": [f"{API_SERVICE}/32"]}
DNS: Json = {
    "namespace": "kube-system",
    "pod_selector": {"matchLabels": {"k8s-app": "kube-dns"}},
    "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
}
RENDERED: dict[str, Json] = {
    "standard": {"api_server": [ENDPOINTS], "dns": DNS},
    "minimal": {"api_server": [ENDPOINTS], "dns": None},
    "service": {"api_server": [SERVICE], "dns": DNS},
    "both": {"api_server": [ENDPOINTS, SERVICE], "dns": DNS},
}
Ours = dict[str, list[Json]]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Ours:
    """Our policies for the question, as the role renders them, by profile or by the form of the API server."""
    folder = tmp_path_factory.mktemp("rendered")
    hosts = {}
    for name, targets in RENDERED.items():
        minimal = targets["dns"] is None
        values = {
            "namespace": "cache-ns",
            "clients": [APPLICATIONS],
            "render_dir": str(folder / name),
            "targets": {
                "cluster": {"uid": "4f9c", "pod_cidrs": ["10.244.0.0/16"], "service_cidrs": ["10.96.0.0/16"]},
                "api_server": {"targets": targets["api_server"]},
                "dns": targets["dns"],
            },
            **({"profile": "minimal", "minimal_confirmed": True} if minimal else {}),
        }
        hosts[name] = {f"ignite_lockdown_{key}": value for key, value in values.items()}
        hosts[name]["kept"] = str(folder / f"{name}.json")
    (folder / "inventory.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    (folder / "playbook.yml").write_text(PLAYBOOK)
    (folder / "ansible.cfg").touch()
    run = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", folder / "inventory.json", folder / "playbook.yml"],
        env={
            **scrubbed_env(folder / "no-kubeconfig"),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RENDER_SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in RENDERED}


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
def test_under_ours_it_works_and_calls_nobody(ours: Ours, form: str, engine: Engine) -> None:
    ignite = Ignite([*cluster(), *ours[form]], engine)
    assert ignite.asks_the_api_server
    assert ignite.meets_its_peers
    assert not ignite.calls_home
    assert all(ignite.served(client) for client in CLIENTS)
    if engine == POST:
        assert ignite.outcome() == WORKS


@pytest.mark.parametrize(("form", "engine"), [("service", POST), ("standard", PRE)])
def test_the_wrong_form_for_the_engine_stops_it(ours: Ours, form: str, engine: Engine) -> None:
    assert not Ignite([*cluster(), *ours[form]], engine).asks_the_api_server


def test_the_minimal_profile_needs_the_api_servers_address_and_has_no_dns(ours: Ours) -> None:
    ignite = Ignite([*cluster(), *ours["minimal"]])
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
    ours: Ours, profile: str, destination: str, port: int, protocol: t.Literal["TCP", "UDP"]
) -> None:
    ignite = Ignite([*cluster(LABELLED), *ours[profile]])
    assert not any(ignite.judges.allowed(pod, destination, port, protocol) for pod in IGNITE)


@pytest.mark.parametrize("profile", ["standard", "minimal"])
def test_under_ours_nobody_else_comes_in(ours: Ours, profile: str) -> None:
    stranger = objects.pod("stranger", "client-ns", {"app": "else"}, ip="10.244.1.30")
    impostor = objects.pod("impostor", "cache-ns", {"app": "else"}, ip="10.244.1.32")
    ignite = Ignite([*cluster(LABELLED), stranger, impostor, *ours[profile]])
    others = ("client-ns/stranger", "cache-ns/impostor", "kube-system/coredns-0", "203.0.113.10", "192.0.2.19")
    for port in (11211, 47100, 47500, 10800, 8080, 22):
        assert not any(ignite.judges.allowed(other, pod, port) for other in others for pod in IGNITE)
    assert ignite.judges.allowed(*IGNITE, 11211) is False
    assert ignite.judges.allowed(*IGNITE, DISCOVERY, "UDP") is False


def test_under_ours_a_stray_pod_of_the_namespace_is_cut_off(ours: Ours) -> None:
    stray = objects.pod("stray", "cache-ns", {"app": "else"}, ip="10.244.1.32", node_name="node-1")
    ignite = Ignite([*cluster(), stray, *ours["standard"]])
    for destination in (DNS_SERVICE, "client-ns/some-pod", "203.0.113.10", *IGNITE):
        assert not ignite.judges.allowed("cache-ns/stray", destination, 53, "UDP")
    assert not ignite.judges.allowed("client-ns/some-pod", "cache-ns/stray", 10800)
