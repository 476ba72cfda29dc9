# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds a TCP connection open; for each line of input it says whether a message still comes back.

Usage: hold.py ADDRESS PORT
"""

from __future__ import annotations

import socket
import sys

SECONDS = 5.0


def main(address: str, port: int) -> None:
    with socket.create_connection((address, port), timeout=SECONDS) as link:
        for line in sys.stdin:
            try:
                link.sendall(line.encode())
                print("survives" if link.recv(4096) else "closed")
            except OSError as error:
                print(f"cut ({type(error).__name__})")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
