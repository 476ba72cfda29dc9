# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read values that came through templates, extra vars or surveys: typed, or an error with the place."""

from __future__ import annotations

import difflib
import re
import typing as t
from collections.abc import Mapping
from contextlib import contextmanager

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

PROTOCOLS = ("TCP", "UDP", "SCTP")

_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(rf"{_DNS_LABEL.pattern}(\.{_DNS_LABEL.pattern})*")
_DIGITS = re.compile(r"[0-9]{1,9}")
_TRUE = ("true", "yes", "on", "1", "y", "t")
FALSE = ("false", "no", "off", "0", "n", "f")


@contextmanager
def collected(errors: list[LockdownError]) -> t.Iterator[None]:
    """Note a failure, once, and go on: a user wants to see all that is wrong in one run."""
    try:
        yield
    except LockdownError as error:
        if str(error) not in map(str, errors):
            errors.append(error)


def is_unset(value: t.Any) -> bool:
    """Whether a variable says nothing: a survey question left empty is ''."""
    return value is None or (isinstance(value, str) and not value.strip())


def text(value: t.Any, where: str) -> str:
    """A text in one line: it ends up in comments of rendered files and in messages."""
    if not isinstance(value, str) or not value.strip():
        raise invalid(where, f"{value!r} is not a non-empty text")
    line = " ".join(value.split())
    if not line.isprintable():
        raise invalid(where, f"{line!r} holds control characters")
    return line


def dns_label(value: t.Any, where: str, longest: int = 63) -> str:
    """A name as Kubernetes takes it for namespaces (RFC 1123 label)."""
    if is_unset(value):
        raise invalid(where, "it is not set")
    if not isinstance(value, str) or len(value) > longest or not _DNS_LABEL.fullmatch(value):
        raise invalid(
            where,
            f"{value!r} is not a DNS label: at most {longest} lower-case letters, digits and inner hyphens",
        )
    return value


def object_name(value: t.Any, where: str) -> str:
    """A name as Kubernetes takes it for most objects (RFC 1123 subdomain)."""
    if not isinstance(value, str) or len(value) > 253 or not _DNS_SUBDOMAIN.fullmatch(value):
        raise invalid(where, f"{value!r} is not the name of an object: lower-case letters, digits, hyphens and dots")
    return value


def choice(value: t.Any, where: str, choices: t.Sequence[str]) -> str:
    if value not in choices:
        raise invalid(where, f"{value!r} is none of {', '.join(choices)}{_hint(str(value), choices)}")
    return str(value)


def flag(value: t.Any, where: str) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in _TRUE or word in FALSE:
        return word in _TRUE
    raise invalid(where, f"{value!r} is neither true nor false")


def integer(value: t.Any, where: str, low: int, high: int) -> int:
    """An int; digits in a string count, because ansible-core 2.16 makes strings of templated numbers."""
    number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value.strip()) else value
    if isinstance(number, bool) or not isinstance(number, int):
        raise invalid(where, f"{value!r} is not a whole number")
    if not low <= number <= high:
        raise invalid(where, f"{number} is not between {low} and {high}")
    return int(number)


def port(value: t.Any, where: str) -> int:
    return integer(value, where, 1, 65535)


def mapping(value: t.Any, where: str) -> dict[str, t.Any]:
    if not isinstance(value, Mapping):
        raise invalid(where, f"{value!r} is not a mapping")
    odd = [key for key in value if not isinstance(key, str)]
    if odd:
        raise invalid(where, f"key {odd[0]!r} is not a text")
    return {str(key): item for key, item in value.items()}


def sequence(value: t.Any, where: str) -> list[t.Any]:
    """A list; nothing is an empty one, and a text is never taken for a list of its letters."""
    if is_unset(value):
        return []
    if isinstance(value, (str, Mapping)) or not isinstance(value, t.Sequence):
        raise invalid(where, f"{value!r} is not a list")
    return list(value)


def entries(value: t.Any, where: str) -> list[dict[str, t.Any]]:
    """A list of mappings."""
    return [mapping(item, f"{where}[{index}]") for index, item in enumerate(sequence(value, where))]


def words(value: t.Any, where: str) -> list[str]:
    """A list of texts, or one text with an item per line (the form of a survey's text area)."""
    items = value.splitlines() if isinstance(value, str) else sequence(value, where)
    named = [(f"{where}[{index}]", item) for index, item in enumerate(items)]
    found = [text(item, place) for place, item in named if not (isinstance(value, str) and is_unset(item))]
    repeated = sorted({item for item in found if found.count(item) > 1})
    if repeated:
        raise invalid(where, f"{', '.join(repeated)} listed twice")
    return found


def reject_unknown(given: t.Iterable[str], known: t.Collection[str], where: str) -> None:
    """A key that nobody reads is a typo, and a rule that silently does not exist."""
    unknown = sorted(set(given) - set(known))
    if unknown:
        named = "; ".join(f"unknown key {name!r}{_hint(name, known)}" for name in unknown)
        raise invalid(where, f"{named} (known: {', '.join(sorted(known))})")


def unknown_variables(given: t.Iterable[str], known: t.Collection[str]) -> list[LockdownError]:
    """One error for each variable of the role's prefix that the role does not read."""
    return [
        LockdownError(
            "unknown_variable",
            f"Unknown variable {name}",
            f"the role reads no such variable{_hint(name, known)}",
            "Correct or remove it; it would be ignored silently otherwise",
        )
        for name in sorted(set(given) - set(known))
    ]


def invalid(where: str, why: str) -> LockdownError:
    return LockdownError("invalid_option", f"Invalid value of {where}", why, f"Correct {where}")


def _hint(name: str, known: t.Collection[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    return f"; the nearest one is {nearest[0]}" if nearest else ""
