# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any port setting that is rendered to XML is read back, and the role takes what is read."""

from __future__ import annotations

import typing as t

from hypothesis import given, settings
from hypothesis import strategies as st
from ignite_xml import NULL, bean, codes, discovery, ignite, kubernetes, read, workload

from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite import ignite_needs

NAMES = ("discovery", "communication", "thin_client", "connector", "rest")
NUMBERS = st.lists(st.integers(1024, 65535), min_size=5, max_size=5, unique=True)
# A reading takes a millisecond; how busy the machine is decides about the rest.
UNHURRIED = settings(deadline=None)
SIZES = st.lists(st.integers(0, 120), min_size=4, max_size=4)


def render(ports: t.Mapping[str, int], sizes: t.Mapping[str, int], *, short: bool, off: t.Collection[str] = ()) -> str:
    """A configuration with these ports; `short` writes them in the p-namespace."""

    def held(class_name: str, name: str, prefix: str = "", **more: str) -> str:
        if name in off:
            return NULL
        first, size = (f"{prefix}Port", f"{prefix}PortRange") if prefix else ("port", "portRange")
        values: dict[str, t.Any] = {first: ports[name], size: sizes[name]}
        attributes = "".join(f'p:{key}="{value}" ' for key, value in values.items()) if short else ""
        return bean(class_name, attributes=attributes, **more, **({} if short else values))

    return ignite(
        discoverySpi=held(
            "TcpDiscoverySpi", "discovery", "local", ipFinder=kubernetes(discoveryPort=ports["discovery"])
        ),
        communicationSpi=held("TcpCommunicationSpi", "communication", "local"),
        clientConnectorConfiguration=held("ClientConnectorConfiguration", "thin_client"),
        connectorConfiguration=held("ConnectorConfiguration", "connector"),
    )


@UNHURRIED
@given(numbers=NUMBERS, sizes=SIZES, short=st.booleans())
def test_ports_and_ranges_are_read_back(numbers: list[int], sizes: list[int], short: bool) -> None:
    ports, ranges = dict(zip(NAMES, numbers, strict=True)), dict(zip(NAMES, sizes, strict=False))
    found = read(
        render(ports, ranges, short=short), workload({"JVM_OPTS": f"-Xmx1g -DIGNITE_JETTY_PORT={ports['rest']}"})
    )
    assert found.as_dict()["ports"] == ports
    moving = {listener.name for listener in found.listeners if listener.port != listener.last_port}
    # Two sorts of ranges: the thin client's counts the ports after the first, and 1 is one of them.
    expected = {name for name, size in ranges.items() if size > (0 if name == "thin_client" else 1)}
    assert moving == expected | ({"rest"} if "connector" in expected else set())
    assert codes(found).count("range_not_pinned") == len(moving)


@UNHURRIED
@given(numbers=NUMBERS, off=st.sets(st.sampled_from(["thin_client", "connector"])))
def test_the_role_takes_the_ports_that_are_read(numbers: list[int], off: set[str]) -> None:
    ports = dict(zip(NAMES, numbers, strict=True))
    pinned = dict.fromkeys(NAMES, 0)
    jvm = {"JVM_OPTS": f"-DIGNITE_JETTY_PORT={ports['rest']}"}
    found = read(render(ports, pinned, short=False, off=off), workload(jvm)).as_dict()["ports"]
    silent = off | ({"rest"} if "connector" in off else set())
    assert found == {name: port for name, port in ports.items() if name not in silent}
    role = {
        "ignite_lockdown_pod_selector": {"matchLabels": {"app": "ignite"}},
        "ignite_lockdown_profile": "standard",
        "ignite_lockdown_ports": ports | found,
    }
    needs = ignite_needs(role)
    assert [str(error) for error in needs.errors] == []
    assert {flow.port for flow in needs.flows if flow.id.startswith("peers-")} == {
        ports["discovery"],
        ports["communication"],
    }


@UNHURRIED
@given(discovery_port=st.integers(1024, 65535), other=st.integers(1024, 65535), size=st.integers(0, 100))
def test_ports_clash_exactly_where_their_ranges_meet(discovery_port: int, other: int, size: int) -> None:
    xml = ignite(
        discoverySpi=discovery(kubernetes(), localPort=discovery_port, localPortRange=size),
        communicationSpi=bean("TcpCommunicationSpi", localPort=other, localPortRange=0),
        clientConnectorConfiguration=NULL,
        connectorConfiguration=NULL,
    )
    met = other in range(discovery_port, discovery_port + max(size, 1))
    assert ("port_used_twice" in codes(read(xml, workload()))) == met
