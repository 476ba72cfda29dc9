# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""If a pod is taken over: where it can go from there, and what it may do."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.case import Case
from ansible_collections.netguard.lockdown.plugins.module_utils._core.audit.rights import Right, rights
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import ports
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.grants import Pieces, both
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.masks import Mask, mask_of, members
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.objects import Pod
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.policies import EGRESS

Json = dict[str, t.Any]

_DNS_PORT = 53
_COREFILES = (("kube-system", "coredns"), ("kube-system", "rke2-coredns-rke2-coredns"))
_FORWARD = re.compile(r"^\s*forward\s", re.MULTILINE)
ESTABLISHED = (
    "connections that were open before a policy came may go on: whether they are cut is up to the engine; "
    "a restart of the pods ends them"
)


def records(case: Case) -> list[Json]:
    """One record for pods that can reach the same, run as the same account."""
    alike: dict[t.Any, list[int]] = {}
    for group in members(case.judgement.scope):
        pods = case.describer.pods(1 << group)
        accounts = tuple(sorted({pod.service_account for pod in pods}))
        if pods:
            alike.setdefault((accounts, tuple(_reach(case, group))), []).append(group)
    return [_record(case, groups, accounts, list(reach)) for (accounts, reach), groups in alike.items()]


def rights_are_known(case: Case) -> bool:
    return bool(case.world.rights)


def dns_forwards(case: Case) -> bool | None:
    """Whether the cluster's DNS asks servers outside; None where its configuration was not read."""
    texts = [case.world.config_maps[key] for key in _COREFILES if key in case.world.config_maps]
    if not texts:
        return None
    return any(_FORWARD.search(str((each.get("data") or {}).get("Corefile", ""))) for each in texts)


def _reach(case: Case, group: int) -> Pieces:
    """What may be opened from here: both sides permit it."""
    return both(case.compiled.permitted(EGRESS, group), case.compiled.accepted(EGRESS, group))


def _record(case: Case, groups: list[int], accounts: tuple[str, ...], reach: Pieces) -> Json:
    mask = mask_of(groups, case.universe.size)
    pods = case.describer.pods(mask)
    destinations = [
        {
            "peer": str(ends),
            "peer_set": ends.as_record(),
            "exists": ends.exist,
            "protocol": record["protocol"],
            "ports": record["ports"],
        }
        for others, granted in reach
        for ends in [case.describer.ends(others)]
        for record in ports.as_records(granted)
    ]
    return {
        "pods": [str(pod) for pod in pods],
        "destinations": sorted(destinations, key=lambda each: (each["protocol"], each["peer"], each["ports"])),
        "service_accounts": [_account(case, name) for name in accounts],
        "dns": _dns(case, mask, reach),
        "node": _node(case, pods),
        "established": ESTABLISHED,
    }


def _account(case: Case, name: str) -> Json:
    namespace = case.question.namespace
    found: list[Right] = rights(case.world.rights, namespace, name)
    return {
        "namespace": namespace,
        "name": name,
        "known": rights_are_known(case),
        "rights": [each.as_record() for each in found],
        "beyond_discovery": [str(each) for each in found if not each.is_discovery],
    }


def _dns(case: Case, mask: Mask, reach: Pieces) -> Json:
    open_ = any(
        others & ~mask and any(ports.holds(granted, protocol, number) for protocol, number in _dns_ports(case))
        for others, granted in reach
    )
    forwards = dns_forwards(case)
    if not open_:
        because = "no DNS can be asked"
    elif forwards is None:
        because = "the configuration of the cluster's DNS was not read, so names outside may be resolved"
    elif forwards:
        because = "the cluster's DNS forwards names that it does not know, so questions can carry data out"
    else:
        because = "the cluster's DNS forwards nothing"
    return {"reachable": open_, "carries_out": False if not open_ else True if forwards is None else forwards,
            "because": because}  # fmt: skip


def _dns_ports(case: Case) -> list[tuple[str, int]]:
    part = (case.question.targets or {}).get("dns") or {}
    lists = [part.get("ports") or [], *(each.get("ports") or [] for each in part.get("addresses") or [])]
    given = [(str(each.get("protocol")), int(each.get("port"))) for listed in lists for each in listed]
    return given or [("UDP", _DNS_PORT), ("TCP", _DNS_PORT)]


def _node(case: Case, pods: t.Sequence[Pod]) -> Json:
    """A pod always reaches its own node, and with it every pod that uses the node's network."""
    nodes = sorted({pod.node for pod in pods if pod.node})
    on_host = sorted(str(pod) for pod in case.world.pods.values() if pod.host_network and pod.node in nodes)
    return {
        "nodes": nodes,
        "host_network_pods": on_host,
        "because": "no policy comes between a pod and its own node, on any port",
    }
