# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server: whom to believe, which addresses are refused, which form is chosen."""

from __future__ import annotations

import ipaddress
import random
import typing as t

import pytest
from builders import (
    HTTPS,
    Json,
    api_endpoints,
    api_service,
    api_slice,
    cilium,
    endpoint,
    ip,
    pod,
    resolve_api,
)
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netguard.lockdown.plugins.module_utils._core import api_server, cluster
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError


def refusal(*slices: Json, **arguments: t.Any) -> LockdownError:
    with pytest.raises(LockdownError) as caught:
        resolve_api(*slices, **arguments)
    return caught.value


def targets(*slices: Json, **arguments: t.Any) -> list[Json]:
    listed: list[Json] = resolve_api(*slices, **arguments).as_dict()["targets"]
    return listed


def via_endpoints(port: int, *cidrs: str) -> Json:
    return {"via": "endpoints", "protocol": "TCP", "port": port, "cidrs": list(cidrs)}


VIA_SERVICE = {"via": "service", "protocol": "TCP", "port": 443, "cidrs": ["10.96.0.1/32"]}


class TestTargets:
    def test_one_rule_holds_all_addresses_of_a_port(self) -> None:
        found = targets(api_slice("172.30.0.10", "172.30.0.9"), form="endpoints")
        assert found == [via_endpoints(6443, "172.30.0.9/32", "172.30.0.10/32")]

    def test_an_ipv6_address_is_a_block_of_128_bits(self) -> None:
        assert targets(api_slice("2001:DB8::1"), form="endpoints") == [via_endpoints(6443, "2001:db8::1/128")]

    def test_both_forms_are_two_rules_and_no_cross_product(self) -> None:
        assert targets(api_slice("172.30.0.2"), form="both") == [via_endpoints(6443, "172.30.0.2/32"), VIA_SERVICE]

    def test_the_service_form_holds_every_cluster_ip(self) -> None:
        seen = {"service": api_service("fd00::1", "10.96.0.1")}
        found = targets(api_slice("172.30.0.2"), form="service", seen=seen)
        assert found == [{**VIA_SERVICE, "cidrs": ["10.96.0.1/32", "fd00::1/128"]}]

    def test_different_ports_are_different_rules(self) -> None:
        extra = api_slice("172.30.0.3", name="more", ports=[{**HTTPS, "port": 7443}])
        found = targets(api_slice("172.30.0.2"), extra, form="endpoints", extra_api_slices=["more"])
        assert found == [via_endpoints(6443, "172.30.0.2/32"), via_endpoints(7443, "172.30.0.3/32")]

    def test_every_fact_names_its_source(self) -> None:
        found = resolve_api(api_slice("172.30.0.2")).as_dict()["sources"]
        assert [(source["kind"], source["name"], source["resource_version"]) for source in found] == [
            ("EndpointSlice", "kubernetes", "7"),
            ("Service", "kubernetes", "7"),
        ]

    def test_the_service_must_have_a_clear_port(self) -> None:
        ports = [{"name": name, "port": port} for name, port in (("one", 1), ("two", 2))]
        error = refusal(api_slice("172.30.0.2"), seen={"service": api_service(ports=ports)})
        assert error.code == "api_port_unclear"


