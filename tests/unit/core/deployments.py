# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments for tests: the role's variables, worked out and rendered by the role's own templates."""

from __future__ import annotations

import copy
import hashlib
import json
import typing as t
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
import yaml

from ansible_collections.netguard.lockdown.plugins.module_utils._core.deploy.agreement import Agreement, compare
from ansible_collections.netguard.lockdown.plugins.module_utils._core.deploy.deployment import Deployment, work_out
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import flows_digest, parse_flows
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite import Needs, ignite_needs
from ansible_collections.netguard.lockdown.plugins.module_utils._core.targets import judge_targets

Json = dict[str, t.Any]

ROLE = Path(__file__).resolve().parents[3] / "roles" / "ignite_lockdown"
TARGETS: Json = {
    "cluster": {"uid": "4f9c", "pod_cidrs": ["10.244.0.0/16"], "service_cidrs": ["10.96.0.0/12"]},
    "api_server": {
        "targets": [{"via": "endpoints", "protocol": "TCP", "port": 6443, "cidrs": ["172.30.0.2/32"]}],
        "service": {"cluster_ips": ["10.96.0.1"], "port": 443},
    },
    "dns": {
        "namespace": "kube-system",
        "pod_selector": {"matchLabels": {"k8s-app": "kube-dns"}},
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
    },
}


def given(**changed: t.Any) -> Json:
    """The role's variables with its defaults, for one deployment."""
    own = {"namespace": "cache-ns", "deploy_image": "docker.io/apacheignite/ignite:2.17.0", **changed}
    if own.get("profile") == "minimal":
        own.setdefault("minimal_confirmed", True)
    return {**copy.deepcopy(_defaults()), **{f"ignite_lockdown_{name}": value for name, value in own.items()}}


@cache
def _defaults() -> Json:
    found: Json = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    return found


@dataclass(frozen=True)
class Rendered:
    needs: Needs
    deployment: Json
    xml: str
    objects: list[Json]
    policies: list[Json]

    def one(self, kind: str, name: str = "ignite") -> Json:
        (found,) = [item for item in self.objects if (item["kind"], item["metadata"]["name"]) == (kind, name)]
        return found

    @property
    def pod(self) -> Json:
        spec: Json = self.one("StatefulSet")["spec"]["template"]["spec"]
        return spec

    @property
    def environment(self) -> Json:
        return {entry["name"]: entry.get("value") for entry in self.pod["containers"][0]["env"]}

    @property
    def agreement(self) -> Agreement:
        return compare(self.objects, self.deployment)


def worked_out(targets: Json | None = None, **changed: t.Any) -> Deployment:
    values = given(**changed)
    flows = [flow.as_record() for flow in ignite_needs(values).flows]
    return work_out(values, flows, TARGETS if targets is None else targets)


def errors(**changed: t.Any) -> str:
    return "\n".join(map(str, worked_out(**changed).errors))


def rendered(targets: Json | None = None, **changed: t.Any) -> Rendered:
    values = given(**changed)
    needs = ignite_needs(values)
    assert not needs.errors, needs.errors
    result = worked_out(targets, **changed)
    assert not result.errors, result.errors
    own = {"__ignite_lockdown_deployment": result.record}
    xml = template("deploy/ignite.xml.j2", **own).strip() + "\n"
    text = template("deploy/objects.yml.j2", **own, __ignite_lockdown_xml=xml)
    return Rendered(needs, result.record, xml, list(yaml.safe_load_all(text)), _policies(values, needs, targets))


def template(name: str, **variables: t.Any) -> str:
    return environment().get_template(name).render(**variables)


@cache
def environment() -> jinja2.Environment:
    """As Ansible's, with those of its filters that the templates use."""
    folders = [ROLE / "templates", ROLE / "templates" / "deploy"]
    made = jinja2.Environment(  # noqa: S701
        loader=jinja2.FileSystemLoader(folders),
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["to_json"] = json.dumps
    made.filters["combine"] = lambda one, *others: {
        key: value for each in (one, *others) for key, value in each.items()
    }
    made.filters["hash"] = lambda text, _kind: hashlib.sha256(text.encode()).hexdigest()
    made.globals["undef"] = _undef
    return made


def _undef(hint: str) -> t.NoReturn:
    raise jinja2.UndefinedError(hint)


def _policies(values: Json, needs: Needs, targets: Json | None) -> list[Json]:
    records = [flow.as_record() for flow in needs.flows]
    flows = parse_flows(records)
    judged = judge_targets(targets or TARGETS, flows, needs.accepted)
    assert not judged.errors, judged.errors
    names = {
        "ignite_lockdown_instance": values["ignite_lockdown_instance"],
        "ignite_lockdown_namespace": values["ignite_lockdown_namespace"],
        "__ignite_lockdown_allow_name": "allow",
        "__ignite_lockdown_deny_name": "deny",
        "__ignite_lockdown_rules": {**judged.as_record(), "flows": records, "flows_digest": flows_digest(flows)},
    }
    return list(yaml.safe_load_all(template("policies.yml.j2", **names)))
