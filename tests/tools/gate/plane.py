# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control plane for as long as a tier runs."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gate.context import Context


@contextmanager
def up(context: Context) -> Iterator[dict[str, str]]:
    """Start a control plane with the example's objects, yield the variables of its tests, and take it down again."""
    # A cluster of the user's own is not given objects that look like its system's.
    world = [] if "NETGUARD_TEST_KUBECONFIG" in context.env else ["--question"]
    with tempfile.TemporaryDirectory(prefix="netguard-") as directory:
        state = Path(directory) / "state"
        if context.run("python", "-m", "lab", "up", *world, "--state", state):
            sys.exit("the control plane did not start")
        try:
            found = json.loads((state / "state.json").read_text())
            yield {
                "lab_kubeconfig": found["kubeconfig"],
                "lab_cluster_uid": found["kube_system_uid"],
                "lab_api_url": found["urls"][0],
                "lab_state": str(state),
            }
        finally:
            context.run("python", "-m", "lab", "down", "--state", state)
