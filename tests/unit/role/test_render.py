# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible itself makes of the templates: one playbook run, one inventory host for each case."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from flow_builders import APPLICATIONS, Json, client, extra
from our_policies import SERVICE, ours

import ansible_collections.netguard.lockdown.plugins as collection_plugins
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import flows_digest, parse_flows
from lab.environment import scrubbed_env

COLLECTIONS = Path(next(iter(collection_plugins.__path__))).parents[3]
TEMPLATE = COLLECTIONS / "ansible_collections/netguard/lockdown/roles/ignite_lockdown/templates/allow.yml.j2"
TIMEOUT_SECONDS = 180
EVIL = "{{ lookup('pipe', 'touch /tmp/never') }} {% raw %}"

PLAYBOOK = """
- name: By the role
  hosts: role
  gather_facts: false
  connection: local
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - name: One case
      block:
        - name: Render
          ansible.builtin.import_role:
            name: netguard.lockdown.ignite_lockdown
            tasks_from: render
            rolespec_validate: false
        - name: Keep the result
          ansible.builtin.copy:
            content: "{{ ignite_lockdown_result | to_json }}"
            dest: "{{ case_dir }}/result.json"
            mode: "0600"
      rescue: &rescue
        - name: Keep the error
          ansible.builtin.copy:
            content: "{{ ansible_failed_result.msg }}"
            dest: "{{ case_dir }}/error.txt"
            mode: "0600"

- name: By the template alone, with rules that no filter would give
  hosts: alone
  gather_facts: false
  connection: local
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - name: One case
      block:
        - name: Render
          ansible.builtin.copy:
            content: "{{ lookup('ansible.builtin.template', case_template) }}"
            dest: "{{ case_dir }}/alone.yaml"
            mode: "0600"
      rescue: *rescue
"""

DNS: Json = {
    "namespace": "kube-system",
    "pod_selector": {"matchLabels": {"k8s-app": "kube-dns"}},
    "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
}
ENDPOINTS: Json = {"via": "endpoints", "protocol": "TCP", "port": 6443, "cidrs": ["172.30.0.2/32", "172.30.0.3/32"]}
TARGETS: Json = {
    "cluster": {"uid": "4f9c", "pod_cidrs": ["10.244.0.0/16"], "service_cidrs": ["10.96.0.0/12"]},
    "api_server": {"targets": [ENDPOINTS]},
    "dns": DNS,
}
SERVERS: Json = {"podSelector": {"matchLabels": {"app": "ignite"}}}
MINIMAL: Json = {"profile": "minimal", "minimal_confirmed": True, "targets": {**TARGETS, "dns": None}}


class Unsafe(str):
    """A text that Ansible must never evaluate."""


class Dumper(yaml.SafeDumper):
    """Writes unsafe texts with their tag."""


Dumper.add_representer(Unsafe, lambda dumper, data: dumper.represent_scalar("!unsafe", str(data)))


def rules(peer: Json, **changed: t.Any) -> Json:
    """Rules with one flow, as the template gets them."""
    flow = {
        "id": "one",
        "direction": "egress",
        "subject": {"name": "servers", "pod_selector": {"matchLabels": {"app": "ignite"}}},
        "peer": peer,
        "protocol": "TCP",
        "port": 10800,
        "end_port": None,
        "expect": "allow",
        "reason": "because",
        **changed.pop("flow", {}),
    }
    return {"flows": [flow], "api_server": [], "dns": None, "endpoints": [], "kept": [], **changed}


