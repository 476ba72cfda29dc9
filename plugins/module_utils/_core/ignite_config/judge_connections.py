# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections besides those of discovery and of ports, and addresses through which the usual ones fail."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.elements import Element
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.findings import (
    ERROR,
    WARNING,
    Finding,
    Part,
    Reader,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.judge_discovery import (
    is_loopback,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.workload import Workload

# Ends of the names of classes, with what they connect to.
_CLASSES = {
    "DataSource": "a database",
    "DataSourceFactory": "a database",
    "UriDeploymentSpi": "the places of its uriList",
    "JdbcCheckpointSpi": "a database",
    "S3CheckpointSpi": "an object store",
    "KafkaStreamer": "Kafka",
    "OpenCensusTracingSpi": "a collector of traces",
}
_STORE = "cacheStoreFactory"


def judge_connections(reader: Reader, ignite: Part, root: Element, workload: Workload | None) -> t.Iterator[Finding]:
    """:arg root: the whole file, for such beans stand anywhere in it."""
    for element, what in _dialling(root):
        message = f"it may connect to {what}, which the policies do not allow"
        fix = "Add an extra flow to it with its reason, if it is used"
        yield Finding("other_connection", WARNING, reader.where(element.line), message, fix)
    for holder in (ignite, *(reader.part(ignite, name) for name in ("discoverySpi", "communicationSpi"))):
        if holder.bean and holder.bean.has("addressResolver") and holder.bean.get("addressResolver") is not None:
            message = "servers tell each other further addresses, which the policies do not allow"
            where = reader.where(holder.bean.line_of("addressResolver"))
            yield Finding("address_resolver", WARNING, where, message, "Remove addressResolver within a cluster")
    yield from _local(reader, ignite, workload)


def _local(reader: Reader, ignite: Part, workload: Workload | None) -> t.Iterator[Finding]:
    """The address that Ignite listens on; that of the environment wins over that of the configuration."""
    local: t.Any = workload.ignite_setting("IGNITE_LOCAL_HOST") if workload else None
    if not local and ignite.bean:
        local = ignite.bean.get("localHost")
    if isinstance(local, str) and is_loopback(local):
        message = "Ignite listens on a loopback address alone, so no server and no client reaches another pod"
        where = reader.where(ignite.bean.line_of("localHost") if ignite.bean else 0)
        yield Finding(
            "loopback_only", ERROR, where, message, "Remove localHost and IGNITE_LOCAL_HOST, or give the pod's address"
        )


def _dialling(element: Element) -> t.Iterator[tuple[Element, str]]:
    named = element.attributes.get("name" if element.name == "property" else "class", "")
    simple = named.rpartition(".")[2]
    found = next((what for end, what in _CLASSES.items() if element.name == "bean" and simple.endswith(end)), "")
    if element.name == "property" and named == _STORE:
        found = "what its cache store keeps its data in"
    if found:
        yield element, found
    for child in element.children:
        yield from _dialling(child)
