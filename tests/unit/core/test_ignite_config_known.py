# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ignite as its public instructions deploy it is recognised: ports, findings, fixes."""

from __future__ import annotations

import typing as t

from flow_builders import APPLICATIONS, client, variables
from ignite_xml import bean, codes, discovery, ignite, kubernetes, stateful_set

from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite import Needs, ignite_needs
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.ignite import (
    Config,
    Ignite,
    read_ignite,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.place import Place, locate
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.workload import Workload

Json = dict[str, t.Any]
DEFAULT_PORTS = {"discovery": 47500, "communication": 47100, "thin_client": 10800, "connector": 11211, "rest": 8080}
RANGES = ["range_not_pinned"] * 5
PIN_THEM = [
    "Set localPortRange of TcpDiscoverySpi to 0",
    "Set localPortRange of TcpCommunicationSpi to 0",
    "Set portRange of ClientConnectorConfiguration to 0",
    "Set portRange of ConnectorConfiguration to 0",
    "Set portRange of ConnectorConfiguration to 0",
]


def ports(*numbers: int) -> list[Json]:
    return [{"containerPort": number} for number in numbers]


def environment(**values: str) -> list[Json]:
    return [{"name": name, "value": value} for name, value in values.items()]


def deployed(spec: Json, xml: str, place: Place, namespace: str) -> Ignite:
    """The Ignite of a pod template whose configuration is found at a place."""
    workload = Workload.of(stateful_set(spec, namespace=namespace))
    assert locate(workload) == place
    return read_ignite(Config(xml, "node.xml", is_open=place.kind == "ConfigMap"), workload)


def fixes(found: Ignite, level: str) -> list[str]:
    return [finding.fix for finding in found.findings if finding.level == level]


def locked_down(found: Ignite, namespace: str, **given: t.Any) -> Needs:
    """What the role makes of it."""
    about = {"config": "node.xml", "workload": {"name": "ignite"}, "sources": []}
    return ignite_needs(variables(namespace=namespace, read_config=True, **given), {**found.as_dict(), **about})


def is_refused_until_it_is_pinned_or_accepted(found: Ignite, namespace: str) -> None:
    """Whoever the clients are, what no policy can hold is named with its fix; the rest is a finding."""
    users = [client(), client(name="ops", kind="custom", ports=["connector", "rest"], namespaces=["ops"])]
    refused = locked_down(found, namespace, clients=users)
    assert [error.code for error in refused.errors] == RANGES
    assert all(fix in "\n".join(map(str, refused.errors)) for fix in PIN_THEM)
    accepted = locked_down(found, namespace, clients=users, accept_config_findings=["range_not_pinned"])
    assert accepted.errors == []
    numbers = {flow.id: flow.port for flow in accepted.flows}
    assert numbers["peers-discovery-in"] == 47500
    assert numbers["peers-communication-out"] == 47100
    assert numbers["client-web-thin-client"] == 10800
    assert (numbers["client-ops-connector"], numbers["client-ops-rest"]) == (11211, 8080)
    assert "api-server" in numbers


def test_the_documented_manifests_of_apache_ignite() -> None:
    """The stateless example: image, two libraries, a ConfigMap as a folder, and a finder with two names."""
    spec: Json = {
        "serviceAccountName": "ignite",
        "containers": [
            {
                "name": "ignite-node",
                "image": "apacheignite/ignite:2.16.0",
                "env": environment(
                    OPTION_LIBS="ignite-kubernetes,ignite-rest-http",
                    CONFIG_URI="file:///ignite/config/node-configuration.xml",
                ),
                "ports": ports(47100, 47500, 49112, 10800, 8080),
                "volumeMounts": [{"name": "config-vol", "mountPath": "/ignite/config"}],
            }
        ],
        "volumes": [{"name": "config-vol", "configMap": {"name": "ignite-config"}}],
    }
    xml = ignite(discoverySpi=discovery(kubernetes(namespace="ignite", serviceName="ignite-service")))
    place = Place("ConfigMap", "ignite-config", "node-configuration.xml")
    found = deployed(spec, xml, place, "ignite")

    assert found.as_dict()["ports"] == DEFAULT_PORTS
    assert str(found.version) == "2.16.0"
    assert (found.discovery.namespace, found.discovery.service) == ("ignite", "ignite-service")
    assert found.discovery.master_url == "https://kubernetes.default.svc.cluster.local:443"
    assert codes(found, "error") == RANGES
    assert codes(found, "warning") == ["update_notifier", "system_properties_exposed"]
    assert codes(found, "note") == ["no_readiness_probe", "remembered_addresses"]
    assert fixes(found, "error") == PIN_THEM
    assert not found.minimal.fit
    assert len(found.minimal.reasons) == 2
    is_refused_until_it_is_pinned_or_accepted(found, "ignite")


def test_the_gridgain_chart_with_its_default_values() -> None:
    """No CONFIG_URI: one file is mounted over the image's default one. Setters, persistence, version probes."""
    probe = {"httpGet": {"path": "/ignite?cmd=version", "port": 8080}, "timeoutSeconds": 10}
    spec: Json = {
        "dnsPolicy": "ClusterFirst",
        "containers": [
            {
                "name": "gridgaindb",
                "image": "docker.io/gridgain/community:8.9.26",
                "env": environment(
                    OPTION_LIBS="ignite-kubernetes,ignite-rest-http,ignite-log4j2,control-center-agent,ignite-schedule",
                    IGNITE_QUIET="false",
                    IGNITE_WORK_DIR="/persistence",
                    JVM_OPTS="-Xlog:gc*:file=$(IGNITE_WORK_DIR)/gc.log -Djava.net.preferIPv4Stack=true -Xmx2G -ea",
                ),
                "livenessProbe": probe,
                "readinessProbe": probe,
                "ports": ports(10800, 8080, 47100, 47500, 49112),
                "volumeMounts": [
                    {"name": "persistence", "mountPath": "/persistence"},
                    {
                        "name": "default-config",
                        "mountPath": "/opt/gridgain/config/default-config.xml",
                        "subPath": "default-config.xml",
                    },
                ],
            }
        ],
        "volumes": [{"name": "default-config", "configMap": {"name": "gg-gridgain-default-config"}}],
    }
    region = bean("DataRegionConfiguration", persistenceEnabled="true")
    xml = ignite(
        shutdownPolicy="IMMEDIATE",
        discoverySpi=discovery(
            bean("TcpDiscoveryKubernetesIpFinder", namespace="data", serviceName="gg-gridgain-headless")
        ),
        dataStorageConfiguration=bean("DataStorageConfiguration", defaultDataRegionConfiguration=region),
    )
    place = Place("ConfigMap", "gg-gridgain-default-config", "default-config.xml")
    found = deployed(spec, xml, place, "data")

    assert found.as_dict()["ports"] == DEFAULT_PORTS
    assert found.version is None
    assert (found.discovery.namespace, found.discovery.service) == ("data", "gg-gridgain-headless")
    assert (found.security.persistence, found.security.authentication) == (True, False)
    assert codes(found, "error") == RANGES
    assert codes(found, "warning") == [
        "unknown_version",
        "update_notifier",
        "control_center",
        "weak_probe",
        "weak_probe",
        "no_startup_probe",
        "system_properties_exposed",
    ]
    assert codes(found, "note") == ["starts_inactive"]
    assert fixes(found, "error") == PIN_THEM
    assert fixes(found, "warning") == [
        "Give Ignite's version (ignite_version; in the role ignite_lockdown_version)",
        "Set IGNITE_UPDATE_NOTIFIER to false",
        "Remove it from OPTION_LIBS, or add a flow with its reason",
        "Ask GET /ignite?cmd=probe (2.10 and newer)",
        "Ask GET /ignite?cmd=probe (2.10 and newer)",
        "Add a startup probe",
        "Set includeProperties to an empty list",
    ]
    is_refused_until_it_is_pinned_or_accepted(found, "data")


def test_the_ignite_of_the_question() -> None:
    """2.10.0 in cache-ns, with clients of the connector; its trace shows the Kubernetes finder, the rest is default."""
    spec: Json = {
        "containers": [
            {
                "name": "ignite",
                "image": "apacheignite/ignite:2.10.0",
                "env": environment(
                    OPTION_LIBS="ignite-kubernetes,ignite-rest-http", CONFIG_URI="file:///ignite/config/ignite.xml"
                ),
                "ports": ports(11211, 47100, 47500, 49112, 10800, 8080, 10900),
                "readinessProbe": {"tcpSocket": {"port": 10800}},
                "volumeMounts": [{"name": "config", "mountPath": "/ignite/config"}],
            }
        ],
        "volumes": [{"name": "config", "configMap": {"name": "ignite"}}],
    }
    found = deployed(
        spec,
        ignite(discoverySpi=discovery(kubernetes(namespace="cache-ns", serviceName="ignite"))),
        Place("ConfigMap", "ignite", "ignite.xml"),
        "cache-ns",
    )
    assert found.as_dict()["ports"] == DEFAULT_PORTS
    assert str(found.version) == "2.10.0"
    assert codes(found, "error") == RANGES
    assert codes(found, "warning") == ["update_notifier", "lying_probe", "system_properties_exposed"]
    assert fixes(found, "error") == PIN_THEM
    assert fixes(found, "warning") == [
        "Set IGNITE_UPDATE_NOTIFIER to false",
        "Ask REST: GET /ignite?cmd=probe",
        "Set includeProperties to an empty list",
    ]
    is_refused_until_it_is_pinned_or_accepted(found, "cache-ns")
    asked = locked_down(found, "cache-ns", clients=[APPLICATIONS], accept_config_findings=["range_not_pinned"])
    assert {flow.port for flow in asked.flows if flow.id.startswith("client-")} == {11211, 47100, 47500, 10800}
    assert [reason.partition(";")[0] for reason in found.minimal.reasons] == [
        "the IP finder asks DNS for the host of https://kubernetes.default.svc.cluster.local:443",
        "Ignite 2.10.0 may ask DNS for its peers' names and wait for the answer",
    ]
