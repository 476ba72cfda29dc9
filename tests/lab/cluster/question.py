# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The question's world with real Ignite nodes: an application that may use them, and a stranger beside it."""

from __future__ import annotations

from lab import objects
from lab.cluster import clients
from lab.cluster.cluster import Cluster
from lab.cluster.ignite import COMMUNICATION, FORM_SECONDS, Ignite, formed
from lab.errors import LabError
from lab.question import CLIENT_NAMESPACE, IGNITE_NAMESPACE

# A thick client is called back by the servers.
CALLED_BACK = ("sh", "-c", f"httpd -p {clients.CLIENT_PORT} && exec httpd -f -p {COMMUNICATION}")
CLIENTS = {"some-pod": CALLED_BACK, "stranger": clients.LISTEN}


def arrange(cluster: Cluster) -> None:
    """Make the question's namespaces and pods, without policies, and wait until Ignite has formed its cluster."""
    ignite = Ignite(IGNITE_NAMESPACE)
    cluster.create(objects.namespace(IGNITE_NAMESPACE, {"zone": "cache-zone"}))
    cluster.create(objects.namespace(CLIENT_NAMESPACE, {"zone": "somewhere-else"}))
    cluster.create_all(ignite.manifests())
    cluster.wait_account(CLIENT_NAMESPACE)
    cluster.create_all(
        clients.client(name, CLIENT_NAMESPACE, {"app": name}, command) for name, command in CLIENTS.items()
    )
    cluster.wait_pods(CLIENT_NAMESPACE, len(CLIENTS))
    if not formed(cluster, ignite, ignite.replicas):
        raise LabError(
            f"Ignite did not form its cluster within {FORM_SECONDS:.0f} s",
            next_step=f"read the logs of the pods in {IGNITE_NAMESPACE}; on a machine under heavy load, try again",
        )
