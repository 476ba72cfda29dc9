# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stream of changes, and when to look."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.watch import stream
from ansible_collections.netguard.lockdown.plugins.module_utils._core.watch.pace import Backoff, Pace
from ansible_collections.netguard.lockdown.plugins.module_utils._core.watch.stream import (
    Change,
    ExpiredError,
    Lines,
    read_change,
)


def line(kind: str, /, **obj: object) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode()


@given(st.lists(st.integers(1, 40), max_size=20))
def test_lines_are_the_same_however_the_network_cuts_them(cuts: list[int]) -> None:
    rest = b'{"a": 1}\n\n{"b": "\xc3\xa4"}\n{"c": 3}\n{"half'
    lines, found = Lines(), []
    for cut in [*cuts, len(rest)]:
        piece, rest = rest[:cut], rest[cut:]
        found += lines.feed(piece)
    assert found == [b'{"a": 1}', b'{"b": "\xc3\xa4"}', b'{"c": 3}']


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_LONGEST_LINE", 10)
    with pytest.raises(LockdownError, match="more than 10 bytes"):
        Lines().feed(b"01234567890")


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
def test_a_change_tells_its_version(kind: str) -> None:
    assert read_change(line(kind, metadata={"resourceVersion": "7"})) == Change("7", is_bookmark=False)


def test_a_bookmark_is_no_change() -> None:
    assert read_change(line("BOOKMARK", metadata={"resourceVersion": "8"})) == Change("8", is_bookmark=True)


def test_410_asks_to_read_everything_anew() -> None:
    with pytest.raises(ExpiredError, match="too old"):
        read_change(line("ERROR", kind="Status", code=410, message="too old resource version"))


def test_another_error_of_the_server_is_told() -> None:
    with pytest.raises(LockdownError, match="etcd is away") as caught:
        read_change(line("ERROR", kind="Status", code=500, message="etcd is away"))
    assert caught.value.code == "watch_failed"


@pytest.mark.parametrize(
    "bad",
    [b"<html>", b"[]", b"7", b'{"type": "ADDED"}', line("ADDED"), line("NEWS", metadata={"resourceVersion": "1"}),
     b'{"type": "ADDED", "object": 3}'],
)  # fmt: skip
def test_what_is_no_change_is_an_error(bad: bytes) -> None:
    with pytest.raises(LockdownError) as caught:
        read_change(bad)
    assert caught.value.code == "watch_garbled"


def test_nothing_is_due_without_a_change() -> None:
    assert Pace(0.3, 5).due is None


def test_it_is_due_when_changes_pause_and_in_any_case_after_a_while() -> None:
    pace = Pace(0.3, 0)
    pace.touch(10.0)
    assert pace.due == pytest.approx(10.3)
    pace.touch(10.2)
    assert pace.due == pytest.approx(10.5)
    for tenth in range(3, 30):
        pace.touch(10.0 + tenth / 10)
    assert pace.due == pytest.approx(11.2)


def test_after_an_event_it_waits_but_forgets_nothing() -> None:
    pace = Pace(0.3, 5)
    pace.touch(10.0)
    pace.looked()
    pace.told(10.4)
    assert pace.due is None
    pace.touch(11.0)
    assert pace.due == pytest.approx(15.4)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_waits_grow_to_a_bound_and_are_never_nothing(numbers: list[float]) -> None:
    source = iter(numbers)
    backoff = Backoff(lambda: next(source), shortest=0.2, longest=5.0)
    waits = [backoff.next() for _number in numbers]
    assert all(0.1 <= wait <= 5.0 for wait in waits)
    assert waits[0] <= 0.2


def test_after_success_the_first_wait_is_short_again() -> None:
    backoff = Backoff(lambda: 1.0)
    assert [backoff.next() for _try in range(7)] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    backoff.reset()
    assert backoff.next() == 0.2
