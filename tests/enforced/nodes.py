# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts Ignite nodes, one after the other, where they find what their pods would have: files, names, an API server.

Usage: unshare --net --mount nodes.py FOLDER < CASES
Reads [{xml, command, env, probe}] as JSON, prints [{log, ports, asked, early, joined, late, greeting}] as JSON: what
each has printed until it had started, or for too long; on which ports it listened; what it asked the API server for;
what REST answered to the probe before the node could join, as soon as it had joined, and after it had started; what
the thin client port answered. Without a probe REST is not asked. Nothing outside of the two namespaces is touched.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import typing as t
import urllib.request
from concurrent.futures import ThreadPoolExecutor, wait
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

API_PORT = 6443
PASSWORD = "word-of-the-stores"  # noqa: S105
SECRETS = Path("/run/secrets/kubernetes.io/serviceaccount")
STORES, WORK, CONFIG = Path("/run/ignite/tls"), Path("/var/lib/ignite"), Path("/run/ignite/ignite.xml")
HOSTS = "127.0.0.1 localhost ignite-0.ignite.cache-ns.svc\n"
STARTED = re.compile(r"Ignite node started OK|Node started : \[")
SECONDS = 60.0
PATIENCE = 2.0  # seconds; a kubelet's probes wait no longer either
LISTENING = "0A"
REST, THIN_CLIENT = 8080, 10800
HANGS = "no answer"
# Handshake of a thin client, protocol 1.2, without a user: code 1, the version's numbers, code of a client 2.
HANDSHAKE = struct.pack("<ibhhhb", 8, 1, 1, 2, 0, 2)


class ApiServer(BaseHTTPRequestHandler):
    """Knows one endpoint of the discovery Service, for whoever shows the token, as soon as it is open."""

    asked: t.ClassVar[set[str]] = set()
    opened = threading.Event()

    def do_GET(self) -> None:
        self.asked.add(self.path)
        known = self.path == "/api/v1/namespaces/cache-ns/endpoints/ignite"
        allowed = self.headers.get("Authorization") == "Bearer token" and self.opened.is_set()
        body = json.dumps({"subsets": [{"addresses": [{"ip": "127.0.0.1"}]}]}).encode()
        self.send_response(200 if known and allowed else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def prepare(folder: Path) -> None:
    """The files and names of a pod, in our own mount namespace."""
    run("ip", "link", "set", "lo", "up")
    run("mount", "--make-rprivate", "/")
    for place in ("/run", "/var/lib"):
        run("mount", "-t", "tmpfs", "tmpfs", place)
    SECRETS.mkdir(parents=True)
    STORES.mkdir(parents=True)
    (SECRETS / "token").write_text("token")
    (folder / "hosts").write_text(HOSTS)
    run("mount", "--bind", str(folder / "hosts"), "/etc/hosts")
    key, trust, certificate = (str(STORES / name) for name in ("keystore.p12", "truststore.p12", "certificate"))
    common = ("-storetype", "PKCS12", "-storepass", PASSWORD, "-alias", "ignite", "-noprompt")
    run("keytool", "-genkeypair", "-keyalg", "EC", "-dname", "CN=ignite", "-keystore", key, *common)
    run("keytool", "-exportcert", "-keystore", key, "-file", certificate, *common)
    run("keytool", "-importcert", "-keystore", trust, "-file", certificate, *common)


def serve(folder: Path) -> None:
    pair = [str(folder / "api.key"), str(folder / "api.crt")]
    run(
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=api",
        "-keyout",
        pair[0],
        "-out",
        pair[1],
    )
    server = ThreadingHTTPServer(("127.0.0.1", API_PORT), ApiServer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair[1], pair[0])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def start(case: dict[str, t.Any], log: Path) -> dict[str, t.Any]:
    """Start a node, and end it when it has told enough."""
    run("rm", "-rf", str(WORK))
    WORK.mkdir()
    CONFIG.write_text(case["xml"])
    env = {
        "PATH": os.environ["PATH"],
        "IGNITE_LOCAL_HOST": "127.0.0.1",
        "IGNITE_STORE_PASSWORD": PASSWORD,
        **case["env"],
    }
    ApiServer.asked.clear()
    ApiServer.opened.clear()
    with log.open("w") as output:
        node = subprocess.Popen(
            [*case["command"], str(CONFIG)], env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    waits = Waits(node, log)
    # Without an API server nothing holds a node back, and without REST nothing answers.
    early = joined = HANGS
    if waits.until(lambda: bool(ApiServer.asked) and (not case["probe"] or REST in listening())) and case["probe"]:
        early, joined = held(case["probe"])
    ApiServer.opened.set()
    waits.until(lambda: False)
    found = {
        "ports": sorted(listening() - {API_PORT}),
        "asked": sorted(ApiServer.asked),
        "early": early,
        "joined": joined,
        "late": probed(case["probe"]) if case["probe"] else HANGS,
        "greeting": greeting(),
    }
    node.kill()
    node.wait()
    return {"log": log.read_text(), **found}


class Waits(t.NamedTuple):
    """For a node that starts."""

    node: subprocess.Popen[bytes]
    log: Path

    def until(self, reached: t.Callable[[], bool]) -> bool:
        """Wait for that, or until the node has started, has ended or takes too long."""
        began = time.monotonic()
        while time.monotonic() - began < SECONDS and self.node.poll() is None:
            if reached():
                return True
            if STARTED.search(self.log.read_text()):
                return False
            time.sleep(0.1)
        return False


def held(path: str) -> tuple[str, str]:
    """What a probe gets while the node cannot join, and what the same request gets as soon as it has joined."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(probed, path, SECONDS)
        wait([asked], PATIENCE)
        early = asked.result() if asked.done() else HANGS
        ApiServer.opened.set()
        return early, asked.result()


def probed(path: str, patience: float = PATIENCE) -> str:
    """What a probe of the kubelet would get."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{REST}{path}", timeout=patience) as answer:
            return f"{answer.status}: successStatus {json.load(answer).get('successStatus')}"
    except OSError as error:
        return HANGS if isinstance(error, TimeoutError) else str(error)


def greeting() -> str:
    """What a thin client without TLS and without a user is told."""
    try:
        with socket.create_connection(("127.0.0.1", THIN_CLIENT), PATIENCE) as connection:
            connection.sendall(HANDSHAKE)
            answer = connection.recv(1024)
    except OSError as error:
        return str(error)
    return ("welcome" if answer[4:5] == b"\x01" else "refused") if answer else "closed"


def listening() -> set[int]:
    """The ports of all listeners in our network namespace."""
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return {int(fields[1].rpartition(":")[2], 16) for fields in lines if fields[3] == LISTENING}


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def main(folder: Path) -> None:
    cases = json.load(sys.stdin)
    prepare(folder)
    serve(folder)
    print(json.dumps([start(case, folder / f"{number}.log") for number, case in enumerate(cases)]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
