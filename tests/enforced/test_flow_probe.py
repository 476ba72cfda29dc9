# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module flow_probe on real pods: what it says of open, locked and broken ones, and that it never waits for ever."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import typing as t
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Modules, Outcome, require_documented

from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite import ignite_needs
from ansible_collections.netguard.lockdown.plugins.modules.flow_probe import RETURN
from enforced.table import Case, Table
from enforced.worlds import ADDRESS_URL, Playbooks, World
from lab import objects
from lab.client import Manifest
from lab.cluster.addresses import COMMAND_AND_CONTROL_PORT, OUTSIDE_ADDRESS
from lab.cluster.clients import CLIENT_PORT
from lab.cluster.cluster import Cluster
from lab.cluster.ignite import LABELS, THIN_CLIENT, Ignite
from lab.cluster.images import CLIENT_IMAGE, COREDNS_IMAGE, PAUSE_IMAGE
from lab.processes import wait_until

Json = dict[str, t.Any]

HOLD = Path(__file__).with_name("hold.py")
SUBJECT = {"name": "servers", "pod_selector": {"matchLabels": LABELS}}
SERVE = ["httpd", "-f", "-p", str(CLIENT_PORT)]
SLEEP = ["sleep", "3600"]
NULLABLE = {"cells.from", "cells.to", "cells.baseline", "sockets.flow"}


class Probes:
    """Runs the module as Ansible does, with flows and targets of the role."""

    def __init__(self, cluster: Cluster, control: tuple[str, str]) -> None:
        self._modules = Modules(cluster.kubeconfig)
        self.control = {"namespace": control[0], "pod": control[1]}
        self.targets = self._modules.run("cluster_network_info").result

    def run(self, namespace: str, flows: list[Json], *, check: bool = False, **options: t.Any) -> Outcome:
        given = {"namespace": namespace, "flows": flows, "targets": self.targets, "deadline": 5, **options}
        return self._modules.run("flow_probe", given, check=check)


def needs(profile: str = "standard", clients: t.Sequence[Json] = ()) -> list[Json]:
    """The flows of the role."""
    given = {"profile": profile, "minimal_confirmed": True, "pod_selector": SUBJECT["pod_selector"], "clients": clients}
    found = ignite_needs({f"ignite_lockdown_{name}": value for name, value in given.items()})
    assert not found.errors, found.errors
    return [flow.as_record() for flow in found.flows]


def forbidden(name: str, direction: str, peer: Json, port: int) -> Json:
    """A flow that must not work."""
    flow = {"id": name, "direction": direction, "subject": SUBJECT, "peer": peer, "protocol": "TCP", "port": port}
    return {**flow, "expect": "deny", "reason": "a test"}


def c2() -> Json:
    return forbidden("c2", "egress", {"cidr": f"{OUTSIDE_ADDRESS}/32"}, COMMAND_AND_CONTROL_PORT)


def start_pod(world: World, namespace: str, image: str, command: list[str], **more: t.Any) -> Manifest:
    """A pod that runs; what it declares is that it listens on CLIENT_PORT."""
    name = f"probe-{uuid.uuid4().hex[:6]}"
    labels = {"lab/probe": name, **more.get("labels", {})}
    container = {"name": "main", "image": image, "command": command, "ports": [{"containerPort": CLIENT_PORT}]}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0, "enableServiceLinks": False}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    world.cluster.wait_account(namespace)
    world.cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    world.cluster.wait_pods(namespace, 1, {"lab/probe": name})

    def ready() -> bool:
        (pod,) = world.cluster.pods(namespace, {"lab/probe": name})
        return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"]["conditions"])

    assert wait_until(ready, 30, 0.25)
    (pod,) = world.cluster.pods(namespace, {"lab/probe": name})
    return pod


def deny_all(world: World, namespace: str) -> None:
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    world.cluster.create(objects.network_policy("deny-all", namespace, spec))


