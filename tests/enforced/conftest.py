# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One real cluster for all cases, and the table that they fill."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from enforced import waiting
from enforced.table import Table
from enforced.verdicts import judged
from enforced.waiting import Waiting
from enforced.worlds import Playbooks, Unrestricted, World
from lab.cluster import engines, life
from lab.cluster.cluster import Cluster
from lab.cluster.state import Options
from lab.errors import LabError

STATE_VARIABLE = "NETGUARD_CLUSTER"  # the state folder of a cluster that is up and shall stay
BUILD_VARIABLE = "NETGUARD_BUILD"
LIFETIME_SECONDS = 3600.0
ONLY, EVERY = "only", "every_engine"
TABLE = pytest.StashKey[Table]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", default=engines.DEFAULT, choices=list(engines.ENGINES), help="the policy engine")
    parser.addoption("--short", action="store_true", help="only what is to be seen on every engine, and this one's own")


def pytest_configure(config: pytest.Config) -> None:
    # By default SIGTERM ends pytest without its fixtures' ends, and the cluster would run on for its lifetime.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.stash[TABLE] = Table(_engine(config))
    config.addinivalue_line("markers", f"{ONLY}(engine): makes sense on this engine only")
    config.addinivalue_line("markers", f"{EVERY}: belongs to the short run, which every engine has")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is another engine's; of a short run what belongs neither to all engines nor to this one."""
    short = bool(config.getoption("--short"))
    left_out = [item for item in items if not _wanted(item, _engine(config), short)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _wanted(item: pytest.Item, engine: str, short: bool) -> bool:
    own = [mark.args[0] for mark in item.iter_markers(ONLY)]
    return engine in own if own else not short or item.get_closest_marker(EVERY) is not None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    table = config.stash[TABLE]
    if table.rows:
        path = Path(os.environ.get(BUILD_VARIABLE, "build")) / f"enforced-{table.engine}.json"
        table.save(path)
        terminalreporter.section(f"observed on {table.engine}, as in {path}")
        terminalreporter.write_line(str(table))


@pytest.fixture(scope="session")
def table(pytestconfig: pytest.Config) -> Table:
    return pytestconfig.stash[TABLE]


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """The cluster of NETGUARD_CLUSTER, or one of our own; its start shows its progress in spite of capturing.

    Without a cluster there is nothing to test: that is said once, not by every test.
    """
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    kept = os.environ.get(STATE_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="netguard-cluster-") as folder:
        state = Path(kept or f"{folder}/state")
        try:
            if kept is None:
                with capture.global_and_fixture_disabled():
                    life.up(state, Options(servers=2, lifetime=LIFETIME_SECONDS, engine=_engine(pytestconfig)))
            yield _connected(state, _engine(pytestconfig))
        except LabError as error:
            pytest.exit(f"There is no cluster to test on: {error}", 1)
        finally:
            if kept is None:
                life.down(state)


def _connected(state: Path, engine: str) -> Cluster:
    found = Cluster(state)
    if found.state.options.engine != engine:
        raise LabError(f"The cluster in {state} runs {found.state.options.engine}, not {engine}")
    return found


def _engine(config: pytest.Config) -> str:
    return str(config.getoption("--engine"))


@pytest.fixture(scope="session", autouse=True)
def early(request: pytest.FixtureRequest) -> None:
    """Start what takes minutes of mere waiting before the first test, as far as a chosen test asks for it."""
    asked = {name for item in request.session.items if isinstance(item, pytest.Function) for name in item.fixturenames}
    for fixture in (attempts, removals):
        if fixture.__name__ in asked:
            request.getfixturevalue(fixture.__name__)


@pytest.fixture(scope="session")
def attempts(cluster: Cluster) -> Iterator[Waiting]:
    made = World(cluster)
    yield waiting.attempts(made)
    made.close()


@pytest.fixture(scope="session")
def removals(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Waiting]:
    made = World(cluster)
    yield waiting.removals(made, Playbooks(cluster, tmp_path_factory.mktemp("removals")))
    made.close()


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
def free(cluster: Cluster) -> Iterator[Unrestricted]:
    """A pod that no policy restricts: the control of every forbidden connection."""
    made = World(cluster)
    namespace = made.namespace("free")
    yield Unrestricted(made.client(namespace), made.client_address(namespace))
    made.close()
