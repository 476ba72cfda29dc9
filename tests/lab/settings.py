# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a control plane is made of: its options, addresses, key files and command lines."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass
from pathlib import Path

from lab import audit
from lab.certificates import Authority, signing_key, write_secret
from lab.errors import LabError
from lab.ports import free_port

Family = t.Literal["ipv4", "ipv6", "dual"]
Reconciler = t.Literal["lease", "none"]

ETCD_ADDRESS = "127.0.0.1"
BIND_ADDRESSES = ("127.0.0.1", "127.0.0.2")
# Endpoint addresses may not be loopback, so the servers advertise documentation addresses instead.
ADVERTISED = {"ipv4": ("192.0.2.1", "192.0.2.2"), "ipv6": ("2001:db8::1", "2001:db8::2")}
SERVICE_RANGES = {"ipv4": "10.96.0.0/16", "ipv6": "fd00:10:96::/112"}
SERVICE_ACCOUNT_KEY = "service-accounts.key"


@dataclass(frozen=True)
class Settings:
    """The options of a control plane, with what follows from them."""

    servers: int = 1
    endpoint_reconciler: Reconciler = "lease"
    ip_family: Family = "ipv4"

    def __post_init__(self) -> None:
        if not 1 <= self.servers <= len(BIND_ADDRESSES):
            raise LabError(f"servers={self.servers}: a control plane has one or two API servers")

    @property
    def bind_addresses(self) -> tuple[str, ...]:
        return BIND_ADDRESSES[: self.servers]

    @property
    def advertised(self) -> tuple[str, ...]:
        """The endpoint address of each server."""
        return ADVERTISED["ipv6" if self.ip_family == "ipv6" else "ipv4"][: self.servers]

    @property
    def service_ranges(self) -> list[str]:
        return list(SERVICE_RANGES.values()) if self.ip_family == "dual" else [SERVICE_RANGES[self.ip_family]]

    def more_flags(self, folder: Path) -> list[str]:
        """Flags of the API servers that depend on what else is there."""
        # No controller makes the default ServiceAccounts that this plugin wants to see in a pod.
        return ["--disable-admission-plugins=ServiceAccount"]

    def service_ip(self, number: int) -> str:
        return str(ipaddress.ip_network(self.service_ranges[0])[number])


@dataclass(frozen=True)
class Ports:
    """One port for every API server (they differ in address), two for etcd."""

    api: int
    etcd: int
    etcd_peer: int

    @classmethod
    def choose(cls, settings: Settings) -> Ports:
        api, etcd, peer = (free_port(settings.bind_addresses) for _ in range(3))
        return cls(api, etcd, peer)


def audit_log(folder: Path, server: int) -> Path:
    return folder / f"audit-{server}.log"


def write_keys(folder: Path, settings: Settings, authority: Authority) -> None:
    """Write the certificates and keys that the command lines name."""
    (folder / "ca.crt").write_bytes(authority.certificate)
    write_secret(folder / SERVICE_ACCOUNT_KEY, signing_key())
    names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    addresses = [BIND_ADDRESSES[0], *settings.bind_addresses, *settings.advertised, settings.service_ip(1)]
    authority.server("kube-apiserver", list(dict.fromkeys([*names, *addresses]))).write(folder, "apiserver")
    authority.server("etcd", ["localhost", ETCD_ADDRESS]).write(folder, "etcd")
    authority.client("kube-apiserver").write(folder, "etcd-client")


def etcd_flags(folder: Path, ports: Ports) -> list[str]:
    client_url = f"https://{ETCD_ADDRESS}:{ports.etcd}"
    peer_url = f"http://{ETCD_ADDRESS}:{ports.etcd_peer}"
    return [
        "--name=lab",
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client_url}",
        f"--advertise-client-urls={client_url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=lab={peer_url}",
        f"--cert-file={folder / 'etcd.crt'}",
        f"--key-file={folder / 'etcd.key'}",
        f"--trusted-ca-file={folder / 'ca.crt'}",
        "--client-cert-auth",
        "--unsafe-no-fsync",  # the data never has to survive a power cut
        "--log-level=warn",
    ]


def apiserver_flags(folder: Path, settings: Settings, ports: Ports, number: int) -> list[str]:
    return [
        f"--bind-address={settings.bind_addresses[number]}",
        f"--secure-port={ports.api}",
        f"--advertise-address={settings.advertised[number]}",
        f"--endpoint-reconciler-type={settings.endpoint_reconciler}",
        f"--service-cluster-ip-range={','.join(settings.service_ranges)}",
        f"--etcd-servers=https://{ETCD_ADDRESS}:{ports.etcd}",
        f"--etcd-cafile={folder / 'ca.crt'}",
        f"--etcd-certfile={folder / 'etcd-client.crt'}",
        f"--etcd-keyfile={folder / 'etcd-client.key'}",
        f"--tls-cert-file={folder / 'apiserver.crt'}",
        f"--tls-private-key-file={folder / 'apiserver.key'}",
        f"--client-ca-file={folder / 'ca.crt'}",
        f"--service-account-key-file={folder / SERVICE_ACCOUNT_KEY}",
        f"--service-account-signing-key-file={folder / SERVICE_ACCOUNT_KEY}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--authorization-mode=Node,RBAC",
        "--anonymous-auth=false",
        "--allow-privileged=true",
        *settings.more_flags(folder),
        f"--audit-policy-file={audit.POLICY}",
        f"--audit-log-path={audit_log(folder, number)}",
        "--audit-log-mode=blocking",
        "--audit-log-maxsize=1000",
        "--profiling=false",
    ]
