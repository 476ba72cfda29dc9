# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Free ports on loopback."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Sequence

from lab.errors import LabError

# Below the range from which the kernel takes ports for outgoing connections, so that a port stays free
# between two starts of a server.
CANDIDATES = range(20000, 30000)


def free_port(addresses: Sequence[str]) -> int:
    """A port that is free on each address now; whoever binds it must still expect to lose a race."""
    for port in random.sample(CANDIDATES, 200):
        with contextlib.ExitStack() as stack:
            try:
                for address in addresses:
                    stack.enter_context(socket.socket()).bind((address, port))
            except OSError:
                continue
            return port
    raise LabError(
        f"No free port from {CANDIDATES.start} to {CANDIDATES.stop} on {', '.join(addresses)}",
        next_step="see what listens there (`ss -ltn`), and whether loopback is up",
    )


def accepts(address: str, port: int) -> bool:
    """Whether something accepts TCP connections there."""
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True
