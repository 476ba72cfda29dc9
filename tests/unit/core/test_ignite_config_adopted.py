# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role takes from a configuration that was read, and what of it stops a run."""

from __future__ import annotations

import typing as t

import pytest
from flow_builders import client, extra, variables
from ignite_xml import (
    ENV,
    NULL,
    PINNED,
    bean,
    discovery,
    ignite,
    kubernetes,
    read,
    static,
    workload,
)

from ansible_collections.netguard.lockdown.plugins.module_utils._core.clients import Finding
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite import Needs, ignite_needs
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config import wanted
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.master_url import judge_master_url
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.workload import Workload

Json = dict[str, t.Any]

JMX = "-Dcom.sun.management.jmxremote.port=49112"
RMI = "-Dcom.sun.management.jmxremote.rmi.port=49113"
AGENT = "-javaagent:/opt/jmx_prometheus_javaagent-1.0.jar=0.0.0.0:9404:/opt/metrics.yml"
NO_RESOLVER: Json = {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["127.0.0.1"]}}


def result(of: Workload | None = None, /, **changed: t.Any) -> Json:
    """What ignite_config_info says of a pinned Ignite, with changes."""
    found = read(ignite(**{**PINNED, **changed}), of or workload())
    about = {"config": "ConfigMap cache-ns/ignite, key ignite.xml", "workload": {"name": "ignite"}, "sources": []}
    return {**found.as_dict(), **about}


def needs(configured: Json | None, **given: t.Any) -> Needs:
    return ignite_needs(variables(read_config=True, **given), configured)


def told(found: Needs) -> str:
    return "\n".join(str(error) for error in found.errors)


def ports(found: Needs) -> dict[str, int | None]:
    assert told(found) == ""
    return {flow.id: flow.port for flow in found.flows}


MOVED: Json = {
    "discoverySpi": discovery(kubernetes(namespace="cache-ns", discoveryPort=47600), localPort=47600, localPortRange=0),
    "clientConnectorConfiguration": bean("ClientConnectorConfiguration", port=10900, portRange=0),
}


def test_ports_and_version_come_from_what_was_read() -> None:
    found = needs(result(**MOVED), clients=[client(), client(name="admin", kind="control", namespaces=["ops"])])
    assert ports(found)["peers-discovery-in"] == 47600
    assert ports(found)["client-web-thin-client"] == 10900
    assert ports(found)["client-admin-thin-client"] == 10900
    assert found.as_record()["ignite"]["version"] == "2.17.0"
    assert found.as_record()["ignite"]["security"]["authentication"] is False


def test_a_port_that_differs_names_both_and_one_that_agrees_is_fine() -> None:
    refused = told(needs(result(**MOVED), ports={"thin_client": "10800", "discovery": 47600}))
    assert "ignite_lockdown_ports.thin_client: 10800 is given, and" in refused
    assert "sets 10900" in refused
    assert "ports.discovery" not in refused
    off = told(needs(result(clientConnectorConfiguration=NULL), ports={"thin_client": 10800}, clients=[client()]))
    assert "switches it off" in off
    assert "it needs port thin_client, and it is switched off" in off
    assert ports(needs(result(clientConnectorConfiguration=NULL)))["peers-discovery-in"] == 47500


def test_findings_that_no_policy_can_hold_stop_the_run_with_their_fixes() -> None:
    loose = {
        "discoverySpi": discovery(kubernetes(namespace="cache-ns")),
        "communicationSpi": bean("TcpCommunicationSpi"),
        "connectorConfiguration": bean("ConnectorConfiguration"),
    }
    found = needs(result(**loose))
    assert told(found).count("takes the next free port") == 2
    assert "Set localPortRange of TcpDiscoverySpi to 0; or accept it" in told(found)
    # Nobody may reach the connector, so its range does no harm.
    harmless = [finding for finding in found.findings if finding.code == "range_not_pinned"]
    assert {finding.level for finding in harmless} == {"warning"}
    used = needs(result(**loose), clients=[client(kind="custom", ports=["connector"])])
    assert told(used).count("takes the next free port") == 3
    accepted = needs(result(**loose), accept_config_findings="range_not_pinned\n")
    assert ports(accepted)["peers-discovery-in"] == 47500
    assert sum(finding.message.startswith("Accepted: ") for finding in accepted.findings) == 4


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"discoverySpi": discovery(localPort=47500, localPortRange=0)}, "multicast"),
        ({"discoverySpi": discovery(kubernetes(), localPort="${PORT}", localPortRange=0)}, "unknown_value"),
        ({"communicationSpi": bean("TcpCommunicationSpi", localPort=443, localPortRange=0)}, "port_too_low"),
        ({"communicationSpi": bean("TcpCommunicationSpi", localPort=47500, localPortRange=0)}, "port_used_twice"),
        ({"clientMode": "true"}, "client_mode"),
    ],
)
def test_other_errors_stop_it_too(changed: Json, code: str) -> None:
    assert code in {error.code for error in needs(result(**changed)).errors}


