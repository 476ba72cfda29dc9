# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of surveys become typed options, or errors that name the question."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.netguard.lockdown.plugins.module_utils._core.survey import ANSWERS, KINDS, read_answers
from ansible_collections.netguard.lockdown.plugins.module_utils._core.survey_questions import FLAGS, QUESTIONS

CLIENT = {"name": "shop", "kind": "thin", "namespaces": ["shop"]}


def read(name: str, value: t.Any) -> t.Any:
    """The option that comes from one answer; None where the answer says nothing."""
    answers = read_answers({f"{ANSWERS}{name}": value})
    assert answers.errors == []
    assert set(answers.options) <= {f"ignite_lockdown_{name}"}
    return answers.options.get(f"ignite_lockdown_{name}")


def refused(name: str, value: t.Any) -> str:
    answers = read_answers({f"{ANSWERS}{name}": value})
    assert answers.options == {}
    (error,) = answers.errors
    assert f"{ANSWERS}{name}" in error.what
    return error.why


def test_every_question_has_a_reader() -> None:
    assert set(QUESTIONS.values()) <= set(KINDS)
    assert not set(QUESTIONS) & set(FLAGS)


@pytest.mark.parametrize("value", [None, "", "  ", "\n", []])
@pytest.mark.parametrize("name", [*QUESTIONS, *FLAGS])
def test_an_empty_answer_is_none(name: str, value: t.Any) -> None:
    assert read(name, value) is None


@pytest.mark.parametrize(
    ("name", "answer", "option"),
    [
        ("namespace", " cache-ns ", "cache-ns"),
        ("rollback_revision", "verified", "verified"),
        ("rollback_revision", 3, "3"),
        ("lock_timeout", 60, 60),
        ("lock_timeout", "60", 60),
        ("lock_timeout", " 60 ", 60),
        ("remove_confirmed", "true", True),
        ("remove_confirmed", "false", False),
        ("remove_confirmed", True, True),
        ("replace_policies", "one\n\n two \n", ["one", "two"]),
        ("replace_policies", "one\r\ntwo\r\n", ["one", "two"]),
        ("replace_policies", "- one\n- two\n", ["one", "two"]),
        ("replace_policies", "[one, two]", ["one", "two"]),
        ("replace_policies", ["one", "two"], ["one", "two"]),
        ("replace_policies", "-odd", ["-odd"]),
        ("clients", "- {name: shop, kind: thin, namespaces: [shop]}", [CLIENT]),
        ("clients", '[{"name": "shop", "kind": "thin", "namespaces": ["shop"]}]', [CLIENT]),
        ("clients", [CLIENT], [CLIENT]),
        ("pod_selector", "matchLabels:\n  app: ignite\n", {"matchLabels": {"app": "ignite"}}),
        ("pod_selector", {"matchLabels": {"app": "ignite"}}, {"matchLabels": {"app": "ignite"}}),
    ],
)
def test_an_answer_gets_its_type(name: str, answer: t.Any, option: t.Any) -> None:
    found = read(name, answer)
    assert found == option
    assert type(found) is type(option)


@pytest.mark.parametrize(
    ("name", "answer", "why"),
    [
        ("namespace", ["a"], "is not a non-empty text"),
        ("namespace", True, "is not a non-empty text"),
        ("lock_timeout", "soon", "is not a whole number"),
        ("lock_timeout", 1.5, "is not a whole number"),
        ("lock_timeout", True, "is not a whole number"),
        ("lock_timeout", "-1", "is not a whole number"),
        ("remove_confirmed", "perhaps", "is neither true nor false"),
        ("replace_policies", "one\none", "listed twice"),
        ("replace_policies", {"one": 1}, "is not a list"),
        ("replace_policies", "- [one]", "is not a non-empty text"),
        ("clients", "shop", "is not a list"),
        ("clients", "name: shop", "is not a list"),
        ("clients", "- shop", "is not a mapping"),
        ("clients", "- {name: shop", "line"),
        ("clients", "- {name: a, name: b}", "is there twice"),
        ("clients", "- {name: a}\n---\n- {name: b}", "2 YAML documents"),
        ("clients", "- &a {name: x}\n- *a", "by an alias"),
        ("clients", "- &a [*a]", "by an alias"),
        ("clients", "- {since: 2026-01-01}", "is a date"),
        ("clients", "- !!python/object:os.system {}", "line"),
        ("pod_selector", "[a]", "is not a mapping"),
        ("pod_selector", "1: a", "is not a text"),
        ("namespace", "{{ lookup('pipe', 'id') }}", "answers are no templates"),
        ("clients", "- {name: '{% raw %}'}", "answers are no templates"),
        ("clients", [{"name": "{{ x }}"}], "answers are no templates"),
        ("clients", [{"{# x #}": "y"}], "answers are no templates"),
    ],
)
def test_what_cannot_be_read_is_an_error(name: str, answer: t.Any, why: str) -> None:
    assert why in refused(name, answer)


def test_a_text_of_ansibles_own_kind_is_read() -> None:
    class Marked(str):
        """As Ansible marks where a text comes from, or that it is no template."""

        __slots__ = ()

    assert read("clients", Marked("- {name: shop, kind: thin, namespaces: [shop]}")) == [CLIENT]
    assert read("lock_timeout", Marked("60")) == 60


def test_one_question_sets_several_flags() -> None:
    wanted = {"ignite_lockdown_accept_no_pods": True, "ignite_lockdown_minimal_confirmed": True}
    for answer in (["accept_no_pods", "minimal_confirmed"], "accept_no_pods\nminimal_confirmed"):
        assert read_answers({f"{ANSWERS}accept": answer}).options == wanted
    assert "the nearest one is accept_no_pods" in refused("accept", ["accept_no_pod"])


def test_all_errors_are_told_at_once() -> None:
    answers = read_answers(
        {f"{ANSWERS}namespase": "x", f"{ANSWERS}lock_timeout": "x", f"{ANSWERS}clients": "x", f"{ANSWERS}instance": "a"}
    )
    assert answers.as_record()["options"] == {"ignite_lockdown_instance": "a"}
    told = "\n".join(answers.as_record()["errors"])
    assert f"Unknown variable {ANSWERS}namespase" in told
    assert f"the nearest one is {ANSWERS}namespace" in told
    assert len(answers.errors) == 3
