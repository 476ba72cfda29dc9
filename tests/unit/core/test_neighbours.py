# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies of other kinds, sidecars and GitOps: what concerns our pods besides NetworkPolicies."""

from __future__ import annotations

import copy
import typing as t
from dataclasses import replace

import pytest
from policies import IGNITE, INSTANCE, NAMESPACE, allow, deny_all, live, pod

from ansible_collections.netguard.lockdown.plugins.module_utils._core import engine, neighbours, ownership
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.neighbours import KINDS, Subject, judge
from ansible_collections.netguard.lockdown.plugins.module_utils._core.plan import Wanted, make_plan
from ansible_collections.netguard.lockdown.plugins.module_utils._core.preflight import Accepted, Preflight
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import foreign
from ansible_collections.netguard.lockdown.plugins.module_utils._kube import neighbour_reader
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import from_status
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session

Json = dict[str, t.Any]

SUBJECT = Subject(NAMESPACE, {"kubernetes.io/metadata.name": NAMESPACE, "team": "cache"}, [{"app": "ignite"}])
OURS: Json = {"namespaces": {"matchLabels": {"team": "cache"}}}
OTHERS: Json = {"namespaces": {"matchLabels": {"team": "shop"}}}


def effect(kind: str, spec: Json | None, api: str = "", namespace: str = "", **more: t.Any) -> str:
    """The effect on our pods; "-" where the policy does not concern them."""
    entry = next(each for each in KINDS if each.kind == kind and each.api.startswith(api))
    metadata = {"name": "theirs", **({"namespace": namespace} if namespace else {})}
    found = judge(entry, {"metadata": metadata, **({"spec": spec} if spec is not None else {}), **more}, SUBJECT)
    return found.effect if found else "-"


def rules(*actions: str) -> list[Json]:
    return [{"action": action, "to": [{"networks": ["0.0.0.0/0"]}]} for action in actions]


