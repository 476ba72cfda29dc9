# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source as ansible-rulebook starts it, against a real API server."""

from __future__ import annotations

import asyncio
import json
import queue
import runpy
import threading
import time
import types
import typing as t
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml
from harness import COLLECTIONS
from rotation import POLICIES, SLICE, api_slice, rotate

from ansible_collections.netguard.lockdown.plugins.module_utils._core.connection import resolve
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.watching import Follower, Place
from lab import objects
from lab.control_plane import ControlPlane
from lab.question import arrange_question

Json = dict[str, t.Any]

SOURCES = COLLECTIONS / "ansible_collections/netguard/lockdown/extensions/eda/plugins/event_source"
SCHEMA = json.loads((SOURCES / "schemas" / "network_targets_events.json").read_text(encoding="utf-8"))
FILES = COLLECTIONS / "ansible_collections/netguard/lockdown/roles/ignite_lockdown/files"
ACCOUNT = "system:serviceaccount:cache-ns:netguard-lockdown"
QUICKLY, SILENCE = 30.0, 1.5
JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"


class Source:
    """The source in an event loop of its own, so that the test's thread may start and stop servers."""

    def __init__(self, kubeconfig: Path, **arguments: t.Any) -> None:
        self._arguments = {
            "namespace": "cache-ns",
            "kubeconfig": str(kubeconfig),
            "form": "endpoints",
            "interval_seconds": "0",
            **arguments,
        }
        self._events: queue.Queue[Json] = queue.Queue()
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Source:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        if self._thread.is_alive() and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(QUICKLY)
        assert not self._thread.is_alive(), "the source does not end"
        until = time.monotonic() + QUICKLY
        while any(thread.name.startswith("follow ") for thread in threading.enumerate()):
            assert time.monotonic() < until, "a thread of the source is left"
            time.sleep(0.05)

    def next(self, seconds: float = QUICKLY) -> Json:
        event = self._events.get(timeout=seconds)
        jsonschema.validate(event, SCHEMA)
        return event

    def is_silent(self) -> bool:
        try:
            raise AssertionError(f"not silent: {self._events.get(timeout=SILENCE)}")
        except queue.Empty:
            return True

    def failure(self) -> LockdownError:
        self._thread.join(QUICKLY)
        assert isinstance(self.error, LockdownError), self.error
        return self.error

    async def put(self, event: Json) -> None:
        self._events.put(event)

    def _run(self) -> None:
        main = runpy.run_path(str(SOURCES / "network_targets.py"))["main"]
        self._task = self._loop.create_task(main(self, self._arguments))
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 (the test looks at it)
            self.error = error
        finally:
            self._loop.close()


@pytest.fixture(scope="module")
def rotating(programs: object) -> Iterator[ControlPlane]:
    with ControlPlane(endpoint_reconciler="none") as plane:
        arrange_question(plane)
        plane.create(api_slice("192.0.2.1"))
        yield plane


@pytest.fixture(autouse=True)
def at_the_start(rotating: ControlPlane) -> None:
    rotate(rotating, "192.0.2.1")


def apply(plane: ControlPlane, spec: Json) -> None:
    """A policy as our modules write it."""
    labels = {"app.kubernetes.io/managed-by": "netguard.lockdown", "app.kubernetes.io/instance": "ignite"}
    plane.api(
        "PATCH",
        f"{POLICIES}/allow",
        objects.network_policy("allow", "cache-ns", spec, labels),
        query={"fieldManager": "netguard.lockdown", "force": "true"},
        content_type="application/apply-patch+yaml",
    )


