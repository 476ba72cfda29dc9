# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry point deploy: from nothing to a serving cluster that is locked down, and changes of one that serves."""

from __future__ import annotations

import typing as t
import uuid
from dataclasses import dataclass
from functools import partial

import pytest

from enforced.background import Steady
from enforced.table import Case, Table
from enforced.worlds import Playbooks, World, thin_client, thin_clients
from lab import objects
from lab.client import Client, Manifest
from lab.cluster.ignite import LABELS, NAME, THIN_CLIENT, Ignite
from lab.cluster.images import ignite_image
from lab.cluster.jars import VERSIONS
from lab.errors import ApiError, LabError

OLD, NEW = VERSIONS
# Small and quick to start, as in the rest of the lab.
SMALL: dict[str, t.Any] = {
    "deploy_heap_mb": 128,
    "deploy_data_region_mb": 64,
    "deploy_resources": {"requests": {"cpu": "10m", "memory": "100Mi"}},
    "deploy_jvm_options": ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
    "verify_deadline": 30,
}
ROLL_SECONDS = 400.0
OTHER_PORT = 10801


@dataclass
class Deployer:
    """Runs the playbook for one Ignite and tells how it ended."""

    world: World
    playbooks: Playbooks
    control: dict[str, str]

    def __call__(self, ignite: Ignite, *arguments: str, **variables: t.Any) -> str:
        """ "done", or the message of the failure in one line."""
        given = {
            "control_pod": self.control,
            "deploy_image": ignite_image(ignite.version),
            "deploy_replicas": ignite.replicas,
            **SMALL,
            **variables,
        }
        try:
            self.playbooks.run("deploy", ignite.namespace, *arguments, seconds=ROLL_SECONDS, **given)
        except LabError as error:
            return " ".join(str(error).replace("\\n", " ").split())
        return "done"


@pytest.fixture
def deploy(world: World, playbooks: Playbooks) -> Deployer:
    namespace = world.namespace("control")
    world.client(namespace)
    (pod,) = world.cluster.pods(namespace)
    return Deployer(world, playbooks, {"namespace": namespace, "pod": pod["metadata"]["name"]})


def test_one_run_from_nothing(world: World, table: Table, deploy: Deployer) -> None:
    ignite, shop = Ignite(world.unborn("deploy"), version=OLD, replicas=3), world.namespace("shop")
    given = {"profile": "minimal", "clients": thin_clients(shop), "deploy_create_namespace": True}
    with table.case(f"deploy: {OLD}, minimal") as case:
        case.cell("check mode without the namespace", "done", lambda: deploy(ignite, "--check", **given))
        case.record("nothing was made", "absent", _namespace(world, ignite))
        _first(case, world, deploy, ignite, given, shop)
        case.record("namespace enforces", "restricted", _level(world, ignite))
        _rights(case, world, ignite)
        case.record("second run", "unchanged", _second(world, ignite, deploy, given))


def test_changes_while_it_serves(world: World, table: Table, deploy: Deployer) -> None:
    ignite = Ignite(world.unborn("change"), version=NEW, replicas=3)
    shop, second = world.namespace("shop"), world.namespace("second")
    given = {"deploy_create_namespace": True, "clients": thin_clients(shop)}
    with table.case(f"deploy: {NEW}, standard") as case:
        _first(case, world, deploy, ignite, given, shop)
    changed = {
        **given,
        "ports": {"communication": 47200, "thin_client": OTHER_PORT},
        "profile": "minimal",
    }
    with table.case(f"deploy: changes of {NEW} while it serves") as case:
        with Steady(world.client(shop), _client_service(world, ignite), THIN_CLIENT, OTHER_PORT) as load:
            for change, variables in {
                "nothing": {**given, "deploy_verify": False},
                "a client more": {**given, "clients": thin_clients(shop, second), "deploy_verify": False},
            }.items():
                case.cell(change, "done", partial(deploy, ignite, **variables))
                load.loses_nothing(case, change)
            case.cell("servers that cannot start", "refused, ignite-2", lambda: _crashing(ignite, deploy, changed))
            load.loses_nothing(case, "servers that cannot start")
            change = "a client less, both ports, to minimal"
            case.cell(change, "done", lambda: deploy(ignite, **changed))
            load.loses_nothing(case, change)
        case.record("servers", "servers=3", world.formed(ignite, seconds=5.0))
        other = Ignite(ignite.namespace, version=OLD, replicas=3)
        before = _pods(world, ignite)
        refused = deploy(other, **changed)
        case.record("another version", "refused", "refused" if "needs a full restart" in refused else refused)
        case.record("its pods", "untouched", "untouched" if _pods(world, ignite) == before else "changed")
        restarted = {**changed, "deploy_full_restart": True, "deploy_verify": False}
        case.cell("with a full restart", "done", lambda: deploy(other, **restarted))
        case.record("servers then", "servers=3", world.formed(other, seconds=5.0))


