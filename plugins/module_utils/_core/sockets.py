# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The open sockets of a pod, from the tables of its kernel (/proc/net/tcp, tcp6, udp, udp6)."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import Address
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

TABLES = {"tcp": "TCP", "tcp6": "TCP", "udp": "UDP", "udp6": "UDP"}
# Before each table in the output of LISTING.
_MARK = "== "
# Needs a shell and cat only. A kernel without IPv6 has no tcp6 and udp6.
LISTING = (
    "sh",
    "-c",
    'for table in tcp tcp6 udp udp6; do echo "== $table"; [ ! -e "/proc/net/$table" ] || cat "/proc/net/$table"; done',
)

# The kernel's enum tcp_states, which UDP sockets borrow from.
_STATES = (
    "UNKNOWN",
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "NEW_SYN_RECV",
)
# In these states data can still come in or go out.
_CARRYING = ("ESTABLISHED", "FIN_WAIT2", "CLOSE_WAIT")


@dataclass(frozen=True)
class Socket:
    """One line of a table; an IPv4 address in its IPv6 form is given as IPv4."""

    protocol: str
    local: Address
    local_port: int
    remote: Address
    remote_port: int
    state: str

    @property
    def listens(self) -> bool:
        """Whether it takes what comes from anywhere."""
        return self.state == "LISTEN" if self.protocol == "TCP" else self.remote_port == 0

    @property
    def connects(self) -> bool:
        """Whether it carries data to or from one other host."""
        local = self.remote.is_loopback or self.remote.is_unspecified
        return self.state in _CARRYING and self.remote_port != 0 and not local


def parse_listing(text: str, where: str) -> list[Socket]:
    """All sockets in the output of LISTING."""
    sections = [section.partition("\n") for section in f"\n{text}".split(f"\n{_MARK}")[1:]]
    tables = {name.strip(): body for name, _newline, body in sections}
    if set(tables) != set(TABLES) or not tables["tcp"].strip():
        raise _unreadable(where, "the listing is not complete")
    return [found for name, protocol in TABLES.items() for found in parse_table(protocol, tables[name], where)]


def parse_table(protocol: str, text: str, where: str) -> list[Socket]:
    """The sockets of one table."""
    try:
        return [_socket(protocol, line.split()) for line in text.splitlines()[1:] if line.strip()]
    except (ValueError, IndexError) as error:
        raise _unreadable(where, f"a line of its {protocol} table has another form ({error})") from error


def listening(sockets: t.Iterable[Socket]) -> frozenset[tuple[str, int]]:
    """The protocols and ports on which the pod takes connections from other hosts."""
    return frozenset(
        (entry.protocol, entry.local_port) for entry in sockets if entry.listens and not entry.local.is_loopback
    )


def direction(entry: Socket, listeners: t.Container[tuple[str, int]]) -> str:
    """`ingress` where the pod listens on the local port, else it was the pod who connected."""
    return "ingress" if (entry.protocol, entry.local_port) in listeners else "egress"


def _socket(protocol: str, fields: t.Sequence[str]) -> Socket:
    (local, local_port), (remote, remote_port) = _end(fields[1]), _end(fields[2])
    number = int(fields[3], 16)
    state = _STATES[number] if number < len(_STATES) else _STATES[0]
    return Socket(protocol, local, local_port, remote, remote_port, state)


def _end(text: str) -> tuple[Address, int]:
    """An address and port in hexadecimal; the address is words of 32 bits in the order of a little-endian host."""
    digits, _colon, port = text.partition(":")
    words = bytes.fromhex(digits)
    if len(words) not in (4, 16):
        raise ValueError(f"{digits} is no address")
    address = ipaddress.ip_address(b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4)))
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address, int(port, 16)


def _unreadable(where: str, why: str) -> LockdownError:
    return LockdownError(
        "unreadable_sockets",
        f"Cannot list the open sockets of {where}",
        why,
        "Look into the pod, or set sockets to false",
    )