class TestTrust:
    def test_another_slice_of_the_service_is_refused_by_name(self) -> None:
        error = refusal(api_slice("172.30.0.2"), api_slice("203.0.113.10", name="planted"))
        assert error.code == "untrusted_endpoint_slice"
        assert "default/planted" in str(error)
        assert "extra_api_slices" in error.next_step

    def test_it_is_refused_even_if_it_holds_nothing_or_the_user_gave_addresses(self) -> None:
        planted = api_slice(name="planted")
        assert refusal(api_slice("172.30.0.2"), planted).code == "untrusted_endpoint_slice"
        error = refusal(api_slice("172.30.0.2"), planted, api_server_addresses=["172.30.0.2"])
        assert error.code == "untrusted_endpoint_slice"

    def test_a_slice_that_the_user_lists_is_believed(self) -> None:
        found = resolve_api(api_slice("172.30.0.2"), api_slice("172.30.0.3", name="more"), extra_api_slices=["more"])
        assert [(str(each.address), each.origin) for each in found.endpoints] == [
            ("172.30.0.2", "slice"),
            ("172.30.0.3", "extra_slice"),
        ]

    def test_a_listed_slice_that_is_not_there_is_reported(self) -> None:
        found = resolve_api(api_slice("172.30.0.2"), extra_api_slices=["more"])
        assert any("more" in warning for warning in found.warnings)

    def test_a_slice_of_another_namespace_or_service_says_nothing(self) -> None:
        others = (
            api_slice("203.0.113.10", namespace="evil"),
            api_slice("203.0.113.11", name="other", labels={"kubernetes.io/service-name": "other"}),
        )
        assert targets(api_slice("172.30.0.2"), *others) == targets(api_slice("172.30.0.2"))

    @pytest.mark.parametrize(
        "mark",
        [
            {"labels": {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}},
            {"metadata": {"ownerReferences": [{"kind": "Service", "name": "kubernetes"}]}},
        ],
    )
    def test_a_slice_that_belongs_to_a_controller_is_not_kube_apiservers(self, mark: Json) -> None:
        labels = {"kubernetes.io/service-name": "kubernetes"}
        metadata = {"labels": labels, **mark["metadata"]} if "metadata" in mark else {}
        raw = api_slice("172.30.0.2", **{**mark, "metadata": metadata} if metadata else mark)
        assert refusal(raw).code == "untrusted_endpoint_slice"
        assert targets(raw, extra_api_slices=["kubernetes"]) == targets(api_slice("172.30.0.2"))

    def test_the_endpoints_object_is_the_fallback(self) -> None:
        subset = {"addresses": [{"ip": "172.30.0.2"}], "notReadyAddresses": [{"ip": "172.30.0.3"}], "ports": [HTTPS]}
        found = resolve_api(seen={"endpoints": api_endpoints(subset)}, form="endpoints").as_dict()
        assert found["targets"] == [via_endpoints(6443, "172.30.0.2/32")]
        assert found["endpoints"][0]["origin"] == "endpoints"
        assert found["not_ready"] == [{"address": "172.30.0.3", "port": 6443}]

    def test_a_subset_keeps_its_own_port(self) -> None:
        subsets = [
            {"addresses": [{"ip": "172.30.0.2"}], "ports": [HTTPS]},
            {"addresses": [{"ip": "172.30.0.3"}], "ports": [{**HTTPS, "port": 7443}]},
        ]
        found = targets(seen={"endpoints": api_endpoints(*subsets)}, form="endpoints")
        assert found == [via_endpoints(6443, "172.30.0.2/32"), via_endpoints(7443, "172.30.0.3/32")]

    @pytest.mark.parametrize("subsets", [[], [{"notReadyAddresses": [{"ip": "172.30.0.3"}], "ports": [HTTPS]}]])
    def test_an_endpoints_object_without_a_ready_address_is_an_error(self, subsets: list[Json]) -> None:
        assert refusal(seen={"endpoints": api_endpoints(*subsets)}).code == "api_no_ready_endpoint"

    def test_nothing_at_all_is_an_error(self) -> None:
        assert refusal().code == "api_endpoints_missing"


class TestReadiness:
    def test_an_endpoint_that_is_not_ready_is_left_out_and_reported(self) -> None:
        found = resolve_api(api_slice("172.30.0.2", endpoint("172.30.0.3", ready=False)), form="endpoints")
        assert found.as_dict()["targets"] == [via_endpoints(6443, "172.30.0.2/32")]
        assert found.as_dict()["not_ready"] == [{"address": "172.30.0.3", "port": 6443}]
        assert any("172.30.0.3" in warning for warning in found.warnings)

    def test_an_absent_condition_means_ready(self) -> None:
        assert targets(api_slice(endpoint("172.30.0.2", ready=None)), form="endpoints")

    @pytest.mark.parametrize("endpoints", [[], [endpoint("172.30.0.2", ready=False)]])
    def test_a_slice_without_a_ready_endpoint_is_an_error(self, endpoints: list[Json]) -> None:
        error = refusal(api_slice(*endpoints))
        assert error.code == "api_no_ready_endpoint"
        assert error.obj is not None
        assert str(error.obj) == "EndpointSlice default/kubernetes"

    def test_an_extra_slice_without_one_is_an_error_too(self) -> None:
        error = refusal(api_slice("172.30.0.2"), api_slice(name="more"), extra_api_slices=["more"])
        assert error.code == "api_no_ready_endpoint"

    def test_only_the_first_address_of_an_endpoint_counts(self) -> None:
        found = resolve_api(api_slice(endpoint("172.30.0.2", "203.0.113.10")), form="endpoints")
        assert found.as_dict()["targets"] == [via_endpoints(6443, "172.30.0.2/32")]
        assert any("203.0.113.10" in warning for warning in found.warnings)


