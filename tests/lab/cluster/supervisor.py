# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owns the cluster's processes: starts them in order, then waits until it is told to end or one of them fails.

It runs inside the cluster's PID and mount namespaces; the files of the state folder are how it speaks to outside.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
import typing as t
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from lab import objects
from lab.certificates import Authority
from lab.client import Client
from lab.cluster import control, node, workloads
from lab.cluster.addresses import (
    API_PORT,
    API_SERVERS,
    COMMAND_AND_CONTROL_PORT,
    CONTROL,
    DNS_PORT,
    HTTP_PORT,
    HTTPS_PORT,
    KUBELET_PORT,
    METADATA_ADDRESS,
    NEIGHBOUR,
    NEIGHBOUR_ADDRESS,
    OUTSIDE,
    OUTSIDE_ADDRESS,
    WORKER,
)
from lab.cluster.builds import Programs
from lab.cluster.control import ClusterSettings
from lab.cluster.drivers import DRIVERS
from lab.cluster.isolation import mount_own_folders
from lab.cluster.networks import NAMESPACES, add_ipv6, enter, forward, make
from lab.cluster.site import Site
from lab.cluster.state import Files, Options
from lab.errors import ApiError, LabError
from lab.kubeconfig import certificate_user, write
from lab.ports import free_port
from lab.processes import Process, wait_until
from lab.settings import write_keys

HERE = Path(__file__).parent
STEP_SECONDS = 90.0
POLL_SECONDS = 0.1


