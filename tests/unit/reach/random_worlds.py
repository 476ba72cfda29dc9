# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small random clusters, and random questions about them.

Everything comes from small vocabularies, so that selectors, blocks and ports meet each other often.
"""

from __future__ import annotations

import typing as t
from random import Random

from agreement import Query
from hypothesis import strategies as st

from lab import objects
from lab.objects import Manifest

NAME = "kubernetes.io/metadata.name"
PROTOCOLS = ("TCP", "UDP", "SCTP")
NAMESPACES = ("red", "green", "blue")
NODES = {"node-1": ("192.0.2.11", "2001:db8::11"), "node-2": ("192.0.2.12", "2001:db8::12")}
POD_ADDRESSES = (
    *(f"10.244.{node}.{number}" for node in (1, 2) for number in (2, 3, 4)),
    *(f"fd00:10:244:{node}::{number}" for node in (1, 2) for number in (2, 3)),
)
# Of pods with two addresses: the other one.
SECOND = {
    address: f"10.244.{number}.200" if ":" in address else f"fd00:10:244:2::{number}"
    for number, address in enumerate(POD_ADDRESSES, start=16)
}
API_ADDRESS, API_ENDPOINTS = "10.96.0.2", ("203.0.113.10", "192.0.2.11", "192.0.2.12")
VIRTUAL = ("10.96.0.1", "10.96.0.10", "fd00:10:96::1")
OUTSIDE = ("203.0.113.10", "198.51.100.7", "169.254.20.10", "2001:db8:ffff::7")
BLOCKS = {
    "0.0.0.0/0": ("10.0.0.0/8", "203.0.113.0/24", "192.0.2.0/24"),
    "::/0": ("fd00::/8", "2001:db8::/64"),
    "10.244.0.0/16": ("10.244.1.0/24", "10.244.2.2/31"),
    "10.244.1.0/24": ("10.244.1.2/32", "10.244.1.0/30"),
    "10.244.1.2/32": (),
    "10.244.2.4/32": (),
    "fd00:10:244::/48": ("fd00:10:244:1::/64", "fd00:10:244:2::2/128"),
    "fd00:10:244:1::2/128": (),
    "192.0.2.11/32": (),
    "192.0.2.0/28": ("192.0.2.12/32",),
    "10.96.0.0/16": ("10.96.0.10/32",),
    "10.96.0.1/32": (),
    "203.0.113.0/24": ("203.0.113.8/29",),
    "203.0.113.10/32": (),
    "169.254.20.10/32": (),
    "2001:db8::/32": ("2001:db8::10/124", "2001:db8:ffff::/48"),
}
PORT_NAMES = ("web", "dns", "ring")
NUMBERS = (1, 53, 80, 81, 443, 8080, 6443, 65535)
POD_LABELS = {"app": ("ignite", "shop", ""), "tier": ("front", "back")}
SPACE_LABELS = {"zone": ("a", "b"), "team": ("x", "y")}

HOMES = st.sampled_from([NAMESPACES[0], *NAMESPACES])  # most live in the first


@st.composite
def field(draw: st.DrawFn, name: str, values: st.SearchStrategy[t.Any]) -> Manifest:
    """A field; now and then it is null, or is not there."""
    match draw(st.integers(0, 9)):
        case 0:
            return {}
        case 1:
            return {name: None}
    return {name: draw(values)}


def merged(*parts: st.SearchStrategy[Manifest]) -> st.SearchStrategy[Manifest]:
    return st.tuples(*parts).map(lambda found: {key: value for part in found for key, value in part.items()})


def labels(vocabulary: t.Mapping[str, tuple[str, ...]]) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in vocabulary.items()})


@st.composite
def terms(draw: st.DrawFn, vocabulary: t.Mapping[str, tuple[str, ...]]) -> Manifest:
    key = draw(st.sampled_from(sorted(vocabulary)))
    operator = draw(st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]))
    if operator in ("Exists", "DoesNotExist"):
        return {"key": key, "operator": operator, **draw(st.sampled_from([{}, {"values": []}, {"values": None}]))}
    values = draw(st.lists(st.sampled_from(vocabulary[key]), min_size=1, max_size=2, unique=True))
    return {"key": key, "operator": operator, "values": values}


def selectors(vocabulary: t.Mapping[str, tuple[str, ...]]) -> st.SearchStrategy[Manifest]:
    return merged(
        field("matchLabels", labels(vocabulary)),
        field("matchExpressions", st.lists(terms(vocabulary), max_size=1)),
    )


SPACES = {**SPACE_LABELS, NAME: NAMESPACES}


@st.composite
def blocks(draw: st.DrawFn) -> Manifest:
    cidr = draw(st.sampled_from(sorted(BLOCKS)))
    if not BLOCKS[cidr]:
        return {"ipBlock": {"cidr": cidr}}
    excepted = st.lists(st.sampled_from(BLOCKS[cidr]), max_size=2, unique=True)
    return {"ipBlock": {"cidr": cidr, **draw(field("except", excepted))}}


PEERS = st.one_of(
    selectors(POD_LABELS).map(lambda pods: {"podSelector": pods}),
    selectors(SPACES).map(lambda spaces: {"namespaceSelector": spaces}),
    selectors(SPACES).map(lambda spaces: {"namespaceSelector": spaces, "podSelector": None}),
    st.tuples(selectors(SPACES), selectors(POD_LABELS)).map(
        lambda both: {"namespaceSelector": both[0], "podSelector": both[1]}
    ),
    blocks(),
)


@st.composite
def ports(draw: st.DrawFn) -> Manifest:
    protocol = draw(field("protocol", st.sampled_from(PROTOCOLS)))
    kind = draw(st.sampled_from(["none", "number", "range", "name"]))
    if kind == "none":
        return {**protocol, **draw(st.sampled_from([{}, {"port": None}]))}
    if kind == "name":
        return {**protocol, "port": draw(st.sampled_from(PORT_NAMES))}
    first = draw(st.sampled_from(NUMBERS))
    if kind == "number":
        return {**protocol, "port": first}
    return {
        **protocol,
        "port": first,
        "endPort": draw(st.sampled_from([number for number in NUMBERS if number >= first])),
    }


def rules(peers: str) -> st.SearchStrategy[Manifest]:
    return merged(field(peers, st.lists(PEERS, max_size=3)), field("ports", st.lists(ports(), max_size=3)))


SPECS = merged(
    st.one_of(st.just({}), selectors(POD_LABELS)).map(lambda pods: {"podSelector": pods}),
    field("policyTypes", st.sampled_from([[], ["Ingress"], ["Egress"], ["Ingress", "Egress"], ["Egress", "Ingress"]])),
    field("ingress", st.lists(rules("from"), max_size=2)),
    field("egress", st.lists(rules("to"), max_size=2)),
)


@st.composite
def container_ports(draw: st.DrawFn) -> list[Manifest]:
    """Named ports: a name may stand for another number in every pod, and for one per protocol."""
    names = draw(st.sets(st.tuples(st.sampled_from(PORT_NAMES), st.sampled_from(PROTOCOLS)), max_size=3))
    return [
        {
            "name": name,
            "containerPort": draw(st.sampled_from(NUMBERS)),
            **({} if protocol == "TCP" and draw(st.booleans()) else {"protocol": protocol}),
        }
        for name, protocol in sorted(names)
    ]


@st.composite
def pods(draw: st.DrawFn) -> list[Manifest]:
    """Pods of one family or both; some in their node's network, some ended whose address another may have now."""
    made = []
    for number, address in enumerate(
        draw(st.lists(st.sampled_from(POD_ADDRESSES), min_size=2, max_size=6, unique=True))
    ):
        node = "node-1" if address.startswith(("10.244.1.", "fd00:10:244:1:")) else "node-2"
        host = draw(st.integers(0, 5)) == 0
        own = NODES[node][":" in address] if host else address
        common: dict[str, t.Any] = {"labels": draw(labels(POD_LABELS)), "ports": draw(container_ports())}
        space = draw(HOMES)
        pod = objects.pod(f"pod-{number}", space, ip=own, node_name=node, host_network=host, **common)
        if draw(st.integers(0, 3)) == 0:
            pod["status"]["podIPs"].append({"ip": NODES[node][":" not in own] if host else SECOND[address]})
        made.append(pod)
        if draw(st.integers(0, 5)) == 0:
            ended = draw(st.sampled_from(["Succeeded", "Failed"]))
            made.append(objects.pod(f"ended-{number}", space, ip=own, phase=ended, node_name=node, **common))
    return made