GOOD: dict[str, Json] = {
    "question": {"clients": [APPLICATIONS]},
    "types": {
        "ports": {"discovery": "{{ answers.discovery }}", "thin_client": "{{ answers.thin }}"},
        "clients": [client(kind="custom", ports=["{{ answers.thin | int }}", "rest"])],
        "extra_flows": [extra(port="{{ answers.first }}", end_port="{{ answers.last }}")],
        "targets": {
            **TARGETS,
            "api_server": {"targets": [{**ENDPOINTS, "port": "6443"}]},
            "dns": {**DNS, "ports": [{"protocol": "UDP", "port": "5353"}, {"protocol": "TCP", "port": "5353"}]},
        },
    },
    "texts": {
        "namespace": "123",
        "instance": "null",
        "pod_selector": {"matchLabels": {"on": "yes", "hex": "0x10", "empty": "", "number": "1e3"}},
        "clients": [
            client(name="on", namespaces=["true", "0"], reason=Unsafe(f"a: b # 'c' \"d\" {EVIL}")),
            client(name="off", namespaces=["null"], reason="one\n    - from: []\n\x85\u2028--- \\ ü"),
        ],
    },
    "addresses": {
        "clients": [
            client(namespaces=None, cidrs=["2001:db8::/32", "203.0.113.0/24"], **{"except": ["203.0.113.7/32"]}),
        ],
        "targets": {
            **TARGETS,
            "api_server": {
                "targets": [
                    {**ENDPOINTS, "cidrs": ["2001:db8:ffff::2/128"]},
                    {"via": "service", "protocol": "TCP", "port": 443, "cidrs": ["10.96.0.1/32"]},
                ],
                "kept": [{"address": "2001:db8:ffff::2", "port": 6443, "vanished_at": "2026-11-22T14:00:00Z"}],
            },
        },
    },
    "entity": {
        "targets": {
            **TARGETS,
            "api_server": {
                "targets": [ENDPOINTS],
                "entity": {"entities": ["kube-apiserver"], "ports": ["6443"], "additive": True},
            },
        },
    },
    "minimal": MINIMAL,
    "both forms": {
        "clients": [APPLICATIONS],
        "targets": {**TARGETS, "api_server": {"targets": [ENDPOINTS, SERVICE]}},
    },
    "file": {"targets": "{{ case_dir }}/targets.yml"},
}
BAD: dict[str, tuple[Json, str]] = {
    "typo": ({"client": []}, "Unknown variable ignite_lockdown_client: "),
    "unresolved": ({"targets": {**TARGETS, "api_server": {"targets": []}}}, "would allow everyone"),
    "nothing": ({"targets": None}, "is not a mapping. Correct targets."),
    "no-file": ({"targets": "missing.yml"}, "is not a mapping. Correct targets."),
    "nowhere": ({"render_dir": ""}, "ignite_lockdown_render_dir: it is not set"),
    "two-errors": ({"profile": "tiny", "ports": {"rest": "x"}}, "is none of standard, minimal"),
}
ALONE: dict[str, Json] = {
    "no-peer": rules({}),
    "no-api": rules({"target": "api_server"}),
    "no-api-address": rules({"target": "api_server"}, api_server=[{"protocol": "TCP", "port": 1, "cidrs": []}]),
    "no-dns": rules({"target": "dns"}),
    "no-dns-port": rules({"target": "dns"}, dns={**DNS, "ports": [{"protocol": "UDP", "port": 53}]}),
    "no-dns-pods": rules({"target": "dns"}, flow={"protocol": "UDP"}, dns={**DNS, "pod_selector": None}),
    "no-pods": rules({"pods": {}}),
    "no-names": rules({"namespaces": []}),
    "other-target": rules({"target": "internet"}),
    "text-port": rules({"namespaces": ["shop"]}, flow={"port": "10800"}),
    "no-port": rules({"namespaces": ["shop"]}, flow={"port": None}),
}


@dataclass(frozen=True)
class Case:
    """What one case left behind."""

    directory: Path

    def text(self, name: str) -> str:
        path = self.directory / name
        return path.read_text() if path.is_file() else ""

    @property
    def error(self) -> str:
        return self.text("error.txt")

    @property
    def result(self) -> Json:
        assert not self.error, self.error
        found: Json = json.loads(self.text("result.json"))
        return found

    def policy(self, name: str) -> Json:
        found: Json = yaml.safe_load(self.text(f"rendered/{name}.yaml"))
        return found


