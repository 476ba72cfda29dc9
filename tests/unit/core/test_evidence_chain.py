# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A chain of evidence: every way to change it is found and named, and a sound one is intact."""

from __future__ import annotations

import copy
import json
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from evidence_builders import UID, Json, collected, packs, run
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import chain, pack
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.chain import PackFile
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.pack import Head
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.plain import file_text

ROOT = Path(__file__).resolve().parents[3]
SCHEMA: Json = json.loads((ROOT / "roles/ignite_lockdown/files/evidence-pack.schema.json").read_text())
SCOPE = (UID, "cache-ns", "ignite")
CHAIN = packs(4)


def files(made: t.Sequence[Json]) -> list[PackFile]:
    return [PackFile(f"{index}/pack.json", file_text(one)) for index, one in enumerate(made, 1)]


def codes(found: chain.Verification) -> list[str]:
    return [problem.code for problem in found.problems()]


def verify(made: t.Sequence[Json], anchor: Head | str | None = "none") -> chain.Verification:
    anchors = None if isinstance(anchor, str) else {SCOPE: anchor}
    return chain.verify(files(made), SCHEMA, anchors)


def resealed(one: Json) -> Json:
    """A pack whose own digests fit again, as a forger would make them."""
    one["facts_digest"] = pack.facts_digest(one)
    one["digest"] = pack.pack_digest(one)
    return one


