# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session whose API server answers from a folder: everything above the transport is the real code."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml

from ansible_collections.netguard.lockdown.plugins.module_utils._kube.client import Transport
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session

Json = dict[str, t.Any]

_PATH = re.compile(
    r"^/(?:api/(?P<core>v1)|apis/(?P<api>[^/]+/[^/]+))(?:/namespaces/(?P<namespace>[^/]+)(?=/[^/]))?"
    r"/(?P<resource>[^/]+)(?:/(?P<name>[^/]+))?$"
)


class Recorded(Session):
    """The session of one platform.

    `state.yml` holds API objects as YAML documents. The first document describes the cluster: `version`, `apis`
    (GROUP/VERSION besides those of its objects) and `forbidden` (resources that may not be read).
    """

    def __init__(self, folder: Path) -> None:
        # The base class would open a connection.
        self._server = _Server(folder)
        self.transport = t.cast(Transport, self._server)
        self._clock_offset = 0.0
        self.host = "https://recorded.example"
        self.source = str(folder)

    @property
    def requests(self) -> list[str]:
        return self._server.requests


class _Server:
    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        cluster, *self._objects = yaml.safe_load_all((folder / "state.yml").read_text(encoding="utf-8"))
        self._cluster: Json = cluster
        for number, obj in enumerate(self._objects):
            obj["metadata"] = {"uid": f"uid-{number}", "resourceVersion": str(number), **obj["metadata"]}
        served = {obj["apiVersion"] for obj in self._objects if "/" in obj["apiVersion"]}
        self._apis = sorted(
            {"apps/v1", "discovery.k8s.io/v1", "networking.k8s.io/v1", *served, *cluster.get("apis", [])}
        )

    def send(
        self, method: str, target: str, payload: bytes | None, content_type: str
    ) -> tuple[int, t.Mapping[str, str], bytes]:
        assert method == "GET", f"a resolver must only read: {method} {target} {payload!r} {content_type}"
        self.requests.append(target)
        parts = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        status, answer = self._answer(parts.path, query)
        return status, {"Date": "Sun, 22 Nov 2026 14:00:00 GMT"}, json.dumps(answer).encode()

    def _answer(self, path: str, query: dict[str, str]) -> tuple[int, Json]:
        if path == "/version":
            return 200, {"gitVersion": self._cluster["version"]}
        if path == "/apis":
            groups: dict[str, list[Json]] = {}
            for api in self._apis:
                groups.setdefault(api.partition("/")[0], []).append({"groupVersion": api})
            listed = [{"name": name, "versions": versions} for name, versions in groups.items()]
            return 200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
        match = _PATH.match(path)
        assert match, path
        if match["resource"] in self._cluster.get("forbidden", []):
            message = f'{match["resource"]} is forbidden: User "u" cannot list resource "{match["resource"]}"'
            return 403, {"message": message}
        api = match["core"] or match["api"]
        if match["api"] and api not in self._apis:
            return 404, {"message": "the server could not find the requested resource"}
        found = [obj for obj in self._objects if obj["apiVersion"] == api and _resource(obj) == match["resource"]]
        if match["namespace"]:
            found = [obj for obj in found if obj["metadata"].get("namespace") == match["namespace"]]
        if match["name"]:
            named = [obj for obj in found if obj["metadata"]["name"] == match["name"]]
            return (200, named[0]) if named else (404, {"message": f"{match['name']} not found"})
        chosen = [obj for obj in found if _chosen(obj, query)]
        return 200, {"kind": "List", "apiVersion": api, "metadata": {"resourceVersion": "1"}, "items": chosen}


def _resource(obj: Json) -> str:
    kind = str(obj["kind"]).lower()
    if kind == "endpoints":
        return kind
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def _chosen(obj: Json, query: dict[str, str]) -> bool:
    labels = obj["metadata"].get("labels") or {}
    field, _sign, value = query.get("fieldSelector", "").partition("=")
    if field:
        assert field == "spec.clusterIP", field
        if obj["spec"].get("clusterIP") != value:
            return False
    return all(_satisfied(part, labels) for part in re.split(r",(?![^(]*\))", query.get("labelSelector", "")) if part)


def _satisfied(requirement: str, labels: dict[str, str]) -> bool:
    match = re.match(r"^(?P<key>\S+) in \((?P<values>[^)]*)\)$", requirement)
    if match:
        return labels.get(match["key"]) in match["values"].split(",")
    key, _sign, value = requirement.partition("=")
    return labels.get(key) == value
