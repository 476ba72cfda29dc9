# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each thing that a policy cannot hold, or that works against it, is a finding of its own."""

from __future__ import annotations

import typing as t

import pytest
from ignite_xml import (
    NULL,
    PINNED,
    bean,
    codes,
    discovery,
    ignite,
    kubernetes,
    listed,
    message,
    read,
    stateful_set,
    static,
    workload,
)

from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.versions import Version
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.workload import Workload

Json = dict[str, t.Any]
OLD, NEW = "apacheignite/ignite:2.10.0", "apacheignite/ignite:2.17.0"
NO_DNS: Json = {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["127.0.0.1"]}}


def pinned(**changes: t.Any) -> str:
    return ignite(**{**PINNED, **changes})


def with_finder(finder: str, port: int = 47500) -> str:
    return pinned(discoverySpi=discovery(finder, localPort=port, localPortRange=0))


def on_port(port: int, **settings: t.Any) -> str:
    return with_finder(kubernetes(namespace="cache-ns", **settings), port)


def test_what_fits_a_lock_down_has_no_finding_and_fits_profile_minimal() -> None:
    found = read(pinned(), workload())
    assert [*found.findings] == []
    assert found.minimal.as_dict() == {"fit": True, "reasons": []}
    assert found.as_dict()["ports"] == {
        "discovery": 47500,
        "communication": 47100,
        "thin_client": 10800,
        "connector": 11211,
        "rest": 8080,
    }


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"communicationSpi": bean("TcpCommunicationSpi", localPort=47100)}, "range_not_pinned", "47100 to 47199"),
        ({"clientConnectorConfiguration": bean("ClientConnectorConfiguration")}, "range_not_pinned", "10800 to 10900"),
        ({"communicationSpi": bean("TcpCommunicationSpi", localPort=47500, localPortRange=0)}, "port_used_twice",
         "discovery (47500) and communication (47500)"),
        ({"communicationSpi": bean("TcpCommunicationSpi", localPort=1023, localPortRange=0)}, "port_too_low", "1023"),
        ({"communicationSpi": bean("TcpCommunicationSpi", localPort=0, localPortRange=0)}, "port_too_low", "port 0"),
        ({"communicationSpi": bean("TcpCommunicationSpi", localPort=65536, localPortRange=0)}, "invalid_port", "65536"),
        ({"communicationSpi": bean("TcpCommunicationSpi", localPortRange=-1)}, "range_not_known", "communication"),
        ({"communicationSpi": bean("x.OwnSpi")}, "other_communication", "OwnSpi"),
        ({"sqlConnectorConfiguration": bean("x.SqlConnectorConfiguration")}, "legacy_connector", "thin clients"),
        ({"connectorConfiguration": bean("ConnectorConfiguration", portRange=0, jettyPath="jetty.xml")}, "jetty_file",
         "REST"),
        ({"discoverySpi": discovery(localPortRange=0)}, "multicast", "UDP"),
        ({"discoverySpi": discovery(bean("TcpDiscoveryMulticastIpFinder"), localPortRange=0)}, "multicast", "UDP"),
        ({"discoverySpi": discovery(bean("x.TcpDiscoveryS3IpFinder"), localPortRange=0)}, "unknown_discovery", "not"),
        ({"discoverySpi": discovery(static(), localPortRange=0)}, "no_addresses", "no address"),
        ({"discoverySpi": discovery(static("a.b:47500..47509"), localPortRange=0)}, "address_range", "47500..47509"),
        ({"discoverySpi": discovery(static("a.b:47501"), localPortRange=0)}, "address_port_differs", "47501"),
        ({"discoverySpi": discovery(static("10.0.0.1:47500"), localPortRange=0)}, "fixed_addresses", "replaced"),
        ({"discoverySpi": discovery(static("${HOSTS}"), localPortRange=0)}, "unknown_value", "HOSTS"),
        ({"discoverySpi": discovery(static("127.0.0.1:47500..47509"), localPortRange=0)}, "loopback_addresses",
         "cluster of its own"),
        ({"discoverySpi": discovery(static("localhost", "[::1]"), localPortRange=0)}, "loopback_addresses",
         "lead back"),
        ({"localHost": "127.0.0.1"}, "loopback_only", "listens on a loopback"),
        ({"addressResolver": bean("org.apache.ignite.configuration.BasicAddressResolver")}, "address_resolver",
         "further addresses"),
        ({"communicationSpi": bean("TcpCommunicationSpi", localPortRange=0, addressResolver=bean("x.Resolver"))},
         "address_resolver", "further addresses"),
        ({"cacheConfiguration": bean("org.apache.ignite.configuration.CacheConfiguration", cacheStoreFactory=
          bean("org.apache.ignite.cache.store.jdbc.CacheJdbcPojoStoreFactory"))}, "other_connection", "cache store"),
        ({"deploymentSpi": bean("org.apache.ignite.spi.deployment.uri.UriDeploymentSpi")}, "other_connection",
         "uriList"),
        ({"clientMode": "true"}, "client_mode", "thick client"),
        ({"authenticationEnabled": "true"}, "authentication_without_persistence", "persistence"),
        ({"includeProperties": NULL}, "system_properties_exposed", "cmd=top"),
        ({"includeProperties": listed("java.version")}, "system_properties_exposed", "cmd=top"),
    ],
)  # fmt: skip
def test_the_configuration_is_judged(changes: Json, code: str, says: str) -> None:
    found = read(pinned(**changes), workload())
    assert code in codes(found)
    assert says in message(found, code)
    assert all(finding.fix and finding.where for finding in found.findings)


