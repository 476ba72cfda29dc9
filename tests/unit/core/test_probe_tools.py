# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts themselves, run by this machine's bash and Python against sockets on loopback."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from ansible_collections.netguard.lockdown.plugins.module_utils._core import probe_tools as tools
from ansible_collections.netguard.lockdown.plugins.module_utils._core.probe_tools import Batch, Destination

LOOPBACK = "127.0.0.1"
SECONDS = 2
Address = tuple[str, int]


@pytest.fixture(params=["python3", "bash"])
def tool(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server() -> Iterator[Address]:
    with socket.create_server((LOOPBACK, 0)) as listener:
        yield listener.getsockname()


@pytest.fixture
def full() -> Iterator[Address]:
    """A listener whose queue is full: the kernel drops further packets, as policy engines do."""
    with socket.create_server((LOOPBACK, 0), backlog=0) as listener, contextlib.ExitStack() as held:
        for _ in range(3):
            link = held.enter_context(socket.socket())
            link.setblocking(False)
            link.connect_ex(listener.getsockname())
        time.sleep(0.1)
        yield listener.getsockname()


def resolver(answer: bytes | None) -> contextlib.AbstractContextManager[Address]:
    """A UDP server that answers one query with the query's id and this, or not at all."""

    @contextlib.contextmanager
    def run() -> Iterator[Address]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.bind((LOOPBACK, 0))
            link.settimeout(5)

            def serve() -> None:
                query, peer = link.recvfrom(512)
                if answer is not None:
                    link.sendto(answer or query, peer)

            thread = threading.Thread(target=serve)
            thread.start()
            yield link.getsockname()
            thread.join()

    return run()


def attempt(tool: str, *destinations: Destination, listener: Address | None = None) -> list[tools.Observation]:
    batch = Batch(tool, destinations, SECONDS, listener)
    began = time.monotonic()
    answer = subprocess.run(batch.command(), capture_output=True, text=True, timeout=30, check=False)
    return batch.read(answer.stdout, time.monotonic() - began)


def outcomes(tool: str, *destinations: Destination, listener: Address | None = None) -> list[str]:
    return [seen.outcome for seen in attempt(tool, *destinations, listener=listener)]


def test_tcp(tool: str, server: Address, full: Address) -> None:
    with socket.create_server((LOOPBACK, 0)) as closed:
        nobody = closed.getsockname()
    targets = [Destination(tools.TCP, *address) for address in (server, full, nobody)]
    assert outcomes(tool, *targets, listener=server) == ["connected", "timed_out", "refused"]


def test_a_dns_server_that_answers(tool: str) -> None:
    with resolver(b"") as address:
        assert outcomes(tool, tools.dns_destination("UDP", *address, "10.96.0.1")) == ["dns_answered"]


def test_a_dns_server_that_stays_silent(tool: str) -> None:
    with resolver(None) as address:
        assert outcomes(tool, tools.dns_destination("UDP", *address, "10.96.0.1")) == ["timed_out"]


def test_something_else_than_a_dns_server(tool: str) -> None:
    with resolver(b"what do you want from me") as address:
        assert outcomes(tool, tools.dns_destination("UDP", *address, "10.96.0.1")) == ["dns_failed"]


def test_nobody_at_a_udp_port(tool: str) -> None:
    assert outcomes(tool, tools.dns_destination("UDP", LOOPBACK, 2, "10.96.0.1")) == ["refused"]


@pytest.mark.parametrize(("answer", "expected"), [(True, "dns_answered"), (False, "dns_failed")])
def test_dns_over_tcp(tool: str, answer: bool, expected: str) -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:

        def serve() -> None:
            link, _peer = listener.accept()
            with link:
                link.settimeout(5)
                query = link.recv(512)
                assert struct.unpack_from("!H", query)[0] == len(query) - 2
                if answer:
                    link.sendall(query)
                with contextlib.suppress(ConnectionError):
                    link.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        address: Address = listener.getsockname()
        assert outcomes(tool, tools.dns_destination("TCP", *address, "10.96.0.1")) == [expected]
        thread.join()


def test_nothing_is_left_running(server: Address, full: Address) -> None:
    began = time.monotonic()
    targets = [Destination(tools.TCP, *server)] * 8
    assert outcomes("bash", *targets) == ["connected"] * 8
    assert time.monotonic() - began < SECONDS
    attempt("bash", Destination(tools.TCP, *full))
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "probe-0" not in listed


@pytest.mark.parametrize("fault", ["sleep", "refused", "silence", "connects to anything"])
def test_a_tool_that_does_not_work_blocks_nothing(fault: str) -> None:
    batch = Batch("bash", (Destination(tools.TCP, "10.0.0.1", 80),), 3, (LOOPBACK, 47500))
    good = ["probe-1: connect: Connection refused", "probe-2: =connected"]
    said, elapsed = {
        "sleep": (["probe-0: =timed_out", *good], 0.2),
        "refused": (["probe-0: =timed_out", "probe-1: =timed_out", "probe-2: =timed_out"], 3.1),
        "silence": ([], 3.1),
        "connects to anything": (["probe-0: =connected", "probe-1: =connected", "probe-2: =connected"], 0.2),
    }[fault]
    (seen,) = batch.read("\n".join(said), elapsed)
    assert seen.outcome == "failed"
    assert "cannot be trusted" in seen.text
    assert batch.read("\n".join(["probe-0: =timed_out", *good]), 3.1)[0].outcome == "timed_out"


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("connect: Connection refused", "refused"),
        ("connect: Connection timed out", "timed_out"),
        ("connect: Operation timed out", "timed_out"),
        ("nc: timed out", "timed_out"),
        ("connect: No route to host", "unreachable"),
        ("connect: Host is unreachable", "unreachable"),
        ("connect: Network unreachable", "unreachable"),
        ("nc: can't connect to remote host (10.0.0.1): Operation not permitted", "unreachable"),
        ("bash: Permission denied", "failed"),
        ("nc: bad address", "failed"),
        ("", "failed"),
    ],
)
def test_what_systems_say(said: str, outcome: str) -> None:
    batch = Batch("nc", (Destination(tools.TCP, "10.0.0.1", 80),), 3)
    output = f"probe-0: {said}\nprobe-1: nc: can't connect to remote host (127.0.0.1): Connection refused\n"
    assert batch.read(output, 3.1)[0].outcome == outcome


def test_parameters_are_words_of_their_own() -> None:
    command = Batch("bash", (Destination(tools.TCP, "10.0.0.1; reboot", 80),), 3).command()
    assert "10.0.0.1; reboot" in command
    assert all("reboot" not in word for word in command if word != "10.0.0.1; reboot")


@pytest.mark.parametrize(
    ("found", "best"), [("nc\nbash\npython3\n", "python3"), ("bash\nnc\n", "bash"), ("nc\n", "nc"), ("", None)]
)
def test_the_best_tool_is_chosen(found: str, best: str | None) -> None:
    assert tools.choose(found) == best


def test_this_machines_tools_are_found() -> None:
    found = subprocess.run(tools.FIND, capture_output=True, text=True, check=True).stdout
    assert {"python3", "bash"} <= set(found.split())


def test_a_query_holds_no_newline() -> None:
    """A shell would send it as two."""
    for address in ("10.96.0.10", "10.10.10.10", "fd00::a"):
        for protocol in ("UDP", "TCP"):
            query = tools.dns_destination(protocol, LOOPBACK, 53, address).query
            assert b"\n" not in query[2:]
