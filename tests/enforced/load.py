# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client under load: one long-lived connection, and one new connection per operation, until standard input ends.

Usage: load.py ADDRESS …
Each operation writes and reads one key, has a deadline of a second and is never tried again. Prints a line when the
load runs, and at the end {kind: {operations, failed, longest_gap, error}} as JSON; gaps are in seconds.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
import typing as t
from collections.abc import Callable

from pyignite import Client

PORT = 10800
DEADLINE = 1.0  # seconds
PAUSE = 0.02
KEYS = 200


def connect(address: str) -> tuple[Client, t.Any]:
    # Without partition awareness a client has one connection, and makes no other behind the caller's back.
    client = Client(timeout=DEADLINE, handshake_timeout=DEADLINE, partition_aware=False)
    connection = client.connect(address, PORT)
    return client, connection


def operate(client: Client, key: int) -> None:
    cache = client.get_cache("lab")
    cache.put(key, key)
    if cache.get(key) != key:
        raise ValueError(f"key {key} lost its value")


class Load:
    """One kind of load, in a thread of its own."""

    def __init__(self, operation: Callable[[int], None], stop: threading.Event) -> None:
        self._operation, self._stop = operation, stop
        self.operations, self.failed, self.longest_gap, self.error = 0, 0, 0.0, ""
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        last = time.monotonic()
        for key in itertools.cycle(range(KEYS)):
            if self._stop.is_set():
                return
            began = time.monotonic()
            self.operations += 1
            try:
                self._operation(key)
                if time.monotonic() - began > DEADLINE:
                    raise TimeoutError(f"took {time.monotonic() - began:.1f} s")
            except Exception as error:  # noqa: BLE001  # whatever goes wrong is a lost operation
                self.failed += 1
                self.error = f"{type(error).__name__}: {error} ({time.strftime('%H:%M:%S')})"
            else:
                self.longest_gap = max(self.longest_gap, time.monotonic() - last)
                last = time.monotonic()
            time.sleep(PAUSE)

    def report(self) -> dict[str, t.Any]:
        return {
            "operations": self.operations,
            "failed": self.failed,
            "longest_gap": round(self.longest_gap, 3),
            "error": self.error,
        }


def main(addresses: list[str]) -> None:
    stop = threading.Event()
    client, _ = connect(addresses[0])
    turns = itertools.cycle(addresses)

    def with_new_connection(key: int) -> None:
        fresh, connection = connect(next(turns))
        with connection:
            operate(fresh, key)

    loads = {
        "long-lived": Load(lambda key: operate(client, key), stop),
        "new each time": Load(with_new_connection, stop),
    }
    print("running", flush=True)
    sys.stdin.read()
    stop.set()
    for load in loads.values():
        load.thread.join()
    print(json.dumps({name: load.report() for name, load in loads.items()}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
