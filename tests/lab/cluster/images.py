# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's images, assembled here from local programs: there is no registry."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

from lab.binaries import Report, cache_folder, lock
from lab.cluster import jars, java
from lab.cluster.archive import Image, Layer, write
from lab.cluster.builds import COREDNS, ENGINE_A, Programs
from lab.cluster.libraries import add_libraries

PAUSE_IMAGE = "lab.invalid/pause:1"
CLIENT_IMAGE = "lab.invalid/client:1"
COREDNS_IMAGE = f"lab.invalid/coredns:{COREDNS.version}"
ENGINE_A_IMAGE = f"lab.invalid/kube-network-policies:{ENGINE_A.version}"
IGNITE_HOME = "/opt/ignite/apache-ignite"
RUN_SCRIPT = Path(__file__).with_name("ignite-run.sh")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def ignite_image(version: str) -> str:
    """The name of an Ignite image, that of the official one."""
    return f"docker.io/apacheignite/ignite:{version}"


def find_or_assemble(programs: Programs, report: Report) -> Path:
    """The archive with all images from the cache, or assembled (a minute, once; Maven fetches the jars)."""
    archive = cache_folder() / f"images-{_key(programs)}" / "images.tar"
    if archive.exists():
        return archive
    with _locked(report):
        if not archive.exists():
            _assemble(programs, archive, report)
    return archive


def jars_of(version: str, report: Report) -> jars.Parts:
    """The jars of a version, for a node without a pod."""
    with _locked(report):
        return jars.fetch(version, report)


def _locked(report: Report) -> AbstractContextManager[None]:
    return lock("the images", cache_folder() / "images.lock", report)


def _key(programs: Programs) -> str:
    here = Path(__file__).parent
    sources = [
        here / name for name in ("archive.py", "images.py", "java.py", "jars.py", "libraries.py", RUN_SCRIPT.name)
    ]
    digest = hashlib.sha256()
    for file in (*sources, jars.POM, _busybox(), _bash()):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    digest.update(f"{programs.coredns} {programs.kube_network_policies} {java.version()}".encode())
    return digest.hexdigest()[:16]


def _assemble(programs: Programs, archive: Path, report: Report) -> None:
    fetched = {version: jars.fetch(version, report) for version in jars.VERSIONS}
    report("Assembling the images")
    archive.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="images-", dir=archive.parent.parent) as folder:
        scratch = Path(folder)
        (scratch / "result").mkdir()
        layers = {
            "busybox": _busybox_layer(),
            "coredns": _program("coredns", programs.coredns),
            "engine-a": _program("kube-network-policies", programs.kube_network_policies),
            "java": java.layer(scratch),
            "bash": _bash_layer(),
        }
        layers |= {f"ignite-{version}": _ignite_layer(parts) for version, parts in fetched.items()}
        write(_images(), layers, scratch / "result" / archive.name, scratch)
        shutil.rmtree(archive.parent, ignore_errors=True)
        (scratch / "result").replace(archive.parent)


def _images() -> list[Image]:
    sleep = ["/bin/sleep", "2147483647"]
    ignite_env = {"PATH": f"{PATH}:{java.HOME}/bin", "JAVA_HOME": java.HOME, "IGNITE_HOME": IGNITE_HOME}
    return [
        Image(PAUSE_IMAGE, ["busybox"], sleep),
        Image(CLIENT_IMAGE, ["busybox", "bash"], sleep, {"PATH": PATH}),
        Image(COREDNS_IMAGE, ["coredns"], ["/coredns"]),
        Image(ENGINE_A_IMAGE, ["engine-a"], ["/kube-network-policies"]),
        *(
            Image(
                ignite_image(version),
                ["busybox", "bash", "java", f"ignite-{version}"],
                ["/opt/ignite/run.sh"],
                ignite_env,
            )
            for version in jars.VERSIONS
        ),
    ]


def _busybox() -> Path:
    return Path(shutil.which("busybox") or "/bin/busybox").resolve()


def _busybox_layer() -> Layer:
    layer = Layer()
    layer.add("bin/busybox", _busybox())
    applets = subprocess.run([_busybox(), "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in applets:
        if applet != "busybox":
            layer.link(f"bin/{applet}", "busybox")
    layer.add("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", 0o644)
    layer.add("etc/group", b"root:x:0:\n", 0o644)
    layer.add("etc/nsswitch.conf", b"hosts: files dns\n", 0o644)
    return layer


def _bash() -> Path:
    return Path(shutil.which("bash") or "/bin/bash").resolve()


def _bash_layer() -> Layer:
    """The shell of the official Ignite images, and of clients."""
    layer = Layer()
    layer.add("bin/bash", _bash())
    add_libraries(layer, [_bash()])
    return layer


def _program(name: str, binary: Path) -> Layer:
    layer = Layer()
    layer.add(name, binary)
    return layer


def _ignite_layer(parts: jars.Parts) -> Layer:
    home = IGNITE_HOME.lstrip("/")
    layer = Layer()
    layer.add("opt/ignite/run.sh", RUN_SCRIPT)
    for jar in parts.base:
        layer.add(f"{home}/libs/{jar.name}", jar, 0o644)
    for option, files in parts.options.items():
        for jar in files:
            layer.add(f"{home}/libs/optional/{option}/{jar.name}", jar, 0o644)
    return layer
