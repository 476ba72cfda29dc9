# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads policies of other kinds, as far as the cluster has them and the account may."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import neighbours, ownership
from ansible_collections.netguard.lockdown.plugins.module_utils._core.neighbours import Kind, Neighbour
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import ApiError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session


@dataclass(frozen=True)
class Seen:
    """What was read: objects by kind, or the error where they may not be read."""

    found: t.Mapping[Kind, list[Json] | ApiError]

    def cilium(self) -> list[Json] | ApiError:
        return self.found.get(neighbours.CILIUM, [])

    def judged(self, session: Session, namespace: str, pods: t.Sequence[t.Mapping[str, str]]) -> list[Neighbour]:
        """What concerns our pods, given by their labels. The namespace is read only if there is something to judge."""
        foreign = [
            (kind, item)
            for kind, items in self.found.items()
            if not isinstance(items, ApiError)
            for item in items
            if not ownership.has_our_labels(item)
        ]
        unreadable = [neighbours.unreadable(kind) for kind, items in self.found.items() if isinstance(items, ApiError)]
        if not foreign:
            return unreadable
        own = session.find(f"/api/v1/namespaces/{namespace}") or {"metadata": {}}
        subject = neighbours.Subject(namespace, own["metadata"].get("labels") or {}, pods)
        judgements = [neighbours.judge(kind, item, subject) for kind, item in foreign]
        return [*filter(None, judgements), *unreadable]


def read(session: Session, namespace: str, apis: t.Collection[str]) -> Seen:
    paths = {kind: [kind.path(api, namespace) for api in kind.served(apis)] for kind in neighbours.KINDS}
    return Seen({kind: _list(session, some) for kind, some in paths.items() if some})


def _list(session: Session, paths: t.Sequence[str]) -> list[Json] | ApiError:
    """The objects at the first of these paths that is served."""
    for path in paths:
        try:
            return session.list(path)
        except ApiError as error:
            if error.lacks_right:
                return error
            # A group may be served without each of its kinds.
            if error.status != 404:
                raise
    return []
