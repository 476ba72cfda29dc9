# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The undo record: what a rollback restores, after whatever happened before."""

from __future__ import annotations

import typing as t

import pytest
from policies import IGNITE, INSTANCE, PEER_RULE, allow, deny_all, foreign, live

from ansible_collections.netguard.lockdown.plugins.module_utils._core import undo
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.plan import Wanted, make_plan
from ansible_collections.netguard.lockdown.plugins.module_utils._core.policy import name_of

Json = dict[str, t.Any]
TIGHT = [allow(), deny_all()]
LOOSE = [allow(egress=[{"to": [{"podSelector": IGNITE}]}]), deny_all()]
BY_HAND = foreign("by-hand", IGNITE, ingress=[PEER_RULE])


class World:
    """A namespace without a cluster: plans are carried out on a list."""

    def __init__(self, *served: Json) -> None:
        self.served: dict[str, Json] = {name_of(item): item for item in served}
        self.history = undo.History()

    def run(
        self, wanted: Wanted, operation: str = undo.APPLY, *, killed_after: int | None = None, **more: t.Any
    ) -> None:
        made = make_plan(wanted, list(self.served.values()), instance=INSTANCE)
        if not made.writes:
            return
        # Through the ConfigMap's text, as another process would see it.
        past = undo.load(undo.dump(self.history))
        self.history = past.begin(
            made, instance=INSTANCE, operation=operation, now="2026-01-01T00:00:00Z", by="me", plan_digest="d", **more
        )
        for change in made.writes[:killed_after]:
            self.served.pop(change.name, None)
            if change.action == "restore":
                self.served[change.name] = BY_HAND
            elif change.after:
                self.served[change.name] = live(dict(change.after))
        if killed_after is None:
            self.history = self.history.mark(undo.APPLIED)

    def roll_back(self, to: str = undo.LAST_VERIFIED) -> int:
        target = self.history.target(to)
        self.run(self.history.wanted(target), undo.ROLLBACK, restores=target.number)
        return target.number

    def specs(self) -> dict[str, Json]:
        return {name: item["spec"] for name, item in sorted(self.served.items())}


def test_rollback_of_the_first_lock_down_restores_what_stood_before() -> None:
    world = World(BY_HAND)
    before = world.specs()
    world.run(Wanted(TIGHT, replace=["by-hand"]))
    assert sorted(world.served) == ["allow", "deny-all"]
    assert world.roll_back() == 0
    assert world.specs() == before


def test_rollback_of_an_update_restores_the_revision_before() -> None:
    world = World()
    world.run(Wanted(TIGHT))
    before = world.specs()
    world.run(Wanted(LOOSE))
    assert world.roll_back() == 1
    assert world.specs() == before


def test_a_repeated_rollback_goes_no_further() -> None:
    world = World()
    world.run(Wanted(TIGHT))
    world.run(Wanted(LOOSE))
    assert [world.roll_back(), world.roll_back(), world.roll_back()] == [1, 1, 1]


def test_rollback_prefers_what_was_verified_over_what_was_only_applied() -> None:
    world = World()
    world.run(Wanted(TIGHT))
    world.history = world.history.mark(undo.VERIFIED)
    world.run(Wanted(LOOSE))
    world.run(Wanted([allow(ingress=[]), deny_all()]))
    assert world.roll_back() == 1


@pytest.mark.parametrize("killed_after", range(4))
def test_a_killed_first_run_can_be_undone(killed_after: int) -> None:
    world = World(BY_HAND)
    before = world.specs()
    world.run(Wanted(TIGHT, replace=["by-hand"]), killed_after=killed_after)
    world.roll_back()
    assert world.specs() == before


@pytest.mark.parametrize("killed_after", range(4))
def test_a_killed_first_run_can_be_completed_and_then_undone(killed_after: int) -> None:
    world = World(BY_HAND)
    before = world.specs()
    world.run(Wanted(TIGHT, replace=["by-hand"]), killed_after=killed_after)
    world.run(Wanted(TIGHT, replace=["by-hand"]))
    assert sorted(world.served) == ["allow", "deny-all"]
    world.roll_back("0")
    assert world.specs() == before


def test_a_run_that_was_killed_after_its_last_write_counts_as_applied() -> None:
    world = World()
    world.run(Wanted(TIGHT), killed_after=2)
    world.run(Wanted(LOOSE))
    assert world.roll_back() == 1


def test_the_lock_down_can_be_rolled_forward_again_by_number() -> None:
    world = World(BY_HAND)
    world.run(Wanted(TIGHT, replace=["by-hand"]))
    world.roll_back()
    world.roll_back("1")
    assert sorted(world.served) == ["allow", "deny-all"]


def test_the_record_stays_small_and_keeps_baseline_and_verified() -> None:
    world = World(BY_HAND)
    world.run(Wanted(TIGHT, replace=["by-hand"]))
    world.history = world.history.mark(undo.VERIFIED)
    for turn in range(30):
        world.run(Wanted(LOOSE if turn % 2 == 0 else TIGHT))
    numbers = [revision.number for revision in world.history.revisions]
    assert numbers[:2] == [0, 1]
    assert len(numbers) == 12


def test_nothing_to_roll_back_to_is_an_error() -> None:
    with pytest.raises(LockdownError, match="no undo record"):
        undo.History().target(undo.LAST_VERIFIED)
    world = World()
    world.run(Wanted(TIGHT))
    with pytest.raises(LockdownError, match="no revision 7"):
        world.history.target("7")


@pytest.mark.parametrize("data", [{}, {"history.json": "{"}, {"history.json": '{"schema": 99, "revisions": []}'}])
def test_an_unreadable_record_is_an_error(data: dict[str, str]) -> None:
    with pytest.raises(LockdownError) as caught:
        undo.load(data)
    assert caught.value.code == "undo_record_unreadable"


def test_a_record_that_does_not_fit_is_an_error_before_any_write() -> None:
    rules = [{"to": [{"ipBlock": {"cidr": f"192.0.2.{number % 256}/32"}}]} for number in range(25000)]
    made = make_plan(Wanted([allow(egress=rules)]), [], instance=INSTANCE)
    history = undo.History().begin(made, instance=INSTANCE, operation=undo.APPLY, now="", by="", plan_digest="")
    with pytest.raises(LockdownError, match="ConfigMap holds"):
        undo.dump(history)
