# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of a deployment: what is refused, with its name, and what becomes of what is not."""

from __future__ import annotations

import pytest
from deployments import TARGETS, Json, errors, rendered, worked_out
from flow_builders import client

OLD, NEW = "docker.io/apacheignite/ignite:2.10.0", "docker.io/apacheignite/ignite:2.17.0"
OLDEST = "docker.io/apacheignite/ignite:2.9.0"
LARGE: Json = {"deploy_data_region_mb": 65536, "deploy_resources": {}}
SIZE: Json = {"deploy_persistence_size": "20Gi"}

REFUSED: dict[str, tuple[Json, str]] = {
    "no image": ({"deploy_image": ""}, "deploy_image: it is not set"),
    "no tag": ({"deploy_image": "apacheignite/ignite"}, "has neither tag nor digest"),
    "moving tag": ({"deploy_image": "apacheignite/ignite:latest"}, "tag latest moves"),
    "odd image": ({"deploy_image": "ignite 2.10"}, "is not the reference of an image"),
    "URL of an image": ({"deploy_image": "https://registry.test/ignite:2.17.0"}, "is not the reference of an image"),
    "odd digest": ({"deploy_image": "apacheignite/ignite:2.17.0@sha256:1"}, "is not the reference of an image"),
    "capital in an image": ({"deploy_image": "registry.test/Own/ignite:2.17.0"}, "is not the reference of an image"),
    "digit first": ({"instance": "1st"}, "begins with a letter"),
    "others' account": ({"instance": "default"}, "is not default"),
    "label of one pod": (
        {"pod_selector": {"matchLabels": {"statefulset.kubernetes.io/pod-name": "ignite-0"}}},
        "in each pod to another value",
    ),
    "label of a revision": ({"deploy_labels": {"controller-revision-hash": "x"}}, "in each pod to another value"),
    "memory in bytes": ({"deploy_resources": {"limits": {"memory": 1073741824}}}, "the memory limit is 1024 MiB"),
    "memory in thousands": ({"deploy_resources": {"limits": {"memory": "1G"}}}, "the memory limit is 953 MiB"),
    "part of memory": ({"deploy_resources": {"limits": {"memory": "0.5Gi"}}}, "the memory limit is 512 MiB"),
    "more than the limit": (
        {"deploy_resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1500m", "memory": "2Gi"}}},
        "2 of cpu is requested, over the limit 1500m",
    ),
    "odd resource": ({"deploy_resources": {"limits": {"mem ory": "2Gi"}}}, "'mem ory' is not a valid label key"),
    "unknown resource": ({"deploy_resources": {"limits": {"ram": "2Gi"}}}, "ram is none of the standard resources"),
    "no storage": ({"deploy_persistence_size": "0"}, "is less than 1Gi"),
    "little storage": ({"deploy_persistence_size": "500m"}, "is less than 1Gi"),
    "unknown version": ({"deploy_image": "apacheignite/ignite:2.8.1"}, "2.8.1 is not among the versions"),
    "newer version": ({"deploy_image": "apacheignite/ignite:3.0.0"}, "3.0.0 is not among the versions"),
    "untold version": ({"deploy_image": "registry.test/cache:7"}, "ignite_lockdown_version: it is not set"),
    "other version": ({"version": "2.16.0"}, "it is 2.16.0, and the tag"),
    "no version": ({"version": "two"}, "'two' is not a version"),
    "ports used twice": ({"ports": {"rest": 47500}}, "discovery and rest share a port"),
    "low port": ({"ports": {"rest": 1023}}, "1023 is not between 1024 and 65535"),
    "port of old finders": ({"deploy_image": OLD, "ports": {"discovery": 47600}}, "cannot be told to thick clients"),
    "authentication": ({"deploy_authentication": True}, "does not start with authentication and without persistence"),
    "selector": (
        {"pod_selector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}},
        "it must hold matchLabels alone",
    ),
    "own label": ({"deploy_labels": {"app": "other"}}, "app has another value in ignite_lockdown_pod_selector"),
    "reserved label": ({"deploy_labels": {"app.kubernetes.io/instance": "x"}}, "is set by the role"),
    "odd label": ({"deploy_labels": {"a b": "x"}}, "'a b' is not a valid label key"),
    "odd annotation": ({"deploy_annotations": {"x": 1}}, "1 is not a text"),
    "no replicas": ({"deploy_replicas": 0}, "0 is not between 1 and 100"),
    "memory": ({"deploy_resources": {"limits": {"memory": "1Gi"}}}, "heap and data region alone have 1280 MiB"),
    "odd resources": ({"deploy_resources": {"limit": {}}}, "unknown key 'limit'"),
    "odd quantity": ({"deploy_persistence_size": "20 GB"}, "'20 GB' is not a quantity"),
    "two options": ({"deploy_jvm_options": ["-Xss1m -XX:+UseG1GC"]}, "is not one option"),
    "many options": ({"deploy_jvm_options": ["-Dx=" + "y" * 70000]}, "longer than 65536 characters"),
    "reference": ({"deploy_jvm_options": ["-Dx=$(TOKEN)"]}, "is not one option"),
    "root": ({"deploy_run_as_user": 0}, "0 is not between 1"),
    "password alone": ({"deploy_tls_password_secret": "p"}, "deploy_tls_secret is not set"),
    "secret's key": ({"deploy_tls_secret": "s", "deploy_tls_password_key": "a/b"}, "is not a key of a Secret"),
    "flag": ({"deploy_spread_required": "perhaps"}, "is neither true nor false"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_values_are_refused(case: str) -> None:
    changed, message = REFUSED[case]
    made = worked_out(**changed)
    assert message in "\n".join(map(str, made.errors))
    assert made.record == {}


@pytest.mark.parametrize(
    "image",
    [
        "ignite:2.17.0",
        "registry.test:5000/team/apacheignite/ignite:2.17.0-jdk11",
        f"registry.test/own_team/ignite:2.17.0@sha256:{'a1' * 32}",
        "[fd00::1]:5000/ignite:2.17.0",
    ],
)
def test_images_of_any_registry_are_taken(image: str) -> None:
    assert rendered(deploy_image=image).deployment["version"] == "2.17.0"


def test_all_that_is_wrong_is_told_at_once() -> None:
    told = errors(deploy_replicas=0, deploy_authentication=True, deploy_image="apacheignite/ignite:2.8.1")
    assert ("0 is not between" in told, "without persistence" in told, "2.8.1" in told) == (True, True, True)


def test_answers_of_surveys_are_taken() -> None:
    made = rendered(
        deploy_replicas="5", deploy_jvm_options="-Xss1m\n-XX:+UseG1GC", deploy_authentication="", deploy_image=NEW
    )
    assert made.one("StatefulSet")["spec"]["replicas"] == 5
    assert made.environment["JVM_OPTS"].startswith("-Xss1m -XX:+UseG1GC -Xms768m -Xmx768m ")


def test_the_pod_satisfies_the_restricted_level_and_writes_nowhere_else() -> None:
    pod = rendered().pod
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "privileged": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "initContainers"} & set(pod)
    assert {"configMap", "emptyDir", "projected"} == {key for volume in pod["volumes"] for key in volume} - {"name"}


def test_the_account_may_get_one_object() -> None:
    made = rendered(instance="cache")
    assert made.one("Role", "cache")["rules"] == [
        {"apiGroups": [""], "resources": ["endpoints"], "resourceNames": ["cache"], "verbs": ["get"]}
    ]
    assert made.one("ServiceAccount", "cache")["automountServiceAccountToken"] is False


def test_dns_needs_no_right_no_token_and_no_api_server() -> None:
    made = rendered(discovery="dns")
    assert {item["kind"] for item in made.objects} & {"Role", "RoleBinding"} == set()
    assert "token" not in [volume["name"] for volume in made.pod["volumes"]]
    assert made.environment["OPTION_LIBS"] == "ignite-rest-http"
    assert made.one("StatefulSet")["spec"]["podManagementPolicy"] == "OrderedReady"
    assert "<value>ignite-2.ignite.cache-ns.svc:47500</value>" in made.xml


def test_minimal_names_the_api_server_by_its_address() -> None:
    assert 'value="https://10.96.0.1:443"' in rendered(profile="minimal").xml
    six: Json = {"cluster_ips": ["fd00::1"], "port": 6443}
    targets: Json = {**TARGETS, "api_server": {**TARGETS["api_server"], "service": six}}
    assert 'value="https://[fd00::1]:6443"' in rendered(targets, profile="minimal").xml
    none: Json = {**TARGETS, "api_server": {**TARGETS["api_server"], "service": {"cluster_ips": [], "port": 443}}}
    (error,) = worked_out(none, profile="minimal").errors
    assert error.code == "no_api_address"


def test_secrets_are_referred_to_and_written_nowhere() -> None:
    made = rendered(deploy_tls_secret="stores", deploy_tls_password_secret="word")  # noqa: S106
    (entry,) = [one for one in made.pod["containers"][0]["env"] if one["name"] == "IGNITE_STORE_PASSWORD"]
    assert entry["valueFrom"] == {"secretKeyRef": {"name": "word", "key": "password"}}
    assert "#{systemEnvironment['IGNITE_STORE_PASSWORD']}" in made.xml
    assert [found.code for found in made.agreement.findings if "secret" in found.code] == []


def test_a_changed_configuration_replaces_the_pods() -> None:
    key = "lockdown.netguard.io/config"
    first, same, other = (
        rendered(**each).one("StatefulSet")["spec"]["template"]["metadata"]["annotations"][key]
        for each in ({}, {"deploy_replicas": 5}, {"ports": {"communication": 47101}})
    )
    assert first == same != other


def test_the_connector_is_hidden_unless_a_client_dials_it() -> None:
    assert 'name="host" value="127.0.0.1"' in rendered().xml
    dialled = rendered(clients=[client(kind="custom", ports=["connector"])])
    assert 'name="host"' not in dialled.xml


def test_java_is_told_what_it_can_understand() -> None:
    old = rendered(deploy_image=OLD).environment["JVM_OPTS"].split()
    assert "-XX:+IgnoreUnrecognizedVMOptions" in old
    assert "--add-opens=java.base/java.nio=ALL-UNNAMED" in old
    assert "-XX:+IgnoreUnrecognizedVMOptions" not in rendered(deploy_image=f"{OLD}-jdk11").environment["JVM_OPTS"]
    assert "-DIGNITE_WAL_MMAP=false" in rendered(deploy_image=OLD, **SIZE).environment["JVM_OPTS"]
    assert "WAL_MMAP" not in rendered(deploy_image=NEW, **SIZE).environment["JVM_OPTS"]


def test_a_probe_that_answers_too_early_does_not_hurry_a_rollout() -> None:
    login: Json = {**SIZE, "deploy_authentication": True}
    assert rendered(deploy_image=OLD, **login).one("StatefulSet")["spec"]["minReadySeconds"] == 30
    assert "minReadySeconds" not in rendered(deploy_image=NEW, **login).one("StatefulSet")["spec"]
    assert "early_probe" in [found.code for found in worked_out(deploy_image=OLD, **login).findings]


def test_the_oldest_version_has_no_probe_that_waits_for_the_start() -> None:
    assert rendered(deploy_image=OLDEST).one("StatefulSet")["spec"]["minReadySeconds"] == 30
    found = {found.code: found.message for found in worked_out(deploy_image=OLDEST).findings}
    assert "2.9.0 has no probe of its own" in found["early_probe"]
    assert "minReadySeconds" not in rendered(deploy_image=OLD).one("StatefulSet")["spec"]


@pytest.mark.parametrize(
    ("variables", "hands_over", "seconds"),
    [
        ({}, True, 111),
        (LARGE, True, 6613),
        ({"deploy_stop_seconds": 30}, True, 30),
        ({"deploy_replicas": 1}, False, 60),
        ({"deploy_image": OLDEST}, False, 60),
    ],
)
def test_a_server_that_is_stopped_gives_its_data_away(variables: Json, hands_over: bool, seconds: int) -> None:
    made = rendered(**variables)
    assert ('name="shutdownPolicy" value="GRACEFUL"' in made.xml) == hands_over
    assert made.pod["terminationGracePeriodSeconds"] == seconds
    warned = "no_handover" in [found.code for found in worked_out(**variables).findings]
    assert warned == (variables.get("deploy_image") == OLDEST)


def test_a_server_that_hangs_gives_nothing_away() -> None:
    (container,) = rendered(**LARGE).pod["containers"]
    assert {container[f"{name}Probe"]["terminationGracePeriodSeconds"] for name in ("startup", "liveness")} == {60}


def test_clients_reach_each_pod_at_its_own_port() -> None:
    made = rendered(clients=[client(kind="custom", ports=["connector", "thin_client", "rest"])])
    named = {port["name"] for port in made.pod["containers"][0]["ports"]}
    targets = [port["targetPort"] for port in made.one("Service", "ignite-client")["spec"]["ports"]]
    assert sorted(targets) == ["connector", "rest", "thin-client"]
    assert named >= set(targets)


def test_texts_of_the_user_stay_in_their_places() -> None:
    odd = "x\"\n  evil: {{ 1 }} # '&<>"
    made = rendered(deploy_annotations={"note": odd}, deploy_priority_class="high")
    assert made.one("StatefulSet")["spec"]["template"]["metadata"]["annotations"]["note"] == odd
    assert made.pod["priorityClassName"] == "high"
