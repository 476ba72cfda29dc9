# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker: containerd, kubelet and kube-proxy, in a network of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from lab.certificates import Authority
from lab.cluster.addresses import (
    DNS_SERVICE,
    KUBELET_PORT,
    OUTSIDE_ADDRESS,
    POD_RANGE,
    SECOND_POD_RANGE,
    SECOND_WORKER_ADDRESS,
    WORKER,
    WORKER_ADDRESS,
)
from lab.cluster.builds import Programs
from lab.cluster.control import component_kubeconfig
from lab.cluster.images import PAUSE_IMAGE
from lab.cluster.networks import enter, run
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


def write_settings(folder: Path, authority: Authority, plugins: Path, pod_network: Mapping[str, object]) -> None:
    """Write everything that the worker's programs read; the CNI plugins and their network are the engine's."""
    authority.server("system:node:worker", [WORKER.name, WORKER_ADDRESS]).write(folder, "kubelet")
    component_kubeconfig(folder, authority, "kubelet", f"system:node:{WORKER.name}", "system:nodes")
    component_kubeconfig(folder, authority, "kube-proxy", "system:kube-proxy")
    (folder / "resolv.conf").write_text(f"nameserver {OUTSIDE_ADDRESS}\n", encoding="utf-8")
    (folder / "kubelet.yml").write_text(yaml.safe_dump(_kubelet(folder)), encoding="utf-8")
    (folder / "cni").mkdir()
    (folder / "cni" / "lab.conflist").write_text(json.dumps(pod_network), encoding="utf-8")
    text = CONTAINERD.format(
        root=folder / "containerd",
        socket=CONTAINERD_SOCKET,
        pause=PAUSE_IMAGE,
        plugins=plugins,
        networks=folder / "cni",
    )
    (folder / "containerd.toml").write_text(text, encoding="utf-8")


def containerd(folder: Path) -> Process:
    return process("containerd", find("containerd"), [f"--config={folder / 'containerd.toml'}"], folder)


def import_images(archive: Path) -> None:
    """Hand all images to containerd."""
    run("ctr", f"--address={CONTAINERD_SOCKET}", "--namespace=k8s.io", "images", "import", str(archive))


def kubelet(folder: Path, programs: Programs, *, dual: bool) -> Process:
    flags = [
        f"--config={folder / 'kubelet.yml'}",
        f"--kubeconfig={folder / 'kubelet.kubeconfig'}",
        f"--root-dir={folder / 'kubelet'}",
        f"--hostname-override={WORKER.name}",
        f"--node-ip={WORKER_ADDRESS}{f',{SECOND_WORKER_ADDRESS}' if dual else ''}",
    ]
    return process("kubelet", programs.kubelet, flags, folder)


def kube_proxy(folder: Path, programs: Programs, *, dual: bool) -> Process:
    flags = [
        f"--kubeconfig={folder / 'kube-proxy.kubeconfig'}",
        f"--hostname-override={WORKER.name}",
        f"--cluster-cidr={POD_RANGE}{f',{SECOND_POD_RANGE}' if dual else ''}",
        "--proxy-mode=iptables",
        "--conntrack-max-per-core=0",
        "--iptables-min-sync-period=0s",
    ]
    return process("kube-proxy", programs.kube_proxy, flags, folder)


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


def find(name: str) -> Path:
    """A program of the system."""
    found = shutil.which(name)
    if found is None:
        raise LabError(f"There is no {name}")
    return Path(found)


def process(name: str, program: Path, flags: Sequence[str], folder: Path) -> Process:
    """A program in the worker's network."""
    return Process(name, [*enter(WORKER.name), str(program), *flags], folder)
