# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own promises: a real API server, everything on record, nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import typing as t
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from lab import objects
from lab.client import Address, Client
from lab.control_plane import ControlPlane, remove_abandoned
from lab.errors import ApiError, LabError
from lab.processes import start_time, wait_until
from lab.question import HAND, arrange_question, ingress_only_policies
from lab.settings import Ports

StartPlane = t.Callable[..., ControlPlane]
DISCOVERY = "discovery.k8s.io/v1"
NETWORKING = "networking.k8s.io"


def all_gone(pids: Iterable[int]) -> bool:
    numbers = list(pids)
    return wait_until(lambda: all(start_time(pid) is None for pid in numbers), 10)


class TestEndpoints:
    def test_one_server_is_one_endpoint(self, plane: ControlPlane) -> None:
        found = plane.read(objects.reference(DISCOVERY, "EndpointSlice", "kubernetes", "default"))
        assert [endpoint["addresses"] for endpoint in found["endpoints"]] == [["192.0.2.1"]]
        assert [port["port"] for port in found["ports"]] == [plane.port]

    def test_two_servers_are_two_endpoints_and_one_goes_with_its_server(self, two_servers: ControlPlane) -> None:
        two_servers.wait_endpoints(["192.0.2.1", "192.0.2.2"])
        two_servers.stop_server(1)
        two_servers.wait_endpoints(["192.0.2.1"], seconds=5)
        two_servers.start_server(1)
        two_servers.wait_endpoints(["192.0.2.1", "192.0.2.2"])

    def test_the_second_server_carries_on_alone(self, two_servers: ControlPlane) -> None:
        two_servers.stop_server(0)
        two_servers.wait_endpoints(["192.0.2.2"], seconds=5)
        two_servers.create(objects.namespace("written-by-the-second"))
        two_servers.start_server(0)
        assert two_servers.api("GET", "/api/v1/namespaces/written-by-the-second", server=0)["metadata"]["uid"]

    def test_both_servers_write_audit_events(self, two_servers: ControlPlane) -> None:
        mark = two_servers.mark()
        for server in (0, 1):
            two_servers.api("GET", "/api/v1/nodes", server=server)
        seen = [event.server for event in two_servers.audit(mark, own=True) if event.resource == "nodes"]
        assert seen == [0, 1]

    def test_without_reconciler_the_slice_is_the_tests(self, start_plane: StartPlane) -> None:
        plane = start_plane(endpoint_reconciler="none", ip_family="ipv6")
        assert plane.endpoints() == []
        plane.create(
            objects.endpoint_slice(
                "kubernetes",
                "default",
                service="kubernetes",
                addresses=["2001:db8::a"],
                ports=[{"name": "https", "port": 6443, "protocol": "TCP"}],
            )
        )
        assert plane.endpoints() == ["2001:db8::a"]
        service = plane.read(objects.reference("v1", "Service", "kubernetes", "default"))
        assert service["spec"]["clusterIPs"] == ["fd00:10:96::1"]

    def test_an_ipv6_cluster(self, start_plane: StartPlane) -> None:
        plane = start_plane(ip_family="ipv6")
        found = plane.read(objects.reference(DISCOVERY, "EndpointSlice", "kubernetes", "default"))
        assert found["addressType"] == "IPv6"
        assert plane.endpoints() == ["2001:db8::1"]
        world = arrange_question(plane)
        assert (world.dns_ip, world.pod_range) == ("fd00:10:96::a", "fd00:10:244::/56")


