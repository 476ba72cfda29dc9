# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries to reach targets from the network it runs in, all at once, and prints {target: outcome} as JSON.

Usage: probe.py SECONDS TARGET …
TARGET: tcp://ADDRESS:PORT, dns+udp://ADDRESS:PORT/NAME or dns+tcp://ADDRESS:PORT/NAME
Outcomes: connected, answered, refused, timed out, unreachable
"""

from __future__ import annotations

import concurrent.futures
import errno
import json
import secrets
import socket
import struct
import sys
import urllib.parse


def tcp(address: tuple[str, int], _name: str, seconds: float) -> str:
    with socket.create_connection(address, timeout=seconds):
        return "connected"


def dns_udp(address: tuple[str, int], name: str, seconds: float) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(seconds)
        link.connect(address)
        link.send(query(name))
        link.recv(4096)
        return "answered"


def dns_tcp(address: tuple[str, int], name: str, seconds: float) -> str:
    with socket.create_connection(address, timeout=seconds) as link:
        message = query(name)
        link.sendall(struct.pack("!H", len(message)) + message)
        if not link.recv(4096):
            raise ConnectionResetError
        return "answered"


def query(name: str) -> bytes:
    """A DNS query for the address of a name."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", secrets.randbelow(65536), 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)


KINDS = {"tcp": tcp, "dns+udp": dns_udp, "dns+tcp": dns_tcp}


def attempt(target: str, seconds: float) -> str:
    url = urllib.parse.urlsplit(target)
    try:
        return KINDS[url.scheme]((url.hostname or "", url.port or 0), url.path.lstrip("/"), seconds)
    except TimeoutError:
        return "timed out"
    except ConnectionError:
        return "refused"
    except OSError as error:
        return f"unreachable ({errno.errorcode.get(error.errno or 0, str(error))})"


def main(seconds: float, targets: list[str]) -> None:
    with concurrent.futures.ThreadPoolExecutor(max_workers=32) as pool:
        outcomes = pool.map(attempt, targets, [seconds] * len(targets))
        print(json.dumps(dict(zip(targets, outcomes, strict=True))))


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