@pytest.mark.parametrize("changes", [{"discoverySpi": NULL}, {"discoverySpi": discovery(NULL)}])
def test_no_finder_means_multicast(changes: Json) -> None:
    found = read(pinned(**changes), workload())
    assert found.discovery.mode == "multicast"
    assert found.listeners[-1].as_dict() | {"where": ""} == {
        "name": "multicast", "protocol": "UDP", "enabled": True, "port": 47400, "last_port": 47400, "where": "",
    }  # fmt: skip


def test_what_is_switched_off_neither_listens_nor_clashes() -> None:
    communication = bean("TcpCommunicationSpi", localPort=10800, localPortRange=0)
    found = read(pinned(clientConnectorConfiguration=NULL, communicationSpi=communication), workload())
    assert [*found.findings] == []
    assert found.as_dict()["ports"] == {"discovery": 47500, "communication": 10800, "connector": 11211, "rest": 8080}


def test_without_a_connector_there_is_no_rest() -> None:
    found = read(pinned(connectorConfiguration=NULL), workload())
    assert {listener.name for listener in found.listeners if listener.enabled} == {
        "discovery", "communication", "thin_client",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("image", "xml", "code", "level"),
    [
        (OLD, on_port(47600), "discovery_port_unsupported", "error"),
        ("own/ignite:latest", on_port(47600), "discovery_port_unsupported", "error"),
        (OLD, on_port(47600, discoveryPort=47600), "finder_port_unsupported", "error"),
        ("apacheignite/ignite:2.11.1", on_port(47600), "discovery_port_unsupported", "error"),
        ("apacheignite/ignite:2.12.0", on_port(47600), "finder_port_not_set", "warning"),
        (NEW, on_port(47600, discoveryPort=47500), "finder_port_differs", "error"),
        ("apacheignite/ignite:2.9.1", on_port(47500), "finder_form", "error"),
        (OLD, with_finder(static("ignite.cache-ns.svc")), "one_address_of_a_name", "note"),
        (NEW, with_finder(kubernetes(namespace="elsewhere")), "other_namespace", "warning"),
        ("gridgain/community:8.9.17", pinned(), "unknown_version", "warning"),
        ("apacheignite/ignite", pinned(), "unknown_version", "warning"),
        ("apacheignite/ignite@sha256:0123", pinned(), "unknown_version", "warning"),
        ("apacheignite/ignite:2.8.1", pinned(), "unknown_version", "warning"),
        ("apacheignite/ignite:2.99.0", pinned(), "unknown_version", "warning"),
        ("apacheignite/ignite:3.1.0", pinned(), "unsupported_version", "error"),
    ],
)
def test_the_version_is_judged(image: str, xml: str, code: str, level: str) -> None:
    assert code in codes(read(xml, workload(image=image)), level)


