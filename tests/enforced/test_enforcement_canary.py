# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module enforcement_canary on a cluster that enforces policies, and where the engine does not see its packets."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
import typing as t
from collections.abc import Iterator

import pytest
from harness import Modules, Outcome, require_documented

from ansible_collections.netguard.lockdown.plugins.module_utils._core import canary_listen
from ansible_collections.netguard.lockdown.plugins.module_utils._core import canary_plan as plans
from ansible_collections.netguard.lockdown.plugins.module_utils._core.connection import resolve
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.canary_run import CanaryRun, Task
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from ansible_collections.netguard.lockdown.plugins.module_utils._module.enforcement_canary import CONTRACT
from ansible_collections.netguard.lockdown.plugins.modules.enforcement_canary import RETURN
from enforced.table import Case, Table
from enforced.worlds import Playbooks, World
from lab import objects
from lab.client import Manifest
from lab.cluster.cluster import Cluster
from lab.cluster.engines import DEFAULT
from lab.cluster.ignite import LABELS
from lab.cluster.images import COREDNS_IMAGE, ignite_image
from lab.errors import LabError

Json = dict[str, t.Any]

IMAGE = ignite_image("2.17.0")
ALL_PORTS = f"{plans.PORTS[0]}:{plans.PORTS[-1]}"
NULLABLE = {"nodes.connections.denied_after_seconds"}


def deploy(world: World, image: str = IMAGE, command: str = "sleep") -> str:
    """A namespace with a pod that has Ignite's labels and image, and does nothing."""
    namespace = world.namespace("bird")
    container = {"name": "ignite", "image": image, "command": [command, *(["3600"] if command == "sleep" else [])]}
    world.cluster.wait_account(namespace)
    spec = {"containers": [container], "nodeName": "", "terminationGracePeriodSeconds": 0}
    pod = objects.pod("ignite-0", namespace, LABELS, spec=spec)
    world.cluster.create({key: value for key, value in pod.items() if key != "status"})
    world.cluster.wait_pods(namespace, 1, LABELS)
    return namespace


def fly(cluster: Cluster, namespace: str, *, check: bool = False, **options: t.Any) -> Outcome:
    given = {"namespace": namespace, "pod_selector": {"matchLabels": LABELS}, "timeout": 1, **options}
    return Modules(cluster.kubeconfig).run("enforcement_canary", given, check=check)


def left(cluster: Cluster, *namespaces: str) -> list[str]:
    """The names of the canary's objects that nobody has begun to delete."""
    found: list[Manifest] = cluster.list("v1", "Namespace")
    for namespace in namespaces:
        found += [
            *cluster.list("v1", "Pod", namespace),
            *cluster.list("networking.k8s.io/v1", "NetworkPolicy", namespace),
        ]
    return [
        obj["metadata"]["name"]
        for obj in found
        if plans.RUN_LABEL in obj["metadata"].get("labels", {}) and "deletionTimestamp" not in obj["metadata"]
    ]


def record(case: Case, node: Json, verdict: str, **after: str) -> None:
    case.record("verdict", verdict, node["verdict"])
    for connection in node["connections"]:
        kind, seconds = connection["kind"], connection["denied_after_seconds"]
        case.record(f"{kind}, before", "connected", connection["before"])
        case.record(f"{kind}, after", after[kind], connection["after"], seconds or 0.0)
        assert (seconds is None) == (after[kind] == "connected"), connection


@contextlib.contextmanager
def unseen(cluster: Cluster, ports: str = ALL_PORTS, program: str = "iptables") -> Iterator[None]:
    """The engine is not asked about packets to these ports, as in a cluster whose network plugin has none."""
    rule = ["POSTROUTING", "-p", "tcp", "--dport", ports, "-j", "ACCEPT"]
    command = [*cluster.host("worker"), program, "--wait", "-t", "mangle"]
    subprocess.run([*command, "-I", *rule], check=True, capture_output=True, timeout=30)
    try:
        yield
    finally:
        subprocess.run([*command, "-D", *rule], check=True, capture_output=True, timeout=30)


can_be_blinded = pytest.mark.only(DEFAULT)  # packets cannot be kept from another engine
ENFORCED = {"allowed": "connected", "ingress": "timed_out", "egress": "timed_out"}


@pytest.mark.every_engine
def test_a_cluster_that_enforces(cluster: Cluster, world: World, table: Table) -> None:
    namespace, given = deploy(world), world.namespace("given")
    with table.case("canary: enforced") as case:
        found = fly(cluster, namespace)
        (node,) = found["nodes"]
        record(case, node, "enforced", **ENFORCED)
    assert (node["node"], node["like"], node["image"], node["reasons"]) == ("worker", "ignite-0", IMAGE, [])
    assert (found["verdict"], found["scratch"], found["changed"], found["left_behind"]) == ("enforced", True, False, [])
    require_documented(found.result, RETURN, ["failure"], NULLABLE)
    with table.case("canary: enforced, in a given namespace") as case:
        (node,) = fly(cluster, namespace, canary_namespace=given)["nodes"]
        record(case, node, "enforced", **ENFORCED)
    assert left(cluster, namespace, given) == []
    assert cluster.exists(objects.namespace(given))