class TestPorts:
    def test_the_port_named_https_is_taken_among_several(self) -> None:
        ports = [{"name": "other", "protocol": "TCP", "port": 1}, HTTPS]
        assert targets(api_slice("172.30.0.2", ports=ports), form="endpoints")[0]["port"] == 6443

    def test_the_only_port_is_taken_whatever_its_name(self) -> None:
        assert targets(api_slice("172.30.0.2", ports=[{"port": 8443}]), form="endpoints")[0]["port"] == 8443

    @pytest.mark.parametrize(
        "ports",
        [
            [],
            [{"name": "one", "port": 1}, {"name": "two", "port": 2}],
            [{"name": "https", "protocol": "UDP", "port": 6443}],
            [{"name": "https", "protocol": "TCP", "port": None}],
        ],
    )
    def test_an_unclear_port_is_an_error(self, ports: list[Json]) -> None:
        assert refusal(api_slice("172.30.0.2", ports=ports)).code == "api_port_unclear"


class TestRefusedAddresses:
    @pytest.mark.parametrize(
        ("address", "reason"),
        [
            ("169.254.169.254", "metadata_or_link_local"),
            ("fd00:ec2::254", "metadata_or_link_local"),
            ("100.100.100.200", "metadata_or_link_local"),
            ("fe80::1", "metadata_or_link_local"),
            ("127.0.0.1", "loopback"),
            ("::1", "loopback"),
            ("0.0.0.0", "unspecified"),  # noqa: S104
            ("224.0.0.1", "multicast"),
            ("::ffff:169.254.169.254", "IPv4-mapped"),
            ("2001:db8::1%eth0", "zoned"),
            ("10.244.1.7", "pod_range"),
            ("10.96.0.1", "service_range"),
            ("10.97.3.4", "service_range"),
        ],
    )
    def test_it_is_refused_with_the_reason(self, address: str, reason: str) -> None:
        ranges = cluster.Ranges(
            pods=(ipaddress.ip_network("10.244.0.0/16"),), services=(ipaddress.ip_network("10.96.0.0/12"),)
        )
        error = refusal(api_slice(address), seen={"ranges": ranges})
        assert (error.code, error.details["reason"]) == ("api_endpoint_refused", reason)

    def test_the_services_own_cluster_ip_is_refused_without_known_ranges(self) -> None:
        assert refusal(api_slice("10.96.0.1")).details["reason"] == "service_range"

    def test_the_fence_holds(self) -> None:
        fence = ["172.30.0.0/24"]
        assert targets(api_slice("172.30.0.2"), allowed_api_cidrs=fence)
        error = refusal(api_slice("172.30.0.2", "172.30.1.2"), allowed_api_cidrs=fence)
        assert error.details == {"address": "172.30.1.2", "reason": "outside_fence"}

    def test_the_users_own_addresses_are_checked_as_well(self) -> None:
        error = refusal(api_slice("172.30.0.2"), api_server_addresses=["169.254.169.254"])
        assert error.details["reason"] == "metadata_or_link_local"

    def test_an_unknown_pod_range_is_said(self) -> None:
        assert any("pod range" in warning for warning in resolve_api(api_slice("172.30.0.2")).warnings)
        fenced = resolve_api(api_slice("172.30.0.2"), allowed_api_cidrs=["172.30.0.0/24"])
        assert not any("pod range" in warning for warning in fenced.warnings)