def test_the_port_that_thick_clients_are_told_is_no_finding() -> None:
    assert codes(read(on_port(47600, discoveryPort=47600), workload())) == []


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("apacheignite/ignite:2.10.0", "2.10.0"),
        ("registry.local:5000/mirror/apacheignite/ignite:2.16.0-jdk11", "2.16.0"),
        ("registry.local:5000/ignite-own:v2.12", "2.12.0"),
        ("registry.local:5000/ignite", None),
        ("gridgain/community:8.9.17", None),
        ("own/cache:2.10.0", None),
    ],
)
def test_the_version_comes_from_an_image_of_ignite(image: str, version: str | None) -> None:
    assert read(pinned(), workload(image=image)).as_dict()["version"] == version


def test_the_users_word_on_the_version_wins() -> None:
    assert str(read(pinned(), workload(image=OLD), Version(2, 17)).version) == "2.17.0"


@pytest.mark.parametrize(
    ("env", "code", "level"),
    [
        ({"OPTION_LIBS": "ignite-rest-http"}, "no_kubernetes_library", "error"),
        ({"OPTION_LIBS": None}, "no_kubernetes_library", "error"),
        ({"OPTION_LIBS": "ignite-kubernetes"}, "probe_without_rest", "error"),
        ({"OPTION_LIBS": "ignite-kubernetes, control-center-agent"}, "control_center", "warning"),
        ({"EXTERNAL_LIBS": "https://u:hunter2@repo.example/a.jar?hunter2"}, "download", "error"),
        ({"EXTERNAL_LIBS": "hunter2@repo/a.jar, http://[x"}, "download", "error"),
        ({"IGNITE_LOCAL_HOST": "localhost"}, "loopback_only", "error"),
        ({"JVM_OPTS": "-Dhttps.proxyHost=proxy.example"}, "proxy", "error"),
        ({"JVM_OPTS": "-Dhttps.proxyHost=proxy -Dhttp.nonProxyHosts=172.30.0.1"}, "proxy", "warning"),
        ({"JVM_OPTS": "-DsocksProxyHost=proxy -Dhttp.nonProxyHosts=172.30.0.1"}, "proxy", "error"),
        ({"JVM_OPTS": "-DIGNITE_JETTY_PORT=8081 @/config/java.options"}, "unknown_value", "error"),
        ({"JVM_OPTS": "-Dcom.sun.management.config.file=/config/jmx"}, "unknown_value", "error"),
        ({"CONFIG_URI": "http://config.example/ignite.xml"}, "download", "error"),
        ({"IGNITE_UPDATE_NOTIFIER": None}, "update_notifier", "warning"),
        ({"JVM_OPTS": "-DIGNITE_UPDATE_NOTIFIER=true"}, "update_notifier", "warning"),
        ({"JVM_OPTS": "-DIGNITE_JETTY_PORT=80"}, "port_too_low", "error"),
        ({"JVM_OPTS": "-DIGNITE_JETTY_PORT=$(PORT)"}, "unknown_value", "error"),
        ({"IGNITE_JETTY_PORT": "8081"}, "jetty_port_ignored", "warning"),
        ({"JVM_OPTS": "-Dcom.sun.management.jmxremote.port=49112"}, "jmx_enabled", "note"),
        ({"JVM_OPTS": "-Dcom.sun.management.jmxremote.port=47500"}, "port_used_twice", "error"),
        ({"JVM_OPTS": "-Djavax.net.ssl.keyStorePassword=hunter2"}, "secret_in_jvm_options", "warning"),
    ],
)
def test_the_environment_is_judged(env: dict[str, str | None], code: str, level: str) -> None:
    found = read(pinned(), workload(env))
    assert code in codes(found, level)
    assert "hunter2" not in str(found.as_dict())


def test_a_system_property_wins_over_the_environment() -> None:
    off = workload({"JVM_OPTS": "-DIGNITE_UPDATE_NOTIFIER=true -DIGNITE_UPDATE_NOTIFIER=false",
                    "IGNITE_UPDATE_NOTIFIER": "true"})  # fmt: skip
    assert codes(read(pinned(), off)) == []


def test_the_java_launcher_decides_which_options_win() -> None:
    port = "-DIGNITE_JETTY_PORT={}"
    env = {name: port.format(8081 + place) for place, name in enumerate(("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"))}
    for more in ({}, {"JVM_OPTS": port.format(8083)}, {"JVM_OPTS": "-Xmx1g", "_JAVA_OPTIONS": port.format(8084)}):
        env |= more
        wins = int(list(env.values())[-1].rpartition("=")[2])
        listeners = read(pinned(), workload(env)).listeners
        assert {listener.name: listener.port for listener in listeners}["rest"] == wins


