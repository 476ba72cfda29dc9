# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not a test: the control plane's programs, the demo, the bench, the documentation, generated files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from gate.cells import CELLS
from gate.checks import build_artifact
from gate.context import for_cell, for_tools
from gate.environments import ensure
from gate.paths import BUILD, ROOT

# Programs run in an exported tree; what they leave for the user belongs into the checkout.
OUTPUT = {"NETGUARD_BUILD": str(BUILD)}


def binaries() -> int:
    """Find or build kube-apiserver and etcd."""
    return for_cell("newest", "binaries").run("python", "-m", "lab", "build")


def cluster(arguments: Sequence[str]) -> int:
    """Run a command of the real cluster: `check` or `build`."""
    return for_cell("newest", "cluster").run("python", "-m", "lab", "cluster", *arguments)


def demo() -> int:
    """Run the demo with the newest versions; only DEMO_KUBECONFIG can point it at a cluster of the user's."""
    own = os.environ.get("DEMO_KUBECONFIG")
    # The user's kubeconfig may be relative to where make was called, and its exec plugins look into the home directory.
    there = {"DEMO_KUBECONFIG": str(Path(own).expanduser().absolute()), "HOME": str(Path.home())} if own else {}
    return for_cell("newest", "demo").run("python", "-m", "demo", env={**OUTPUT, **there})


def bench(arguments: Sequence[str]) -> int:
    """Run the bench with the newest versions beside the peers that it measures against."""
    context = for_cell("newest", "bench")
    python = CELLS["newest"].python()
    peers = {
        "NETGUARD_BENCH_PEERS": str(ensure("bench", python)),
        "NETGUARD_BENCH_AUDIT_PEERS": str(ensure("bench-audit", python)),
    }
    return context.run("python", "-m", "bench", *arguments, env={**OUTPUT, **peers})


def docs() -> int:
    """Build the web pages into build/docs."""
    context = for_tools("docs")
    source, pages = BUILD / "docs-source", BUILD / "docs"
    for directory in (source, pages):
        shutil.rmtree(directory, ignore_errors=True)
    source.mkdir(mode=0o755)
    settings = context.collection / "tests" / "tools" / "gate" / "sphinx"
    collection = ("antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--cleanup", "everything")
    code = context.run(*collection, "--dest-dir", source, "netguard.lockdown") or context.run(
        "sphinx-build", "--quiet", "--fail-on-warning", "--keep-going", "-c", settings, source, pages
    )
    print(f"documentation: {(pages / 'index.html').relative_to(ROOT)}" if code == 0 else "no documentation", flush=True)
    return code


def generate() -> int:
    """Write generated files into the checkout itself."""
    context = for_tools("lint")
    return context.run("python", "tests/tools/generate.py", cwd=ROOT)


def artifact() -> int:
    """Build the tarball."""
    print(f"collection: {build_artifact(for_tools('lint')).relative_to(ROOT)}")
    return 0
