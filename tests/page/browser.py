# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium, spoken to over its debugging protocol."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import time
import typing as t
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import websocket

Json = dict[str, t.Any]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS = 60
# Nothing that the browser wants for itself may be taken for a request of the page.
FLAGS = (
    "--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--remote-debugging-port=0", "--remote-allow-origins=*",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip


def executable() -> str:
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        raise AssertionError("no Chromium on PATH: install it (Debian: apt-get install chromium) or set CHROMIUM")
    return found


class Browser:
    """One page of a browser."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=SECONDS)
        self._numbers = itertools.count(1)
        self.events: list[Json] = []
        for domain in ("Page", "Network", "Runtime", "Log", "Accessibility"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: t.Any) -> Json:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer: Json = json.loads(self._socket.recv())
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return t.cast(Json, answer["result"])
            self.events.append(answer)

    def open(self, path: Path) -> None:
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        deadline = time.monotonic() + SECONDS
        while self.evaluate("document.readyState") != "complete":
            assert time.monotonic() < deadline, f"{path} does not load"
            time.sleep(0.02)

    def show(self, *, width: int = 1280, scheme: str = "light", media: str = "screen") -> None:
        """Set the window's width, the colours that the reader prefers, and screen or paper."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", media=media, features=[feature])
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )

    def evaluate(self, expression: str) -> t.Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self, path: Path) -> None:
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def print(self, path: Path) -> bytes:
        answer = self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        path.write_bytes(base64.b64decode(answer["data"]))
        return path.read_bytes()

    def requests(self) -> list[str]:
        """The addresses that the page asked for."""
        sent = [event["params"]["request"] for event in self.events if event["method"] == "Network.requestWillBeSent"]
        return [request["url"] for request in sent]

    def complaints(self) -> list[str]:
        """What the console of the page says."""
        found = [
            event["params"] for event in self.events if event["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")
        ]
        return [json.dumps(params) for params in found]

    def close(self) -> None:
        self._socket.close()


@contextmanager
def browser(directory: Path) -> Iterator[Browser]:
    """A browser with a profile of its own in this directory."""
    profile = directory / "profile"
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    command = [executable(), *FLAGS, *sandbox, f"--user-data-dir={profile}", "about:blank"]
    with (directory / "chromium.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
    try:
        page = Browser(_address(profile / "DevToolsActivePort", process))
        try:
            yield page
        finally:
            page.close()
    finally:
        process.terminate()
        process.wait(timeout=SECONDS)


def _address(path: Path, process: subprocess.Popen[bytes]) -> str:
    """The address of the first page, as soon as the browser tells its port."""
    deadline = time.monotonic() + SECONDS
    while not path.is_file() or not path.read_text().strip():
        assert process.poll() is None, f"Chromium ended with {process.returncode}"
        assert time.monotonic() < deadline, "Chromium does not tell its port"
        time.sleep(0.05)
    port = path.read_text().split()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=SECONDS) as answer:
        pages = [target for target in json.load(answer) if target["type"] == "page"]
    return str(pages[0]["webSocketDebuggerUrl"])