def verdicts(outcome: Outcome) -> dict[str, str]:
    """The verdict on each flow, all pods taken together."""
    found: dict[str, set[str]] = {}
    for cell in outcome["cells"]:
        found.setdefault(cell["flow"], set()).add(f"{cell['verdict']}: {cell['observed']}")
    return {name: ", ".join(sorted(words)) for name, words in found.items()}


def record(case: Case, outcome: Outcome, expected: dict[str, str]) -> None:
    """A row for each flow, and none that was not expected."""
    seen = verdicts(outcome)
    for name in {**expected, **seen}:
        case.record(name, expected.get(name, "not probed"), seen.get(name, "not probed"))


@pytest.fixture(scope="module")
def shared(cluster: Cluster) -> Iterator[World]:
    made = World(cluster)
    yield made
    made.close()


@pytest.fixture(scope="module")
def probes(cluster: Cluster, shared: World) -> Probes:
    """The module, and a control pod in a namespace without policies that serves as another namespace's pod too."""
    pod = start_pod(shared, shared.namespace("toolbox"), CLIENT_IMAGE, SERVE)
    return Probes(cluster, (pod["metadata"]["namespace"], pod["metadata"]["name"]))


NEEDED = {
    **dict.fromkeys(("peers-discovery-out", "peers-communication-out", "api-server"), "pass: connected"),
    **dict.fromkeys(("dns-udp", "dns-tcp"), "pass: dns_answered"),
}
OTHERS = ("default-kubelet", "default-other-namespace", "default-dns-other-port")
NAMES = tuple(f"default-dns-{kind}-{protocol}" for kind in ("pod", "service") for protocol in ("udp", "tcp"))


def test_an_open_namespace_and_the_same_locked(
    world: World, playbooks: Playbooks, probes: Probes, table: Table
) -> None:
    ignite, shop, other = Ignite(world.namespace("probed")), world.namespace("shop"), world.namespace("other")
    world.deploy(ignite)
    start_pod(world, shop, PAUSE_IMAGE, SLEEP)
    start_pod(world, other, CLIENT_IMAGE, SERVE)
    assert world.formed(ignite) == "servers=2"
    clients = [{"name": "shop", "kind": "thin", "namespaces": [shop]}]
    flows = [*needs(clients=clients), c2(), forbidden("others", "ingress", {"namespaces": [other]}, THIN_CLIENT)]
    with table.case("flow_probe: no policy") as case:
        seen = probes.run(ignite.namespace, flows, control=probes.control, deadline=0)
        reached = dict.fromkeys((*OTHERS, "c2", "others"), "fail: connected")
        record(case, seen, {**NEEDED, "client-shop-thin-client": "pass: connected", **reached})
        case.record("verdict", "fail", seen["verdict"])
    assert ring(seen, ignite) == {"ignite-0", "ignite-1"}
    held = hold(world, world.addresses(ignite)[0])
    playbooks.lockdown(ignite.namespace, clients=clients)
    try:
        with table.case("flow_probe: locked down") as case:
            seen = probes.run(ignite.namespace, flows, control=probes.control)
            blocked = dict.fromkeys((*OTHERS, "c2", "others"), "pass: timed_out")
            record(case, seen, {**NEEDED, "client-shop-thin-client": "pass: connected", **blocked})
            case.record("verdict", "pass", seen["verdict"])
            surplus = [socket["remote"]["address"] for socket in seen["sockets"] if socket["forbidden"]]
            case.record("socket that survives", f"['{OUTSIDE_ADDRESS}']", str(surplus))
    finally:
        held.kill()
        held.communicate()
    require_documented(seen.result, RETURN, ["failure"], NULLABLE)
    assert not seen["changed"]
    assert tools_of(seen, shop) == {"nc"}
    assert tools_of(seen, ignite.namespace) == {"bash"}
    with table.case("flow_probe: nobody proves that the target is alive") as case:
        seen = probes.run(ignite.namespace, [c2()], default_forbidden=False, deadline=0)
        record(case, seen, {"c2": "inconclusive: timed_out"})
        case.record("verdict", "inconclusive", seen["verdict"])


