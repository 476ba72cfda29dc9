# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and blocks."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netguard.lockdown.plugins.module_utils._core import cidr
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError


@pytest.mark.parametrize(
    "text", ["", "10.0.0", "10.0.0.1/32", "host", "10.0.0.256", " 10.0.0.1", 167772161, None, b"\x0a\0\0\1"]
)
def test_what_is_no_address_is_an_error_with_its_place(text: t.Any) -> None:
    with pytest.raises(LockdownError) as error:
        cidr.parse_address(text, "field x")
    assert error.value.code == "invalid_address"
    assert "field x" in str(error.value)


@pytest.mark.parametrize("text", ["", "10.0.0.0", "10.0.0.1/24", "10.0.0.0/33", "2001:db8::/129", "a/24", 10, None])
def test_what_is_no_block_is_an_error_with_its_place(text: t.Any) -> None:
    with pytest.raises(LockdownError) as error:
        cidr.parse_network(text, "field x")
    assert error.value.code == "invalid_address"
    assert "field x" in str(error.value)


@given(st.ip_addresses())
def test_a_host_block_holds_one_address(address: cidr.Address) -> None:
    block = cidr.host_network(address)
    assert (block.num_addresses, block.network_address) == (1, address)


@pytest.mark.parametrize(
    "text", ["169.254.169.254", "169.254.20.10", "fe80::1", "fd00:ec2::254", "100.100.100.200", "192.0.0.192"]
)
def test_metadata_addresses_are_known(text: str) -> None:
    assert cidr.is_metadata(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["169.253.0.1", "fd00:ec2::253", "100.100.100.201", "10.0.0.1"])
def test_their_neighbours_are_not(text: str) -> None:
    assert not cidr.is_metadata(ipaddress.ip_address(text))


def test_overlap_knows_both_directions_and_keeps_families_apart() -> None:
    wide, narrow, other = (ipaddress.ip_network(text) for text in ("10.0.0.0/8", "10.1.0.0/16", "::/0"))
    assert cidr.overlapping(wide, [narrow, other]) == [narrow]
    assert cidr.overlapping(narrow, [wide, other]) == [wide]
