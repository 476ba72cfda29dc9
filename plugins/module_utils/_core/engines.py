# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of policy engines: one entry says what gives an engine away and how it judges.

Order matters where several are found: the first is the one that is named.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.engine_records import (
    Behaviour,
    Engine,
    Reading,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import metadata

_CILIUM_ENTITY_SINCE = (1, 16)
_CILIUM_NODES_SINCE = (1, 15)
_KINDNET_POLICIES_SINCE = 20240813

_ESTABLISHED = "connections that stand before a policy comes are not cut"
_START_OPEN = "standard mode: a new pod is open until its policies have reached the node"
_FARGATE = "pods on Fargate are not isolated"


def _always(behaviour: Behaviour) -> t.Callable[[Reading], Behaviour]:
    return lambda _reading: behaviour


def _cilium(reading: Reading) -> Behaviour:
    """An ipBlock matches no Node unless the match mode says so, and never a pod."""
    modes = re.split(r"[\s,]+", reading.settings.get("policy-cidr-match-mode", ""))
    release = reading.release
    step = "Set policy-cidr-match-mode to nodes in ConfigMap kube-system/cilium-config"
    old = release is not None and release < _CILIUM_NODES_SINCE
    return Behaviour(
        enforces=reading.settings.get("enable-policy") != "never"
        and reading.settings.get("enable-k8s-networkpolicy") != "false",
        cidr_matches_nodes="nodes" in modes and not old,
        cidr_matches_pods=False,
        entity=reading.agent is not None,
        additive=release is not None and release >= _CILIUM_ENTITY_SINCE,
        limits=("an ipBlock matches no pod", "hostNetwork pods are outside of every policy"),
        next_step=f"{step} (Cilium 1.15 or newer) and restart its agents; or set option form, if another engine "
        "than Cilium enforces policies here",
    )


def _dataplane_v2(_reading: Reading) -> Behaviour:
    """Cilium, with a control plane that is no Node, and without Cilium's own policies."""
    return Behaviour(
        cidr_matches_nodes=False,
        cidr_matches_pods=False,
        limits=("an ipBlock matches no Node and no pod",),
        next_step="Give the address of the control plane that pods reach in api_server_addresses",
    )


def _vpc_cni(reading: Reading) -> Behaviour:
    """Its agent is installed with the CNI and does nothing until it is switched on."""
    agent = reading.agent
    words = agent.arguments() if agent else []
    limits = [_ESTABLISHED]
    if agent and agent.variable("NETWORK_POLICY_ENFORCING_MODE") != "strict":
        limits.append(_START_OPEN)
    if any((metadata(node).get("labels") or {}).get(_COMPUTE_TYPE) == "fargate" for node in reading.nodes):
        limits.append(_FARGATE)
    return Behaviour(
        enforces="--enable-network-policy=true" in words,
        after_translation=False,
        limits=tuple(limits),
        next_step="Set enableNetworkPolicy to true in the configuration of EKS add-on vpc-cni",
    )


def _eks_auto(reading: Reading) -> Behaviour:
    return Behaviour(
        enforces=reading.settings.get(_VPC_CNI_SWITCH) == "true",
        after_translation=False,
        limits=(
            _ESTABLISHED,
            "a new pod is open until its policies have reached the node, unless the NodeClass denies",
        ),
        next_step=f"Set {_VPC_CNI_SWITCH} to true in ConfigMap kube-system/amazon-vpc-cni",
    )


def _kindnet(reading: Reading) -> Behaviour:
    """Images are named by their day; policies came with one of them."""
    match = re.match(r"^v(\d{8})", reading.version)
    return Behaviour(
        enforces=int(match[1]) >= _KINDNET_POLICIES_SINCE if match else None,
        limits=(_ESTABLISHED,),
        next_step="Use kind 0.24 or newer, or another CNI",
    )


def _kube_router(reading: Reading) -> Behaviour:
    """With its own Service proxy (IPVS) the filter sees the Service's address, with kube-proxy the endpoint's."""
    words = reading.agent.arguments() if reading.agent else []
    return Behaviour(
        enforces="--run-firewall=false" not in words,
        after_translation=True if "--run-service-proxy=false" in words else None,
        limits=(_ESTABLISHED,),
        next_step="Run kube-router with --run-firewall=true",
    )


def _k3s(reading: Reading) -> Behaviour:
    """The policy controller is built into its servers, and their arguments tell whether it is off."""
    written = [str((metadata(node).get("annotations") or {}).get("k3s.io/node-args") or "") for node in reading.nodes]
    # An agent's arguments do not say what its server was told.
    servers = [text for text in written if text.startswith('["server"')]
    off = any("--disable-network-policy" in text for text in written)
    return Behaviour(
        enforces=False if off else True if servers else None,
        limits=(_ESTABLISHED,),
        next_step="Start the k3s servers without --disable-network-policy",
    )


def _weave(reading: Reading) -> Behaviour:
    agent = reading.agent
    return Behaviour(
        enforces=agent is None or (agent.container("weave-npc") is not None and agent.variable("EXPECT_NPC") != "0"),
        limits=(_ESTABLISHED, "Weave Net is no longer maintained"),
        next_step="Run the container weave-npc beside weave, or another CNI",
    )


def _flannel(reading: Reading) -> Behaviour:
    """It carries packets; newer charts can put a policy engine beside it."""
    beside = reading.agent is not None and reading.agent.container("kube-network-policies") is not None
    return Behaviour(enforces=beside, limits=(_ESTABLISHED,) if beside else (), next_step=_ADD_ENGINE)


_ADD_ENGINE = "Install a policy engine, for instance kube-network-policies or Calico"
_COMPUTE_TYPE = "eks.amazonaws.com/compute-type"
_VPC_CNI_SWITCH = "enable-network-policy-controller"
_BY_ADDRESS = Behaviour(limits=(_ESTABLISHED,))

ENGINES: tuple[Engine, ...] = (
    Engine(
        "cilium",
        _cilium,
        agents=("cilium",),
        namespaces=("kube-system", "cilium", "cilium-system"),
        group="cilium.io",
        container="cilium-agent",
        settings_from=("kube-system", "cilium-config"),
        settings=("policy-cidr-match-mode", "kube-proxy-replacement", "enable-policy", "enable-k8s-networkpolicy"),
    ),
    Engine("gke-dataplane-v2", _dataplane_v2, agents=("anetd",), container="cilium-agent"),
    Engine("canal", _always(_BY_ADDRESS), agents=("canal", "rke2-canal"), container="calico-node"),
    Engine(
        "calico",
        _always(_BY_ADDRESS),
        agents=("calico-node",),
        namespaces=("kube-system", "calico-system"),
        group="crd.projectcalico.org",
        container="calico-node",
    ),
    Engine(
        "ovn-kubernetes",
        _always(Behaviour()),
        agents=("ovnkube-node",),
        namespaces=("openshift-ovn-kubernetes", "ovn-kubernetes"),
        group="k8s.ovn.org",
    ),
    Engine(
        "antrea",
        _always(Behaviour()),
        agents=("antrea-agent",),
        group="crd.antrea.io",
        container="antrea-agent",
    ),
    Engine("aws-vpc-cni", _vpc_cni, agents=("aws-node",), container="aws-node"),
    Engine(
        "eks-auto",
        _eks_auto,
        node_label=f"{_COMPUTE_TYPE}=auto",
        settings_from=("kube-system", "amazon-vpc-cni"),
        settings=(_VPC_CNI_SWITCH,),
    ),
    Engine("azure-npm", _always(_BY_ADDRESS), agents=("azure-npm",), container="azure-npm"),
    Engine("kube-network-policies", _always(_BY_ADDRESS), agents=("kube-network-policies",)),
    Engine("kindnet", _kindnet, agents=("kindnet",), container="kindnet-cni"),
    Engine("kube-router", _kube_router, agents=("kube-router",), container="kube-router"),
    Engine("weave", _weave, agents=("weave-net",), container="weave"),
    Engine("k3s", _k3s, kubelet="+k3s"),
    Engine(
        "flannel",
        _flannel,
        agents=("kube-flannel-ds", "kube-flannel"),
        namespaces=("kube-system", "kube-flannel"),
        container="kube-flannel",
    ),
    # Managed clusters whose nodes are known to enforce nothing by themselves.
    Engine(
        "eks-fargate",
        _always(Behaviour(enforces=False, next_step="Run Ignite on nodes with a policy engine, not on Fargate")),
        node_label=f"{_COMPUTE_TYPE}=fargate",
    ),
    Engine(
        "gke",
        _always(Behaviour(enforces=False, next_step="Enable Dataplane V2 or network policy enforcement")),
        node_label="cloud.google.com/gke-nodepool",
    ),
    Engine(
        "aks",
        _always(
            Behaviour(enforces=False, next_step="Create the cluster with a network policy engine (cilium or calico)")
        ),
        node_label="kubernetes.azure.com/cluster",
    ),
)