class TestAudit:
    def test_writes_reads_and_dry_runs_are_told_apart(self, plane: ControlPlane, namespace: str) -> None:
        mark = plane.mark()
        obj = objects.config_map("noted", namespace, {"key": "value"})
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        plane.api("POST", path, obj, query={"dryRun": "All"})
        plane.api("GET", path)
        plane.api("POST", path, obj)
        events = plane.audit(mark, own=True)
        noted = [event for event in events if event.resource == "configmaps"]
        assert [(event.verb, event.code, event.dry_run, event.mutating, event.write) for event in noted] == [
            ("create", 201, True, True, False),
            ("list", 200, False, False, False),
            ("create", 201, False, True, True),
        ]
        assert {event.user for event in noted} == {"admin"}

    def test_refused_requests_are_on_record(self, plane: ControlPlane, namespace: str) -> None:
        client = Client.from_kubeconfig(plane.user_kubeconfig("nobody"))
        mark = plane.mark()
        with pytest.raises(ApiError, match="HTTP 403"):
            client.create(objects.config_map("refused", namespace, {}))
        (event,) = [event for event in plane.audit(mark, own=True) if event.user == "nobody"]
        assert (event.code, event.namespace, event.write) == (403, namespace, True)

    def test_reviews_are_no_writes(self, plane: ControlPlane) -> None:
        mark = plane.mark()
        review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
        plane.api("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        (event,) = [event for event in plane.audit(mark, own=True) if event.resource == "selfsubjectaccessreviews"]
        assert (event.mutating, event.write) == (True, False)

    def test_the_labs_own_requests_are_left_out(self, plane: ControlPlane) -> None:
        mark = plane.mark()
        plane.api("GET", "/api/v1/nodes")
        plane.api("GET", "/api/v1/nodes", headers={"User-Agent": "somebody"})
        assert [event.user_agent for event in plane.audit(mark)] == ["somebody"]

    def test_the_api_servers_own_work_is_not_on_record(self, plane: ControlPlane) -> None:
        assert "system:apiserver" not in {event.user for event in plane.audit(own=True)}


class TestAccess:
    def test_a_user_has_the_rights_granted_and_no_others(self, plane: ControlPlane, namespace: str) -> None:
        client = Client.from_kubeconfig(plane.user_kubeconfig("reader", ["auditors"]))
        with pytest.raises(ApiError, match=r"networkpolicies\.networking\.k8s\.io is forbidden") as refused:
            client.list("networking.k8s.io/v1", "NetworkPolicy", namespace)
        assert refused.value.status == 403
        plane.grant("reader", [objects.rule(["list"], ["networkpolicies"], NETWORKING)], namespace)
        assert wait_until(lambda: allowed(lambda: client.list("networking.k8s.io/v1", "NetworkPolicy", namespace)), 5)
        with pytest.raises(ApiError):
            client.list("v1", "Secret", namespace)

    def test_a_token_is_its_service_account(self, plane: ControlPlane, namespace: str) -> None:
        client = Client.from_kubeconfig(plane.token_kubeconfig("robot", namespace))
        answer = client.api("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
        assert answer["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:robot"

    def test_nobody_gets_in_without_credentials(self, plane: ControlPlane) -> None:
        nobody = Client(Address("127.0.0.1", plane.port), ssl.create_default_context(cadata=plane.authority.decode()))
        with pytest.raises(ApiError, match="HTTP 401"):
            nobody.api("GET", "/api/v1/namespaces")

    def test_certificates_pass_strict_verification(self, plane: ControlPlane) -> None:
        context = ssl.create_default_context(cadata=plane.authority.decode())
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        with (
            socket.create_connection(("127.0.0.1", plane.port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        ):
            assert secured.version() in {"TLSv1.2", "TLSv1.3"}

    def test_secrets_are_for_the_owner_only(self, plane: ControlPlane) -> None:
        secret = [plane.kubeconfig, *plane.folder.glob("*.key")]
        assert {path.stat().st_mode & 0o777 for path in secret} == {0o600}


class TestObjects:
    def test_a_pod_looks_as_if_it_ran(self, plane: ControlPlane, namespace: str) -> None:
        pod = plane.create(objects.pod("one", namespace, {"app": "x"}, ip="10.244.0.9"))
        assert (pod["status"]["phase"], pod["status"]["podIP"]) == ("Running", "10.244.0.9")

    def test_a_custom_resource_is_served_once_its_definition_is_there(self, start_plane: StartPlane) -> None:
        # On a plane of its own: to the other tests this would look like a cluster with Cilium.
        plane = start_plane()
        plane.create(objects.custom_resource_definition("cilium.io", "v2", "CiliumNetworkPolicy"))
        assert wait_until(lambda: allowed(lambda: plane.list("cilium.io/v2", "CiliumNetworkPolicy")), 10)

    def test_the_questions_world(self, start_plane: StartPlane) -> None:
        plane = start_plane()
        world = arrange_question(plane, policies=True)
        dns = plane.read(objects.reference("v1", "Service", "kube-dns", "kube-system"))
        assert dns["spec"]["clusterIP"] == world.dns_ip == "10.96.0.10"
        pods = {pod["metadata"]["name"]: pod for pod in plane.list("v1", "Pod")}
        assert set(pods) == {"ignite-0", "ignite-1", "some-pod", "another-pod", "coredns-0", "coredns-1"}
        addresses = [pod["status"]["podIP"] for pod in pods.values()]
        assert len(set(addresses)) == len(addresses)
        assert [pods[f"ignite-{number}"]["status"]["podIP"] for number in (0, 1)] == list(world.ignite_pods)
        slices = plane.list(DISCOVERY, "EndpointSlice", "kube-system")
        assert [[endpoint["addresses"][0] for endpoint in found["endpoints"]] for found in slices] == [
            list(world.dns_pods)
        ]
        policies = plane.list("networking.k8s.io/v1", "NetworkPolicy", world.namespace)
        assert {policy["metadata"]["name"] for policy in policies} == {
            policy["metadata"]["name"] for policy in ingress_only_policies()
        }
        managers = {entry["manager"] for policy in policies for entry in policy["metadata"]["managedFields"]}
        assert managers == {HAND}


class TestLife:
    def test_stop_leaves_no_process_and_no_folder(self, start_plane: StartPlane) -> None:
        plane = start_plane()
        pids, folder = [identity.pid for identity in plane.processes.values()], plane.folder
        assert len(pids) == 2
        plane.stop()
        assert all_gone(pids)
        assert not folder.exists()
        plane.stop()

    def test_processes_die_with_a_killed_owner_and_the_next_start_cleans_up(self) -> None:
        program = (
            "import time\nfrom lab.control_plane import ControlPlane\n"
            "plane = ControlPlane().start()\n"
            "print(plane.folder, *(identity.pid for identity in plane.processes.values()), flush=True)\n"
            "time.sleep(60)\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        ) as owner:
            assert owner.stdout is not None
            folder, *pids = owner.stdout.readline().split()
            owner.kill()
        assert pids
        assert all_gone(int(pid) for pid in pids)
        assert Path(folder).exists()
        remove_abandoned()
        assert not Path(folder).exists()

    def test_a_living_owners_folder_is_not_abandoned(self, plane: ControlPlane) -> None:
        remove_abandoned()
        assert plane.kubeconfig.exists()

    def test_the_lifetime_ends_it(self, start_plane: StartPlane) -> None:
        plane = start_plane(lifetime=0.5)
        pids = [identity.pid for identity in plane.processes.values()]
        assert all_gone(pids)
        with pytest.raises(LabError, match=r"lifetime of 0\.5 s is over"):
            plane.api("GET", "/version")

    def test_a_lost_race_for_a_port_is_tried_again(
        self, start_plane: StartPlane, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        choose: Callable[..., Ports] = Ports.choose
        tries: list[Ports] = []
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            taken = other.getsockname()[1]

            def lose_at_first(settings: t.Any) -> Ports:
                free = choose(settings)
                lost = [Ports(taken, free.etcd, free.etcd_peer), Ports(free.api, taken, free.etcd_peer)]
                tries.append(lost[len(tries)] if len(tries) < len(lost) else free)
                return tries[-1]

            monkeypatch.setattr(Ports, "choose", lose_at_first)
            plane = start_plane()
        assert len(tries) == 3
        assert plane.port == tries[-1].api

    def test_a_failed_start_says_why_and_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: t.Any
    ) -> None:
        broken = tmp_path / "kube-apiserver"
        broken.write_text("#!/bin/sh\necho the flags are wrong\nexit 3\n")
        broken.chmod(0o755)
        (tmp_path / "etcd").symlink_to(programs.etcd)
        monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
        folder = tmp_path / "run"
        plane = ControlPlane(folder=folder)
        with pytest.raises(LabError, match="kube-apiserver-0 ended with code 3\nthe flags are wrong"):
            plane.start()
        assert not folder.exists()
        assert plane.processes == {}

    def test_options_are_checked(self) -> None:
        with pytest.raises(LabError, match="one or two API servers"):
            ControlPlane(servers=3)


def allowed(request: Callable[[], object]) -> bool:
    try:
        request()
    except ApiError:
        return False
    return True


def test_a_running_server_is_not_started_twice(plane: ControlPlane) -> None:
    with pytest.raises(LabError, match="kube-apiserver-0 is running"):
        plane.start_server(0)


def test_signals_reach_only_the_process_that_was_meant(plane: ControlPlane) -> None:
    identity = plane.processes["etcd"]
    reused = type(identity)(identity.pid, identity.started + 1)
    reused.signal(signal.SIGKILL)
    assert plane.api("GET", "/readyz")
    assert not reused.alive
