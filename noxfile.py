# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sessions of the project; the Makefile has short names for them.

Environments are made by tests/tools/gate and kept in the cache, keyed by their requirements:
nox's own would be made anew for every checkout.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent / "tests" / "tools"))

from gate import checks, programs, tiers
from gate.cells import CELLS

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "none"
nox.options.error_on_external_run = False
nox.options.sessions = ["lint", "unit"]

cells = nox.parametrize("cell", list(CELLS), ids=list(CELLS))


@nox.session
def lint(session: nox.Session) -> None:
    """Static checks: types, style, documentation, changelog, what Galaxy's importer would say."""
    end(session, checks.lint())


@nox.session
@cells
def unit(session: nox.Session, cell: str) -> None:
    """Tests of the pure parts; arguments go to pytest."""
    end(session, tiers.unit(cell, session.posargs))


@nox.session
@cells
def sanity(session: nox.Session, cell: str) -> None:
    """ansible-test sanity; arguments go to it."""
    end(session, tiers.sanity(cell, session.posargs))


@nox.session
@cells
def integration(session: nox.Session, cell: str) -> None:
    """Every module and role against a real API server; arguments name targets."""
    end(session, tiers.integration(cell, session.posargs))


@nox.session
@cells
def system(session: nox.Session, cell: str) -> None:
    """Playbooks against control planes that the tests stop, watch and change; arguments go to pytest."""
    end(session, tiers.system(cell, session.posargs))


@nox.session
@cells
def molecule(session: nox.Session, cell: str) -> None:
    """Molecule scenarios of the role; arguments name scenarios."""
    end(session, tiers.molecule(cell, session.posargs))


@nox.session
def page(session: nox.Session) -> None:
    """The report in a real headless Chromium, which must be installed; arguments go to pytest."""
    end(session, tiers.page(session.posargs))


@nox.session(name="test-enforced")
def enforced(session: nox.Session) -> None:
    """Policies judged by a real engine between real pods, as root; --engine=NAME, other arguments go to pytest."""
    end(session, tiers.enforced(session.posargs))


@nox.session
def cluster(session: nox.Session) -> None:
    """The real cluster's commands, as root: check the machine, build what it runs."""
    end(session, programs.cluster(session.posargs))


@nox.session
def binaries(session: nox.Session) -> None:
    """Find or build the programs of the control plane; about 10 minutes the first time."""
    end(session, programs.binaries())


@nox.session
def demo(session: nox.Session) -> None:
    """Lock a namespace down on a control plane of its own and show what happened."""
    end(session, programs.demo())


@nox.session
def bench(session: nox.Session) -> None:
    """Measure against the peers; the figures go to build/bench.json."""
    end(session, programs.bench(session.posargs))


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation of the plugins and roles as web pages."""
    end(session, programs.docs())


@nox.session
def generate(session: nox.Session) -> None:
    """Write the files that follow from the role's argument specs."""
    end(session, programs.generate())


@nox.session
def artifact(session: nox.Session) -> None:
    """Build the collection's tarball from a clean export."""
    end(session, programs.artifact())


def end(session: nox.Session, code: int) -> None:
    """Fail the session with what its tools said above."""
    if code:
        session.error(f"ended with code {code}")