class TestNames:
    FQDN = api_slice(endpoint("api.example.com"), addressType="FQDN")

    def test_a_slice_of_names_asks_for_addresses(self) -> None:
        error = refusal(self.FQDN)
        assert error.code == "api_fqdn_endpoint"
        assert "api.example.com" in str(error)
        assert "api_server_addresses" in error.next_step

    def test_the_users_addresses_are_the_answer(self) -> None:
        given: list[t.Any] = ["198.51.100.7", {"address": "2001:db8::7", "port": 443}]
        found = resolve_api(self.FQDN, api_server_addresses=given, form="endpoints").as_dict()
        assert found["targets"] == [via_endpoints(443, "2001:db8::7/128"), via_endpoints(6443, "198.51.100.7/32")]
        assert {each["origin"] for each in found["endpoints"]} == {"user"}

    def test_the_users_addresses_replace_those_of_the_slice(self) -> None:
        found = targets(api_slice("172.30.0.2"), api_server_addresses=["198.51.100.7"], form="endpoints")
        assert found == [via_endpoints(6443, "198.51.100.7/32")]

    def test_a_port_must_come_from_somewhere(self) -> None:
        error = refusal(api_server_addresses=["198.51.100.7"])
        assert error.code == "invalid_option"
        given = [{"address": "198.51.100.7", "port": "8443"}]
        assert targets(api_server_addresses=given, form="endpoints") == [via_endpoints(8443, "198.51.100.7/32")]

    @pytest.mark.parametrize(
        ("entry", "code"),
        [
            ("api.example.com", "invalid_address"),
            ("198.51.100.0/24", "invalid_address"),
            (7, "invalid_address"),
            ({"port": 443}, "invalid_address"),
            ({"address": "198.51.100.7", "port": 0}, "invalid_option"),
            ({"address": "198.51.100.7", "port": True}, "invalid_option"),
            ({"address": "198.51.100.7", "prot": 443}, "invalid_option"),
        ],
    )
    def test_a_bad_entry_is_an_error(self, entry: t.Any, code: str) -> None:
        assert refusal(api_slice("172.30.0.2"), api_server_addresses=[entry]).code == code

    def test_a_service_that_leads_to_a_name_is_an_error(self) -> None:
        named = {"service": api_service("None", type="ExternalName")}
        assert refusal(api_slice("172.30.0.2"), seen=named, form="endpoints").code == "api_fqdn_service"
        given = ["198.51.100.7"]
        assert refusal(api_slice("172.30.0.2"), seen=named, api_server_addresses=given).code == "api_fqdn_service"
        assert targets(api_slice("172.30.0.2"), seen=named, api_server_addresses=given, form="endpoints")

    def test_a_service_host_that_is_a_name_is_found_in_pods(self) -> None:
        def told(name: str, host: str) -> Json:
            return pod(name, containers=[{"env": [{"name": "KUBERNETES_SERVICE_HOST", "value": host}]}])

        pods = [told("b", "api.example.com"), told("a", "api.example.com"), told("c", "10.96.0.1"), pod("d")]
        found = api_server.foreign_hosts(pods)
        assert [host.as_dict() for host in found] == [
            {"host": "api.example.com", "pods": ["kube-system/a", "kube-system/b"]}
        ]
        assert "api_server_addresses" in str(found[0])


class TestForm:
    def test_an_unknown_engine_gets_both_and_the_surplus_is_said(self) -> None:
        found = resolve_api(api_slice("172.30.0.2"))
        assert (found.form.name, found.form.requested) == ("both", "auto")
        assert "surplus" in found.form.reason

    @pytest.mark.parametrize("form", ["endpoints", "service", "both"])
    def test_the_users_form_is_taken(self, form: str) -> None:
        assert resolve_api(api_slice("172.30.0.2"), form=form).form.name == form

    def test_cilium_with_endpoints_on_nodes_is_uncertain(self) -> None:
        seen = {"engine": cilium(), "nodes": frozenset({ip("172.30.0.2"), ip("172.30.0.3")})}
        error = refusal(api_slice("172.30.0.2"), seen=seen)
        assert error.code == "form_uncertain"
        assert "172.30.0.2" in error.why
        assert "policy-cidr-match-mode" in error.next_step

    def test_one_endpoint_on_a_node_is_enough_for_doubt(self) -> None:
        seen = {"engine": cilium(), "nodes": frozenset({ip("172.30.0.3")})}
        assert refusal(api_slice("172.30.0.2", "172.30.0.3"), seen=seen).code == "form_uncertain"

    def test_cilium_without_nodes_to_compare_with_is_uncertain(self) -> None:
        assert refusal(api_slice("172.30.0.2"), seen={"engine": cilium()}).code == "form_uncertain"

    @pytest.mark.parametrize("mode", ["nodes", "other,nodes", "other nodes"])
    def test_cilium_that_matches_nodes_by_cidr_takes_endpoints(self, mode: str) -> None:
        seen = {"engine": cilium(policy_cidr_match_mode=mode), "nodes": frozenset({ip("172.30.0.2")})}
        found = resolve_api(api_slice("172.30.0.2"), seen=seen)
        assert found.form.name == "endpoints"
        assert "ConfigMap" in {source.kind for source in found.sources}

    @pytest.mark.parametrize("mode", ["", "nodesque", "hosts"])
    def test_another_mode_does_not(self, mode: str) -> None:
        seen = {"engine": cilium(policy_cidr_match_mode=mode), "nodes": frozenset({ip("172.30.0.2")})}
        assert refusal(api_slice("172.30.0.2"), seen=seen).code == "form_uncertain"

    def test_cilium_with_endpoints_apart_from_nodes_takes_endpoints(self) -> None:
        seen = {"engine": cilium(), "nodes": frozenset({ip("172.30.0.9")})}
        assert resolve_api(api_slice("172.30.0.2"), seen=seen).form.name == "endpoints"

    def test_the_users_form_wins_over_doubt_and_the_doubt_is_said(self) -> None:
        seen = {"engine": cilium(), "nodes": frozenset({ip("172.30.0.2")})}
        found = resolve_api(api_slice("172.30.0.2"), seen=seen, form="endpoints")
        assert found.form.name == "endpoints"
        assert any("cilium" in warning for warning in found.warnings)


