# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cluster a test may touch: the lab's, or the caller's own when it is named twice."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

KUBECONFIG_VARIABLE = "NETGUARD_TEST_KUBECONFIG"
UID_VARIABLE = "NETGUARD_TEST_CLUSTER_UID"
TIMEOUT = 10.0  # seconds


@dataclass(frozen=True)
class OwnCluster:
    """The caller's own test cluster."""

    kubeconfig: Path
    uid: str


def scrubbed_env(kubeconfig: Path | str) -> dict[str, str]:
    """This process' environment with this kubeconfig as the only way to a cluster."""
    env = {name: value for name, value in os.environ.items() if not reaches_a_cluster(name)}
    return {**env, "K8S_AUTH_KUBECONFIG": str(kubeconfig)}


def reaches_a_cluster(variable: str) -> bool:
    """Whether an environment variable may lead a client to some cluster."""
    in_cluster = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
    return variable == "KUBECONFIG" or variable.startswith("K8S_AUTH_") or variable in in_cluster


def own_cluster() -> OwnCluster | None:
    """The cluster that the caller names by kubeconfig and by uid; None without both. Its uid is checked."""
    kubeconfig, uid = os.environ.get(KUBECONFIG_VARIABLE, ""), os.environ.get(UID_VARIABLE, "")
    if not kubeconfig and not uid:
        return None
    if not kubeconfig or not uid:
        given, missing = (KUBECONFIG_VARIABLE, UID_VARIABLE) if kubeconfig else (UID_VARIABLE, KUBECONFIG_VARIABLE)
        raise LabError(
            f"{given} is set, {missing} is not",
            "tests write to the cluster, so it has to be named in both ways",
            f"set {missing} as well (uid: kubectl get namespace kube-system -o jsonpath={{.metadata.uid}}), "
            f"or unset {given} to use the lab's own control plane",
        )
    path = Path(kubeconfig)
    if not path.is_file():
        raise LabError(f"{KUBECONFIG_VARIABLE} is {kubeconfig}: there is no such file")
    found = cluster_uid(path)
    if found != uid:
        raise LabError(
            f"{kubeconfig} leads to the cluster {found}, but {UID_VARIABLE} says {uid}",
            "the uid is that of the namespace kube-system",
            "check which of the two names the cluster that tests may write to",
        )
    return OwnCluster(path, uid)


def cluster_uid(kubeconfig: Path) -> str:
    """The uid of kube-system, by any kind of kubeconfig (exec plugins included)."""
    # Only a cluster of the caller's needs more than the lab's own client can do.
    import kubernetes.config

    try:
        client = kubernetes.config.new_client_from_config(config_file=str(kubeconfig))
        config = client.configuration
        # The library keeps a token under the first name from version 36 on, under the second before.
        tokens = map(config.get_api_key_with_prefix, ("BearerToken", "authorization"))
        headers = {"authorization": next(filter(None, tokens), None)}
        response = client.rest_client.pool_manager.request(
            "GET",
            f"{config.host}/api/v1/namespaces/kube-system",
            headers={name: value for name, value in headers.items() if value},
            timeout=TIMEOUT,
            retries=False,
        )
    except Exception as error:
        raise LabError(f"The cluster of {kubeconfig} cannot be reached", f"{type(error).__name__}: {error}") from error
    if response.status != 200:
        raise LabError(f"Reading the namespace kube-system with {kubeconfig}: HTTP {response.status}")
    return str(json.loads(response.data)["metadata"]["uid"])
