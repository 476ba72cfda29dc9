# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows collections of the API: a thread each, which says that something has changed, and nothing else.

What has changed is read by others. A stream ends after half a minute by itself, is read with a
time-out, and after any failure its collection is taken up anew.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
import time
import typing as t
from dataclasses import dataclass
from urllib.parse import urlencode

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.watch.pace import Backoff
from ansible_collections.netguard.lockdown.plugins.module_utils._core.watch.stream import (
    ExpiredError,
    Lines,
    read_change,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import from_status, from_transport
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session

STREAM_SECONDS = 30
# What comes back sooner than this is no stream that ended by itself.
_SHORTEST_SECONDS = 1.0
_LONGEST_REFUSAL = 64 * 1024
_GONE = 410


@dataclass(frozen=True)
class Place:
    """A collection, or a part of it that a selector names."""

    path: str
    selector: tuple[tuple[str, str], ...] = ()


class Listener(t.Protocol):
    """Whoever wants to know; called from the threads."""

    def changed(self, place: Place) -> None:
        """Something may be different now."""

    def failed(self, place: Place, error: LockdownError) -> None:
        """It is tried again."""

    def broken(self, error: BaseException) -> None:
        """It is not tried again: this is a fault of the program."""


class Follower:
    """Follows one place until it is told to stop."""

    def __init__(self, session: Session, place: Place, listener: Listener, *, seconds: int = STREAM_SECONDS) -> None:
        self.place = place
        self._session, self._listener, self._seconds = session, listener, seconds
        self._backoff = Backoff(random.random)
        self._over = threading.Event()
        self._response: t.Any = None
        self._version = ""
        self._thread = threading.Thread(target=self._run, name=f"follow {place.path}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Do not wait for it: a thread that is connecting ends when its time is over."""
        self._over.set()
        _hang_up(self._response)

    def join(self, seconds: float) -> bool:
        """Whether it has ended within this time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._take_up()
                self._follow()
                self._backoff.reset()
            except ExpiredError:
                self._version = ""
            except LockdownError as error:
                self._version = ""
                if not self._over.is_set():
                    self._listener.failed(self.place, error)
                    self._over.wait(self._backoff.next())
            except BaseException as error:  # noqa: BLE001 (the listener raises it again)
                if not self._over.is_set():
                    self._listener.broken(error)
                return

    def _take_up(self) -> None:
        """Where no version is known: find out from which one on changes are wanted, and have everything read."""
        if not self._version:
            page = self._session.get(self.place.path, {**dict(self.place.selector), "limit": 1})
            self._version = str(page["metadata"]["resourceVersion"])
            self._listener.changed(self.place)

    def _follow(self) -> None:
        started, lines, heard = time.monotonic(), Lines(), False
        for piece in self._pieces():
            for line in lines.feed(piece):
                change = read_change(line)
                self._version, heard = change.version, True
                if not change.is_bookmark:
                    self._listener.changed(self.place)
        if not heard and time.monotonic() - started < _SHORTEST_SECONDS and not self._over.is_set():
            raise LockdownError(
                "watch_failed",
                f"WATCH {self._session.host}{self.place.path} ended at once",
                "the server or something before it closes streams of changes",
                "It is tried again; if it stays so, check proxies and the API server's log",
            )

    def _pieces(self) -> t.Iterator[bytes]:
        query = {
            **dict(self.place.selector),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": self._seconds,
        }
        where = ("WATCH", self.place.path, self._session.host)
        silence = self._seconds + self._session.request_timeout
        try:
            self._response = self._session.transport.open(f"{self.place.path}?{urlencode(query)}", silence)
            if self._over.is_set():
                _hang_up(self._response)
            status = self._response.status
            if status < 300:
                yield from self._whole(self._response.stream())
                return
            refusal = self._response.read(_LONGEST_REFUSAL)
        except LockdownError:
            raise
        except Exception as error:
            raise from_transport(*where, error) from error
        finally:
            self._let_go()
        if status == _GONE:
            raise ExpiredError
        raise from_status(*where, status, _as_answer(refusal))

    def _whole(self, pieces: t.Iterator[bytes]) -> t.Iterator[bytes]:
        try:
            yield from pieces
        except Exception as error:
            raise LockdownError(
                "watch_cut",
                f"WATCH {self._session.host}{self.place.path} was cut",
                f"the connection broke or went silent ({type(error).__name__})",
                "It is taken up anew",
            ) from error

    def _let_go(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()


def _hang_up(response: t.Any) -> None:
    """Wake the thread that reads, whatever it waits for."""
    link = getattr(getattr(response, "connection", None), "sock", None)
    if link is not None:
        with contextlib.suppress(OSError):
            # Not the method of a TLS socket, which would change what the other thread is using.
            socket.socket.shutdown(link, socket.SHUT_RDWR)


def _as_answer(body: bytes) -> dict[str, t.Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    return answer if isinstance(answer, dict) else {"message": body[:200].decode(errors="replace")}
