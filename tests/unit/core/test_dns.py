# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS: which Service it is, which pods answer, on which ports."""

from __future__ import annotations

import typing as t

import pytest
from builders import (
    DNS_SLICE_PORTS,
    Json,
    cilium,
    daemon_set,
    detect,
    dns_service,
    dns_slice,
    ip,
    kubelet_config,
    obj,
    pod,
    pod_address,
)
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netguard.lockdown.plugins.module_utils._core import corefile, dns, dns_cache
from ansible_collections.netguard.lockdown.plugins.module_utils._core import dns_service as services
from ansible_collections.netguard.lockdown.plugins.module_utils._core.dns_service import Candidates, UserDns
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError


def code(error: pytest.ExceptionInfo[LockdownError]) -> str:
    return error.value.code


def resolved(slices: t.Sequence[Json], pods: t.Sequence[Json], service: Json | None = None) -> dns.Dns:
    candidates = Candidates("user", (services.candidate(service or dns_service()),))
    return dns.resolve(dns.choose(candidates, slices), pods)


class TestWhichService:
    def test_the_kubelets_name_server_is_the_services_cluster_ip(self) -> None:
        config = kubelet_config("10.96.0.10")
        assert services.cluster_dns(config) == (ip("10.96.0.10"),)
        found = services.by_configuration({ip("10.96.0.10"): dns_service()}, config)
        assert found
        assert [candidate.name for candidate in found.services] == ["kube-dns"]
        assert found.found_by == "cluster_configuration"
        assert [source.name for source in found.sources] == ["kubelet-config"]

    def test_two_addresses_of_one_service_are_one_service(self) -> None:
        dual = dns_service(clusterIPs=["10.96.0.10", "fd00::a"])
        assert services.with_cluster_ip(ip("fd00::a"), [dns_service("other", clusterIPs=["10.96.0.9"]), dual]) is dual
        found = services.by_configuration(
            {ip("10.96.0.10"): dual, ip("fd00::a"): dual}, kubelet_config("10.96.0.10", "fd00::a")
        )
        assert found
        assert len(found.services) == 1

    def test_a_cluster_ip_in_another_spelling_is_the_same(self) -> None:
        service = dns_service(clusterIP="fd00:0::a", clusterIPs=["fd00:0::a"])
        assert services.with_cluster_ip(ip("fd00::a"), [service]) is service

    def test_two_services_are_an_error_that_names_them(self) -> None:
        found = {ip("10.96.0.10"): dns_service(), ip("10.96.0.11"): dns_service("other")}
        with pytest.raises(LockdownError) as error:
            services.by_configuration(found, kubelet_config("10.96.0.10", "10.96.0.11"))
        assert code(error) == "dns_ambiguous"
        assert error.value.details["services"] == ["kube-system/kube-dns", "kube-system/other"]
        assert "option dns" in error.value.next_step

    @pytest.mark.parametrize(
        ("address", "expected"), [("169.254.20.10", "dns_node_local"), ("10.9.9.9", "dns_not_a_service")]
    )
    def test_an_address_that_no_service_has_is_an_error(self, address: str, expected: str) -> None:
        with pytest.raises(LockdownError) as error:
            services.by_configuration({ip(address): None}, kubelet_config(address))
        assert code(error) == expected
        assert address in str(error.value)

    def test_a_second_address_without_a_service_is_an_error_too(self) -> None:
        found = {ip("10.96.0.10"): dns_service(), ip("169.254.20.10"): None}
        with pytest.raises(LockdownError) as error:
            services.by_configuration(found, kubelet_config("10.96.0.10", "169.254.20.10"))
        assert code(error) == "dns_node_local"

    @pytest.mark.parametrize("text", ["{clusterDNS: 10.96.0.10}", "- a", "{", "clusterDNS: {a: b}"])
    def test_a_configuration_that_cannot_be_read_is_an_error(self, text: str) -> None:
        config = obj("ConfigMap", "kubelet-config", "kube-system", data={"kubelet": text})
        with pytest.raises(LockdownError) as error:
            services.cluster_dns(config)
        assert code(error) == "unreadable_configuration"
        assert "kube-system/kubelet-config" in str(error.value)

    def test_an_address_that_is_none_is_an_error(self) -> None:
        with pytest.raises(LockdownError) as error:
            services.cluster_dns(kubelet_config("10.96.0.10 or so"))
        assert code(error) == "invalid_address"

    @pytest.mark.parametrize("data", [{}, {"kubelet": ""}, {"kubelet": "kind: KubeletConfiguration"}])
    def test_a_configuration_without_name_servers_says_nothing(self, data: Json) -> None:
        assert services.cluster_dns(obj("ConfigMap", "kubelet-config", "kube-system", data=data)) == ()

    @pytest.mark.parametrize(("namespace", "name"), services.WELL_KNOWN)
    def test_well_known_names_are_found(self, namespace: str, name: str) -> None:
        others = [dns_service("kube-dns", "elsewhere"), dns_service("dns", "kube-system")]
        found = services.by_name([*others, dns_service(name, namespace)])
        assert [(each.namespace, each.name) for each in found.services] == [(namespace, name)]

    def test_a_metrics_service_of_a_well_known_name_is_not_dns(self) -> None:
        metrics = dns_service("coredns", ports=[{"name": "metrics", "protocol": "TCP", "port": 9153}])
        headless = dns_service("rke2-coredns-rke2-coredns", clusterIP="None", clusterIPs=["None"])
        found = services.by_name([metrics, headless, dns_service()])
        assert [each.name for each in found.services] == ["kube-dns"]

    def test_no_well_known_service_is_an_error(self) -> None:
        with pytest.raises(LockdownError) as error:
            services.by_name([dns_service("other")])
        assert code(error) == "dns_service_missing"
        assert "kube-system/kube-dns" in str(error.value)

    def test_two_ready_well_known_services_are_an_error(self) -> None:
        found = services.by_name([dns_service(), dns_service("coredns")])
        with pytest.raises(LockdownError) as error:
            dns.choose(found, [dns_slice("a"), dns_slice("b", service="coredns")])
        assert code(error) == "dns_ambiguous"
        assert error.value.details["services"] == ["kube-system/kube-dns", "kube-system/coredns"]

    def test_the_only_ready_one_of_two_is_taken_and_the_other_reported(self) -> None:
        found = services.by_name([dns_service(), dns_service("coredns")])
        chosen = dns.choose(found, [dns_slice("!a"), dns_slice("b", service="coredns")])
        assert chosen.service.name == "coredns"
        assert any("kube-system/kube-dns" in warning for warning in chosen.warnings)

    def test_none_ready_is_an_error_that_names_them(self) -> None:
        found = services.by_name([dns_service(), dns_service("coredns")])
        with pytest.raises(LockdownError) as error:
            dns.choose(found, [dns_slice("!a")])
        assert code(error) == "dns_not_ready"
        assert error.value.details["services"] == ["kube-system/kube-dns", "kube-system/coredns"]

    def test_the_users_service_must_be_there(self) -> None:
        with pytest.raises(LockdownError) as error:
            services.by_user("kube-system", "typo", None)
        assert code(error) == "dns_service_missing"

    @pytest.mark.parametrize(
        ("spec", "expected"),
        [
            ({"selector": None}, "dns_no_selector"),
            ({"selector": {}}, "dns_no_selector"),
            ({"clusterIP": "None", "clusterIPs": ["None"]}, "dns_headless"),
            ({"type": "ExternalName", "clusterIP": "", "clusterIPs": []}, "dns_headless"),
            ({"ports": []}, "dns_no_port"),
            ({"ports": [{"name": "dns", "protocol": "SCTP", "port": 53}]}, "dns_no_port"),
        ],
    )
    def test_a_service_that_cannot_be_the_dns_is_an_error(self, spec: Json, expected: str) -> None:
        with pytest.raises(LockdownError) as error:
            services.by_user("kube-system", "kube-dns", dns_service(**spec))
        assert code(error) == expected
        assert "pod_selector" in error.value.next_step


