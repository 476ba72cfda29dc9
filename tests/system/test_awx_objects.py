# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's objects: every one passes its module's spec, and names only what is there."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml
from controller_objects import EXTENSION, Objects, configure

from gate import awx

Json = dict[str, t.Any]

UNSEEN = "apiVersion: v1\nkind: Config # not to be seen\n"
SETTINGS: Json = yaml.safe_load((EXTENSION / "controller" / "settings.yml").read_text())
SURVEYS: Json = yaml.safe_load((EXTENSION / "controller" / "surveys.yml").read_text())["netguard_awx_surveys"]
MODULES = {
    "credential_type", "credential", "execution_environment", "notification_template", "project", "inventory", "host",
    "job_template", "workflow_job_template", "schedule",
}  # fmt: skip


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    done, found = configure(tmp_path_factory.mktemp("awx"), {"netguard_awx_kubeconfig": UNSEEN})
    assert done.returncode == 0, found.output
    return found


def without(*kept: str) -> Json:
    """Settings that make no objects but these, as far as the data itself does not decide that."""
    kinds = ("credential_types", "execution_environments", "notifications", "projects", "inventories", "hosts")
    more = ("templates", "workflows", "schedules")
    return {f"controller_{kind}": [] for kind in (*kinds, *more) if kind not in kept}


APPROVED, FLEET = "Ignite lockdown: plan, approve, lock down, prove", "Ignite lockdown: fleet and report"


def nodes(objects: Objects, workflow: str = APPROVED) -> dict[str, Json]:
    return {node["identifier"]: node for node in objects.of("workflow_job_template")[workflow]["workflow_nodes"]}


def documented(module: str) -> Json:
    """The options that a module of awx.awx documents."""
    text = (awx.collection() / "plugins" / "modules" / f"{module}.py").read_text()
    (found,) = re.findall(r"^DOCUMENTATION = '''\n(.*?)^'''", text, re.MULTILINE | re.DOTALL)
    options: Json = yaml.safe_load(found)["options"]
    return options


def test_every_kind_of_object_passes_its_modules_spec(objects: Objects) -> None:
    assert {module.rpartition(".")[2] for module, _ in objects.made} == MODULES
    names = [(module, options["name"]) for module, options in objects.made]
    assert len(set(names)) == len(names)
    assert UNSEEN.splitlines()[1] not in objects.output
    assert "[WARNING]" not in objects.output
    (credential,) = objects.of("credential").values()
    assert credential["inputs"] == {"kubeconfig": UNSEEN}


def test_an_unknown_option_would_fail(tmp_path: Path) -> None:
    schedules = [{"name": "odd", "rrule": "x", "unified_job_template": "y", "every": "day"}]
    done, found = configure(tmp_path, {**without(), "controller_schedules": schedules})
    assert done.returncode == 2
    assert "every" in found.output
    assert found.made == []


def test_templates_for_the_controller_arrive_as_they_are(objects: Objects) -> None:
    (kind,) = objects.of("credential_type").values()
    assert kind["injectors"] == {
        "file": {"template": "{{ kubeconfig }}"},
        "env": {"K8S_AUTH_KUBECONFIG": "{{ tower.filename }}"},
    }
    assert {field["id"] for field in kind["inputs"]["fields"]} >= set(kind["inputs"]["required"])
    (inventory,) = objects.of("inventory").values()
    assert inventory["variables"] == {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "ignite_lockdown_evidence_dir": SETTINGS["netguard_awx_evidence_dir"],
    }


def test_job_templates_name_what_is_there(objects: Objects) -> None:
    for template in objects.of("job_template").values():
        assert template["project"] in objects.of("project")
        assert template["inventory"] in objects.of("inventory")
        assert template["execution_environment"] in objects.of("execution_environment")
        assert set(template["credentials"]) <= set(objects.of("credential"))
        assert set(template["notification_templates_error"]) <= set(objects.of("notification_template"))
        assert (EXTENSION / "project" / template["playbook"]).is_file()
        assert template["organization"] == SETTINGS["netguard_awx_organization"]
    for host in objects.of("host").values():
        assert host["inventory"] in objects.of("inventory")


def test_every_playbook_of_the_project_has_its_template(objects: Objects) -> None:
    used = {template["playbook"] for template in objects.of("job_template").values()}
    files = {path.name for path in (EXTENSION / "project").glob("*.yml")}
    # The answers are a part of the others; rendered files would vanish together with the job's container.
    assert used == files - {"answers.yml", "render.yml"}


