# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role beside an Ignite that is already there: its ports are read, and what no policy can hold is refused."""

from __future__ import annotations

import base64
import json
import re
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from harness import COLLECTIONS, Modules, run_playbook
from ignite_xml import bean, discovery, ignite, kubernetes

from demo.playbooks import PlaybookFailedError, Playbooks
from lab import objects
from lab.client import Manifest
from lab.control_plane import ControlPlane
from lab.environment import scrubbed_env
from lab.question import arrange_question

Json = dict[str, t.Any]

FILES = COLLECTIONS / "ansible_collections" / "netguard" / "lockdown" / "roles" / "ignite_lockdown" / "files"
ALLOW = "netguard-ignite-allow-servers"
ACCOUNT = "system:serviceaccount:cache-ns:netguard-lockdown"
SET = objects.reference("apps/v1", "StatefulSet", "ignite", "cache-ns")
CONFIG = objects.reference("v1", "ConfigMap", "ignite", "cache-ns")
JMX = "-Dcom.sun.management.jmxremote.port=49112 -Dcom.sun.management.jmxremote.rmi.port=49112"


def documented(url: str = "", *, pinned: bool) -> str:
    """What Apache's instructions put into the ConfigMap, with another client port."""
    where = {"namespace": "cache-ns", "serviceName": "ignite", **({"masterUrl": url} if url else {})}
    last: Json = {"localPortRange": 0} if pinned else {}
    only: Json = {"portRange": 0} if pinned else {}
    return ignite(
        discoverySpi=discovery(kubernetes(**where), localPort=47500, **last),
        communicationSpi=bean("TcpCommunicationSpi", **last),
        clientConnectorConfiguration=bean("ClientConnectorConfiguration", port=10900, **only),
        connectorConfiguration=bean("ConnectorConfiguration", **only),
    )


def workload(name: str = "ignite", jvm: str = "", **pod: t.Any) -> Manifest:
    """The StatefulSet of Apache's instructions."""
    env = {
        "OPTION_LIBS": "ignite-kubernetes,ignite-rest-http",
        "CONFIG_URI": "file:///ignite/config/node-configuration.xml",
        "JVM_OPTS": jvm,
    }
    container = {
        "name": "ignite-node",
        "image": "apacheignite/ignite:2.16.0",
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "volumeMounts": [{"name": "config-vol", "mountPath": "/ignite/config"}],
    }
    volumes = [{"name": "config-vol", "configMap": {"name": "ignite"}}]
    template = {
        "metadata": {"labels": {"app": "ignite"}},
        "spec": {"containers": [container], "volumes": volumes, **pod},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": "cache-ns"},
        "spec": {"serviceName": "ignite", "selector": {"matchLabels": {"app": "ignite"}}, "template": template},
    }


def role(given: Json) -> Json:
    return {f"ignite_lockdown_{key}": value for key, value in given.items()}


class World:
    """The question's cluster with an Ignite as Apache documents it, seen with the shipped rights."""

    def __init__(self, plane: ControlPlane, scratch: Path) -> None:
        self.plane = plane
        arrange_question(plane)
        plane.create(objects.config_map("ignite", "cache-ns", {"node-configuration.xml": documented(pinned=False)}))
        plane.create(workload())
        self.kubeconfig = plane.token_kubeconfig("netguard-lockdown", "cache-ns")
        for name in ("rbac.yml", "rbac-config.yml"):
            items = yaml.safe_load((FILES / name).read_text(encoding="utf-8"))["items"]
            plane.create_all(item for item in items if item["kind"] != "ServiceAccount")
        self._playbooks = Playbooks(self.kubeconfig, scratch)

    def configure(self, xml: str) -> None:
        self.plane.patch(CONFIG, {"data": {"node-configuration.xml": xml}})

    def run_as(self, manifest: Manifest) -> None:
        self.plane.patch(SET, {"spec": manifest["spec"]})

    def lock_down(self, *, check: bool = True, **given: t.Any) -> Json:
        variables = {"namespace": "cache-ns", "read_config": True, **given}
        return self._playbooks.lockdown(role(variables), check=check)

    def refused(self, **given: t.Any) -> str:
        """The message of a run that must fail, and write nothing."""
        mark = self.plane.mark()
        with pytest.raises(PlaybookFailedError) as caught:
            self.lock_down(check=False, **given)
        assert [str(event) for event in self.plane.audit(mark) if event.mutating] == []
        return str(caught.value)


