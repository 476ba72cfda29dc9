# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Worlds read from objects, documents and files: forms that mean the same, and everything that can be wrong."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from audit_builders import Json, allow, cluster, deny

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import documents, profile
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.result import reachability
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import World, read_world
from ansible_collections.netguard.lockdown.plugins.module_utils._module.world_files import read_files
from lab import objects


def policy(spec: Json) -> Json:
    return objects.network_policy("p", "cache-ns", spec)


def everything() -> list[Json]:
    return [*cluster(), allow(), deny()]


def seen(world: World) -> tuple[t.Any, ...]:
    return world.namespaces, world.pods, world.nodes, sorted(map(str, world.policies)), world.ignored


# Forms


def test_lists_documents_and_json_say_the_same(tmp_path: Path) -> None:
    things = everything()
    typed = {
        "kind": "PodList",
        "apiVersion": "v1",
        "items": [{k: v for k, v in each.items() if k not in ("kind", "apiVersion")} for each in things
                  if each["kind"] == "Pod"],
    }  # fmt: skip
    rest = [each for each in things if each["kind"] != "Pod"]
    forms = {
        "documents.yaml": yaml.safe_dump_all(things),
        "list.yml": yaml.safe_dump({"kind": "List", "apiVersion": "v1", "items": things}),
        "sequence.yaml": yaml.safe_dump(things),
        "list.json": json.dumps({"kind": "List", "apiVersion": "v1", "items": things}),
        "typed.json": json.dumps({"kind": "List", "apiVersion": "v1", "items": [typed, *rest]}),
        "braces.yaml": json.dumps({"kind": "List", "items": things}),
    }
    for name, text in forms.items():
        (tmp_path / name).write_text(text)
    expected = seen(read_world(things))
    assert {
        name: seen(read_files([str(tmp_path / name)], "auto").world) == expected for name in forms
    } == dict.fromkeys(forms, True)


def test_a_folder_is_all_that_is_below_it(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "pods.json").write_text(json.dumps({"kind": "List", "items": cluster()}))
    (tmp_path / "policies.yml").write_text("---\n" + yaml.safe_dump(allow()) + "---\n---\n" + yaml.safe_dump(deny()))
    (tmp_path / "notes.txt").write_text("no objects: [")
    reading = read_files([str(tmp_path)], "auto")
    assert reading.world.problems == []
    assert seen(reading.world) == seen(read_world(everything()))
    assert [Path(file).name for file in reading.sources["files"]] == ["pods.json", "policies.yml"]


def test_pods_that_have_ended_count_for_nothing() -> None:
    things = [objects.pod(phase.lower(), "cache-ns", ip="10.0.0.1", phase=phase) for phase in ("Succeeded", "Failed")]
    world = read_world(things)
    assert (world.pods, world.ended) == ({}, 2)


def test_unknown_kinds_are_counted_and_not_fatal() -> None:
    things = [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}} for name in "ab"]
    assert read_world([*things, *cluster()]).ignored == {"apps/Deployment": 2}


@pytest.mark.parametrize("rules", [{}, {"ingress": None}, {"ingress": []}])
def test_null_empty_and_absent_rules_mean_the_same(rules: Json) -> None:
    (read,) = read_world([policy({"podSelector": {}, **rules})]).policies
    assert (read.isolates, read.rules) == (("ingress",), ())


@pytest.mark.parametrize(
    ("spec", "isolates"),
    [
        ({}, ("ingress",)),
        ({"egress": []}, ("ingress",)),
        ({"egress": [{}]}, ("ingress", "egress")),
        ({"policyTypes": ["Egress"], "ingress": [{}]}, ("egress",)),
    ],
)
def test_policy_types_have_the_defaults_of_the_api(spec: Json, isolates: tuple[str, ...]) -> None:
    (read,) = read_world([policy({"podSelector": {}, **spec})]).policies
    assert read.isolates == isolates


def test_host_bits_of_stored_blocks_are_taken_as_the_api_takes_them() -> None:
    (read,) = read_world(
        [policy({"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.1.2.3/8"}}]}]})]
    ).policies
    assert [peer.block.describe() for peer in read.rules[0].peers or ()] == [["10.0.0.0/8"]]  # type: ignore[union-attr]


# Bad objects

