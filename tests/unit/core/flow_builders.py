# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategies for selectors, peers, flows and the role's variables, and the question's own variables."""

from __future__ import annotations

import ipaddress
import typing as t

from hypothesis import strategies as st

from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import (
    DIRECTIONS,
    Block,
    Flow,
    Namespaces,
    Peer,
    Pods,
    Subject,
    Target,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.options import PROTOCOLS

Json = dict[str, t.Any]

APPLICATIONS: Json = {
    "name": "applications",
    "kind": "thick",
    "namespace_selector": {"matchLabels": {"zone": "somewhere-else"}},
    "pod_selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["some-pod", "another-pod"]}]},
    "ports": ["connector", "communication", "discovery", "thin_client"],
}


def variables(**given: t.Any) -> Json:
    """The role's variables as its defaults leave them, some of them set."""
    usual: Json = {
        "namespace": "cache-ns",
        "instance": "ignite",
        "pod_selector": {"matchLabels": {"app": "ignite"}},
        "ports": {},
        "clients": [],
        "extra_flows": [],
        "profile": "standard",
        "minimal_confirmed": False,
    }
    return {f"ignite_lockdown_{name}": value for name, value in {**usual, **given}.items()}


def client(**given: t.Any) -> Json:
    """A thin client from one namespace, some of it changed; a value of None removes the key."""
    entry = {"name": "web", "kind": "thin", "namespaces": ["shop"], **given}
    return {key: value for key, value in entry.items() if value is not None}


def extra(**given: t.Any) -> Json:
    """An extra flow to a log server outside, some of it changed."""
    entry = {
        "name": "logs",
        "direction": "egress",
        "port": 6514,
        "cidrs": ["203.0.113.0/24"],
        "reason": "logs leave the cluster",
        **given,
    }
    return {key: value for key, value in entry.items() if value is not None}


names = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
label_keys = st.sampled_from(["app", "zone", "example.com/tier", "kubernetes.io/metadata.name"])
label_values = st.from_regex(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,8}[A-Za-z0-9])?)?", fullmatch=True)
reasons = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=20)
ports = st.integers(1, 65535)

_with_values = st.fixed_dictionaries(
    {
        "key": label_keys,
        "operator": st.sampled_from(["In", "NotIn"]),
        "values": st.lists(label_values, min_size=1, max_size=3),
    }
)
_without = st.fixed_dictionaries({"key": label_keys, "operator": st.sampled_from(["Exists", "DoesNotExist"])})
selectors: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {},
    optional={
        "matchLabels": st.dictionaries(label_keys, label_values, max_size=2),
        "matchExpressions": st.lists(st.one_of(_with_values, _without), max_size=2),
    },
)
networks = st.one_of(
    st.builds(
        lambda number, prefix: ipaddress.ip_network((number, prefix), strict=False),
        st.integers(0, 2**32 - 1),
        st.integers(0, 32),
    ),
    st.builds(
        lambda number, prefix: ipaddress.ip_network((number, prefix), strict=False),
        st.integers(0, 2**128 - 1).filter(lambda number: number > 2**32),
        st.integers(0, 128),
    ),
)


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    """A block with up to two parts left out."""
    network: t.Any = draw(networks)
    if network.prefixlen == network.max_prefixlen or not draw(st.booleans()):
        return Block(network)
    halves = list(network.subnets())
    return Block(network, tuple(draw(st.lists(st.sampled_from(halves), unique=True, max_size=2))))


pods = st.one_of(
    st.builds(Pods, pod_selector=selectors, namespace_selector=st.none() | selectors),
    st.builds(Pods, pod_selector=st.none(), namespace_selector=selectors),
)
namespaces = st.builds(
    Namespaces,
    names=st.lists(names, min_size=1, max_size=3, unique=True).map(tuple),
    pod_selector=st.none() | selectors,
)
targets = st.builds(Target, st.sampled_from(["api_server", "dns"]))
peers: st.SearchStrategy[Peer] = st.one_of(pods, namespaces, blocks(), targets)
subjects = st.builds(Subject, name=names, pod_selector=selectors)


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    """Any valid flow."""
    peer = draw(peers)
    port = None if isinstance(peer, Target) else draw(ports)
    return Flow(
        id=draw(names),
        direction=draw(st.sampled_from(DIRECTIONS)),
        subject=draw(subjects),
        peer=peer,
        protocol=draw(st.sampled_from(PROTOCOLS)),
        port=port,
        reason=draw(reasons),
        end_port=None if port is None else draw(st.none() | st.integers(port, 65535)),
        expect=draw(st.sampled_from(["allow", "deny"])),
    )


def _within(inner: st.SearchStrategy[t.Any]) -> st.SearchStrategy[t.Any]:
    return st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=2)


# Whatever a user's YAML can hold.
junk: st.SearchStrategy[t.Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4) | st.dates(), _within
)
