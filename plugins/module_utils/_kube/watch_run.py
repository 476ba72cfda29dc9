# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches what a refresh depends on: followers wake it, one look reads everything, a ledger tells what is new."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import api_trust, cilium_policy, policy
from ansible_collections.netguard.lockdown.plugins.module_utils._core.endpoints import SERVICE_NAME_LABEL
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.watch.ledger import Event, Ledger, Observation
from ansible_collections.netguard.lockdown.plugins.module_utils._core.watch.pace import Backoff, Pace
from ansible_collections.netguard.lockdown.plugins.module_utils._core.watch.settings import WatchOptions
from ansible_collections.netguard.lockdown.plugins.module_utils._core.watch.standing import Key, key_of
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.network_info import resolve_network
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.undo_record import UndoRecord
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.watching import Follower, Place

Tell = t.Callable[[Event], t.Awaitable[None]]
Work = t.TypeVar("Work")

LOG = logging.getLogger("netguard.lockdown")

# An API server that restarts refuses and denies for a moment.
PATIENCE_SECONDS = 30.0
_UNREACHED = ("api_unreachable", "api_timeout")
_DENIED = ("api_unauthorized", "api_forbidden", "api_tls", "api_not_kubernetes")
_NEVER = (
    "wrong_cluster",
    "invalid_option",
    "contradicting_auth",
    "tls_verification_off",
    "unusable_kubeconfig",
    "unusable_credential",
)

_NETWORK_POLICY = ("networking.k8s.io/v1", "NetworkPolicy")
_CILIUM_POLICY = (cilium_policy.API_VERSION, cilium_policy.KIND)


class Look(t.NamedTuple):
    """What one look brought, and the places whose changes can make the next one differ."""

    observation: Observation
    places: frozenset[Place]


