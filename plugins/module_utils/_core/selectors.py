# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Label selectors as Kubernetes evaluates them (LabelSelector of apimachinery)."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

Labels = t.Mapping[str, str]
Selector = t.Mapping[str, t.Any]

NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"

_NAME = r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?"
_DNS_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_KEY = re.compile(rf"^(?:(?P<prefix>{_DNS_LABEL}(\.{_DNS_LABEL})*)/)?(?P<name>{_NAME})\Z")
_VALUE = re.compile(rf"^({_NAME})?\Z")
_OPERATORS_WITH_VALUES = ("In", "NotIn")
_OPERATORS = (*_OPERATORS_WITH_VALUES, "Exists", "DoesNotExist")


def matches(selector: Selector | None, labels: Labels) -> bool:
    """Whether labels satisfy the selector; an absent selector matches nothing, an empty one everything."""
    if selector is None:
        return False
    equal = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return equal and all(_satisfied(rule, labels) for rule in selector.get("matchExpressions") or [])


def _satisfied(expression: t.Mapping[str, t.Any], labels: Labels) -> bool:
    key, operator = str(expression["key"]), str(expression["operator"])
    values: list[str] = expression.get("values") or []
    if operator == "In":
        return key in labels and labels[key] in values
    if operator == "NotIn":
        return key not in labels or labels[key] not in values
    return (key in labels) == (operator == "Exists")


def selects_everything(selector: Selector | None) -> bool:
    """Whether the selector can exclude nothing: present, without any requirement."""
    return selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions")


def namespaces_by_name(names: t.Sequence[str]) -> dict[str, t.Any]:
    """A namespaceSelector on the label that the API server sets itself and nobody can fake."""
    if len(names) == 1:
        return {"matchLabels": {NAMESPACE_NAME_LABEL: names[0]}}
    return {"matchExpressions": [{"key": NAMESPACE_NAME_LABEL, "operator": "In", "values": sorted(names)}]}


def as_query(selector: Selector) -> str:
    """The selector in the form of the API's `labelSelector` parameter."""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for rule in selector.get("matchExpressions") or []:
        key, operator = rule["key"], rule["operator"]
        if operator in _OPERATORS_WITH_VALUES:
            parts.append(f"{key} {operator.lower()} ({','.join(sorted(rule['values']))})")
        else:
            parts.append(key if operator == "Exists" else f"!{key}")
    return ",".join(parts)


def describe(selector: Selector | None, everything: str) -> str:
    """The selector for people; `everything` is the word for one without requirements."""
    if selector is None or selects_everything(selector):
        return everything
    return as_query(selector)


def validate(selector: t.Any, where: str) -> None:
    """Refuse what the API server would refuse, before anything is sent, with the place named."""
    if not isinstance(selector, t.Mapping):
        raise _invalid(where, f"a label selector is a mapping, not {selector!r}")
    unknown = sorted(str(key) for key in set(selector) - {"matchLabels", "matchExpressions"})
    if unknown:
        raise _invalid(where, f"unknown keys {', '.join(unknown)}; known are matchLabels and matchExpressions")
    labels = selector.get("matchLabels") or {}
    if not isinstance(labels, t.Mapping):
        raise _invalid(where, "matchLabels is a mapping of label to value")
    for key, value in labels.items():
        _validate_key(key, where)
        _validate_value(value, where)
    expressions = selector.get("matchExpressions") or []
    if not isinstance(expressions, list):
        raise _invalid(where, "matchExpressions is a list")
    for expression in expressions:
        _validate_expression(expression, where)


def _validate_expression(expression: t.Any, where: str) -> None:
    if not isinstance(expression, t.Mapping) or set(expression) - {"key", "operator", "values"}:
        raise _invalid(where, f"a match expression has key, operator and values, not {expression!r}")
    _validate_key(expression.get("key"), where)
    operator, values = expression.get("operator"), expression.get("values")
    if operator not in _OPERATORS:
        raise _invalid(where, f"operator {operator!r} is none of {', '.join(_OPERATORS)}")
    if operator in _OPERATORS_WITH_VALUES:
        if not isinstance(values, list) or not values:
            raise _invalid(where, f"operator {operator} needs a list of at least one value")
        for value in values:
            _validate_value(value, where)
    elif values:
        raise _invalid(where, f"operator {operator} takes no values")


def _validate_key(key: t.Any, where: str) -> None:
    match = _KEY.match(key) if isinstance(key, str) else None
    if match is None or len(match["name"]) > 63 or len(match["prefix"] or "") > 253:
        raise _invalid(where, f"{key!r} is not a valid label key")


def _validate_value(value: t.Any, where: str) -> None:
    if not isinstance(value, str) or len(value) > 63 or not _VALUE.match(value):
        raise _invalid(where, f"{value!r} is not a valid label value (a string of at most 63 characters)")


def _invalid(where: str, why: str) -> LockdownError:
    return LockdownError("invalid_selector", f"Invalid label selector in {where}", why, f"Correct {where}")
