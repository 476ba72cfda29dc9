# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison of verdicts with live probes itself: it must be able to fail."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from small import API_ENDPOINTS, cluster, egress

from enforced.table import Table
from enforced.verdicts import Verdicts, address_of
from lab.cluster.addresses import OUTSIDE_ADDRESS

SOURCE = "10.244.1.10"
OUT, OWN, DNS = "tcp://203.0.113.10:4444", f"tcp://{SOURCE}:47500", "dns+udp://10.96.0.10:53/a.example"


def compared(*steps: tuple[bool, dict[str, str]]) -> Table:
    """A table with the probes of a test, each with or without a policy that closes the way out."""
    table, judged = Table("kube-network-policies"), Verdicts("kube-network-policies")
    for closed, seen in steps:
        judged.add([*cluster(), *([egress()] if closed else [])], SOURCE, seen)
    judged.record(table, "test")
    return table


def test_what_is_alike_passes() -> None:
    seen = {OUT: "timed out", OWN: "refused", DNS: "timed out", f"tcp://{API_ENDPOINTS[0]}:6443": "timed out"}
    table = compared((False, {OUT: "connected", DNS: "answered"}), (True, seen))
    assert [(row.cell, row.observed) for row in table.rows] == [("verdicts like the probes", "6 of 6")]


@pytest.mark.parametrize(
    ("closed", "target", "live", "expected"),
    [
        (True, OUT, "connected", "denied"),
        (True, OUT, "refused", "denied"),
        (False, OUT, "timed out", "allowed"),
        (True, OWN, "timed out", "allowed"),
        (True, DNS, "answered", "denied"),
        (False, OUT, "unreachable (EHOSTUNREACH)", "allowed"),
        (False, "dns+udp://10.96.0.10:54/a.example", "refused", "inconclusive"),
    ],
)
def test_a_difference_is_told_and_fails(closed: bool, target: str, live: str, expected: str) -> None:
    with pytest.raises(AssertionError, match=r"0 of 1[\s\S]*expected " + expected):
        compared((closed, {target: live}))


def test_the_last_probe_in_a_state_counts() -> None:
    """Until the engine has taken a change in, connections still go through; but it must take it in."""
    assert len(compared((True, {OUT: "connected"}), (True, {OUT: "timed out"})).rows) == 1
    with pytest.raises(AssertionError):
        compared((True, {OUT: "timed out"}), (True, {OUT: "connected"}))


def test_without_a_probe_nothing_is_recorded() -> None:
    assert not compared().rows


def test_a_place_has_its_address() -> None:
    networks = {SOURCE: Path("/proc/1/root/run/netns/cni-1")}
    lab = SimpleNamespace(_networks=networks)
    assert address_of(lab, ["nsenter", f"--net={networks[SOURCE]}"]) == SOURCE  # type: ignore[arg-type]
    assert address_of(lab, ["nsenter", "--net=/run/netns/outside"]) == OUTSIDE_ADDRESS  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        address_of(lab, ["nsenter", "--net=/run/netns/cni-2"])  # type: ignore[arg-type]