class TestAdmin:
    @pytest.mark.parametrize(
        ("spec", "expected"),
        [
            ({"subject": OURS, "egress": rules("Allow")}, "widens"),
            ({"subject": OURS, "ingress": rules("Deny", "Allow")}, "widens"),
            ({"subject": OURS, "egress": rules("Deny")}, "restricts"),
            ({"subject": OURS, "egress": rules("Pass")}, "none"),
            ({"subject": OURS}, "none"),
            ({"subject": OTHERS, "egress": rules("Allow")}, "-"),
            ({"subject": {"namespaces": {}}, "egress": rules("Allow")}, "widens"),
            (
                {"subject": {"pods": {"namespaceSelector": {}, "podSelector": IGNITE}}, "egress": rules("Allow")},
                "widens",
            ),
            (
                {"subject": {"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "x"}}}}},
                "-",
            ),
            ({"subject": OURS, "egress": rules("Teleport")}, "inconclusive"),
            ({"subject": {"future": {}}, "egress": rules("Allow")}, "inconclusive"),
            ({"subject": OURS, "egress": [{}]}, "inconclusive"),
        ],
    )
    def test_admin_network_policy(self, spec: Json, expected: str) -> None:
        assert effect("AdminNetworkPolicy", spec) == expected

    def test_a_baseline_yields_to_the_isolation_of_our_policies(self) -> None:
        spec = {"subject": OURS, "egress": rules("Allow")}
        assert effect("BaselineAdminNetworkPolicy", spec) == "none"
        cluster = {"api": "policy.networking.k8s.io"}
        assert effect("ClusterNetworkPolicy", {**spec, "tier": "Baseline"}, **cluster) == "none"
        accepting = {**spec, "tier": "Admin", "egress": rules("Accept")}
        assert effect("ClusterNetworkPolicy", accepting, **cluster) == "widens"


class TestCilium:
    @pytest.mark.parametrize(
        ("selector", "expected"),
        [
            ({}, "widens"),
            ({"matchLabels": {"app": "ignite"}}, "widens"),
            ({"matchLabels": {"k8s:app": "ignite"}}, "widens"),
            ({"matchLabels": {"any:app": "shop"}}, "-"),
            ({"matchLabels": {"k8s:io.kubernetes.pod.namespace": NAMESPACE}}, "widens"),
            ({"matchLabels": {"io.kubernetes.pod.namespace": "elsewhere"}}, "-"),
            ({"matchLabels": {"k8s:io.cilium.k8s.namespace.labels.team": "cache"}}, "widens"),
            ({"matchLabels": {"k8s:io.cilium.k8s.namespace.labels.team": "shop"}}, "-"),
            ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, "widens"),
            ({"matchLabels": {"reserved:health": ""}}, "inconclusive"),
            ({"matchLabels": {"k8s:io.cilium.k8s.policy.serviceaccount": "default"}}, "inconclusive"),
            ({"matchLabels": {"io.cilium.k8s.policy.cluster": "default", "app": "ignite"}}, "inconclusive"),
            ({"matchLabels": {"io.cilium.k8s.policy.cluster": "default", "app": "shop"}}, "inconclusive"),
        ],
    )
    def test_its_selectors(self, selector: Json, expected: str) -> None:
        spec = {"endpointSelector": selector, "egress": [{"toEntities": ["world"]}]}
        assert effect("CiliumClusterwideNetworkPolicy", spec) == expected

    @pytest.mark.parametrize(
        ("spec", "expected"),
        [
            ({"ingressDeny": [{"fromEntities": ["world"]}]}, "restricts"),
            ({"ingress": [{}]}, "none"),
            ({"egress": []}, "none"),
            ({"nodeSelector": {}, "egress": [{"toEntities": ["all"]}]}, "-"),
        ],
    )
    def test_its_rules(self, spec: Json, expected: str) -> None:
        assert effect("CiliumClusterwideNetworkPolicy", {"endpointSelector": {}, **spec}) == expected

    def test_one_of_several_rule_sets_is_enough(self) -> None:
        specs = [
            {"endpointSelector": {"matchLabels": {"app": "x"}}},
            {"endpointSelector": {}, "egress": [{"toEntities": ["all"]}]},
        ]
        assert effect("CiliumNetworkPolicy", None, namespace=NAMESPACE, specs=specs) == "widens"
        assert effect("CiliumNetworkPolicy", None, namespace="elsewhere", specs=specs) == "-"


class TestCalico:
    @pytest.mark.parametrize(
        ("spec", "expected"),
        [
            ({}, "widens"),
            ({"selector": "all()"}, "widens"),
            ({"selector": "app == 'ignite'"}, "widens"),
            ({"selector": 'app == "ignite" && has(app) && !has(other)'}, "widens"),
            ({"selector": "app != 'ignite'"}, "-"),
            ({"selector": "app == 'shop'"}, "-"),
            ({"selector": "app in {'ignite'}"}, "inconclusive"),
            ({"selector": "app in {'x'} && app == 'shop'"}, "-"),
            ({"namespaceSelector": "team == 'shop'"}, "-"),
            ({"namespaceSelector": "team == 'cache'"}, "widens"),
            ({"serviceAccountSelector": "all()"}, "inconclusive"),
            ({"selector": f"projectcalico.org/namespace == '{NAMESPACE}'"}, "widens"),
            ({"selector": "projectcalico.org/namespace == 'elsewhere'"}, "-"),
            ({"selector": "projectcalico.org/orchestrator == 'k8s'"}, "widens"),
            ({"selector": "has(projectcalico.org/namespace) && app == 'ignite'"}, "widens"),
            ({"selector": "projectcalico.org/serviceaccount == 'default'"}, "inconclusive"),
            ({"selector": "pcns.team == 'cache'"}, "widens"),
            ({"selector": "pcns.team == 'shop'"}, "-"),
            ({"selector": "pcsa.role == 'cache'"}, "inconclusive"),
            ({"namespaceSelector": f"projectcalico.org/name == '{NAMESPACE}'"}, "widens"),
            ({"namespaceSelector": "projectcalico.org/name == 'elsewhere'"}, "-"),
        ],
    )
    def test_its_selectors(self, spec: Json, expected: str) -> None:
        assert effect("GlobalNetworkPolicy", {**spec, "egress": [{"action": "Allow"}]}) == expected

    def test_its_actions(self) -> None:
        for action, expected in (("Deny", "restricts"), ("Log", "none"), ("Pass", "none"), ("Allow", "widens")):
            assert effect("NetworkPolicy", {"ingress": [{"action": action}]}, "crd.projectcalico.org") == expected

    @pytest.mark.parametrize(("tier", "expected"), [("security", "restricts"), ("default", "none"), ("", "none")])
    def test_a_tier_of_its_own_denies_what_it_does_not_pass(self, tier: str, expected: str) -> None:
        spec = {"tier": tier, "types": ["Ingress", "Egress"]}
        assert effect("GlobalNetworkPolicy", spec) == expected
        assert effect("GlobalNetworkPolicy", {**spec, "ingress": [{"action": "Allow"}]}) == "widens"


class TestOthers:
    @pytest.mark.parametrize(
        ("spec", "expected"),
        [
            ({"appliedTo": [{"podSelector": IGNITE}], "egress": [{"action": "Allow"}]}, "widens"),
            ({"appliedTo": [{"namespaceSelector": {"matchLabels": {"team": "shop"}}}], "egress": [{}]}, "-"),
            ({"appliedTo": [{"podSelector": {}}], "egress": [{"action": "Drop"}]}, "restricts"),
            ({"appliedTo": [{"group": "databases"}], "egress": [{"action": "Allow"}]}, "inconclusive"),
            ({"egress": [{"action": "Reject", "appliedTo": [{"podSelector": {}}]}]}, "restricts"),
        ],
    )
    def test_antrea(self, spec: Json, expected: str) -> None:
        assert effect("ClusterNetworkPolicy", spec, "crd.antrea.io") == expected

    @pytest.mark.parametrize("kind", ["ApplicationNetworkPolicy", "FQDNNetworkPolicy"])
    def test_those_of_platforms_that_add_to_network_policies(self, kind: str) -> None:
        rule = [{"to": [{"domainNames": ["*.example.com"]}]}]
        assert effect(kind, {"podSelector": IGNITE, "egress": rule}) == "widens"
        assert effect(kind, {"podSelector": {}, "egress": rule}) == "widens"
        assert effect(kind, {"podSelector": {"matchLabels": {"app": "shop"}}, "egress": rule}) == "-"
        assert effect(kind, {"podSelector": IGNITE}) == "none"

    def test_the_cluster_policy_of_eks(self) -> None:
        api = "networking.k8s.aws"
        spec = {"tier": "Admin", "subject": OURS, "egress": rules("Accept")}
        assert effect("ClusterNetworkPolicy", spec, api) == "widens"
        assert effect("ClusterNetworkPolicy", {**spec, "tier": "Baseline"}, api) == "none"
        assert effect("ClusterNetworkPolicy", {**spec, "subject": OTHERS}, api) == "-"

    def test_an_egress_firewall_only_takes(self) -> None:
        assert effect("EgressFirewall", {"egress": [{"type": "Allow"}, {"type": "Deny"}]}) == "restricts"
        assert effect("EgressFirewall", {"egress": [{"type": "Allow"}]}) == "none"

    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.api}-{kind.kind}")
    @pytest.mark.parametrize("spec", [None, [], {"subject": 1, "appliedTo": [3], "endpointSelector": [1], "egress": 5}])
    def test_no_form_raises(self, kind: neighbours.Kind, spec: t.Any) -> None:
        found = judge(kind, {"metadata": {"name": "odd"}, "spec": spec}, SUBJECT)
        assert found is None or found.effect in ("inconclusive", "none", "restricts", "widens")


