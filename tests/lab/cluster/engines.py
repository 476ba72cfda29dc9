# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy engines that the cluster can run, by the names that `--engine` and `ENGINE` take.

How each is started is in drivers.py; this here is known without anything that must be installed first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.binaries import Tool
from lab.errors import LabError


@dataclass(frozen=True)
class Trial:
    """A command that is tried in throw-away namespaces, and what the machine lacks when it fails."""

    namespaces: Sequence[str]
    script: str
    lacks: str


@dataclass(frozen=True)
class Engine:
    """What an engine needs beyond what every cluster does: nobody waits for it who does not ask for that engine.

    :arg tools: its programs.
    :arg sources: folders of its module that it reads while it runs, each with the program whose module that is.
    :arg dual_stack: whether its cluster can have IPv6 besides.
    :arg packages: Debian packages, each with a program by which it is recognised.
    """

    name: str
    tools: Sequence[Tool] = ()
    sources: Mapping[str, Tool] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    trials: Sequence[Trial] = ()
    dual_stack: bool = False


# Its program is in an image, and images are assembled once for all engines: it is built with those of every cluster.
KUBE_NETWORK_POLICIES = Engine(
    "kube-network-policies",
    dual_stack=True,
    trials=(
        Trial(
            ["--net"],
            "iptables -t mangle -A POSTROUTING"
            " -m conntrack --ctstate NEW -m owner --uid-owner 0 -j NFQUEUE --queue-num 98",
            "packet queues (kernel options CONFIG_NETFILTER_XT_TARGET_NFQUEUE, _MATCH_CONNTRACK, _MATCH_OWNER)",
        ),
    ),
)


def _cilium(name: str, package: str, tags: str = "") -> Tool:
    return Tool(name, "cilium", f"github.com/cilium/cilium/{package}", "github.com/cilium/cilium", tags=tags)


CILIUM_AGENT = _cilium("cilium-agent", "daemon")
CILIUM_OPERATOR = _cilium("cilium-operator", "operator", tags="ipam_provider_operator")
CILIUM_CNI = _cilium("cilium-cni", "plugins/cilium-cni")
CILIUM_DBG = _cilium("cilium-dbg", "cilium-dbg")
CILIUM_SOURCES = "bpf"
CLANG = "clang-19"
CILIUM = Engine(
    "cilium",
    tools=(CILIUM_AGENT, CILIUM_OPERATOR, CILIUM_CNI, CILIUM_DBG),
    sources={CILIUM_SOURCES: CILIUM_AGENT},
    packages={CLANG: CLANG, "bpftool": "bpftool"},
    trials=(
        Trial(
            ["--mount", "--propagation=private"],
            "mount -t bpf x /mnt && mount -t cgroup2 x /mnt",
            "BPF and control groups of version 2 (kernel options CONFIG_BPF_SYSCALL, CONFIG_CGROUP_BPF)",
        ),
        Trial(
            ["--net"],
            "ip link add lab0 type veth peer name lab1 && tc qdisc add dev lab0 clsact",
            "BPF programs on links (kernel options CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_BPF)",
        ),
    ),
)
ENGINES = {engine.name: engine for engine in (KUBE_NETWORK_POLICIES, CILIUM)}
DEFAULT, ALL = KUBE_NETWORK_POLICIES.name, "all"


def known(name: str) -> Engine:
    """The engine of this name, the usual one for an empty name; else an error that lists them."""
    if name and name not in ENGINES:
        raise LabError(f"There is no policy engine {name!r}", next_step=f"use one of: {', '.join(ENGINES)}")
    return ENGINES[name or DEFAULT]


def chosen(word: str) -> list[Engine]:
    """The engine of this name, every one for the word `all`."""
    return list(ENGINES.values()) if word == ALL else [known(word)]
