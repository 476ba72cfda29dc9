# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cilium: its CNI, its agent beside the kubelet and its operator, on a cluster whose API servers run on nodes.

kube-proxy stays, so that nothing differs from the other engine but what Cilium does to policies.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lab import objects
from lab.client import Manifest
from lab.cluster import control, node, workloads
from lab.cluster.addresses import API_SERVERS, NEIGHBOUR, NEIGHBOUR_ADDRESS, POD_RANGE, WORKER
from lab.cluster.cluster import Cluster
from lab.cluster.engines import CILIUM, CILIUM_AGENT, CILIUM_CNI, CILIUM_DBG, CILIUM_OPERATOR, CILIUM_SOURCES, CLANG
from lab.cluster.networks import run
from lab.cluster.packages import CNI_PLUGINS
from lab.cluster.site import Site
from lab.errors import ApiError

NAME = CILIUM.name
# What its agent and operator obey, and what the API shows of it, as on any cluster with Cilium.
SETTINGS = {
    "cluster-name": "default",
    "devices": "eth0",
    "enable-endpoint-health-checking": "false",
    "enable-health-checking": "false",
    "enable-hubble": "false",
    "enable-ipv4": "true",
    "enable-ipv4-masquerade": "false",
    "enable-ipv6": "false",
    "enable-l7-proxy": "false",
    "enable-policy": "default",
    "identity-allocation-mode": "crd",
    "ipam": "kubernetes",
    "ipv4-native-routing-cidr": POD_RANGE,
    "kube-proxy-replacement": "false",
    "policy-cidr-match-mode": "",
    "routing-mode": "native",
}
CONFIG, SETTINGS_FOLDER = "cilium-config", "settings"
DEFINITIONS = ("ciliumnodes", "ciliumnetworkpolicies")
# The nodes of the API servers have no kubelet: what is to run there shows in the API, and never starts.
NOWHERE = {"lab/runs": "nowhere"}
# What its agent sets for the whole machine. In the cluster's mount namespace other files lie above these.
MACHINE_SETTINGS = ("kernel/unprivileged_bpf_disabled", "kernel/timer_migration")


class Cilium:
    """The driver of this engine."""

    def plugins(self, site: Site) -> Path:
        """Its own plugin, and the one for the loopback device, which containerd calls for every pod."""
        folder = site.folder / "cni-plugins"
        folder.mkdir()
        (folder / CILIUM_CNI.name).symlink_to(site.programs.of_engine[CILIUM_CNI.name])
        (folder / "loopback").symlink_to(CNI_PLUGINS / "loopback")
        return folder

    def pod_network(self, site: Site) -> Manifest:
        return {"cniVersion": "0.3.1", "name": NAME, "plugins": [{"type": CILIUM_CNI.name}]}

    def start(self, site: Site) -> None:
        _cover_machine_settings()
        _write_settings(site)
        site.client().create_all(_objects())
        site.start(
            control.process(
                CILIUM_OPERATOR.name, site.programs.of_engine[CILIUM_OPERATOR.name], _operator(site), site.folder
            )
        )
        site.wait_for("Cilium's resources", lambda: all(_served(site, name) for name in DEFINITIONS))
        site.client().create_all([*api_server_nodes(), _seen_by_cilium(NEIGHBOUR.name, NEIGHBOUR_ADDRESS)])
        site.start(node.process(CILIUM_AGENT.name, Path("/usr/bin/env"), _agent(site), site.folder))
        # A pod that comes too early is tried again, but late.
        site.wait_for("Cilium's agent", lambda: self.ready(site))

    def ready(self, site: Site) -> bool:
        command = [str(site.programs.of_engine[CILIUM_DBG.name]), "status", "--brief"]
        return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0