class Served:
    """A session of a cluster that has these paths; the others are not there, or forbidden."""

    def __init__(self, paths: dict[str, list[Json]], forbidden: t.Collection[str] = ()) -> None:
        self.paths, self.forbidden = paths, forbidden

    def list(self, path: str) -> t.Any:
        if path in self.forbidden:
            raise from_status("GET", path, "host", 403, {"message": 'User "u" cannot list resource "x"'})
        if path not in self.paths:
            raise from_status("GET", path, "host", 404, {"message": "not found"})
        return self.paths[path]

    def find(self, _path: str) -> None:
        return None


class TestReading:
    def judged(self, apis: list[str], *args: t.Any) -> list[tuple[str, str]]:
        session = t.cast(Session, Served(*args))
        seen = neighbour_reader.read(session, NAMESPACE, apis)
        return [(each.label, each.effect) for each in seen.judged(session, NAMESPACE, [{"app": "ignite"}])]

    def test_a_version_that_came_later_is_read_as_well(self) -> None:
        theirs = {"metadata": {"name": "all"}, "spec": {"subject": {"namespaces": {}}, "egress": rules("Accept")}}
        path = "/apis/policy.networking.k8s.io/v1beta1/clusternetworkpolicies"
        apis = ["policy.networking.k8s.io/v1", "policy.networking.k8s.io/v1beta1"]
        assert self.judged(apis, {path: [theirs]}) == [("ClusterNetworkPolicy.policy.networking.k8s.io/all", "widens")]
        forbidden = self.judged(apis, {}, [path])
        assert forbidden == [("ClusterNetworkPolicy.policy.networking.k8s.io/*", "inconclusive")]

    def test_calico_without_its_older_api(self) -> None:
        theirs = {"metadata": {"name": "all"}, "spec": {"egress": [{"action": "Allow"}]}}
        path = "/apis/projectcalico.org/v3/globalnetworkpolicies"
        old = "/apis/crd.projectcalico.org/v1/globalnetworkpolicies"
        assert self.judged(["projectcalico.org/v3"], {path: [theirs]}) == [("GlobalNetworkPolicy/all", "widens")]
        both = ["projectcalico.org/v3", "crd.projectcalico.org/v1"]
        assert self.judged(both, {path: [theirs], old: [theirs]}) == [("GlobalNetworkPolicy/all", "widens")]
        assert self.judged(["projectcalico.org/v3"], {}, [path]) == [("GlobalNetworkPolicy/*", "inconclusive")]

    def test_every_group_that_may_hold_some_is_told_and_audited(self) -> None:
        assert neighbours.GROUPS <= engine.POLICY_GROUPS
        assert set(foreign.RESOURCES) == neighbours.GROUPS
        assert "projectcalico.org" not in foreign.resources(["projectcalico.org", "crd.projectcalico.org"])
        assert set(foreign.resources(["projectcalico.org", "apps"])) == {"projectcalico.org"}


