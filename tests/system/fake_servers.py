# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS servers on loopback that misbehave as no API server does."""

from __future__ import annotations

import contextlib
import http.server
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab import kubeconfig
from lab.certificates import Authority

ADDRESS = "127.0.0.1"


@dataclass
class Fake:
    """A running server. `answers` are status, headers and body, one for each request, the last one for ever."""

    kubeconfig: Path
    url: str
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


Answer = tuple[int, dict[str, str], bytes]


@contextlib.contextmanager
def answering(folder: Path, *answers: Answer) -> Iterator[Fake]:
    """A server whose certificate its kubeconfig trusts, with canned answers."""
    authority = Authority()
    certificate, key = authority.server("fake", [ADDRESS]).write(folder, "fake")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    left = list(answers)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fake.asked.append((self.path, dict(self.headers)))
            status, headers, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response_only(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer((ADDRESS, 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://{ADDRESS}:{server.server_port}"
    user = kubeconfig.token_user("fake-token")
    path = kubeconfig.write(folder / "fake.kubeconfig", server=url, authority=authority.certificate, user=user)
    fake = Fake(path, url)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def silent(*, handshake: bool, folder: Path) -> Iterator[Fake]:
    """A server that accepts connections (with a TLS handshake or not) and never says anything."""
    authority = Authority()
    certificate, key = authority.server("silent", [ADDRESS]).write(folder, "silent")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    held: list[socket.socket] = []
    listener = socket.create_server((ADDRESS, 0))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = listener.accept()[0]
                held.append(context.wrap_socket(connection, server_side=True) if handshake else connection)

    url = f"https://{ADDRESS}:{listener.getsockname()[1]}"
    user = kubeconfig.token_user("fake-token")
    path = kubeconfig.write(folder / "silent.kubeconfig", server=url, authority=authority.certificate, user=user)
    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield Fake(path, url)
    finally:
        # Closing alone would leave the thread in accept().
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for connection in held:
            connection.close()
