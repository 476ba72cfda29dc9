# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the templates of a deployment are rendered from: the user's variables and the cluster, worked out and typed."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options, ownership
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import parse_address
from ansible_collections.netguard.lockdown.plugins.module_utils._core.clients import Finding
from ansible_collections.netguard.lockdown.plugins.module_utils._core.deploy import features
from ansible_collections.netguard.lockdown.plugins.module_utils._core.deploy.settings import (
    Given,
    Settings,
    read_settings,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import Flow, Target, parse_flows
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite import (
    PREFIX,
    read_discovery,
    read_ports,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config import versions
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.versions import Image

Record = dict[str, t.Any]

_API_NAME = "kubernetes.default.svc"
_DEFAULT_DISCOVERY = 47500
_LOCAL = "127.0.0.1"
_PROBE_PERIOD = 5  # seconds
_BLUNT_SECONDS = 30
_STOP_SECONDS = 60
_SLOW_REBALANCE = 10  # MiB per second
_KUBERNETES, _REST = "ignite-kubernetes", "ignite-rest-http"
# Ports that clients may dial through the Service; servers and thick clients dial pods.
_SERVED = ("thin_client", "connector", "rest")


@dataclass
class Deployment:
    """`record` is empty where something is wrong, and nothing may be rendered then."""

    record: Record = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    errors: list[LockdownError] = field(default_factory=list)

    def as_record(self) -> Record:
        return {
            "deployment": self.record or None,
            "findings": [finding.as_record() for finding in self.findings],
            "errors": [str(error) for error in self.errors],
        }


def work_out(given: Given, flows: t.Sequence[t.Mapping[str, t.Any]], targets: t.Any) -> Deployment:
    """:arg given: the role's variables by their full names.
    :arg flows: what this Ignite needs, as records.
    :arg targets: what module cluster_network_info found; None before it was asked.
    """
    settings, errors = read_settings(given)
    result = Deployment(errors=errors)
    ports: dict[str, int] = {}
    mode = ""
    with options.collected(result.errors):
        ports, mode = read_ports(given), read_discovery(given)
    if settings is None or result.errors:
        return result
    with options.collected(result.errors):
        _check_port(settings, mode, ports)
        parsed = parse_flows(list(flows))
        result.record = _record(given, settings, ports, mode, parsed, _api_url(parsed, targets) if targets else "")
        result.findings = list(_findings(settings))
    return result


def _record(
    given: Given, settings: Settings, ports: dict[str, int], mode: str, flows: t.Sequence[Flow], api_url: str
) -> Record:
    name, namespace = str(given[f"{PREFIX}instance"]), str(given[f"{PREFIX}namespace"])
    served = _served(flows, ports)
    return {
        "namespace": namespace,
        "names": {"workload": name, "discovery": name, "client": f"{name}-client", "config": f"{name}-config"},
        "labels": {**settings.labels, **ownership.labels_for(name)},
        "selector": settings.selector,
        "pod_labels": {**settings.labels, **settings.selector},
        "annotations": settings.annotations,
        "image": settings.image,
        "version": str(settings.version),
        "pull_secrets": settings.pull_secrets,
        "replicas": settings.replicas,
        "resources": settings.resources,
        "user": settings.user,
        "priority_class": settings.priority_class,
        "spread": {"key": settings.spread_key, "required": settings.spread_required},
        "ports": ports,
        "served": served,
        "connector_host": "" if "connector" in served else _LOCAL,
        "finder": _finder(settings, ports, mode, name, namespace, api_url),
        "names_resolved": any(flow.peer == Target("dns") for flow in flows),
        "libraries": ",".join([_KUBERNETES, _REST] if mode == "kubernetes" else [_REST]),
        "jvm_options": " ".join(_jvm_options(settings, ports)),
        "ignores_host_name": features.ignores_host_name(settings.version),
        "data_region_bytes": settings.data_region_mb * 1024 * 1024,
        "persistence": {"size": settings.persistence_size, "class": settings.persistence_class}
        if settings.persistent
        else None,
        "authentication": settings.authentication,
        "tls": asdict(settings.tls) if settings.tls else None,
        "stop": {
            "hands_over": _hands_over(settings),
            "seconds": _stop_seconds(settings),
            "hung_seconds": _STOP_SECONDS,
        },
        "probe": {
            "path": features.probe_path(settings.version),
            "period": _PROBE_PERIOD,
            "starts": -(-settings.startup_seconds // _PROBE_PERIOD),
            # A pod that calls itself ready too early does not hurry a rollout.
            "min_ready": _BLUNT_SECONDS if features.probe_is_blunt(settings.version, settings.authentication) else 0,
        },
    }


def _hands_over(settings: Settings) -> bool:
    """A single server would wait for others in vain."""
    return settings.replicas > 1 and features.hands_over(settings.version)


def _stop_seconds(settings: Settings) -> int:
    moving = settings.data_region_mb // _SLOW_REBALANCE if _hands_over(settings) else 0
    return settings.stop_seconds or _STOP_SECONDS + moving


def _check_port(settings: Settings, mode: str, ports: dict[str, int]) -> None:
    if mode == "kubernetes" and ports["discovery"] != _DEFAULT_DISCOVERY and settings.version < versions.FINDER_PORT:
        raise options.invalid(
            f"{PREFIX}ports.discovery",
            f"{ports['discovery']} cannot be told to thick clients by the Kubernetes IP finder of {settings.version}; "
            f"2.12 and newer can, and {_DEFAULT_DISCOVERY} needs no telling",
        )


def _finder(settings: Settings, ports: dict[str, int], mode: str, name: str, namespace: str, api_url: str) -> Record:
    port = ports["discovery"]
    return {
        "mode": mode,
        "api_url": api_url,
        "nested": settings.version >= versions.CONNECTION_CONFIGURATION,
        "port": port if settings.version >= versions.FINDER_PORT and port != _DEFAULT_DISCOVERY else None,
        "addresses": [f"{name}-{index}.{name}.{namespace}.svc:{port}" for index in range(settings.replicas)],
    }


def _api_url(flows: t.Sequence[Flow], targets: t.Any) -> str:
    """By its name where DNS may be asked, by its Service's address otherwise."""
    api_server = options.mapping(options.mapping(targets, "targets").get("api_server"), "targets.api_server")
    service = options.mapping(api_server.get("service"), "targets.api_server.service")
    port = options.port(service.get("port"), "targets.api_server.service.port")
    if any(flow.peer == Target("dns") for flow in flows):
        return f"https://{_API_NAME}:{port}"
    addresses = options.words(service.get("cluster_ips"), "targets.api_server.service.cluster_ips")
    if not addresses:
        raise LockdownError(
            "no_api_address",
            "Refused profile minimal",
            "Service kubernetes in namespace default has no address, so Ignite could only be told a name",
            "Use profile standard on this cluster",
        )
    address = parse_address(addresses[0], "targets.api_server.service.cluster_ips")
    return f"https://[{address}]:{port}" if address.version == 6 else f"https://{address}:{port}"


def _served(flows: t.Sequence[Flow], ports: dict[str, int]) -> dict[str, int]:
    """The ports of the client Service: that of thin clients, and others that a client may dial."""
    dialled = {
        name
        for name, number in ports.items()
        for flow in flows
        if flow.direction == "ingress" and flow.port is not None and flow.port <= number <= (flow.end_port or flow.port)
    }
    return {name: ports[name] for name in _SERVED if name == "thin_client" or name in dialled}


def _jvm_options(settings: Settings, ports: dict[str, int]) -> t.Iterator[str]:
    """Of options that are given twice the last one counts, so the user's come first."""
    yield from settings.jvm_options
    yield from (f"-Xms{settings.heap_mb}m", f"-Xmx{settings.heap_mb}m")
    yield "-Dsun.net.inetaddr.ttl=0"  # a restarted peer has another address
    yield f"-DIGNITE_JETTY_PORT={ports['rest']}"
    if settings.persistent:
        yield from features.persistence_options(settings.version)
    yield from features.java_options(settings.version, Image.of(settings.image))


def _findings(settings: Settings) -> t.Iterator[Finding]:
    if settings.authentication:
        message = "a new cluster has user ignite with a password that everybody knows; change it before clients come"
        yield Finding("default_password", "warning", f"{PREFIX}deploy_authentication", message)
    if features.probe_is_blunt(settings.version, settings.authentication):
        reason = "has no probe of its own" if settings.version < versions.REST_PROBE else "wants a login for its probe"
        message = f"{settings.version} {reason}, so a pod that has joined counts as ready before it has started"
        where = "deploy_authentication" if settings.authentication else "deploy_image"
        yield Finding("early_probe", "warning", f"{PREFIX}{where}", message)
    if not features.hands_over(settings.version):
        message = (
            f"a server of {settings.version} stops without waiting until others have a copy of its data, so replacing "
            "the pods one by one can lose what has backups, too"
        )
        yield Finding("no_handover", "warning", f"{PREFIX}deploy_image", message)
    if settings.tls is None:
        message = "without TLS, whoever reads the pods' network reads the data; the policies only say who may connect"
        yield Finding("no_tls", "note", f"{PREFIX}deploy_tls_secret", message)
