# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that do not exist, one for each way to be selected: what a rule would open to them, it opens.

A rule for pods of which none runs today matches nothing, and an audit of what exists would not see it.
The names of these pods and namespaces begin with a star, which no real one can.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.netguard.lockdown.plugins.module_utils._core import selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.objects import Namespace, Pod
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.policies import PodPeer
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.world import World

_MARK = "*"
_ANY_VALUE = "any"
# Of the values of one expression; more would say no more.
_MOST_VALUES = 8


def is_imagined(pod: Pod) -> bool:
    return pod.name.startswith(_MARK)


def imagine(world: World, peers: t.Iterable[tuple[str, PodPeer]]) -> World:
    """The world with a pod for each way to be one of these peers.

    :arg peers: with the namespace that a peer without a namespace selector means.
    """
    pods, namespaces = dict(world.pods), dict(world.namespaces)
    for home, peer in peers:
        for namespace in _namespaces(world, home, peer.namespace_selector):
            namespaces.setdefault(namespace.name, namespace)
            for labels in _witnesses(peer.pod_selector or {}):
                pod = _pod(namespace.name, labels)
                pods.setdefault((pod.namespace, pod.name), pod)
    return replace(world, pods=pods, namespaces=namespaces)


def _namespaces(world: World, home: str, selector: selectors.Selector | None) -> t.Iterator[Namespace]:
    """An existing namespace if one fits, and one that may come."""
    if selector is None:
        yield world.namespaces.get(home) or _named(home)
        return
    fitting = (each for each in world.namespaces.values() if selectors.matches(selector, each.labels))
    existing = next(fitting, None)
    if existing is not None:
        yield existing
    for labels in _witnesses(selector):
        name = labels.get(selectors.NAMESPACE_NAME_LABEL)
        if name is not None:
            yield world.namespaces.get(name) or _named(name)
        else:
            imagined = f"{_MARK}{_text(labels)}"
            yield Namespace(imagined, {**labels, selectors.NAMESPACE_NAME_LABEL: imagined})


def _named(name: str) -> Namespace:
    return Namespace(name, {selectors.NAMESPACE_NAME_LABEL: name}, assumed=True)


def _witnesses(selector: selectors.Selector) -> t.Iterator[dict[str, str]]:
    """Labels that satisfy the selector, as few as possible: one set for each value of each of its lists."""
    expressions = selector.get("matchExpressions") or []
    lists = [each for each in expressions if each["operator"] == "In"]
    labels = dict(selector.get("matchLabels") or {})
    labels.update({each["key"]: _ANY_VALUE for each in expressions if each["operator"] == "Exists"})
    labels.update({each["key"]: each["values"][0] for each in lists})
    variants = [labels] + [{**labels, each["key"]: value} for each in lists for value in each["values"][1:_MOST_VALUES]]
    return (variant for variant in variants if selectors.matches(selector, variant))


def _pod(namespace: str, labels: dict[str, str]) -> Pod:
    return Pod(namespace, f"{_MARK}{_text(labels)}", labels, (), "", False, (), "")


def _text(labels: t.Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
