# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of the system that the cluster uses, and the Debian packages that bring them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab.binaries import Report
from lab.errors import LabError

CNI_PLUGINS = Path("/usr/lib/cni")
# What every cluster needs: of each package a file or program, by which it is recognised on any distribution.
PACKAGES = {
    "busybox-static": "busybox",
    "conntrack": "conntrack",
    "containerd": "containerd",
    "containernetworking-plugins": str(CNI_PLUGINS / "ptp"),
    "ipset": "ipset",
    "iproute2": "ip",
    "iptables": "iptables",
    "maven": "mvn",
    "mount": "mount",
    "nftables": "nft",
    "openjdk-17-jdk-headless": "jlink",
    "procps": "sysctl",
    "runc": "runc",
    "util-linux": "nsenter",
}
INSTALL_SECONDS = 900


def require(report: Report, more: Mapping[str, str]) -> None:
    """Install the packages that are missing (Debian and its kin), or say which ones to install."""
    wanted = {**PACKAGES, **more}
    absent = missing(wanted)
    if not absent:
        return
    apt = shutil.which("apt-get")
    if apt is None:
        raise LabError(
            "Programs that the cluster needs are not installed",
            ", ".join(f"{program} (Debian package {package})" for package, program in absent.items()),
            "install them with the package manager of this system",
        )
    report(f"Installing Debian packages: {' '.join(absent)}")
    _apt(apt, "update")
    _apt(apt, "install", "--yes", "--no-install-recommends", *absent)
    still = missing(wanted)
    if still:
        raise LabError(f"After the installation still missing: {', '.join(still.values())}")


def missing(wanted: Mapping[str, str]) -> dict[str, str]:
    """The packages whose program is not there."""
    return {package: program for package, program in wanted.items() if shutil.which(program) is None}


def _apt(apt: str, *arguments: str) -> None:
    # A package that starts a service of its own would run beside the cluster's.
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    command = [apt, "--quiet", *arguments]
    answer = subprocess.run(
        command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False, env=env, stdin=subprocess.DEVNULL
    )
    if answer.returncode != 0:
        raise LabError(
            f"{' '.join(command)} ended with code {answer.returncode}",
            "\n".join((answer.stdout + answer.stderr).splitlines()[-15:]),
            "fix what the lines above name, or install the packages by hand",
        )
