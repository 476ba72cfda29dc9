# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policy engines: what gives one away, how it judges, and which form that makes."""

from __future__ import annotations

import typing as t

import pytest
from builders import Json, api_slice, cilium, daemon_set, detect, ip, node, obj, resolve_api

from ansible_collections.netguard.lockdown.plugins.module_utils._core import engine, engines
from ansible_collections.netguard.lockdown.plugins.module_utils._core.engine_records import Detected
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

API = ip("172.30.0.2")
ELSEWHERE = frozenset({ip("172.30.0.9")})
ON_NODE = frozenset({API})


def container(name: str, image: str = "", *args: str, env: dict[str, str] | None = None) -> Json:
    variables = [{"name": key, "value": value} for key, value in (env or {}).items()]
    return {"name": name, "image": image or f"registry.example/{name}", "args": list(args), "env": variables}


def labelled(
    labels: dict[str, str] | None = None, kubelet: str = "", annotations: dict[str, str] | None = None
) -> Json:
    return obj(
        "Node",
        "one",
        metadata={
            "labels": labels or {},
            "annotations": annotations or {},
        },
        status={"nodeInfo": {"kubeletVersion": kubelet}},
    )


def form(detected: Detected, nodes: t.Any = ELSEWHERE) -> str:
    return engine.choose_form("auto", detected, [API], nodes).name


AWS_AGENT = container("aws-eks-nodeagent", "", "--enable-network-policy=true")
GKE_NODE = labelled({"cloud.google.com/gke-nodepool": "default"})
AUTO_NODE = labelled({"eks.amazonaws.com/compute-type": "auto"})


class TestTable:
    def test_names_and_agents_are_unique(self) -> None:
        names = [entry.name for entry in engines.ENGINES]
        agents = [(place, agent) for entry in engines.ENGINES for place in entry.namespaces for agent in entry.agents]
        assert len(set(names)) == len(names)
        assert len(set(agents)) == len(agents)

    def test_every_entry_can_be_seen(self) -> None:
        assert all(entry.agents or entry.group or entry.node_label or entry.kubelet for entry in engines.ENGINES)

    @pytest.mark.parametrize(
        "entry", [entry for entry in engines.ENGINES if entry.agents], ids=lambda entry: str(entry.name)
    )
    def test_an_agent_gives_its_engine_away_in_its_own_namespace_only(self, entry: t.Any) -> None:
        for place in entry.namespaces:
            found = detect(daemon_set(entry.agents[0], namespace=place))
            assert found.as_dict()["name"] == entry.name
            assert found.as_dict()["confidence"] == "certain"
        assert detect(daemon_set(entry.agents[0], namespace="somebodys")).name == "unknown"

    @pytest.mark.parametrize(
        "entry", [entry for entry in engines.ENGINES if entry.group], ids=lambda entry: str(entry.name)
    )
    def test_an_api_alone_makes_it_likely_and_proves_no_enforcement(self, entry: t.Any) -> None:
        found = detect(groups=[entry.group]).as_dict()
        assert (found["name"], found["confidence"], found["enforces"]) == (entry.name, "likely", None)

    def test_an_agent_beats_what_is_left_of_another_engine(self) -> None:
        found = detect(daemon_set("calico-node"), groups=["cilium.io", "crd.projectcalico.org"])
        assert (found.name, [each.engine.name for each in found.found]) == ("calico", ["calico"])

    def test_an_agent_that_no_node_is_to_run_is_none(self) -> None:
        """What a migration leaves, or a platform puts there switched off."""
        unwanted = {"observedGeneration": 3, "desiredNumberScheduled": 0}
        gone = daemon_set("calico-node", status=unwanted)
        flannel = daemon_set("kube-flannel", namespace="kube-flannel")
        assert detect(gone, flannel).enforces is False
        assert detect(gone).name == "unknown"
        left = detect(gone, groups=["crd.projectcalico.org"])
        assert (left.name, left.enforces) == ("calico", None)
        aws = daemon_set("aws-node", AWS_AGENT, status=unwanted)
        chosen = detect(daemon_set("cilium", container("cilium-agent", "cilium:v1.18.1")), aws, groups=["cilium.io"])
        assert ([each.engine.name for each in chosen.found], form(chosen, ON_NODE)) == (["cilium"], "entity")

    def test_an_agent_that_no_controller_has_counted_yet_is_one(self) -> None:
        assert detect(daemon_set("calico-node", status={"desiredNumberScheduled": 0})).name == "calico"

    def test_nothing_seen_is_unknown_and_gets_both(self) -> None:
        found = detect(groups=["apps"])
        assert found.as_dict()["enforces"] is None
        assert form(found) == "both"

    def test_the_version_is_the_tag_of_the_agents_image(self) -> None:
        images = {"quay.io/cilium/cilium:v1.19.0@sha256:01": "v1.19.0", "localhost:5000/cilium@sha256:01": ""}
        for image, version in images.items():
            found = detect(daemon_set("cilium", container("side", "x:v9"), container("cilium-agent", image)))
            assert found.as_dict()["version"] == version


