# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of groups as records and as sentences."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.imagined import is_imagined
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.addresses import Range
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.masks import Mask, members
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.objects import Pod
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.universe import Universe

_NAMED_AT_MOST = 3


@dataclass
class Ends:
    """The places of a set.

    :arg pods: names by namespace; `whole` are the namespaces of which it holds every pod.
    :arg imagined: pods that do not exist, by the labels that they would have, as NAMESPACE/LABELS.
    :arg cidrs: the remaining addresses: without those that belong to pods, nodes and Services.
    """

    pods: dict[str, list[str]] = field(default_factory=dict)
    whole: list[str] = field(default_factory=list)
    imagined: list[str] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)
    cidrs: list[str] = field(default_factory=list)

    @property
    def exist(self) -> bool:
        return bool(self.pods or self.nodes or self.cidrs)

    def as_record(self) -> dict[str, t.Any]:
        return {
            "pods": [
                {"namespace": namespace, "names": names, "all": namespace in self.whole}
                for namespace, names in self.pods.items()
            ],
            "imagined": self.imagined,
            "nodes": self.nodes,
            "cidrs": self.cidrs,
        }

    def __str__(self) -> str:
        parts = [self._pods_of(namespace) for namespace in self.pods]
        parts += (
            [f"node {name}" for name in self.nodes]
            if len(self.nodes) <= _NAMED_AT_MOST
            else [f"{len(self.nodes)} nodes"]
        )
        parts += self.cidrs if len(self.cidrs) <= _NAMED_AT_MOST else [_summary(self.cidrs)]
        if self.imagined and not self.pods:
            parts += [f"any pod like {_unstarred(name)}" for name in self.imagined[:_NAMED_AT_MOST]]
            if len(self.imagined) > _NAMED_AT_MOST:
                parts.append(f"{len(self.imagined) - _NAMED_AT_MOST} more kinds of pods that do not exist yet")
        return ", ".join(parts) or "nobody"

    def _pods_of(self, namespace: str) -> str:
        names = self.pods[namespace]
        if namespace in self.whole and len(names) > 1:
            return f"all {len(names)} pods of {namespace}"
        if len(names) <= _NAMED_AT_MOST:
            return ", ".join(f"{namespace}/{name}" for name in names)
        return f"{len(names)} pods of {namespace}"


class Describer:
    """Describes sets of one universe's groups."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        self._numbers: dict[str, int] = {}
        for pod in universe.world.pods.values():
            if not pod.host_network and not is_imagined(pod):
                self._numbers[pod.namespace] = self._numbers.get(pod.namespace, 0) + 1

    def ends(self, mask: Mask) -> Ends:
        found: dict[str, dict[str, None]] = {}
        imagined: dict[str, None] = {}
        nodes: dict[str, None] = {}
        ranges: list[Range] = []
        for number in members(mask):
            group = self._universe.groups[number]
            for pod in group.pods:
                if is_imagined(pod):
                    imagined[str(pod)] = None
                else:
                    found.setdefault(pod.namespace, {})[pod.name] = None
            nodes.update(dict.fromkeys(group.nodes))
            if group.range is not None and not group.pods and not group.nodes:
                ranges.append(group.range)
        pods = {namespace: sorted(names) for namespace, names in sorted(found.items())}
        whole = [namespace for namespace, names in pods.items() if len(names) == self._numbers.get(namespace)]
        return Ends(pods, whole, sorted(imagined), sorted(nodes), _cidrs(ranges))

    def pods(self, mask: Mask) -> list[Pod]:
        """The pods that exist, each once."""
        found = {
            str(pod): pod
            for number in members(mask)
            for pod in self._universe.groups[number].pods
            if not is_imagined(pod)
        }
        return [found[name] for name in sorted(found)]


def _cidrs(ranges: list[Range]) -> list[str]:
    joined: list[Range] = []
    for each in sorted(ranges):
        last = joined[-1] if joined else None
        touching = last is not None and last.family == each.family and last.last + 1 == each.first
        # Single addresses stay what they are: they were named as such.
        if last is not None and touching and (last.first < last.last or each.first < each.last):
            joined[-1] = Range(each.family, last.first, each.last)
        else:
            joined.append(each)
    return [block for each in joined for block in each.describe()]


def _summary(cidrs: list[str]) -> str:
    """Many blocks in a few words."""
    covered = dict.fromkeys((4, 6), 0)
    for text in cidrs:
        block = ipaddress.ip_network(text)
        covered[block.version] += block.num_addresses
    parts = [
        f"{'nearly ' if covered[version] < 1 << bits else ''}every IPv{version} address"
        for version, bits in ((4, 32), (6, 128))
        if covered[version] > 1 << (bits - 1)
    ]
    return " and ".join(parts) or f"{len(cidrs)} blocks from {cidrs[0]} to {cidrs[-1]}"


def _unstarred(name: str) -> str:
    namespace, _slash, labels = name.partition("/")
    where = f"namespaces with {namespace[1:] or 'any labels'}" if namespace.startswith("*") else namespace
    return f"[{labels[1:] or 'any labels'}] in {where}"
