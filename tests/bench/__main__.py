# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make bench: `python -m bench` with tests/ on PYTHONPATH; the figures go to bench.json."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from bench import audit, fleet, lockdown
from lab.errors import LabError

# Each measures budgets against the peers in the virtual environment that its variable names.
BENCHES = (
    (lockdown.measure, "NETGUARD_BENCH_PEERS"),
    (audit.measure, "NETGUARD_BENCH_AUDIT_PEERS"),
    (fleet.measure, "NETGUARD_BENCH_PEERS"),
)


def main() -> int:
    unset = [name for _measure, name in BENCHES if not os.environ.get(name)]
    if unset:
        print(
            f"{', '.join(unset)} must name the virtual environments with the peers; make bench sets this.",
            file=sys.stderr,
        )
        return 2
    output = Path(os.environ.get("NETGUARD_BUILD", "build")) / "bench.json"
    figures = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
    missed: list[str] = []
    try:
        for bench, peers in BENCHES:
            measured = bench(Path(os.environ[peers]))
            figures.update(measured.figures)
            missed += measured.missed
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for line in missed:
        print(f"budget missed: {line}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
