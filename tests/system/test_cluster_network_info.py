# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module cluster_network_info against real API servers, also where they hold what no healthy cluster holds."""

from __future__ import annotations

import copy
import json
import typing as t
from collections.abc import Iterator

import pytest
import yaml
from harness import Modules, Outcome, require_documented

from ansible_collections.netguard.lockdown.plugins.modules.cluster_network_info import RETURN
from lab import objects
from lab.client import APPLY_PATCH
from lab.control_plane import ControlPlane
from lab.errors import ApiError
from lab.processes import wait_until
from lab.question import CLIENT_NAMESPACE, IGNITE_NAMESPACE, arrange_question

Json = dict[str, t.Any]

DISCOVERY = "discovery.k8s.io/v1"
NETWORKING = "networking.k8s.io/v1"
HTTPS = [{"name": "https", "protocol": "TCP", "port": 6443}]
NODE_ADDRESSES = ["192.0.2.17", "192.0.2.18"]
PLACES_THAT_MAY_BE_NULL = {
    "dns.forwards_outside",
    "dns.namespace",
    "dns.pod_selector",
    "api_server.entity",
    "engine.enforces",
    "engine.cidr_matches_nodes",
    "engine.cidr_matches_pods",
    "dns",
    "dns.service",
    "failure.object",
}


class World:
    """A question world; what a test adds or changes is taken back when it ends."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.modules = Modules(plane.kubeconfig)
        self._undo: list[t.Callable[[], None]] = []

    def run(self, *, check: bool = False, **options: t.Any) -> Outcome:
        return self.modules.run("cluster_network_info", options, check=check)

    def add(self, obj: Json) -> Json:
        self.forget_later(obj)
        return self.plane.create(obj)

    def forget_later(self, obj: Json) -> None:
        self._undo.append(lambda: self.plane.delete(obj) if self.plane.exists(obj) else None)

    def remove(self, obj: Json) -> None:
        self._remember(self.plane.read(obj))
        self.plane.delete(obj)

    def change(self, obj: Json, change: t.Callable[[Json], None]) -> None:
        live = self.plane.read(obj)
        self._remember(live)
        edited = copy.deepcopy(live)
        change(edited)
        self.plane.replace(edited)

    def restore(self) -> None:
        while self._undo:
            self._undo.pop()()

    def _remember(self, live: Json) -> None:
        before = copy.deepcopy(live)
        for field in ("resourceVersion", "uid"):
            before["metadata"].pop(field)
        self._undo.append(lambda: self._put_back(before))

    def _put_back(self, before: Json) -> None:
        write = self.plane.replace if self.plane.exists(before) else self.plane.create
        write(before)

    def api_slice(self, *addresses: str, name: str = "kubernetes", **fields: t.Any) -> Json:
        """A slice of the API server's Service, as kube-apiserver writes it: without a controller's mark."""
        given: Json = {"service": "kubernetes", "addresses": addresses, "ports": HTTPS, **fields}
        made = objects.endpoint_slice(name, "default", **given)
        del made["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"]
        return self.add(made)

    def api_groups(self) -> set[str]:
        return {group["name"] for group in self.plane.api("GET", "/apis")["groups"]}


def ref(kind: str, name: str, namespace: str = "kube-system") -> Json:
    return objects.reference(DISCOVERY if kind == "EndpointSlice" else "v1", kind, name, namespace)


@pytest.fixture(scope="module")
def usual() -> Iterator[ControlPlane]:
    """The question's world, with the slice that kube-apiserver keeps."""
    with ControlPlane() as plane:
        arrange_question(plane)
        yield plane


@pytest.fixture(scope="module")
def bare() -> Iterator[ControlPlane]:
    """The question's world without a slice of the API server: each test makes its own."""
    with ControlPlane(endpoint_reconciler="none") as plane:
        arrange_question(plane)
        yield plane


@pytest.fixture
def world(usual: ControlPlane) -> Iterator[World]:
    made = World(usual)
    yield made
    made.restore()


@pytest.fixture
def hand(bare: ControlPlane) -> Iterator[World]:
    made = World(bare)
    yield made
    made.restore()


def endpoint_blocks(outcome: Outcome) -> list[str]:
    listed = outcome["api_server"]["targets"]
    return [cidr for target in listed if target["via"] == "endpoints" for cidr in target["cidrs"]]


