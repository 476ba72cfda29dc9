# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only room that talks to the Kubernetes API: raw JSON over the client library's transport.

The library does authentication, TLS, exec plugins and proxies. Its generated API classes are not
used: importing one costs more than all the requests of a run.
"""

from __future__ import annotations

import email.utils
import json
import os
import re
import time
import typing as t
from datetime import datetime, timezone
from urllib.parse import urlencode

from ansible_collections.netguard.lockdown.plugins.module_utils._core.connection import Connection, resolve
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ownership import FIELD_MANAGER
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import (
    ApiError,
    from_status,
    from_transport,
    not_kubernetes,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.client import Transport

Json = dict[str, t.Any]
Query = t.Mapping[str, t.Any]

_PAGE = 500
_THROTTLED_TRIES = 3
_THROTTLED_WAIT_SECONDS = 2.0
# What programs in Go say of a path that they do not have: an API server of an API that it does not serve, a proxy of
# anything. Of an object that is not there, an API server says it in a Status.
_NO_SUCH_PATH = "404 page not found"
# APIs that another program than the API server may serve, which need not keep all conventions.
_OF_OTHERS = re.compile(r"/apis/(?![^/]*\.k8s\.io/)[^/]*\.")
_DISCOVERY = ("APIGroupList", "APIResourceList")


class Session:
    """One connection to one API server, with bounded waits.

    :arg connect_timeout: seconds until a connection must stand, TLS included.
    :arg request_timeout: seconds the server may be silent within one answer.
    """

    def __init__(self, connection: Connection, *, connect_timeout: float, request_timeout: float) -> None:
        self.transport = Transport(connection, connect_timeout=connect_timeout, request_timeout=request_timeout)
        self.host = self.transport.host
        self.connect_timeout, self.request_timeout = connect_timeout, request_timeout
        self.source = connection.source
        self.insecure = connection.insecure_by_task
        self._clock_offset: float = 0.0

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Session:
        return cls(
            resolve(params, os.environ),
            connect_timeout=params["connect_timeout"],
            request_timeout=params["request_timeout"],
        )

    def get(self, path: str, query: Query | None = None) -> Json:
        return self.request("GET", path, query)

    def find(self, path: str, query: Query | None = None) -> Json | None:
        """The object, or None where the server says that there is none."""
        try:
            return self.get(path, query)
        except ApiError as error:
            if error.status == 404 and error.why != _NO_SUCH_PATH:
                return None
            raise

    def text(self, path: str, query: Query | None = None) -> str:
        """An answer that is no JSON, as a pod's log."""
        target = f"{path}?{urlencode(query)}" if query else path
        status, _headers, data = self._send("GET", target, None, "application/json")
        if status >= 300:
            raise from_status("GET", path, self.host, status, _decode(data) or _as_message(data))
        return data.decode(errors="replace")

    def api_versions(self) -> list[str]:
        """Every GROUP/VERSION that is served, apart from the core group."""
        groups = self.get("/apis").get("groups") or []
        return [each["groupVersion"] for group in groups for each in group.get("versions") or []]

    def whole_page(self, path: str) -> list[Json] | None:
        """All items of a collection, or None where one page does not hold them."""
        page = self._page(path, {"limit": _PAGE})
        return None if page["metadata"].get("continue") else _items(page)

    def list(self, path: str, query: Query | None = None) -> list[Json]:
        """All items of a collection, page by page, with their kind and apiVersion filled in."""
        items: list[Json] = []
        params: Json = {**(query or {}), "limit": _PAGE}
        while True:
            page = self._page(path, params)
            items += _items(page)
            token = page["metadata"].get("continue")
            if not token:
                return items
            if token == params.get("continue"):
                # Whoever answers does not read what is asked, and would do so for ever.
                raise not_kubernetes("GET", path, self.host)
            params["continue"] = token

    def _page(self, path: str, query: Query) -> Json:
        page = self.get(path, query)
        if "items" not in page:
            raise not_kubernetes("GET", path, self.host)
        return page

    def apply(self, path: str, body: Json, *, force: bool, dry_run: bool = False) -> Json:
        """Server-side apply as this collection's field manager."""
        query: Json = {"fieldManager": FIELD_MANAGER, "force": "true" if force else "false"}
        if dry_run:
            query["dryRun"] = "All"
        return self.request("PATCH", path, query, body, "application/apply-patch+yaml")

    def create(self, path: str, body: Json, *, dry_run: bool = False, manager: str = FIELD_MANAGER) -> Json:
        query: Json = {"fieldManager": manager}
        if dry_run:
            query["dryRun"] = "All"
        return self.request("POST", path, query, body)

    def replace(self, path: str, body: Json) -> Json:
        return self.request("PUT", path, {"fieldManager": FIELD_MANAGER}, body)

    def delete(self, path: str, *, uid: str, resource_version: str, dry_run: bool = False) -> bool:
        """Delete exactly the object that was read: another one of that name, or a newer state, is a conflict.

        Return whether it is gone: one that a finalizer holds is still there, and is the answer.
        """
        body: Json = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid, "resourceVersion": resource_version},
        }
        query: Json = {}
        if dry_run:
            # The server obeys the body; the query is for readers of audit logs, which hold no bodies.
            body["dryRun"], query["dryRun"] = ["All"], "All"
        return bool(self.request("DELETE", path, query, body)["kind"] == "Status")

    def server_now(self) -> datetime:
        """The API server's clock as of its last answer: runs on different machines compare against one clock."""
        return datetime.fromtimestamp(time.time() + self._clock_offset, tz=timezone.utc)

    def request(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> Json:
        target = f"{path}?{urlencode(query)}" if query else path
        payload = None if body is None else json.dumps(body).encode()
        for attempt in range(_THROTTLED_TRIES):
            status, headers, data = self._send(method, target, payload, content_type)
            if status != 429 or attempt == _THROTTLED_TRIES - 1:
                break
            time.sleep(_throttled_wait(headers.get("Retry-After")))
        answer = _decode(data)
        # A proxy's page that says 404 does not say that there is no such object.
        is_page = status == 404 and answer is None and data.strip() != _NO_SUCH_PATH.encode()
        # The API server never redirects; a login page of a proxy does.
        if status >= 300 and not is_page:
            raise from_status(method, path, self.host, status, answer or _as_message(data))
        if answer is None or not _is_of_kubernetes(method, path, answer, stored="dryRun" not in (query or {})):
            raise not_kubernetes(method, path, self.host)
        return answer

    def _send(
        self, method: str, target: str, payload: bytes | None, content_type: str
    ) -> tuple[int, t.Mapping[str, str], bytes]:
        try:
            status, headers, data = self.transport.send(method, target, payload, content_type)
        except LockdownError:
            raise
        except Exception as error:
            raise from_transport(method, target.partition("?")[0], self.host, error) from error
        self._note_clock(headers.get("Date"))
        return status, headers, data

    def _note_clock(self, date: str | None) -> None:
        parsed = email.utils.parsedate_tz(date or "")
        if parsed:
            self._clock_offset = email.utils.mktime_tz(parsed) - time.time()


class NoSession(Session):
    """Stands in where a module works without a cluster: it can ask nothing."""

    def __init__(self) -> None:
        self.host = self.source = ""
        self.insecure = False

    def request(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> Json:
        raise AssertionError(f"{method} {path} without a connection")


def _decode(data: bytes) -> Json | None:
    try:
        answer = json.loads(data)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _as_message(data: bytes) -> Json:
    return {"message": data[:200].decode(errors="replace")}


def _is_of_kubernetes(method: str, path: str, answer: Json, *, stored: bool) -> bool:
    """Whether an API server answers so. What has lost its content on the way must not be taken for an empty object.

    :arg stored: whether it is no dry run, which gives an object no version.
    """
    kind = answer.get("kind")
    if kind in _DISCOVERY or "gitVersion" in answer:
        return True
    if not kind or method == "DELETE" or kind == "Status":
        return bool(kind) and method == "DELETE"
    strictly = not _OF_OTHERS.match(path)
    if not str(kind).endswith("List"):
        return _is_object(answer, whole=stored and strictly)
    items = answer.get("items", "missing")
    if items is None and not strictly:
        items = []
    return (
        isinstance(items, list)
        and all(isinstance(item, dict) and _is_object(item, whole=strictly) for item in items)
        and isinstance(answer.get("metadata"), dict)
        and (not strictly or bool(answer["metadata"].get("resourceVersion")))
    )


def _is_object(answer: Json, *, whole: bool) -> bool:
    metadata = answer.get("metadata")
    needed = ("name", "uid", "resourceVersion") if whole else ("name",)
    return isinstance(metadata, dict) and all(metadata.get(field) for field in needed)


def _items(page: Json) -> list[Json]:
    kind = str(page["kind"]).removesuffix("List")
    items: list[Json] = list(page.get("items") or [])
    for item in items:
        item.setdefault("kind", kind)
        item.setdefault("apiVersion", page.get("apiVersion", ""))
    return items


def _throttled_wait(retry_after: str | None) -> float:
    try:
        return min(max(int(retry_after or 1), 0), _THROTTLED_WAIT_SECONDS)
    except ValueError:
        return 1.0