class TestPodsAndPorts:
    def test_the_selector_is_the_services(self) -> None:
        found = resolved([dns_slice("a", "b")], [pod("a"), pod("b")]).as_dict()
        assert found["pod_selector"] == {"matchLabels": {"k8s-app": "kube-dns"}}
        assert [(each["name"], each["ready"]) for each in found["backends"]] == [("a", True), ("b", True)]
        assert found["over_match"] == {"count": 0, "pods": []}
        assert {source["kind"] for source in found["sources"]} == {"Service", "EndpointSlice"}

    def test_metrics_are_not_dns(self) -> None:
        found = resolved([dns_slice("a")], [pod("a")]).as_dict()
        assert found["ports"] == [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]

    @pytest.mark.parametrize("number", [5353, 8053])
    def test_ports_are_those_of_the_pods(self, number: int) -> None:
        ports = [{**each, "port": number} if each["name"] != "metrics" else each for each in DNS_SLICE_PORTS]
        found = resolved([dns_slice("a", ports=ports)], [pod("a")]).as_dict()
        assert [each["port"] for each in found["ports"]] == [number, number]

    def test_ports_may_differ_between_slices(self) -> None:
        old = [{**each, "port": 8053} for each in DNS_SLICE_PORTS if each["name"] != "metrics"]
        slices = [dns_slice("a"), dns_slice("b", name="kube-dns-2", ports=old)]
        found = resolved(slices, [pod("a"), pod("b")]).as_dict()
        assert [(each["protocol"], each["port"]) for each in found["ports"]] == [
            ("UDP", 53),
            ("UDP", 8053),
            ("TCP", 53),
            ("TCP", 8053),
        ]

    def test_a_slice_without_ready_backends_gives_no_port(self) -> None:
        old = [{**each, "port": 8053} for each in DNS_SLICE_PORTS]
        slices = [dns_slice("a"), dns_slice("!b", name="kube-dns-2", ports=old)]
        found = resolved(slices, [pod("a"), pod("b")]).as_dict()
        assert {each["port"] for each in found["ports"]} == {53}

    def test_a_protocol_that_is_missing_is_reported(self) -> None:
        found = resolved([dns_slice("a", ports=DNS_SLICE_PORTS[:1])], [pod("a")])
        assert [port.protocol for port in found.ports] == ["UDP"]
        assert any("TCP" in warning for warning in found.warnings)

    def test_unnamed_ports_match_unnamed_ports(self) -> None:
        service = dns_service(ports=[{"protocol": "UDP", "port": 53}])
        slices = [dns_slice("a", ports=[{"name": "", "protocol": "UDP", "port": 5353}])]
        assert [port.port for port in resolved(slices, [pod("a")], service).ports] == [5353]

    def test_slices_that_do_not_know_the_port_are_an_error(self) -> None:
        with pytest.raises(LockdownError) as error:
            resolved([dns_slice("a", ports=[DNS_SLICE_PORTS[2]])], [pod("a")])
        assert code(error) == "dns_ports_unclear"

    def test_slices_of_another_namespace_say_nothing(self) -> None:
        foreign = dns_slice("b", namespace="evil", ports=[{"name": "dns", "protocol": "UDP", "port": 4444}])
        found = resolved([dns_slice("a"), foreign], [pod("a")]).as_dict()
        assert {each["port"] for each in found["ports"]} == {53}
        assert [each["name"] for each in found["backends"]] == ["a"]

    def test_pods_that_match_and_do_not_answer_are_counted(self) -> None:
        pods = [pod("a"), pod("spy"), pod("done", phase="Succeeded"), pod("dead", phase="Failed")]
        found = resolved([dns_slice("a")], pods)
        assert found.as_dict()["over_match"] == {"count": 1, "pods": ["spy"]}
        assert any("spy" in warning for warning in found.warnings)

    def test_a_dns_pod_that_is_not_ready_is_no_over_match(self) -> None:
        found = resolved([dns_slice("a", "!b")], [pod("a"), pod("b", ready=False)]).as_dict()
        assert found["over_match"]["count"] == 0
        assert [each["ready"] for each in found["backends"]] == [True, False]

    def test_a_backend_without_a_reference_is_found_by_its_address(self) -> None:
        raw = dns_slice("a")
        del raw["endpoints"][0]["targetRef"]
        found = resolved([raw], [pod("a")]).as_dict()
        assert found["backends"] == [{"name": "a", "address": pod_address("a"), "ready": True}]

    def test_backends_that_the_selector_does_not_match_are_an_error(self) -> None:
        with pytest.raises(LockdownError) as error:
            resolved([dns_slice("a")], [pod("b")])
        assert code(error) == "dns_backends_unmatched"

    def test_backends_on_their_nodes_network_are_an_error(self) -> None:
        with pytest.raises(LockdownError) as error:
            resolved([dns_slice("a", "b")], [pod("a"), pod("b", hostNetwork=True)])
        assert code(error) == "dns_host_network"
        assert error.value.details["pods"] == ["b"]