def change_setting(cluster: Cluster, name: str, value: str) -> None:
    """Change one of SETTINGS as an operator does: in the ConfigMap, and then the agent starts anew."""
    cluster.patch(objects.reference("v1", "ConfigMap", CONFIG, workloads.SYSTEM), {"data": {name: value}})
    cluster.stop(CILIUM_AGENT.name)
    (cluster.run_folder / NAME / SETTINGS_FOLDER / name).write_text(value, encoding="utf-8")
    cluster.start(CILIUM_AGENT.name)


def _write_settings(site: Site) -> None:
    control.component_kubeconfig(site.folder, site.authority, NAME, f"system:{NAME}", control.MASTERS)
    settings, library, programs = (_folder(site, name) for name in (SETTINGS_FOLDER, "library", "bin"))
    for folder in (settings, library, programs):
        folder.mkdir(parents=True)
    for name, value in SETTINGS.items():
        (settings / name).write_text(value, encoding="utf-8")
    (library / CILIUM_SOURCES).symlink_to(site.programs.of_engine[CILIUM_SOURCES])
    (programs / "clang").symlink_to(node.find(CLANG))


def _folder(site: Site, name: str) -> Path:
    return site.folder / NAME / name


def _common(site: Site) -> list[str]:
    return [
        f"--config-dir={_folder(site, SETTINGS_FOLDER)}",
        f"--k8s-kubeconfig-path={site.folder / f'{NAME}.kubeconfig'}",
    ]


def _agent(site: Site) -> list[str]:
    """The arguments of env: Cilium calls its compiler by another name than Debian gives it."""
    return [
        f"PATH={_folder(site, 'bin')}:{os.environ.get('PATH', os.defpath)}",
        f"K8S_NODE_NAME={WORKER.name}",
        str(site.programs.of_engine[CILIUM_AGENT.name]),
        *_common(site),
        f"--lib-dir={_folder(site, 'library')}",
    ]


def _operator(site: Site) -> list[str]:
    # Nobody sees Cilium's pods here, so nothing may be concluded from them.
    return [
        *_common(site),
        f"--k8s-namespace={workloads.SYSTEM}",
        "--set-cilium-is-up-condition=false",
        "--remove-cilium-node-taints=false",
        "--unmanaged-pod-watcher-interval=0",
    ]


def _served(site: Site, resource: str) -> bool:
    try:
        site.client().api("GET", f"/apis/cilium.io/v2/{resource}")
    except ApiError:
        return False
    return True


def _objects() -> list[Manifest]:
    """What the API shows of Cilium. The agent runs beside the kubelet, and its DaemonSet is wanted elsewhere."""
    container = {"name": CILIUM_AGENT.name, "image": f"quay.io/cilium/cilium:{CILIUM_AGENT.version}"}
    pod = {"hostNetwork": True, "nodeSelector": NOWHERE}
    return [
        objects.config_map(CONFIG, workloads.SYSTEM, SETTINGS),
        objects.service_account(NAME, workloads.SYSTEM),
        workloads.workload("DaemonSet", NAME, {"k8s-app": NAME}, container, pod),
    ]


def api_server_nodes() -> list[Manifest]:
    """The nodes that the API servers run on."""
    found: list[Manifest] = []
    for number, address in enumerate(API_SERVERS):
        node_of_it = objects.node(f"control-{number}", address=address, labels=NOWHERE)
        node_of_it["spec"]["unschedulable"] = True
        found += [node_of_it, _seen_by_cilium(f"control-{number}", address)]
    return found


def _seen_by_cilium(name: str, address: str) -> Manifest:
    """What the agent of a node would say of it, if there were one."""
    spec = {"addresses": [{"type": "InternalIP", "ip": address}]}
    return {**objects.reference("cilium.io/v2", "CiliumNode", name), "spec": spec}


def _cover_machine_settings() -> None:
    covers = Path("/run/machine-settings")
    covers.mkdir()
    for name in MACHINE_SETTINGS:
        setting, cover = Path("/proc/sys") / name, covers / name.replace("/", ".")
        cover.write_text(setting.read_text(encoding="utf-8"), encoding="utf-8")
        run("mount", "--bind", str(cover), str(setting))
