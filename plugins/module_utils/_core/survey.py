# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of an automation controller's survey as typed options of the role; what is left empty is left out.

A survey gives texts, where the role wants lists and mappings. Its variables have a prefix of their own: as extra vars
they could never be changed again.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite import PREFIX
from ansible_collections.netguard.lockdown.plugins.module_utils._core.survey_questions import FLAGS, QUESTIONS
from ansible_collections.netguard.lockdown.plugins.module_utils._core.yaml_text import YamlTextError, documents

ANSWERS = "netguard_survey_"

_TEMPLATE_MARKS = ("{{", "{%", "{#")
_LARGEST = 10**9


@dataclass
class Answers:
    """Options by their full names, and what is wrong with the answers."""

    options: dict[str, t.Any] = field(default_factory=dict)
    errors: list[LockdownError] = field(default_factory=list)

    def as_record(self) -> dict[str, t.Any]:
        return {"options": self.options, "errors": [str(error) for error in self.errors]}


def read_answers(given: t.Mapping[str, t.Any]) -> Answers:
    """Read the variables of a survey by their full names."""
    known = [f"{ANSWERS}{name}" for name in (*QUESTIONS, *FLAGS)]
    answers = Answers(errors=options.unknown_variables(given, known))
    for variable in known:
        value = given.get(variable)
        if options.is_unset(value) or value == []:
            continue
        with options.collected(answers.errors):
            _refuse_templates(value, variable)
            name = variable.removeprefix(ANSWERS)
            if name in FLAGS:
                answers.options |= {f"{PREFIX}{flag}": True for flag in _flags(value, variable, FLAGS[name])}
            else:
                answers.options[f"{PREFIX}{name}"] = _READERS[QUESTIONS[name]](value, variable)
    return answers


def _refuse_templates(value: t.Any, where: str) -> None:
    """An answer is data: whoever may start a job may not run expressions on the controller by it."""
    if isinstance(value, str):
        marks = [mark for mark in _TEMPLATE_MARKS if mark in value]
        if marks:
            raise options.invalid(where, f"it holds {marks[0]!r}, and answers are no templates")
    elif isinstance(value, t.Mapping):
        for key, item in value.items():
            _refuse_templates(key, where)
            _refuse_templates(item, where)
    elif isinstance(value, t.Sequence):
        for item in value:
            _refuse_templates(item, where)


def _flags(value: t.Any, where: str, choices: t.Sequence[str]) -> list[str]:
    return [options.choice(word, where, choices) for word in options.words(value, where)]


def _text(value: t.Any, where: str) -> str:
    return options.text(str(value) if _is_number(value) else value, where)


def _integer(value: t.Any, where: str) -> int:
    return options.integer(value, where, 0, _LARGEST)


def _number(value: t.Any, where: str) -> float:
    try:
        number = float(value) if isinstance(value, str) or _is_number(value) else -1.0
    except ValueError:
        number = -1.0
    if not 0 <= number <= _LARGEST:
        raise options.invalid(where, f"{value!r} is not a number from 0 to {_LARGEST}")
    return number


def _words(value: t.Any, where: str) -> list[str]:
    """A name in each line, or a YAML list."""
    return options.words(_yaml(value, where) if _is_yaml_list(value) else value, where)


def _items(value: t.Any, where: str) -> list[t.Any]:
    """What each line holds, or the items of a YAML list."""
    if isinstance(value, str) and not _is_yaml_list(value):
        return list(options.words(value, where))
    return options.sequence(_yaml(value, where), where)


def _mapping(value: t.Any, where: str) -> dict[str, t.Any]:
    return options.mapping(_yaml(value, where), where)


def _entries(value: t.Any, where: str) -> list[dict[str, t.Any]]:
    return options.entries(_yaml(value, where), where)


def _is_yaml_list(value: t.Any) -> bool:
    return isinstance(value, str) and value.lstrip().startswith(("- ", "-\n", "["))


def _is_number(value: t.Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _yaml(value: t.Any, where: str) -> t.Any:
    """The one document of a text, made of what JSON knows; anything else than a text as it is."""
    if not isinstance(value, str):
        return value
    try:
        found = [document for document, _line in documents(value)]
    except YamlTextError as error:
        raise options.invalid(where, f"line {error.line} is no YAML: {error.why}") from error
    if len(found) != 1:
        raise options.invalid(where, f"it holds {len(found)} YAML documents, not one")
    _refuse_odd_parts(found[0], where)
    return found[0]


def _refuse_odd_parts(document: t.Any, where: str) -> None:
    """Dates and the like get lost on the way to the API; what an alias repeats could grow without end."""
    waiting, known = [document], set()
    while waiting:
        part = waiting.pop()
        if isinstance(part, (dict, list)):
            if id(part) in known:
                raise options.invalid(where, "it repeats a part by an alias; write it out")
            known.add(id(part))
            waiting += [*part, *part.values()] if isinstance(part, dict) else part
        elif part is not None and not isinstance(part, (str, int, float)):
            raise options.invalid(where, f"{part} is a {type(part).__name__}; put it into quotes")


_READERS: dict[str, t.Callable[[t.Any, str], t.Any]] = {
    "str": _text,
    "path": _text,
    "bool": options.flag,
    "int": _integer,
    "float": _number,
    "dict": _mapping,
    "list of str": _words,
    "list of raw": _items,
    "list of dict": _entries,
}
KINDS = tuple(_READERS)