def test_a_discovery_port_that_the_version_cannot_do() -> None:
    old = workload(image="apacheignite/ignite:2.10.0")
    moved = {"discoverySpi": discovery(kubernetes(namespace="cache-ns"), localPort=47600, localPortRange=0)}
    assert "cannot lead thick clients to discovery port 47600" in told(needs(result(old, **moved)))


def test_an_unknown_port_that_nobody_uses_does_no_harm_and_one_that_is_used_must_be_given() -> None:
    unknown = {"connectorConfiguration": bean("ConnectorConfiguration", port="${CONNECTOR}", portRange=0)}
    assert ports(needs(result(**unknown)))["peers-discovery-in"] == 47500
    reader = client(kind="custom", ports=["connector"])
    assert "does not tell its number; give it as ignite_lockdown_ports.connector" in told(
        needs(result(**unknown), clients=[reader])
    )
    given = needs(
        result(**unknown), clients=[reader], ports={"connector": 11300}, accept_config_findings=["unknown_value"]
    )
    assert ports(given)["client-web-connector"] == 11300


def test_jmx_and_metrics_are_read_from_the_options_of_the_jvm() -> None:
    watchers = [client(kind="jmx"), client(name="scraper", kind="prometheus", namespaces=["metrics"])]
    on = result(workload({**ENV, "JVM_OPTS": f"{JMX} {RMI} {AGENT}"}))
    found = ports(needs(on, clients=watchers))
    assert found["client-web-jmx"] == 49112
    assert found["client-web-jmx-rmi"] == 49113
    assert found["client-scraper-metrics"] == 9404
    off = told(needs(result(), clients=watchers))
    assert "it needs port jmx, and it is switched off in" in off
    assert "it needs port metrics, and" in off
    half = needs(result(workload({**ENV, "JVM_OPTS": JMX})), clients=watchers[:1])
    assert "it needs port jmx_rmi" in told(half)
    assert "jmx_rmi_not_pinned" in {finding.code for finding in half.findings}
    sidecar = ports(needs(result(), clients=watchers[1:], ports={"metrics": 9500}))
    assert sidecar["client-scraper-metrics"] == 9500


def test_profile_minimal_rests_on_what_was_read_and_not_on_a_word() -> None:
    fit = result(workload(pod=NO_RESOLVER, image="apacheignite/ignite:2.16.0"))
    assert "dns-udp" not in ports(needs(fit, profile="minimal", minimal_confirmed=False))
    refused = needs(result(workload(image="apacheignite/ignite:2.16.0")), profile="minimal", minimal_confirmed=True)
    assert "Refused profile minimal" in told(refused)
    assert "dnsPolicy None" in told(refused)


def test_flows_follow_the_discovery_that_was_read() -> None:
    by_name = result(discoverySpi=discovery(static("ignite.cache-ns.svc:47500"), localPort=47500, localPortRange=0))
    assert "api-server" not in ports(needs(by_name))
    assert "dns-udp" in ports(needs(by_name))
    assert "it is dns, and" in told(needs(result(), discovery="dns"))
    assert "api-server" in ports(needs(result()))


def test_what_is_downloaded_names_its_flow_and_is_accepted_with_it() -> None:
    fetching = result(workload({**ENV, "EXTERNAL_LIBS": "https://repo.example.com:8443/lib.jar"}))
    refused = told(needs(fetching))
    assert "EXTERNAL_LIBS (https://repo.example.com:8443) is downloaded at every start" in refused
    assert "or add an extra flow to TCP 8443 of repo.example.com with its reason" in refused
    library = extra(name="library", port=8443, cidrs=["203.0.113.7/32"])
    allowed = needs(fetching, extra_flows=[library], accept_config_findings=["download"])
    assert ports(allowed)["extra-library-8443"] == 8443


def test_without_having_read_there_are_no_flows() -> None:
    missing = needs(None)
    assert [error.code for error in missing.errors] == ["config_not_read"]
    assert missing.flows == []
    ignored = ignite_needs(variables(), result(**MOVED))
    assert ports(ignored)["peers-discovery-in"] == 47500
    assert ignored.ignite is None


