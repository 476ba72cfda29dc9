# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a workload's Ignite reads its configuration from: a key of a ConfigMap or Secret, through a volume."""

from __future__ import annotations

import posixpath
import typing as t
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.spring import Unknown
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.workload import Workload
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw

# IGNITE_HOME of Apache's and GridGain's images.
_HOMES = ("/opt/ignite/apache-ignite", "/opt/gridgain")
_DEFAULT = "config/default-config.xml"
_PORTS = {"http": 80, "https": 443, "ftp": 21}
_BY_HAND = "Name config_map or secret with key, or give the configuration with path or content"


@dataclass(frozen=True)
class Place:
    """A key of a ConfigMap or Secret. Without a key, the only XML there."""

    kind: str
    name: str
    key: str

    @property
    def resource(self) -> str:
        return "configmaps" if self.kind == "ConfigMap" else "secrets"


def split(uri: str) -> SplitResult | None:
    """A URL in its parts, None where it is malformed."""
    try:
        parts = urlsplit(uri)
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:
        return None


def origin(uri: str) -> str:
    """A URL without what may be a secret in it."""
    parts = split(uri)
    if parts is None or not parts.hostname:
        return "what is no URL of a host"
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


def destination(uri: str) -> str:
    """The flow that a URL needs, in words."""
    parts = split(uri)
    if parts is None or not parts.hostname:
        return "its host"
    port = parts.port or _PORTS.get(parts.scheme)
    return f"TCP {port} of {parts.hostname}" if port else parts.hostname


def locate(workload: Workload) -> Place:
    """The place of the configuration; an error that says why it cannot be found."""
    for path in _paths(workload):
        found = _mounted(workload, path)
        if found:
            return found
    raise _not_found(workload, "no volume of the container holds the file that Ignite starts with")


def _paths(workload: Workload) -> list[str]:
    uri = workload.variable("CONFIG_URI")
    if isinstance(uri, Unknown):
        raise _not_found(workload, f"CONFIG_URI is not known: {uri.why}")
    if workload.replaces_start:
        named = {word for word in workload.words if word.endswith(".xml") and not word.startswith("-")}
        if len(named) > 1 or any("$" in word for word in named):
            raise _not_found(workload, "its command names several files, or one through a variable")
        uri = named.pop() if named else uri
    text = uri or _DEFAULT
    parts = split(text)
    if parts is None or parts.scheme not in ("", "file"):
        raise _not_found(workload, f"Ignite downloads it at its start, from {origin(text)}")
    path = parts.path
    if path.startswith("/"):
        return [posixpath.normpath(path)]
    home = workload.variable("IGNITE_HOME")
    return [posixpath.join(each, path) for each in ([home] if isinstance(home, str) else _HOMES)]


def _mounted(workload: Workload, path: str) -> Place | None:
    """The place that a path leads to; the longest mount path wins, as it does for the kernel."""
    mounts = [each for each in workload.container.get("volumeMounts") or [] if _covers(each["mountPath"], path)]
    if not mounts:
        return None
    mount = max(mounts, key=lambda each: len(posixpath.normpath(each["mountPath"])))
    if "subPathExpr" in mount:
        raise _not_found(workload, f"volume {mount['name']} is mounted by an expression")
    inner = posixpath.relpath(path, mount["mountPath"])
    wanted = posixpath.normpath(posixpath.join(mount.get("subPath", ""), inner))
    volumes = [each for each in workload.pod.get("volumes") or [] if each["name"] == mount["name"]]
    sources = [source for volume in volumes for source in _sources(volume)]
    if not sources:
        raise _not_found(workload, f"volume {mount['name']} is neither a ConfigMap nor a Secret")
    found = list(filter(None, (_in_source(kind, source, wanted) for kind, source in sources)))
    if len(found) > 1:
        raise _not_found(workload, f"several parts of volume {mount['name']} may hold it")
    return found[0] if found else None


def _covers(mount: str, path: str) -> bool:
    return path == posixpath.normpath(mount) or path.startswith(posixpath.normpath(mount).rstrip("/") + "/")


def _sources(volume: Raw) -> t.Iterator[tuple[str, Raw]]:
    for source in (volume, *((volume.get("projected") or {}).get("sources") or [])):
        if "configMap" in source:
            yield "ConfigMap", source["configMap"]
        if "secret" in source:
            yield "Secret", source["secret"]


def _in_source(kind: str, source: Raw, wanted: str) -> Place | None:
    name = source.get("name") or source.get("secretName") or ""
    items = source.get("items")
    if items is None:
        return Place(kind, name, wanted) if "/" not in wanted else None
    return next((Place(kind, name, item["key"]) for item in items if item["path"] == wanted), None)


def _not_found(workload: Workload, why: str) -> LockdownError:
    return LockdownError(
        "config_not_found", f"Cannot find the configuration of {workload.where}", why, _BY_HAND, obj=workload.ref
    )