def test_the_api_server_proves_what_is_alive(world: World, probes: Probes, table: Table) -> None:
    namespace = world.namespace("locked")
    start_pod(world, namespace, CLIENT_IMAGE, SERVE, labels=LABELS)
    deny_all(world, namespace)
    nobody = forbidden("nobody", "egress", {"cidr": f"{OUTSIDE_ADDRESS}/32"}, 81)
    with table.case("flow_probe: proof by the API server") as case:
        seen = probes.run(namespace, [nobody])
        blocked = dict.fromkeys(OTHERS, "pass: timed_out")
        unproven = dict.fromkeys((*NAMES, "nobody"), "inconclusive: timed_out")
        record(case, seen, {**blocked, **unproven})
        proofs = {cell["baseline"]["by"] for cell in seen["cells"] if cell["flow"] in OTHERS}
        case.record("proven by", "{'the API server'}", str(proofs))


def test_without_names(world: World, playbooks: Playbooks, probes: Probes, table: Table) -> None:
    ignite = Ignite(world.namespace("nameless"), version="2.17.0", dns=False, master_url=ADDRESS_URL)
    playbooks.lockdown(ignite.namespace, profile="minimal", minimal_confirmed=True, accept_no_pods=True)
    world.deploy(ignite)
    assert world.formed(ignite) == "servers=2"
    with table.case("flow_probe: profile minimal") as case:
        seen = probes.run(ignite.namespace, needs("minimal"), control=probes.control)
        needed = {name: word for name, word in NEEDED.items() if not name.startswith("dns")}
        record(case, seen, {**needed, **dict.fromkeys((*OTHERS, *NAMES), "pass: timed_out")})
        case.record("verdict", "pass", seen["verdict"])


def test_what_is_needed_and_blocked_fails(world: World, probes: Probes, table: Table) -> None:
    namespace = world.namespace("cut-off")
    for _ in range(2):
        start_pod(world, namespace, CLIENT_IMAGE, SERVE, labels=LABELS)
    peer = {"pods": {"pod_selector": SUBJECT["pod_selector"]}}
    own = {**forbidden("own", "egress", peer, CLIENT_PORT), "expect": "allow"}
    flows = [own, *needs()]
    with table.case("flow_probe: deny-all") as case:
        before = probes.run(namespace, [own], default_forbidden=False)
        record(case, before, {"own": "pass: connected"})
        deny_all(world, namespace)
        seen = probes.run(namespace, flows, control=probes.control)
        needed = dict.fromkeys((*NEEDED, "own"), "fail: timed_out")
        record(case, seen, {**needed, **dict.fromkeys(OTHERS, "pass: timed_out")})
        case.record("verdict", "fail", seen["verdict"])


def test_a_rejection_is_no_way_through(world: World, probes: Probes, table: Table) -> None:
    namespace = world.namespace("rejected")
    pod = start_pod(world, namespace, CLIENT_IMAGE, SERVE, labels=LABELS)
    place = world.cluster.pod(pod["status"]["podIP"])
    rule = ["-p", "tcp", "-d", OUTSIDE_ADDRESS, "-j", "REJECT", "--reject-with", "tcp-reset"]
    subprocess.run([*place, "iptables", "-A", "OUTPUT", *rule], check=True, capture_output=True, timeout=30)
    closed = forbidden("closed", "egress", {"cidr": f"{OUTSIDE_ADDRESS}/32"}, 81)
    with table.case("flow_probe: an engine that rejects") as case:
        options: Json = {"default_forbidden": False, "deadline": 0}
        record(case, probes.run(namespace, [c2()], control=probes.control, **options), {"c2": "pass: refused"})
        record(case, probes.run(namespace, [c2()], **options), {"c2": "fail: refused"})
        record(case, probes.run(namespace, [closed], control=probes.control, **options), {"closed": "fail: refused"})