def preflight(*pods: Json, served: list[Json] | None = None, **spec: t.Any) -> Preflight:
    made = make_plan(Wanted([allow(**spec), deny_all()]), served or [], instance=INSTANCE)
    return Preflight.of(made, INSTANCE, list(pods))


def carrying(*containers: str, **spec: t.Any) -> Json:
    made = pod("ignite-0", {"app": "ignite"})
    return {**made, "spec": {"containers": [{"name": name} for name in containers], **spec}}


DNS: Json = {"to": [{"podSelector": {}}], "ports": [{"protocol": "UDP", "port": 53}]}


class TestPreflight:
    def test_one_that_widens_is_refused_unless_it_is_accepted_by_kind_and_name(self) -> None:
        theirs = neighbours.Neighbour("AdminNetworkPolicy", "", "monitoring", "widens", "why")
        judged = replace(preflight(carrying("ignite")), neighbours=[theirs])
        with pytest.raises(LockdownError) as caught:
            judged.check(Accepted())
        assert caught.value.code == "foreign_policies"
        assert "AdminNetworkPolicy/monitoring" in str(caught.value)
        accepted = Accepted(foreign_policies=["AdminNetworkPolicy/monitoring"])
        judged.check(accepted)
        assert judged.as_dict(accepted, [])["other_policies"][0]["accepted"] is True

    def test_what_cannot_be_told_and_what_denies_are_warnings(self) -> None:
        unknown = neighbours.unreadable(KINDS[0])
        denying = neighbours.Neighbour("EgressFirewall", NAMESPACE, "default", "restricts", "why")
        judged = replace(preflight(carrying("ignite")), neighbours=[unknown, denying])
        judged.check(Accepted())
        first, second = judged.warnings()
        assert "AdminNetworkPolicy/*" in first
        assert "cannot be told" in first
        assert "EgressFirewall/default may deny" in second

    def test_a_sidecar_needs_dns(self) -> None:
        with pytest.raises(LockdownError) as caught:
            preflight(carrying("ignite", "istio-proxy")).check(Accepted())
        assert caught.value.code == "sidecar_needs_dns"
        preflight(carrying("ignite", "istio-proxy"), egress=[DNS]).check(Accepted())

    def test_its_missing_flows_are_named(self) -> None:
        (warning,) = preflight(carrying("ignite", "istio-proxy"), egress=[DNS]).warnings()
        assert "TCP 15012 to istiod" in warning
        control = {"to": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 15000, "endPort": 15020}]}
        assert preflight(carrying("ignite", "istio-proxy"), egress=[DNS, control]).warnings() == []
        as_init = carrying("ignite", initContainers=[{"name": "linkerd-proxy"}])
        (warning,) = preflight(as_init, egress=[DNS]).warnings()
        assert "TCP 8086" in warning

    def test_ways_that_no_network_policy_sees_are_told(self) -> None:
        made = carrying("ignite")
        marks = {"k8s.v1.cni.cncf.io/networks": "storage-net", "ambient.istio.io/redirection": "enabled"}
        made["metadata"]["annotations"] = marks
        networks, mesh = preflight(made).warnings()
        assert "further networks" in networks
        assert "TCP 15008" in mesh
        tunnel = {"to": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 15008}]}
        assert preflight(made, egress=[tunnel]).warnings() == [networks]
        made["metadata"]["annotations"] = {"ambient.istio.io/redirection": "disabled"}
        assert preflight(made).warnings() == []

    def test_own_name_servers_of_pods_need_a_rule(self) -> None:
        asking = carrying("ignite", dnsConfig={"nameservers": ["127.0.0.1", "10.0.0.53", "fd00::53"]})
        (warning,) = preflight(asking).warnings()
        assert "10.0.0.53, fd00::53" in warning
        block = {"to": [{"ipBlock": {"cidr": "10.0.0.53/32"}}, {"ipBlock": {"cidr": "fd00::/64"}}]}
        assert preflight(asking, egress=[block]).warnings() == []
        local = carrying("ignite", dnsConfig={"nameservers": ["127.0.0.1", "::1"]})
        assert preflight(local).warnings() == []

    @pytest.mark.parametrize(
        "mark",
        [
            {"annotations": {"argocd.argoproj.io/tracking-id": "app:networking.k8s.io/NetworkPolicy:x"}},
            {"labels": {"argocd.argoproj.io/instance": "app", **ownership.labels_for(INSTANCE)}},
            {"labels": {"kustomize.toolkit.fluxcd.io/name": "app", **ownership.labels_for(INSTANCE)}},
        ],
    )
    def test_what_gitops_keeps_is_not_changed(self, mark: Json) -> None:
        kept = live(allow())
        kept["metadata"].update(copy.deepcopy(mark))
        with pytest.raises(LockdownError) as caught:
            preflight(carrying("ignite"), served=[kept], egress=[DNS]).check(Accepted())
        assert caught.value.code == "gitops_owned"
        assert "render" in caught.value.next_step
        # As long as there is nothing to change, there is nothing to revert.
        preflight(carrying("ignite"), served=[kept, live(deny_all())]).check(Accepted())

    def test_a_field_manager_of_gitops_counts_as_well(self) -> None:
        kept = live(allow())
        kept["metadata"]["managedFields"].append({"manager": "kustomize-controller", "operation": "Apply"})
        assert ownership.gitops_owner(kept).startswith("Flux")
        assert ownership.gitops_owner(live(allow())) == ""
