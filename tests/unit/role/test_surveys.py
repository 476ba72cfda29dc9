# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The surveys agree with the role's options, and an automation controller takes them."""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import generate
import pytest
import surveys
import yaml

from ansible_collections.netguard.lockdown.plugins.module_utils._core.arguments import read_arguments
from ansible_collections.netguard.lockdown.plugins.module_utils._core.survey import read_answers
from ansible_collections.netguard.lockdown.plugins.module_utils._core.survey_questions import FLAGS, QUESTIONS

Json = dict[str, t.Any]

ROOT = Path(__file__).resolve().parents[3]
SPECS = generate.Specs((ROOT / generate.SPECS).read_text())
EVERY = {name: spec for name, (spec, _) in SPECS.every_option().items()}
SOURCE: Json = yaml.safe_load((ROOT / generate.QUESTIONS).read_text())
SURVEYS: Json = yaml.safe_load((ROOT / generate.SURVEYS).read_text())["netguard_awx_surveys"]
ASKED = [(name, question) for name, survey in SURVEYS.items() for question in survey["spec"]]
# How the controller's API types a default, question by question.
DEFAULT_TYPES = {
    "text": str,
    "textarea": str,
    "multiplechoice": str,
    "multiselect": str,
    "integer": int,
    "float": float,
}


def ids(asked: t.Any) -> str:
    return str(asked["variable"]) if isinstance(asked, dict) else str(asked)


@pytest.mark.parametrize("name", SURVEYS)
def test_a_survey_is_as_the_controller_wants_it(name: str) -> None:
    survey = SURVEYS[name]
    assert set(survey) == {"name", "description", "spec"}
    assert isinstance(survey["name"], str)
    assert isinstance(survey["description"], str)
    variables = [question["variable"] for question in survey["spec"]]
    assert variables
    assert len(set(variables)) == len(variables)
    # As extra vars the role's own variables could not be changed again.
    assert all(variable.startswith("netguard_survey_") for variable in variables)


@pytest.mark.parametrize(("survey", "question"), ASKED, ids=ids)
def test_a_question_is_as_the_controller_wants_it(survey: str, question: Json) -> None:
    assert survey in SURVEYS
    for key in ("type", "question_name", "variable"):
        assert isinstance(question[key], str)
        assert question[key]
    assert isinstance(question["required"], bool)
    kind, default = question["type"], question["default"]
    assert kind in DEFAULT_TYPES
    assert default == "" or type(default) is DEFAULT_TYPES[kind]
    assert not str(default).startswith("$encrypted$")
    for limit in ("min", "max"):
        assert type(question.get(limit, 0)) is int
    if kind in ("multiplechoice", "multiselect"):
        chosen = default.splitlines()
        assert question["choices"]
        assert all(isinstance(choice, str) and choice.strip() == choice for choice in question["choices"])
        assert set(chosen) <= set(question["choices"])
        assert kind == "multiselect" or len(chosen) <= 1
    elif default != "":
        size = float(default) if kind in ("integer", "float") else float(len(default))
        assert float(question.get("min", 0)) <= size <= float(question.get("max", size))
    elif kind == "text":
        # An optional question that is left empty must not be too short.
        assert question["required"] or not question.get("min")


@pytest.mark.parametrize(("survey", "question"), ASKED, ids=ids)
def test_a_question_agrees_with_the_options_behind_it(survey: str, question: Json) -> None:
    name = question["variable"].removeprefix("netguard_survey_")
    readable = {option for entry in SOURCE["surveys"][survey]["entry_points"] for option in SPECS.options(entry)}
    if name in FLAGS:
        offered = [f"ignite_lockdown_{flag}" for flag in question["choices"]]
        assert offered == [f"ignite_lockdown_{f}" for f in FLAGS[name] if f"ignite_lockdown_{f}" in readable]
        assert all(EVERY[option]["type"] == "bool" and EVERY[option]["default"] is False for option in offered)
        assert question["default"] == ""
        return
    option = f"ignite_lockdown_{name}"
    spec = EVERY[option]
    assert option in readable
    assert question["required"] == spec.get("required", False)
    if question["type"] == "multiplechoice":
        assert question["choices"] == spec.get("choices", ["true", "false"])
    given = read_answers({question["variable"]: question["default"]}).options
    if SOURCE["questions"][name].get("prefill", True):
        expected = {} if spec.get("default") in (None, [], {}) else {option: spec["default"]}
        assert given == expected
    else:
        assert given == {}
        assert "Left empty: the inventory's value, else " in question["question_description"]


def test_every_question_is_asked_and_every_answer_is_read() -> None:
    asked = {question["variable"].removeprefix("netguard_survey_") for _, question in ASKED}
    assert asked == set(SOURCE["questions"]) == {*QUESTIONS, *FLAGS}


@pytest.mark.parametrize("name", SURVEYS)
def test_a_survey_that_nobody_changed_is_taken_by_the_role(name: str) -> None:
    answers = {question["variable"]: question["default"] for question in SURVEYS[name]["spec"]}
    read = read_answers({**answers, "netguard_survey_fleet_action": "drift"})
    assert read.errors == []
    defaults = {option: spec["default"] for option, spec in EVERY.items() if "default" in spec}
    needed = {
        "ignite_lockdown_namespace": "cache-ns",
        "ignite_lockdown_evidence_dir": "/evidence",
        "ignite_lockdown_remove_confirmed": True,
        "ignite_lockdown_deploy_image": "docker.io/apacheignite/ignite:2.17.0",
    }
    for entry_point in SOURCE["surveys"][name]["entry_points"]:
        assert read_arguments({**defaults, **read.options, **needed}, EVERY, entry_point).errors == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("choices: [standard, minimal]", "choices: [standard, minimal, other]"),
        ("default: 40", "default: 41"),
        ("default: ignite\n", "default: grid\n"),
        ("default: keep", "default: restore"),
    ],
)
def test_a_changed_option_shows_as_a_difference(tmp_path: Path, old: str, new: str) -> None:
    for path in [generate.SPECS, generate.QUESTIONS, *generate.wanted(ROOT)]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    text = (tmp_path / generate.SPECS).read_text()
    assert old in text
    (tmp_path / generate.SPECS).write_text(text.replace(old, new))
    assert generate.SURVEYS in generate.differing(tmp_path)


@pytest.mark.parametrize(
    ("questions", "asked", "message"),
    [
        ({"no_such": {"question": "?", "widget": "text"}}, "no_such", "main does not read"),
        ({"clients": {"question": "?", "widget": "integer"}}, "clients", "of type list"),
        ({"forbidden": {"question": "?", "widget": "textarea"}}, "forbidden", "main does not read"),
        ({"f": {"question": "?", "widget": "multiselect", "flags": ["server_dry_run"]}}, "f", "not off by default"),
    ],
)
def test_a_question_that_makes_no_sense_is_an_error(questions: Json, asked: str, message: str) -> None:
    survey = {"name": "s", "description": "d", "entry_points": ["main"], "ask": [asked]}
    text = yaml.safe_dump({"questions": questions, "surveys": {"s": survey}})
    with pytest.raises(ValueError, match=message):
        surveys.variables(generate.questions(SPECS, text))
