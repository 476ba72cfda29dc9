# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of the kernel: both families, all states, and the machine's own as the real thing."""

from __future__ import annotations

import socket
import subprocess

import pytest

from ansible_collections.netguard.lockdown.plugins.module_utils._core import sockets
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
REST = "00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0\n"


def line(local: str, remote: str, state: str) -> str:
    return f"   0: {local} {remote} {state} {REST}"


def only(protocol: str, text: str) -> sockets.Socket:
    (found,) = sockets.parse_table(protocol, HEAD + text, "pod a/b")
    return found


def test_ipv4() -> None:
    found = only("TCP", line("0300F40A:B98C", "0A7100CB:115C", "01"))
    assert (str(found.local), found.local_port) == ("10.244.0.3", 0xB98C)
    assert (str(found.remote), found.remote_port) == ("203.0.113.10", 4444)
    assert found.state == "ESTABLISHED"
    assert found.connects
    assert not found.listens


def test_ipv6_and_ipv4_in_it() -> None:
    six = only("TCP", line("B80D0120000000000000000001000000:0050", "B80D0120000000000000000002000000:1234", "01"))
    assert (str(six.local), str(six.remote)) == ("2001:db8::1", "2001:db8::2")
    mapped = only("TCP", line("0000000000000000FFFF00000300F40A:B98C", "0000000000000000FFFF00000400F40A:B98C", "01"))
    assert (str(mapped.local), str(mapped.remote)) == ("10.244.0.3", "10.244.0.4")


@pytest.mark.parametrize(
    ("state", "connects"),
    [("01", True), ("02", False), ("04", False), ("05", True), ("06", False), ("08", True), ("0A", False)],
)
def test_states(state: str, connects: bool) -> None:
    assert only("TCP", line("0300F40A:B98C", "0400F40A:B98C", state)).connects is connects


@pytest.mark.parametrize("remote", ["0100007F:0050", "00000000:0000"])
def test_loopback_and_nobody_are_no_other_host(remote: str) -> None:
    assert not only("TCP", line("0100007F:1234", remote, "01")).connects


def test_udp() -> None:
    assert only("UDP", line("00000000:0035", "00000000:0000", "07")).listens
    connected = only("UDP", line("0300F40A:B98C", "0A7100CB:0035", "01"))
    assert connected.connects
    assert not connected.listens


def test_direction_follows_the_listener() -> None:
    table = line("00000000:B98C", "00000000:0000", "0A")
    table += line("0300F40A:B98C", "0400F40A:D431", "01") + line("0300F40A:9C40", "0400F40A:B98C", "01")
    found = sockets.parse_table("TCP", HEAD + table, "pod a/b")
    listeners = sockets.listening(found)
    assert listeners == {("TCP", 47500)}
    assert [sockets.direction(entry, listeners) for entry in found if entry.connects] == ["ingress", "egress"]


def test_a_listener_on_loopback_takes_nothing_from_others() -> None:
    assert not sockets.listening([only("TCP", line("0100007F:B98C", "00000000:0000", "0A"))])


@pytest.mark.parametrize("text", ["", "== tcp\n", "== tcp\nsl\n== tcp6\n", "sh: cat: not found\n"])
def test_half_a_listing_is_an_error(text: str) -> None:
    with pytest.raises(LockdownError, match=r"pod a/b.*not complete"):
        sockets.parse_listing(text, "pod a/b")


@pytest.mark.parametrize("text", ["   0: 0300F40A\n", line("zz:1", "0400F40A:B98C", "01"), line("00:1", "00:1", "01")])
def test_a_line_of_another_form_is_an_error(text: str) -> None:
    with pytest.raises(LockdownError, match="another form"):
        sockets.parse_table("TCP", HEAD + text, "pod a/b")


def test_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        answer = subprocess.run(sockets.LISTING, capture_output=True, text=True, check=True)
        here, there = client.getsockname(), server.getsockname()
    found = sockets.parse_listing(answer.stdout, "this machine")
    ends = {(str(entry.local), entry.local_port): entry for entry in found if entry.remote_port == there[1]}
    assert (str(ends[here].remote), ends[here].state) == (there[0], "ESTABLISHED")
    assert any(entry.listens and entry.local_port == there[1] for entry in found)
