# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What protects an Ignite, and what its clients need to know."""

from __future__ import annotations

import re
import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.elements import Element
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.findings import (
    ERROR,
    NOTE,
    WARNING,
    Finding,
    Part,
    Reader,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.spring import Bean, Items
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.workload import Workload

_SECRET = re.compile(r"(?i)(password|passwd|passphrase|secret|secretkey|credentials?)$|api_?key$")


@dataclass(frozen=True)
class Security:
    """None where a setting is not known.

    :arg nodes_tls: servers and thick clients talk TLS to each other, both sides with certificates.
    :arg hides_system_properties: nodes do not tell the JVM's system properties to each other and to REST.
    """

    nodes_tls: bool | None
    thin_clients_tls: bool | None
    connector_tls: bool | None
    authentication: bool | None
    persistence: bool | None
    is_client: bool | None
    force_client_to_server: bool | None
    hides_system_properties: bool

    def as_dict(self) -> dict[str, t.Any]:
        return asdict(self)


def read_security(reader: Reader, ignite: Part) -> Security:
    thin = reader.part(ignite, "clientConnectorConfiguration")
    connector = reader.part(ignite, "connectorConfiguration")
    communication = reader.part(ignite, "communicationSpi")
    return Security(
        nodes_tls=reader.is_set(ignite, "sslContextFactory"),
        thin_clients_tls=reader.flag(thin, "sslEnabled"),
        connector_tls=reader.flag(connector, "sslEnabled"),
        authentication=_authentication(reader, ignite),
        persistence=_persistence(reader, ignite),
        is_client=reader.flag(ignite, "clientMode"),
        force_client_to_server=reader.flag(communication, "forceClientToServerConnections"),
        hides_system_properties=_hides_properties(ignite),
    )


def _authentication(reader: Reader, ignite: Part) -> bool | None:
    """A plugin may authenticate too, in its own way."""
    own = reader.flag(ignite, "authenticationEnabled")
    if own is False and ignite.bean and (ignite.bean.has("pluginConfigurations") or ignite.bean.has("pluginProviders")):
        return None
    return own


def _persistence(reader: Reader, ignite: Part) -> bool | None:
    storage = reader.part(ignite, "dataStorageConfiguration", WARNING)
    regions = [reader.part(storage, "defaultDataRegionConfiguration", WARNING), *_regions(reader, storage)]
    found = [reader.flag(region, "persistenceEnabled") for region in regions]
    if ignite.bean and ignite.bean.has("persistentStoreConfiguration"):
        found.append(reader.is_set(ignite, "persistentStoreConfiguration"))
    return True if True in found else None if None in found else False


def _regions(reader: Reader, storage: Part) -> list[Part]:
    if not storage.bean or not storage.bean.has("dataRegionConfigurations"):
        return []
    value = storage.bean.get("dataRegionConfigurations")
    items = value.values() if isinstance(value, Items) else [value]
    return [Part(item) if isinstance(item, Bean) else Part(is_known=False) for item in items if item is not None]


def _hides_properties(ignite: Part) -> bool:
    value = ignite.bean.get("includeProperties") if ignite.bean else None
    return isinstance(value, Items) and not value.elements


def judge_security(security: Security, where: str) -> t.Iterator[Finding]:
    if security.authentication and security.persistence is False:
        message = "authenticationEnabled needs persistence: Ignite does not start without"
        yield Finding("authentication_without_persistence", ERROR, where, message, "Enable persistence")
    if security.is_client:
        message = "this is the configuration of a thick client (clientMode), not of a server"
        yield Finding("client_mode", ERROR, where, message, "Name the servers' workload and configuration")
    if not security.hides_system_properties:
        message = "nodes tell each other, and REST (cmd=top&attr=true), all system properties of their JVM"
        fix = "Set includeProperties to an empty list"
        yield Finding("system_properties_exposed", WARNING, where, message, fix)
    if security.persistence:
        message = "a persistent cluster that is new starts inactive"
        yield Finding("starts_inactive", NOTE, where, message, "Activate it once, with control.sh --set-state ACTIVE")


def judge_secrets(reader: Reader, root: Element | None, workload: Workload | None) -> t.Iterator[Finding]:
    """Secrets where many can read them, by the names of their settings.

    :arg root: the configuration if it stands in a ConfigMap.
    """
    for name, line in _named_values(root) if root else ():
        if _SECRET.search(name):
            message = f"{name} stands in a ConfigMap, which is no place for a secret"
            yield Finding(
                "secret_in_config_map", WARNING, reader.where(line), message, "Keep the configuration in a Secret"
            )
    for variable, options in workload.options.items() if workload else ():
        for word in options.split():
            name = word.removeprefix("-D").partition("=")[0]
            if word.startswith("-D") and _SECRET.search(name):
                message = f"system property {name} in {variable} is seen by every node, by REST and in the process list"
                fix = "Give it in a file, as in a configuration that is kept in a Secret"
                yield Finding("secret_in_jvm_options", WARNING, workload.where if workload else "", message, fix)


def _named_values(element: Element) -> t.Iterator[tuple[str, int]]:
    """Properties whose value is written out, and the lines that they stand in."""
    texts = [element.attributes.get("value", ""), *(child.text for child in element.children if child.name == "value")]
    if element.name == "property" and any(map(_is_written_out, texts)):
        yield element.attributes.get("name", ""), element.line
    for (_space, key), value in element.qualified.items():
        if _is_written_out(value):
            yield key, element.line
    for child in element.children:
        yield from _named_values(child)


def _is_written_out(text: str) -> bool:
    return bool(text) and "${" not in text and "#{" not in text