def test_variables_are_filled_in_as_the_kubelet_does() -> None:
    found = read(pinned(), workload({"PORT": "8090", "JVM_OPTS": "-DIGNITE_JETTY_PORT=$(PORT)"}))
    assert {listener.name: listener.port for listener in found.listeners}["rest"] == 8090


def rest_port(of: t.Any) -> int | None:
    return {listener.name: listener.port for listener in read(pinned(), of).listeners}["rest"]


def test_a_dollar_that_is_doubled_is_filled_in_by_nobody() -> None:
    assert rest_port(workload({"PORT": "8090", "JVM_OPTS": "-DIGNITE_JETTY_PORT=$$(PORT)"})) is None


@pytest.mark.parametrize(
    "more",
    [
        {"entries": [{"name": "JVM_OPTS", "value": "-Xmx1g $(MORE)"}],
         "before": [{"name": "MORE", "valueFrom": {"configMapKeyRef": {"name": "ignite", "key": "options"}}}]},
        {"entries": [{"name": "JVM_OPTS", "value": "-Xmx1g $(MORE)"}],
         "envFrom": [{"configMapRef": {"name": "env"}}]},
    ],
)  # fmt: skip
def test_options_that_are_filled_in_from_elsewhere_are_unknown(more: Json) -> None:
    """REST would be taken to be on 8080, whatever the other object says."""
    entries = [*more.pop("before", []), *more.pop("entries")]
    found = read(pinned(), workload(entries=entries, **more))
    assert found.as_dict()["ports"] is None
    assert "JVM_OPTS" in message(found, "unread_environment")


@pytest.mark.parametrize(
    "changes",
    [
        {"command": ["java", "-Xmx1g", "-DIGNITE_JETTY_PORT=9090", "-cp", "libs/*", "Main", "/config/ignite.xml"]},
        {"command": ["/bin/sh", "-c", "exec java -DIGNITE_JETTY_PORT=9090 Main /config/ignite.xml"]},
        {"args": ["/opt/ignite/bin/ignite.sh", "-J-DIGNITE_JETTY_PORT=9090", "/config/ignite.xml"]},
    ],
)
def test_options_on_the_command_line_count(changes: Json) -> None:
    assert rest_port(workload(**changes)) == 9090
    assert "own_command" in codes(read(pinned(), workload(**changes)))
    assert rest_port(workload({"JVM_OPTS": "-DIGNITE_JETTY_PORT=9091"}, **changes)) is None
    assert rest_port(workload({"JVM_OPTS": "-DIGNITE_JETTY_PORT=9090"}, **changes)) == 9090