def test_an_image_that_can_only_listen_by_java(
    cluster: Cluster, world: World, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an image without BusyBox: its nc is not looked for."""
    namespace = deploy(world)
    monkeypatch.setattr(canary_listen, "_LISTEN", canary_listen._LISTEN.replace("nc --help", "false"))
    session = Session(resolve({"kubeconfig": str(cluster.kubeconfig)}, {}), connect_timeout=3, request_timeout=6)
    given = {name: option.get("default") for name, option in CONTRACT.spec.items()}
    task = Task.from_params({**given, "namespace": namespace, "pod_selector": {"matchLabels": LABELS}})
    with table.case("canary: listening by java") as case:
        (node,) = CanaryRun(session, task).execute(check_mode=False)["nodes"]
        record(case, node, "enforced", **ENFORCED)


@can_be_blinded
def test_an_engine_that_does_not_see_the_packets(cluster: Cluster, world: World, table: Table) -> None:
    namespace = deploy(world)
    with table.case("canary: not enforced") as case, unseen(cluster):
        failure = fly(cluster, namespace, deadline=3, accept_inconclusive=True).failure
        record(case, failure["details"]["nodes"][0], "not_enforced", **dict.fromkeys(ENFORCED, "connected"))
    assert failure["code"] == "not_enforced"
    assert failure["why"].count("still works") == 2
    with table.case("canary: egress not enforced") as case, unseen(cluster, str(plans.EGRESS_PORT)):
        failure = fly(cluster, namespace, deadline=3).failure
        record(case, failure["details"]["nodes"][0], "not_enforced", **{**ENFORCED, "egress": "connected"})
    assert "the dialler's egress policy does not allow still works" in failure["why"]
    assert "ingress" not in failure["why"]
    assert left(cluster, namespace) == []


@can_be_blinded
def test_an_engine_that_is_late(cluster: Cluster, world: World, table: Table) -> None:
    namespace, over = deploy(world), threading.Event()

    def late() -> None:
        with unseen(cluster):
            hidden.set()
            deadline = time.monotonic() + 60
            while not over.is_set() and time.monotonic() < deadline and not written():
                time.sleep(0.1)
            time.sleep(3)

    def policies() -> set[str]:
        return {item["metadata"]["name"] for item in cluster.list("networking.k8s.io/v1", "NetworkPolicy")}

    def written() -> bool:
        return any(name.endswith("-egress") for name in policies() - earlier)

    hidden, earlier = threading.Event(), policies()
    thread = threading.Thread(target=late)
    thread.start()
    try:
        assert hidden.wait(30)
        with table.case("canary: enforced 3 s late") as case:
            (node,) = fly(cluster, namespace, deadline=20)["nodes"]
            record(case, node, "enforced", **ENFORCED)
    finally:
        over.set()
        thread.join()
    assert all(2 < one["denied_after_seconds"] < 10 for one in node["connections"] if one["kind"] != "allowed")


def test_what_proves_nothing(cluster: Cluster, world: World, table: Table) -> None:
    bare, closed = deploy(world, COREDNS_IMAGE, "/coredns"), world.namespace("closed")
    spec = {"podSelector": {}, "policyTypes": ["Ingress"]}
    cluster.create(objects.network_policy("deny-all", closed, spec))
    with table.case("canary: inconclusive") as case:
        failure = fly(cluster, bare).failure
        case.record("an image without a shell", "enforcement_unproven", failure["code"])
        assert "does not run" in failure["why"]
        assert "sh" in failure["why"]
        failure = fly(cluster, deploy(world), canary_namespace=closed, start_timeout=6).failure
        case.record("a namespace with a policy that denies", "enforcement_unproven", failure["code"])
        assert "does not work either: timed_out" in failure["why"]
    assert left(cluster, closed) == []


@can_be_blinded
def test_the_role_writes_only_where_policies_are_enforced(cluster: Cluster, world: World, playbooks: Playbooks) -> None:
    namespace = deploy(world)

    def policies() -> int:
        return len(cluster.list("networking.k8s.io/v1", "NetworkPolicy", namespace))

    with unseen(cluster), pytest.raises(LabError) as caught:
        playbooks.lockdown(namespace, canary="changes", canary_deadline=3)
    assert "does not enforce NetworkPolicy" in str(caught.value)
    assert policies() == 0
    playbooks.lockdown(namespace, canary="changes")
    assert policies() == 2
