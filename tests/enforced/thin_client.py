# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes and reads by Ignite's thin client.

Usage: thin_client.py ADDRESS OPERATIONS
"""

from __future__ import annotations

import sys

from pyignite import Client

PORT = 10800


def main(address: str, operations: int) -> str:
    client = Client(timeout=5)
    with client.connect(address, PORT):
        cache = client.get_or_create_cache("lab")
        for key in range(operations):
            cache.put(key, key * key)
        wrong = [key for key in range(operations) if cache.get(key) != key * key]
    return f"wrong values for {wrong}" if wrong else "read what was written"


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2])))