class NetworkWatch:
    """Watches one instance's targets and policies until it is cancelled or something is beyond repair.

    :arg tell: takes an event; awaited, so that a full queue slows the watch down instead of filling the memory.
    """

    def __init__(self, session: Session, options: WatchOptions, tell: Tell) -> None:
        self._session, self._options, self._tell = session, options, tell
        self._ledger = Ledger(
            options.namespace, options.instance, initial=options.initial, grace_seconds=options.grace_seconds
        )
        self._pace = Pace(options.debounce_seconds, options.interval_seconds)
        self._backoff = Backoff(random.random)
        self._followers: dict[Place, Follower] = {}
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._fatal: BaseException | None = None
        self._trouble: dict[Place | None, float] = {}
        self._worked: set[Place | None] = set()
        self._next_look = 0.0

    async def run(self) -> t.NoReturn:
        """Raises LockdownError where going on makes no sense."""
        try:
            self._follow(_base_places(self._options))
            while True:
                await self._wait()
                await self._look()
        finally:
            for follower in self._followers.values():
                follower.stop()

    # what followers say, from their threads

    def changed(self, place: Place) -> None:
        self._from_thread(self._note_change, place)

    def failed(self, place: Place, error: LockdownError) -> None:
        self._from_thread(self._note_failure, place, error)

    def broken(self, error: BaseException) -> None:
        self._from_thread(self._end, error)

    def _from_thread(self, function: t.Callable[..., None], *arguments: t.Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            # The loop has ended, and so does the thread.
            LOG.debug("a follower outlived its rulebook")

    # in the loop

    def _note_change(self, place: Place) -> None:
        self._mark_working(place)
        self._pace.touch(time.monotonic())
        self._wake.set()

    def _note_failure(self, place: Place | None, error: LockdownError) -> None:
        """End where it will not get better, else let it be tried again."""
        if place not in self._trouble:
            LOG.warning("%s", error)
        since = self._trouble.setdefault(place, time.monotonic())
        if error.code in _NEVER or (error.code in _DENIED and not self._may_recover(place, since)):
            self._end(error)

    def _may_recover(self, place: Place | None, since: float) -> bool:
        """What has worked before may be an API server that restarts; what never did will not begin to."""
        return place in self._worked and time.monotonic() - since < PATIENCE_SECONDS

    def _mark_working(self, place: Place | None) -> None:
        self._worked.add(place)
        if self._trouble.pop(place, None) is not None:
            LOG.warning("%s is there again", place.path if place else "the API server")

    def _end(self, error: BaseException) -> None:
        self._fatal = self._fatal or error
        self._wake.set()

    async def _wait(self) -> None:
        """Until there is something to look at."""
        while True:
            self._wake.clear()
            if self._fatal is not None:
                raise self._fatal
            due = self._pace.due
            moment = self._next_look if due is None else min(self._next_look, due)
            seconds = moment - time.monotonic()
            if seconds <= 0:
                return
            try:
                await asyncio.wait_for(self._wake.wait(), seconds)
            except asyncio.TimeoutError:
                return

    async def _look(self) -> None:
        self._pace.looked()
        try:
            look = await in_thread(self._read)
        except LockdownError as error:
            await self._not_resolved(error)
            return
        self._mark_working(None)
        self._backoff.reset()
        self._follow(look.places)
        seen = look.observation
        await self._tell_all(self._ledger.observed(seen))
        self._next_look = time.monotonic() + self._options.resync_seconds
        if self._ledger.next_look is not None:
            until = (self._ledger.next_look - seen.now).total_seconds() + 1.0
            self._next_look = min(self._next_look, time.monotonic() + until)

    async def _not_resolved(self, error: LockdownError) -> None:
        self._note_failure(None, error)
        self._next_look = time.monotonic() + self._backoff.next()
        lasting = time.monotonic() - self._trouble[None]
        if error.code not in _UNREACHED or lasting >= PATIENCE_SECONDS:
            await self._tell_all(self._ledger.failed(error, self._session.server_now()))

    async def _tell_all(self, events: t.Sequence[Event]) -> None:
        for event in events:
            await self._tell(event)
        if events:
            self._pace.told(time.monotonic())

    def _follow(self, places: t.Collection[Place]) -> None:
        for place in set(self._followers) - set(places):
            self._followers.pop(place).stop()
        for place in places:
            if place not in self._followers:
                self._followers[place] = Follower(self._session, place, self)
                self._followers[place].start()

    # in a thread

    def _read(self) -> Look:
        options = self._options
        resolved = resolve_network(self._session, options.params)
        kinds = _policy_kinds(resolved)
        policies = [obj for kind in kinds for obj in self._session.list(_collection(kind, options.namespace))]
        missing = self._ledger.missing(policies)
        planned = self._planned(missing) if missing else frozenset()
        observation = Observation(resolved, policies, self._session.server_now(), planned)
        return Look(observation, frozenset(_places(options, resolved, kinds)))

    def _planned(self, missing: frozenset[Key]) -> frozenset[Key]:
        """The policies that stand by our own record; without a record, none was taken away by us."""
        head = UndoRecord(self._session, self._options.namespace, self._options.instance).read().head
        return frozenset(map(key_of, head.ours)) if head else missing


async def in_thread(work: t.Callable[[], Work]) -> Work:
    """The work's result. Its thread keeps nobody from ending: what waits for a silent server is left behind."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Work] = loop.create_future()

    def settle(result: t.Any, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 (whoever awaits it raises it again)
            failure = error
        try:
            loop.call_soon_threadsafe(settle, result, failure)
        except RuntimeError:
            LOG.debug("a look outlived its rulebook")

    threading.Thread(target=run, name="look", daemon=True).start()
    return await done


def _policy_kinds(resolved: Json) -> list[tuple[str, str]]:
    has_cilium = cilium_policy.API_VERSION in resolved["engine"]["policy_apis"]
    return [_NETWORK_POLICY, _CILIUM_POLICY] if has_cilium else [_NETWORK_POLICY]


def _collection(kind: tuple[str, str], namespace: str) -> str:
    return f"/apis/{kind[0]}/namespaces/{namespace}/{policy.RESOURCES[kind]}"


def _base_places(options: WatchOptions) -> frozenset[Place]:
    """What can be followed before anything is resolved."""
    return frozenset([*_service(api_trust.NAMESPACE, api_trust.NAME), _policies(_NETWORK_POLICY, options)])


def _places(options: WatchOptions, resolved: Json, kinds: t.Iterable[tuple[str, str]]) -> t.Iterator[Place]:
    yield from _service(api_trust.NAMESPACE, api_trust.NAME)
    service = (resolved["dns"] or {}).get("service")
    if service:
        yield from _service(service["namespace"], service["name"])
    for kind in kinds:
        yield _policies(kind, options)


def _service(namespace: str, name: str) -> t.Iterator[Place]:
    yield Place(f"/api/v1/namespaces/{namespace}/services", (("fieldSelector", f"metadata.name={name}"),))
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    yield Place(slices, (("labelSelector", f"{SERVICE_NAME_LABEL}={name}"),))


def _policies(kind: tuple[str, str], options: WatchOptions) -> Place:
    return Place(_collection(kind, options.namespace))