BAD_SPECS: dict[str, tuple[Json, str]] = {
    "endPort below port": (
        {"ingress": [{"ports": [{"port": 80, "endPort": 79}]}]},
        "endPort 79 is smaller than port 80",
    ),
    "endPort without port": ({"ingress": [{"ports": [{"endPort": 79}]}]}, "endPort needs a port"),
    "endPort of a name": ({"ingress": [{"ports": [{"port": "web", "endPort": 79}]}]}, "endPort needs a port by number"),
    "port 0": ({"ingress": [{"ports": [{"port": 0}]}]}, "0 is not between 1 and 65535"),
    "port 65536": ({"ingress": [{"ports": [{"port": 65536}]}]}, "65536 is not between 1 and 65535"),
    "protocol": ({"ingress": [{"ports": [{"protocol": "ICMP"}]}]}, "'ICMP' is none of TCP, UDP, SCTP"),
    "block": ({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/33"}}]}]}, "'10.0.0.0/33' is not a CIDR block"),
    "address for block": ({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.1"}}]}]}, "'10.0.0.1' is not a CIDR"),
    "except outside": (
        {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/8"]}}]}]},
        "11.0.0.0/8 is not inside 10.0.0.0/8",
    ),
    "except of the other family": (
        {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["fd00::/8"]}}]}]},
        "fd00::/8 is not inside",
    ),
    "block and pods": (
        {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]}]},
        "or ipBlock alone",
    ),
    "empty peer": ({"ingress": [{"from": [{}]}]}, "a peer has podSelector"),
    "policy type": ({"policyTypes": ["ingress"]}, "ingress is neither Ingress nor Egress"),
    "operator": ({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}}, "operator 'Is' is none of"),
    "rules as text": ({"ingress": "all"}, "'all' is not a list"),
    "spec as text": ({"podSelector": "app=ignite"}, "a label selector is a mapping"),
}


@pytest.mark.parametrize(("spec", "why"), BAD_SPECS.values(), ids=BAD_SPECS)
def test_a_policy_with_an_impossible_value_is_an_error_that_names_it(spec: Json, why: str) -> None:
    with pytest.raises(LockdownError, match="cache-ns/p") as caught:
        read_world([policy({"podSelector": {}, **spec})])
    assert why in str(caught.value)


@pytest.mark.parametrize("spec", [case[0] for case in BAD_SPECS.values()], ids=BAD_SPECS)
def test_such_a_policy_is_kept_as_one_of_unknown_effect_where_the_rest_goes_on(spec: Json) -> None:
    problems: list[LockdownError] = []
    world = read_world([*cluster(), policy({"podSelector": {}, **spec})], problems)
    assert len(problems) == 1
    assert world.unmodelled == []
    assert [(each.name, each.opaque != "") for each in world.foreign] == [("p", True)]


@pytest.mark.parametrize(
    "thing",
    [
        "text",
        None,
        [],
        {},
        {"kind": 1},
        {"kind": "Pod", "metadata": "none"},
        {"kind": "Pod", "metadata": {}},
        {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a", "labels": {"a": 1}}},
        {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}, "status": {"podIP": "10.0.0.256"}},
        {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}, "spec": [1]},
        {"kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"ports": [{"name": "x"}]}]}},
        {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "a"}, "spec": {"clusterIP": "here"}},
        {"kind": "Node", "metadata": {"name": "a"}, "status": {"addresses": [{"type": "InternalIP"}]}},
        {"kind": "NetworkPolicy", "metadata": {"name": "a"}, "spec": {"podSelector": {}}, "apiVersion": ["v1"]},
    ],
)  # fmt: skip
def test_no_object_of_any_shape_ends_in_anything_but_an_error_of_ours(thing: t.Any) -> None:
    problems: list[LockdownError] = []
    world = read_world([thing, *cluster()], problems)
    assert len(problems) + len(world.ignored) == 1
    assert len(world.pods) == 5


def test_an_object_that_is_there_twice_names_both_places() -> None:
    things = [*documents.parse(yaml.safe_dump(allow()), "a.yaml"), *documents.parse(yaml.safe_dump(allow()), "b.yaml")]
    with pytest.raises(LockdownError, match="is there twice") as caught:
        read_world(things)
    assert "a.yaml, document 1, line 1" in str(caught.value)
    assert "b.yaml" in str(caught.value)


# Bad files


@pytest.mark.parametrize(
    ("text", "document", "line"),
    [
        ("kind: Pod\n  bad: indent\n", 1, 2),
        ("kind: A\n---\nkind: B\nmetadata: [\n", 2, 5),
        ("kind: A\n---\nkind: B\nkind: C\n", 2, 4),
        ("kind: A\n---\nlist:\n- &a [*a, *b]\n", 2, 4),
        ("kind: \tA\n\tb: c\n", 1, 2),
    ],
)
def test_malformed_yaml_names_file_document_and_line(text: str, document: int, line: int) -> None:
    with pytest.raises(LockdownError) as caught:
        list(documents.parse(text, "policies.yaml"))
    assert caught.value.details == {"file": "policies.yaml", "document": document, "line": line}
    assert f"policies.yaml, document {document}, line {line}" in str(caught.value)


def test_malformed_json_names_file_and_line() -> None:
    with pytest.raises(LockdownError, match=r"a\.json, document 1, line 2"):
        list(documents.parse('{"kind": "List",\n "items": [}', "a.json"))


