# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WebSockets to subresources of pods, with the credentials, TLS settings and proxy of all other requests.

The kubernetes library has a client of its own for them, which waits without a limit and sends no
impersonation headers; this is the library below it.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
import typing as t
from urllib.parse import urlencode

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import from_status, from_transport
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session

try:
    from urllib3.util.ssl_ import create_urllib3_context
    from websocket import ABNF, WebSocket, WebSocketBadStatusException
except ImportError:
    # The session, which has to be there first, says what is missing: the kubernetes library brings both.
    pass

# Each message begins with the number of its channel; the error channel ends the stream with a Status.
_PROTOCOL = "v4.channel.k8s.io"
_SWITCHED = 101


class Stream:
    """The messages of one WebSocket until a deadline, as (channel, data)."""

    def __init__(self, session: Session, path: str, query: t.Sequence[tuple[str, str]], seconds: float) -> None:
        """Open it. Raises ApiError where the API server refuses, LockdownError where nothing answers in time."""
        self._where = ("GET", path, session.host)
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        transport = session.transport
        self._link: t.Any = WebSocket(sslopt=_tls(transport.pool), skip_utf8_validation=True)
        # Time-outs of the socket start anew with every byte; this one does not.
        self._watchdog = threading.Timer(seconds, self._hang_up)
        self._watchdog.daemon = True
        self._watchdog.start()
        url = f"{_scheme(transport.host)}{path}?{urlencode(query)}"
        try:
            self._connect(url, transport, min(session.connect_timeout, seconds))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def messages(self) -> t.Iterator[tuple[int, bytes]]:
        """Until the other side closes; a LockdownError at the deadline or when the connection breaks."""
        try:
            while self._link.connected:
                kind, frame = self._link.recv_data_frame(True)
                if kind == ABNF.OPCODE_CLOSE:
                    break
                if kind in (ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT) and frame.data:
                    yield frame.data[0], bytes(frame.data[1:])
        except LockdownError:
            raise
        except Exception as error:
            raise self._failure(error) from error
        if self._is_over:
            raise self._too_late()

    def close(self) -> None:
        self._watchdog.cancel()
        # No goodbye: waiting for the answer to it could last.
        self._link.shutdown()

    @property
    def _is_over(self) -> bool:
        return time.monotonic() >= self._deadline

    def _connect(self, url: str, transport: t.Any, connect_timeout: float) -> None:
        headers = [f"{name}: {value}" for name, value in transport.credentials().items()]
        try:
            self._link.connect(
                url,
                header=headers,
                subprotocols=[_PROTOCOL],
                suppress_origin=True,
                redirect_limit=0,
                timeout=connect_timeout,
                **_proxy(transport.pool),
            )
        except WebSocketBadStatusException as error:
            raise self._refusal(error.status_code, getattr(error, "resp_body", None)) from error
        except Exception as error:
            self._require_switch()
            raise self._failure(error) from error
        self._require_switch()
        self._link.settimeout(self._seconds)

    def _require_switch(self) -> None:
        """An error if there was an answer of another kind, such as a redirect, which is never followed."""
        answer = getattr(self._link, "handshake_response", None)
        if answer is not None and answer.status != _SWITCHED:
            raise self._refusal(answer.status, None)

    def _hang_up(self) -> None:
        """Wake the thread that reads, whatever it waits for."""
        link = self._link.sock
        if link is not None:
            with contextlib.suppress(OSError):
                # Not the method of a TLS socket, which would change what the other thread is using.
                socket.socket.shutdown(link, socket.SHUT_RDWR)

    def _refusal(self, status: int, body: bytes | None) -> LockdownError:
        text = (body or b"").decode(errors="replace")
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        return from_status(*self._where, status, answer if isinstance(answer, dict) else {"message": text[:300]})

    def _failure(self, error: Exception) -> LockdownError:
        return self._too_late() if self._is_over else from_transport(*self._where, error)

    def _too_late(self) -> LockdownError:
        method, path, host = self._where
        return LockdownError(
            "stream_timeout",
            f"{method} {host}{path} was not done after {self._seconds:g} s",
            "the command, the kubelet or the API server does not answer",
            "Look at the node of the pod, or give more time",
            details={"path": path, "host": host, "seconds": self._seconds},
        )


def _scheme(host: str) -> str:
    """The API server's URL for a WebSocket: http becomes ws, https becomes wss."""
    return "ws" + host.removeprefix("http")


def _tls(pool: t.Any) -> dict[str, t.Any]:
    """The TLS settings of the transport's connections."""
    settings = pool.connection_pool_kw
    context = create_urllib3_context(cert_reqs=settings.get("cert_reqs"))
    context.check_hostname = bool(context.verify_mode)
    authorities = settings.get("ca_certs"), settings.get("ca_cert_data")
    if any(authorities):
        context.load_verify_locations(cafile=authorities[0], cadata=authorities[1])
    elif context.verify_mode:
        context.load_default_certs()
    if settings.get("cert_file"):
        context.load_cert_chain(settings["cert_file"], settings.get("key_file"))
    name = settings.get("server_hostname")
    return {"context": context, **({"server_hostname": name} if name else {})}


def _proxy(pool: t.Any) -> dict[str, t.Any]:
    """The proxy of the transport's connections; without one, the environment's must not be used either."""
    proxy = pool.proxy
    if proxy is None:
        return {"http_no_proxy": ["*"]}
    user, _colon, password = (proxy.auth or "").partition(":")
    chosen: dict[str, t.Any] = {"http_proxy_host": proxy.host, "http_proxy_port": proxy.port, "http_no_proxy": [""]}
    return {**chosen, "http_proxy_auth": (user, password)} if user else chosen
