# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small Java runtime for images: linked from the machine's JDK, with the shared libraries it needs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lab.cluster.archive import Layer
from lab.cluster.libraries import add_libraries
from lab.errors import LabError

HOME = "/opt/java"
MODULES = "java.se,jdk.unsupported,jdk.management,jdk.internal.jvmstat,jdk.crypto.ec,jdk.zipfs"


def version() -> str:
    """What the machine's jlink is."""
    return _run(_jlink(), "--version").strip()


def layer(scratch: Path) -> Layer:
    """The runtime as a layer, made in a scratch folder."""
    runtime = scratch / "java"
    options = ("--strip-debug", "--no-header-files", "--no-man-pages", "--compress=0")
    _run(_jlink(), "--add-modules", MODULES, *options, "--output", str(runtime))
    _run(str(runtime / "bin" / "java"), "-Xshare:dump")  # the JVM starts in half the time with its class archive
    result = Layer()
    result.add_tree(HOME.lstrip("/"), runtime)
    add_libraries(result, [runtime / "bin" / "java", *sorted(runtime.rglob("*.so"))], own=runtime)
    return result


def _jlink() -> str:
    program = shutil.which("jlink")
    if program is None:
        raise LabError("There is no jlink", next_step="install a JDK 17 (Debian package openjdk-17-jdk-headless)")
    return program


def _run(*command: str) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if answer.returncode != 0:
        raise LabError(f"{' '.join(command)} ended with code {answer.returncode}", answer.stderr.strip()[-2000:])
    return answer.stdout
