# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether servers are one cluster: from their logs and from the connections of their ring."""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._core.topology import (
    FAIL,
    INCONCLUSIVE,
    PASS,
    Log,
    Node,
    Snapshot,
    judge,
)


def snapshot(version: int, servers: int, clients: int = 0) -> str:
    return f"Topology snapshot [ver={version}, locNode=1f0c8a2b, servers={servers}, clients={clients}, state=ACTIVE]"


LOCAL_NODE = ">>> Local node [ID=1F0C8A2B-0000-0000-0000-000000000000, order=1, clientMode=false]"
VERBOSE = "\n".join(
    (
        f"[12:00:01,123][INFO][disco-event-worker-#43][GridDiscoveryManager] {snapshot(1, 1)}",
        '[12:00:01,200][INFO][main][IgniteKernal] Node started : [stage="Start managers" (90 ms)]',
        LOCAL_NODE,
        f"[12:00:05,300][INFO][disco-event-worker-#43][GridDiscoveryManager] {snapshot(3, 3)}",
        f"[12:00:05,301][INFO][disco-event-worker-#43][GridDiscoveryManager] {snapshot(2, 2)}",
    )
)
QUIET = f"[12:00:02] Ignite node started OK (id=1f0c8a2b)\n[12:00:02] {snapshot(7, 2, 1)}\n"


def node(name: str, *peers: str, version: int = 3, servers: int = 3) -> Node:
    return Node(name, Log(True, False, Snapshot(version, servers, 0)), frozenset(peers))


def ring(*names: str) -> list[Node]:
    """Each node holds the connection to the next one."""
    return [
        node(name, *([names[(index + 1) % len(names)]] if len(names) > 1 else []), servers=len(names))
        for index, name in enumerate(names)
    ]


def test_the_newest_snapshot_of_a_log_is_not_its_last_line() -> None:
    assert Log.read(VERBOSE) == Log(True, False, Snapshot(3, 3, 0))


def test_a_quiet_log_is_read_too() -> None:
    assert Log.read(QUIET) == Log(True, False, Snapshot(7, 2, 1))


def test_an_empty_log_tells_nothing() -> None:
    assert Log.read("") == Log(False, False, None)


def test_a_client_node_is_known_by_its_own_log() -> None:
    assert Log.read(LOCAL_NODE.replace("clientMode=false", "clientMode=true")).is_client


def test_a_ring_of_any_size_is_one_cluster() -> None:
    for names in (("a",), ("a", "b"), ("a", "b", "c"), ("a", "b", "c", "d")):
        judgement = judge(ring(*names))
        assert (judgement.verdict, judgement.reasons) == (PASS, ())
        assert (judgement.servers, judgement.groups) == (len(names), (names,))


def test_further_connections_between_the_nodes_do_not_matter() -> None:
    nodes = [node("a", "b", "c"), node("b", "c"), node("c", "a")]
    assert judge(nodes).verdict == PASS


def test_a_silent_split_is_a_failure_by_both_sources() -> None:
    nodes = [node("a", version=1, servers=1), node("b", version=1, servers=1)]
    judgement = judge(nodes)
    assert judgement.verdict == FAIL
    assert judgement.groups == (("a",), ("b",))
    assert judgement.reasons == (
        "a sees 1 of 2 servers (topology version 1)",
        "b sees 1 of 2 servers (topology version 1)",
        "the discovery connections form 2 rings, a split cluster: a | b",
    )


def test_logs_that_agree_do_not_hide_two_rings() -> None:
    """What the logs tell is old: both halves still say four servers."""
    nodes = [node(name, peer, servers=4) for name, peer in (("a", "b"), ("b", "a"), ("c", "d"), ("d", "c"))]
    judgement = judge(nodes)
    assert judgement.verdict == FAIL
    assert judgement.reasons == ("the discovery connections form 2 rings, a split cluster: a, b | c, d",)


def test_a_connection_in_one_direction_is_no_ring() -> None:
    """Who joins in vain holds a connection to a server, too."""
    assert judge([node("a", servers=2), node("b", "a", servers=2)]).verdict == FAIL


def test_topology_versions_that_differ_are_a_failure() -> None:
    nodes = [node("a", "b", version=3, servers=2), node("b", "a", version=4, servers=2)]
    judgement = judge(nodes)
    assert judgement.verdict == FAIL
    assert judgement.reasons == ("the nodes' newest topology versions differ: a is at 3, b is at 4",)


def test_a_missing_log_is_inconclusive_never_a_pass() -> None:
    nodes = [node("a", "b", servers=2), Node("b", Log(), frozenset({"a"}))]
    judgement = judge(nodes)
    assert judgement.verdict == INCONCLUSIVE
    assert judgement.reasons == ("the log of b holds no topology snapshot",)


def test_connections_that_nobody_could_read_are_inconclusive() -> None:
    nodes = [node("a", "b", servers=2), Node("b", Log(True, False, Snapshot(3, 2, 0)), None, "exec is not permitted")]
    judgement = judge(nodes)
    assert judgement.verdict == INCONCLUSIVE
    assert judgement.reasons == ("b: exec is not permitted", "the connections of b could not be read")


def test_a_node_that_has_not_said_that_it_started_is_inconclusive() -> None:
    nodes = [node("a", "b", servers=2), Node("b", Log(False, False, Snapshot(3, 2, 0)), frozenset({"a"}))]
    assert judge(nodes).reasons == ("the log of b does not say that the node has started",)


def test_thick_clients_are_not_servers() -> None:
    nodes = [*ring("a", "b"), Node("client", Log(True, True, Snapshot(4, 2, 1)), frozenset({"a"}))]
    judgement = judge(nodes)
    assert (judgement.verdict, judgement.servers) == (PASS, 2)


def test_fewer_pods_than_expected_are_a_failure() -> None:
    judgement = judge(ring("a", "b"), expected=3)
    assert judgement.verdict == FAIL
    assert judgement.reasons[0] == "2 pods are servers, and 3 are expected"


def test_no_server_at_all_is_a_failure() -> None:
    assert judge([]).reasons == ("no pod is a server",)
