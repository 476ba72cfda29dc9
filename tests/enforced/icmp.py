# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks each address for an ICMP echo from the network it runs in, and prints {address: outcome} as JSON.

Usage: icmp.py SECONDS ADDRESS …    Outcomes: answered, timed out
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import socket
import struct
import sys
import time

ECHO, REPLY = 8, 0


def checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def attempt(address: str, number: int, seconds: float) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as link:
        mark = struct.pack("!HH", os.getpid() & 0xFFFF, number)
        packet = struct.pack("!BBH", ECHO, 0, 0) + mark
        packet = struct.pack("!BBH", ECHO, 0, checksum(packet)) + mark
        link.sendto(packet, (address, 0))
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            link.settimeout(left)
            try:
                answer, (peer, _port) = link.recvfrom(1024)
            except TimeoutError:
                break
            body = answer[(answer[0] & 0x0F) * 4 :]
            if peer == address and body[0] == REPLY and body[4:8] == mark:
                return "answered"
    return "timed out"


def main(seconds: float, addresses: list[str]) -> None:
    with concurrent.futures.ThreadPoolExecutor(max_workers=32) as pool:
        outcomes = pool.map(attempt, addresses, range(len(addresses)), [seconds] * len(addresses))
        print(json.dumps(dict(zip(addresses, outcomes, strict=True))))


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
