# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's Services: from one answer where it holds them all, else asked for one by one."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import dns_service
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import Address
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import metadata
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session

_SERVICES = "/api/v1/services"


class Services:
    """:arg at_once: whether more than one Service will be asked for."""

    def __init__(self, session: Session, *, at_once: bool) -> None:
        self._session = session
        self._all: list[Json] | None = session.whole_page(_SERVICES) if at_once else None

    def get(self, namespace: str, name: str) -> Json:
        """The Service, or the API server's own answer that there is none."""
        path = f"/api/v1/namespaces/{namespace}/services/{name}"
        return self._known(namespace, name) or self._session.get(path)

    def find(self, namespace: str, name: str) -> Json | None:
        if self._all is not None:
            return self._known(namespace, name)
        return self._session.find(f"/api/v1/namespaces/{namespace}/services/{name}")

    def all(self) -> list[Json]:
        if self._all is None:
            self._all = self._session.list(_SERVICES)
        return self._all

    def with_cluster_ips(self, addresses: t.Sequence[Address]) -> dict[Address, Json | None]:
        """The Service behind each address. The API finds a Service by its first cluster IP only."""
        known: list[Json] = list(self._all or [])
        if self._all is None:
            for address in addresses:
                if dns_service.with_cluster_ip(address, known) is None:
                    known += self._session.list(_SERVICES, {"fieldSelector": f"spec.clusterIP={address}"})
            if any(dns_service.with_cluster_ip(address, known) is None for address in addresses):
                known = self.all()
        return {address: dns_service.with_cluster_ip(address, known) for address in addresses}

    def _known(self, namespace: str, name: str) -> Json | None:
        wanted = (namespace, name)
        known = self._all or []
        return next(
            (raw for raw in known if (metadata(raw).get("namespace"), metadata(raw).get("name")) == wanted), None
        )
