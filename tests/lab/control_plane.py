# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control plane without nodes: etcd and one or two kube-apiservers on loopback, as an ordinary user.

Pods, Services and nodes are objects only: nothing schedules, runs or collects them. Tests arrange every one.
"""

from __future__ import annotations

import atexit
import contextlib
import ipaddress
import os
import re
import shutil
import sys
import tempfile
import threading
import types
import typing as t
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from lab import audit, binaries, certificates, kubeconfig, objects
from lab.client import Client, Manifest, Requests
from lab.errors import ApiError, LabError
from lab.ports import accepts, free_port
from lab.processes import Identity, Process, own_identity, tail, wait_until

Families = t.Literal["ipv4", "ipv6", "dual"]
Reconciler = t.Literal["lease", "none"]

ETCD_ADDRESS = "127.0.0.1"
BIND_ADDRESSES = ("127.0.0.1", "127.0.0.2")
# Endpoint addresses may not be loopback, so the servers advertise documentation addresses instead.
ADVERTISED = {"ipv4": ("192.0.2.1", "192.0.2.2"), "ipv6": ("2001:db8::1", "2001:db8::2")}
SERVICE_RANGES = {"ipv4": "10.96.0.0/16", "ipv6": "fd00:10:96::/112"}

START_SECONDS = 60.0
LIFETIME_SECONDS = 3600.0
START_ATTEMPTS = 5
RUN_PREFIX = "netguard-lab"


class PortTakenError(Exception):
    """Another program took the chosen port before ours could."""


class ControlPlane(Requests):
    """A running control plane; use it as a context manager, or call start() and stop().

    Its processes die with the process that started them, and after `lifetime` seconds in any case.
    """

    def __init__(
        self,
        *,
        servers: int = 1,
        endpoint_reconciler: Reconciler = "lease",
        ip_family: Families = "ipv4",
        lifetime: float = LIFETIME_SECONDS,
        folder: Path | None = None,
        report: binaries.Report = binaries.to_stderr,
    ) -> None:
        """
        :param servers: API servers on the one etcd: 1, or 2 on 127.0.0.1 and 127.0.0.2 with the same port.
        :param endpoint_reconciler: `lease` keeps the EndpointSlice default/kubernetes, `none` leaves it to tests.
        :param ip_family: of the Service range; `dual` is IPv4 first. The servers listen on 127.0.0.x in any case.
        :param lifetime: seconds after which everything is ended.
        :param folder: where to keep keys, logs and data, made and removed here; default: a temporary one.
        :param report: called with a line of progress when binaries have to be built.
        """
        if not 1 <= servers <= len(BIND_ADDRESSES):
            raise LabError(f"servers={servers}: a control plane has one or two API servers")
        self.ip_family = ip_family
        self.endpoint_reconciler = endpoint_reconciler
        self.advertised = _advertised(ip_family)[:servers]
        self.service_ranges = _service_ranges(ip_family)
        self.kube_system_uid = ""
        self.port = 0
        self._lifetime = lifetime
        self._folder = folder
        self._report = report
        self._run: Path | None = None
        self._owner = os.getpid()
        self._timer: threading.Timer | None = None
        self._expired = False
        self._authority = certificates.Authority()
        self._etcd: Process | None = None
        self._servers: list[Process] = []
        self._clients: list[Client] = []

    # life

    def __enter__(self) -> ControlPlane:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> ControlPlane:
        """Start everything and wait until it answers; on any error nothing is left behind."""
        _require_linux()
        if self._run is not None:
            raise LabError("This control plane has been started already", next_step="call stop() first")
        found = binaries.find_or_build(self._report)
        remove_abandoned()
        self._run = self._make_folder()
        atexit.register(self.stop)
        try:
            self._start_programs(found)
            self.wait_ready()
            self.kube_system_uid = self.read(objects.namespace("kube-system"))["metadata"]["uid"]
        except BaseException:
            self.stop()
            raise
        self._timer = threading.Timer(self._lifetime, self._expire)
        self._timer.daemon = True
        self._timer.start()
        return self

    def stop(self) -> None:
        """End every process and remove the folder; harmless when nothing runs."""
        if os.getpid() != self._owner:  # a forked child does not own the processes
            return
        if self._timer is not None:
            self._timer.cancel()
        self._kill_all()
        self._servers, self._clients, self._etcd = [], [], None
        if self._run is not None:
            shutil.rmtree(self._run, ignore_errors=True)
            self._run = None
        atexit.unregister(self.stop)

    def stop_server(self, number: int) -> None:
        """SIGTERM: the server withdraws its endpoint before it ends."""
        self._servers[number].terminate()

    def kill_server(self, number: int) -> None:
        """SIGKILL: the endpoint stays until its lease runs out (about 15 s, if another server lives)."""
        self._servers[number].kill()

    def start_server(self, number: int) -> None:
        """Start a stopped or killed server again, at the same address, and wait until it is ready."""
        self._servers[number].start()
        self.wait_ready()

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until every server that was started answers and is listed as an endpoint."""
        for number, server in enumerate(self._servers):
            if server.identity is not None and not self._wait_for(partial(self._ready, number), seconds):
                raise LabError(
                    f"{server.name} was not ready within {seconds:.0f} s",
                    tail(server.log),
                    "read the lines above, the end of its log; on a machine under heavy load, try again",
                )

    # what is there

    @property
    def folder(self) -> Path:
        """Where keys, logs and kubeconfigs are; gone after stop()."""
        if self._run is None:
            raise LabError("The control plane is not running", self._epitaph(), "start it first")
        return self._run

    @property
    def urls(self) -> list[str]:
        return [f"https://{address}:{self.port}" for address in BIND_ADDRESSES[: len(self.advertised)]]

    @property
    def processes(self) -> dict[str, Identity]:
        """The live processes by name (etcd, kube-apiserver-0, …)."""
        return {program.name: program.identity for program in self._programs if program.identity is not None}

    @property
    def crashed(self) -> list[Process]:
        """The processes that ended by themselves."""
        return [program for program in self._programs if program.crashed]

    @property
    def audit_logs(self) -> list[Path]:
        return [self.folder / f"audit-{number}.log" for number in range(len(self.advertised))]

    def service_ip(self, number: int) -> str:
        """An address of the first Service range: 1 is the API server's, 10 by custom the cluster DNS'."""
        return str(ipaddress.ip_network(self.service_ranges[0])[number])

    # requests

    def api(
        self,
        method: str,
        path: str,
        body: t.Any = None,
        *,
        query: dict[str, str] | None = None,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        server: int | None = None,
    ) -> Manifest:
        """One request as cluster admin, to the given server or else the first that runs; the parsed answer.

        ApiError (with .status and .answer) for HTTP 400 and above.
        """
        number = self._first_alive() if server is None else server
        return self._clients[number].api(
            method, path, body, query=query, content_type=content_type, headers=headers
        )

    def endpoints(self) -> list[str]:
        """The addresses of the EndpointSlice default/kubernetes, sorted; empty where there is none."""
        try:
            found = self.read(
                objects.reference("discovery.k8s.io/v1", "EndpointSlice", "kubernetes", "default")
            )
        except ApiError as error:
            if error.status == 404:
                return []
            raise
        return sorted(
            address for endpoint in found.get("endpoints") or [] for address in endpoint["addresses"]
        )

    def wait_endpoints(self, addresses: Sequence[str], seconds: float = 30.0) -> None:
        """Wait until default/kubernetes lists exactly these addresses."""
        if not wait_until(lambda: self.endpoints() == sorted(addresses), seconds, 0.1):
            raise LabError(
                f"default/kubernetes lists {self.endpoints()} after {seconds:.0f} s, not {addresses}"
            )

    # who asks

    @property
    def kubeconfig(self) -> Path:
        """The cluster admin's, for the first server."""
        return self.admin_kubeconfig()

    def admin_kubeconfig(self, server: int = 0) -> Path:
        """A kubeconfig of the cluster admin (client certificate) for one of the servers."""
        path = self.folder / f"admin-{server}.kubeconfig"
        return (
            path
            if path.exists()
            else self.user_kubeconfig("admin", ["system:masters"], server=server, path=path)
        )

    def user_kubeconfig(
        self, user: str, groups: Sequence[str] = (), *, server: int = 0, path: Path | None = None
    ) -> Path:
        """A kubeconfig with a client certificate for any user name and groups; grant() gives it rights."""
        user_entry = kubeconfig.certificate_user(self._authority.client(user, groups))
        return self._kubeconfig(path or self._fresh(user), user_entry, server)

    def token_kubeconfig(self, name: str, namespace: str = "default", *, server: int = 0) -> Path:
        """A kubeconfig with a bearer token of a ServiceAccount, which is made if it is not there.

        Its user name for grant() is system:serviceaccount:NAMESPACE:NAME.
        """
        return self._kubeconfig(
            self._fresh(f"{namespace}-{name}"), kubeconfig.token_user(self.token(name, namespace)), server
        )

    def token(self, name: str, namespace: str = "default", seconds: int = 3600) -> str:
        """A bearer token of a ServiceAccount, which is made if it is not there."""
        account = objects.service_account(name, namespace)
        if not self.exists(account):
            self.create(account)
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        answer = self.api("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", body)
        return str(answer["status"]["token"])

    def grant(self, user: str, rules: Sequence[Manifest], namespace: str = "") -> None:
        """Give a user rights in a namespace, or in the whole cluster; `rules` as in a Role."""
        self.create_all(objects.grant(user, rules, namespace))

    # what was asked

    def mark(self) -> audit.Position:
        """The audit logs' present end; hand it to audit() to see what came after."""
        self._settle()
        return audit.end(self.audit_logs)

    def audit(self, since: audit.Position | None = None, *, own: bool = False) -> list[audit.Event]:
        """The finished requests after a mark, oldest first; the lab's own only if asked for."""
        self._settle()
        found = audit.events(self.audit_logs, since)
        return [event for event in found if own or event.user_agent != "netguard-lab"]

    def _settle(self) -> None:
        """Wait until the log shows a request of our own: then it also shows what was answered before."""
        for number, server in enumerate(self._servers):
            if server.alive:
                token, log = uuid.uuid4().hex, self.audit_logs[number]
                start = log.stat().st_size if log.exists() else 0
                self.api("GET", "/version", query={"settle": token}, server=number)
                if not wait_until(partial(_mentions, log, start, token), 10):
                    raise LabError(f"{log} does not show a request that was answered 10 s ago")

    # inside

    def _make_folder(self) -> Path:
        if self._folder is not None:
            self._folder.mkdir(parents=True, mode=0o700)
            return self._folder
        owner = own_identity()
        return Path(tempfile.mkdtemp(prefix=f"{RUN_PREFIX}-{owner.pid}-{owner.started}-"))

    def _start_programs(self, found: binaries.Binaries) -> None:
        for _ in range(START_ATTEMPTS):
            try:
                self._start_on_free_ports(found)
                return
            except PortTakenError:
                self._kill_all()
                for log in self.folder.glob("*.log"):
                    log.unlink()
        raise LabError(f"Each of {START_ATTEMPTS} free ports was taken before the servers could bind it")

    def _start_on_free_ports(self, found: binaries.Binaries) -> None:
        addresses = BIND_ADDRESSES[: len(self.advertised)]
        client_port, peer_port, self.port = (free_port(addresses) for _ in range(3))
        self._write_keys()
        self._etcd = Process(
            "etcd", [str(found.etcd), *self._etcd_flags(client_port, peer_port)], self.folder
        )
        self._etcd.start()
        if not self._wait_for(lambda: accepts(ETCD_ADDRESS, client_port), START_SECONDS):
            raise LabError(
                "etcd does not answer", tail(self._etcd.log), "read the lines above (the end of its log)"
            )
        self._servers = [
            Process(
                f"kube-apiserver-{number}",
                [str(found.kube_apiserver), *self._apiserver_flags(number, client_port)],
                self.folder,
            )
            for number in range(len(addresses))
        ]
        self._clients = [
            Client.from_kubeconfig(self.admin_kubeconfig(number)) for number in range(len(addresses))
        ]
        for server in self._servers:
            server.start()
        for number, server in enumerate(self._servers):
            if not self._wait_for(partial(self._answers, number), START_SECONDS):
                raise LabError(f"{server.name} does not answer", tail(server.log), "read the lines above")

    def _write_keys(self) -> None:
        for old in self.folder.glob("*.kubeconfig"):
            old.unlink()
        (self.folder / "ca.crt").write_bytes(self._authority.certificate)
        certificates.write_secret(self.folder / "service-accounts.key", certificates.signing_key())
        names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        addresses = [*BIND_ADDRESSES, *self.advertised, self.service_ip(1)]
        self._authority.server("kube-apiserver", [*names, *addresses]).write(self.folder, "apiserver")
        self._authority.server("etcd", ["localhost", ETCD_ADDRESS]).write(self.folder, "etcd")
        self._authority.client("kube-apiserver").write(self.folder, "etcd-client")

    def _etcd_flags(self, client_port: int, peer_port: int) -> list[str]:
        keys, client_url, peer_url = (
            self.folder,
            f"https://{ETCD_ADDRESS}:{client_port}",
            f"http://{ETCD_ADDRESS}:{peer_port}",
        )
        return [
            "--name=lab",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client_url}",
            f"--advertise-client-urls={client_url}",
            f"--listen-peer-urls={peer_url}",
            f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster=lab={peer_url}",
            f"--cert-file={keys / 'etcd.crt'}",
            f"--key-file={keys / 'etcd.key'}",
            f"--trusted-ca-file={keys / 'ca.crt'}",
            "--client-cert-auth",
            "--unsafe-no-fsync",  # the data never has to survive a power cut
            "--log-level=warn",
        ]

    def _apiserver_flags(self, number: int, etcd_port: int) -> list[str]:
        keys = self.folder
        return [
            f"--bind-address={BIND_ADDRESSES[number]}",
            f"--secure-port={self.port}",
            f"--advertise-address={self.advertised[number]}",
            f"--endpoint-reconciler-type={self.endpoint_reconciler}",
            f"--service-cluster-ip-range={','.join(self.service_ranges)}",
            f"--etcd-servers=https://{ETCD_ADDRESS}:{etcd_port}",
            f"--etcd-cafile={keys / 'ca.crt'}",
            f"--etcd-certfile={keys / 'etcd-client.crt'}",
            f"--etcd-keyfile={keys / 'etcd-client.key'}",
            f"--tls-cert-file={keys / 'apiserver.crt'}",
            f"--tls-private-key-file={keys / 'apiserver.key'}",
            f"--client-ca-file={keys / 'ca.crt'}",
            f"--service-account-key-file={keys / 'service-accounts.key'}",
            f"--service-account-signing-key-file={keys / 'service-accounts.key'}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            "--authorization-mode=Node,RBAC",
            "--anonymous-auth=false",
            "--allow-privileged=true",
            # No controller makes the default ServiceAccounts that this plugin wants to see in a pod.
            "--disable-admission-plugins=ServiceAccount",
            f"--audit-policy-file={audit.POLICY}",
            f"--audit-log-path={self.audit_logs[number]}",
            "--audit-log-mode=blocking",
            "--audit-log-maxsize=1000",
            "--profiling=false",
        ]

    def _answers(self, number: int) -> bool:
        """Whether the server answers at all."""
        with contextlib.suppress(OSError, ApiError):
            self.api("GET", "/version", server=number)
            return True
        return False

    def _ready(self, number: int) -> bool:
        """Whether the server is ready, with the objects it makes itself and (by lease) its endpoint."""
        with contextlib.suppress(OSError, ApiError):
            self.api("GET", "/readyz", server=number)
            for name in ("default", "kube-system"):
                self.api("GET", f"/api/v1/namespaces/{name}", server=number)
            self.api("GET", "/api/v1/namespaces/default/services/kubernetes", server=number)
            return self.endpoint_reconciler == "none" or self.advertised[number] in self.endpoints()
        return False

    def _wait_for(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait for a condition; an error at once when a program has ended by itself."""

        def met() -> bool:
            if condition():
                return True
            for program in self.crashed:
                if "address already in use" in tail(program.log, 50):
                    raise PortTakenError
                raise program.failure()
            return False

        return wait_until(met, seconds, 0.05)

    def _first_alive(self) -> int:
        for number, server in enumerate(self._servers):
            if server.alive:
                return number
        raise LabError("No API server is running", self._epitaph(), "start one")

    def _kubeconfig(self, path: Path, user: dict[str, t.Any], server: int) -> Path:
        return kubeconfig.write(
            path, server=self.urls[server], authority=self._authority.certificate, user=user
        )

    def _fresh(self, name: str) -> Path:
        safe = re.sub(r"[^A-Za-z0-9-]+", "-", name)
        return self.folder / f"{safe}-{uuid.uuid4().hex[:8]}.kubeconfig"

    @property
    def _programs(self) -> list[Process]:
        return [*([self._etcd] if self._etcd else []), *self._servers]

    def _kill_all(self) -> None:
        # Nothing of the data is kept, so there is nothing to end gently.
        for program in self._programs:
            program.kill()

    def _expire(self) -> None:
        self._expired = True
        print(f"netguard lab: {self._epitaph()}", file=sys.stderr, flush=True)
        self._kill_all()

    def _epitaph(self) -> str:
        return f"the lifetime of {self._lifetime:.0f} s is over" if self._expired else ""


def remove_abandoned() -> None:
    """Remove folders of control planes whose process was killed before it could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{RUN_PREFIX}-*-*-*"):
        match = re.fullmatch(rf"{RUN_PREFIX}-(\d+)-(\d+)-\w+", folder.name)
        if match and not Identity(int(match[1]), int(match[2])).alive and folder.stat().st_uid == os.getuid():
            shutil.rmtree(folder, ignore_errors=True)


def _advertised(ip_family: Families) -> tuple[str, ...]:
    return ADVERTISED["ipv6" if ip_family == "ipv6" else "ipv4"]


def _service_ranges(ip_family: Families) -> list[str]:
    return list(SERVICE_RANGES.values()) if ip_family == "dual" else [SERVICE_RANGES[ip_family]]


def _require_linux() -> None:
    if sys.platform != "linux":
        raise LabError(
            f"The lab needs Linux, this is {sys.platform}",
            "the Linux kernel ties its processes to their parent and has more than one loopback address",
            "run the tests in a Linux virtual machine or container",
        )


def _mentions(path: Path, offset: int, text: str) -> bool:
    if not path.exists():
        return False
    with path.open("rb") as handle:
        handle.seek(offset)
        return text.encode() in handle.read()
