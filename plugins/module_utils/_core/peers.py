# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The peer of a client or extra flow, as a user describes it: namespaces, labels or address blocks."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options, selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import Network, parse_network
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import (
    Block,
    Namespaces,
    Peer,
    Pods,
    Selector,
    is_part,
)

KEYS = ("namespaces", "namespace_selector", "pod_selector", "cidrs", "except", "accept_wide")

Fields = t.Mapping[str, t.Any]


def read_peers(fields: Fields, where: str) -> list[Peer]:
    """One peer, or one for each address block; a peer that is nobody or everybody is an error."""
    named = [key for key in ("namespaces", "namespace_selector", "cidrs") if _is_given(fields, key)]
    if len(named) > 1:
        raise options.invalid(where, f"{' and '.join(named)} exclude each other")
    if "cidrs" in named:
        return list(_blocks(fields, where))
    if _is_given(fields, "except"):
        raise options.invalid(f"{where}.except", "only address blocks can have exceptions")
    peer = _labelled(fields, where, named)
    if not read_acceptance(fields, where):
        _refuse_everyone(peer, where)
    return [peer]


def read_acceptance(fields: Fields, where: str) -> str:
    """Why the user accepts a wide peer here; empty where nothing is accepted."""
    value = fields.get("accept_wide")
    if options.is_unset(value):
        return ""
    if not isinstance(value, str):
        raise options.invalid(f"{where}.accept_wide", f"{value!r} is not a text; it takes the reason in words")
    return options.text(value, f"{where}.accept_wide")


def is_wide(selector: Selector | None, shared: t.Collection[str] = ()) -> bool:
    """Whether a selector demands no label that tells one object from others.

    NotIn and DoesNotExist only leave something out; `shared` names labels that every object carries.
    """
    if selector is None:
        return False
    rules = selector.get("matchExpressions") or []
    demanded = [rule["operator"] == "In" or rule["key"] not in shared for rule in rules if _is_positive(rule)]
    return not selector.get("matchLabels") and not any(demanded)


def _is_positive(rule: Fields) -> bool:
    return rule["operator"] in ("In", "Exists")


def _is_given(fields: Fields, key: str) -> bool:
    # An empty selector is given (and wide); an empty list names nobody.
    value = fields.get(key)
    return not options.is_unset(value) and value != []


def _labelled(fields: Fields, where: str, named: t.Sequence[str]) -> Peer:
    pod_selector = _selector(fields, "pod_selector", where)
    if "namespaces" in named:
        place = f"{where}.namespaces"
        names = options.words(fields["namespaces"], place)
        return Namespaces(tuple(options.dns_label(name, place) for name in names), pod_selector)
    namespace_selector = _selector(fields, "namespace_selector", where)
    if pod_selector is None and namespace_selector is None:
        raise options.invalid(where, "it names no peer; give namespaces, a selector or cidrs")
    return Pods(pod_selector, namespace_selector)


def _selector(fields: Fields, key: str, where: str) -> Selector | None:
    value = fields.get(key)
    if options.is_unset(value):
        return None
    selectors.validate(value, f"{where}.{key}")
    return t.cast("Selector", value)


def _refuse_everyone(peer: Peer, where: str) -> None:
    if isinstance(peer, Pods) and is_wide(peer.namespace_selector, (selectors.NAMESPACE_NAME_LABEL,)):
        raise _too_wide(f"{where}.namespace_selector", "it demands no label, so any namespace can match")
    if isinstance(peer, (Pods, Namespaces)) and is_wide(peer.pod_selector):
        raise _too_wide(f"{where}.pod_selector", "it demands no label, so any pod can match")


def _blocks(fields: Fields, where: str) -> t.Iterator[Block]:
    if _is_given(fields, "pod_selector"):
        raise options.invalid(where, "cidrs and pod_selector exclude each other")
    networks = _networks(fields["cidrs"], f"{where}.cidrs")
    excluded = _networks(fields.get("except"), f"{where}.except")
    for one in excluded:
        if not any(is_part(one, network) for network in networks):
            raise options.invalid(f"{where}.except", f"{one} is not a part of any block of {where}.cidrs")
    for network in networks:
        yield Block(network, tuple(one for one in excluded if is_part(one, network)))


def _networks(value: t.Any, where: str) -> list[Network]:
    return [parse_network(item, where) for item in options.words(value, where)]


def _too_wide(where: str, why: str) -> LockdownError:
    return LockdownError(
        "too_wide",
        f"Refused {where}",
        why,
        "Demand a label that only the peer has, name its namespaces, or accept it with accept_wide: REASON",
    )