def test_what_stands_before_and_beside_a_broken_document_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump_all(cluster()) + "---\nkind: [\n")
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(deny()))
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe\x00")
    reading = read_files([str(tmp_path)], "auto")
    assert len(reading.world.pods) == 5
    assert len(reading.world.policies) == 1
    assert len(reading.unsound()) == 2
    answers = reachability(
        reading,
        [{"from": "cache-ns/ignite-0", "to": "203.0.113.10", "port": 443}],
        with_matrix=False,
        namespaces=[],
    )["answers"]
    assert [answer["allowed"] for answer in answers] == [None]


@pytest.mark.parametrize("path", ["nowhere", "."])
def test_a_path_without_objects_is_an_error(path: str, tmp_path: Path) -> None:
    with pytest.raises(LockdownError, match="Cannot read"):
        read_files([str(tmp_path / path)], "auto")


# Questions


def read(tmp_path: Path, *things: Json) -> t.Any:
    (tmp_path / "world.yaml").write_text(yaml.safe_dump_all([*everything(), *things]))
    return read_files([str(tmp_path / "world.yaml")], "auto")


def test_answers_name_the_rule_that_allows_and_the_policies_that_isolate(tmp_path: Path) -> None:
    queries = [
        {"from": "cache-ns/ignite-0", "to": "cache-ns/ignite-1", "port": 47500},
        {"from": "cache-ns/ignite-0", "to": "203.0.113.10", "port": 4444, "protocol": "TCP"},
        {"from": "client-ns/stranger", "to": "cache-ns/ignite-0", "port": 10800},
    ]
    yes, out, in_ = reachability(read(tmp_path), queries, with_matrix=False, namespaces=[])["answers"]
    assert (yes["allowed"], yes["egress"]["by"]["rule"], yes["ingress"]["by"]["rule"]) == (True, 0, 0)
    assert (out["allowed"], out["egress"]["by"]) == (False, None)
    assert "isolated for egress by cache-ns/netguard-ignite-allow-servers" in out["because"]
    assert in_["allowed"] is False
    assert "no rule allows client-ns/stranger on TCP 10800" in in_["because"]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"from": "cache-ns/gone", "to": "10.0.0.1", "port": 1}, "no living pod gone"),
        ({"from": "cache-ns", "to": "10.0.0.1", "port": 1}, "neither NAMESPACE/POD nor an IP address"),
        ({"from": "10.0.0.1", "to": "10.0.0.1/32", "port": 1}, "no living pod 32"),
        ({"from": "10.0.0.1", "to": "10.0.0.2", "port": 0}, "0 is not between 1 and 65535"),
        ({"from": "10.0.0.1", "to": "10.0.0.2", "port": 1, "protocol": "ICMP"}, "'ICMP' is none of"),
        ({"from": "10.0.0.1", "port": 1}, "queries[0].to"),
        ({"from": "10.0.0.1", "to": "10.0.0.2", "port": 1, "por": 2}, "unknown key 'por'"),
    ],
)
def test_a_bad_question_is_an_error_that_names_it(query: Json, why: str, tmp_path: Path) -> None:
    with pytest.raises(LockdownError) as caught:
        reachability(read(tmp_path), [query], with_matrix=False, namespaces=[])
    assert why in str(caught.value)


def test_the_matrix_of_one_namespace_has_it_at_one_end_of_every_cell(tmp_path: Path) -> None:
    matrix = reachability(read(tmp_path), [], with_matrix=True, namespaces=["cache-ns"])["matrix"]
    members = {each["id"]: each["members"] for each in matrix["classes"]}
    ignite = next(number for number, names in members.items() if "cache-ns/ignite-0" in names)
    assert members[ignite] == ["cache-ns/ignite-0", "cache-ns/ignite-1"]
    assert all(ignite in (cell["from"], *cell["to"]) for cell in matrix["cells"])
    among = [cell["ports"] for cell in matrix["cells"] if cell["from"] == ignite and ignite in cell["to"]]
    assert among == [[{"protocol": "TCP", "ports": "47100,47500"}]]
    assert not any("client-ns/stranger" in members[cell["from"]] for cell in matrix["cells"])


def test_the_engine_is_told_by_its_objects(tmp_path: Path) -> None:
    settings = objects.config_map("cilium-config", "kube-system", {"policy-cidr-match-mode": "nodes"})
    assert read(tmp_path).profile == profile.STANDARD
    assert read(tmp_path, settings).profile == profile.CILIUM_NODES
    settings["data"] = {}
    assert read(tmp_path, settings).engine_record()["profile"] == "cilium"


# Growth


def test_ten_times_the_pods_are_as_many_classes() -> None:
    from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.matrix import matrix
    from bench import clusters

    sizes = [
        len(matrix(read_world(clusters.objects(number, 20, 10)), profile.STANDARD).classes) for number in (2000, 20000)
    ]
    assert sizes[1] <= sizes[0] * 1.2
