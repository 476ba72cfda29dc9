# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worlds of the cases: namespaces with Ignite, clients and policies, and what happens in them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import typing as t
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from enforced.table import described
from lab import objects
from lab.client import Manifest
from lab.cluster import clients
from lab.cluster.addresses import API_SERVICE
from lab.cluster.cluster import Cluster
from lab.cluster.ignite import FORM_SECONDS, Ignite, formed, logs, started, topology
from lab.environment import scrubbed_env
from lab.errors import ApiError, LabError

DATA = Path(__file__).parents[1] / "lab" / "data"
THIN_CLIENT = Path(__file__).with_name("thin_client.py")
ADDRESS_URL = f"https://{API_SERVICE}:443"


class World:
    """Namespaces of one test; they are deleted at its end."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._namespaces: list[str] = []

    def namespace(self, purpose: str, zone: str = "") -> str:
        """A fresh namespace, labelled as the question's are: `zone`, with its own name if not with another."""
        name = f"{purpose}-{uuid.uuid4().hex[:6]}"
        self.cluster.create(objects.namespace(name, {"zone": zone or name}))
        self._namespaces.append(name)
        return name

    def unborn(self, purpose: str) -> str:
        """The name of a namespace that a playbook will create; deleted like the others."""
        self._namespaces.append(f"{purpose}-{uuid.uuid4().hex[:6]}")
        return self._namespaces[-1]

    def close(self) -> None:
        while self._namespaces:
            with contextlib.suppress(ApiError):
                self.cluster.delete_namespace(self._namespaces.pop())

    # Ignite

    def deploy(self, ignite: Ignite) -> None:
        self.cluster.create_all(ignite.manifests())

    def servers(self, ignite: Ignite) -> list[Manifest]:
        return self.cluster.wait_pods(ignite.namespace, ignite.replicas, ignite.labels)

    def addresses(self, ignite: Ignite) -> list[str]:
        return [pod["status"]["podIP"] for pod in self.servers(ignite)]

    def logs(self, ignite: Ignite) -> list[str]:
        return logs(self.cluster, ignite)

    def formed(self, ignite: Ignite, servers: int | None = None, seconds: float = FORM_SECONDS) -> str:
        """Wait until every node has started and sees so many servers (default: all); what the nodes see."""
        formed(self.cluster, ignite, ignite.replicas if servers is None else servers, seconds)
        return described(f"servers={topology(log)[1]}" if started(log) else "not started" for log in self.logs(ignite))

    def restart(self, ignite: Ignite) -> float:
        """Let all servers start anew, at once; the seconds until they have formed their cluster."""
        began = time.monotonic()
        for pod in self.cluster.pods(ignite.namespace, ignite.labels):
            self.cluster.delete(objects.reference("v1", "Pod", pod["metadata"]["name"], ignite.namespace))
        seen = self.formed(ignite)
        if seen != f"servers={ignite.replicas}":
            raise LabError(f"{ignite.namespace} did not form its cluster again: {seen}")
        return time.monotonic() - began

    # clients

    def client(self, namespace: str, labels: dict[str, str] | None = None) -> list[str]:
        """Start a client pod; the words before a command that shall run in its network."""
        return self.cluster.pod(self.client_address(namespace, labels))

    def client_address(
        self, namespace: str, labels: dict[str, str] | None = None, command: Sequence[str] = clients.LISTEN
    ) -> str:
        """Start a pod that only listens on CLIENT_PORT, or runs another command; its address."""
        name = f"client-{uuid.uuid4().hex[:6]}"
        mark = {"lab/client": name}
        self.cluster.wait_account(namespace)
        self.cluster.create(clients.client(name, namespace, {**mark, **(labels or {})}, command))
        (running,) = self.cluster.wait_pods(namespace, 1, mark)
        return str(running["status"]["podIP"])

    # policies

    def question_policies(self, name: str, namespace: str, rules: Sequence[int] = ()) -> list[Manifest]:
        """Policies of the question for this namespace; `rules` chooses egress rules, counted from 1."""
        text = (DATA / f"{name}.yml").read_text(encoding="utf-8")
        text = text.replace("cache-ns\n", f"{namespace}\n").replace("zone: cache-zone", f"zone: {namespace}")
        policies = [policy for policy in yaml.safe_load_all(text) if policy]
        for policy in policies:
            if rules:
                policy["spec"]["egress"] = [policy["spec"]["egress"][number - 1] for number in rules]
        return policies

    def cluster_dns(self) -> str:
        """The address of a DNS pod."""
        (pod,) = self.cluster.pods("kube-system", {"k8s-app": "kube-dns"})
        return str(pod["status"]["podIP"])


class Playbooks:
    """Runs the collection's playbooks against the cluster, as an operator does."""

    def __init__(self, cluster: Cluster, scratch: Path) -> None:
        self._cluster, self._scratch = cluster, scratch

    def run(self, name: str, namespace: str, *arguments: str, seconds: float = 180.0, **variables: t.Any) -> float:
        """Run a playbook of netguard.lockdown; the seconds it took. An error with its output when it fails."""
        file = self._scratch / f"{uuid.uuid4().hex}.json"
        values = {"namespace": namespace, **variables}
        file.write_text(json.dumps({f"ignite_lockdown_{key}": value for key, value in values.items()}))
        # An operator's machine is another one: it shall not take the processor from the pods.
        program = ["nice", "-n", "10", str(Path(sys.executable).with_name("ansible-playbook"))]
        began = time.monotonic()
        answer = subprocess.run(
            [*program, f"netguard.lockdown.{name}", "--extra-vars", f"@{file}", *arguments],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={**scrubbed_env(self._cluster.kubeconfig), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0"},
            stdin=subprocess.DEVNULL,
        )
        if answer.returncode != 0:
            raise LabError(f"{name} ended with code {answer.returncode}", (answer.stdout + answer.stderr)[-6000:])
        return time.monotonic() - began

    def lockdown(self, namespace: str, **variables: t.Any) -> float:
        return self.run("lockdown", namespace, **variables)


@dataclass(frozen=True)
class Unrestricted:
    """A pod that no policy restricts, as a place, and the address of a second one, which listens on CLIENT_PORT."""

    place: list[str]
    neighbour: str


def thin_clients(*namespaces: str) -> list[dict[str, t.Any]]:
    """The role's clients that use Ignite from these namespaces."""
    return [{"name": name, "kind": "thin", "namespaces": [name]} for name in namespaces]


def thin_client(place: Sequence[str], address: str, operations: int = 10) -> str:
    """Write and read by the thin client from a place; "read what was written", or the error."""
    command = [*place, sys.executable, "-I", str(THIN_CLIENT), address, str(operations)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ))
    return answer.stdout.strip() if answer.returncode == 0 else answer.stderr.strip().splitlines()[-1]
