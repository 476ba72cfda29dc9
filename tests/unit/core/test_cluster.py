# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identity and address ranges of a cluster."""

from __future__ import annotations

import ipaddress

import pytest
import yaml
from builders import Json, ip, node, obj

from ansible_collections.netguard.lockdown.plugins.module_utils._core import cluster
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

KUBE_SYSTEM = obj("Namespace", "kube-system", metadata={"uid": "uid-1"})


def kubeadm(networking: object) -> Json:
    text = yaml.safe_dump({"kind": "ClusterConfiguration", "networking": networking})
    return obj("ConfigMap", "kubeadm-config", "kube-system", data={"ClusterConfiguration": text})


@pytest.mark.parametrize("pin", [None, "", "uid-1"])
def test_the_cluster_is_the_pinned_one(pin: str | None) -> None:
    assert cluster.identity(KUBE_SYSTEM, pin, "https://here") == "uid-1"


def test_another_cluster_is_an_error_that_names_both() -> None:
    with pytest.raises(LockdownError) as error:
        cluster.identity(KUBE_SYSTEM, "uid-2", "https://here")
    assert error.value.code == "wrong_cluster"
    assert all(part in str(error.value) for part in ("uid-1", "uid-2", "https://here"))


@pytest.mark.parametrize("answer", [{}, {"metadata": {}}, {"metadata": None}])
def test_an_answer_without_uid_is_not_kubernetes(answer: Json) -> None:
    with pytest.raises(LockdownError) as error:
        cluster.identity(answer, None, "https://here")
    assert error.value.code == "api_not_kubernetes"


def test_pod_ranges_of_nodes_are_joined_where_they_touch() -> None:
    nodes = [
        node("a", pod_cidrs=["10.244.0.0/24", "fd00::/64"]),
        node("b", pod_cidrs=["10.244.1.0/24", "fd00:0:0:1::/64"]),
        node("c", pod_cidrs=["10.244.9.0/24"]),
        node("d"),
    ]
    found = cluster.node_ranges(nodes)
    assert [str(block) for block in found.pods] == ["10.244.0.0/23", "10.244.9.0/24", "fd00::/63"]
    assert [source.name for source in found.sources] == ["a", "b", "c"]


def test_a_node_with_the_old_single_field_counts() -> None:
    old = node("a")
    old["spec"]["podCIDR"] = "10.244.0.0/24"
    assert cluster.node_ranges([old]).pods == (ipaddress.ip_network("10.244.0.0/24"),)


def test_nodes_without_ranges_tell_nothing() -> None:
    assert cluster.node_ranges([node("a"), node("b")]) == cluster.Ranges()


def test_kubeadm_knows_both_ranges_in_both_families() -> None:
    found = cluster.kubeadm_ranges(
        kubeadm({"podSubnet": "10.244.0.0/16, fd00:10:244::/56", "serviceSubnet": "10.96.0.0/12"})
    )
    assert [str(block) for block in found.pods] == ["10.244.0.0/16", "fd00:10:244::/56"]
    assert [str(block) for block in found.services] == ["10.96.0.0/12"]


@pytest.mark.parametrize("networking", [None, {}, {"podSubnet": None}, {"podSubnet": ""}])
def test_a_kubeadm_configuration_may_leave_them_out(networking: object) -> None:
    found = cluster.kubeadm_ranges(kubeadm(networking))
    assert (found.pods, found.services) == ((), ())


@pytest.mark.parametrize("networking", [{"podSubnet": "10.244.0.0/77"}, {"serviceSubnet": "everything"}])
def test_a_range_that_is_none_is_an_error(networking: object) -> None:
    with pytest.raises(LockdownError) as error:
        cluster.kubeadm_ranges(kubeadm(networking))
    assert error.value.code == "unreadable_configuration"
    assert "kubeadm-config" in str(error.value)


def test_node_addresses_are_all_ip_addresses_they_list() -> None:
    found = cluster.node_addresses([node("node-1", "172.30.0.2", "2001:db8::2"), {"metadata": {"name": "x"}}])
    assert found == {ip("172.30.0.2"), ip("2001:db8::2")}
