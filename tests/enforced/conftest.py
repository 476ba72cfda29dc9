# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One real cluster for all cases, and the table that they fill."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from enforced.table import Table
from enforced.verdicts import judged
from enforced.worlds import Playbooks, World
from lab.cluster import life
from lab.cluster.cluster import Cluster
from lab.cluster.state import Options

STATE_VARIABLE = "NETGUARD_CLUSTER"  # the state folder of a cluster that is up and shall stay
BUILD_VARIABLE = "NETGUARD_BUILD"
TABLE = pytest.StashKey[Table]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE] = Table("kube-network-policies")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    table = config.stash[TABLE]
    if table.rows:
        path = Path(os.environ.get(BUILD_VARIABLE, "build")) / "enforced.json"
        table.save(path)
        terminalreporter.section(f"observed, as in {path}")
        terminalreporter.write_line(str(table))


@pytest.fixture(scope="session")
def table(pytestconfig: pytest.Config) -> Table:
    return pytestconfig.stash[TABLE]


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """The cluster of NETGUARD_CLUSTER, or one of our own; its start shows its progress in spite of capturing."""
    if STATE_VARIABLE in os.environ:
        yield Cluster(Path(os.environ[STATE_VARIABLE]))
        return
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with tempfile.TemporaryDirectory(prefix="netguard-cluster-") as folder:
        state = Path(folder) / "state"
        try:
            with capture.global_and_fixture_disabled():
                life.up(state, Options(servers=2, lifetime=3600))
            yield Cluster(state)
        finally:
            life.down(state)


@pytest.fixture(autouse=True)
def verdicts(table: Table, request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test probes, the evaluator has to say the same of it."""
    with judged(table, request.node.name):
        yield


@pytest.fixture
def world(cluster: Cluster) -> Iterator[World]:
    made = World(cluster)
    yield made
    made.close()


@pytest.fixture
def playbooks(cluster: Cluster, tmp_path: Path) -> Playbooks:
    return Playbooks(cluster, tmp_path)


@pytest.fixture(scope="session")
def free(cluster: Cluster) -> Iterator[list[str]]:
    """A pod that no policy restricts: the control of every forbidden connection."""
    made = World(cluster)
    yield made.client(made.namespace("free"))
    made.close()