# properties


ADDRESSES = st.one_of(
    st.ip_addresses(v=4, network="198.51.100.0/24"),
    st.ip_addresses(v=4, network="169.254.0.0/16"),
    st.ip_addresses(v=4, network="10.244.0.0/16"),
    st.ip_addresses(v=4),
)
ENDPOINTS = st.builds(
    lambda address, ready: endpoint(str(address), ready=ready), ADDRESSES, st.sampled_from([True, False, None])
)
PORTS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["https", "", "other"]),
            "protocol": st.sampled_from(["TCP", "UDP"]),
            "port": st.sampled_from([6443, 443, None]),
        }
    ),
    max_size=3,
)
SLICES = st.lists(
    st.builds(
        lambda name, endpoints, ports, namespace: api_slice(
            *endpoints, name=name, ports=ports, namespace=namespace, addressType="IPv4"
        ),
        st.sampled_from(["kubernetes", "extra", "planted"]),
        st.lists(ENDPOINTS, max_size=4),
        st.one_of(st.just([HTTPS]), PORTS),
        st.sampled_from(["default", "default", "evil"]),
    ),
    max_size=4,
    unique_by=lambda raw: (raw["metadata"]["namespace"], raw["metadata"]["name"]),
)
RANGES = cluster.Ranges(pods=(ipaddress.ip_network("10.244.0.0/16"),))


def trusted_ready(slices: t.Iterable[Json]) -> set[str]:
    """Independently of the code: the addresses that may be allowed at all."""
    return {
        item["addresses"][0]
        for raw in slices
        if raw["metadata"]["namespace"] == "default" and raw["metadata"]["name"] in ("kubernetes", "extra")
        for item in raw["endpoints"]
        if item["conditions"].get("ready", True)
    }


@given(slices=SLICES, form=st.sampled_from(["auto", "endpoints", "service", "both"]))
def test_whatever_the_slices_only_host_blocks_of_trusted_ready_endpoints_come_out(
    slices: list[Json], form: str
) -> None:
    try:
        found = resolve_api(*slices, form=form, extra_api_slices=["extra"], seen={"ranges": RANGES}).as_dict()
    except LockdownError:
        return
    assert found["targets"]
    for target in found["targets"]:
        allowed = trusted_ready(slices) if target["via"] == "endpoints" else {"10.96.0.1"}
        networks = [ipaddress.ip_network(cidr) for cidr in target["cidrs"]]
        assert networks
        assert all(network.num_addresses == 1 for network in networks)
        assert {str(network.network_address) for network in networks} <= allowed
    assert not any(raw["metadata"]["name"] == "planted" and raw["metadata"]["namespace"] == "default" for raw in slices)


@given(slices=SLICES, seed=st.randoms(use_true_random=False))
def test_the_order_of_what_was_read_does_not_matter(slices: list[Json], seed: random.Random) -> None:
    shuffled = [{**raw, "endpoints": seed.sample(raw["endpoints"], len(raw["endpoints"]))} for raw in slices]
    seed.shuffle(shuffled)

    def answer(given_slices: list[Json]) -> t.Any:
        try:
            return resolve_api(*given_slices, extra_api_slices=["extra"]).as_dict()
        except LockdownError as error:
            return error.code

    assert answer(slices) == answer(shuffled)