@pytest.mark.parametrize("variable", ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"])
def test_options_in_quotes_count(variable: str) -> None:
    assert rest_port(workload({variable: "'-DIGNITE_JETTY_PORT=9090' \"-Dx=y\""})) == 9090


def test_an_option_after_a_file_of_options_counts() -> None:
    assert rest_port(workload({"JVM_OPTS": "@/config/java.options -DIGNITE_JETTY_PORT=9090"})) == 9090


def test_the_address_of_the_environment_wins_over_the_configurations() -> None:
    found = read(pinned(localHost="127.0.0.1"), workload({"IGNITE_LOCAL_HOST": "10.0.0.7"}))
    assert codes(found) == []


def test_variables_from_elsewhere_are_unknown() -> None:
    entry = {"name": "JVM_OPTS", "valueFrom": {"secretKeyRef": {"name": "options", "key": "jvm"}}}
    found = read(pinned(), workload(entries=[entry]))
    assert found.as_dict()["ports"] is None
    assert "JVM_OPTS may come from another object" in message(found, "unread_environment")


def test_variables_may_come_from_a_whole_object() -> None:
    found = read(pinned(), workload({"OPTION_LIBS": None}, envFrom=[{"configMapRef": {"name": "env"}}]))
    assert "no_kubernetes_library" not in codes(found)
    assert "OPTION_LIBS" in message(found, "unread_environment")
    assert {listener.name: listener.enabled for listener in found.listeners}["rest"] is None


PROBE: Json = {"periodSeconds": 5}
LYING: Json = {**PROBE, "tcpSocket": {"port": 10800}}
VERSION: Json = {**PROBE, "httpGet": {"path": "/ignite?cmd=version", "port": 8080}}


@pytest.mark.parametrize(
    ("changes", "code", "level"),
    [
        ({"readinessProbe": LYING}, "lying_probe", "warning"),
        ({"livenessProbe": VERSION}, "weak_probe", "warning"),
        ({"readinessProbe": None}, "no_readiness_probe", "note"),
        ({"startupProbe": None}, "no_startup_probe", "warning"),
        ({"image": "apacheignite/ignite:2.9.1"}, "probe_unsupported", "error"),
        ({"command": ["/bin/sh", "-c", "exec java"]}, "own_command", "warning"),
        ({"pod": {"hostNetwork": True}}, "host_network", "error"),
    ],
)
def test_the_pod_is_judged(changes: Json, code: str, level: str) -> None:
    assert code in codes(read(pinned(), workload(**changes)), level)


@pytest.mark.parametrize(
    ("status", "earlier"),
    [
        ({"replicas": 3, "updatedReplicas": 1}, True),
        ({"replicas": 3}, True),
        ({"desiredNumberScheduled": 3, "updatedNumberScheduled": 2}, True),
        ({"replicas": 3, "updatedReplicas": 3}, False),
        ({"desiredNumberScheduled": 3, "updatedNumberScheduled": 3}, False),
        ({"replicas": 0}, False),
        ({}, False),
    ],
)
def test_pods_of_an_earlier_template_are_a_finding(status: Json, earlier: bool) -> None:
    """As with updateStrategy OnDelete: policies by the new ports would cut the running pods off."""
    plain = workload()
    of = Workload.of({**stateful_set(dict(plain.pod)), "status": status})
    assert ("earlier_pods" in codes(read(pinned(), of), "warning")) is earlier


@pytest.mark.parametrize(
    ("options", "remembered"),
    [
        ({"image": OLD}, True),
        ({"image": "apacheignite/ignite:2.16.0"}, True),
        ({"image": "apacheignite/ignite:2.17.0"}, False),
        ({"image": OLD, "env": {"JVM_OPTS": "-Dsun.net.inetaddr.ttl=0"}}, False),
        ({"image": OLD, "pod": NO_DNS}, False),
    ],
)
def test_versions_that_dial_names_remember_addresses(options: Json, remembered: bool) -> None:
    assert ("remembered_addresses" in codes(read(pinned(), workload(**options)), "note")) is remembered


SPEL = (
    "#{'https://' + systemEnvironment['KUBERNETES_SERVICE_HOST'] + ':' + systemEnvironment['KUBERNETES_SERVICE_PORT']}"
)
IN_BRACKETS = "#{'https://[' + systemEnvironment.KUBERNETES_SERVICE_HOST + ']:443'}"


@pytest.mark.parametrize(
    ("url", "kind", "shown"),
    [
        ("https://172.30.0.1:443", "address", "https://172.30.0.1:443"),
        ("https://user:hunter2@[fd00::1]/x?hunter2", "address", "https://[fd00::1]"),
        ("https://kubernetes.default.svc", "name", "https://kubernetes.default.svc"),
        (SPEL, "environment", None),
        (SPEL.replace("PORT", "PORT_HTTPS"), "environment", None),
        (IN_BRACKETS, "environment", None),
        (IN_BRACKETS.replace("]:443", ":443"), "unknown", None),
        (SPEL.replace("KUBERNETES_SERVICE_HOST", "HOST"), "unknown", None),
        ("${MASTER}", "unknown", None),
        ("172.30.0.1", "unknown", None),
        ("https://[::1", "unknown", None),
        ("https://a:port", "unknown", None),
    ],
)
def test_the_name_of_the_api_server_is_read(url: str, kind: str, shown: str | None) -> None:
    found = read(with_finder(kubernetes(namespace="cache-ns", masterUrl=url)), workload())
    assert (found.discovery.master_url_kind, found.discovery.master_url) == (kind, shown)
    assert found.minimal.fit == (kind in ("address", "environment"))
    assert bool(codes(found)) == (kind == "unknown")
    assert "hunter2" not in str(found.as_dict())


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"image": OLD}, "nameserver 127.0.0.1"),
        ({"image": "own/ignite:latest"}, "unknown version"),
        ({"image": OLD, "pod": {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.10"]}}}, "nameserver"),
        ({"image": OLD, "pod": {"dnsConfig": {"nameservers": ["127.0.0.1"]}}}, "nameserver"),
        ({"image": OLD, "env": {"JVM_OPTS": "-Djdk.net.hosts.file=/etc/hosts"}}, "nameserver"),
        ({"env": {"EXTERNAL_LIBS": "http://repo/a.jar"}}, "EXTERNAL_LIBS (http://repo) is downloaded"),
    ],
)
def test_profile_minimal_needs_a_reason_to_be_refused(options: Json, reason: str) -> None:
    found = read(pinned(), workload(**options))
    assert not found.minimal.fit
    assert reason in " ".join(found.minimal.reasons)


@pytest.mark.parametrize(
    "options",
    [
        {"image": OLD, "pod": NO_DNS},
        {"image": "apacheignite/ignite:2.16.0-jdk11", "env": {"JVM_OPTS": "-Djdk.net.hosts.file=/etc/hosts"}},
    ],
)
def test_older_versions_fit_with_a_resolver_that_refuses_at_once(options: Json) -> None:
    assert read(pinned(), workload(**options)).minimal.fit


@pytest.mark.parametrize(
    ("xml", "fit"),
    [
        (with_finder(static("10.0.0.1", "[fd00::1]:47500")), True),
        (with_finder(static("10.0.0.1", "ignite-0.ignite:47500")), False),
        (with_finder(bean("TcpDiscoveryMulticastIpFinder")), False),
        (with_finder(bean("x.TcpDiscoveryS3IpFinder")), False),
    ],
)
def test_discovery_without_names_fits_profile_minimal(xml: str, fit: bool) -> None:
    assert read(xml, workload()).minimal.fit == fit


def test_without_a_workload_nothing_is_fit_before_2_17() -> None:
    assert read(pinned(), version=Version(2, 17)).minimal.fit
    assert not read(pinned(), version=Version(2, 16)).minimal.fit
    assert not read(pinned()).minimal.fit


def test_what_protects_is_read() -> None:
    region = bean("DataRegionConfiguration", persistenceEnabled="true")
    found = read(
        pinned(
            sslContextFactory=bean("x.SslContextFactory", keyStorePassword="hunter2"),
            authenticationEnabled="true",
            dataStorageConfiguration=bean(
                "DataStorageConfiguration", dataRegionConfigurations=f"<list>{region}</list>"
            ),
            communicationSpi=bean("TcpCommunicationSpi", localPortRange=0, forceClientToServerConnections="true"),
            clientConnectorConfiguration=bean("ClientConnectorConfiguration", portRange=0, sslEnabled="true"),
        ),
        workload(),
        is_open=True,
    )
    assert found.security.as_dict() == {
        "nodes_tls": True,
        "thin_clients_tls": True,
        "connector_tls": False,
        "authentication": True,
        "persistence": True,
        "is_client": False,
        "force_client_to_server": True,
        "hides_system_properties": True,
    }
    assert codes(found) == ["secret_in_config_map", "starts_inactive"]
    assert "hunter2" not in str(found.as_dict())


def test_secrets_belong_into_secrets() -> None:
    xml = pinned(sslContextFactory=bean("x.SslContextFactory", attributes='p:keyStorePassword="hunter2"'))
    filled_in = pinned(sslContextFactory=bean("x.SslContextFactory", keyStorePassword="${PASSWORD}"))
    assert codes(read(xml, workload(), is_open=True)) == ["secret_in_config_map"]
    assert codes(read(xml, workload())) == []
    assert codes(read(filled_in, workload(), is_open=True)) == []
    referred = pinned(sslContextFactory=bean("x.SslContextFactory", attributes='p:keyStorePassword-ref="elsewhere"'))
    assert codes(read(referred, workload(), is_open=True)) == []


def test_what_a_plugin_does_is_unknown() -> None:
    found = read(pinned(pluginConfigurations=bean("org.gridgain.grid.configuration.GridGainConfiguration")), workload())
    assert found.security.authentication is None
