# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leads loopback ports of this machine to addresses in a network namespace.

Usage: relay.py NAMESPACE PORT=ADDRESS:PORT …
It listens first and enters the namespace then: listening sockets stay in the network where they were made.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
import sys

LOOPBACK = "127.0.0.1"


def main(namespace: str, routes: list[str]) -> None:
    listeners = []
    for route in routes:
        port, target = route.split("=")
        try:
            listener = socket.create_server((LOOPBACK, int(port)))
        except OSError as error:
            sys.exit(
                f"{LOOPBACK}:{port} cannot be listened on ({os.strerror(error.errno or 0)}); see who does, or try again"
            )
        address, target_port = target.split(":")
        listeners.append((listener, address, int(target_port)))
    _enter(namespace)
    asyncio.run(_serve(listeners))


def _enter(namespace: str) -> None:
    handle = os.open(namespace, os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(handle, 0) != 0:
        sys.exit(f"setns {namespace}: {os.strerror(ctypes.get_errno())}")
    os.close(handle)


async def _serve(listeners: list[tuple[socket.socket, str, int]]) -> None:
    servers = [await _start(*listener) for listener in listeners]
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _start(listener: socket.socket, address: str, port: int) -> asyncio.Server:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(address, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))

    return await asyncio.start_server(relay, sock=listener)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
