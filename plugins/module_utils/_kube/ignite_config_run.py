# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of module ignite_config_info: find the configuration, read it, and judge it with its workload."""

from __future__ import annotations

import base64
import errno
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.netguard.lockdown.plugins.module_utils._core import cluster, options, peers, selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError, ObjectRef
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.elements import LARGEST
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.ignite import Config, read_ignite
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.place import Place, locate
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.versions import (
    Version,
    read_version,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.workload import Workload
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Source, metadata
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session

RESOURCES = {"StatefulSet": "statefulsets", "Deployment": "deployments", "DaemonSet": "daemonsets"}
_XML = ".xml"


@dataclass(frozen=True)
class Task:
    """The module's options, checked as far as that goes without a cluster. Texts are empty where nothing is given."""

    namespace: str
    workload: str
    workload_kind: str
    pod_selector: dict[str, t.Any] | None
    container: str
    place: Place | None
    path: str
    content: str
    version: Version | None
    cluster_uid: str

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Task:
        task = cls(
            namespace=options.dns_label(params["namespace"], "namespace") if params["namespace"] else "",
            workload=_name(params, "workload"),
            workload_kind=params["workload_kind"],
            pod_selector=_selector(params["pod_selector"]),
            container=params["container"] or "",
            place=_place(params),
            path=params["path"] or "",
            content=params["content"] or "",
            version=read_version(params["ignite_version"], "ignite_version") if params["ignite_version"] else None,
            cluster_uid=params["cluster_uid"] or "",
        )
        if not (task.needs_cluster or task.is_given):
            raise options.invalid(
                "workload", "neither it nor pod_selector, config_map, secret, path or content is given"
            )
        if task.needs_cluster and not task.namespace:
            raise options.invalid("namespace", "it is not set")
        return task

    @property
    def is_given(self) -> bool:
        return bool(self.path or self.content)

    @property
    def needs_cluster(self) -> bool:
        return bool(self.workload or self.pod_selector or self.place)


def read_offline(task: Task) -> Json:
    """What a configuration alone tells, without a cluster."""
    return _result(task, _own_config(task), None, {"cluster": None, "sources": []})


class ConfigRun:
    def __init__(self, session: Session, task: Task) -> None:
        self._session = session
        self._task = task
        self._sources: list[Source] = []

    def execute(self) -> Json:
        kube_system = self._session.get("/api/v1/namespaces/kube-system")
        uid = cluster.identity(kube_system, self._task.cluster_uid, self._session.host)
        workload = self._workload() if self._task.workload or self._task.pod_selector else None
        place = self._place(workload)
        config = self._config(place) if place else _own_config(self._task)
        about = {"cluster": {"uid": uid}, "sources": [source.as_dict() for source in self._sources]}
        return _result(self._task, config, workload, about)

    def _workload(self) -> Workload:
        task = self._task
        if not task.workload:
            return Workload.of(self._selected(), task.container)
        path = f"/apis/apps/v1/namespaces/{task.namespace}/{RESOURCES[task.workload_kind]}/{task.workload}"
        return Workload.of(self._get(path), task.container)

    def _selected(self) -> Json:
        """The one workload whose pods the selector means."""
        namespace, wanted = self._task.namespace, self._task.pod_selector
        every = [
            raw
            for resource in RESOURCES.values()
            for raw in self._session.list(f"/apis/apps/v1/namespaces/{namespace}/{resource}")
        ]
        found = [
            raw for raw in every if selectors.matches(wanted, metadata(raw["spec"]["template"]).get("labels") or {})
        ]
        if len(found) == 1:
            self._sources.append(Source.of(found[0]))
            return found[0]
        names = ", ".join(f"{raw['kind']}/{metadata(raw)['name']}" for raw in found or every) or "none at all"
        why = (
            f"{len(found)} workloads have pods with these labels" if found else "no workload has pods with these labels"
        )
        raise LockdownError(
            "workload_not_found",
            f"Cannot find the workload of Ignite in namespace {namespace}",
            f"{why}; there are {names}" if not found else f"{why}: {names}",
            "Name the workload",
            obj=ObjectRef("Namespace", namespace),
        )

    def _place(self, workload: Workload | None) -> Place | None:
        """Where the configuration stands in the cluster; None if it was given."""
        if self._task.place or self._task.is_given or workload is None:
            return self._task.place
        return locate(workload)

    def _config(self, place: Place) -> Config:
        found = self._get(f"/api/v1/namespaces/{self._task.namespace}/{place.resource}/{place.name}")
        values = {**(found.get("data") or {}), **(found.get("binaryData") or {})}
        key = _key(place, self._task.namespace, list(values))
        encoded = place.kind == "Secret" or key in (found.get("binaryData") or {})
        data = base64.b64decode(values[key]) if encoded else values[key]
        where = f"{place.kind} {self._task.namespace}/{place.name}, key {key}"
        return Config(data, where, is_open=place.kind == "ConfigMap")

    def _get(self, path: str) -> Json:
        found = self._session.get(path)
        self._sources.append(Source.of(found))
        return found


def _result(task: Task, config: Config, workload: Workload | None, about: Json) -> Json:
    return {
        "changed": False,
        "config": config.where,
        "workload": workload.as_dict() if workload else None,
        **read_ignite(config, workload, task.version).as_dict(),
        **about,
    }


def _own_config(task: Task) -> Config:
    return Config(task.content, "content") if task.content else Config(_file(task.path), task.path)


def _file(path: str) -> bytes:
    try:
        if not Path(path).is_file():  # a pipe could keep the reader waiting for ever
            raise FileNotFoundError(errno.ENOENT, "there is no such regular file")
        with Path(path).open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise LockdownError(
            "unreadable_file", f"Cannot read {path}", error.strerror or type(error).__name__, "Correct path"
        ) from error


def _key(place: Place, namespace: str, keys: list[str]) -> str:
    """The key that is meant; without a name, the only one that is XML."""
    likely = [place.key] if place.key else [key for key in keys if key.endswith(_XML)]
    if len(likely) == 1 and likely[0] in keys:
        return likely[0]
    why = f"it has no key {place.key}" if place.key else f"{len(likely)} of its keys are XML, and one is needed"
    raise LockdownError(
        "config_key_not_found",
        f"Cannot read {place.kind} {namespace}/{place.name}",
        f"{why}; it has {', '.join(sorted(keys)) or 'none'}",
        "Name the key",
        obj=ObjectRef(place.kind, place.name, namespace),
    )


def _place(params: t.Mapping[str, t.Any]) -> Place | None:
    for kind, option in (("ConfigMap", "config_map"), ("Secret", "secret")):
        if params[option]:
            return Place(kind, _name(params, option), params["key"] or "")
    if params["key"]:
        raise options.invalid("key", "it belongs to config_map or secret, and neither is given")
    return None


def _selector(given: t.Any) -> dict[str, t.Any] | None:
    if given is None:
        return None
    selectors.validate(given, "pod_selector")
    if peers.is_wide(given):
        raise options.invalid("pod_selector", "it demands no label, so any pod would be an Ignite server")
    return dict(given)


def _name(params: t.Mapping[str, t.Any], option: str) -> str:
    return options.object_name(params[option], option) if params[option] else ""
