# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which policy engine a cluster runs, read from its API."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import engine
from ansible_collections.netguard.lockdown.plugins.module_utils._core.engine_records import Detected, Surroundings
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session


def list_daemon_sets(session: Session) -> list[Json]:
    """Those of all namespaces: the agents of engines, and caches of the DNS."""
    return session.list("/apis/apps/v1/daemonsets")


def read_engine(
    session: Session, apis: t.Iterable[str], nodes: t.Sequence[Json], daemon_sets: t.Sequence[Json]
) -> Detected:
    """The engine, with its settings where it keeps some.

    :arg apis: what the cluster serves, as GROUP/VERSION.
    """
    around = Surroundings(frozenset(apis), tuple(daemon_sets), tuple(nodes))
    maps = {
        (namespace, name): session.find(f"/api/v1/namespaces/{namespace}/configmaps/{name}")
        for namespace, name in engine.settings_wanted(around)
    }
    return engine.detect(around, maps)