CASES: list[tuple[str, Detected, str]] = [
    ("kube-network-policies", detect(daemon_set("kube-network-policies")), "endpoints"),
    ("kindnet", detect(daemon_set("kindnet", container("kindnet-cni", "kindest/kindnetd:v20250512-a"))), "endpoints"),
    ("calico", detect(daemon_set("calico-node", namespace="calico-system")), "endpoints"),
    ("canal", detect(daemon_set("rke2-canal")), "endpoints"),
    ("gke-dataplane-v2", detect(daemon_set("anetd"), groups=["cilium.io"], nodes=[GKE_NODE]), "endpoints"),
    ("ovn-kubernetes", detect(daemon_set("ovnkube-node", namespace="openshift-ovn-kubernetes")), "endpoints"),
    ("antrea", detect(daemon_set("antrea-agent")), "endpoints"),
    ("aws-vpc-cni", detect(daemon_set("aws-node", container("aws-node"), AWS_AGENT)), "service"),
    ("eks-auto", detect(nodes=[AUTO_NODE], enable_network_policy_controller="true"), "service"),
    ("azure-npm", detect(daemon_set("azure-npm")), "endpoints"),
    ("kube-router", detect(daemon_set("kube-router", container("kube-router"))), "both"),
    (
        "kube-router",
        detect(daemon_set("kube-router", container("kube-router", "", "--run-service-proxy=false"))),
        "endpoints",
    ),
    ("k3s", detect(nodes=[labelled(None, "v1.33.1+k3s1", {"k3s.io/node-args": '["server"]'})]), "endpoints"),
    ("weave", detect(daemon_set("weave-net", container("weave"), container("weave-npc"))), "endpoints"),
    ("flannel", detect(daemon_set("kube-flannel-ds", container("kube-network-policies"))), "endpoints"),
]


class TestForms:
    @pytest.mark.parametrize(("name", "detected", "expected"), CASES, ids=[f"{case[0]}-{case[2]}" for case in CASES])
    def test_each_engine_makes_its_form(self, name: str, detected: Detected, expected: str) -> None:
        assert detected.name == name
        assert detected.enforces
        assert form(detected) == expected

    def test_engines_that_match_nodes_do_not_care_where_the_api_server_is(self) -> None:
        assert form(detect(daemon_set("calico-node")), ON_NODE) == "endpoints"
        assert form(detect(daemon_set("calico-node")), frozenset()) == "endpoints"

    def test_two_engines_need_the_rules_of_both(self) -> None:
        found = detect(daemon_set("calico-node"), daemon_set("aws-node", AWS_AGENT))
        assert form(found) == "both"
        assert "calico and aws-vpc-cni" in found.warnings[0]
        assert found.as_dict()["also"] == ["aws-vpc-cni"]

    def test_rules_that_no_form_holds_together_are_refused(self) -> None:
        chained = detect(
            daemon_set("cilium", container("cilium-agent", "cilium:v1.19.0")),
            daemon_set("aws-node", AWS_AGENT),
            groups=["cilium.io"],
        )
        with pytest.raises(LockdownError) as caught:
            form(chained, ON_NODE)
        assert caught.value.code == "form_uncertain"

    def test_a_form_that_lacks_a_needed_rule_is_taken_with_a_warning(self) -> None:
        aws = detect(daemon_set("aws-node", AWS_AGENT))
        assert "before" in engine.choose_form("endpoints", aws, [API], ELSEWHERE).warnings[0]
        assert engine.choose_form("both", aws, [API], ELSEWHERE).warnings == ()


