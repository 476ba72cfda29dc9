# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policy objects: validation, normal form, and whether a live object says the same as a wanted one.

The API server drops empty lists, fills in defaults and keeps the order of lists that mean sets. Two
specs are equal here when Kubernetes treats them alike.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import cilium_policy, ownership, selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.canonical import canonical_json
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import parse_network
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError, ObjectRef

Policy = t.Mapping[str, t.Any]
Json = dict[str, t.Any]

# The kinds this collection may write, and where the API serves them. A further kind is a further entry.
RESOURCES: dict[tuple[str, str], str] = {
    ("networking.k8s.io/v1", "NetworkPolicy"): "networkpolicies",
    (cilium_policy.API_VERSION, cilium_policy.KIND): cilium_policy.RESOURCE,
}

DIRECTIONS: tuple[tuple[str, str, str], ...] = (("Ingress", "ingress", "from"), ("Egress", "egress", "to"))
PROTOCOLS = ("TCP", "UDP", "SCTP")

_NAME = re.compile(r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")
_PORT_NAME = re.compile(r"^(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?\Z")


def reference(policy: Policy) -> ObjectRef:
    metadata = policy.get("metadata") or {}
    return ObjectRef(str(policy.get("kind", "")), str(metadata.get("name", "")), str(metadata.get("namespace", "")))


def name_of(policy: Policy) -> str:
    return str(policy["metadata"]["name"])


def isolates(policy: Policy) -> list[str]:
    """The directions in which the pods it selects are isolated: policyTypes with the API's default."""
    if cilium_policy.is_one(policy):
        return cilium_policy.isolates(policy)
    spec = policy["spec"]
    types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    return [name for name, _rules, _peers in DIRECTIONS if name in types]


def rules_of(policy: Policy, direction: str) -> list[Json]:
    """The rules that take effect in a direction."""
    if cilium_policy.is_one(policy):
        return cilium_policy.rules(policy, direction)
    if direction not in isolates(policy):
        return []
    return list(policy["spec"].get(direction.lower()) or [])


def allows_something(policy: Policy) -> bool:
    return any(rules_of(policy, direction) for direction in ("Ingress", "Egress"))


def is_network_policy(policy: Policy) -> bool:
    return not cilium_policy.is_one(policy)


def selector_of(policy: Policy) -> selectors.Selector:
    """The selector of the pods that the policy is for."""
    if cilium_policy.is_one(policy):
        return cilium_policy.selector(policy)
    return policy["spec"].get("podSelector") or {}


def selects(policy: Policy, labels: selectors.Labels) -> bool:
    return selectors.matches(selector_of(policy), labels)


def normal_spec(policy: Policy) -> Json:
    """The spec without what means nothing: order, duplicates, defaults, empty lists."""
    if cilium_policy.is_one(policy):
        return cilium_policy.normal_spec(policy)
    spec: Json = {
        "podSelector": normal_selector(policy["spec"].get("podSelector") or {}),
        "policyTypes": isolates(policy),
    }
    for direction, rules, peers in DIRECTIONS:
        spec[rules] = _as_set(_normal_rule(rule, peers) for rule in rules_of(policy, direction))
    return spec


def normal_selector(selector: selectors.Selector) -> Json:
    normal: Json = {}
    if selector.get("matchLabels"):
        normal["matchLabels"] = dict(selector["matchLabels"])
    if selector.get("matchExpressions"):
        normal["matchExpressions"] = _as_set(_normal_expression(rule) for rule in selector["matchExpressions"])
    return normal


def _normal_expression(rule: Policy) -> Json:
    normal = {"key": rule["key"], "operator": rule["operator"]}
    return {**normal, "values": sorted(set(rule["values"]))} if rule.get("values") else normal


def _normal_rule(rule: Policy, peers: str) -> Json:
    return {
        peers: _as_set(_normal_peer(peer) for peer in rule.get(peers) or []),
        "ports": _as_set(_normal_port(port) for port in rule.get("ports") or []),
    }


def _normal_peer(peer: Policy) -> Json:
    if peer.get("ipBlock"):
        block = {"cidr": peer["ipBlock"]["cidr"]}
        if peer["ipBlock"].get("except"):
            block["except"] = sorted(peer["ipBlock"]["except"])
        return {"ipBlock": block}
    return {
        key: normal_selector(peer[key]) for key in ("namespaceSelector", "podSelector") if peer.get(key) is not None
    }


def _normal_port(port: Policy) -> Json:
    normal = {"protocol": port.get("protocol") or "TCP"}
    return {**normal, **{key: port[key] for key in ("port", "endPort") if port.get(key) is not None}}


def _as_set(items: t.Iterable[Json]) -> list[Json]:
    unique = {canonical_json(item): item for item in items}
    return [unique[key] for key in sorted(unique)]


def view(policy: Policy, like: Policy | None = None) -> Json:
    """What is compared, digested and shown of a policy of ours.

    Labels and annotations of a live object count where we wrote them or want them: what others add
    beside ours is theirs.
    """
    return {
        "apiVersion": policy["apiVersion"],
        "kind": policy["kind"],
        "name": name_of(policy),
        "labels": _our_part(policy, like, "labels"),
        "annotations": _our_part(policy, like, "annotations"),
        "spec": normal_spec(policy),
    }


def _our_part(policy: Policy, like: Policy | None, field: str) -> dict[str, str]:
    have = policy["metadata"].get(field) or {}
    if "managedFields" not in policy["metadata"]:
        return dict(have)
    wanted = set((like or {}).get("metadata", {}).get(field) or {})
    return {key: have[key] for key in sorted(wanted | ownership.owned_keys(policy, field)) if key in have}


def manifest(policy: Policy, *, only_ours: bool) -> Json:
    """The policy without what the API server adds: enough to create it again."""
    metadata: Json = {key: policy["metadata"][key] for key in ("name", "namespace") if key in policy["metadata"]}
    for field in ("labels", "annotations"):
        part = _our_part(policy, None, field) if only_ours else dict(policy["metadata"].get(field) or {})
        if part:
            metadata[field] = part
    return {"apiVersion": policy["apiVersion"], "kind": policy["kind"], "metadata": metadata, "spec": policy["spec"]}


def apply_configuration(definition: Policy) -> Json:
    """The body for server-side apply. Both rule lists are always there, so that we own them and a
    rule that someone adds to a list we left out cannot survive."""
    if cilium_policy.is_one(definition):
        return cilium_policy.apply_configuration(definition)
    spec = {**definition["spec"]}
    for _direction, rules, _peers in DIRECTIONS:
        spec[rules] = list(spec.get(rules) or [])
    spec["policyTypes"] = isolates(definition)
    return {**definition, "spec": spec}


def prepare(definition: t.Any, *, namespace: str, instance: str, where: str) -> Json:
    """A checked definition with its namespace and our labels, or an error that names the place."""
    if not isinstance(definition, t.Mapping):
        raise _invalid(where, f"a definition is a mapping, not {type(definition).__name__}")
    _check_type(definition, where)
    metadata = definition.get("metadata")
    if not isinstance(metadata, t.Mapping) or not _NAME.match(str(metadata.get("name", ""))):
        raise _invalid(where, "metadata.name is missing or not a valid object name")
    where = f"{where} ({definition['kind']} {metadata['name']})"
    _check_metadata(metadata, namespace, where)
    check = cilium_policy.check_spec if cilium_policy.is_one(definition) else _check_spec
    check(definition.get("spec"), where)
    _check_extra(definition, {"apiVersion", "kind", "metadata", "spec"}, where)
    labels = {**(metadata.get("labels") or {}), **ownership.labels_for(instance)}
    return {**definition, "metadata": {**metadata, "namespace": namespace, "labels": labels}}


def _check_type(definition: Policy, where: str) -> None:
    if (str(definition.get("apiVersion")), str(definition.get("kind"))) not in RESOURCES:
        known = ", ".join(f"{kind} ({version})" for version, kind in RESOURCES)
        raise _invalid(
            where, f"kind {definition.get('kind')!r} of {definition.get('apiVersion')!r} is not one of: {known}"
        )


def _check_metadata(metadata: Policy, namespace: str, where: str) -> None:
    _check_extra(metadata, {"name", "namespace", "labels", "annotations"}, f"{where}.metadata")
    if metadata.get("namespace") not in (None, namespace):
        raise _invalid(where, f"it is for namespace {metadata['namespace']!r}, and the task for {namespace!r}")
    for field in ("labels", "annotations"):
        part = metadata.get(field) or {}
        if not isinstance(part, t.Mapping) or not all(isinstance(value, str) for value in part.values()):
            raise _invalid(where, f"metadata.{field} is a mapping of text to text")
    selectors.validate({"matchLabels": dict(metadata.get("labels") or {})}, f"{where}.metadata.labels")


def _check_spec(spec: t.Any, where: str) -> None:
    if not isinstance(spec, t.Mapping):
        raise _invalid(where, "spec is missing")
    _check_extra(spec, {"podSelector", "policyTypes", "ingress", "egress"}, f"{where}.spec")
    selectors.validate(spec.get("podSelector") or {}, f"{where}.spec.podSelector")
    types = spec.get("policyTypes")
    if not isinstance(types, list) or not types or set(types) - {"Ingress", "Egress"}:
        raise _invalid(where, "spec.policyTypes must name Ingress, Egress or both: its default depends on the rules")
    for direction, rules, peers in DIRECTIONS:
        given = spec.get(rules) or []
        if not isinstance(given, list):
            raise _invalid(where, f"spec.{rules} is a list")
        if given and direction not in types:
            raise _invalid(where, f"spec.{rules} has rules, but policyTypes lacks {direction}: they would do nothing")
        for index, rule in enumerate(given):
            _check_rule(rule, peers, f"{where}.spec.{rules}[{index}]")


def _check_rule(rule: t.Any, peers: str, where: str) -> None:
    if not isinstance(rule, t.Mapping):
        raise _invalid(where, "a rule is a mapping")
    _check_extra(rule, {peers, "ports"}, where)
    if not isinstance(rule.get(peers), list) or not rule[peers]:
        raise _invalid(where, f"{peers} is missing or empty, and that means everyone")
    for index, peer in enumerate(rule[peers]):
        _check_peer(peer, f"{where}.{peers}[{index}]")
    ports = rule.get("ports") or []
    if not isinstance(ports, list):
        raise _invalid(where, "ports is a list")
    for index, port in enumerate(ports):
        _check_port(port, f"{where}.ports[{index}]")


def _check_peer(peer: t.Any, where: str) -> None:
    given = {key for key, value in peer.items() if value is not None} if isinstance(peer, t.Mapping) else set()
    if given == {"ipBlock"}:
        _check_block(peer["ipBlock"], where)
    elif given and given <= {"podSelector", "namespaceSelector"}:
        for key in given:
            selectors.validate(peer[key], f"{where}.{key}")
    else:
        raise _invalid(where, "a peer has podSelector, namespaceSelector or both, or ipBlock alone")


def _check_block(block: t.Any, where: str) -> None:
    if not isinstance(block, t.Mapping):
        raise _invalid(where, "ipBlock is a mapping")
    _check_extra(block, {"cidr", "except"}, f"{where}.ipBlock")
    network = parse_network(block.get("cidr"), f"{where}.ipBlock.cidr")
    for text in block.get("except") or []:
        part = parse_network(text, f"{where}.ipBlock.except")
        if part.version != network.version or not t.cast("t.Any", part).subnet_of(network):
            raise _invalid(where, f"except {text} is not inside {network}")


def _check_port(port: t.Any, where: str) -> None:
    if not isinstance(port, t.Mapping):
        raise _invalid(where, "a port is a mapping")
    _check_extra(port, {"protocol", "port", "endPort"}, where)
    if (port.get("protocol") or "TCP") not in PROTOCOLS:
        raise _invalid(where, f"protocol {port['protocol']!r} is none of {', '.join(PROTOCOLS)}")
    number, end = port.get("port"), port.get("endPort")
    if isinstance(number, str) and not _PORT_NAME.match(number):
        raise _invalid(where, f"port {number!r} is text; a number must be an integer, text is a container port's name")
    if not isinstance(number, (str, type(None))):
        _check_number(number, f"{where}.port")
    if end is not None:
        _check_number(end, f"{where}.endPort")
        if not isinstance(number, int) or end < number:
            raise _invalid(where, "endPort needs a numeric port that is not above it")


def _check_number(number: t.Any, where: str) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 65535:
        raise _invalid(where, f"{number!r} is not a port number from 1 to 65535")


def _check_extra(mapping: t.Mapping[t.Any, t.Any], known: set[str], where: str) -> None:
    extra = sorted(str(key) for key in set(mapping) - known)
    if extra:
        raise _invalid(where, f"unknown keys {', '.join(extra)}; known are {', '.join(sorted(known))}")


def _invalid(where: str, why: str) -> LockdownError:
    return LockdownError("invalid_policy", f"Invalid policy in {where}", why, "Correct the definition")
