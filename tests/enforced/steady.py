# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client as an application should have it: it connects to a Service, and connects again when a server goes away.

Usage: steady.py ADDRESS PORT …
Writes one new key after another and reads it, to a cache with one backup, and goes on trying until that has worked, a
minute at most; after each failure it tries the next port. Its connection is renewed now and then, so that new ones are
tried, too. Prints a line when it runs. For each line on standard input it reads back every key whose write was ever
acknowledged, and prints {operations, retries, stuck, longest_gap, lost, error} as JSON: all but `lost` since the line
before, gaps in seconds. An operation is stuck when it took more than LIMIT seconds; a key is lost when it is gone, or
has another value.

The data that is there from the start moves slowly when servers come and go: a server takes about ten seconds to get its
share, and another one that is stopped before that takes the only copy of something with it.
"""

from __future__ import annotations

import itertools
import json
import logging
import sys
import threading
import time
import typing as t
from functools import partial

from pyignite import Client
from pyignite.cache import Cache
from pyignite.datatypes import prop_codes
from pyignite.datatypes.cache_config import CacheMode, WriteSynchronizationMode

DEADLINE = 2.0  # seconds
LIMIT = 15.0
GIVE_UP = 60.0
PAUSE = 0.02
FRESH = 100  # operations
CACHE = "steady"
FILLED, SIZE = 1500, 1024
# A share is two thirds of it, in messages of BATCH bytes with THROTTLE milliseconds between them, from two servers.
BATCH, THROTTLE = 65536, 1000


class Steady:
    """The client and what it has seen; `key` is the newest that was acknowledged."""

    def __init__(self, address: str, ports: list[int]) -> None:
        self._address, self._ports = address, itertools.cycle(ports)
        self._port = next(self._ports)
        self._client: Client | None = None
        self._cache: Cache | None = None
        self._reset()
        self.key = -1
        self.ended = threading.Event()

    def _reset(self) -> None:
        self._operations, self._retries, self._stuck, self._longest_gap, self._error = 0, 0, 0, 0.0, ""
        self._last = time.monotonic()

    def fill(self) -> None:
        self._again(self._create)
        for first in range(0, FILLED, 100):
            values = {key: _value(key) for key in range(first, first + 100)}
            self._again(partial(Cache.put_all, pairs=values))
        self.key = FILLED - 1
        self._reset()

    def operate(self) -> None:
        """Write the next key and read it, for as long as it takes."""
        key, began = self.key + 1, time.monotonic()
        self._again(lambda cache: _write(cache, key))
        now = time.monotonic()
        self.key, self._operations = key, self._operations + 1
        self._stuck += now - began > LIMIT
        self._longest_gap, self._last = max(self._longest_gap, now - self._last), now
        if self._operations % FRESH == 0:
            self._disconnect()

    def report(self) -> dict[str, t.Any]:
        lost = 0
        for first in range(0, self.key + 1, 100):
            keys = list(range(first, min(first + 100, self.key + 1)))
            found = self._again(partial(Cache.get_all, keys=keys))
            lost += sum(found.get(key) != _value(key) for key in keys)
        report = {
            "operations": self._operations,
            "retries": self._retries,
            "stuck": self._stuck,
            "longest_gap": round(self._longest_gap, 2),
            "lost": lost,
            "error": self._error,
        }
        self._reset()
        return report

    def clear(self) -> None:
        """Remove the cache: the last server that stops would wait for another one to take its data."""
        client = Client(timeout=GIVE_UP, partition_aware=False)
        with client.connect(self._address, self._port):
            client.get_cache(CACHE).destroy()

    def _create(self, _cache: Cache) -> None:
        assert self._client is not None
        self._client.get_or_create_cache(
            {
                prop_codes.PROP_NAME: CACHE,
                prop_codes.PROP_CACHE_MODE: CacheMode.PARTITIONED,
                prop_codes.PROP_BACKUPS_NUMBER: 1,
                prop_codes.PROP_WRITE_SYNCHRONIZATION_MODE: WriteSynchronizationMode.FULL_SYNC,
                prop_codes.PROP_REBALANCE_BATCH_SIZE: BATCH,
                prop_codes.PROP_REBALANCE_THROTTLE: THROTTLE,
            }
        )

    def _again(self, operation: t.Callable[[Cache], t.Any]) -> t.Any:
        began = time.monotonic()
        while True:
            try:
                return operation(self._connected())
            except Exception as error:  # whatever goes wrong is tried again, and counted
                if self.ended.is_set() or time.monotonic() - began > GIVE_UP:
                    raise
                self._retries += 1
                self._error = f"{type(error).__name__}: {error}"[:120]
                self._disconnect()
                self._port = next(self._ports)
                time.sleep(0.1)

    def _connected(self) -> Cache:
        if self._client is None or self._cache is None:
            client = Client(timeout=DEADLINE, handshake_timeout=DEADLINE, partition_aware=False)
            client.connect(self._address, self._port)
            self._client, self._cache = client, client.get_cache(CACHE)
        return self._cache

    def _disconnect(self) -> None:
        client, self._client, self._cache = self._client, None, None
        if client is not None:
            client.close()


def _value(key: int) -> str:
    return f"{key:0{SIZE}d}" if key < FILLED else str(key)


def _write(cache: Cache, key: int) -> None:
    cache.put(key, _value(key))
    if cache.get(key) != _value(key):
        raise ValueError(f"key {key} lost its value")


def main(address: str, ports: list[int]) -> None:
    logging.disable()  # what fails is counted
    steady, asked = Steady(address, ports), threading.Event()

    def listen() -> None:
        for _line in sys.stdin:
            asked.set()
        steady.ended.set()

    threading.Thread(target=listen, daemon=True).start()
    steady.fill()
    print("running", flush=True)
    while not steady.ended.is_set():
        steady.operate()
        if asked.is_set():
            asked.clear()
            print(json.dumps(steady.report()), flush=True)
        time.sleep(PAUSE)
    steady.clear()


if __name__ == "__main__":
    main(sys.argv[1], [int(port) for port in sys.argv[2:]])
