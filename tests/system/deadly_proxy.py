# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server's stand-in that passes requests on, and fails at the n-th write.

The write itself is carried out; only its answer never arrives. That is the worst moment to end the client with SIGKILL,
and the worst one to lose the connection, or the API server altogether.
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import threading
import types
import typing as t
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from harness import Modules, Outcome

from lab.client import Client
from lab.control_plane import ControlPlane

_READS = ("GET", "HEAD")


class DeadlyProxy:
    """A context in which modules reach the plane through the proxy. Loopback only."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self._upstream = Client.from_kubeconfig(plane.kubeconfig)
        authority = plane._authority
        certificate, key = authority.server("proxy", ["127.0.0.1"]).write(folder, "proxy")
        self._ca = folder / "proxy-ca.pem"
        self._ca.write_bytes(authority.certificate)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._lock = threading.Lock()
        self._writes: list[str] = []
        self._fatal = self._lost = 0
        self._gone = self._stays_gone = False
        self._victim = 0

    def __enter__(self) -> DeadlyProxy:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def modules(self) -> Modules:
        return Modules()

    def run(
        self,
        module: str,
        arguments: dict[str, t.Any],
        *,
        kill_after_write: int = 0,
        lose_answer_of_write: int = 0,
        then_gone: bool = False,
    ) -> Outcome | None:
        """The module's outcome, or None if it was killed.

        :arg then_gone: whether no request after the lost answer gets any.
        """
        self._writes, self._fatal, self._lost = [], kill_after_write, lose_answer_of_write
        self._gone, self._stays_gone = False, then_gone
        host, port = self._server.server_address[:2]
        connection = {"host": f"https://{host!s}:{port}", "ca_cert": str(self._ca), "api_key": "unused"}
        process = self.modules.start(module, {**connection, **arguments})
        self._victim = process.pid
        output, errors = process.communicate(timeout=60)
        return None if process.returncode == -signal.SIGKILL else Outcome(_parsed(output, errors), output + errors)

    @property
    def writes(self) -> list[str]:
        """What was written since run() began, dry runs left out."""
        return list(self._writes)

    def _note(self, method: str, target: str, body: bytes | None) -> bool:
        """Whether the request may be answered."""
        url = urllib.parse.urlsplit(target)
        if method in _READS or "dryRun" in url.query or b'"dryRun"' in (body or b""):
            return not self._gone
        with self._lock:
            self._writes.append(f"{method} {url.path}")
            if len(self._writes) == self._fatal:
                os.killpg(self._victim, signal.SIGKILL)
            lost = len(self._writes) == self._lost
            self._gone = self._gone or (lost and self._stays_gone)
            return not lost and not self._gone

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                if proxy._gone:
                    self.close_connection = True
                    return
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else None
                sent = {name: self.headers[name] for name in ("Accept", "Content-Type", "User-Agent")}
                status, answer = proxy._upstream._exchange(self.command, self.path, body, sent)
                if not proxy._note(self.command, self.path, body):
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """Requests are not printed: the tests look at `writes`."""

        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.handle_any)
        return Handler


def _parsed(output: str, errors: str) -> dict[str, t.Any]:
    try:
        return t.cast("dict[str, t.Any]", json.loads(output))
    except ValueError:
        raise AssertionError(f"no JSON: {output}{errors}") from None
