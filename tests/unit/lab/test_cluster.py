# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure parts of the real cluster's lab: what logs say, image archives, DNS messages, the machine's fitness."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from lab.cluster import builds, drivers, engines, jars, life, packages, probe, relay, requirements, state
from lab.cluster.archive import Image, Layer, write
from lab.cluster.ignite import Ignite, started, topology
from lab.cluster.listeners import answer
from lab.cluster.state import Options
from lab.errors import LabError
from lab.processes import own_identity

SNAPSHOT = "INFO: Topology snapshot [ver={}, locNode=b262bc1f, servers={}, clients=0, state=ACTIVE]"


def test_the_newest_topology_counts_not_the_last_line() -> None:
    assert topology("\n".join([SNAPSHOT.format(2, 2), SNAPSHOT.format(1, 1)])) == (2, 2)
    assert topology("\n".join([SNAPSHOT.format(9, 3), SNAPSHOT.format(10, 2)])) == (10, 2)
    assert topology("no snapshot yet") == (0, 0)


@pytest.mark.parametrize(
    "line", ["[10:00:00] Ignite node started OK (id=b262bc1f)", 'INFO: Node started : [stage="x" (1 ms)]']
)
def test_quiet_and_verbose_logs_say_that_a_node_has_started(line: str) -> None:
    assert started(line)
    assert not started("INFO: Started state transition: activate cluster")


def test_only_a_minimal_ignite_names_the_api_servers_address() -> None:
    assert "masterUrl" not in Ignite("one").configuration()
    assert (
        'name="masterUrl" value="https://10.96.0.1:443"'
        in Ignite("one", master_url="https://10.96.0.1:443").configuration()
    )


def test_an_archive_depends_on_its_content_only(tmp_path: Path) -> None:
    source = tmp_path / "program"
    source.write_text("#!/bin/sh\n")
    archives = []
    for number in range(2):
        os.utime(source, (number, number))
        layer = Layer()
        layer.add("bin/program", source)
        layer.link("bin/alias", "program")
        scratch = tmp_path / str(number)
        scratch.mkdir()
        archives.append(scratch / "images.tar")
        write([Image("lab.invalid/one:1", ["base"], ["/bin/program"])], {"base": layer}, archives[-1], scratch)
    first, second = (_manifest(archive) for archive in archives)
    assert first == second
    assert first[0]["RepoTags"] == ["lab.invalid/one:1"]


def _manifest(archive: Path) -> list[dict[str, list[str]]]:
    with tarfile.open(archive) as tar:
        content = tar.extractfile("manifest.json")
        assert content is not None
        manifest: list[dict[str, list[str]]] = json.load(content)
        assert set(manifest[0]["Layers"]) < set(tar.getnames())
        return manifest


def test_the_resolver_answers_every_name() -> None:
    query = probe.query("Some.Name.example")
    name, reply = answer(query)
    assert name == "some.name.example"
    assert reply.startswith(query[:2])
    assert reply.endswith(bytes([203, 0, 113, 10]))


def test_a_state_of_an_aborted_start_is_not_ready(tmp_path: Path) -> None:
    assert state.read(tmp_path) is None
    state.write(tmp_path, Options(servers=2), own_identity())
    found = state.read(tmp_path)
    assert found is not None
    assert found.options == Options(servers=2)
    assert found.unshare.alive
    assert not found.ready


def test_a_broken_state_says_what_to_do(tmp_path: Path) -> None:
    state.Files(tmp_path).state.write_text("{")
    with pytest.raises(LabError, match="run `down`"):
        state.read(tmp_path)


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="needs root"):
        requirements.check(engines.CILIUM, print)


def test_missing_programs_are_named_where_apt_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match=r"runc \(Debian package runc\).*clang-19"):
        packages.require(print, engines.CILIUM.packages)


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-I", relay.__file__, "/proc/self/ns/net", f"{port}=127.0.0.1:1"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"127.0.0.1:{port} cannot be listened on (Address already in use)")


def test_jars_that_cannot_be_fetched_are_named_and_leave_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    maven.write_text("#!/bin/sh\necho no route to the repository >&2\nexit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{maven.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(LabError, match=r"(?s)could not fetch ignite-spring 2\.10\.0.*no route to the repository"):
        jars.fetch("2.10.0", print)
    assert not list((tmp_path / "cache").rglob("*.jar"))
    assert not list((tmp_path / "cache").rglob("ignite-*"))


def test_an_unknown_engine_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"(?s)no policy engine 'none-such'.*kube-network-policies"):
        life.up(tmp_path / "state", Options(engine="none-such"))
    assert not (tmp_path / "state").exists()


def test_every_engine_has_a_driver_and_its_programs_are_its_own() -> None:
    assert drivers.DRIVERS.keys() == engines.ENGINES.keys()
    common = {tool.name for tool in builds.TOOLS.values()}
    assert all(tool.name not in common for engine in engines.ENGINES.values() for tool in engine.tools)


def test_the_word_all_stands_for_every_engine() -> None:
    assert [engine.name for engine in engines.chosen(engines.ALL)] == list(engines.ENGINES)
    assert [engine.name for engine in engines.chosen("")] == [engines.DEFAULT]


def test_programs_survive_a_command_line() -> None:
    programs = builds.Programs(**{name: Path(f"/{name}") for name in builds.TOOLS}, of_engine={"bpf": Path("/a=b")})
    assert builds.Programs.from_words(programs.words()) == programs
