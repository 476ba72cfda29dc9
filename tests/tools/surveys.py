# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The surveys of an automation controller, from the role's options and the list of questions."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import yaml

PREFIX = "ignite_lockdown_"
ANSWERS = "netguard_survey_"

# Widget -> types of options whose values it can take.
WIDGETS = {
    "text": {"str", "path", "raw"},
    "textarea": {"dict", "list"},
    "integer": {"int"},
    "float": {"float"},
    "multiplechoice": {"str", "bool"},
    "multiselect": {"bool"},
}

Json = dict[str, t.Any]


@dataclass(frozen=True)
class Source:
    """What the questions are made of."""

    questions: Mapping[str, Json]
    surveys: Mapping[str, Json]
    specs: Mapping[str, Json]
    entry_points: Mapping[str, Mapping[str, Json]]
    plain: Callable[[Json], str]

    def spec(self, option: str) -> Json:
        return self.specs[PREFIX + option]


def variables(source: Source) -> Json:
    """Every survey, as the controller takes it."""
    return {"netguard_awx_surveys": {name: _survey(source, name) for name in source.surveys}}


def kinds(source: Source) -> dict[str, str]:
    """Each option that one question asks for, with its type."""
    single = {name: source.spec(name) for name, question in source.questions.items() if "flags" not in question}
    return {
        name: f"list of {spec['elements']}" if "elements" in spec else spec["type"] for name, spec in single.items()
    }


def flags(source: Source) -> dict[str, list[str]]:
    """Each question that asks for several flags, with their options."""
    return {name: question["flags"] for name, question in source.questions.items() if "flags" in question}


def table(source: Source) -> Iterator[tuple[str, ...]]:
    """One row for each question: variable, widget, what it starts with, surveys, option."""
    for name, question in source.questions.items():
        users = [key for key, survey in source.surveys.items() if name in survey["ask"]]
        # A survey in which nothing is left out shows the question as it is.
        shown = _question(source, name, question.get("flags", []))
        start = str(shown["default"]).replace("\n", ", ")
        options = ", ".join(f"`{PREFIX}{option}`" for option in question.get("flags", [name]))
        yield (
            f"`{ANSWERS}{name}`",
            question["widget"],
            "**required**" if shown["required"] and not start else f"`{start}`" if start else "",
            "all" if len(users) == len(source.surveys) else ", ".join(users),
            options,
        )


def _survey(source: Source, name: str) -> Json:
    survey = source.surveys[name]
    readable = {option for entry_point in survey["entry_points"] for option in source.entry_points[entry_point]}
    spec = []
    for asked in survey["ask"]:
        wanted = source.questions[asked].get("flags", [asked])
        read = [option for option in wanted if PREFIX + option in readable]
        if not read:
            raise ValueError(f"survey {name} asks for {asked}, which {', '.join(survey['entry_points'])} does not read")
        spec.append(_question(source, asked, read))
    return {"name": survey["name"], "description": survey["description"], "spec": spec}


def _question(source: Source, name: str, read: list[str]) -> Json:
    """One question; a multiselect offers those of its flags that the survey's entry points read."""
    question = source.questions[name]
    answer = _several_flags(source, name, read) if "flags" in question else _one_option(source, name, question)
    return {
        "question_name": question["question"],
        "question_description": answer.pop("told"),
        "variable": f"{ANSWERS}{name}",
        "type": question["widget"],
        **answer,
        **{limit: question[limit] for limit in ("min", "max") if limit in question},
    }


def _several_flags(source: Source, name: str, read: list[str]) -> Json:
    for option in read:
        spec = source.spec(option)
        if spec["type"] not in WIDGETS["multiselect"] or spec.get("default") is not False:
            raise ValueError(f"question {name} offers {option}, which is not off by default")
    told = " ".join(f"{option}: {source.plain(source.spec(option))}" for option in read)
    return {"told": told, "required": False, "default": "", "choices": read}


def _one_option(source: Source, name: str, question: Json) -> Json:
    spec = source.spec(name)
    widget, required = question["widget"], bool(spec.get("required"))
    if spec["type"] not in WIDGETS[widget]:
        raise ValueError(f"question {name} has widget {widget}, but the option is of type {spec['type']}")
    default = _as_text(spec.get("default"), widget)
    prefill = question.get("prefill", True)
    told = source.plain(spec)
    if not prefill:
        told += f" Left empty: the inventory's value, else {default or 'none'}."
    answer: Json = {"told": told, "required": required, "default": default if prefill else ""}
    if widget == "multiplechoice":
        answer["choices"] = ["true", "false"] if spec["type"] == "bool" else spec["choices"]
    return answer


def _as_text(default: t.Any, widget: str) -> t.Any:
    """A default in the form in which a widget holds it."""
    if default is None or default in ([], {}):
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, (dict, list)):
        return yaml.safe_dump(default, default_flow_style=True, sort_keys=False, width=1000).strip()
    return default if widget in ("integer", "float") else str(default)