def test_an_image_without_tools(world: World, probes: Probes, table: Table) -> None:
    namespace = world.namespace("bare")
    start_pod(world, namespace, COREDNS_IMAGE, ["/coredns"], labels=LABELS)
    deny_all(world, namespace)
    with table.case("flow_probe: an image without tools") as case:
        seen = probes.run(namespace, [c2()], control=probes.control)
        expected = {"c2": "inconclusive: no_tool", "open-sockets": "inconclusive: not_probed"}
        record(case, seen, {**expected, **dict.fromkeys((*OTHERS, *NAMES), "inconclusive: no_tool")})
        assert not seen["changed"]
        for changed in (True, False):
            seen = probes.run(namespace, [c2()], control=probes.control, ephemeral_image=CLIENT_IMAGE)
            record(case, seen, dict.fromkeys(("c2", *OTHERS, *NAMES), "pass: timed_out"))
            case.record("changed", str(changed), str(seen["changed"]))
            require_documented(seen.result, RETURN, ["failure"], NULLABLE)
            assert [entry["container"] for entry in seen["left_behind"]] == ["netguard-probe-1"]


def test_a_pod_that_goes_and_a_container_that_restarts(world: World, probes: Probes, table: Table) -> None:
    namespace = world.namespace("restless")
    pods = [start_pod(world, namespace, CLIENT_IMAGE, SERVE, labels=LABELS) for _ in range(2)]
    gone, restarted = (pod["metadata"]["name"] for pod in pods)
    deny_all(world, namespace)
    place = world.cluster.pod(pods[1]["status"]["podIP"])

    def disturb() -> None:
        time.sleep(5)
        world.cluster.delete(objects.reference("v1", "Pod", gone, namespace))
        listeners = subprocess.run([*place, "ss", "-Hltnp"], capture_output=True, text=True, timeout=30, check=True)
        for word in listeners.stdout.split("pid=")[1:]:
            subprocess.run(["kill", "-9", word.partition(",")[0]], check=True, timeout=30)

    thread = threading.Thread(target=disturb)
    thread.start()
    began = time.monotonic()
    # Nothing listens there: engines may let the last packets of a deleted pod through.
    never = {**c2(), "id": "never", "port": 81, "expect": "allow"}
    seen = probes.run(namespace, [never], control=probes.control, default_forbidden=False, deadline=15)
    seconds = time.monotonic() - began
    thread.join()
    found = {cell["from"]["pod"]: cell["observed"] for cell in seen["cells"]}
    with table.case("flow_probe: pods that do not stay") as case:
        case.record("deleted meanwhile", "missing", found[gone])
        # It tries again in the new container.
        case.record("restarted meanwhile", "timed_out", found[restarted], seconds)
    (after,) = world.cluster.pods(namespace, {"lab/probe": restarted})
    assert after["status"]["containerStatuses"][0]["restartCount"] == 1
    assert seconds < 60


def test_check_mode_starts_nothing(world: World, probes: Probes) -> None:
    namespace = world.namespace("checked")
    start_pod(world, namespace, CLIENT_IMAGE, SERVE, labels=LABELS)
    seen = probes.run(namespace, [c2()], check=True, control={"namespace": "none", "pod": "none"})
    assert (seen["probed"], seen["changed"], seen["cells"], seen["verdict"]) == (False, False, [], "inconclusive")
    assert seen["summary"]["cells"] == 1


def ring(outcome: Outcome, ignite: Ignite) -> set[str]:
    """The pods that the established discovery connections lead to."""
    found = [socket for socket in outcome["sockets"] if socket["flow"] == "peers-discovery-out"]
    assert Counter(socket["pod"] for socket in found) == {f"ignite-{number}": 1 for number in range(ignite.replicas)}
    return {socket["remote"]["pod"] for socket in found}


def tools_of(outcome: Outcome, namespace: str) -> set[str]:
    return {cell["tool"] for cell in outcome["cells"] if cell["from"]["namespace"] == namespace}


def hold(world: World, address: str) -> subprocess.Popen[str]:
    """A connection to the C&C host from the network of a pod, open until it is killed."""
    place = world.cluster.pod(address)
    command = [*place, sys.executable, "-I", "-u", str(HOLD), OUTSIDE_ADDRESS, str(COMMAND_AND_CONTROL_PORT)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write("ping\n")
    child.stdin.flush()
    assert child.stdout.readline() == "survives\n"
    return child
