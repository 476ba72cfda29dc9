# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether Ignite's masterUrl leads to the API server that the policies allow."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from ansible_collections.netguard.lockdown.plugins.module_utils._core.clients import Finding
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

Json = t.Mapping[str, t.Any]

_SERVICE = "kubernetes.default"
_NAMES = (_SERVICE, f"{_SERVICE}.svc")
_HTTPS = 443


def judge_master_url(discovery: Json, api_server: Json, rules: t.Sequence[Json]) -> t.Iterator[LockdownError | Finding]:
    """:arg discovery: the discovery that ignite_config_info read.
    :arg api_server: the resolved API server, as cluster_network_info gives it.
    :arg rules: the typed rules for it, with cidrs and port.
    """
    if discovery.get("mode") != "kubernetes":
        return
    url = str(discovery.get("master_url") or "")
    kind = discovery.get("master_url_kind")
    service = api_server.get("service") or {}
    if kind == "name" and not _is_named(url, api_server, service):
        yield _refused(discovery, f"masterUrl {url} is not a name of the API server's Service", service)
    elif kind == "address":
        pair = _pair(url)
        direct = {(cidr.partition("/")[0], rule["port"]) for rule in rules for cidr in rule["cidrs"]}
        by_service = {(address, service.get("port")) for address in service.get("cluster_ips") or []}
        translated = any(target.get("via") == "endpoints" for target in api_server.get("targets") or [])
        if pair in direct or (translated and pair in by_service):
            return
        if translated and not by_service:
            message = (
                f"Whether masterUrl {url} is the API server's Service could not be compared; the targets name none"
            )
            yield Finding("master_url_not_compared", "warning", str(discovery.get("where")), message)
        else:
            known = ", ".join(f"{address}:{port}" for address, port in sorted(direct | by_service, key=str))
            yield _refused(
                discovery, f"masterUrl {url} is not the API server that the policies allow ({known})", service
            )


def _is_named(url: str, api_server: Json, service: Json) -> bool:
    host, port = _pair(url)
    if host in {str(entry.get("host")) for entry in api_server.get("foreign_hosts") or []}:
        return True
    return (host in _NAMES or host.startswith(f"{_NAMES[1]}.")) and port == service.get("port", _HTTPS)


def _pair(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "").rstrip("."), parts.port or (_HTTPS if parts.scheme == "https" else 80)


def _refused(discovery: Json, why: str, service: Json) -> LockdownError:
    addresses = service.get("cluster_ips") or []
    host = f"[{addresses[0]}]" if addresses and ":" in addresses[0] else addresses[0] if addresses else ""
    fix = f"https://{host}:{service.get('port', _HTTPS)}" if host else f"https://{_NAMES[1]}:{_HTTPS}"
    return LockdownError(
        "master_url_differs", f"Refused the Ignite of {discovery.get('where')}", why, f"Set masterUrl to {fix}"
    )
