# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small raw JSON client for tests to arrange objects, independent of the collection's own code."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import tempfile
import typing as t
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab.errors import ApiError, LabError

Manifest = dict[str, t.Any]

USER_AGENT = "netguard-lab"
TIMEOUT = 30.0  # seconds
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

# apiVersion -> kind -> (resource, namespaced)
RESOURCES: dict[str, dict[str, tuple[str, bool]]] = {
    "v1": {
        "ConfigMap": ("configmaps", True),
        "Endpoints": ("endpoints", True),
        "Namespace": ("namespaces", False),
        "Node": ("nodes", False),
        "Pod": ("pods", True),
        "Secret": ("secrets", True),
        "Service": ("services", True),
        "ServiceAccount": ("serviceaccounts", True),
    },
    "apiextensions.k8s.io/v1": {"CustomResourceDefinition": ("customresourcedefinitions", False)},
    "apps/v1": {
        "DaemonSet": ("daemonsets", True),
        "Deployment": ("deployments", True),
        "StatefulSet": ("statefulsets", True),
    },
    "cilium.io/v2": {
        "CiliumClusterwideNetworkPolicy": ("ciliumclusterwidenetworkpolicies", False),
        "CiliumNetworkPolicy": ("ciliumnetworkpolicies", True),
        "CiliumNode": ("ciliumnodes", False),
    },
    "coordination.k8s.io/v1": {"Lease": ("leases", True)},
    "discovery.k8s.io/v1": {"EndpointSlice": ("endpointslices", True)},
    "networking.k8s.io/v1": {"NetworkPolicy": ("networkpolicies", True)},
    "rbac.authorization.k8s.io/v1": {
        "ClusterRole": ("clusterroles", False),
        "ClusterRoleBinding": ("clusterrolebindings", False),
        "Role": ("roles", True),
        "RoleBinding": ("rolebindings", True),
    },
}
# The API server drops `status` from a create; it has to be written to the subresource.
STATUS_SUBRESOURCE = {"Node", "Pod"}


def object_path(api_version: str, kind: str, namespace: str = "", name: str = "") -> str:
    """The URL path of an object, or of its collection without a name."""
    try:
        resource, namespaced = RESOURCES[api_version][kind]
    except KeyError:
        raise LabError(f"The lab's client does not know {api_version} {kind}", "", "add it to RESOURCES") from None
    parts = [f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"]
    if namespaced and namespace:
        parts += ["namespaces", namespace]
    return "/".join([*parts, resource, *([name] if name else [])])


def _path_of(obj: Manifest, *, named: bool = True) -> str:
    meta = obj["metadata"]
    namespace = meta.get("namespace", "default")
    return object_path(obj["apiVersion"], obj["kind"], namespace, meta["name"] if named else "")


class Requests:
    """What tests do with objects; a subclass says how a request reaches a server."""

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
        """One request; the parsed answer. ApiError (with .status) for HTTP 400 and above."""
        raise NotImplementedError

    def create(self, obj: Manifest, *, field_manager: str = USER_AGENT) -> Manifest:
        """Create an object; the status of a Pod or Node, too. Returns what is stored."""
        query = {"fieldManager": field_manager}
        answer = self.api("POST", _path_of(obj, named=False), obj, query=query)
        if obj["kind"] in STATUS_SUBRESOURCE and "status" in obj:
            body = {"status": obj["status"]}
            answer = self.api("PATCH", f"{_path_of(obj)}/status", body, query=query, content_type=MERGE_PATCH)
        return answer

    def create_all(self, objects: t.Iterable[Manifest], *, field_manager: str = USER_AGENT) -> None:
        for obj in objects:
            self.create(obj, field_manager=field_manager)

    def read(self, obj: Manifest) -> Manifest:
        """The stored object with the apiVersion, kind, namespace and name of the given one."""
        return self.api("GET", _path_of(obj))

    def exists(self, obj: Manifest) -> bool:
        try:
            self.read(obj)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def patch(self, obj: Manifest, body: Manifest, *, field_manager: str = USER_AGENT) -> Manifest:
        """Merge-patch the object that has the given one's name."""
        return self.api("PATCH", _path_of(obj), body, query={"fieldManager": field_manager}, content_type=MERGE_PATCH)

    def replace(self, obj: Manifest, *, field_manager: str = USER_AGENT) -> Manifest:
        return self.api("PUT", _path_of(obj), obj, query={"fieldManager": field_manager})

    def delete(self, obj: Manifest) -> None:
        """Delete without a grace period; a namespace stays Terminating, for no controller empties it."""
        self.api("DELETE", _path_of(obj), query={"gracePeriodSeconds": "0"})

    def list(self, api_version: str, kind: str, namespace: str = "") -> list[Manifest]:
        items: list[Manifest] = self.api("GET", object_path(api_version, kind, namespace))["items"]
        return items


@dataclass(frozen=True)
class Address:
    host: str
    port: int


class Client(Requests):
    """Requests to one server, with the credentials of a kubeconfig."""

    def __init__(
        self,
        address: Address,
        context: ssl.SSLContext,
        headers: dict[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """`headers` go with every request; `timeout` in seconds bounds each wait for the server."""
        self._address, self._context, self._headers, self._timeout = address, context, headers or {}, timeout

    @classmethod
    def from_kubeconfig(cls, path: Path, timeout: float = TIMEOUT) -> Client:
        """For a kubeconfig as this lab writes it: everything embedded, one context."""
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        url = urllib.parse.urlsplit(cluster["server"])
        authority = base64.b64decode(cluster["certificate-authority-data"])
        context = ssl.create_default_context(cadata=authority.decode())
        if "client-certificate-data" in user:
            _load_pair(context, *(base64.b64decode(user[f"client-{part}-data"]) for part in ("certificate", "key")))
        headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        return cls(Address(url.hostname or "", url.port or 443), context, headers, timeout)

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
        usual = {"User-Agent": USER_AGENT, "Accept": JSON, "Content-Type": content_type}
        sent = {**usual, **self._headers, **(headers or {})}
        target = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        status, text = self._exchange(method, target, None if body is None else json.dumps(body).encode(), sent)
        answer = _parse(text)
        if status >= 400:
            raise ApiError(method, target, status, answer)
        return answer

    def _exchange(self, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        host, port = self._address.host, self._address.port
        connection = http.client.HTTPSConnection(host, port, timeout=self._timeout, context=self._context)
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def _parse(text: bytes) -> Manifest:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    return answer if isinstance(answer, dict) else {"message": text.decode(errors="replace")}


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    # The ssl module reads a client certificate from a file only.
    with tempfile.NamedTemporaryFile(prefix="netguard-lab-") as pair:
        pair.write(certificate + key)
        pair.flush()
        context.load_cert_chain(pair.name)
