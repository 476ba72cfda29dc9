# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an Ignite's workload works against a lock-down: other ways out, a wrong library, probes that lie."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config import discovery as modes
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config import versions
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.findings import (
    ERROR,
    NOTE,
    WARNING,
    Finding,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.listeners import has_rest
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.place import (
    destination,
    origin,
    split,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.spring import Unknown
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.versions import Version
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.workload import (
    JVM_VARIABLES,
    Workload,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw

_READ = ("CONFIG_URI", "OPTION_LIBS", "EXTERNAL_LIBS", *JVM_VARIABLES)
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_COMMAND = re.compile(r"[?&]cmd=(\w+)")
_PROXIES = ("https.proxyHost", "socksProxyHost")
_AGENT = "control-center-agent"
_NAMES_LAST = "sun.net.inetaddr.ttl"  # seconds


def judge_version(version: Version | None, where: str) -> t.Iterator[Finding]:
    if version and version.major >= 3:
        message = f"Ignite {version} has other ports, other discovery and another configuration than Ignite 2"
        yield Finding("unsupported_version", ERROR, where, message, "Give its flows by hand")
    elif not versions.is_known(version):
        named = f"version {version} of Ignite" if version else "the version of Ignite"
        message = f"{named} is not among those whose behaviour is known (2.9 to 2.17)"
        yield Finding(
            "unknown_version",
            WARNING,
            where,
            message,
            "Give Ignite's version (ignite_version; in the role ignite_lockdown_version)",
        )


def judge_workload(workload: Workload, mode: str, version: Version | None) -> t.Iterator[Finding]:
    yield from _pod(workload)
    yield from _unread(workload)
    yield from _ways_out(workload)
    yield from _library(workload, mode)
    yield from _probes(workload, version)
    yield from _remembered(workload, version)


def downloads(workload: Workload) -> list[str]:
    """Variables that make the start script fetch something, with where from."""
    return [f"{name} ({', '.join(dict.fromkeys(map(origin, uris)))})" for name, uris in _fetched(workload)]


def _fetched(workload: Workload) -> t.Iterator[tuple[str, list[str]]]:
    for name in ("CONFIG_URI", "EXTERNAL_LIBS"):
        value = workload.variable(name)
        uris = value.replace(",", " ").split() if isinstance(value, str) else []
        if uris and (name == "EXTERNAL_LIBS" or not _is_local(uris[0])):
            yield name, uris


def _is_local(uri: str) -> bool:
    parts = split(uri)
    return parts is not None and parts.scheme in ("", "file")


def _pod(workload: Workload) -> t.Iterator[Finding]:
    if workload.pod.get("hostNetwork"):
        message = "the pods use their node's network, and network policies do not apply to them"
        yield Finding("host_network", ERROR, workload.where, message, "Remove hostNetwork")
    if not workload.is_current:
        message = "pods of an earlier template still run, and what they were started with is not read"
        yield Finding("earlier_pods", WARNING, workload.where, message, "Let the rollout end, or replace these pods")
    if workload.replaces_start:
        message = (
            "a command, or arguments, may replace the image's start script, which reads OPTION_LIBS, CONFIG_URI and "
            "JVM_OPTS"
        )
        fix = "Remove them, or check what they make of these variables"
        yield Finding("own_command", WARNING, workload.where, message, fix)


def _unread(workload: Workload) -> t.Iterator[Finding]:
    names = [name for name in _READ if isinstance(workload.variable(name), Unknown)]
    if names:
        message = f"{', '.join(names)} may come from another object, which is not read"
        yield Finding("unread_environment", WARNING, workload.where, message, "Write them out in the workload")


def _ways_out(workload: Workload) -> t.Iterator[Finding]:
    where = workload.where
    for each, (_name, uris) in zip(downloads(workload), _fetched(workload), strict=True):
        message = f"{each} is downloaded at every start, which the policies do not allow"
        wanted = " and ".join(dict.fromkeys(map(destination, uris)))
        fix = f"Put it into the image or a ConfigMap, or add an extra flow to {wanted} with its reason"
        yield Finding("download", ERROR, where, message, fix)
    notifier = workload.ignite_setting("IGNITE_UPDATE_NOTIFIER")
    if not isinstance(notifier, str) or notifier.lower() != "false":
        message = "the update notifier asks ignite.apache.org every hour"
        yield Finding("update_notifier", WARNING, where, message, "Set IGNITE_UPDATE_NOTIFIER to false")
    if not isinstance(workload.libraries, Unknown) and _AGENT in workload.libraries:
        message = f"{_AGENT} connects to a Control Center, which the policies do not allow"
        fix = "Remove it from OPTION_LIBS, or add a flow with its reason"
        yield Finding("control_center", WARNING, where, message, fix)


def _library(workload: Workload, mode: str) -> t.Iterator[Finding]:
    if mode == modes.KUBERNETES:
        yield from _proxies(workload)
    libraries = workload.libraries
    if mode == modes.KUBERNETES and not isinstance(libraries, Unknown) and "ignite-kubernetes" not in libraries:
        # Another image may hold it where libraries are always loaded from.
        level = ERROR if workload.image.is_official and not workload.replaces_start else WARNING
        message = "the Kubernetes IP finder needs ignite-kubernetes, which OPTION_LIBS does not name"
        yield Finding("no_kubernetes_library", level, workload.where, message, "Add ignite-kubernetes to OPTION_LIBS")


def _proxies(workload: Workload) -> t.Iterator[Finding]:
    """Through a proxy, the IP finder talks to the proxy in place of the API server."""
    for name in _PROXIES:
        given = workload.system_property(name)
        if isinstance(given, str) and given:
            exempt = workload.system_property("http.nonProxyHosts") is not None and name == "https.proxyHost"
            message = (
                f"system property {name} makes the IP finder ask the API server through a proxy, which the policies "
                "do not allow" + (", unless http.nonProxyHosts names its host" if exempt else "")
            )
            fix = "Remove it, or exempt the host of masterUrl with http.nonProxyHosts"
            yield Finding("proxy", WARNING if exempt else ERROR, workload.where, message, fix)


def _remembered(workload: Workload, version: Version | None) -> t.Iterator[Finding]:
    """A name that was resolved before a pod was replaced leads to an address that nobody has any more."""
    if version is None or version >= versions.NO_PEER_NAMES or workload.refuses_names_at_once():
        return
    if not workload.has_hosts_file() and workload.system_property(_NAMES_LAST) is None:
        message = (
            f"{version} dials peers by name too, and Java remembers a name's address for 30 s: a replaced pod joins so "
            "much later, because what goes to its old address is dropped and no longer refused"
        )
        fix = f"Add -D{_NAMES_LAST}=0 to JVM_OPTS"
        yield Finding("remembered_addresses", NOTE, workload.where, message, fix)


def _probes(workload: Workload, version: Version | None) -> t.Iterator[Finding]:
    for name in _PROBES:
        probe = workload.container.get(name)
        if probe:
            yield from _probe(workload, name, probe, version)
    if not workload.container.get("readinessProbe"):
        message = "without a readiness probe, a pod takes clients before its node has joined"
        fix = "Ask REST (GET /ignite?cmd=probe), or run a command in the container"
        yield Finding("no_readiness_probe", NOTE, workload.where, message, fix)
    if workload.container.get("livenessProbe") and not workload.container.get("startupProbe"):
        message = "a node that starts slowly, as while it waits for its peers, is killed by the liveness probe"
        yield Finding("no_startup_probe", WARNING, workload.where, message, "Add a startup probe")


def _probe(workload: Workload, name: str, probe: Raw, version: Version | None) -> t.Iterator[Finding]:
    where = f"{workload.where}, {name}"
    if "tcpSocket" in probe:
        message = "Ignite's ports listen before the node has joined, so an open port proves nothing"
        yield Finding("lying_probe", WARNING, where, message, "Ask REST: GET /ignite?cmd=probe")
    path = (probe.get("httpGet") or {}).get("path")
    if path is None:
        return
    if has_rest(workload) is False:
        message = "it asks REST, and OPTION_LIBS does not name ignite-rest-http"
        yield Finding("probe_without_rest", ERROR, where, message, "Add ignite-rest-http to OPTION_LIBS")
    command = _COMMAND.search(path)
    if not command or command[1] != "probe":
        message = "only the REST command probe tells whether the node has started"
        yield Finding("weak_probe", WARNING, where, message, "Ask GET /ignite?cmd=probe (2.10 and newer)")
    elif version and version < versions.REST_PROBE:
        message = f"the REST command probe does not exist in {version}"
        yield Finding("probe_unsupported", ERROR, where, message, "Ask GET /ignite?cmd=version, or use 2.10 or newer")
