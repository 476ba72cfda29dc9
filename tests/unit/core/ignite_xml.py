# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ignite configurations and workloads for tests, written by hand and rendered."""

from __future__ import annotations

import typing as t
from xml.sax.saxutils import quoteattr

from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.ignite import (
    Config,
    Ignite,
    read_ignite,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.versions import Version
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.workload import Workload

Json = dict[str, t.Any]

_ROOT = """<?xml version="1.0" encoding="UTF-8"?>
<beans xmlns="http://www.springframework.org/schema/beans" xmlns:p="http://www.springframework.org/schema/p"
       xmlns:c="http://www.springframework.org/schema/c" xmlns:util="http://www.springframework.org/schema/util">
{}
</beans>
"""
_SPI = "org.apache.ignite.spi"
_CLASSES = {
    "IgniteConfiguration": "org.apache.ignite.configuration.IgniteConfiguration",
    "ClientConnectorConfiguration": "org.apache.ignite.configuration.ClientConnectorConfiguration",
    "ConnectorConfiguration": "org.apache.ignite.configuration.ConnectorConfiguration",
    "DataStorageConfiguration": "org.apache.ignite.configuration.DataStorageConfiguration",
    "DataRegionConfiguration": "org.apache.ignite.configuration.DataRegionConfiguration",
    "TcpDiscoverySpi": f"{_SPI}.discovery.tcp.TcpDiscoverySpi",
    "TcpCommunicationSpi": f"{_SPI}.communication.tcp.TcpCommunicationSpi",
    "TcpDiscoveryKubernetesIpFinder": f"{_SPI}.discovery.tcp.ipfinder.kubernetes.TcpDiscoveryKubernetesIpFinder",
    "TcpDiscoveryVmIpFinder": f"{_SPI}.discovery.tcp.ipfinder.vm.TcpDiscoveryVmIpFinder",
    "TcpDiscoveryMulticastIpFinder": f"{_SPI}.discovery.tcp.ipfinder.multicast.TcpDiscoveryMulticastIpFinder",
    "KubernetesConnectionConfiguration": "org.apache.ignite.kubernetes.configuration.KubernetesConnectionConfiguration",
}
NULL, EMPTY = "<null/>", "<list/>"


def _property(name: str, value: t.Any) -> str:
    text = str(value)
    if text.startswith("<"):
        return f"<property name={quoteattr(name)}>{text}</property>\n"
    return f"<property name={quoteattr(name)} value={quoteattr(text)}/>\n"


def beans(*definitions: str) -> str:
    return _ROOT.format("\n".join(definitions))


def bean(class_name: str, argument: str = "", attributes: str = "", **properties: t.Any) -> str:
    """A bean; properties are elements where they begin with a tag, and texts else."""
    held = "".join(_property(name, value) for name, value in properties.items())
    given = f"<constructor-arg>{argument}</constructor-arg>" if argument else ""
    return f'<bean class="{_CLASSES.get(class_name, class_name)}" {attributes}>{given}\n{held}</bean>'


def listed(*items: str) -> str:
    return f"<list>{''.join(f'<value>{item}</value>' for item in items)}</list>"


def ignite(**properties: t.Any) -> str:
    """A whole configuration."""
    return beans(bean("IgniteConfiguration", **properties))


def discovery(finder: str = "", **properties: t.Any) -> str:
    return bean("TcpDiscoverySpi", **properties, **({"ipFinder": finder} if finder else {}))


def kubernetes(**settings: t.Any) -> str:
    """The Kubernetes finder as it is set up since 2.10."""
    return bean("TcpDiscoveryKubernetesIpFinder", bean("KubernetesConnectionConfiguration", **settings))


def static(*addresses: str) -> str:
    return bean("TcpDiscoveryVmIpFinder", addresses=listed(*addresses))


# Everything as a lock-down wants it.
PINNED: Json = {
    "discoverySpi": discovery(
        kubernetes(namespace="cache-ns", masterUrl="https://172.30.0.1:443"), localPort=47500, localPortRange=0
    ),
    "communicationSpi": bean("TcpCommunicationSpi", localPort=47100, localPortRange=0),
    "clientConnectorConfiguration": bean("ClientConnectorConfiguration", port=10800, portRange=0),
    "connectorConfiguration": bean("ConnectorConfiguration", port=11211, portRange=0),
    "includeProperties": EMPTY,
}
ENV = {
    "CONFIG_URI": "file:///config/ignite.xml",
    "OPTION_LIBS": "ignite-kubernetes,ignite-rest-http",
    "IGNITE_UPDATE_NOTIFIER": "false",
}
_ASKED: Json = {"httpGet": {"path": "/ignite?cmd=probe", "port": 8080}, "timeoutSeconds": 2}


def workload(
    env: t.Mapping[str, str | None] | None = None,
    *,
    image: str = "apacheignite/ignite:2.17.0",
    pod: Json | None = None,
    entries: t.Sequence[Json] = (),
    **container: t.Any,
) -> Workload:
    """The workload that goes with PINNED, with changes.

    :arg env: variables; None leaves one out.
    :arg entries: more of them as a pod has them.
    """
    values = {name: value for name, value in {**ENV, **(env or {})}.items() if value is not None}
    probes = dict.fromkeys(("startupProbe", "readinessProbe", "livenessProbe"), _ASKED)
    full: Json = {
        "name": "ignite",
        "image": image,
        "env": [*({"name": name, "value": value} for name, value in values.items()), *entries],
        "volumeMounts": [{"name": "config", "mountPath": "/config"}],
        **probes,
        **container,
    }
    spec = {"containers": [full], "volumes": [{"name": "config", "configMap": {"name": "ignite"}}], **(pod or {})}
    return Workload.of(stateful_set(spec))


def stateful_set(spec: Json, name: str = "ignite", namespace: str = "cache-ns") -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {"spec": spec}},
    }


def read(xml: str, of: Workload | None = None, version: Version | None = None, *, is_open: bool = False) -> Ignite:
    return read_ignite(Config(xml, "ignite.xml", is_open), of, version)


def codes(found: Ignite, level: str = "") -> list[str]:
    """The codes of the findings, of one level if it is given."""
    return [finding.code for finding in found.findings if level in ("", finding.level)]


def message(found: Ignite, code: str) -> str:
    """What the one finding of a code says."""
    (finding,) = [each for each in found.findings if each.code == code]
    return finding.message
