# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of module ignite_topology_info: read logs and connections until they agree, or until the deadline."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import (
    cluster,
    options,
    selectors,
    sockets,
    topology,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube import exec as exec_
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import ApiError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session

_POLL_SECONDS = 1.0
_EXEC_SECONDS = 10.0

_T = t.TypeVar("_T")


@dataclass(frozen=True)
class Task:
    """The module's options, checked as far as that goes without a cluster."""

    namespace: str
    pod_selector: Json
    container: str
    discovery_port: int
    expected_servers: int | None
    deadline: int
    cluster_uid: str
    check_mode: bool

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any], *, check_mode: bool) -> Task:
        selectors.validate(params["pod_selector"], "pod_selector")
        options.port(params["discovery_port"], "discovery_port")
        if params["expected_servers"] is not None and params["expected_servers"] < 1:
            raise options.invalid("expected_servers", f"{params['expected_servers']} is not positive")
        return cls(
            namespace=options.dns_label(params["namespace"], "namespace"),
            pod_selector=params["pod_selector"],
            container=params["container"] or "",
            discovery_port=params["discovery_port"],
            expected_servers=params["expected_servers"],
            deadline=options.integer(params["deadline"], "deadline", 0, 3600),
            cluster_uid=params["cluster_uid"] or "",
            check_mode=check_mode,
        )


class TopologyRun:
    def __init__(self, session: Session, task: Task) -> None:
        self._session = session
        self._task = task
        self._pods = f"/api/v1/namespaces/{task.namespace}/pods"

    def execute(self) -> Json:
        """Look until the verdict is pass; a node that has just started takes a moment to be in everyone's topology."""
        kube_system = self._session.get("/api/v1/namespaces/kube-system")
        uid = cluster.identity(kube_system, self._task.cluster_uid, self._session.host)
        began = time.monotonic()
        while True:
            nodes = self._nodes()
            judged = topology.judge(nodes, self._task.expected_servers)
            passed = time.monotonic() - began
            if judged.verdict == topology.PASS or self._task.check_mode or passed >= self._task.deadline:
                break
            time.sleep(_POLL_SECONDS)
        return {
            "changed": False,
            **judged.as_dict(),
            "nodes": [node.as_dict() for node in nodes],
            "seconds": round(passed, 1),
            "cluster": {"uid": uid},
        }

    def _nodes(self) -> list[topology.Node]:
        query = {"labelSelector": selectors.as_query(self._task.pod_selector)}
        pods = [pod for pod in self._session.list(self._pods, query) if topology.is_running(pod)]
        names = {
            address["ip"]: pod["metadata"]["name"]
            for pod in pods
            for address in (pod.get("status") or {}).get("podIPs") or []
        }
        return [self._node(pod, names) for pod in pods]

    def _node(self, pod: Json, names: t.Mapping[str, str]) -> topology.Node:
        name = pod["metadata"]["name"]
        container = self._task.container or topology.server_container(pod, self._task.discovery_port)
        problems: list[str] = []
        log = self._tried(lambda: self._log(name, container), problems)
        peers = None if self._task.check_mode else self._tried(lambda: self._peers(name, container, names), problems)
        return topology.Node(name, log or topology.Log(), peers, "; ".join(problems))

    def _tried(self, read: t.Callable[[], _T], problems: list[str]) -> _T | None:
        """What could be read; a right that is missing ends the run, for waiting does not bring it."""
        try:
            return read()
        except LockdownError as error:
            if isinstance(error, ApiError) and error.lacks_right:
                raise
            problems.append(f"{error.what}: {error.why}")
            return None

    def _log(self, name: str, container: str) -> topology.Log:
        return topology.Log.read(self._session.text(f"{self._pods}/{name}/log", {"container": container}))

    def _peers(self, name: str, container: str, names: t.Mapping[str, str]) -> frozenset[str]:
        """The pods whose discovery port this one holds a connection to."""
        where = exec_.Container(self._task.namespace, name, container)
        listing = exec_.run(self._session, where, sockets.LISTING, _EXEC_SECONDS).stdout
        remotes = {
            str(entry.remote)
            for entry in sockets.parse_listing(listing, f"pod {name}")
            if entry.connects and entry.remote_port == self._task.discovery_port
        }
        return frozenset(names[address] for address in remotes & set(names)) - {name}
