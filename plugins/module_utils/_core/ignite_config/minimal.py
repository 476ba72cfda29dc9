# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an Ignite can live without DNS: profile minimal allows none."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config import discovery as modes
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config import versions
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.discovery import Discovery
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.judge_workload import downloads
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.versions import Version
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.workload import Workload

_HOSTS_FILE_JAVA = 9


@dataclass(frozen=True)
class Minimal:
    """Fit only if nothing speaks against it; what is not known does."""

    reasons: tuple[str, ...]

    @property
    def fit(self) -> bool:
        return not self.reasons

    def as_dict(self) -> dict[str, t.Any]:
        return {"fit": self.fit, "reasons": list(self.reasons)}


def judge_minimal(discovery: Discovery, workload: Workload | None, version: Version | None) -> Minimal:
    return Minimal((*_names(discovery), *_resolver(workload, version), *_fetched(workload)))


def _names(discovery: Discovery) -> t.Iterator[str]:
    """Names that the servers ask for to find each other."""
    if discovery.mode == modes.KUBERNETES:
        if discovery.master_url_kind == modes.NAME:
            yield (
                f"the IP finder asks DNS for the host of {discovery.master_url}; give masterUrl as an address, such as "
                "that of Service kubernetes in namespace default"
            )
        elif discovery.master_url_kind == modes.UNKNOWN:
            yield "masterUrl is not known"
    elif discovery.mode == modes.DNS:
        yield "the static IP finder asks DNS for its names"
    elif discovery.mode != modes.STATIC:
        yield f"what discovery ({discovery.mode}) asks DNS for is not known"


def _resolver(workload: Workload | None, version: Version | None) -> t.Iterator[str]:
    """Before 2.17 peers' names are resolved while they join: without an answer at once, they do not."""
    if version is not None and versions.NO_PEER_NAMES <= version <= versions.NEWEST:
        return
    named = f"Ignite {version}" if version else "Ignite of an unknown version"
    if workload is None:
        yield f"{named} may ask DNS for its peers' names, and the pods' resolver is not known"
    elif not workload.refuses_names_at_once() and not _reads_hosts_file(workload):
        yield (
            f"{named} may ask DNS for its peers' names and wait for the answer; give the pods dnsPolicy None and "
            "dnsConfig with nameserver 127.0.0.1 and options timeout:1, attempts:1, ndots:1"
        )


def _reads_hosts_file(workload: Workload) -> bool:
    return workload.has_hosts_file() and workload.image.java >= _HOSTS_FILE_JAVA


def _fetched(workload: Workload | None) -> t.Iterator[str]:
    for each in downloads(workload) if workload else ():
        yield f"{each} is downloaded at the start"
