# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's own programs: built from the Go modules in tools/, kept in the lab's cache."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from lab.binaries import ETCD, KUBE_APISERVER, Report, Tool, cached_or_built, to_stderr
from lab.cluster.engines import KUBE_NETWORK_POLICIES

COREDNS = Tool("coredns", "coredns", "github.com/coredns/coredns", "github.com/coredns/coredns")
ENGINE_A = Tool(
    KUBE_NETWORK_POLICIES,
    "kube-network-policies",
    "sigs.k8s.io/kube-network-policies/cmd",
    "sigs.k8s.io/kube-network-policies",
)


def _kubernetes(name: str) -> Tool:
    return dataclasses.replace(KUBE_APISERVER, name=name, package=f"k8s.io/kubernetes/cmd/{name}")


# The order of a cold build: what shares most packages with its neighbour comes next to it.
TOOLS = {
    "etcd": ETCD,
    "kube_apiserver": KUBE_APISERVER,
    "kube_controller_manager": _kubernetes("kube-controller-manager"),
    "kube_scheduler": _kubernetes("kube-scheduler"),
    "kube_proxy": _kubernetes("kube-proxy"),
    "kubelet": _kubernetes("kubelet"),
    "kube_network_policies": ENGINE_A,
    "coredns": COREDNS,
}


@dataclass(frozen=True)
class Programs:
    """Where each program of the cluster is."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kube_scheduler: Path
    kube_proxy: Path
    kubelet: Path
    kube_network_policies: Path
    coredns: Path


def find_or_build(report: Report = to_stderr) -> Programs:
    """Every program from the cache, or built one after the other (about 20 minutes on two cores, once)."""
    return Programs(**{field: cached_or_built(tool, report) for field, tool in TOOLS.items()})