def warnings(outcome: Outcome) -> str:
    """All warnings as one text; their form differs between versions of ansible-core."""
    return json.dumps(outcome["warnings"])


class TestResult:
    def test_the_questions_cluster(self, world: World) -> None:
        found = world.run()
        port = int(world.plane.urls[0].rpartition(":")[2])
        assert found["changed"] is False
        assert found["cluster"]["uid"] == world.plane.kube_system_uid
        assert found["cluster"]["server_version"].startswith("v1.")
        assert found["cluster"]["pod_cidrs"] == ["10.244.0.0/23"]
        assert found["api_server"]["targets"] == [
            {"via": "endpoints", "protocol": "TCP", "port": port, "cidrs": ["192.0.2.1/32"]},
            {"via": "service", "protocol": "TCP", "port": 443, "cidrs": ["10.96.0.1/32"]},
        ]
        assert found["dns"]["namespace"] == "kube-system"
        assert found["dns"]["pod_selector"] == {"matchLabels": {"k8s-app": "kube-dns"}}
        assert found["dns"]["ports"] == [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
        assert found["dns"]["found_by"] == "cluster_configuration"
        assert found["dns"]["over_match"] == {"count": 0, "pods": []}
        assert (found["engine"]["name"], found["engine"]["confidence"]) == ("unknown", "none")
        assert found["engine"]["evidence"] == []

    def test_every_source_is_the_object_as_it_stands(self, world: World) -> None:
        found = world.run()
        for part in ("cluster", "api_server", "dns"):
            for source in found[part]["sources"]:
                live = world.plane.read(
                    objects.reference(source["api_version"], source["kind"], source["name"], source["namespace"])
                )
                assert live["metadata"]["uid"] == source["uid"]
                assert live["metadata"]["resourceVersion"] == source["resource_version"]

    @pytest.mark.parametrize("check", [False, True])
    def test_nine_requests_none_of_them_a_write(self, world: World, check: bool) -> None:
        mark = world.plane.mark()
        assert not world.run(check=check).failed
        asked = world.plane.audit(mark)
        assert not [str(event) for event in asked if event.mutating]
        assert len(asked) <= 9, "\n".join(map(str, asked))

    def test_a_run_without_dns_asks_less_and_only_where_it_must(self, world: World) -> None:
        mark = world.plane.mark()
        assert world.run(resolve_dns=False)["dns"] is None
        asked = world.plane.audit(mark)
        assert len(asked) <= 7
        assert {event.namespace for event in asked if event.resource == "endpointslices"} == {"default"}
        assert not [event for event in asked if event.resource == "pods"]

    def test_the_pin_is_checked_before_anything_else_is_read(self, world: World) -> None:
        assert not world.run(cluster_uid=world.plane.kube_system_uid).failed
        mark = world.plane.mark()
        failure = world.run(cluster_uid="00000000-0000-0000-0000-000000000000").failure
        assert failure["code"] == "wrong_cluster"
        assert world.plane.kube_system_uid in failure["why"]
        assert [event.resource for event in world.plane.audit(mark)] == ["namespaces"]

    @pytest.mark.parametrize(
        "options",
        [
            {"allowed_api_cidrs": ["192.0.2.0/33"]},
            {"api_server_addresses": ["api.example.com"]},
            {"api_server_addresses": [{"address": "192.0.2.1", "port": 70000}]},
            {"grace_seconds": 60},
            {"grace_seconds": 60, "namespace": IGNITE_NAMESPACE, "instance": "Not A Name"},
            {"dns": {"namespace": "kube-system", "pod_selector": {"matchLabels": {"a": "b"}}, "ports": []}},
            {"dns": {"namespace": "../..", "service": "kube-dns"}},
        ],
    )
    def test_a_bad_option_is_an_error_before_any_request(self, world: World, options: Json) -> None:
        mark = world.plane.mark()
        assert world.run(**options).failure["code"].startswith("invalid_")
        assert world.plane.audit(mark) == []


class TestDocumentation:
    """RETURN promises exactly the keys that come, everywhere."""

    def test_a_rich_result_has_the_documented_shape(self, hand: World) -> None:
        slice_ = hand.api_slice("172.30.0.2", "172.30.0.3")
        hand.change(slice_, lambda live: live["endpoints"][1].update(conditions={"ready": False}))
        remember(hand, seen="172.30.0.2:6443,172.30.0.4:6443")
        container = {"name": "main", "image": objects.IMAGE}
        told = {**container, "env": [{"name": "KUBERNETES_SERVICE_HOST", "value": "api.example.com"}]}
        hand.add(objects.pod("spy", "kube-system", {"k8s-app": "kube-dns"}, spec={"containers": [told]}))
        found = hand.run(grace_seconds=3600, namespace=IGNITE_NAMESPACE, instance="ignite")
        assert found["api_server"]["not_ready"]
        assert found["api_server"]["kept"]
        assert found["api_server"]["foreign_hosts"] == [{"host": "api.example.com", "pods": ["kube-system/spy"]}]
        assert "api_server_addresses" in warnings(found)
        assert found["dns"]["over_match"] == {"count": 1, "pods": ["spy"]}
        self.compare(found.result, without=["failure"])

    def test_a_poor_result_has_it_too(self, hand: World) -> None:
        hand.api_slice("172.30.0.2")
        self.compare(hand.run(resolve_dns=False).result, without=["failure"])

    def test_a_failure_has_it(self, hand: World) -> None:
        failed = hand.run()
        assert failed.failed
        assert failed.result["msg"]
        self.compare(failed.result, without=["cluster", "api_server", "dns", "engine"])

    def compare(self, result: Json, without: list[str]) -> None:
        require_documented(result, RETURN, without, PLACES_THAT_MAY_BE_NULL)


class TestApiServer:
    def test_two_servers_are_two_blocks_and_one_goes_with_its_server(self, two_servers: ControlPlane) -> None:
        two_servers.wait_endpoints(["192.0.2.1", "192.0.2.2"])
        modules = Modules(two_servers.kubeconfig)
        options = {"resolve_dns": False}
        found = modules.run("cluster_network_info", options)
        assert endpoint_blocks(found) == ["192.0.2.1/32", "192.0.2.2/32"]
        two_servers.stop_server(1)
        two_servers.wait_endpoints(["192.0.2.1"], seconds=5)
        assert endpoint_blocks(modules.run("cluster_network_info", options)) == ["192.0.2.1/32"]
        two_servers.start_server(1)

    def test_ipv6_is_128_bits(self) -> None:
        with ControlPlane(ip_family="ipv6") as plane:
            arrange_question(plane)
            found = Modules(plane.kubeconfig).run("cluster_network_info", {"form": "both"})
            assert [target["cidrs"] for target in found["api_server"]["targets"]] == [
                ["2001:db8::1/128"],
                ["fd00:10:96::1/128"],
            ]
            assert found["dns"]["service"]["cluster_ips"] == ["fd00:10:96::a"]

    def test_the_real_slice_carries_no_mark_of_a_controller(self, world: World) -> None:
        live = world.plane.read(ref("EndpointSlice", "kubernetes", "default"))
        assert live["metadata"]["labels"] == {"kubernetes.io/service-name": "kubernetes"}
        assert "ownerReferences" not in live["metadata"]

    def test_an_emptied_slice_is_an_error(self, hand: World) -> None:
        slice_ = hand.api_slice("172.30.0.2")
        assert endpoint_blocks(hand.run()) == ["172.30.0.2/32"]
        hand.change(slice_, lambda live: live.update(endpoints=[]))
        failure = hand.run().failure
        assert failure["code"] == "api_no_ready_endpoint"
        assert failure["object"] == {"kind": "EndpointSlice", "namespace": "default", "name": "kubernetes"}

    def test_an_emptied_slice_is_an_error_in_spite_of_grace(self, hand: World) -> None:
        slice_ = hand.api_slice("172.30.0.2")
        remember(hand, seen="172.30.0.2:6443")
        hand.change(slice_, lambda live: live.update(endpoints=[]))
        failure = hand.run(grace_seconds=3600, namespace=IGNITE_NAMESPACE, instance="ignite").failure
        assert failure["code"] == "api_no_ready_endpoint"

    def test_an_endpoint_that_is_not_ready_is_left_out_and_reported(self, hand: World) -> None:
        slice_ = hand.api_slice("172.30.0.2", "172.30.0.3")
        hand.change(slice_, lambda live: live["endpoints"][1].update(conditions={"ready": False}))
        found = hand.run()
        assert endpoint_blocks(found) == ["172.30.0.2/32"]
        assert found["api_server"]["not_ready"] == [{"address": "172.30.0.3", "port": 6443}]

    def test_a_planted_slice_is_refused_until_the_user_lists_it(self, hand: World) -> None:
        hand.api_slice("172.30.0.2")
        hand.api_slice("203.0.113.10", name="planted")
        failure = hand.run().failure
        assert failure["code"] == "untrusted_endpoint_slice"
        assert failure["object"]["name"] == "planted"
        assert endpoint_blocks(hand.run(extra_api_slices=["planted"])) == ["172.30.0.2/32", "203.0.113.10/32"]

    def test_a_slice_beside_kube_apiservers_own_is_refused(self, world: World) -> None:
        world.api_slice("203.0.113.10", name="planted")
        assert world.run().failure["code"] == "untrusted_endpoint_slice"

    def test_a_vanished_slice_leaves_the_endpoints_object(self, hand: World) -> None:
        assert hand.run().failure["code"] == "api_endpoints_missing"
        ports = [{"name": "https", "port": 6443, "protocol": "TCP"}]
        endpoints = objects.reference("v1", "Endpoints", "kubernetes", "default")
        hand.add({**endpoints, "subsets": [{"addresses": [{"ip": "172.30.0.2"}], "ports": ports}]})
        found = hand.run()
        assert found["api_server"]["endpoints"] == [
            {"address": "172.30.0.2", "port": 6443, "cidr": "172.30.0.2/32", "origin": "endpoints"}
        ]

    @pytest.mark.parametrize(
        ("address", "reason"),
        [("10.244.1.7", "pod_range"), ("10.96.0.1", "service_range"), ("203.0.113.1", "outside_fence")],
    )
    def test_an_address_that_can_be_no_api_server_is_refused(self, hand: World, address: str, reason: str) -> None:
        hand.api_slice(address)
        failure = hand.run(allowed_api_cidrs=["172.30.0.0/24"]).failure
        assert (failure["code"], failure["details"]["reason"]) == ("api_endpoint_refused", reason)

    def test_a_metadata_address_is_refused(self, hand: World) -> None:
        # The API server takes no link-local endpoint, so the user's word has to bring one in.
        hand.api_slice("172.30.0.2")
        with pytest.raises(ApiError):
            hand.api_slice("169.254.169.254", name="metadata")
        failure = hand.run(api_server_addresses=["169.254.169.254"]).failure
        assert failure["details"]["reason"] == "metadata_or_link_local"

    def test_a_slice_of_names_asks_for_the_users_answer(self, hand: World) -> None:
        hand.api_slice("api.example.com", address_type="FQDN")
        failure = hand.run().failure
        assert failure["code"] == "api_fqdn_endpoint"
        assert "api_server_addresses" in failure["next_step"]
        found = hand.run(api_server_addresses=["198.51.100.7"])
        assert endpoint_blocks(found) == ["198.51.100.7/32"]

    def test_several_ports_need_one_named_https(self, hand: World) -> None:
        slice_ = hand.api_slice("172.30.0.2", ports=[{"name": "other", "protocol": "TCP", "port": 1}, *HTTPS])
        assert hand.run()["api_server"]["targets"][0]["port"] == 6443
        hand.change(slice_, lambda live: live["ports"][1].update(name="secure"))
        assert hand.run().failure["code"] == "api_port_unclear"

    def test_without_pod_ranges_of_nodes_kubeadms_configuration_is_read(self, hand: World) -> None:
        hand.api_slice("10.244.200.7")
        assert endpoint_blocks(hand.run()) == ["10.244.200.7/32"]
        for name in ("node-1", "node-2"):
            hand.remove(ref("Node", name, ""))
        failure = hand.run().failure
        assert failure["details"]["reason"] == "pod_range"
        hand.remove(ref("ConfigMap", "kubeadm-config"))
        found = hand.run()
        assert found["cluster"]["pod_cidrs"] == []
        assert "pod range" in warnings(found)


def remember(world: World, *, seen: str, kept: str = "") -> Json:
    """Apply an allow policy that remembers, as this collection does."""
    names = ("api-endpoints", seen), ("kept-endpoints", kept)
    policy = objects.network_policy(
        "netguard-ignite-allow-server",
        IGNITE_NAMESPACE,
        {"podSelector": {"matchLabels": {"app": "ignite"}}, "policyTypes": ["Egress"]},
        {"app.kubernetes.io/managed-by": "netguard.lockdown", "app.kubernetes.io/instance": "ignite"},
    )
    annotations = {f"lockdown.netguard.io/{name}": text for name, text in names if text}
    policy["metadata"]["annotations"] = annotations
    world.forget_later(policy)
    path = f"/apis/{NETWORKING}/namespaces/{IGNITE_NAMESPACE}/networkpolicies/{policy['metadata']['name']}"
    query = {"fieldManager": "netguard.lockdown", "force": "true"}
    return world.plane.api("PATCH", path, policy, query=query, content_type=APPLY_PATCH)


class TestGrace:
    OPTIONS: t.ClassVar[Json] = {"grace_seconds": 3600, "namespace": IGNITE_NAMESPACE, "instance": "ignite"}

    def test_a_vanished_address_stays_with_the_time_when_it_was_first_missed(self, hand: World) -> None:
        hand.api_slice("172.30.0.2")
        remember(hand, seen="172.30.0.2:6443,172.30.0.3:6443")
        mark = hand.plane.mark()
        first = hand.run(**self.OPTIONS)
        assert len(hand.plane.audit(mark)) <= 10
        assert endpoint_blocks(first) == ["172.30.0.2/32", "172.30.0.3/32"]
        (kept,) = first["api_server"]["kept"]
        remember(hand, seen="172.30.0.2:6443,172.30.0.3:6443", kept=f"172.30.0.3:6443={kept['vanished_at']}")
        again = hand.run(**self.OPTIONS)
        assert again["api_server"] == first["api_server"]
        assert hand.run()["api_server"]["kept"] == []

    def test_it_goes_when_the_grace_is_over(self, hand: World) -> None:
        hand.api_slice("172.30.0.2")
        remember(hand, seen="172.30.0.2:6443,172.30.0.3:6443", kept="172.30.0.3:6443=2026-01-01T00:00:00Z")
        assert endpoint_blocks(hand.run(**self.OPTIONS)) == ["172.30.0.2/32"]

    def test_a_memory_that_was_edited_by_hand_is_none(self, hand: World) -> None:
        hand.api_slice("172.30.0.2")
        policy = remember(hand, seen="172.30.0.2:6443")
        forged = {"lockdown.netguard.io/api-endpoints": "172.30.0.2:6443,203.0.113.10:6443"}
        hand.plane.patch(policy, {"metadata": {"annotations": forged}}, field_manager="kubectl-annotate")
        assert endpoint_blocks(hand.run(**self.OPTIONS)) == ["172.30.0.2/32"]

    def test_another_instance_remembers_nothing(self, hand: World) -> None:
        hand.api_slice("172.30.0.2")
        remember(hand, seen="172.30.0.2:6443,172.30.0.3:6443")
        assert hand.run(**{**self.OPTIONS, "instance": "other"})["api_server"]["kept"] == []

    def test_a_namespace_that_is_not_there_remembers_nothing(self, hand: World) -> None:
        hand.api_slice("172.30.0.2")
        assert hand.run(**{**self.OPTIONS, "namespace": "nowhere"})["api_server"]["kept"] == []


class TestDns:
    KUBELET = ref("ConfigMap", "kubelet-config")
    KUBE_DNS = ref("Service", "kube-dns")
    SLICE = ref("EndpointSlice", "kube-dns-lab01")

    @staticmethod
    def set_cluster_dns(*addresses: str) -> t.Callable[[Json], None]:
        return lambda live: live["data"].update(kubelet=yaml.safe_dump({"clusterDNS": list(addresses)}))

    def second_service(self, world: World, name: str = "coredns", ip: str = "10.96.0.11") -> Json:
        ports = world.plane.read(self.KUBE_DNS)["spec"]["ports"]
        return world.add(objects.service(name, "kube-system", selector={"app": name}, ports=ports, cluster_ip=ip))

    def second_backend(self, world: World, service: str = "coredns") -> None:
        live = world.plane.read(self.SLICE)
        world.add(objects.pod(f"{service}-9", "kube-system", {"app": service}, ip="10.244.1.9"))
        world.add(
            objects.endpoint_slice(
                f"{service}-lab01",
                "kube-system",
                service=service,
                addresses=["10.244.1.9"],
                pods=[f"{service}-9"],
                ports=live["ports"],
            )
        )

    def test_target_ports_are_those_of_the_pods(self, world: World) -> None:
        def openshift(live: Json) -> None:
            for port in live["ports"][:2]:
                port["port"] = 5353

        world.change(self.SLICE, openshift)
        assert world.run()["dns"]["ports"] == [{"protocol": "UDP", "port": 5353}, {"protocol": "TCP", "port": 5353}]

    def test_without_a_configuration_the_well_known_name_is_taken(self, world: World) -> None:
        world.remove(self.KUBELET)
        mark = world.plane.mark()
        assert world.run()["dns"]["found_by"] == "well_known"
        assert len(world.plane.audit(mark)) <= 9

    def test_two_well_known_services_with_backends_are_an_error_that_the_user_answers(self, world: World) -> None:
        world.remove(self.KUBELET)
        self.second_service(world)
        assert world.run()["dns"]["service"]["name"] == "kube-dns"
        self.second_backend(world)
        failure = world.run().failure
        assert failure["code"] == "dns_ambiguous"
        assert failure["details"]["services"] == ["kube-system/kube-dns", "kube-system/coredns"]
        found = world.run(dns={"namespace": "kube-system", "service": "coredns"})
        assert found["dns"]["pod_selector"] == {"matchLabels": {"app": "coredns"}}
        assert found["dns"]["found_by"] == "user"

    def test_a_configuration_that_names_two_services_is_an_error(self, world: World) -> None:
        self.second_service(world)
        world.change(self.KUBELET, self.set_cluster_dns("10.96.0.10", "10.96.0.11"))
        assert world.run().failure["code"] == "dns_ambiguous"

    def test_a_cache_on_every_node_is_an_error_that_the_user_answers(self, world: World) -> None:
        world.change(self.KUBELET, self.set_cluster_dns("169.254.20.10"))
        failure = world.run().failure
        assert failure["code"] == "dns_node_local"
        assert "option dns" in failure["next_step"]
        answer = {"namespace": "kube-system", "service": "kube-dns", "addresses": ["169.254.20.10"]}
        found = world.run(dns=answer)["dns"]
        assert found["ports"]
        assert [each["cidr"] for each in found["addresses"]] == ["169.254.20.10/32"]

    def test_an_address_without_a_service_is_an_error(self, world: World) -> None:
        world.change(self.KUBELET, self.set_cluster_dns("10.96.0.99"))
        assert world.run().failure["code"] == "dns_not_a_service"

    def test_a_configuration_that_is_no_yaml_is_an_error(self, world: World) -> None:
        world.change(self.KUBELET, lambda live: live["data"].update(kubelet="{"))
        assert world.run().failure["code"] == "unreadable_configuration"

    def test_no_service_at_all_is_an_error(self, world: World) -> None:
        world.remove(self.KUBELET)
        world.remove(self.KUBE_DNS)
        failure = world.run().failure
        assert failure["code"] == "dns_service_missing"
        assert "kube-system/kube-dns" in failure["why"]
        assert not world.run(resolve_dns=False).failed

    def test_no_ready_backend_is_an_error(self, world: World) -> None:
        def unready(live: Json) -> None:
            for endpoint in live["endpoints"]:
                endpoint["conditions"] = {"ready": False}

        world.change(self.SLICE, unready)
        failure = world.run().failure
        assert failure["code"] == "dns_not_ready"
        assert "kube-system/kube-dns" in failure["what"]

    def test_pods_that_match_and_do_not_answer_are_counted(self, world: World) -> None:
        labels = {"k8s-app": "kube-dns"}
        world.add(objects.pod("spy", "kube-system", labels, ip="10.244.1.66"))
        world.add(objects.pod("finished", "kube-system", labels, phase="Succeeded"))
        world.add(objects.pod("elsewhere", CLIENT_NAMESPACE, labels, ip="10.244.1.67"))
        found = world.run()
        assert found["dns"]["over_match"] == {"count": 1, "pods": ["spy"]}
        assert "spy" in warnings(found)

    def test_the_user_may_give_pods_and_ports(self, world: World) -> None:
        labels = {"app": "unbound"}
        word = {
            "namespace": CLIENT_NAMESPACE,
            "pod_selector": {"matchLabels": labels},
            "ports": [{"protocol": "UDP", "port": 5353}, {"protocol": "TCP", "port": 5353}],
        }
        assert world.run(dns=word).failure["code"] == "dns_not_ready"
        world.add(objects.pod("unbound-0", CLIENT_NAMESPACE, labels, ip="10.244.1.53"))
        found = world.run(dns=word)
        assert found["dns"]["namespace"] == CLIENT_NAMESPACE
        assert found["dns"]["ports"] == word["ports"]
        assert found["dns"]["backends"] == [{"name": "unbound-0", "address": "10.244.1.53", "ready": True}]

    @pytest.mark.parametrize(
        ("word", "said"),
        [
            ({"service": "kube-dns"}, "namespace"),
            ({"namespace": "kube-system"}, "service"),
            ({"namespace": "kube-system", "service": "a", "pod_selector": {"matchLabels": {"a": "b"}}}, "exclusive"),
            ({"namespace": "kube-system", "pod_selector": {"matchLabels": {"a": "b"}}}, "ports"),
        ],
    )
    def test_half_a_word_is_an_error(self, world: World, word: Json, said: str) -> None:
        outcome = world.run(dns=word)
        assert outcome.failed
        assert said in outcome.result["msg"]

    def test_a_service_without_selector_is_an_error(self, world: World) -> None:
        ports = world.plane.read(self.KUBE_DNS)["spec"]["ports"]
        world.add(objects.service("outside", "kube-system", ports=ports, cluster_ip="10.96.0.12"))
        failure = world.run(dns={"namespace": "kube-system", "service": "outside"}).failure
        assert failure["code"] == "dns_no_selector"

    def test_a_name_server_that_is_the_services_second_address_is_found(self) -> None:
        with ControlPlane(ip_family="dual") as plane:
            arrange_question(plane)
            world = World(plane)
            spec = {"ipFamilyPolicy": "RequireDualStack"}
            plane.patch(self.KUBE_DNS, {"spec": spec})
            second = plane.read(self.KUBE_DNS)["spec"]["clusterIPs"][1]
            world.change(self.KUBELET, self.set_cluster_dns(second, "10.96.0.10"))
            found = world.run()
            assert found["dns"]["service"]["cluster_ips"] == ["10.96.0.10", second]


@pytest.fixture(scope="class")
def cilium(usual: ControlPlane) -> Iterator[None]:
    """Its CRDs, which is what shows it."""
    world = World(usual)
    world.add(objects.custom_resource_definition("cilium.io", "v2", "CiliumNetworkPolicy"))
    assert wait_until(lambda: "cilium.io" in world.api_groups(), 20)
    yield
    world.restore()


@pytest.mark.usefixtures("cilium")
class TestCilium:
    """Its CRDs make `auto` careful: an ipBlock matches no node there."""

    def api_server_on_a_node(self, world: World) -> None:
        world.add(objects.node("control-plane", address="192.0.2.1"))

    def test_endpoints_apart_from_nodes_are_certain(self, world: World) -> None:
        found = world.run()
        assert found["engine"]["name"] == "cilium"
        assert found["api_server"]["form"] == "endpoints"
        assert [target["via"] for target in found["api_server"]["targets"]] == ["endpoints"]

    def test_an_endpoint_on_a_node_is_not_and_the_mode_cures_it(self, world: World) -> None:
        self.api_server_on_a_node(world)
        failure = world.run().failure
        assert failure["code"] == "form_uncertain"
        assert "policy-cidr-match-mode" in failure["next_step"]
        world.add(objects.config_map("cilium-config", "kube-system", {"policy-cidr-match-mode": "nodes"}))
        found = world.run()
        assert found["api_server"]["form"] == "endpoints"
        assert "cilium-config" in [source["name"] for source in found["api_server"]["sources"]]

    def test_the_users_form_is_taken_with_a_warning(self, world: World) -> None:
        self.api_server_on_a_node(world)
        found = world.run(form="endpoints")
        assert found["api_server"]["form_requested"] == "endpoints"
        assert "cilium matches no Node" in warnings(found)
