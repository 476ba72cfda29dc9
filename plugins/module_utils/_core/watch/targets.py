# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resolved targets in the form in which they are compared and told: one record for each thing that is allowed."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.canonical import canonical_json

Json = dict[str, t.Any]
Raw = t.Mapping[str, t.Any]


def records(resolved: Raw) -> list[Json]:
    """Everything of a result of `resolve_network` that a policy is rendered from, in a stable order."""
    return in_order([*_api_server(resolved["api_server"]), *_dns(resolved.get("dns"))])


def in_order(items: t.Iterable[Json]) -> list[Json]:
    unique = {canonical_json(item): item for item in items}
    return [unique[key] for key in sorted(unique)]


def without(items: t.Iterable[Json], others: t.Sequence[Json]) -> list[Json]:
    return [item for item in items if item not in others]


def _api_server(resolved: Raw) -> t.Iterator[Json]:
    for target in resolved["targets"]:
        for cidr in target["cidrs"]:
            yield {
                "target": "api_server",
                "via": target["via"],
                "cidr": cidr,
                "protocol": target["protocol"],
                "port": target["port"],
            }
    entity = resolved["entity"]
    if entity:
        for name in entity["entities"]:
            for port in entity["ports"]:
                yield {"target": "api_server", "via": "entity", "entity": name, "protocol": "TCP", "port": port}


def _dns(resolved: Raw | None) -> t.Iterator[Json]:
    if not resolved:
        return
    for address in resolved["addresses"]:
        for port in address["ports"]:
            yield {"target": "dns", "cidr": address["cidr"], **port}
    if resolved["pod_selector"] is not None:
        pods = {"namespace": resolved["namespace"], "pod_selector": resolved["pod_selector"]}
        for port in resolved["ports"]:
            yield {"target": "dns", **pods, **port}