@pytest.fixture(scope="module")
def world(programs: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ControlPlane() as plane:
        yield World(plane, tmp_path_factory.mktemp("read"))


def client(kind: str, **more: t.Any) -> Json:
    return {"name": kind, "kind": kind, "namespaces": ["client-ns"], **more}


def test_the_documented_ignite_is_read_refused_and_taken_when_it_is_pinned(world: World) -> None:
    refused = world.refused(ports={"thin_client": 10800}, clients=[client("jmx")])
    assert "ignite_lockdown_ports.thin_client: 10800 is given, and" in refused
    assert "sets 10900" in refused
    assert "Set localPortRange of TcpDiscoverySpi to 0" in refused
    assert "Set localPortRange of TcpCommunicationSpi to 0" in refused
    assert "it needs port jmx, and it is switched off" in refused

    world.configure(documented(pinned=True))
    world.run_as(workload(jvm=JMX))
    mark = world.plane.mark()
    done = world.lock_down(check=False, clients=[client("thin"), client("jmx")])
    ports = {flow["id"]: flow["port"] for flow in done["flows"]}
    assert (ports["client-thin-thin-client"], ports["client-jmx-jmx"]) == (10900, 49112)
    (policy,) = [
        found
        for found in world.plane.list("networking.k8s.io/v1", "NetworkPolicy", "cache-ns")
        if found["metadata"]["name"] == ALLOW
    ]
    opened = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
    assert opened == {47500, 47100, 10900, 49112}
    told = done["ignite"]
    assert (told["version"], told["workload"]["name"]) == ("2.16.0", "ignite")
    assert [source["kind"] for source in told["sources"]] == ["StatefulSet", "ConfigMap"]
    assert told["security"]["authentication"] is False
    assert {found["code"] for found in done["findings"]} >= {"update_notifier", "client_with_power", "jmx_enabled"}
    assert [str(event) for event in world.plane.audit(mark) if event.code == 403] == []


def test_profile_minimal_rests_on_what_was_read(world: World) -> None:
    address = world.plane.service_ip(1)
    names: Json = {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["127.0.0.1"]}}
    minimal: Json = {"profile": "minimal", "minimal_confirmed": True}
    world.configure(documented(pinned=True))
    refused = world.refused(**minimal)
    assert "Refused profile minimal" in refused
    assert "give masterUrl as an address" in refused
    assert "dnsPolicy None" in refused
    world.run_as(workload(**names))
    world.configure(documented("https://203.0.113.9:443", pinned=True))
    elsewhere = world.refused(**minimal)
    assert "masterUrl https://203.0.113.9:443 is not the API server that the policies allow" in elsewhere
    assert f"Set masterUrl to https://{address}:443" in elsewhere
    world.configure(documented(f"https://{address}:443", pinned=True))
    done = world.lock_down(profile="minimal")
    assert done["ignite"]["minimal"]["fit"]
    assert not [flow for flow in done["flows"] if flow["id"].startswith("dns")]


def test_audit_keeps_what_was_read_and_verify_asks_for_the_port_that_was_read(world: World, tmp_path: Path) -> None:
    world.configure(documented(pinned=True).replace("47500", "47600"))
    world.run_as(workload())
    env = scrubbed_env(world.plane.kubeconfig)
    given: Json = {"namespace": "cache-ns", "workload": "ignite"}
    audited = {
        **given,
        "evidence_dir": str(tmp_path),
        "audit_fail_on": "never",
        "evidence_anchor": False,
        "accept_vanishing_evidence": True,
    }
    done = run_playbook("netguard.lockdown.audit", role(audited), env)
    assert done.returncode == 0, done.stdout + done.stderr
    (pack,) = tmp_path.rglob("pack.json")
    facts = json.loads(pack.read_text(encoding="utf-8"))["facts"]
    assert facts["ignite"]["version"] == "2.16.0"
    assert facts["ignite"]["ports"]["discovery"] == 47600
    assert "Set IGNITE_UPDATE_NOTIFIER to false" in {found["mitigation"] for found in facts["findings"]}
    page = pack.with_name("report.html").read_text(encoding="utf-8")
    assert "2.16.0; TLS between servers: no, TLS for thin clients: no, authentication: no" in page
    verified = run_playbook("netguard.lockdown.verify", role({**given, "verify_deadline": 0}), env, "-vvv")
    assert verified.returncode == 2
    assert "Traceback" not in verified.stdout + verified.stderr
    # ansible-core 2.16 shows what a template gave as a text.
    assert re.search('"discovery_port": "?47600"?,', verified.stdout)


def test_workloads_and_secrets_are_found_by_name_and_by_label(world: World) -> None:
    modules = Modules(world.kubeconfig)
    asked: Json = {"namespace": "cache-ns", "pod_selector": {"matchLabels": {"app": "ignite"}}}
    world.configure(documented(pinned=True))
    mark = world.plane.mark()
    assert modules.run("ignite_config_info", asked)["workload"]["name"] == "ignite"
    verbs = [event.verb for event in world.plane.audit(mark) if event.namespace == "cache-ns"]
    assert verbs == ["list", "list", "list", "get"]
    none = modules.run("ignite_config_info", {**asked, "pod_selector": {"matchLabels": {"app": "other"}}}).failure
    assert (none["code"], "there are StatefulSet/ignite" in none["why"]) == ("workload_not_found", True)
    for bad in ({}, {"app": "ignite"}):
        assert modules.run("ignite_config_info", {**asked, "pod_selector": bad}).failed
    data = {"a.xml": base64.b64encode(documented(pinned=True).encode()).decode()}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "ignite", "namespace": "cache-ns"},
        "data": data,
    }
    world.plane.create(secret)
    named = modules.run("ignite_config_info", {"namespace": "cache-ns", "workload": "ignite", "secret": "ignite"})
    assert named["ports"]["thin_client"] == 10900
    second = workload("second")
    world.plane.create(second)
    both = modules.run("ignite_config_info", asked).failure
    world.plane.delete(second)
    assert "2 workloads have pods with these labels: StatefulSet/ignite, StatefulSet/second" in both["why"]
    assert both["next_step"] == "Name the workload"
