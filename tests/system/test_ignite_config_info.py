# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module ignite_config_info against a real API server: objects, rights, files, and no secret in the result."""

from __future__ import annotations

import base64
import json
import os
import sys
import typing as t
from pathlib import Path

import pytest
from harness import Modules, run_playbook

from lab import objects
from lab.cluster.ignite import Ignite
from lab.control_plane import ControlPlane
from lab.environment import scrubbed_env

Json = dict[str, t.Any]

HIDDEN = "correct-horse-battery"
PORTS = {"discovery": 47500, "communication": 47100, "thin_client": 10800, "connector": 11211, "rest": 8080}
KEY_STORE = f"""<property name="sslContextFactory"><bean class="org.apache.ignite.ssl.SslContextFactory">
 <property name="keyStorePassword" value="{HIDDEN}"/></bean></property>"""


@pytest.fixture
def modules(plane: ControlPlane) -> Modules:
    return Modules(plane.kubeconfig)


def deploy(plane: ControlPlane, namespace: str, **more: t.Any) -> Ignite:
    """The objects of an Ignite cluster that serves elsewhere in these tests; here nothing runs it."""
    ignite = Ignite(namespace, rest=True, **more)
    plane.create_all(ignite.manifests())
    return ignite


def arguments(namespace: str, /, **more: t.Any) -> Json:
    return {"namespace": namespace, "workload": "ignite", **more}


def with_password(ignite: Ignite) -> str:
    marker = '<property name="discoverySpi">'
    assert marker in ignite.configuration()
    return ignite.configuration().replace(marker, KEY_STORE + marker)


def keep_as_secret(plane: ControlPlane, namespace: str, data: dict[str, bytes]) -> None:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ignite", "namespace": namespace}}
    plane.create({**secret, "data": encoded})


def test_an_ignite_is_read_through_its_workload(plane: ControlPlane, namespace: str, modules: Modules) -> None:
    deploy(plane, namespace, master_url="https://172.30.0.1:443", dns=False)
    mark = plane.mark()
    found = modules.run("ignite_config_info", arguments(namespace))
    assert (found["changed"], found["version"], found["ports"]) == (False, "2.10.0", PORTS)
    assert found["config"] == f"ConfigMap {namespace}/ignite, key ignite.xml"
    assert found["workload"]["container"] == "ignite"
    assert found["minimal"] == {"fit": True, "reasons": []}
    # The connector's range is left to Ignite, and with it that of REST.
    assert [finding["code"] for finding in found["findings"]][:2] == ["range_not_pinned", "range_not_pinned"]
    assert [source["kind"] for source in found["sources"]] == ["StatefulSet", "ConfigMap"]
    assert all(source["uid"] and source["resource_version"] for source in found["sources"])
    assert found["cluster"] == {"uid": plane.kube_system_uid}
    assert [event.verb for event in plane.audit(mark) if event.namespace == namespace] == ["get", "get"]


def test_an_ignite_with_names_needs_dns(plane: ControlPlane, namespace: str, modules: Modules) -> None:
    deploy(plane, namespace)
    found = modules.run("ignite_config_info", arguments(namespace))
    assert not found["minimal"]["fit"]
    assert len(found["minimal"]["reasons"]) == 2


def test_a_secret_is_read_and_its_secrets_stay_there(plane: ControlPlane, namespace: str, modules: Modules) -> None:
    xml = with_password(Ignite(namespace))
    keep_as_secret(plane, namespace, {"node.xml": xml.encode("utf-8"), "keystore.p12": b"\xff\x00"})
    found = modules.run("ignite_config_info", {"namespace": namespace, "secret": "ignite"})
    assert found["ports"] == PORTS
    assert found["security"]["nodes_tls"] is True
    assert "secret_in_config_map" not in json.dumps(found["findings"])
    assert HIDDEN not in found.output


def test_a_password_in_a_config_map_is_a_finding_that_does_not_tell_it(
    plane: ControlPlane, namespace: str, modules: Modules
) -> None:
    plane.create(objects.config_map("cfg", namespace, {"ignite.xml": with_password(Ignite(namespace))}))
    found = modules.run("ignite_config_info", {"namespace": namespace, "config_map": "cfg", "key": "ignite.xml"})
    assert "secret_in_config_map" in [finding["code"] for finding in found["findings"]]
    assert HIDDEN not in found.output


def test_a_deployment_and_its_secret_volume_are_read(plane: ControlPlane, namespace: str, modules: Modules) -> None:
    stateful_set = next(each for each in Ignite(namespace).manifests() if each["kind"] == "StatefulSet")
    spec = {key: stateful_set["spec"][key] for key in ("selector", "template")}
    spec["template"]["spec"]["volumes"] = [{"name": "config", "secret": {"secretName": "ignite"}}]
    plane.create({**stateful_set, "kind": "Deployment", "spec": spec})
    keep_as_secret(plane, namespace, {"ignite.xml": Ignite(namespace).configuration().encode()})
    found = modules.run("ignite_config_info", arguments(namespace, workload_kind="Deployment"))
    assert (found["workload"]["kind"], found["config"]) == ("Deployment", f"Secret {namespace}/ignite, key ignite.xml")
    missing = modules.run("ignite_config_info", arguments(namespace))
    assert (missing.failure["code"], missing.failure["object"]["name"]) == ("api_not_found", "ignite")


