# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's own programs: built from the Go modules in tools/, kept in the lab's cache."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.binaries import ETCD, KUBE_APISERVER, Report, Tool, cached_or_built, cached_sources, to_stderr
from lab.cluster.engines import KUBE_NETWORK_POLICIES, Engine

COREDNS = Tool("coredns", "coredns", ".", "github.com/coredns/coredns")
ENGINE_A = Tool(
    KUBE_NETWORK_POLICIES.name,
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
    """Where each program of the cluster is, and by their own names what the engine needs beside it."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kube_scheduler: Path
    kube_proxy: Path
    kubelet: Path
    kube_network_policies: Path
    coredns: Path
    of_engine: Mapping[str, Path] = field(default_factory=dict)

    def words(self) -> list[str]:
        """The same as words of a command line."""
        return [*(str(getattr(self, name)) for name in TOOLS), *(f"{key}={it}" for key, it in self.of_engine.items())]

    @classmethod
    def from_words(cls, words: Sequence[str]) -> Programs:
        pairs = (word.split("=", 1) for word in words[len(TOOLS) :])
        common = {field: Path(word) for field, word in zip(TOOLS, words, strict=False)}
        return cls(**common, of_engine={name: Path(path) for name, path in pairs})


def find_or_build(engine: Engine, report: Report = to_stderr) -> Programs:
    """Every program from the cache, or built one after the other (about ten minutes on two cores, once)."""
    common = {field: cached_or_built(tool, report) for field, tool in TOOLS.items()}
    own = {tool.name: cached_or_built(tool, report) for tool in engine.tools}
    read = {name: cached_sources(tool, name, report) for name, tool in engine.sources.items()}
    return Programs(**common, of_engine={**own, **read})
