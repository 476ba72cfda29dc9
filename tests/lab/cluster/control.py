# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control plane: etcd, one or two API servers, controller-manager and scheduler, in a network of its own."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from lab import kubeconfig
from lab.certificates import Authority
from lab.cluster.addresses import (
    API_PORT,
    API_SERVERS,
    CONTROL,
    CONTROLLER_MANAGER_PORT,
    POD_RANGE,
    SECOND_POD_RANGES,
    SECOND_SERVICE_RANGE,
    SERVICE_RANGE,
)
from lab.cluster.builds import Programs
from lab.cluster.networks import enter
from lab.processes import Process
from lab.settings import SERVICE_ACCOUNT_KEY, Ports, Settings, apiserver_flags, etcd_flags

PORTS = Ports(api=API_PORT, etcd=2379, etcd_peer=2380)
MASTERS = "system:masters"


@dataclass(frozen=True)
class ClusterSettings(Settings):
    """API servers that pods reach as remote addresses, and that reach kubelets."""

    @property
    def bind_addresses(self) -> tuple[str, ...]:
        return API_SERVERS[: self.servers]

    @property
    def advertised(self) -> tuple[str, ...]:
        return self.bind_addresses

    @property
    def service_ranges(self) -> list[str]:
        return [SERVICE_RANGE, SECOND_SERVICE_RANGE] if self.ip_family == "dual" else [SERVICE_RANGE]

    def more_flags(self, folder: Path) -> list[str]:
        return [
            "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-certificate-authority={folder / 'ca.crt'}",
            f"--kubelet-client-certificate={folder / 'kubelet-client.crt'}",
            f"--kubelet-client-key={folder / 'kubelet-client.key'}",
        ]


def write_keys(folder: Path, authority: Authority) -> None:
    """Write the key that API servers show to kubelets, and the controllers' kubeconfigs."""
    authority.client("kube-apiserver-kubelet-client", [MASTERS]).write(folder, "kubelet-client")
    for name in ("kube-controller-manager", "kube-scheduler"):
        component_kubeconfig(folder, authority, name, f"system:{name}")


def component_kubeconfig(folder: Path, authority: Authority, name: str, user: str, *groups: str) -> Path:
    """A kubeconfig for a component inside the cluster's network; it talks to the first server, which stays."""
    return kubeconfig.write(
        folder / f"{name}.kubeconfig",
        server=f"https://{API_SERVERS[0]}:{API_PORT}",
        authority=authority.certificate,
        user=kubeconfig.certificate_user(authority.client(user, groups)),
    )


def etcd(folder: Path, programs: Programs) -> Process:
    return process("etcd", programs.etcd, etcd_flags(folder, PORTS), folder)


def api_servers(folder: Path, programs: Programs, settings: ClusterSettings) -> list[Process]:
    return [
        process(
            f"kube-apiserver-{number}",
            programs.kube_apiserver,
            apiserver_flags(folder, settings, PORTS, number),
            folder,
        )
        for number in range(settings.servers)
    ]


def controllers(folder: Path, programs: Programs, *, dual: bool) -> list[Process]:
    ranges = [str(ipaddress.ip_network(POD_RANGE).supernet(new_prefix=16)), *([SECOND_POD_RANGES] if dual else [])]
    manager = [
        f"--kubeconfig={folder / 'kube-controller-manager.kubeconfig'}",
        f"--service-account-private-key-file={folder / SERVICE_ACCOUNT_KEY}",
        f"--root-ca-file={folder / 'ca.crt'}",
        f"--secure-port={CONTROLLER_MANAGER_PORT}",
        "--use-service-account-credentials=true",
        "--allocate-node-cidrs=true",
        f"--cluster-cidr={','.join(ranges)}",
        "--leader-elect=false",
        "--kube-api-qps=100",
        "--kube-api-burst=200",
    ]
    scheduler = [f"--kubeconfig={folder / 'kube-scheduler.kubeconfig'}", "--leader-elect=false"]
    return [
        process("kube-controller-manager", programs.kube_controller_manager, manager, folder),
        process("kube-scheduler", programs.kube_scheduler, scheduler, folder),
    ]


def process(name: str, program: Path, flags: list[str], folder: Path) -> Process:
    """A program in the API servers' network."""
    return Process(name, [*enter(CONTROL.name), str(program), *flags], folder)
