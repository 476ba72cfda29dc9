# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control planes for tests that stop servers, read audit logs or run whole playbooks."""

from __future__ import annotations

import typing as t
import uuid
from collections.abc import Iterator

import pytest

from lab import binaries, objects
from lab.control_plane import ControlPlane
from lab.environment import scrubbed_env

StartPlane = t.Callable[..., ControlPlane]


@pytest.fixture(scope="session", autouse=True)
def programs(request: pytest.FixtureRequest) -> binaries.Binaries:
    """The programs, built before the first test: a build of minutes shows its progress in spite of capturing."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        return binaries.find_or_build()
    with capture.global_and_fixture_disabled():
        return binaries.find_or_build()


@pytest.fixture(scope="session")
def plane(programs: binaries.Binaries) -> Iterator[ControlPlane]:
    """One control plane for all tests that leave its servers alone; each makes a namespace of its own."""
    with ControlPlane() as running:
        yield running


@pytest.fixture
def start_plane(programs: binaries.Binaries) -> Iterator[StartPlane]:
    """Start control planes with the options of ControlPlane(); they end with the test."""
    with_processes: list[ControlPlane] = []

    def start(**options: t.Any) -> ControlPlane:
        running = ControlPlane(**options).start()
        with_processes.append(running)
        return running

    yield start
    for running in with_processes:
        running.stop()


@pytest.fixture(scope="module")
def two_servers(programs: binaries.Binaries) -> Iterator[ControlPlane]:
    """Two API servers on one etcd, for a module's tests; one that stops a server starts it again."""
    with ControlPlane(servers=2) as running:
        yield running


@pytest.fixture
def namespace(plane: ControlPlane) -> str:
    """The name of a fresh namespace."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    plane.create(objects.namespace(name))
    return name


@pytest.fixture
def env(plane: ControlPlane) -> dict[str, str]:
    """The environment for programs that may reach `plane` and no other cluster."""
    return scrubbed_env(plane.kubeconfig)
