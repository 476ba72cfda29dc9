# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program that dies with the process that started it.

Usage: tether.py PARENT_PID PROGRAM [ARGUMENT …]

The kernel keeps the parent-death signal across exec, so nothing of this script stays behind. Setting it here,
rather than in a preexec_fn, keeps the parent's threads out of the window between fork and exec.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # it died before the line above took effect
        sys.exit("the parent process is gone")
    os.execv(command[0], command)  # noqa: S606  # a shell would be one process more to tie


main()