def _first(case: Case, world: World, deploy: Deployer, ignite: Ignite, given: dict[str, t.Any], shop: str) -> None:
    place = world.client(shop)
    case.cell("one run, verified", "done", lambda: deploy(ignite, **given))
    case.record("servers", "servers=3", world.formed(ignite, seconds=5.0))
    case.record("thin client", "read what was written", thin_client(place, world.addresses(ignite)[0]))


def _client_service(world: World, ignite: Ignite) -> str:
    reference = objects.reference("v1", "Service", f"{NAME}-client", ignite.namespace)
    return str(world.cluster.read(reference)["spec"]["clusterIP"])


def _crashing(ignite: Ignite, deploy: Deployer, given: dict[str, t.Any]) -> str:
    """Its end comes in time, and names the pod that it waits for."""
    options = [*SMALL["deploy_jvm_options"], "-XX:NoSuchOption"]
    said = deploy(ignite, **{**given, "deploy_jvm_options": options, "deploy_wait_timeout": 20})
    waited = "is not rolled out" in said and f"{NAME}-2: container ignite" in said
    return f"refused, {NAME}-2" if waited else said


def _namespace(world: World, ignite: Ignite) -> str:
    return "there" if world.cluster.exists(objects.namespace(ignite.namespace)) else "absent"


def _level(world: World, ignite: Ignite) -> str:
    labels = world.cluster.read(objects.namespace(ignite.namespace))["metadata"]["labels"]
    return str(labels.get("pod-security.kubernetes.io/enforce"))


def _pods(world: World, ignite: Ignite) -> list[str]:
    return [pod["metadata"]["uid"] for pod in world.cluster.pods(ignite.namespace, LABELS)]


def _second(world: World, ignite: Ignite, deploy: Deployer, given: dict[str, t.Any]) -> str:
    before = _pods(world, ignite), _generations(world, ignite)
    said = deploy(ignite, **{**given, "deploy_verify": False})
    after = _pods(world, ignite), _generations(world, ignite)
    return "unchanged" if (said, after) == ("done", before) else f"{said}, changed"


def _generations(world: World, ignite: Ignite) -> list[str]:
    kinds = [
        ("apps/v1", "StatefulSet"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
        ("v1", "ConfigMap"),
        ("v1", "Service"),
    ]
    return [
        item["metadata"]["resourceVersion"] if kind != "StatefulSet" else str(item["metadata"]["generation"])
        for version, kind in kinds
        for item in world.cluster.list(version, kind, ignite.namespace)
    ]


def _rights(case: Case, world: World, ignite: Ignite) -> None:
    """The pods' account against one that was never given a right."""
    nobody = f"nobody-{uuid.uuid4().hex[:6]}"
    world.cluster.create(objects.service_account(nobody, ignite.namespace))
    one, none = (_client(world, ignite.namespace, name) for name in (NAME, nobody))
    more = [rule for rule in _rules(one, ignite.namespace) if rule not in _rules(none, ignite.namespace)]
    wanted = {"verbs": ["get"], "apiGroups": [""], "resources": ["endpoints"], "resourceNames": [NAME]}
    case.record(
        "rights beyond those of everybody",
        "get that one object",
        "get that one object" if more == [wanted] else str(more),
    )
    core = f"/api/v1/namespaces/{ignite.namespace}"
    tries = {
        "its endpoints": (f"{core}/endpoints/{NAME}", "200"),
        "other endpoints": (f"{core}/endpoints/{NAME}-client", "403"),
        "list of endpoints": (f"{core}/endpoints", "403"),
        "secrets": (f"{core}/secrets", "403"),
        "a configuration": (f"{core}/configmaps/{NAME}-config", "403"),
        "pods": (f"{core}/pods", "403"),
        "another namespace": (f"/api/v1/namespaces/default/endpoints/{NAME}", "403"),
    }
    for what, (path, expected) in tries.items():
        case.record(what, expected, _status(one, path))


def _client(world: World, namespace: str, account: str) -> Client:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    token = world.cluster.api("POST", path, body)["status"]["token"]
    return Client.with_token(world.cluster.kubeconfig, token)


def _rules(client: Client, namespace: str) -> list[Manifest]:
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    answer = client.api("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body)
    return [*answer["status"]["resourceRules"], *answer["status"]["nonResourceRules"]]


def _status(client: Client, path: str) -> str:
    try:
        client.api("GET", path)
    except ApiError as error:
        return str(error.status)
    return "200"