def test_what_cannot_be_found_or_read_is_an_error(
    plane: ControlPlane, namespace: str, modules: Modules, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    deploy(plane, namespace)
    plane.create(objects.config_map("two", namespace, {"a.xml": "<beans/>", "b.xml": "<beans/>"}))
    plane.create(objects.config_map("broken", namespace, {"a.xml": f"<beans><a>{HIDDEN}</beans>"}))
    plane.create(objects.config_map("bomb", namespace, {"a.xml": '<!DOCTYPE a [<!ENTITY b "c">]><beans>&b;</beans>'}))
    for options, code in (
        ({"config_map": "gone"}, "api_not_found"),
        ({"config_map": "two"}, "config_key_not_found"),
        ({"config_map": "two", "key": "c.xml"}, "config_key_not_found"),
        ({"config_map": "two", "key": "a.xml"}, "no_ignite_configuration"),
        ({"config_map": "broken"}, "malformed_xml"),
        ({"config_map": "bomb"}, "unsafe_xml"),
        ({"config_map": "../secrets/x"}, "invalid_option"),
        ({"key": "a.xml"}, "invalid_option"),
        ({"container": "gone"}, "unknown_container"),
        ({"ignite_version": "latest"}, "invalid_option"),
        ({"cluster_uid": "another"}, "wrong_cluster"),
        ({"namespace": None}, "invalid_option"),
        ({"workload": None}, "invalid_option"),
        ({"path": "/no/such/file"}, "unreadable_file"),
        ({"path": str(pipe)}, "unreadable_file"),
    ):
        refused = modules.run("ignite_config_info", arguments(namespace, **options))
        assert refused.failure["code"] == code, options
        assert HIDDEN not in refused.output
    named = modules.run("ignite_config_info", arguments(namespace, config_map="two", key="c.xml")).failure
    assert named["why"] == "it has no key c.xml; it has a.xml, b.xml"


def test_the_named_rights_are_enough(plane: ControlPlane, namespace: str) -> None:
    deploy(plane, namespace)
    plane.create(objects.service_account("reader", namespace))
    user = f"system:serviceaccount:{namespace}:reader"
    modules = Modules(plane.token_kubeconfig("reader", namespace))
    plane.create_all(objects.grant(user, [objects.rule(["get"], ["namespaces"], names=["kube-system"])]))
    for rule, resource in (
        (objects.rule(["get"], ["statefulsets"], "apps", names=["ignite"]), "statefulsets"),
        (objects.rule(["get"], ["configmaps"], names=["ignite"]), "configmaps"),
    ):
        refused = modules.run("ignite_config_info", arguments(namespace))
        assert refused.failure["code"] == "api_forbidden"
        assert f"resources: [{resource}]" in refused.failure["next_step"]
        plane.create_all(objects.grant(user, [rule], namespace))
    assert modules.run("ignite_config_info", arguments(namespace))["ports"] == PORTS


def test_a_configuration_alone_needs_no_cluster(tmp_path: Path) -> None:
    file = tmp_path / "ignite.xml"
    file.write_text(with_password(Ignite("cache-ns")), encoding="utf-8")
    nowhere = Modules(environment={"KUBECONFIG": str(tmp_path / "none")})
    for given in ({"path": str(file)}, {"content": file.read_text(encoding="utf-8")}):
        found = nowhere.run("ignite_config_info", {**given, "ignite_version": "2.17.0"})
        assert (found["version"], found["ports"], found["cluster"], found["workload"]) == ("2.17.0", PORTS, None, None)
        assert HIDDEN not in found.output
    wrong = nowhere.run("ignite_config_info", {"namespace": "cache-ns", "workload": "ignite"})
    assert wrong.failed


@pytest.mark.parametrize("python", [sys.executable, "another"], ids=["in process", "as a module"])
def test_both_ways_to_run_it_keep_the_secret(plane: ControlPlane, namespace: str, python: str, tmp_path: Path) -> None:
    plane.create(objects.config_map("cfg", namespace, {"ignite.xml": with_password(Ignite(namespace))}))
    if python == "another":
        other = tmp_path / "python"
        other.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
        other.chmod(0o700)
        python = str(other)
    tasks: list[Json] = [
        {"netguard.lockdown.ignite_config_info": {"namespace": namespace, "config_map": "cfg"}, "register": "found"},
        {"ansible.builtin.assert": {"that": [f"found.ports == {PORTS}", "found is not changed"]}},
    ]
    play: Json = {"hosts": "localhost", "gather_facts": False, "connection": "local", "tasks": tasks}
    playbook = tmp_path / "play.yml"
    playbook.write_text(json.dumps([{**play, "vars": {"ansible_python_interpreter": python}}]), encoding="utf-8")
    done = run_playbook(playbook, {}, scrubbed_env(plane.kubeconfig), "-vvv")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("AnsiballZ_ignite_config_info" in done.stdout) == (python != sys.executable)
    assert HIDDEN not in done.stdout + done.stderr
