# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of module ignite_topology_info: read logs and connections until they agree, or until the deadline."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core import cluster, options, selectors, topology
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.api_errors import ApiError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Json, Session

_POLL_SECONDS = 1.0
_EXEC_SECONDS = 10.0


@dataclass(frozen=True)
class Task:
    """The module's options, checked as far as that goes without a cluster."""

    namespace: str
    pod_selector: Json
    container: str
    discovery_port: int
    expected_servers: int | None
    deadline: float
    cluster_uid: str
    check_mode: bool

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any], *, check_mode: bool) -> Task:
        selectors.validate(params["pod_selector"], "pod_selector")
        options.port(params["discovery_port"], "discovery_port")
        if params["expected_servers"] is not None and params["expected_servers"] < 1:
            raise options.invalid("expected_servers", f"{params['expected_servers']} is not positive")
        return cls(
            namespace=options.dns_label(params["namespace"], "namespace"),
            pod_selector=params["pod_selector"],
            container=params["container"] or "",
            discovery_port=params["discovery_port"],
            expected_servers=params["expected_servers"],
            deadline=params["deadline"],
            cluster_uid=params["cluster_uid"] or "",
            check_mode=check_mode,
        )