class TestTheUsersWord:
    GIVEN: t.ClassVar[Json] = {
        "namespace": "dns",
        "pod_selector": {"matchLabels": {"app": "unbound"}},
        "ports": [{"protocol": "TCP", "port": 5353}, {"protocol": "UDP", "port": 5353}],
    }

    def choice(self, **changes: t.Any) -> UserDns:
        found = UserDns.from_params({"dns": {**self.GIVEN, **changes}})
        assert found is not None
        return found

    def test_nothing_given_is_no_word(self) -> None:
        assert UserDns.from_params({"dns": None}) is None

    def test_pods_and_ports_are_taken_as_given(self) -> None:
        found = dns.resolve_user(self.choice(), [pod("b", "dns"), pod("a", "dns", ready=False)]).as_dict()
        assert found["pod_selector"] == self.GIVEN["pod_selector"]
        assert found["ports"] == [{"protocol": "UDP", "port": 5353}, {"protocol": "TCP", "port": 5353}]
        assert (found["service"], found["found_by"]) == (None, "user")
        assert [(each["name"], each["ready"]) for each in found["backends"]] == [("a", False), ("b", True)]

    @pytest.mark.parametrize("pods", [[], [pod("a", "dns", ready=False)], [pod("a", "dns", phase="Succeeded")]])
    def test_no_ready_pod_is_an_error(self, pods: list[Json]) -> None:
        with pytest.raises(LockdownError) as error:
            dns.resolve_user(self.choice(), pods)
        assert code(error) == "dns_not_ready"

    def test_pods_on_their_nodes_network_are_an_error(self) -> None:
        with pytest.raises(LockdownError) as error:
            dns.resolve_user(self.choice(), [pod("a", "dns", hostNetwork=True)])
        assert code(error) == "dns_host_network"

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"pod_selector": {}}, "invalid_selector"),
            ({"pod_selector": {"matchLabels": {}}}, "invalid_selector"),
            ({"pod_selector": {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}}, "invalid_selector"),
            ({"pod_selector": {"app": "unbound"}}, "invalid_selector"),
            ({"ports": [{"protocol": "UDP", "port": 0}]}, "invalid_option"),
            ({"ports": []}, "invalid_option"),
            ({"namespace": "kube-system/pods?x="}, "invalid_option"),
            ({"pod_selector": None, "service": "../pods"}, "invalid_option"),
        ],
    )
    def test_a_bad_word_is_an_error(self, changes: Json, expected: str) -> None:
        with pytest.raises(LockdownError) as error:
            self.choice(**changes)
        assert code(error) == expected


