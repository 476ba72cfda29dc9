# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for the script with which ansible-test puts pip into its environments.

The original is downloaded from a host of its own; this one takes the pip that comes with Python.
It runs with the packages to install as arguments, between options of the original.
"""

from __future__ import annotations

import subprocess
import sys

PACKAGES = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]

subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"])
subprocess.check_call([*PIP, "install", "--quiet", *PACKAGES])
