# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running cluster in the hands of a test: its objects, its hosts' and pods' networks, its logs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import typing as t
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import objects
from lab.client import JSON, Client, Manifest, Requests
from lab.cluster import isolation, life
from lab.cluster.networks import NAMESPACES
from lab.cluster.state import Files
from lab.errors import ApiError, LabError
from lab.processes import wait_until

HERE = Path(__file__).parent
PROBE = HERE / "probe.py"
POLL_SECONDS = 0.2
START_SECONDS = 60.0


class Cluster(Requests):
    """A cluster that `up` has started; every call here acts on the real thing."""

    def __init__(self, folder: Path) -> None:
        self.state = life.running(folder)
        self._files = Files(folder.absolute())
        first = isolation.first_process(self.state.unshare)
        if first is None:
            raise LabError("The cluster has just ended", next_step="run `up` again")
        # Its own mount namespace, seen through one of its processes.
        self._namespaces = Path(f"/proc/{first.pid}/root") / NAMESPACES.relative_to("/")
        self._networks: dict[str, Path] = {}

    # requests

    @property
    def kubeconfig(self) -> Path:
        """The cluster admin's, for the first server."""
        return self._files.kubeconfig(0)

    @property
    def run_folder(self) -> Path:
        """Keys, data and the log of every process."""
        return self._files.run

    def api(
        self,
        method: str,
        path: str,
        body: t.Any = None,
        *,
        query: dict[str, str] | None = None,
        content_type: str = JSON,
        headers: dict[str, str] | None = None,
    ) -> Manifest:
        client = Client.from_kubeconfig(self.kubeconfig)
        return client.api(method, path, body, query=query, content_type=content_type, headers=headers)

    def delete_namespace(self, name: str) -> None:
        """Start to delete a namespace; its pods get no time to end."""
        for kind in ("StatefulSet", "Deployment"):  # or they would make new pods for those that go
            for owner in self.list("apps/v1", kind, name):
                self.delete(objects.reference("apps/v1", kind, owner["metadata"]["name"], name))
        for pod in self.list("v1", "Pod", name):
            self.delete(objects.reference("v1", "Pod", pod["metadata"]["name"], name))
        self.delete(objects.reference("v1", "Namespace", name))

    def wait_account(self, namespace: str) -> None:
        """Wait until a new namespace has the account that its pods run as."""
        account = objects.reference("v1", "ServiceAccount", "default", namespace)
        if not wait_until(lambda: self.exists(account), START_SECONDS, POLL_SECONDS):
            raise LabError(f"{namespace} has no default ServiceAccount after {START_SECONDS:.0f} s")

    # processes

    def stop(self, process: str) -> None:
        """End a process of the cluster (kube-apiserver-1, …) as SIGTERM does."""
        self._order(f"{process}.stop")

    def start(self, process: str) -> None:
        self._order(f"{process}.start")

    def _order(self, name: str) -> None:
        order = self._files.orders / name
        order.touch()
        if not wait_until(lambda: not order.exists(), START_SECONDS, POLL_SECONDS):
            raise LabError(f"The supervisor did not carry out {name}", next_step=f"read {self._files.log}")

    # pods

    def pods(self, namespace: str, labels: dict[str, str] | None = None) -> list[Manifest]:
        """The pods with these labels that are not on their way out, by name."""
        wanted = (labels or {}).items()
        found = [pod for pod in self.list("v1", "Pod", namespace) if "deletionTimestamp" not in pod["metadata"]]
        return sorted(
            (pod for pod in found if wanted <= pod["metadata"].get("labels", {}).items()),
            key=lambda pod: str(pod["metadata"]["name"]),
        )

    def wait_pods(self, namespace: str, count: int, labels: dict[str, str] | None = None) -> list[Manifest]:
        """Wait until so many pods run; the pods."""
        found: list[Manifest] = []

        def met() -> bool:
            nonlocal found
            found = [pod for pod in self.pods(namespace, labels) if pod["status"].get("phase") == "Running"]
            return len(found) == count

        if not wait_until(met, START_SECONDS, POLL_SECONDS):
            states = {pod["metadata"]["name"]: pod["status"].get("phase") for pod in self.pods(namespace, labels)}
            raise LabError(f"{namespace}: not {count} pods run after {START_SECONDS:.0f} s, but {states}")
        return found

    def pod_log(self, namespace: str, name: str, container: str = "", *, timestamps: bool = False) -> str:
        """What the pod's container has printed; empty while there is none. A pod with several needs its name."""
        query = {**({"container": container} if container else {}), **({"timestamps": "true"} if timestamps else {})}
        try:
            answer = self.api("GET", f"/api/v1/namespaces/{namespace}/pods/{name}/log", query=query)
        except ApiError:
            return ""
        return str(answer.get("message", ""))

    # networks

    def host(self, name: str) -> list[str]:
        """The words before a command that shall run in a host's network."""
        return ["nsenter", f"--net={self._namespaces / name}"]

    def pod(self, address: str) -> list[str]:
        """The words before a command that shall run in the network of the pod with this address."""
        if address not in self._networks or not self._networks[address].exists():
            self._networks = self._pod_networks()
        if address not in self._networks:
            raise LabError(f"No pod has the address {address}")
        return ["nsenter", f"--net={self._networks[address]}"]

    def _pod_networks(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for path in self._namespaces.glob("cni-*"):
            command = ["nsenter", f"--net={path}", "ip", "-json", "-4", "address", "show", "dev", "eth0"]
            answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
            if answer.returncode == 0:  # one that is being removed has no link any more
                found |= {one["local"]: path for link in json.loads(answer.stdout) for one in link.get("addr_info", [])}
        return found

    def probe(self, place: Sequence[str], targets: Sequence[str], seconds: float = 3.0) -> dict[str, str]:
        """Try to reach targets from a place (see host() and pod()), all at once; what probe.py says of each."""
        command = [*place, sys.executable, "-I", str(PROBE), str(seconds), *targets]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=seconds * 3 + 60, check=False)
        if answer.returncode != 0:
            raise LabError(f"{' '.join(command)} ended with code {answer.returncode}", answer.stderr)
        result: dict[str, str] = json.loads(answer.stdout)
        return result

    def probe_all(self, probes: Sequence[tuple[Sequence[str], Sequence[str]]]) -> list[dict[str, str]]:
        """Probe from several places at once, each with its targets."""
        with ThreadPoolExecutor() as pool:
            return list(pool.map(lambda one: self.probe(*one), probes))

    # the outside

    def visitors(self, since: float = 0.0, host: str = "outside") -> list[dict[str, t.Any]]:
        """Who reached a listener since a time (seconds since the epoch): the lines that listeners.py logs."""
        lines = (self._files.run / f"{host}.log").read_text(encoding="utf-8").splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{")]
        return [event for event in events if event["time"] >= since and event["kind"] != "ready"]

    def queries(self, name: str, seconds: float = 1.0) -> list[dict[str, t.Any]]:
        """The queries for a name that reached the resolver outside, after a moment for the late ones."""
        time.sleep(seconds)
        return [event for event in self.visitors() if event.get("name") == name.lower()]
