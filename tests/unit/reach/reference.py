# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A slow, plain second opinion: may this one connection be opened?

It asks every policy about every connection anew, in the words of the NetworkPolicy API, and shares no code with the
plugins. It groups nothing and knows no sets: what it is good for is to be obviously right.
"""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

Json = dict[str, t.Any]

NAME_LABEL = "kubernetes.io/metadata.name"
SERVICE_LABEL = "kubernetes.io/service-name"
OVER = ("Succeeded", "Failed")  # pods in these phases have ended: their addresses may belong to others


@dataclass(frozen=True)
class Engine:
    """What differs from one policy engine to another."""

    cidr_matches_pods: bool = True
    cidr_matches_nodes: bool = True
    before_dnat: bool = False


@dataclass(frozen=True, eq=False)
class Place:
    """Where a connection begins or ends: a pod with an address of its own, a node, or neither."""

    address: str
    pod: Json | None = None
    node: str = ""  # of a pod the node it runs on, of a node itself its name


class Reference:
    """Answers for one set of API objects."""

    def __init__(self, objects: Iterable[Json], engine: Engine) -> None:
        self.engine = engine
        by_kind: dict[str, list[Json]] = {}
        for thing in objects:
            by_kind.setdefault(thing["kind"], []).append(thing)
        self.namespaces = {thing["metadata"]["name"]: thing for thing in by_kind.get("Namespace", [])}
        self.nodes = by_kind.get("Node", [])
        self.pods = [pod for pod in by_kind.get("Pod", []) if pod["status"].get("phase") not in OVER]
        self.services = by_kind.get("Service", [])
        self.slices = by_kind.get("EndpointSlice", [])
        self.policies = by_kind.get("NetworkPolicy", [])
        self.cilium = by_kind.get("CiliumNetworkPolicy", [])

    def allowed(self, source: str, destination: str, protocol: str, port: int) -> bool | None:
        """Whether the connection may be opened; None where it depends on more than the question says."""
        service = self._service(destination)
        if service is None:
            return self._judged(source, destination, protocol, port)
        if self.engine.before_dnat:
            met = self._meet(source, destination)
            if met is None or not self._may_leave(*met, protocol, port):
                return False
        return _one(
            self._judged(source, address, protocol, number, leaves=not self.engine.before_dnat)
            for address, number in self._endpoints(service, protocol, port)
        )

    def _judged(self, source: str, destination: str, protocol: str, port: int, *, leaves: bool = True) -> bool | None:
        """Traffic needs both sides, and addresses of one family."""
        met = self._meet(source, destination)
        if met is None:
            return False
        sides = [self._may_enter(*met, protocol, port)]
        if leaves:
            sides.append(self._may_leave(*met, protocol, port))
        return False if False in sides else None if None in sides else True

    def _meet(self, source: str, destination: str) -> tuple[Place, Place] | None:
        """Find both ends by addresses of one family; a pod that has no address yet will have the right one."""
        for end in self.places(destination):
            for begin in self.places(source):
                if not (begin.address and end.address) or (":" in begin.address) == (":" in end.address):
                    return begin, end
        return None

    def places(self, text: str) -> list[Place]:
        """Find a place by "namespace/pod" or by an address, once by each of its addresses.

        A pod in its node's network is its node.
        """
        if "/" in text:
            namespace, name = text.split("/")
            (pod,) = (pod for pod in self.pods if _identity(pod) == (namespace, name))
            return [_of_pod(pod, address) for address in _addresses(pod)]
        wanted = ipaddress.ip_address(text)
        for pod in self.pods:
            if not _in_host_network(pod) and wanted in map(ipaddress.ip_address, filter(None, _addresses(pod))):
                return [_of_pod(pod, text)]
        for node in self.nodes:
            if any(wanted == ipaddress.ip_address(address) for address in _node_addresses(node)):
                return [Place(text, node=node["metadata"]["name"])]
        return [Place(text)]

    # Services

    def _service(self, address: str) -> Json | None:
        for service in self.services:
            if address in (service["spec"].get("clusterIPs") or [service["spec"].get("clusterIP")]):
                return service
        return None

    def _endpoints(self, service: Json, protocol: str, port: int) -> Iterator[tuple[str, int]]:
        """Yield where a connection to this port of the Service's address ends: addresses with their ports."""
        for wanted in service["spec"]["ports"]:
            if (wanted.get("protocol") or "TCP", wanted["port"]) == (protocol, port):
                for slice_ in self._slices(*_identity(service)):
                    for offered in slice_["ports"]:
                        if (offered.get("name") or "") == (wanted.get("name") or ""):
                            yield from ((address, offered["port"]) for address in _ready(slice_))

    def _slices(self, namespace: str, name: str) -> Iterator[Json]:
        for slice_ in self.slices:
            if (_identity(slice_)[0], _labels(slice_).get(SERVICE_LABEL)) == (namespace, name):
                yield slice_

    # policies

    def _may_leave(self, source: Place, destination: Place, protocol: str, port: int) -> bool | None:
        if source.pod is None or _beyond_policies(source, destination):
            return True
        isolated = granted = False
        for namespace, isolates, rules in self._policies("egress", source.pod):
            isolated = isolated or isolates
            for peers, ports in rules:
                if self._peer(peers, namespace, destination) and _port(ports, destination, protocol, port):
                    granted = True
        if isolated and granted and self._may_be_node(destination):
            return None
        return granted or not isolated

    def _may_enter(self, source: Place, destination: Place, protocol: str, port: int) -> bool | None:
        if destination.pod is None or _beyond_policies(source, destination):
            return True
        isolated = granted = False
        for namespace, isolates, rules in self._policies("ingress", destination.pod):
            isolated = isolated or isolates
            for peers, ports in rules:
                if self._peer(peers, namespace, source) and _port(ports, destination, protocol, port):
                    granted = True
        if isolated and granted and self._may_be_node(source):
            return None
        return granted or not isolated

    def _may_be_node(self, place: Place) -> bool:
        """Whether a node may answer at a link-local address, where rules by address do not match nodes."""
        if self.engine.cidr_matches_nodes or place.pod is not None or place.node:
            return False
        address = ipaddress.ip_address(place.address)
        return address.is_link_local and str(address) != "169.254.169.254"

    def _policies(self, direction: str, pod: Json) -> Iterator[tuple[str, bool, list[tuple[t.Any, t.Any]]]]:
        """Yield, for each policy that selects the pod in this direction: its namespace, whether it isolates, rules."""
        peers = "to" if direction == "egress" else "from"
        for policy in self.policies:
            namespace, spec = _identity(policy)[0], policy["spec"]
            if namespace == _identity(pod)[0] and _selects(spec.get("podSelector") or {}, _labels(pod)):
                types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
                if direction.capitalize() in types:
                    yield namespace, True, [(rule.get(peers), rule.get("ports")) for rule in spec.get(direction) or []]
        for policy in self.cilium:
            namespace, spec = _identity(policy)[0], policy["spec"]
            if namespace == _identity(pod)[0] and _selects(spec["endpointSelector"], _labels(pod)):
                rules = spec.get(direction) or []
                isolates = bool(rules) and (spec.get("enableDefaultDeny") or {}).get(direction) is not False
                yield namespace, isolates, [self._from_cilium(rule) for rule in rules]

    def _from_cilium(self, rule: Json) -> tuple[t.Any, t.Any]:
        """Write a rule of the only form that is known, to the entity kube-apiserver, as a NetworkPolicy's."""
        assert set(rule) == {"toEntities", "toPorts"}, rule
        assert rule["toEntities"] == ["kube-apiserver"], rule
        ports = [
            {"protocol": port["protocol"], "port": int(port["port"])}
            for part in rule["toPorts"]
            for port in part["ports"]
        ]
        addresses = [
            address
            for slice_ in self._slices("default", "kubernetes")
            for endpoint in slice_["endpoints"]
            for address in endpoint["addresses"]
        ]
        return [{"entity": addresses}], ports

    def _peer(self, peers: Sequence[Json] | None, namespace: str, other: Place) -> bool:
        """Whether a rule's list of peers has the other end; an absent or empty list has everyone."""
        return not peers or any(self._one_peer(peer, namespace, other) for peer in peers)

    def _one_peer(self, peer: Json, namespace: str, other: Place) -> bool:
        if "entity" in peer:
            return other.address in peer["entity"]
        block, pods, namespaces = peer.get("ipBlock"), peer.get("podSelector"), peer.get("namespaceSelector")
        if block is not None:
            if other.pod is not None and not self.engine.cidr_matches_pods:
                return False
            if other.pod is None and other.node and not self.engine.cidr_matches_nodes:
                return False
            inside = _inside(other.address, block["cidr"])
            return inside and not any(_inside(other.address, part) for part in block.get("except") or [])
        if other.pod is None:
            return False
        home = _identity(other.pod)[0]
        if namespaces is None:
            right_namespace = home == namespace
        else:
            labels = {**_labels(self.namespaces[home]), NAME_LABEL: home}
            right_namespace = _selects(namespaces, labels)
        return right_namespace and _selects(pods or {}, _labels(other.pod))