def test_every_playbook_of_the_collection_is_in_the_project() -> None:
    imported = {
        play["ansible.builtin.import_playbook"].rpartition(".")[2]
        for path in (EXTENSION / "project").glob("*.yml")
        for play in yaml.safe_load(path.read_text())
        if "ansible.builtin.import_playbook" in play
    }
    playbooks = EXTENSION.parents[1] / "playbooks"
    assert imported >= {path.stem for path in playbooks.glob("*.yml") if not path.stem.endswith(".meta")}


def test_what_only_looks_runs_as_a_check(objects: Objects) -> None:
    for template in objects.of("job_template").values():
        looks = template["playbook"] in ("plan.yml", "plan_deployment.yml", "drift.yml")
        assert template["job_type"] == ("check" if looks else "run")
        assert template["ask_job_type_on_launch"] is None
        # The answers are the only variables that a launch may give.
        assert template["ask_variables_on_launch"] is None


def test_surveys_arrive_as_generated(objects: Objects) -> None:
    templates = [*objects.of("job_template").values(), *objects.of("workflow_job_template").values()]
    arrived = [template["survey_spec"] for template in templates if template["survey_enabled"]]
    assert all(survey in SURVEYS.values() for survey in arrived)
    assert all(survey in arrived for survey in SURVEYS.values())
    assert not [each for each in templates if not each["survey_enabled"] and each["survey_spec"]]


@pytest.mark.parametrize(("name", "start"), [(APPROVED, "plan"), (FLEET, "fleet")])
def test_a_workflow_is_a_graph_of_known_nodes(objects: Objects, name: str, start: str) -> None:
    found = nodes(objects, name)
    known = documented("workflow_job_template")["workflow_nodes"]["suboptions"]
    followers = set()
    for node in found.values():
        assert set(node) <= {*known, "identifier"}
        template, related = node["unified_job_template"], node.get("related", {})
        assert set(template) <= set(known["unified_job_template"]["suboptions"])
        assert set(related) <= set(known["related"]["suboptions"])
        if template["type"] == "workflow_approval":
            assert template["timeout"] > 0
        else:
            assert template["type"] == "job_template"
            assert template["name"] in objects.of("job_template")
        followers |= {each["identifier"] for edges in related.values() for each in edges}
    assert followers <= set(found)
    assert set(found) - followers == {start}
    workflow = objects.of("workflow_job_template")[name]
    notified = [*(workflow["notification_templates_approvals"] or []), *workflow["notification_templates_error"]]
    assert set(notified) <= set(objects.of("notification_template"))


def test_nothing_is_written_before_somebody_approves(objects: Objects) -> None:
    found, templates = nodes(objects), objects.of("job_template")
    reached, waiting = set(), ["plan"]
    while waiting:
        node = found[waiting.pop()]
        reached.add(node["identifier"])
        if node["unified_job_template"]["type"] != "workflow_approval":
            edges = node.get("related", {}).values()
            waiting += [each["identifier"] for follower in edges for each in follower]
    jobs = [found[name]["unified_job_template"]["name"] for name in reached]
    assert {templates[name]["job_type"] for name in jobs if name in templates} == {"check"}


def test_a_nodes_variables_are_answers_that_its_template_asks_for(objects: Objects) -> None:
    for node in nodes(objects).values():
        template = objects.of("job_template").get(node["unified_job_template"]["name"])
        for variable, answer in node.get("extra_data", {}).items():
            assert template is not None
            (question,) = [each for each in template["survey_spec"]["spec"] if each["variable"] == variable]
            assert answer in question["choices"]


def test_schedules_start_templates_that_ask_for_nothing(objects: Objects) -> None:
    schedules = objects.of("schedule")
    assert schedules
    for schedule in schedules.values():
        template = objects.of("job_template")[schedule["unified_job_template"]]
        assert not template["survey_enabled"]
        # What the controller's API takes: a start in UTC, one rule with an interval, nothing by the second.
        start, rule = schedule["rrule"].split(" ")
        assert re.fullmatch(r"DTSTART:\d{8}T\d{6}Z", start)
        assert re.fullmatch(r"RRULE:FREQ=(MINUTELY|HOURLY|DAILY|WEEKLY);INTERVAL=[1-9]\d*", rule)


def test_without_a_kubeconfig_the_credential_is_left_to_the_user(tmp_path: Path) -> None:
    done, found = configure(tmp_path, {**without("projects"), "netguard_awx_organization": "Platform"})
    assert done.returncode == 0, found.output
    assert [(name.rpartition(".")[2], each["organization"]) for name, each in found.made] == [("project", "Platform")]
