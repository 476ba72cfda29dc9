# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control plane without nodes: etcd and one or two kube-apiservers on loopback, as an ordinary user.

Pods, Services and nodes are objects only: nothing schedules, runs or collects them. Tests arrange every one.
"""

from __future__ import annotations

import atexit
import contextlib
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

from lab import audit, binaries, objects
from lab.access import Access
from lab.client import JSON, USER_AGENT, Client, Manifest
from lab.errors import ApiError, LabError
from lab.ports import accepts
from lab.processes import Identity, Process, own_identity, tail, wait_until
from lab.settings import (
    ETCD_ADDRESS,
    Family,
    Ports,
    Reconciler,
    Settings,
    apiserver_flags,
    audit_log,
    etcd_flags,
    write_keys,
)

START_SECONDS = 60.0
ANSWER_SECONDS = 1.0
SETTLE_SECONDS = 10.0
LIFETIME_SECONDS = 3600.0
START_ATTEMPTS = 5
RUN_PREFIX = "netguard-lab"
PORT_TAKEN = "address already in use"


class PortTakenError(Exception):
    """Another program took the chosen port before ours could."""


class ControlPlane(Access):
    """A running control plane; use it as a context manager, or call start() and stop().

    Its processes die with the process that started them, and after `lifetime` seconds in any case.
    """

    def __init__(
        self,
        *,
        servers: int = 1,
        endpoint_reconciler: Reconciler = "lease",
        ip_family: Family = "ipv4",
        lifetime: float = LIFETIME_SECONDS,
        folder: Path | None = None,
        report: binaries.Report = binaries.to_stderr,
    ) -> None:
        """
        :param servers: API servers on the one etcd: 1, or 2 on 127.0.0.1 and 127.0.0.2 with the same port.
        :param endpoint_reconciler: `lease` keeps the EndpointSlice default/kubernetes, `none` leaves it alone.
        :param ip_family: of the Service range; `dual` is IPv4 first. Servers listen on 127.0.0.x in any case.
        :param lifetime: seconds after which everything is ended.
        :param folder: where to keep keys, logs and data, made and removed here; default: a temporary one.
        :param report: called with a line of progress when binaries have to be built.
        """
        super().__init__()
        self.settings = Settings(servers, endpoint_reconciler, ip_family)
        self.kube_system_uid = ""
        self._lifetime = lifetime
        self._wanted_folder = folder
        self._report = report
        self._folder: Path | None = None
        self._owner = os.getpid()
        self._timer: threading.Timer | None = None
        self._expired = False
        self._port = 0
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
        if self._folder is not None:
            raise LabError("This control plane has been started already", next_step="call stop() first")
        found = binaries.find_or_build(self._report)
        remove_abandoned()
        atexit.register(self.stop)
        try:
            self._folder = self._make_folder()
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
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        atexit.unregister(self.stop)

    def stop_server(self, number: int) -> None:
        """SIGTERM: the server withdraws its endpoint before it ends."""
        self._servers[number].terminate()

    def kill_server(self, number: int) -> None:
        """SIGKILL: the endpoint stays until its lease runs out (about 15 s, if another server lives)."""
        self._servers[number].kill()

    def start_server(self, number: int) -> None:
        """Start a stopped or killed server again, at the same address, and wait until it is ready."""
        if self._servers[number].alive:
            raise LabError(f"{self._servers[number].name} is running", next_step="stop or kill it first")
        self._servers[number].start()
        self.wait_ready()

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until every server that was started answers and is listed as an endpoint."""
        for number, server in enumerate(self._servers):
            if server.started and not self._wait_for(partial(self._ready, number), seconds):
                raise LabError(
                    f"{server.name} was not ready within {seconds:.0f} s",
                    tail(server.log),
                    "read the lines above, the end of its log; on a machine under heavy load, try again",
                )

    # what is there

    @property
    def folder(self) -> Path:
        """Where keys, logs and kubeconfigs are; gone after stop()."""
        if self._folder is None:
            raise LabError("The control plane is not running", next_step="call start()")
        return self._folder

    @property
    def urls(self) -> list[str]:
        return [f"https://{address}:{self._port}" for address in self.settings.bind_addresses]

    @property
    def port(self) -> int:
        """The servers' port; it is also the port of default/kubernetes' endpoints."""
        return self._port

    @property
    def advertised(self) -> tuple[str, ...]:
        """The endpoint address of each server."""
        return self.settings.advertised

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
        return [audit_log(self.folder, number) for number in range(self.settings.servers)]

    def service_ip(self, number: int) -> str:
        """An address of the first Service range: 1 is the API server's, 10 by custom the cluster DNS'."""
        return self.settings.service_ip(number)

    # requests

    def api(
        self,
        method: str,
        path: str,
        body: t.Any = None,
        *,
        query: dict[str, str] | None = None,
        content_type: str = JSON,
        headers: dict[str, str] | None = None,
        server: int | None = None,
    ) -> Manifest:
        """One request as cluster admin, to the given server or else the first that runs; the parsed answer.

        ApiError (with .status and .answer) for HTTP 400 and above, OSError when the server cannot be reached.
        """
        client = self._clients[self._first_alive() if server is None else server]
        return client.api(method, path, body, query=query, content_type=content_type, headers=headers)

    def endpoints(self) -> list[str]:
        """The addresses of the EndpointSlice default/kubernetes, sorted; empty where there is none."""
        reference = objects.reference("discovery.k8s.io/v1", "EndpointSlice", "kubernetes", "default")
        if not self.exists(reference):
            return []
        endpoints = self.read(reference).get("endpoints") or []
        return sorted(address for endpoint in endpoints for address in endpoint["addresses"])

    def wait_endpoints(self, addresses: Sequence[str], seconds: float = 30.0) -> None:
        """Wait until default/kubernetes lists exactly these addresses."""
        if not wait_until(lambda: self.endpoints() == sorted(addresses), seconds, 0.1):
            raise LabError(
                f"default/kubernetes lists {self.endpoints()} after {seconds:.0f} s, not {sorted(addresses)}"
            )

    # what was asked

    def mark(self) -> audit.Position:
        """The audit logs' present end; hand it to audit() to see what came after."""
        self._settle()
        return audit.end(self.audit_logs)

    def audit(self, since: audit.Position | None = None, *, own: bool = False) -> list[audit.Event]:
        """The finished requests after a mark, oldest first; the lab's own only if asked for."""
        self._settle()
        found = audit.events(self.audit_logs, since)
        return [event for event in found if own or event.user_agent != USER_AGENT]

    def _settle(self) -> None:
        """Wait until the log shows a request of our own: then it also shows what was answered before."""
        for number, server in enumerate(self._servers):
            if server.alive:
                word, log = uuid.uuid4().hex, self.audit_logs[number]
                start = log.stat().st_size if log.exists() else 0
                self.api("GET", "/version", query={"settle": word}, server=number)
                if not wait_until(partial(_mentions, log, start, word), SETTLE_SECONDS):
                    raise LabError(f"{log} does not show a request answered {SETTLE_SECONDS:.0f} s ago")

    # inside

    def _make_folder(self) -> Path:
        if self._wanted_folder is not None:
            self._wanted_folder.mkdir(parents=True, mode=0o700)
            return self._wanted_folder
        owner = own_identity()
        return Path(tempfile.mkdtemp(prefix=f"{RUN_PREFIX}-{owner.pid}-{owner.started}-"))

    def _start_programs(self, found: binaries.Binaries) -> None:
        if not any(self._start_on(Ports.choose(self.settings), found) for _ in range(START_ATTEMPTS)):
            raise LabError(f"{START_ATTEMPTS} times a free port was taken before the servers could bind it")

    def _start_on(self, ports: Ports, found: binaries.Binaries) -> bool:
        """Start everything on these ports; False when another program was faster to take one."""
        self._port = ports.api
        for old in self.folder.iterdir():
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        write_keys(self.folder, self.settings, self._authority)
        try:
            self._start_etcd(ports, found)
            self._start_servers(ports, found)
        except PortTakenError:
            self._kill_all()
            return False
        return True

    def _start_etcd(self, ports: Ports, found: binaries.Binaries) -> None:
        self._etcd = Process("etcd", [str(found.etcd), *etcd_flags(self.folder, ports)], self.folder)
        self._etcd.start()
        if not self._wait_for(partial(accepts, ETCD_ADDRESS, ports.etcd), START_SECONDS):
            raise LabError("etcd does not answer", tail(self._etcd.log), "read the lines above (the end of its log)")

    def _start_servers(self, ports: Ports, found: binaries.Binaries) -> None:
        numbers = range(self.settings.servers)
        flags = [apiserver_flags(self.folder, self.settings, ports, number) for number in numbers]
        self._clients = [Client.from_kubeconfig(self.admin_kubeconfig(number)) for number in numbers]
        self._servers = [
            Process(f"kube-apiserver-{number}", [str(found.kube_apiserver), *flags[number]], self.folder)
            for number in numbers
        ]
        for server in self._servers:
            server.start()
        # A taken port shows before the first answer, so here is the place to notice it.
        for number, server in enumerate(self._servers):
            if not self._wait_for(partial(self._answers, number), START_SECONDS):
                raise LabError(f"{server.name} does not answer", tail(server.log), "read the lines above")

    def _answers(self, number: int) -> bool:
        """Whether the server answers at all."""
        # Whoever else holds the port may accept connections and stay silent.
        client = Client.from_kubeconfig(self.admin_kubeconfig(number), timeout=ANSWER_SECONDS)
        with contextlib.suppress(OSError, ApiError):
            client.api("GET", "/version")
            return True
        return False

    def _ready(self, number: int) -> bool:
        """Whether the server is ready, with the objects it makes itself and (by lease) its endpoint."""
        with contextlib.suppress(OSError, ApiError):
            for path in (
                "/readyz",
                "/api/v1/namespaces/kube-system",
                "/api/v1/namespaces/default/services/kubernetes",
            ):
                self.api("GET", path, server=number)
            return self.settings.endpoint_reconciler == "none" or self.advertised[number] in self.endpoints()
        return False

    def _wait_for(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait for a condition; an error at once when a program has ended by itself."""

        def met() -> bool:
            if condition():
                return True
            for program in self.crashed:
                raise PortTakenError if PORT_TAKEN in tail(program.log, 50) else program.failure()
            return False

        return wait_until(met, seconds, 0.05)

    def _first_alive(self) -> int:
        for number, server in enumerate(self._servers):
            if server.alive:
                return number
        why = f"its lifetime of {self._lifetime:g} s is over" if self._expired else ""
        raise LabError("No API server of this control plane is running", why, "start one")

    @property
    def _programs(self) -> list[Process]:
        return [*([self._etcd] if self._etcd else []), *self._servers]

    def _kill_all(self) -> None:
        # Nothing of the data is kept, so there is nothing to end gently.
        for program in self._programs:
            program.kill()

    def _expire(self) -> None:
        self._expired = True
        print(f"netguard lab: the lifetime of {self._lifetime:g} s is over", file=sys.stderr, flush=True)
        self._kill_all()


def remove_abandoned() -> None:
    """Remove folders of control planes whose process was killed before it could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{RUN_PREFIX}-*-*-*"):
        match = re.fullmatch(rf"{RUN_PREFIX}-(\d+)-(\d+)-\w+", folder.name)
        if match and not Identity(int(match[1]), int(match[2])).alive:
            # Another control plane that starts now may be faster.
            with contextlib.suppress(FileNotFoundError):
                if folder.stat().st_uid == os.getuid():
                    shutil.rmtree(folder, ignore_errors=True)


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
