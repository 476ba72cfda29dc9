# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as templates, extra vars and surveys leave them."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

WHERE = "some_option"


@given(st.integers(1, 65535))
def test_a_port_is_an_int_whether_it_came_as_a_number_or_as_text(number: int) -> None:
    assert options.port(number, WHERE) == options.port(f" {number}\n", WHERE) == number
    assert type(options.port(str(number), WHERE)) is int


@pytest.mark.parametrize(
    "value", [True, False, None, "", "http", "0x50", "+80", "8 0", "١٠٨٠٠", 80.0, "80.0", [80], "9" * 5000]
)
def test_what_is_not_a_whole_number_is_no_port(value: t.Any) -> None:
    with pytest.raises(LockdownError, match=r"some_option: .* is not a whole number"):
        options.port(value, WHERE)


@pytest.mark.parametrize("value", [0, -1, 65536, "65536", "000000"])
def test_a_port_has_bounds(value: t.Any) -> None:
    with pytest.raises(LockdownError, match="is not between 1 and 65535"):
        options.port(value, WHERE)


@pytest.mark.parametrize(
    ("value", "meant"), [(True, True), ("yes", True), ("True\n", True), ("off", False), ("0", False)]
)
def test_a_flag_may_be_a_word(value: t.Any, meant: bool) -> None:
    assert options.flag(value, WHERE) is meant


@pytest.mark.parametrize("value", ["maybe", "", None, 1, 0, [True]])
def test_any_other_flag_is_an_error(value: t.Any) -> None:
    with pytest.raises(LockdownError, match="neither true nor false"):
        options.flag(value, WHERE)


@pytest.mark.parametrize("value", [None, "", "  \n", []])
def test_nothing_is_an_empty_list(value: t.Any) -> None:
    assert options.words(value, WHERE) == []
    assert options.sequence(value, WHERE) == []


def test_a_text_is_one_item_a_line_and_never_its_letters() -> None:
    assert options.words("one\n two \n\nthree", WHERE) == ["one", "two", "three"]
    with pytest.raises(LockdownError, match="'one' is not a list"):
        options.sequence("one", WHERE)
    with pytest.raises(LockdownError, match="'one' is not a list"):
        options.entries("one", WHERE)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"a": 1}, "is not a list"),
        (5, "is not a list"),
        (["a", ""], r"some_option\[1\]: '' is not a non-empty text"),
        (["a", 5], r"some_option\[1\]: 5 is not a non-empty text"),
        (["a", "b", "a"], "a listed twice"),
        ("a\na", "a listed twice"),
    ],
)
def test_a_list_of_words_holds_each_word_once(value: t.Any, why: str) -> None:
    with pytest.raises(LockdownError, match=why):
        options.words(value, WHERE)


def test_entries_are_mappings_with_text_keys() -> None:
    assert options.entries([{"a": 1}], WHERE) == [{"a": 1}]
    with pytest.raises(LockdownError, match=r"some_option\[1\]: 'b' is not a mapping"):
        options.entries([{"a": 1}, "b"], WHERE)
    with pytest.raises(LockdownError, match="key 5 is not a text"):
        options.mapping({5: 1}, WHERE)


def test_a_text_is_one_line_without_control_characters() -> None:
    assert options.text(" to\n  be\tshort ", WHERE) == "to be short"
    with pytest.raises(LockdownError, match="control characters"):
        options.text("a\x1b[2Jb", WHERE)


@pytest.mark.parametrize("value", ["Cache", "a_b", "-a", "a-", "a.b", " a", "a\n", "a" * 64, 5])
def test_a_name_is_a_dns_label(value: t.Any) -> None:
    with pytest.raises(LockdownError, match="is not a DNS label"):
        options.dns_label(value, WHERE)


def test_a_name_that_is_missing_is_said_to_be_missing() -> None:
    with pytest.raises(LockdownError, match="some_option: it is not set"):
        options.dns_label(None, WHERE)


def test_a_wrong_choice_names_the_nearest_one() -> None:
    with pytest.raises(LockdownError, match="'tick' is none of thin, thick, custom; the nearest one is thick"):
        options.choice("tick", WHERE, ("thin", "thick", "custom"))


@pytest.mark.parametrize("value", [None, ["thin"], {"a": 1}, 5])
def test_a_choice_of_another_type_is_an_error(value: t.Any) -> None:
    with pytest.raises(LockdownError, match="is none of thin"):
        options.choice(value, WHERE, ("thin",))


def test_unknown_variables_are_named_with_the_nearest_known_one() -> None:
    known = ["ignite_lockdown_clients", "ignite_lockdown_ports"]
    errors = options.unknown_variables(
        ["ignite_lockdown_ports", "ignite_lockdown_client", "ignite_lockdown_zzz"], known
    )
    assert [error.code for error in errors] == ["unknown_variable"] * 2
    assert "ignite_lockdown_client: " in str(errors[0])
    assert "the nearest one is ignite_lockdown_clients" in str(errors[0])


def test_an_unknown_key_is_named_with_the_nearest_known_one() -> None:
    with pytest.raises(LockdownError, match="unknown key 'nam'; the nearest one is name"):
        options.reject_unknown(["nam"], ["name", "kind"], WHERE)


def test_failures_are_collected_once() -> None:
    errors: list[LockdownError] = []
    for _ in range(2):
        with options.collected(errors):
            options.port(None, WHERE)
    assert len(errors) == 1
