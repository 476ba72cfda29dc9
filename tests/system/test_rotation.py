# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Grace through the whole way: the policies that a run writes are the memory that the next run reads."""

from __future__ import annotations

import typing as t
from pathlib import Path

import yaml
from harness import COLLECTIONS

from demo.playbooks import Playbooks
from lab import objects
from lab.control_plane import ControlPlane
from lab.question import arrange_question

Json = dict[str, t.Any]

QUESTION_FILE = COLLECTIONS / "ansible_collections" / "netguard" / "lockdown" / "playbooks" / "vars" / "question.yml"
ALLOW = objects.reference("networking.k8s.io/v1", "NetworkPolicy", "netguard-ignite-allow-servers", "cache-ns")
BOTH, ONE = ["192.0.2.1/32", "192.0.2.2/32"], ["192.0.2.1/32"]


class Runs:
    """Runs of the playbook lockdown with one hour of grace."""

    def __init__(self, plane: ControlPlane, scratch: Path) -> None:
        self.plane, self._playbooks = plane, Playbooks(plane.kubeconfig, scratch)
        self._question = yaml.safe_load(QUESTION_FILE.read_text(encoding="utf-8"))

    def lock_down(self, seconds: int = 3600) -> Json:
        given = {"ignite_lockdown_grace_seconds": seconds, "ignite_lockdown_api_form": "endpoints"}
        return self._playbooks.lockdown({**self._question, **given})

    def blocks(self) -> list[str]:
        peers = [peer for rule in self.plane.read(ALLOW)["spec"]["egress"] for peer in rule["to"]]
        return sorted(peer["ipBlock"]["cidr"] for peer in peers if "ipBlock" in peer)

    def memory(self) -> dict[str, str]:
        annotations: dict[str, str] = self.plane.read(ALLOW)["metadata"]["annotations"]
        named = {name.partition("/")[2]: text for name, text in annotations.items()}
        return {name: text for name, text in named.items() if name.endswith("endpoints")}


def test_an_address_that_vanished_stays_until_its_time_is_over(two_servers: ControlPlane, tmp_path: Path) -> None:
    arrange_question(two_servers)
    runs = Runs(two_servers, tmp_path)
    port = two_servers.port
    runs.lock_down()
    assert runs.blocks() == BOTH
    assert runs.memory() == {"api-endpoints": f"192.0.2.1:{port},192.0.2.2:{port}"}

    two_servers.stop_server(1)
    two_servers.wait_endpoints(["192.0.2.1"])
    try:
        assert runs.lock_down()["changed"], "the policy notes once when the address was first missed"
        assert runs.blocks() == BOTH
        noted = runs.memory()["kept-endpoints"]
        assert noted.startswith(f"192.0.2.2:{port}=")

        mark = two_servers.mark()
        assert not runs.lock_down()["changed"], "later runs come to the same answer"
        assert [str(event) for event in two_servers.audit(mark) if event.mutating] == []
        assert runs.memory()["kept-endpoints"] == noted

        assert runs.lock_down(seconds=1)["changed"]
        assert runs.blocks() == ONE
        assert "kept-endpoints" not in runs.memory()
    finally:
        two_servers.start_server(1)
    two_servers.wait_endpoints(["192.0.2.1", "192.0.2.2"])
    assert runs.lock_down()["changed"]
    assert runs.blocks() == BOTH
    assert "kept-endpoints" not in runs.memory()