PORTS = st.builds(
    lambda name, protocol, port: {"name": name, "protocol": protocol, "port": port},
    st.sampled_from(["dns", "dns-tcp", "metrics", ""]),
    st.sampled_from(["UDP", "TCP"]),
    st.one_of(st.none(), st.integers(1, 65535)),
)


@given(ports=st.lists(PORTS, max_size=5), ready=st.booleans())
def test_only_ports_behind_the_services_port_53_come_out(ports: list[Json], ready: bool) -> None:
    try:
        found = resolved([dns_slice("a" if ready else "!a", ports=ports)], [pod("a")])
    except LockdownError:
        return
    names = {"UDP": "dns", "TCP": "dns-tcp"}
    allowed = {(port["protocol"], port["port"]) for port in ports if port["name"] == names[port["protocol"]]}
    assert ready
    assert found.ports
    assert {(port.protocol, port.port) for port in found.ports} <= allowed


def cache(name: str, *args: str, namespace: str = "kube-system") -> Json:
    return daemon_set(name, {"name": "node-cache", "args": list(args)}, namespace=namespace)


class TestNodeCache:
    @pytest.mark.parametrize(
        ("name", "args", "expected"),
        [
            ("node-local-dns", ["-localip", "169.254.20.10,10.96.0.10", "-conf", "x"], ["10.96.0.10", "169.254.20.10"]),
            ("node-local-dns-pool-1", ["-localip=169.254.20.10"], ["169.254.20.10"]),
            ("nodelocaldns", ["--localip", "169.254.25.10"], ["169.254.25.10"]),
            ("node-local-dns", ["-localip", "fd00:10:96::a"], ["fd00:10:96::a"]),
        ],
    )
    def test_it_says_itself_where_it_listens(self, name: str, args: list[str], expected: list[str]) -> None:
        found = dns_cache.node_cache([cache(name, *args), cache("other")])
        assert [str(address) for address in found.addresses] == expected
        assert found.as_addresses()[0].as_dict()["ports"] == [
            {"protocol": "UDP", "port": 53},
            {"protocol": "TCP", "port": 53},
        ]

    @pytest.mark.parametrize("args", [[], ["-localip"], ["-localip", "__PILLAR__LOCAL__DNS__"]])
    def test_one_that_does_not_say_so_is_an_error(self, args: list[str]) -> None:
        with pytest.raises(LockdownError) as error:
            dns_cache.node_cache([cache("node-local-dns", *args)])
        assert code(error) == "dns_node_local"

    def test_one_of_somebody_else_is_not_believed(self) -> None:
        assert dns_cache.node_cache([cache("node-local-dns", "-localip", "1.1.1.1", namespace="x")]).addresses == ()

    def test_where_blocks_match_no_node_it_is_refused(self) -> None:
        addresses = dns_cache.node_cache([cache("node-local-dns", "-localip", "169.254.20.10")]).as_addresses()
        with pytest.raises(LockdownError) as error:
            dns_cache.check_reachable(addresses, cilium("v1.19.0"))
        assert code(error) == "dns_cache_unmatched"
        assert all(word in str(error.value) for word in ("169.254.20.10", "CiliumLocalRedirectPolicy", "minimal"))
        assert dns_cache.check_reachable(addresses, detect(daemon_set("calico-node"))) == ()
        assert dns_cache.check_reachable((), cilium("v1.19.0")) == ()

    def test_where_the_user_names_the_dns_the_doubt_is_said(self) -> None:
        addresses = dns_cache.node_cache([cache("node-local-dns", "-localip", "169.254.20.10")]).as_addresses()
        choice = services.UserDns.from_params({"dns": {"namespace": "kube-system", "service": "kube-dns"}})
        (doubt,) = dns_cache.check_reachable(addresses, cilium("v1.19.0"), choice)
        assert "169.254.20.10" in doubt

    def test_an_address_of_a_cache_needs_no_service(self) -> None:
        local = ip("169.254.20.10")
        assert services.by_configuration({local: None}, kubelet_config(str(local)), [local]) is None
        both = services.by_configuration(
            {local: None, ip("10.96.0.10"): dns_service()}, kubelet_config(str(local), "10.96.0.10"), [local]
        )
        assert both
        assert [each.name for each in both.services] == ["kube-dns"]


