# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and CIDR blocks: exact prefixes, and what must never become a peer by accident."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

Address: t.TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: t.TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# Instance metadata services hand out credentials: link-local in both families, the addresses of
# AWS (IPv6), Oracle and Alibaba Cloud outside of it.
METADATA_NETWORKS: tuple[Network, ...] = tuple(
    ipaddress.ip_network(block)
    for block in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32", "192.0.0.192/32")
)


def parse_address(text: t.Any, where: str) -> Address:
    """An IP address, or an error that names the place it came from."""
    try:
        return ipaddress.ip_address(text) if isinstance(text, str) else _not_text(text)
    except ValueError as error:
        raise _invalid("address", text, where, str(error)) from error


def parse_network(text: t.Any, where: str) -> Network:
    """A CIDR block; host bits that are set are an error, as for the API server's validation of new objects."""
    try:
        if not isinstance(text, str) or "/" not in text:
            raise ValueError("a CIDR block has the form ADDRESS/PREFIX")
        return ipaddress.ip_network(text, strict=True)
    except ValueError as error:
        raise _invalid("CIDR block", text, where, str(error)) from error


def host_network(address: Address) -> Network:
    """The block that holds this one address: /32 for IPv4, /128 for IPv6."""
    return ipaddress.ip_network(address)


def is_metadata(address: Address) -> bool:
    return any(address.version == block.version and address in block for block in METADATA_NETWORKS)


def overlapping(network: Network, others: t.Iterable[Network]) -> list[Network]:
    """Those of the other blocks that share an address with this one."""
    return [other for other in others if _overlaps(network, other)]


def _overlaps(one: Network, other: Network) -> bool:
    return one.version == other.version and t.cast("t.Any", one).overlaps(other)


def _not_text(value: t.Any) -> Address:
    raise ValueError(f"{value!r} is not text")


def _invalid(what: str, text: t.Any, where: str, why: str) -> LockdownError:
    return LockdownError("invalid_address", f"Invalid {what} {text!r} in {where}", why, f"Correct {where}")
