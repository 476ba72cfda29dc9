# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Ignite as its configuration and its workload describe it, with everything that is wrong or worth knowing."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config import judge_workload as workloads
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.discovery import (
    MULTICAST,
    Discovery,
    read_discovery,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.findings import (
    ERROR,
    NOTE,
    WARNING,
    Finding,
    Part,
    Reader,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.judge_connections import (
    judge_connections,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.judge_discovery import (
    judge_discovery,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.listeners import (
    Listener,
    judge_listeners,
    judge_rest,
    read_listeners,
    role_ports,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.minimal import (
    Minimal,
    judge_minimal,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.security import (
    Security,
    judge_secrets,
    judge_security,
    read_security,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.spring import Bean, Document
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.versions import Version
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.workload import Workload

_CLASS = "org.apache.ignite.configuration.IgniteConfiguration"
_LEVELS = (ERROR, WARNING, NOTE)


@dataclass(frozen=True)
class Config:
    """A configuration as it was found. `is_open` tells that it stands in a ConfigMap, where secrets do not belong."""

    data: str | bytes
    where: str
    is_open: bool = False


@dataclass(frozen=True)
class Ignite:
    version: Version | None
    listeners: tuple[Listener, ...]
    discovery: Discovery
    security: Security
    minimal: Minimal
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, t.Any]:
        """The plain form that the module returns."""
        return {
            "version": str(self.version) if self.version else None,
            "ports": role_ports(self.listeners),
            "listeners": [listener.as_dict() for listener in self.listeners],
            "discovery": self.discovery.as_dict(),
            "security": self.security.as_dict(),
            "minimal": self.minimal.as_dict(),
            "findings": [finding.as_record() for finding in self.findings],
        }


def read_ignite(config: Config, workload: Workload | None = None, version: Version | None = None) -> Ignite:
    """:arg version: what the user knows; the image tells it otherwise."""
    document = Document.read(config.data, config.where)
    reader = Reader(config.where)
    ignite = Part(_configuration(document, reader))
    known = version or (workload.image.version if workload else None)
    listeners = read_listeners(reader, ignite, workload)
    discovery = read_discovery(reader, ignite)
    security = read_security(reader, ignite)
    found = [
        *_parts_unread(document, reader),
        *reader.findings,
        *workloads.judge_version(known, workload.where if workload else config.where),
        *judge_connections(reader, ignite, document.root, workload),
        *judge_listeners(listeners),
        *judge_rest(workload),
        *judge_discovery(discovery, listeners[0].port, known, workload.ref.namespace if workload else ""),
        *(workloads.judge_workload(workload, discovery.mode, known) if workload else ()),
        *judge_security(security, reader.where(ignite.line)),
        *judge_secrets(reader, document.root if config.is_open else None, workload),
    ]
    return Ignite(
        version=known,
        listeners=(*listeners, *_multicast(discovery)),
        discovery=discovery,
        security=security,
        minimal=judge_minimal(discovery, workload, known),
        findings=tuple(sorted(dict.fromkeys(found), key=lambda finding: _LEVELS.index(finding.level))),
    )


def _configuration(document: Document, reader: Reader) -> Bean:
    """The one IgniteConfiguration; of several, Ignite starts a node for each."""
    found = [bean for bean in document.beans() if bean.class_name == _CLASS]
    if len(found) == 1:
        return found[0]
    lines = ", ".join(str(bean.line) for bean in found)
    why = f"it has {len(found)} (lines {lines})" if found else "it has none"
    if document.imports or document.profiles:
        why += ", and parts of it are in other files or profiles"
    raise LockdownError(
        "no_ignite_configuration",
        f"Cannot read {reader.document}",
        f"one bean of class {_CLASS} is needed, and {why}",
        "Name the file that Ignite starts with, with all of its beans in it",
    )


def _parts_unread(document: Document, reader: Reader) -> t.Iterator[Finding]:
    for line in document.imports:
        message = "another file is imported, whose beans may change what is read here"
        yield Finding("import_not_read", ERROR, reader.where(line), message, "Put all beans into one file")
    for line in document.profiles:
        message = "beans of a profile are not read, and may be active"
        yield Finding("profile_not_read", ERROR, reader.where(line), message, "Do without profiles")
    for line in document.changers:
        message = "it may bring beans, or change properties of beans, that are written elsewhere"
        yield Finding("override_not_read", ERROR, reader.where(line), message, "Write all properties into their beans")


def _multicast(discovery: Discovery) -> t.Iterator[Listener]:
    if discovery.mode == MULTICAST:
        port = discovery.multicast_port
        yield Listener("multicast", port, port, discovery.where, "ipFinder", protocol="UDP")
