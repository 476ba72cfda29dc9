# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Label selectors as Kubernetes evaluates them."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netguard.lockdown.plugins.module_utils._core import selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError


def rule(operator: str, *values: str, key: str = "app") -> dict[str, t.Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


@pytest.mark.parametrize(
    ("selector", "labels", "expected"),
    [
        (None, {"app": "a"}, False),
        ({}, {}, True),
        ({"matchLabels": None, "matchExpressions": None}, {"app": "a"}, True),
        ({"matchLabels": {"app": "a"}}, {"app": "a", "zone": "z"}, True),
        ({"matchLabels": {"app": "a"}}, {"app": "b"}, False),
        ({"matchLabels": {"app": "a"}}, {}, False),
        ({"matchLabels": {"app": ""}}, {}, False),
        (rule("In", "a", "b"), {"app": "b"}, True),
        (rule("In", "a", "b"), {}, False),
        (rule("NotIn", "a"), {}, True),
        (rule("NotIn", "a"), {"app": "a"}, False),
        (rule("Exists"), {"app": ""}, True),
        (rule("Exists"), {}, False),
        (rule("DoesNotExist"), {}, True),
        (rule("DoesNotExist"), {"app": "a"}, False),
        ({"matchLabels": {"zone": "z"}, **rule("In", "a")}, {"app": "a"}, False),
    ],
)
def test_matches(selector: t.Any, labels: dict[str, str], expected: bool) -> None:
    assert selectors.matches(selector, labels) is expected


@pytest.mark.parametrize("selector", [{}, {"matchLabels": {}}, {"matchLabels": None}, {"matchExpressions": []}])
def test_an_empty_selector_selects_everything(selector: t.Any) -> None:
    assert selectors.selects_everything(selector)


@pytest.mark.parametrize("selector", [None, {"matchLabels": {"a": "b"}}, rule("Exists")])
def test_another_one_does_not(selector: t.Any) -> None:
    assert not selectors.selects_everything(selector)


def test_namespaces_are_named_by_the_label_that_nobody_can_fake() -> None:
    one, two = selectors.namespaces_by_name(["a"]), selectors.namespaces_by_name(["b", "a"])
    assert one == {"matchLabels": {"kubernetes.io/metadata.name": "a"}}
    assert selectors.matches(two, {"kubernetes.io/metadata.name": "b"})
    assert not selectors.matches(two, {"kubernetes.io/metadata.name": "c"})


@pytest.mark.parametrize(
    ("selector", "query"),
    [
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        (rule("In", "b", "a"), "app in (a,b)"),
        (rule("NotIn", "a"), "app notin (a)"),
        (rule("Exists"), "app"),
        (rule("DoesNotExist"), "!app"),
        ({}, ""),
    ],
)
def test_as_query(selector: t.Any, query: str) -> None:
    assert selectors.as_query(selector) == query


@pytest.mark.parametrize(
    "selector",
    [
        "app=a",
        None,
        {"app": "a"},
        {"matchLabels": ["a"]},
        {"matchLabels": {"app": 1}},
        {"matchLabels": {"app": "a b"}},
        {"matchLabels": {"app": "a\n"}},
        {"matchLabels": {"app\n": "a"}},
        {"matchLabels": {"app": "x" * 64}},
        {"matchLabels": {"-app": "a"}},
        {"matchLabels": {"Example.com/app": "a"}},
        {"matchExpressions": {"key": "app"}},
        {"matchExpressions": [{"key": "app", "operator": "Equals", "values": ["a"]}]},
        {"matchExpressions": [{"key": "app", "operator": "In", "values": []}]},
        {"matchExpressions": [{"key": "app", "operator": "In", "values": "a"}]},
        {"matchExpressions": [{"key": "app", "operator": "Exists", "values": ["a"]}]},
        {"matchExpressions": [{"operator": "Exists"}]},
        {"matchExpressions": [{"key": "app", "operator": "Exists", "vaules": []}]},
    ],
)
def test_what_the_api_server_would_refuse_is_an_error_with_its_place(selector: t.Any) -> None:
    with pytest.raises(LockdownError) as error:
        selectors.validate(selector, "field x")
    assert error.value.code == "invalid_selector"
    assert "field x" in str(error.value)


LABELS = st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["1", "2"]), max_size=2)
EXPRESSIONS = st.builds(
    lambda key, operator, values: {
        "key": key,
        "operator": operator,
        **({"values": values} if operator in ("In", "NotIn") else {}),
    },
    st.sampled_from(["a", "b"]),
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
    st.lists(st.sampled_from(["1", "2"]), min_size=1, max_size=2),
)


@given(first=st.lists(EXPRESSIONS, max_size=2), second=st.lists(EXPRESSIONS, max_size=2), labels=LABELS)
def test_requirements_are_a_conjunction(first: list[t.Any], second: list[t.Any], labels: dict[str, str]) -> None:
    selectors.validate({"matchExpressions": first + second}, "here")
    assert selectors.matches({"matchExpressions": first + second}, labels) is (
        selectors.matches({"matchExpressions": first}, labels)
        and selectors.matches({"matchExpressions": second}, labels)
    )