class TestCilium:
    def test_an_api_server_on_a_node_is_named_as_an_entity(self) -> None:
        found = resolve_api(api_slice("172.30.0.2"), seen={"engine": cilium("v1.19.0"), "nodes": ON_NODE}).as_dict()
        assert found["form"] == "entity"
        assert found["entity"] == {"entities": ["kube-apiserver"], "ports": [6443], "additive": True}
        assert [target["via"] for target in found["targets"]] == ["endpoints"]

    @pytest.mark.parametrize(("version", "additive"), [("v1.16.0", True), ("v1.15.9", False), ("latest", False)])
    def test_its_policy_can_be_additive_from_1_16_on(self, version: str, additive: bool) -> None:
        chosen = engine.choose_form("auto", cilium(version), [API], ON_NODE)
        assert (chosen.name, chosen.additive) == ("entity", additive)

    def test_apart_from_nodes_and_with_the_match_mode_addresses_do(self) -> None:
        assert form(cilium("v1.19.0")) == "endpoints"
        assert form(cilium("v1.19.0", policy_cidr_match_mode="nodes"), ON_NODE) == "endpoints"

    def test_a_cilium_that_is_too_old_for_the_match_mode_does_not_obey_it(self) -> None:
        assert form(cilium("v1.14.3", policy_cidr_match_mode="nodes"), ON_NODE) == "entity"

    def test_without_nodes_to_compare_with_nothing_is_certain(self) -> None:
        with pytest.raises(LockdownError, match="no Node lists an address"):
            form(cilium("v1.19.0"), frozenset())

    def test_without_its_api_there_is_no_entity(self) -> None:
        found = detect(daemon_set("cilium", container("cilium-agent", "cilium:v1.19.0")))
        with pytest.raises(LockdownError) as caught:
            form(found, ON_NODE)
        assert caught.value.code == "form_uncertain"

    def test_dataplane_v2_has_none_either(self) -> None:
        with pytest.raises(LockdownError, match="api_server_addresses"):
            form(detect(daemon_set("anetd"), groups=["cilium.io"]), ON_NODE)

    def test_another_engine_has_no_entity_to_ask_for(self) -> None:
        with pytest.raises(LockdownError, match="Cilium"):
            engine.choose_form("entity", detect(daemon_set("calico-node")), [API], ON_NODE)

    def test_its_settings_are_reported(self) -> None:
        found = cilium("v1.19.0", kube_proxy_replacement="true", cluster_name="mine").as_dict()
        assert found["settings"] == {"kube-proxy-replacement": "true"}
        assert found["cidr_matches_pods"] is False


IDLE: list[tuple[str, Detected]] = [
    ("flannel", detect(daemon_set("kube-flannel-ds", namespace="kube-flannel"))),
    ("aws-vpc-cni", detect(daemon_set("aws-node", container("agent", "", "--enable-network-policy=false")))),
    ("eks-auto", detect(nodes=[AUTO_NODE])),
    ("gke", detect(nodes=[GKE_NODE])),
    ("eks-fargate", detect(nodes=[labelled({"eks.amazonaws.com/compute-type": "fargate"})])),
    ("aks", detect(nodes=[labelled({"kubernetes.azure.com/cluster": "mc"})])),
    ("kindnet", detect(daemon_set("kindnet", container("kindnet-cni", "kindest/kindnetd:v20240202-a")))),
    ("kube-router", detect(daemon_set("kube-router", container("kube-router", "", "--run-firewall=false")))),
    ("k3s", detect(nodes=[labelled(None, "v1.33.1+k3s1", {"k3s.io/node-args": '["--disable-network-policy"]'})])),
    ("weave", detect(daemon_set("weave-net", container("weave")))),
    ("cilium", cilium("v1.19.0", enable_policy="never")),
    ("cilium", cilium("v1.19.0", enable_k8s_networkpolicy="false")),
]


class TestEnforcement:
    @pytest.mark.parametrize(("name", "detected"), IDLE, ids=[case[0] for case in IDLE])
    def test_an_engine_that_enforces_nothing_is_refused_unless_the_user_insists(
        self, name: str, detected: Detected
    ) -> None:
        assert (detected.name, detected.enforces) == (name, False)
        with pytest.raises(LockdownError) as caught:
            engine.check_enforced(detected, accepted=False)
        assert caught.value.code == "engine_enforces_nothing"
        assert "accept_unenforced" in caught.value.next_step
        assert "NOTHING IS ISOLATED" in engine.check_enforced(detected, accepted=True)[0]

    def test_one_that_enforces_beside_it_is_enough(self) -> None:
        beside = detect(daemon_set("kube-flannel-ds"), daemon_set("kube-network-policies"), nodes=[GKE_NODE])
        assert beside.name == "kube-network-policies"
        assert engine.check_enforced(beside, accepted=False) == ()

    def test_what_cannot_be_told_is_not_refused(self) -> None:
        for unsure in (
            detect(),
            cilium(),
            detect(nodes=[labelled(None, "v1.33.1+k3s1")]),
            detect(nodes=[labelled(None, "v1.33.1+k3s1", {"k3s.io/node-args": '["agent","--node-ip","10.0.0.5"]'})]),
            detect(daemon_set("kindnet")),
        ):
            assert unsure.enforces is None
            assert engine.check_enforced(unsure, accepted=False) == ()

    def test_the_ways_of_the_vpc_cni_are_said(self) -> None:
        strict = container("aws-node", env={"NETWORK_POLICY_ENFORCING_MODE": "strict"})
        fargate = labelled({"eks.amazonaws.com/compute-type": "fargate"})
        standard = detect(daemon_set("aws-node", container("aws-node"), AWS_AGENT), nodes=[fargate]).as_dict()
        assert any("open until" in text for text in standard["limits"])
        assert any("Fargate" in text for text in standard["limits"])
        found = detect(daemon_set("aws-node", strict, AWS_AGENT)).as_dict()
        assert not any("open until" in text for text in found["limits"])
        assert found["judges"] == "before_translation"


def test_a_plain_node_gives_nothing_away() -> None:
    assert detect(nodes=[node("one", "172.30.0.9")]).name == "unknown"
