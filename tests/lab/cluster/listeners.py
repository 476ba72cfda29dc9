# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listeners for the far ends of probes: they answer whoever comes and log each visitor as a line of JSON.

Usage: listeners.py KIND=ADDRESS:PORT …    KIND: echo (TCP), http, dns (UDP and TCP)
The DNS resolver answers every question for an address with ANSWER, and other questions with no record.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import time
import typing as t

ANSWER = "203.0.113.10"
TYPE_A = 1
HEADER = struct.Struct("!6H")
PAGE = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def log(**fields: t.Any) -> None:
    """One line per visitor; `time` is in seconds since the epoch."""
    print(json.dumps({"time": time.time(), **fields}), flush=True)


def answer(query: bytes) -> tuple[str, bytes]:
    """The name that a DNS query asks for, and the reply to it."""
    identity, _, questions, *_ = HEADER.unpack_from(query)
    labels, position = [], HEADER.size
    while length := query[position]:
        labels.append(query[position + 1 : position + 1 + length].decode("ascii", "replace"))
        position += 1 + length
    question = query[HEADER.size : position + 5]
    (kind,) = struct.unpack_from("!H", query, position + 1)
    record = b""
    if kind == TYPE_A:
        # A pointer to the name in the question, type A, class IN, no caching, four bytes of address.
        record = struct.pack("!HHHIH", 0xC00C, TYPE_A, 1, 0, 4) + socket.inet_aton(ANSWER)
    flags = 0x8180  # a response, recursion desired and available, no error
    header = HEADER.pack(identity, flags, questions, 1 if record else 0, 0, 0)
    return ".".join(labels).lower(), header + question + record


class Resolver(asyncio.DatagramProtocol):
    """DNS over UDP."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = t.cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[t.Any, ...]) -> None:
        name, reply = answer(data)
        log(kind="dns", transport="udp", peer=address[0], name=name)
        self._transport.sendto(reply, address)


async def resolve_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """DNS over TCP: each message follows its length."""
    try:
        while True:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            name, reply = answer(await reader.readexactly(length))
            log(kind="dns", transport="tcp", peer=peer(writer), name=name)
            writer.write(struct.pack("!H", len(reply)) + reply)
    except (asyncio.IncompleteReadError, OSError):
        writer.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    log(kind="echo", peer=peer(writer), port=port(writer))
    try:
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()


async def serve_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    log(kind="http", peer=peer(writer), port=port(writer))
    try:
        await reader.read(4096)
        writer.write(PAGE)
        await writer.drain()
    except OSError:
        pass
    writer.close()


def peer(writer: asyncio.StreamWriter) -> str:
    return str(writer.get_extra_info("peername")[0])


def port(writer: asyncio.StreamWriter) -> int:
    return int(writer.get_extra_info("sockname")[1])


async def start(kind: str, address: str, number: int) -> None:
    handler = {"echo": echo, "http": serve_page, "dns": resolve_tcp}[kind]
    await asyncio.start_server(handler, address, number)
    if kind == "dns":
        await asyncio.get_running_loop().create_datagram_endpoint(Resolver, local_addr=(address, number))


async def main(listeners: list[str]) -> None:
    for listener in listeners:
        kind, _, where = listener.partition("=")
        address, _, number = where.rpartition(":")
        await start(kind, address, int(number))
    log(kind="ready")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
