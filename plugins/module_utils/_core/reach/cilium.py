# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CiliumNetworkPolicies in the form that this collection writes: to the API server as an entity, on ports.

Any other form is not evaluated but kept as a policy whose effect is unknown.
"""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options, selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import objects, policies
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.policies import (
    EGRESS,
    INGRESS,
    EntityPeer,
    Policy,
    Rule,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw

API_SERVER = "kube-apiserver"
_SPEC_KEYS = {"endpointSelector", "enableDefaultDeny", "egress", "ingress", "description"}
_SOURCES = ("k8s:", "any:")
_UNTOLD = "its rules are of a form that is not evaluated"


def read(raw: Raw, where: str, *, clusterwide: bool = False) -> Policy:
    """The policy; opaque where its form is not the one this collection writes."""
    spec = raw.get("spec")
    selector = _selector(spec, where)
    everywhere: selectors.Selector | None = {} if clusterwide else None
    blank = Policy(
        kind=str(raw.get("kind")),
        namespace="" if clusterwide else objects.namespace_of(raw),
        name=objects.name_of(raw, where),
        pod_selector=selector or {},
        isolates=(),
        rules=(),
        opaque=_UNTOLD,
        namespace_selector=everywhere,
    )
    if selector is None or not _is_plain(raw, spec):
        return blank
    spec = t.cast("Raw", spec)
    deny = spec.get("enableDefaultDeny") or {}
    isolates = tuple(key for key in (INGRESS, EGRESS) if spec.get(key) and deny.get(key) is not False)
    rules = [_rule(rule, index, f"{where} spec.egress[{index}]") for index, rule in enumerate(spec.get(EGRESS) or [])]
    return blank._replace(isolates=isolates, rules=tuple(rules), opaque="")


def entity_addresses(policy: Policy, api_server: tuple[t.Any, ...]) -> Policy:
    """The policy with the addresses that its entity stands for."""
    rules = tuple(
        rule._replace(peers=tuple(_resolved(peer, api_server) for peer in rule.peers)) if rule.peers else rule
        for rule in policy.rules
    )
    return policy._replace(rules=rules)


def _resolved(peer: policies.Peer, api_server: tuple[t.Any, ...]) -> policies.Peer:
    return EntityPeer(API_SERVER, api_server) if isinstance(peer, EntityPeer) else peer


def _selector(spec: t.Any, where: str) -> selectors.Selector | None:
    """The endpoint selector in plain labels; None where it says more than labels of pods."""
    if not isinstance(spec, t.Mapping) or not isinstance(spec.get("endpointSelector"), t.Mapping):
        return None
    given = spec["endpointSelector"]
    plain: dict[str, t.Any] = {
        "matchLabels": {_key(key): value for key, value in (given.get("matchLabels") or {}).items()},
        "matchExpressions": [{**entry, "key": _key(entry.get("key"))} for entry in given.get("matchExpressions") or []],
    }
    try:
        selectors.validate(plain, f"{where} spec.endpointSelector")
    except LockdownError:
        return None
    keys = [*plain["matchLabels"], *(entry["key"] for entry in plain["matchExpressions"])]
    # Cilium itself gives pods labels of these names, and ":" stands behind a source other than Kubernetes.
    return None if any(key.startswith(("io.kubernetes.pod.", "io.cilium.")) or ":" in key for key in keys) else plain


def _key(key: t.Any) -> t.Any:
    if isinstance(key, str):
        for prefix in _SOURCES:
            key = key.removeprefix(prefix)
    return key


def _is_plain(raw: Raw, spec: t.Any) -> bool:
    # Empty lists say nothing; this collection writes them, so that nobody else's rules can stand in their place.
    if raw.get("specs") or {key for key in spec if spec[key]} - _SPEC_KEYS or spec.get(INGRESS):
        return False
    return all(
        set(rule) == {"toEntities", "toPorts"}
        and rule["toEntities"] == [API_SERVER]
        and all(set(part) == {"ports"} and part["ports"] for part in rule["toPorts"])
        for rule in spec.get(EGRESS) or []
    )


def _rule(raw: Raw, index: int, where: str) -> Rule:
    listed = [
        {**port, "port": options.port(port.get("port"), f"{where}.toPorts")}
        for part in raw["toPorts"]
        for port in part["ports"]
    ]
    numbered, _named = policies.read_ports(listed, where)
    return Rule(EGRESS, index, (EntityPeer(API_SERVER, ()),), numbered, ())
