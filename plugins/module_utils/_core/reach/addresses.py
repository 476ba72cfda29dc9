# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Address ranges as pairs of integers, and the address space split at every border that matters."""

from __future__ import annotations

import ipaddress
import typing as t
from bisect import bisect_left, bisect_right

from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import Network

IPV4, IPV6 = 4, 6
FAMILIES = (IPV4, IPV6)
_BITS = {IPV4: 32, IPV6: 128}


class Point(t.NamedTuple):
    """One address."""

    family: int
    number: int

    def __str__(self) -> str:
        return str(_address(self.family, self.number))


class Range(t.NamedTuple):
    """The addresses from the first to the last, both included."""

    family: int
    first: int
    last: int

    def holds(self, at: Point) -> bool:
        return self.family == at.family and self.first <= at.number <= self.last

    def describe(self) -> list[str]:
        """The range as CIDR blocks."""
        ends: t.Any = (_address(self.family, self.first), _address(self.family, self.last))
        return [str(block) for block in ipaddress.summarize_address_range(*ends)]


def point(text: str) -> Point:
    """Raises ValueError for text that is no address."""
    address = ipaddress.ip_address(text)
    return Point(address.version, int(address))


def of_network(network: Network) -> Range:
    return Range(network.version, int(network.network_address), int(network.broadcast_address))


# Valid on one link only, so a node may answer there that does not list the address. No node is the metadata service of
# clouds in the midst of them.
_METADATA = point("169.254.169.254")
LINK_LOCAL = (
    Range(IPV4, point("169.254.0.0").number, _METADATA.number - 1),
    Range(IPV4, _METADATA.number + 1, point("169.254.255.255").number),
    of_network(ipaddress.ip_network("fe80::/10")),
)


class Space:
    """The addresses of one family as numbered cells; every range that was given is a run of whole cells."""

    def __init__(self, family: int, ranges: t.Iterable[Range]) -> None:
        self.family = family
        borders = {0}
        for each in ranges:
            borders.add(each.first)
            borders.add(each.last + 1)
        end = 1 << _BITS[family]
        self._starts = sorted(borders - {end})
        self._end = end

    def __len__(self) -> int:
        return len(self._starts)

    def cell_of(self, number: int) -> int:
        return bisect_right(self._starts, number) - 1

    def cells_of(self, each: Range) -> tuple[int, int]:
        """The numbers of the first cell and of the one after the last."""
        return bisect_left(self._starts, each.first), bisect_left(self._starts, each.last + 1)

    def range_of(self, cell: int) -> Range:
        after = self._starts[cell + 1] if cell + 1 < len(self._starts) else self._end
        return Range(self.family, self._starts[cell], after - 1)


def _address(family: int, number: int) -> t.Any:
    return ipaddress.IPv4Address(number) if family == IPV4 else ipaddress.IPv6Address(number)
