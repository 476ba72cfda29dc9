# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One measurement of the audit in a process of its own: `python -m bench.audit_child WHAT FILE`.

Prints the seconds that the work took and the most memory that the process ever used. Starting Python and importing is
not counted, with us as with others.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import typing as t
from pathlib import Path

from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.case import Question
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.result import audit
from ansible_collections.netguard.lockdown.plugins.module_utils._core.flows import parse_flows
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.result import reachability
from ansible_collections.netguard.lockdown.plugins.module_utils._module.world_files import read_files
from bench import clusters


def load(file: str) -> int:
    """What any program does first."""
    with Path(file).open(encoding="utf-8") as stream:
        return len(json.load(stream)["items"])


def matrix(file: str) -> int:
    """Read a cluster and write the whole matrix out."""
    found = reachability(read_files([file], "standard"), [], with_matrix=True, namespaces=[])
    json.dumps(found)
    return len(found["matrix"]["cells"])


def focus(file: str) -> int:
    """Read a cluster and judge one namespace."""
    reading = read_files([file], "standard")
    found = audit(reading.world, Question(clusters.FOCUS, parse_flows(clusters.flows()), reading.profile))
    json.dumps(found)
    return len(found["surplus"])


WORK: dict[str, t.Callable[[str], int]] = {"load": load, "matrix": matrix, "focus": focus}


def main() -> None:
    what, file = sys.argv[1:]
    started = time.perf_counter()
    found = WORK[what](file)
    seconds = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "memory_mb": memory, "found": found}))


if __name__ == "__main__":
    main()
