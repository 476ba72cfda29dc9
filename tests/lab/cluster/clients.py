# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods without Ignite: clients, strangers, and what a hacked pod does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.client import Manifest
from lab.cluster.addresses import COMMAND_AND_CONTROL_PORT, OUTSIDE_ADDRESS
from lab.cluster.images import CLIENT_IMAGE

CLIENT_PORT = 8000
LISTEN = ("httpd", "-f", "-p", str(CLIENT_PORT))
# Calls the C&C host all the time, from the pod's first moment on; its log outside tells whether a call got through.
CALL = f"nc -w 1 {OUTSIDE_ADDRESS} {COMMAND_AND_CONTROL_PORT} < /dev/null"
CALL_HOME = ("sh", "-c", f"trap 'exit 0' TERM; while :; do {CALL}; sleep 0.2; done")


def container(name: str, command: Sequence[str]) -> Manifest:
    """A container that has little more than a shell."""
    return {"name": name, "image": CLIENT_IMAGE, "command": list(command)}


def client(name: str, namespace: str, labels: Mapping[str, str], command: Sequence[str] = LISTEN) -> Manifest:
    """A pod that listens on CLIENT_PORT and says so, or does something else."""
    declared = {"ports": [{"containerPort": CLIENT_PORT}]} if command == LISTEN else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
        "spec": {
            "containers": [{**container("main", command), **declared}],
            "terminationGracePeriodSeconds": 0,
            "enableServiceLinks": False,
        },
    }
