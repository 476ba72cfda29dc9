# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor's command line, called by `up` only."""

from __future__ import annotations

import sys
from pathlib import Path

from lab.cluster import supervisor
from lab.cluster.builds import Programs
from lab.cluster.state import Options


def main(folder: str, servers: str, lifetime: str, engine: str, stack: str, images: str, *programs: str) -> None:
    options = Options(int(servers), float(lifetime), engine, stack == "dual")
    supervisor.main(Path(folder), options, Programs.from_words(programs), Path(images))


if __name__ == "__main__":
    main(*sys.argv[1:])