def host(directory: Path, name: str, given: Json) -> Json:
    """The variables of one case, in a directory of its own."""
    case_dir = directory / name
    case_dir.mkdir()
    (case_dir / "targets.yml").write_text(yaml.safe_dump(TARGETS))
    usual = {"namespace": "cache-ns", "targets": TARGETS, "render_dir": str(case_dir / "rendered")}
    role = {f"ignite_lockdown_{key}": value for key, value in {**usual, **given}.items()}
    return {**role, "case_dir": str(case_dir)}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> t.Callable[[str], Case]:
    """Run all cases; each is looked up by its name."""
    directory = tmp_path_factory.mktemp("render")
    role = {name: host(directory, name, given) for name, given in GOOD.items()}
    role |= {name: host(directory, name, given) for name, (given, _) in BAD.items()}
    own = {"__ignite_lockdown_allow_name": "x", "ignite_lockdown_instance": "ignite", "case_template": str(TEMPLATE)}
    alone = {
        name: {**host(directory, name, {}), **own, "__ignite_lockdown_rules": given} for name, given in ALONE.items()
    }
    answers = {"discovery": "47600", "thin": "10900", "first": "5000", "last": "5010"}
    groups = {"role": {"hosts": role}, "alone": {"hosts": alone}}
    inventory = {"all": {"children": groups, "vars": {"answers": answers}}}
    (directory / "inventory.yml").write_text(yaml.dump(inventory, Dumper=Dumper, allow_unicode=True))
    (directory / "playbook.yml").write_text(PLAYBOOK)
    (directory / "ansible.cfg").touch()
    run = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", directory / "inventory.yml", directory / "playbook.yml"],
        env={
            **scrubbed_env(directory / "no-kubeconfig"),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return lambda name: Case(directory / name)


Cases = t.Callable[[str], Case]
ALLOW, DENY = "netguard-ignite-allow-servers", "netguard-ignite-deny-all"


def rule(key: str, peers: list[Json], *ports: t.Any, protocol: str = "TCP") -> Json:
    return {key: peers, "ports": [{"protocol": protocol, "port": port} for port in ports]}


def block(cidr: str, **more: t.Any) -> Json:
    return {"ipBlock": {"cidr": cidr, **more}}


def rendered_for(case: Case) -> str:
    """The digest of the flows that a case was rendered from."""
    return flows_digest(parse_flows(case.result["flows"]))


def test_the_questions_policies(cases: Cases) -> None:
    peer = {
        "namespaceSelector": APPLICATIONS["namespace_selector"],
        "podSelector": APPLICATIONS["pod_selector"],
    }
    dns = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    labels = {"app.kubernetes.io/managed-by": "netguard.lockdown", "app.kubernetes.io/instance": "ignite"}
    assert cases("question").policy(ALLOW) == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": ALLOW,
            "namespace": "cache-ns",
            "labels": labels,
            "annotations": {
                "lockdown.netguard.io/flows": rendered_for(cases("question")),
                "lockdown.netguard.io/api-endpoints": "172.30.0.2:6443,172.30.0.3:6443",
            },
        },
        "spec": {
            **SERVERS,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                rule("from", [SERVERS], 47500),
                rule("from", [SERVERS], 47100),
                *(rule("from", [peer], port) for port in (11211, 47100, 47500, 10800)),
            ],
            "egress": [
                rule("to", [SERVERS], 47500),
                rule("to", [SERVERS], 47100),
                rule("to", [block("172.30.0.2/32"), block("172.30.0.3/32")], 6443),
                rule("to", [dns], 53, protocol="UDP"),
                rule("to", [dns], 53),
                rule("to", [peer], 47100),
            ],
        },
    }
    assert cases("question").policy(DENY) == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": DENY, "namespace": "cache-ns", "labels": labels},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }
    assert cases("question").policy("kustomization") == {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"{ALLOW}.yaml", f"{DENY}.yaml"],
    }


def test_the_policies_that_the_evaluators_tests_judge_are_those_that_are_rendered(cases: Cases) -> None:
    for name, wanted in {
        "question": ours(),
        "both forms": ours([ENDPOINTS, SERVICE]),
        "minimal": ours(dns=False, clients=False),
    }.items():
        allow, deny = cases(name).result["definitions"]
        assert allow["metadata"]["annotations"].pop("lockdown.netguard.io/flows") == rendered_for(cases(name))
        assert [allow, deny] == wanted


def test_the_result_holds_what_the_files_hold(cases: Cases) -> None:
    result = cases("question").result
    assert result["definitions"] == [cases("question").policy(name) for name in (ALLOW, DENY)]
    assert [Path(name).name for name in result["files"]] == [f"{ALLOW}.yaml", f"{DENY}.yaml", "kustomization.yaml"]
    assert (result["changed"], result["profile"], result["errors"]) == (True, "standard", [])
    assert result["targets"] == {**TARGETS, "engine": None}
    assert {finding["code"] for finding in result["findings"]} == {
        "dns_is_a_way_out",
        "peer_by_namespace_labels",
        "peer_by_pod_labels",
    }
    text = cases("question").text(f"rendered/{ALLOW}.yaml")
    for flow in result["flows"]:
        assert f"# {flow['id']}: {json.dumps(flow['reason'])}\n" in text


def test_ports_are_integers_however_they_were_given(cases: Cases) -> None:
    spec = cases("types").policy(ALLOW)["spec"]
    entries = [port for part in ("ingress", "egress") for entry in spec[part] for port in entry["ports"]]
    assert [entry["port"] for entry in entries] == [47600, 47100, 10900, 8080, 47600, 47100, 6443, 5353, 5353, 5000]
    assert entries[-1] == {"protocol": "TCP", "port": 5000, "endPort": 5010}
    assert all(type(port) is int for entry in entries for port in (entry["port"], entry.get("endPort", 0)))