class TestUserAddresses:
    def test_they_get_port_53_for_both_protocols(self) -> None:
        choice = services.UserDns.from_params({"dns": {"addresses": ["169.254.169.254", "169.254.169.254"]}})
        assert choice
        assert choice.by_address_only
        (found,) = dns_cache.by_user(choice)
        assert found.as_dict() == {
            "cidr": "169.254.169.254/32",
            "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
            "origin": "user",
        }

    def test_other_ports_are_taken_for_other_addresses(self) -> None:
        ports = [{"protocol": "UDP", "port": 5353}]
        choice = services.UserDns.from_params({"dns": {"addresses": ["10.0.0.53", "fd00::53"], "ports": ports}})
        assert choice
        assert {each.ports[0].port for each in dns_cache.by_user(choice)} == {5353}
        assert [each.as_dict()["cidr"] for each in dns_cache.by_user(choice)] == ["10.0.0.53/32", "fd00::53/128"]

    @pytest.mark.parametrize(
        "given",
        [
            {"addresses": ["ns.example.com"]},
            {"addresses": ["10.0.0.0/24"]},
            {"addresses": ["224.0.0.251"]},
            {"addresses": ["::"]},
            {"addresses": ["127.0.0.1"]},
            {"addresses": ["169.254.169.254"], "ports": [{"protocol": "TCP", "port": 80}]},
            {"addresses": ["169.254.169.254"], "service": "kube-dns"},
        ],
    )
    def test_what_is_no_name_server_is_refused(self, given: Json) -> None:
        with pytest.raises(LockdownError) as error:
            services.UserDns.from_params({"dns": given})
        assert code(error).startswith("invalid_")


class TestCorefile:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                ".:53 {\n  kubernetes cluster.local\n  forward . /etc/resolv.conf {\n    max_concurrent 1000\n  }\n}",
                True,
            ),
            (".:53 {\n  kubernetes cluster.local\n  # forward . 8.8.8.8\n}", False),
            (".:53 {\n  import custom/*.override\n}", None),
            (".:53 {\n  import custom/*.override\n  forward . 10.0.0.2\n}", True),
            ("", False),
        ],
    )
    def test_it_tells_whether_names_leave_the_cluster(self, text: str, expected: bool | None) -> None:
        config = obj("ConfigMap", "coredns", "kube-system", data={"Corefile": text})
        assert corefile.forwards(config) is expected

    def test_one_that_is_not_there_tells_nothing(self) -> None:
        assert corefile.forwards(None) is None
        assert corefile.forwards(obj("ConfigMap", "coredns", "kube-system", data={})) is None

    def test_it_is_the_one_that_a_dns_pod_mounts(self) -> None:
        volumes = [
            {"name": "token", "projected": {}},
            {"name": "other", "configMap": {"name": "other", "items": [{"key": "x"}]}},
            {"name": "config", "configMap": {"name": "rke2-coredns", "items": [{"key": "Corefile"}]}},
        ]
        assert corefile.config_map_of([pod("a"), pod("b", volumes=volumes)]) == ("kube-system", "rke2-coredns")
        assert corefile.config_map_of([pod("a")]) is None