def spec(*cidrs: str) -> Json:
    egress = [{"to": [{"ipBlock": {"cidr": cidr}} for cidr in cidrs], "ports": [{"protocol": "TCP", "port": 6443}]}]
    return {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": egress}


def test_events_are_told_when_targets_move_and_only_then(rotating: ControlPlane) -> None:
    with Source(rotating.kubeconfig) as source:
        first = source.next()
        assert (first["type"], first["cluster_uid"]) == ("initial", rotating.kube_system_uid)
        rotate(rotating, "192.0.2.2")
        moved = source.next()
        assert moved["type"] == "targets_changed"
        assert [record["cidr"] for record in moved["added"]] == ["192.0.2.2/32"]
        rotating.api("PATCH", SLICE, {"metadata": {"annotations": {"a": "b"}}}, content_type=MERGE_PATCH)
        assert source.is_silent()


def test_a_flood_is_told_as_its_outcome(rotating: ControlPlane) -> None:
    with Source(rotating.kubeconfig, interval_seconds=3) as source:
        source.next()
        for number in range(10, 40):
            rotate(rotating, f"192.0.2.{number}")
        told = [source.next()]
        while [record["cidr"] for record in told[-1]["added"]] != ["192.0.2.39/32"]:
            told.append(source.next())
        assert len(told) <= 6
        assert source.is_silent()


def test_drift_is_told_with_its_author_and_our_own_work_is_not(rotating: ControlPlane) -> None:
    with Source(rotating.kubeconfig) as source:
        source.next()
        apply(rotating, spec("192.0.2.1/32"))
        assert source.is_silent()
        change = [{"op": "replace", "path": "/spec/egress", "value": [{}]}]
        rotating.api(
            "PATCH", f"{POLICIES}/allow", change, content_type=JSON_PATCH, query={"fieldManager": "kubectl-edit"}
        )
        drift = source.next()
        assert (drift["type"], drift["parts"]) == ("policy_changed", ["spec"])
        assert [owner["manager"] for owner in drift["by"]] == ["kubectl-edit"]
        time.sleep(1.0)  # managers' times have whole seconds
        apply(rotating, spec("192.0.2.1/32"))
        assert source.is_silent()
        rotating.api("DELETE", f"{POLICIES}/allow")
        assert source.next()["type"] == "policy_deleted"


def test_a_planted_slice_is_told_as_an_error_and_its_end_too(rotating: ControlPlane) -> None:
    planted = {**api_slice("203.0.113.9"), "metadata": {**api_slice()["metadata"], "name": "planted"}}
    with Source(rotating.kubeconfig) as source:
        source.next()
        rotating.create(planted)
        assert source.next()["failure"]["code"] == "untrusted_endpoint_slice"
        rotating.api("DELETE", SLICE.replace("kubernetes", "planted"))
        assert source.next()["type"] == "resolver_recovered"


def test_a_restart_of_the_api_server_loses_nothing_and_repeats_nothing(rotating: ControlPlane) -> None:
    with Source(rotating.kubeconfig) as source:
        source.next()
        rotating.kill_server(0)
        time.sleep(2)
        rotating.start_server(0)
        rotate(rotating, "192.0.2.3")
        moved = source.next(60)
        assert (moved["type"], moved["added"][0]["cidr"]) == ("targets_changed", "192.0.2.3/32")
        assert source.is_silent()


def test_an_expired_version_is_taken_up_anew(rotating: ControlPlane) -> None:
    rotating.kill_server(0)
    rotating.start_server(0)  # its cache of changes begins now
    session = Session(resolve({"kubeconfig": str(rotating.kubeconfig)}, {}), connect_timeout=3, request_timeout=6)
    heard = Heard()
    follower = Follower(session, Place(SLICE.rpartition("/")[0]), heard)
    follower._version = "1"
    follower.start()
    try:
        assert heard.change.wait(QUICKLY)
        assert int(follower._version) > 1
        assert heard.failures == []
    finally:
        follower.stop()
    assert follower.join(5)


class Heard:
    def __init__(self) -> None:
        self.change = threading.Event()
        self.failures: list[BaseException] = []

    def changed(self, place: Place) -> None:
        self.change.set()

    def failed(self, place: Place, error: LockdownError) -> None:
        self.failures.append(error)

    def broken(self, error: BaseException) -> None:
        self.failures.append(error)


def test_a_missing_right_ends_the_source_with_what_to_grant(rotating: ControlPlane) -> None:
    with Source(rotating.user_kubeconfig("nobody")) as source:
        failure = source.failure()
    assert failure.code == "api_forbidden"
    assert "Grant this" in str(failure)


def test_the_shipped_rights_are_enough_and_nothing_is_written(rotating: ControlPlane) -> None:
    for name in ("rbac.yml", "rbac-watch.yml"):
        for document in yaml.safe_load_all((FILES / name).read_text(encoding="utf-8")):
            rotating.create_all(document["items"])
    mark = rotating.mark()
    with Source(rotating.token_kubeconfig("netguard-lockdown", "cache-ns")) as source:
        source.next()
        rotate(rotating, "192.0.2.4")
        assert source.next()["type"] == "targets_changed"
    asked = [event for event in rotating.audit(mark) if event.user == ACCOUNT]
    assert {event.verb for event in asked} >= {"list", "watch"}
    assert [str(event) for event in asked if event.code == 403 or event.mutating] == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [({"cluster_uid": "another"}, "wrong_cluster"), ({"nmespace": "a"}, "invalid_option"),
     ({"host": "https://127.0.0.1:1"}, "contradicting_auth"), ({"context": "none"}, "unusable_kubeconfig")],
)  # fmt: skip
def test_what_cannot_be_right_ends_the_source(rotating: ControlPlane, arguments: Json, code: str) -> None:
    with Source(rotating.kubeconfig, **arguments) as source:
        assert source.failure().code == code


@pytest.mark.parametrize(("verified", "warnings"), [("false", 1), ("true", 0)])
def test_tls_that_is_not_verified_is_warned_of_once(
    rotating: ControlPlane, caplog: pytest.LogCaptureFixture, verified: str, warnings: int
) -> None:
    with Source(rotating.kubeconfig, validate_certs=verified) as source:
        source.next()
        rotate(rotating, "192.0.2.5")
        assert source.next()["type"] == "targets_changed"
    told = [record.getMessage() for record in caplog.records if "was not verified" in record.getMessage()]
    assert len(told) == warnings
    assert all(rotating.urls[0] in text for text in told)
