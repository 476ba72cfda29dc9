# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SIG Network's engine: a DaemonSet that judges packets which the kernel queues for it, on a plain CNI."""

from __future__ import annotations

from pathlib import Path

from lab import objects
from lab.client import Manifest
from lab.cluster import node, workloads
from lab.cluster.addresses import POD_RANGE, SECOND_POD_RANGE, WORKER
from lab.cluster.engines import KUBE_NETWORK_POLICIES
from lab.cluster.images import ENGINE_A_IMAGE
from lab.cluster.networks import inside
from lab.cluster.packages import CNI_PLUGINS
from lab.cluster.site import Site
from lab.processes import Process

QUEUE = 98
NAME = KUBE_NETWORK_POLICIES.name
APPEND = ["--wait", "-t", "mangle", "-A", "POSTROUTING"]


class KubeNetworkPolicies:
    """The driver of this engine."""

    def plugins(self, site: Site) -> Path:
        return CNI_PLUGINS

    def pod_network(self, site: Site) -> Manifest:
        """Each pod with a point-to-point link to the node, so that every packet is routed and so judged."""
        ipam = {
            "type": "host-local",
            "ranges": [[{"subnet": POD_RANGE}], *([[{"subnet": SECOND_POD_RANGE}]] if site.dual else [])],
            "routes": [{"dst": "0.0.0.0/0"}, *([{"dst": "::/0"}] if site.dual else [])],
            "dataDir": "/run/cni-addresses",
        }
        return {"cniVersion": "0.4.0", "name": "lab", "plugins": [{"type": "ptp", "ipMasq": False, "ipam": ipam}]}

    def start(self, site: Site) -> None:
        site.start(_table_keeper(site.folder))
        _queue_pod_traffic("iptables", POD_RANGE)
        if site.dual:
            # The neighbours' solicitations of IPv6 are no traffic of pods.
            inside(WORKER.name, "ip6tables", *APPEND, "-p", "ipv6-icmp", "-j", "ACCEPT")
            _queue_pod_traffic("ip6tables", SECOND_POD_RANGE)
        site.client().create_all(_objects())

    def ready(self, site: Site) -> bool:
        found = site.client().read(objects.reference("apps/v1", "DaemonSet", NAME, workloads.SYSTEM))
        return bool(found.get("status", {}).get("numberReady"))


def _objects() -> list[Manifest]:
    rules = [objects.rule(["list", "watch"], ["pods", "namespaces", "nodes"])]
    rules.append(objects.rule(["list", "watch"], ["networkpolicies"], "networking.k8s.io"))
    container = {
        "name": NAME,
        "image": ENGINE_A_IMAGE,
        "command": [
            "/kube-network-policies",
            f"--hostname-override={WORKER.name}",
            "--disable-nri",
            f"--nfqueue-id={QUEUE}",
            "--v=2",
        ],
        "securityContext": {"privileged": True},
    }
    pod = {"hostNetwork": True, "nodeSelector": {"kubernetes.io/hostname": WORKER.name}}
    agent = workloads.workload("DaemonSet", NAME, {"app": NAME}, container, pod)
    return [*workloads.account(NAME, rules), agent]


def _table_keeper(folder: Path) -> Process:
    """Owns the engine's nftables table, so that the engine cannot even try to fill it.

    Where the kernel lacks a rule that the engine wants, each of its attempts (at every change of a policy) is undone,
    and undoing it drops the packets that wait for a verdict: a loss that the policies are not to blame for.
    """
    script = f"(echo 'add table inet {NAME} {{ flags owner; }}'; exec sleep infinity) | exec nft --interactive"
    return node.process("table-keeper", Path("/bin/sh"), ["-c", script], folder)


def _queue_pod_traffic(program: str, pods: str) -> None:
    """Hand every new connection from and to pods to the engine.

    Its own nftables rules need an option that kernels may lack; these do the same. What the node's root sends
    (kubelet's probes) passes: between a node and its pods policies do not apply.
    """
    new = ["-m", "conntrack", "--ctstate", "NEW"]
    for rule in (
        ["-d", pods, "-m", "owner", "--uid-owner", "0", "-j", "ACCEPT"],
        ["-s", pods, *new, "-j", "NFQUEUE", "--queue-num", str(QUEUE)],
        ["-d", pods, *new, "-j", "NFQUEUE", "--queue-num", str(QUEUE)],
    ):
        inside(WORKER.name, program, *APPEND, *rule)