def test_texts_stay_texts_and_leave_their_places_nowhere(cases: Cases) -> None:
    case = cases("texts")
    policy = case.policy("netguard-null-allow-servers")
    assert (policy["metadata"]["namespace"], policy["metadata"]["labels"]["app.kubernetes.io/instance"]) == (
        "123",
        "null",
    )
    assert policy["spec"]["podSelector"] == {"matchLabels": {"on": "yes", "hex": "0x10", "empty": "", "number": "1e3"}}
    names = [
        entry["from"][0]["namespaceSelector"]["matchExpressions"][0]["values"]
        for entry in policy["spec"]["ingress"]
        if "namespaceSelector" in entry["from"][0]
    ]
    assert names == [["true", "0"], ["null"]]
    assert len(policy["spec"]["ingress"]) == 4
    reasons = {flow["id"]: flow["reason"] for flow in case.result["flows"]}
    assert reasons["client-on-thin-client"] == f"a: b # 'c' \"d\" {EVIL} (thin_client)"
    assert reasons["client-off-thin-client"] == "one - from: [] --- \\ ü (thin_client)"
    assert json.dumps(EVIL)[1:-1] in case.text("rendered/netguard-null-allow-servers.yaml")


def test_addresses_of_both_families_forms_and_memories(cases: Cases) -> None:
    policy = cases("addresses").policy(ALLOW)
    assert policy["metadata"]["annotations"] == {
        "lockdown.netguard.io/flows": rendered_for(cases("addresses")),
        "lockdown.netguard.io/api-endpoints": "[2001:db8:ffff::2]:6443",
        "lockdown.netguard.io/kept-endpoints": "[2001:db8:ffff::2]:6443=2026-11-22T14:00:00Z",
    }
    assert policy["spec"]["ingress"][2:] == [
        rule("from", [block("2001:db8::/32")], 10800),
        rule("from", [block("203.0.113.0/24", **{"except": ["203.0.113.7/32"]})], 10800),
    ]
    assert policy["spec"]["egress"][2:4] == [
        rule("to", [block("2001:db8:ffff::2/128")], 6443),
        rule("to", [block("10.96.0.1/32")], 443),
    ]


def test_the_api_server_as_an_entity_is_a_policy_of_its_own_that_only_adds(cases: Cases) -> None:
    name = "netguard-ignite-allow-api-server"
    case = cases("entity")
    assert case.policy(name) == {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {
            "name": name,
            "namespace": "cache-ns",
            "labels": {"app.kubernetes.io/managed-by": "netguard.lockdown", "app.kubernetes.io/instance": "ignite"},
        },
        "spec": {
            "endpointSelector": SERVERS["podSelector"],
            "enableDefaultDeny": {"ingress": False, "egress": False},
            "egress": [
                {"toEntities": ["kube-apiserver"], "toPorts": [{"ports": [{"port": "6443", "protocol": "TCP"}]}]}
            ],
        },
    }
    assert case.policy("kustomization")["resources"] == [f"{each}.yaml" for each in (name, ALLOW, DENY)]
    assert [item["kind"] for item in case.result["definitions"]] == [
        "CiliumNetworkPolicy",
        "NetworkPolicy",
        "NetworkPolicy",
    ]


def test_the_minimal_profile_has_no_way_to_dns(cases: Cases) -> None:
    spec = cases("minimal").policy(ALLOW)["spec"]
    assert [entry["ports"][0]["port"] for entry in spec["egress"]] == [47500, 47100, 6443]


def test_targets_may_come_from_a_file(cases: Cases) -> None:
    assert cases("file").result["targets"] == {**TARGETS, "engine": None}


@pytest.mark.parametrize("name", BAD)
def test_bad_variables_end_in_a_clear_error_and_no_file(cases: Cases, name: str) -> None:
    case = cases(name)
    assert BAD[name][1] in case.error
    assert not (case.directory / "rendered").exists()


def test_all_errors_come_in_one_message(cases: Cases) -> None:
    assert [line.partition(":")[0] for line in cases("two-errors").error.splitlines()] == [
        "Invalid value of ignite_lockdown_ports.rest",
        "Invalid value of ignite_lockdown_profile",
    ]


@pytest.mark.parametrize("name", ALONE)
def test_the_template_itself_refuses_a_rule_that_would_allow_everyone(cases: Cases, name: str) -> None:
    case = cases(name)
    assert case.error
    assert not case.text("alone.yaml")