class Supervisor:
    """One cluster, from its first process to its last."""

    def __init__(self, folder: Path, options: Options, programs: Programs, images: Path) -> None:
        self._files, self._options, self._programs, self._images = Files(folder), options, programs, images
        self._run = self._files.run
        self._dual = options.dual_stack
        self._settings = ClusterSettings(servers=options.servers, ip_family="dual" if self._dual else "ipv4")
        self._authority = Authority()
        self._processes: dict[str, Process] = {}
        self._ports: list[int] = []
        self._driver = DRIVERS[options.engine]
        self._began = time.monotonic()

    def start(self) -> None:
        """Start everything and wait until it works."""
        with self._step("networks"):
            mount_own_folders(self._files.folder)
            make()
            forward(WORKER.name)
            if self._dual:
                add_ipv6()
        with self._step("keys and settings"):
            self._write_files()
        with self._step("etcd, API servers, containerd, listeners"):
            self._start(control.etcd(self._run, self._programs))
            self._start(*control.api_servers(self._run, self._programs, self._settings))
            self._start(node.containerd(self._run), *self._listeners(), self._relay())
            self._wait_for("an answer of every API server", self._api_ready)
            self._wait_for("containerd's socket", node.CONTAINERD_SOCKET.exists)
        with self._step("controllers, kube-proxy, images"):
            self._start(*control.controllers(self._run, self._programs, dual=self._dual))
            self._start(node.kube_proxy(self._run, self._programs, dual=self._dual))
            node.import_images(self._images)
        with self._step("node"):
            self._start(node.kubelet(self._run, self._programs, dual=self._dual))
            self._client.create(workloads.neighbour())
            self._wait_for("the node to be ready", self._node_ready)
        with self._step("policy engine, DNS"):
            self._driver.start(self._site)
            self._client.create_all(workloads.dns())
            self._wait_for("the policy engine and DNS to be ready", self._workloads_ready)

    def report(self) -> dict[str, t.Any]:
        """What the outside needs to know."""
        uid = self._client.read(objects.namespace("kube-system"))["metadata"]["uid"]
        return {"kube_system_uid": uid, "urls": self._urls, "seconds": round(time.monotonic() - self._began, 1)}

    def watch(self) -> None:
        """Obey orders until the lifetime is over; an error when a process ends by itself."""
        deadline = time.monotonic() + self._options.lifetime
        while time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            self._obey()
            self._require_alive()
        raise SystemExit(f"the lifetime of {self._options.lifetime:g} s is over")

    # inside

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)

    def _write_files(self) -> None:
        write_keys(self._run, self._settings, self._authority)
        control.write_keys(self._run, self._authority)
        plugins, network = self._driver.plugins(self._site), self._driver.pod_network(self._site)
        node.write_settings(self._run, self._authority, plugins, network)
        self._ports = [free_port(["127.0.0.1"]) for _ in self._settings.bind_addresses]
        user = certificate_user(self._authority.client("admin", [control.MASTERS]))
        for number, url in enumerate(self._urls):
            write(self._files.kubeconfig(number), server=url, authority=self._authority.certificate, user=user)

    @property
    def _urls(self) -> list[str]:
        return [f"https://127.0.0.1:{port}" for port in self._ports]

    @property
    def _site(self) -> Site:
        """What the policy engine gets to see."""
        return Site(
            self._run, self._programs, self._authority, lambda: self._client, self._start, self._wait_for, self._dual
        )

    @property
    def _client(self) -> Client:
        return Client.from_kubeconfig(self._files.kubeconfig(0))

    def _start(self, *processes: Process) -> None:
        for process in processes:
            process.start()
            self._processes[process.name] = process

    def _listeners(self) -> list[Process]:
        return [
            self._python(
                OUTSIDE.name,
                "listeners.py",
                f"echo={OUTSIDE_ADDRESS}:{COMMAND_AND_CONTROL_PORT}",
                f"http={OUTSIDE_ADDRESS}:{HTTPS_PORT}",
                f"http={METADATA_ADDRESS}:{HTTP_PORT}",
                f"dns={OUTSIDE_ADDRESS}:{DNS_PORT}",
            ),
            self._python(NEIGHBOUR.name, "listeners.py", f"http={NEIGHBOUR_ADDRESS}:{KUBELET_PORT}"),
        ]

    def _python(self, host: str, script: str, *arguments: str) -> Process:
        command = [*enter(host), sys.executable, "-I", "-u", str(HERE / script), *arguments]
        return Process(host, command, self._run)

    def _relay(self) -> Process:
        routes = [f"{port}={address}:{API_PORT}" for port, address in zip(self._ports, API_SERVERS, strict=False)]
        script = [sys.executable, "-I", str(HERE / "relay.py"), str(NAMESPACES / CONTROL.name)]
        return Process("relay", [*script, *routes], self._run)

    def _wait_for(self, what: str, condition: Callable[[], bool]) -> None:
        def met() -> bool:
            self._require_alive()
            return condition()

        if not wait_until(met, STEP_SECONDS, POLL_SECONDS):
            raise LabError(
                f"Waited {STEP_SECONDS:.0f} s in vain for {what}",
                next_step=f"read the logs in {self._run}; on a machine under heavy load, try again",
            )

    def _require_alive(self) -> None:
        for process in self._processes.values():
            if process.crashed:
                raise process.failure()

    def _api_ready(self) -> bool:
        with contextlib.suppress(OSError, ApiError):
            for number in range(self._settings.servers):
                client = Client.from_kubeconfig(self._files.kubeconfig(number), timeout=2)
                client.api("GET", "/readyz")
                client.read(objects.namespace("default"))
                client.read(objects.reference("v1", "Service", "kubernetes", "default"))
            return True
        return False

    def _node_ready(self) -> bool:
        with contextlib.suppress(OSError, ApiError):
            found = self._client.read(objects.reference("v1", "Node", WORKER.name))
            conditions = found.get("status", {}).get("conditions", [])
            return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
        return False

    def _workloads_ready(self) -> bool:
        dns = self._client.read(objects.reference("apps/v1", "Deployment", workloads.DNS, workloads.SYSTEM))
        return bool(dns.get("status", {}).get("readyReplicas")) and self._driver.ready(self._site)

    def _obey(self) -> None:
        """Stop or start a process: an order is a file NAME.stop or NAME.start, removed when done."""
        orders: dict[str, Callable[[Process], None]] = {".stop": Process.terminate, ".start": Process.start}
        for order in sorted(self._files.orders.iterdir()):
            process = self._processes.get(order.stem)
            if process is not None and order.suffix in orders:
                partial(orders[order.suffix], process)()
            order.unlink()


def main(folder: Path, options: Options, programs: Programs, images: Path) -> None:
    """The supervisor's whole life."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _leave)
    files = Files(folder)
    supervisor = Supervisor(folder, options, programs, images)
    try:
        supervisor.start()
    except LabError as error:
        print(f"ERROR: {error}", flush=True)
        raise SystemExit(1) from None
    draft = files.report.with_suffix(".new")
    draft.write_text(json.dumps(supervisor.report()), encoding="utf-8")
    draft.replace(files.report)
    supervisor.watch()


def _leave(number: int, _frame: object) -> None:
    raise SystemExit(f"ended by {signal.Signals(number).name}")