def leaves(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    """The path of everything in a pack that is not a mapping or a list."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path


def changed(one: Json, path: tuple[t.Any, ...]) -> Json:
    """The pack with another value at the path."""
    made = copy.deepcopy(one)
    place: t.Any = made
    for key in path[:-1]:
        place = place[key]
    before = place[path[-1]]
    place[path[-1]] = before + "x" if isinstance(before, str) else not before if isinstance(before, bool) else 4711
    return made


def test_a_sound_chain_is_intact() -> None:
    found = verify(CHAIN, Head.of(CHAIN[-1]))
    assert codes(found) == []
    record = found.as_record()
    assert (record["verdict"], record["packs"]) == ("intact", 4)
    (only,) = record["chains"]
    assert [one["number"] for one in only["packs"]] == [1, 2, 3, 4]
    assert only["head"] == Head.of(CHAIN[-1]).as_record()
    assert [note["code"] for note in record["notes"]] == ["anchored"]


def test_packs_from_before_the_canary_was_a_part_of_them_are_verified_and_followed() -> None:
    old, new = copy.deepcopy(packs(2))
    for facts in (old["facts"], old["facts"]["parts"]):
        del facts["canary"]
    resealed(old)
    new["previous"]["digest"] = old["digest"]
    found = verify([old, resealed(new)], Head.of(new))
    assert codes(found) == []
    assert found.as_record()["verdict"] == "intact"


def test_equal_input_gives_equal_facts_whoever_runs_it() -> None:
    one = pack.seal(collected(), run(), None)
    other = pack.seal(collected(), run(id="other", by="someone@elsewhere", time="2026-12-01T00:00:00Z"), None)
    assert one["facts_digest"] == other["facts_digest"]
    assert one["digest"] != other["digest"]
    assert file_text(one["facts"]) == file_text(other["facts"])


@given(st.sampled_from(list(leaves(CHAIN[1]))))
def test_no_value_of_a_pack_can_be_changed_unnoticed(path: tuple[t.Any, ...]) -> None:
    found = verify([CHAIN[0], changed(CHAIN[1], path), *CHAIN[2:]])
    assert found.as_record()["verdict"] == "broken"
    assert {problem.path for problem in found.broken} == {"2/pack.json"}
    assert found.problems()[0].code in ("tampered", "not_a_pack")


@given(st.sampled_from([path for path in leaves(CHAIN[1]) if path[0] == "facts" and path[1] != "scope"]))
def test_a_forger_who_fixes_the_digests_breaks_the_link(path: tuple[t.Any, ...]) -> None:
    found = verify([CHAIN[0], resealed(changed(CHAIN[1], path)), *CHAIN[2:]])
    assert set(codes(found)) & {"broken_link", "not_a_pack"}


def test_a_forged_last_pack_is_found_by_the_anchor_only() -> None:
    last = copy.deepcopy(CHAIN[-1])
    last["facts"]["because"] = ["all is well"]
    forged = [*CHAIN[:-1], resealed(last)]
    assert codes(verify(forged)) == []
    assert codes(verify(forged, Head.of(CHAIN[-1]))) == ["other_chain"]


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ([0, 1, 3], ["gap"]),
        ([0, 3], ["gap"]),
        ([1, 2, 3], ["gap"]),
        ([0, 1, 2], ["truncated"]),
        ([0], ["truncated"]),
    ],
)
def test_a_missing_pack_is_named(kept: list[int], expected: list[str]) -> None:
    found = verify([CHAIN[index] for index in kept], Head.of(CHAIN[-1]))
    assert codes(found) == expected
    assert "missing" in found.problems()[0].message


def test_a_pack_put_in_between_and_one_given_twice_are_found() -> None:
    twin = resealed({**copy.deepcopy(CHAIN[1]), "run": {**CHAIN[1]["run"], "id": "twin"}})
    assert "fork" in codes(verify([*CHAIN[:2], twin, *CHAIN[2:]]))


def test_a_pack_that_claims_to_be_later_without_a_link_is_found() -> None:
    loose = resealed({**copy.deepcopy(CHAIN[1]), "previous": None})
    assert "gap" in codes(verify([CHAIN[0], loose]))
    assert codes(verify([loose])) == ["gap"]


def test_an_anchor_that_lags_is_a_note_and_one_that_is_gone_a_problem() -> None:
    found = verify(CHAIN, Head.of(CHAIN[2]))
    assert codes(found) == []
    assert [note.code for note in found.chains[0].notes] == ["anchor_lags"]
    assert codes(verify(CHAIN, None)) == ["anchor_missing"]


def test_an_accepted_gap_is_a_note() -> None:
    after = pack.seal(collected(), run(time="2026-11-20T00:00:00Z"), Head.of(CHAIN[3]), "the volume was lost")
    found = verify([after], Head.of(after))
    assert codes(found) == []
    assert "the volume was lost" in next(n.message for n in found.chains[0].notes if n.code == "accepted_gap")


def test_a_clock_that_goes_back_is_a_note() -> None:
    late = pack.seal(collected(), run(time="2020-01-01T00:00:00Z"), Head.of(CHAIN[3]))
    assert [note.code for note in verify([*CHAIN, late]).chains[0].notes] == ["time_goes_back", "not_anchored"]


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("", "unreadable", "not an evidence pack"),
        ("[]", "unreadable", "not a mapping"),
        ('{"a": 1, "a": 2}', "unreadable", "given twice"),
        ('{"a": NaN}', "unreadable", "NaN"),
        ("[" * 100_000, "unreadable", "not an evidence pack"),
        ("{}", "not_a_pack", "$.format is missing"),
        (json.dumps({**CHAIN[0], "format": "other"}), "not_a_pack", "$.format"),
        (json.dumps({**CHAIN[0], "extra": 1}), "not_a_pack", "$.extra is not foreseen"),
        (json.dumps(CHAIN[0], indent=2), "rewritten", "other bytes"),
    ],
)
def test_a_file_that_is_no_pack_is_named_and_the_others_are_judged(text: str, code: str, word: str) -> None:
    found = chain.verify([PackFile("bad/pack.json", text)], SCHEMA)
    assert codes(found) == [code]
    assert found.problems()[0].path == "bad/pack.json"
    assert word in found.problems()[0].message
    both = chain.verify([PackFile("bad/pack.json", text), *files(packs(2, namespace="other-ns"))], SCHEMA)
    assert len(next(one for one in both.chains if one.scope[1] == "other-ns").links) == 2


@pytest.mark.parametrize(
    ("signature", "signed", "expected"),
    [
        (chain.VERIFIED, True, []),
        (chain.NOT_CHECKED, True, []),
        (chain.ABSENT, False, []),
        (chain.ABSENT, True, ["signature_missing"]),
        (chain.MISSING, True, ["signature_missing"]),
        (chain.MISSING, False, ["signature_missing"]),
        (chain.BAD, True, ["bad_signature"]),
    ],
)
def test_signatures(signature: str, signed: bool, expected: list[str]) -> None:
    kind = {"kind": "sshsig", "namespace": pack.SIGNATURE_NAMESPACE, "identity": "audit"} if signed else None
    made = pack.seal(collected(), run(signature=kind), None)
    assert codes(chain.verify([replace(files([made])[0], signature=signature)], SCHEMA)) == expected


def test_chains_of_several_instances_are_kept_apart() -> None:
    found = chain.verify([*files(packs(2)), *files(packs(3, instance="second"))], SCHEMA)
    assert codes(found) == []
    assert [len(one.links) for one in found.chains] == [2, 3]


def test_the_next_pack_follows_what_is_at_hand() -> None:
    heads = [Head.of(one) for one in CHAIN]
    assert pack.next_after([], None, "") == (None, "")
    assert pack.next_after(heads, None, "") == (heads[-1], "")
    assert pack.next_after(heads, heads[-1], "") == (heads[-1], "")
    assert pack.next_after(heads, heads[1], "") == (heads[-1], "")
    assert pack.next_after([], heads[-1], "moved") == (heads[-1], "moved")
    assert pack.next_after(heads[:2], heads[-1], "moved") == (heads[-1], "moved")


@pytest.mark.parametrize("local", [[], CHAIN[:2]])
def test_a_directory_that_lacks_what_the_cluster_remembers_is_refused(local: list[Json]) -> None:
    with pytest.raises(LockdownError, match="remembers pack 4") as error:
        pack.next_after([Head.of(one) for one in local], Head.of(CHAIN[-1]), "")
    assert error.value.code == "evidence_gap"


def test_nothing_is_added_to_a_broken_chain() -> None:
    chain.require_intact(verify(CHAIN))
    with pytest.raises(LockdownError, match="follows is missing"):
        chain.require_intact(verify([CHAIN[0], CHAIN[2]]))


@pytest.mark.parametrize("record", [None, {}, [], {"number": True}, {**Head.of(CHAIN[0]).as_record(), "number": "1"},
                                    {**Head.of(CHAIN[0]).as_record(), "digest": 5}])  # fmt: skip
def test_a_head_that_somebody_changed_is_an_error(record: t.Any) -> None:
    with pytest.raises(LockdownError, match="Cannot read the chain's head in the ConfigMap"):
        Head.read(record, "the ConfigMap")


def test_the_name_of_a_pack_sorts_by_number() -> None:
    assert pack.name(Head.of(CHAIN[1])) == "000002-20261102T175200Z"
