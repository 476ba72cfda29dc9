# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof of life of forbidden targets, from elsewhere: without it, a silent target says nothing about policies."""

from __future__ import annotations

import json
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.netguard.lockdown.plugins.module_utils._core import probe_tools as tools
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import Address
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_plan import Place
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_sockets import Listing
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_verdict import Baseline
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import ApiError, from_status
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.probe_hand import Hand
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session

BY_CONTROL, BY_LISTENER, BY_API_SERVER = "the control pod", "its own open sockets", "the API server"

_ALIVE = (tools.CONNECTED, tools.DNS_ANSWERED)
# What the API server says when the target did answer its connection, though not in HTTP. Its other words may come from
# a tunnel or proxy on the way.
_NOT_HTTP = ("tls: ", "x509: ", "malformed HTTP", "server gave HTTP response", "connection reset by peer")
_NO_CONNECTION = ("dial ", "proxyconnect")
_PROXY_FAILURE = "error trying to reach service"
# A load balancer before the API server says so by itself, and the API server too where it has too much to do.
_ON_THE_WAY = (429, 502, 503, 504)


class Vantage:
    """The places from which targets can be seen alive."""

    def __init__(
        self,
        session: Session,
        control: Hand | None,
        listings: t.Mapping[tuple[str, str], Listing],
        asked: Address | None,
    ) -> None:
        self._session, self._control, self._listings, self._asked = session, control, listings, asked

    def baselines(self, places: t.Collection[Place], seconds: int, parallel: int) -> dict[Place, Baseline]:
        """What is known of each place."""
        seen = self._from_control(list(places), seconds)
        with ThreadPoolExecutor(max_workers=parallel) as pool:
            found = pool.map(lambda place: self._baseline(place, seen.get(place)), places)
            return dict(zip(places, found, strict=True))

    def _from_control(self, places: list[Place], seconds: int) -> dict[Place, tools.Observation]:
        if self._control is None or not places:
            return {}
        observed = self._control.attempt([place.destination(self._asked) for place in places], seconds)
        return dict(zip(places, observed, strict=True))

    def _baseline(self, place: Place, seen: tools.Observation | None) -> Baseline:
        if seen and seen.outcome in _ALIVE:
            return Baseline(BY_CONTROL, seen.outcome)
        before = f"the control pod saw: {seen.outcome} {seen.text}".rstrip() if seen else "no control pod was given"
        listing = self._listings.get((place.namespace, place.name)) if place.kind == "pod" else None
        if listing and (place.protocol, place.port) in listing.listening:
            return Baseline(BY_LISTENER, f"it listens on {place.protocol} {place.port}")
        path = _proxy_path(place)
        if path is None:
            return Baseline(why=f"{before}; the API server cannot try this kind of target")
        why = self._ask(path)
        return Baseline(why=f"{before}; {why}") if why else Baseline(BY_API_SERVER, "it connected")

    def _ask(self, path: str) -> str:
        """Let the API server connect there; empty when it did, else why that is not known."""
        try:
            status, _headers, data = self._session.transport.send("GET", path, None, "application/json")
        except Exception as error:  # noqa: BLE001 (whatever the library raises, nothing is proven)
            return f"the API server gave no answer ({type(error).__name__})"
        answer = _status_object(data)
        if answer is None and status in _ON_THE_WAY:
            return f"HTTP status {status} may come from the API server or a load balancer, not from the target"
        # Anything else was said by the target.
        if answer is None:
            return ""
        message = str(answer.get("message") or "")
        if _PROXY_FAILURE in message and _tells_of_an_answer(message):
            return ""
        return _refusal(from_status("GET", path, self._session.host, status, answer))


def _proxy_path(place: Place) -> str | None:
    """Where the API server passes a request on; a name server would not answer one."""
    if place.dns:
        return None
    if place.kind == "pod":
        return f"/api/v1/namespaces/{place.namespace}/pods/{place.name}:{place.port}/proxy/"
    if place.kind == "node":
        return f"/api/v1/nodes/{place.name}/proxy/healthz"
    return None


def _status_object(data: bytes) -> dict[str, t.Any] | None:
    try:
        answer = json.loads(data)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and answer.get("kind") == "Status" else None


def _tells_of_an_answer(message: str) -> bool:
    return any(word in message for word in _NOT_HTTP) and not any(word in message for word in _NO_CONNECTION)


def _refusal(error: LockdownError) -> str:
    if isinstance(error, ApiError) and error.lacks_right:
        return f"the API server may not try it: {error.next_step}"
    return f"the API server could not connect: {error.why}"
