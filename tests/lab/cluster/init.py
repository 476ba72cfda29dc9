# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first process of the cluster's PID namespace: when it ends, the kernel ends everything in there.

Usage: init.py PROGRAM [ARGUMENT …]
"""

from __future__ import annotations

import os
import signal
import sys


def main(command: list[str]) -> int:
    child = os.posix_spawn(command[0], command, os.environ)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: os.kill(child, received))
    while True:
        # Whatever loses its parent becomes a child of this process, containers' shims for one.
        ended, status = os.wait()
        if ended == child:
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(abs(main(sys.argv[1:])))
