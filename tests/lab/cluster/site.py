# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a policy engine gets to see of the cluster that it is started in."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.certificates import Authority
from lab.client import Client, Manifest
from lab.cluster.builds import Programs


@dataclass(frozen=True)
class Site:
    """The cluster while it comes up, in the hands of its policy engine.

    :arg folder: where keys, data and logs lie.
    :arg dual: whether pods have an IPv6 address besides.
    :arg start: starts processes that must not end before the cluster does.
    :arg wait_for: waits for something, given in words and as a condition; an error when it is in vain.
    """

    folder: Path
    programs: Programs
    authority: Authority
    client: Callable[[], Client]
    start: Callable[..., None]
    wait_for: Callable[[str, Callable[[], bool]], None]
    dual: bool = False


class Driver(t.Protocol):
    """A policy engine: the network that it gives to pods, its start, and whether it judges."""

    def plugins(self, site: Site) -> Path:
        """The folder with the CNI plugins that containerd shall call."""

    def pod_network(self, site: Site) -> Manifest:
        """The CNI configuration."""

    def start(self, site: Site) -> None:
        """Start it; the API server answers and the node is ready."""

    def ready(self, site: Site) -> bool:
        """Whether policies are enforced from now on."""
