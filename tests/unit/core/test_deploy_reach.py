# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered policies let rendered pods reach what they read in their own configuration, as the audit sees it."""

from __future__ import annotations

import typing as t

from deployments import TARGETS, Json, Rendered, rendered
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st

from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.case import Question
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.result import audit
from ansible_collections.netguard.lockdown.plugins.module_utils._core.clients import KINDS
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import parse_flows
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.ignite import Config, read_ignite
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.workload import Workload
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.profile import STANDARD
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import read_world
from lab import objects

NAMESPACE = "cache-ns"
NAMES = ("discovery", "communication", "thin_client", "connector", "rest", "jmx", "jmx_rmi", "metrics")
NODE_PORTS = {"discovery", "communication"}
# What each kind of client dials; control.sh has the connector up to 2.16, and custom ones what they name.
DIALS = {
    "thin": {"thin_client"},
    "thick": NODE_PORTS,
    "jdbc": {"thin_client"},
    "odbc": {"thin_client"},
    "rest": {"rest"},
    "prometheus": {"metrics"},
    "jmx": {"jmx", "jmx_rmi"},
    "custom": {"connector"},
}
VARIANTS: list[Json] = [{}, {"profile": "minimal"}, {"discovery": "dns"}, {"deploy_tls_secret": "stores"}]


def options(ports: t.Mapping[str, int]) -> list[str]:
    """JVM options that open the ports which Ignite's XML does not know."""
    remote = "-Dcom.sun.management.jmxremote"
    exporter = f"-javaagent:/agents/jmx_prometheus_javaagent.jar={ports['metrics']}:/agents/rules.yml"
    return [f"{remote}.port={ports['jmx']}", f"{remote}.rmi.port={ports['jmx_rmi']}", exporter]


def clients(kinds: t.Collection[str]) -> list[Json]:
    given = [{"name": kind, "kind": kind, "namespaces": [f"home-of-{kind}"]} for kind in kinds]
    return [each | ({"ports": ["connector"]} if each["kind"] == "custom" else {}) for each in given]


def world(made: Rendered, kinds: t.Collection[str]) -> list[Json]:
    """The pods that the StatefulSet makes, a pod of each client, a stranger in each namespace, and the policies."""
    labels = made.one("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    count = made.one("StatefulSet")["spec"]["replicas"]
    pods = [objects.pod(f"ignite-{n}", NAMESPACE, labels, ip=f"10.244.1.{n + 1}") for n in range(count)]
    pods += [objects.pod("stranger", NAMESPACE, {"app": "other"}, ip="10.244.1.200")]
    pods += [objects.pod(kind, f"home-of-{kind}", {}, ip=f"10.244.2.{n + 1}") for n, kind in enumerate(sorted(kinds))]
    pods += [objects.pod("coredns", "kube-system", {"k8s-app": "kube-dns"}, ip="10.244.3.1")]
    spaces = [NAMESPACE, "kube-system", *(f"home-of-{kind}" for kind in kinds)]
    policies = [{**policy, "metadata": {"namespace": NAMESPACE, **policy["metadata"]}} for policy in made.policies]
    return [*map(objects.namespace, spaces), *pods, *policies]


@settings(max_examples=25, deadline=None)
@generated(
    numbers=st.lists(st.integers(1024, 65535), min_size=8, max_size=8, unique=True),
    version=st.sampled_from(["2.12.0", "2.14.0", "2.16.0", "2.17.0"]),
    variant=st.sampled_from(VARIANTS),
    kinds=st.sets(st.sampled_from(sorted(KINDS)), max_size=4),
    replicas=st.integers(1, 4),
)
def test_the_audit_finds_every_flow_and_none_besides(
    numbers: list[int], version: str, variant: Json, kinds: set[str], replicas: int
) -> None:
    ports = dict(zip(NAMES, numbers, strict=True))
    image = f"docker.io/apacheignite/ignite:{version}"
    made = rendered(
        ports=ports,
        clients=clients(kinds),
        deploy_image=image,
        deploy_replicas=replicas,
        deploy_jvm_options=options(ports),
        **variant,
    )
    assert made.agreement.errors == []
    flows = [flow.as_record() for flow in made.needs.flows]
    question = Question(NAMESPACE, parse_flows(flows), STANDARD, "ignite", targets=TARGETS)
    result = audit(read_world(world(made, kinds), []), question)
    assert (result["missing"], result["surplus"]) == ([], [])

    read = read_ignite(Config(made.xml, "ignite.xml"), Workload.of(made.one("StatefulSet")))
    listening = {listener.name: listener.port for listener in read.listeners if listener.counts}
    assert listening == ports
    control = {"thin_client" if version == "2.17.0" else "connector"}
    for kind in kinds:
        own = [flow for flow in made.needs.flows if flow.id.startswith(f"client-{kind}-")]
        inward = {flow.port for flow in own if flow.direction == "ingress"}
        assert inward == {listening[name] for name in DIALS.get(kind, control)}, kind


def test_the_audit_would_notice() -> None:
    """A port of Ignite that differs from the rule is a missing flow and a surplus."""
    made = rendered(clients=clients(["thin"]))
    rules = made.policies[0]["spec"]["ingress"]
    (port,) = [port for rule in rules for port in rule["ports"] if port["port"] == 10800]
    port["port"] = 10801
    question = Question(
        NAMESPACE, parse_flows([flow.as_record() for flow in made.needs.flows]), STANDARD, "ignite", targets=TARGETS
    )
    result = audit(read_world(world(made, ["thin"]), []), question)
    assert (len(result["missing"]), len(result["surplus"])) == (1, 1)