@pytest.mark.parametrize(
    ("given", "reading", "place"),
    [
        ({}, False, None),
        ({"read_config": "no"}, False, None),
        ({"read_config": "yes"}, True, {"pod_selector": {"matchLabels": {"app": "ignite"}}}),
        ({"workload": "db"}, True, {"workload": "db", "workload_kind": "StatefulSet"}),
        ({"workload": "Deployment/db"}, True, {"workload": "db", "workload_kind": "Deployment"}),
        ({"config": {"secret": "x", "key": "a.xml"}}, True, {"secret": "x", "key": "a.xml"}),
        (
            {"workload": "db", "config": {"path": "a.xml", "container": "c"}},
            True,
            {"workload": "db", "workload_kind": "StatefulSet", "path": "a.xml", "container": "c"},
        ),
    ],
)
def test_naming_the_workload_is_enough(given: Json, reading: bool, place: Json | None) -> None:
    role = variables(**given)
    assert wanted.reads(role) == reading
    if place is not None:
        assert wanted.read_place(role, offline=False) == place


@pytest.mark.parametrize(
    ("given", "offline", "why"),
    [
        ({"read_config": "perhaps"}, False, "neither true nor false"),
        ({"workload": "Pod/db"}, False, "'Pod' is none of StatefulSet"),
        ({"workload": "Not A Name"}, False, "is not the name of an object"),
        ({"config": "ignite.xml"}, False, "is not a mapping"),
        ({"config": {"configmap": "x"}}, False, "the nearest one is config_map"),
        ({"config": {"config_map": "x", "secret": "y"}}, False, "exclude each other"),
        ({"config": {"path": "x", "key": "y"}}, False, "it belongs to config_map or secret"),
        ({"workload": "db"}, True, "this entry point asks no cluster"),
        ({"config": {"config_map": "x"}}, True, "this entry point asks no cluster"),
    ],
)
def test_bad_places_are_named(given: Json, offline: bool, why: str) -> None:
    assert wanted.reads(variables(**given))
    with pytest.raises(LockdownError, match=why):
        wanted.read_place(variables(**given), offline=offline)


SERVICE: Json = {"cluster_ips": ["10.96.0.1", "fd00::1"], "port": 443}
ENDPOINT: Json = {"via": "endpoints", "protocol": "TCP", "port": 6443, "cidrs": ["172.30.0.2/32"]}
BY_SERVICE: Json = {"via": "service", "protocol": "TCP", "port": 443, "cidrs": ["10.96.0.1/32"]}


def judged(url: str, kind: str, *rules: Json, **api: t.Any) -> list[LockdownError | Finding]:
    found = {"mode": "kubernetes", "master_url": url, "master_url_kind": kind, "where": "here"}
    return list(judge_master_url(found, {"service": SERVICE, "targets": list(rules), **api}, list(rules)))


@pytest.mark.parametrize(
    ("url", "kind", "rules"),
    [
        ("https://kubernetes.default.svc.cluster.local:443", "name", [ENDPOINT]),
        ("https://kubernetes.default.svc", "name", [BY_SERVICE]),
        ("https://10.96.0.1:443", "address", [ENDPOINT]),
        ("https://10.96.0.1", "address", [BY_SERVICE]),
        ("https://[fd00::1]:443", "address", [ENDPOINT]),
        ("https://172.30.0.2:6443", "address", [ENDPOINT]),
        ("", "environment", [BY_SERVICE]),
    ],
)
def test_a_master_url_that_leads_to_the_api_server(url: str, kind: str, rules: list[Json]) -> None:
    assert judged(url, kind, *rules) == []


@pytest.mark.parametrize(
    ("url", "kind", "rules"),
    [
        ("https://api.example.com:443", "name", [ENDPOINT]),
        ("https://kubernetes.default.svc.cluster.local:6443", "name", [ENDPOINT]),
        ("https://kubernetes.default.svcevil.example.com", "name", [ENDPOINT]),
        ("https://203.0.113.9:443", "address", [ENDPOINT]),
        ("https://10.96.0.1:6443", "address", [ENDPOINT]),
        # What judges before translation sees another address than that of the rule.
        ("https://172.30.0.2:6443", "address", [BY_SERVICE]),
    ],
)
def test_a_master_url_that_leads_elsewhere(url: str, kind: str, rules: list[Json]) -> None:
    (error,) = judged(url, kind, *rules)
    assert isinstance(error, LockdownError)
    assert "Set masterUrl to https://10.96.0.1:443" in str(error)


def test_a_master_url_where_little_is_known_of_the_api_server() -> None:
    (finding,) = judged("https://10.96.0.1:443", "address", ENDPOINT, service=None)
    assert isinstance(finding, Finding)
    assert judged("https://x.azmk8s.io:443", "name", ENDPOINT, foreign_hosts=[{"host": "x.azmk8s.io"}]) == []
