# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine must offer; each thing is tried in throw-away namespaces before anything is started."""

from __future__ import annotations

import os
import subprocess
import sys

from lab.binaries import Report
from lab.cluster import packages
from lab.cluster.engines import Engine, Trial
from lab.cluster.isolation import CGROUPS
from lab.errors import LabError

# What every cluster needs; engines add their own.
TRIALS = (
    Trial(
        ["--net"],
        "ip link add lab0 type veth peer name lab1 && ip link add lab2 type bridge",
        "virtual network links (kernel options CONFIG_VETH, CONFIG_BRIDGE)",
    ),
    Trial(
        ["--net"],
        "iptables -t nat -A POSTROUTING -j MASQUERADE",
        "address translation (kernel options CONFIG_NF_NAT, CONFIG_NETFILTER_XT_TARGET_MASQUERADE)",
    ),
    Trial(
        ["--mount", "--propagation=private"],
        "mount -t tmpfs x /mnt; cd /mnt; mkdir l u w m; mount -t overlay -o lowerdir=l,upperdir=u,workdir=w x m",
        "overlay file systems (kernel option CONFIG_OVERLAY_FS)",
    ),
)


def check(engine: Engine, report: Report) -> None:
    """Install the programs that are missing; an error that names everything else that is."""
    _check_root()  # before anything is installed
    packages.require(report, engine.packages)
    problems = [problem for trial in (*TRIALS, *engine.trials) if (problem := _try(trial))]
    if not CGROUPS.is_dir() or not any(CGROUPS.iterdir()):
        problems.append(f"control groups: nothing is mounted at {CGROUPS}")
    if problems:
        raise LabError(
            "This machine cannot run the cluster; it lacks:",
            "\n".join(f"  {problem}" for problem in problems),
            "use a virtual machine whose kernel has these, with full root rights",
        )


def _check_root() -> None:
    if sys.platform != "linux":
        raise LabError(f"The cluster needs Linux, this is {sys.platform}")
    if os.geteuid() != 0:
        raise LabError(
            "The cluster needs root",
            "it makes network namespaces and runs containers",
            "run this as root, in a virtual machine if in doubt; the control plane alone (`up`) needs no root",
        )


def _try(trial: Trial) -> str:
    command = ["/usr/bin/unshare", *trial.namespaces, "/bin/sh", "-c", trial.script]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return "" if answer.returncode == 0 else f"{trial.lacks}: {answer.stderr.strip()}"