@st.composite
def services(draw: st.DrawFn, targets: list[str]) -> list[Manifest]:
    """A Service without a selector and with slices by hand: on one port of its own, on one or two protocols."""
    made: list[Manifest] = []
    for address in draw(st.lists(st.sampled_from(VIRTUAL), max_size=2, unique=True)):
        name, space = f"service-{VIRTUAL.index(address)}", draw(st.sampled_from(NAMESPACES))
        offered = draw(st.lists(st.sampled_from(["TCP", "UDP"]), min_size=1, max_size=2, unique=True))
        number, target = draw(st.sampled_from(NUMBERS)), draw(st.sampled_from(NUMBERS))
        ports = [{"name": protocol.lower(), "protocol": protocol, "port": number} for protocol in offered]
        made.append(objects.service(name, space, ports=ports, cluster_ip=address))
        family = [place for place in [*targets, *OUTSIDE] if (":" in place) == (":" in address)]
        for part, ends in enumerate(draw(st.lists(st.lists(st.sampled_from(family), max_size=2), max_size=2))):
            to = [{**port, "port": target} for port in ports]
            slice_ = objects.endpoint_slice(f"{name}-{part}", space, service=name, addresses=ends, ports=to)
            slice_["addressType"] = "IPv6" if ":" in address else "IPv4"
            for endpoint in slice_["endpoints"]:
                endpoint["conditions"] = draw(st.sampled_from([{}, {"ready": True}, {"ready": False}]))
            made.append(slice_)
    return made


