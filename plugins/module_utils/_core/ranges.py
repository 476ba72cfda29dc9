# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Address blocks that would open too much: nearly all addresses, or ranges that belong to the cluster."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import (
    METADATA_NETWORKS,
    Network,
    overlapping,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import Block, Flow

# The widest private ranges are 10.0.0.0/8 and fc00::/7; what is wider holds public addresses of strangers.
WIDEST_PREFIX = {4: 8, 6: 7}

_Networks = list[Network]


def too_wide(flows: t.Sequence[Flow], accepted: t.Collection[str]) -> list[LockdownError]:
    """Blocks that are too wide, alone or joined with the blocks of other flows of the same direction.

    :arg accepted: ids of the flows whose width the user accepted.
    """
    return [
        error
        for direction in ("ingress", "egress")
        for version in (4, 6)
        for error in _too_wide([flow for flow in flows if flow.direction == direction], version, accepted)
    ]


def in_metadata_range(flows: t.Sequence[Flow], accepted: t.Collection[str]) -> list[LockdownError]:
    return in_ranges(flows, accepted, "metadata", METADATA_NETWORKS)


def in_ranges(
    flows: t.Sequence[Flow], accepted: t.Collection[str], kind: str, ranges: t.Sequence[Network]
) -> list[LockdownError]:
    """Blocks that reach into the pod, service or metadata range, one error for each block."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for flow in flows:
        if isinstance(flow.peer, Block) and flow.id not in accepted:
            hit = {str(other) for part in _parts(flow.peer) for other in overlapping(part, ranges)}
            if hit:
                found.setdefault(str(flow.peer.network), ([], sorted(hit)))[0].append(flow.id)
    return [
        LockdownError(
            "covers_cluster_range",
            f"Refused CIDR block {block} of {_flows(ids)}",
            f"it reaches into the {kind} range {', '.join(hit)}",
            "Name pods and namespaces by selector, leave the range out with except, "
            "or accept it with accept_wide: REASON",
        )
        for block, (ids, hit) in found.items()
    ]


def _too_wide(flows: t.Sequence[Flow], version: int, accepted: t.Collection[str]) -> t.Iterator[LockdownError]:
    parts = {flow.id: [part for part in _parts(flow.peer) if part.version == version] for flow in flows}
    taken = _joined(part for name in accepted for part in parts.get(name, []))
    for block in _joined(part for every in parts.values() for part in every):
        if block.prefixlen >= WIDEST_PREFIX[version] or any(_holds(other, block) for other in taken):
            continue
        ids = [name for name, every in parts.items() if name not in accepted and overlapping(block, every)]
        yield LockdownError(
            "too_wide",
            f"Refused the CIDR blocks of {_flows(ids)}",
            f"together they cover {block}, which is wider than /{WIDEST_PREFIX[version]}",
            "Give narrower blocks, or accept it with accept_wide: REASON",
        )


def _parts(peer: t.Any) -> _Networks:
    """What a block really holds: its network without the excluded parts."""
    if not isinstance(peer, Block):
        return []
    parts: _Networks = [peer.network]
    for hole in peer.excluded:
        parts = [rest for part in parts for rest in _without(part, hole)]
    return parts


def _without(part: Network, hole: Network) -> _Networks:
    if not overlapping(part, [hole]):
        return [part]
    return [] if _holds(hole, part) else list(t.cast("t.Any", part).address_exclude(hole))


def _holds(one: Network, other: Network) -> bool:
    return one.version == other.version and t.cast("t.Any", other).subnet_of(one)


def _joined(networks: t.Iterable[Network]) -> _Networks:
    return list(ipaddress.collapse_addresses(t.cast("t.Any", networks)))


def _flows(ids: t.Sequence[str]) -> str:
    return f"flow{'s' if len(ids) > 1 else ''} {', '.join(ids)}"