def _of_pod(pod: Json, address: str) -> Place:
    return Place(address, None if _in_host_network(pod) else pod, pod["spec"].get("nodeName") or "")


def _ready(slice_: Json) -> list[str]:
    """The addresses of the endpoints that get traffic: of each the first, as the API promises they are alike."""
    return [part["addresses"][0] for part in slice_["endpoints"] if part["conditions"].get("ready") is not False]


def _one(answers: Iterable[bool | None]) -> bool | None:
    """Join the answers for a Service's endpoints; without an endpoint, or if they differ, there is none."""
    different = set(answers)
    return different.pop() if len(different) == 1 else None


def _beyond_policies(source: Place, destination: Place) -> bool:
    """Whether the two are one pod, or a pod and its own node: no policy comes between them."""
    if source.pod is not None and destination.pod is not None:
        return source.pod is destination.pod
    return source.node != "" and source.node == destination.node


def _port(ports: Sequence[Json] | None, destination: Place, protocol: str, number: int) -> bool:
    """Whether a rule's list of ports has this one; an absent or empty list has every port of every protocol."""
    return not ports or any(_one_port(port, destination, protocol, number) for port in ports)


def _one_port(port: Json, destination: Place, protocol: str, number: int) -> bool:
    if (port.get("protocol") or "TCP") != protocol:
        return False
    wanted = port.get("port")
    if wanted is None:
        return True
    if isinstance(wanted, int):
        return wanted <= number <= (port.get("endPort") or wanted)
    containers = [] if destination.pod is None else destination.pod["spec"]["containers"]
    return any(
        (named.get("name"), named.get("protocol") or "TCP", named["containerPort"]) == (wanted, protocol, number)
        for container in containers
        for named in container.get("ports") or []
    )


def _selects(selector: Mapping[str, t.Any], labels: Mapping[str, str]) -> bool:
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    return all(_fits(term, labels) for term in selector.get("matchExpressions") or [])


def _fits(term: Json, labels: Mapping[str, str]) -> bool:
    key, values = term["key"], term.get("values") or []
    match term["operator"]:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise AssertionError(term)


@cache
def _inside(address: str, block: str) -> bool:
    return address != "" and ipaddress.ip_address(address) in ipaddress.ip_network(block)


def _identity(thing: Json) -> tuple[str, str]:
    return thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def _labels(thing: Json) -> dict[str, str]:
    return thing["metadata"].get("labels") or {}


def _in_host_network(pod: Json) -> bool:
    return bool(pod["spec"].get("hostNetwork"))


def _addresses(pod: Json) -> list[str]:
    status = pod["status"]
    return [entry["ip"] for entry in status.get("podIPs") or []] or [status.get("podIP") or ""]


def _node_addresses(node: Json) -> list[str]:
    return [entry["address"] for entry in node["status"]["addresses"] if entry["type"].endswith("IP")]