@st.composite
def api_server(draw: st.DrawFn) -> list[Manifest]:
    """The API server behind its Service, and Cilium's policies that name it as an entity."""
    ends = draw(st.lists(st.sampled_from(API_ENDPOINTS), min_size=1, max_size=2, unique=True))
    https: Manifest = {"name": "https", "protocol": "TCP", "port": 443}
    made = [
        objects.namespace("default", {NAME: "default"}),
        objects.service("kubernetes", "default", ports=[https], cluster_ip=API_ADDRESS),
        objects.endpoint_slice(
            "kubernetes", "default", service="kubernetes", addresses=ends, ports=[{**https, "port": 6443}]
        ),
    ]
    for number in range(draw(st.integers(0, 2))):
        port = draw(st.sampled_from(["6443", "6443", "443"]))
        spec: Manifest = {
            "endpointSelector": draw(st.one_of(st.just({}), selectors(POD_LABELS))),
            "egress": [
                {"toEntities": ["kube-apiserver"], "toPorts": [{"ports": [{"port": port, "protocol": "TCP"}]}]},
            ],
            **draw(st.sampled_from([{}, {"enableDefaultDeny": {"egress": False, "ingress": False}}])),
        }
        name = {"name": f"entity-{number}", "namespace": draw(HOMES)}
        made.append(
            {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": name, "spec": spec},
        )
    return made


@st.composite
def worlds(draw: st.DrawFn, *, with_services: bool = True, max_policies: int = 5) -> list[Manifest]:
    """API objects of a small cluster."""
    made = [objects.node(name, address=plain) for name, (plain, _) in NODES.items()]
    for node in made:
        node["status"]["addresses"].append({"type": "InternalIP", "address": NODES[node["metadata"]["name"]][1]})
    made += [objects.namespace(name, {NAME: name, **draw(labels(SPACE_LABELS))}) for name in NAMESPACES]
    running = draw(pods())
    made += running
    if with_services:
        addresses = sorted({pod["status"]["podIP"] for pod in running})
        made += draw(services(addresses))
    if with_services and max_policies and draw(st.integers(0, 2)) == 0:
        made += draw(api_server())
    for number, spec in enumerate(draw(st.lists(SPECS, min_size=min(1, max_policies), max_size=max_policies))):
        made.append(objects.network_policy(f"policy-{number}", draw(HOMES), spec))
    return made


def policies(world: list[Manifest]) -> list[Manifest]:
    return [thing for thing in world if thing["kind"] == "NetworkPolicy"]


def places(world: list[Manifest]) -> list[str]:
    """Every pod by its name, and every address worth asking about, Services' apart; most are pods."""
    running = [
        thing for thing in world if thing["kind"] == "Pod" and thing["status"]["phase"] not in ("Succeeded", "Failed")
    ]
    names = [f"{pod['metadata']['namespace']}/{pod['metadata']['name']}" for pod in running]
    addresses = {entry["ip"] for pod in running for entry in pod["status"]["podIPs"]} | {
        part for pair in NODES.values() for part in pair
    }
    return [*names * 5, *sorted(addresses), *OUTSIDE]


def _families(world: list[Manifest], place: str) -> set[int]:
    """The address families of a pod by its name, or of an address."""
    addresses = [place]
    for thing in world:
        if thing["kind"] == "Pod" and place == f"{thing['metadata']['namespace']}/{thing['metadata']['name']}":
            addresses = [entry["ip"] for entry in thing["status"]["podIPs"]]
    return {6 if ":" in address else 4 for address in addresses}


def queries(world: list[Manifest], random: Random, count: int) -> list[Query]:
    """Random questions about places with a family in common.

    Ports are those of the policies, pods and Services, and the numbers next to them.
    """
    sources = places(world)
    offered = {
        thing["spec"]["clusterIP"]: [(port["protocol"], port["port"]) for port in thing["spec"]["ports"]]
        for thing in world
        if thing["kind"] == "Service"
    }
    virtual = list(offered)
    families = {place: _families(world, place) for place in [*sources, *virtual]}
    numbers = sorted({min(max(number + step, 1), 65535) for number in NUMBERS for step in (-1, 0, 1)})
    asked: list[Query] = []
    while len(asked) < count:
        source, end = random.choice(sources), random.choice([*sources, *virtual, *virtual])
        if families[source] & families[end]:
            number = random.choice([random.choice(NUMBERS), random.choice(numbers)])
            port = (random.choice(PROTOCOLS), number)
            asked.append((source, end, *random.choice([port, *offered.get(end, [])])))
    return asked
