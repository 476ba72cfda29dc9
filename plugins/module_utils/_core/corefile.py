# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a CoreDNS asks servers outside of the cluster: whoever may ask it can then send data out in names."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, metadata

KEY = "Corefile"
_FORWARDS = ("forward", "proxy", "alternate", "grpc")
_UNKNOWN = ("import",)


def config_map_of(pods: t.Iterable[Raw]) -> tuple[str, str] | None:
    """Namespace and name of the ConfigMap that holds the Corefile, as a DNS pod mounts it."""
    for pod in pods:
        for volume in (pod.get("spec") or {}).get("volumes") or []:
            mounted = volume.get("configMap") or {}
            keys = [item.get("key") for item in mounted.get("items") or []]
            if mounted.get("name") and KEY in keys:
                return str(metadata(pod).get("namespace", "")), str(mounted["name"])
    return None


def forwards(config_map: Raw | None) -> bool | None:
    """Whether some server block forwards; None where the Corefile is not there or pulls in other files."""
    text = ((config_map or {}).get("data") or {}).get(KEY)
    if text is None:
        return None
    plugins = {words[0] for words in (line.partition("#")[0].split() for line in text.splitlines()) if words}
    if plugins & set(_FORWARDS):
        return True
    return None if plugins & set(_UNKNOWN) else False
