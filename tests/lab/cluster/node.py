# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker: containerd, kubelet and kube-proxy, in a network of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import yaml

from lab.certificates import Authority
from lab.cluster.addresses import DNS_SERVICE, KUBELET_PORT, OUTSIDE_ADDRESS, POD_RANGE, WORKER, WORKER_ADDRESS
from lab.cluster.builds import Programs
from lab.cluster.control import component_kubeconfig
from lab.cluster.images import PAUSE_IMAGE
from lab.cluster.networks import enter, inside, run
from lab.cluster.packages import CNI_PLUGINS
from lab.errors import LabError
from lab.processes import Process

CONTAINERD_SOCKET = Path("/run/containerd/containerd.sock")
CONTAINERD = """version = 2
root = "{root}"
state = "/run/containerd"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  disable_apparmor = true
  restrict_oom_score_adj = true
  sandbox_image = "{pause}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{networks}"
"""


def write_settings(folder: Path, authority: Authority) -> None:
    """Write everything that the worker's programs read."""
    authority.server("system:node:worker", [WORKER.name, WORKER_ADDRESS]).write(folder, "kubelet")
    component_kubeconfig(folder, authority, "kubelet", f"system:node:{WORKER.name}", "system:nodes")
    component_kubeconfig(folder, authority, "kube-proxy", "system:kube-proxy")
    (folder / "resolv.conf").write_text(f"nameserver {OUTSIDE_ADDRESS}\n", encoding="utf-8")
    (folder / "kubelet.yml").write_text(yaml.safe_dump(_kubelet(folder)), encoding="utf-8")
    (folder / "cni").mkdir()
    (folder / "cni" / "lab.conflist").write_text(json.dumps(_pod_network()), encoding="utf-8")
    text = CONTAINERD.format(
        root=folder / "containerd",
        socket=CONTAINERD_SOCKET,
        pause=PAUSE_IMAGE,
        plugins=CNI_PLUGINS,
        networks=folder / "cni",
    )
    (folder / "containerd.toml").write_text(text, encoding="utf-8")


def containerd(folder: Path) -> Process:
    return _process("containerd", _find("containerd"), [f"--config={folder / 'containerd.toml'}"], folder)


def import_images(archive: Path) -> None:
    """Hand all images to containerd."""
    run("ctr", f"--address={CONTAINERD_SOCKET}", "--namespace=k8s.io", "images", "import", str(archive))


def kubelet(folder: Path, programs: Programs) -> Process:
    flags = [
        f"--config={folder / 'kubelet.yml'}",
        f"--kubeconfig={folder / 'kubelet.kubeconfig'}",
        f"--root-dir={folder / 'kubelet'}",
        f"--hostname-override={WORKER.name}",
        f"--node-ip={WORKER_ADDRESS}",
    ]
    return _process("kubelet", programs.kubelet, flags, folder)


def kube_proxy(folder: Path, programs: Programs) -> Process:
    flags = [
        f"--kubeconfig={folder / 'kube-proxy.kubeconfig'}",
        f"--hostname-override={WORKER.name}",
        f"--cluster-cidr={POD_RANGE}",
        "--proxy-mode=iptables",
        "--conntrack-max-per-core=0",
        "--iptables-min-sync-period=0s",
    ]
    return _process("kube-proxy", programs.kube_proxy, flags, folder)


def table_keeper(folder: Path, table: str) -> Process:
    """Owns the engine's nftables table, so that the engine cannot even try to fill it.

    Where the kernel lacks a rule that the engine wants, each of its attempts (at every change of a policy) is undone,
    and undoing it drops the packets that wait for a verdict: a loss that the policies are not to blame for.
    """
    script = f"(echo 'add table inet {table} {{ flags owner; }}'; exec sleep infinity) | exec nft --interactive"
    return _process("table-keeper", Path("/bin/sh"), ["-c", script], folder)


def queue_pod_traffic(queue: int) -> None:
    """Hand every new connection from and to pods to the policy engine.

    The engine's own nftables rules need an option that kernels may lack; these do the same. What the node's root
    sends (kubelet's probes) passes: between a node and its pods policies do not apply.
    """
    new = ["-m", "conntrack", "--ctstate", "NEW"]
    for rule in (
        ["-d", POD_RANGE, "-m", "owner", "--uid-owner", "0", "-j", "ACCEPT"],
        ["-s", POD_RANGE, *new, "-j", "NFQUEUE", "--queue-num", str(queue)],
        ["-d", POD_RANGE, *new, "-j", "NFQUEUE", "--queue-num", str(queue)],
    ):
        inside(WORKER.name, "iptables", "--wait", "-t", "mangle", "-A", "POSTROUTING", *rule)


def _kubelet(folder: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": WORKER_ADDRESS,
        "port": KUBELET_PORT,
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": str(folder / "ca.crt")}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(folder / "kubelet.crt"),
        "tlsPrivateKeyFile": str(folder / "kubelet.key"),
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "clusterDNS": [DNS_SERVICE],
        "clusterDomain": "cluster.local",
        "resolvConf": str(folder / "resolv.conf"),
        "podLogsDir": str(folder / "pods"),
        "volumePluginDir": str(folder / "volume-plugins"),
        # The machine's control groups may be of either version; kubelet shall not arrange them.
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        # A full disk of the machine shall not stop pods that write nothing.
        "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "makeIPTablesUtilChains": False,
        "registryPullQPS": 0,
        "syncFrequency": "10s",
        "maxPods": 200,
        # For tests that wait for a connection attempt to fail.
        "allowedUnsafeSysctls": ["net.ipv4.tcp_syn_retries"],
    }


def _pod_network() -> dict[str, object]:
    """Each pod with a point-to-point link to the node, so that every packet is routed and so judged."""
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": POD_RANGE}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": "/run/cni-addresses",
    }
    return {"cniVersion": "0.4.0", "name": "lab", "plugins": [{"type": "ptp", "ipMasq": False, "ipam": ipam}]}


def _find(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise LabError(f"There is no {name}")
    return Path(found)


def _process(name: str, program: Path, flags: list[str], folder: Path) -> Process:
    return Process(name, [*enter(WORKER.name), str(program), *flags], folder)
