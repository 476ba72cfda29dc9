# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""API objects as the API server returns them, and short ways to ask the resolvers about them."""

from __future__ import annotations

import ipaddress
import typing as t
from datetime import UTC, datetime

import yaml

from ansible_collections.netguard.lockdown.plugins.module_utils._core import api_server, cluster, engine, ownership
from ansible_collections.netguard.lockdown.plugins.module_utils._core.api_records import (
    ApiServer,
    Options,
    Recall,
    Seen,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.cidr import Address
from ansible_collections.netguard.lockdown.plugins.module_utils._core.engine_records import Detected, Surroundings
from ansible_collections.netguard.lockdown.plugins.module_utils._core.grace import (
    KEPT_ANNOTATION,
    SEEN_ANNOTATION,
    remember,
)

Json = dict[str, t.Any]

NOW = datetime(2026, 11, 22, 14, 0, 0, tzinfo=UTC)
INSTANCE = "ignite"
HTTPS: Json = {"name": "https", "protocol": "TCP", "port": 6443}
POD_RANGE = "10.244.0.0/16"
SERVICE_RANGE = "10.96.0.0/12"
DNS_SLICE_PORTS: list[Json] = [
    {"name": "dns", "protocol": "UDP", "port": 53},
    {"name": "dns-tcp", "protocol": "TCP", "port": 53},
    {"name": "metrics", "protocol": "TCP", "port": 9153},
]


def obj(kind: str, name: str, namespace: str = "", api_version: str = "v1", **fields: t.Any) -> Json:
    """Any object, with the identity that the API server gives it."""
    meta = {"name": name, "uid": f"uid-of-{namespace}-{name}", "resourceVersion": "7"}
    if namespace:
        meta["namespace"] = namespace
    extra = fields.pop("metadata", {})
    return {"apiVersion": api_version, "kind": kind, "metadata": {**meta, **extra}, **fields}


def ip(text: str) -> Address:
    return ipaddress.ip_address(text)


# the API server


def endpoint(*addresses: str, ready: bool | None = True) -> Json:
    return {"addresses": list(addresses), "conditions": {} if ready is None else {"ready": ready}}


def api_slice(*endpoints: Json | str, name: str = "kubernetes", **fields: t.Any) -> Json:
    """A slice of default/kubernetes; the one of that name is written by kube-apiserver."""
    listed = [endpoint(item) if isinstance(item, str) else item for item in endpoints]
    first = next((item["addresses"][0] for item in listed), "192.0.2.1")
    labels = {"kubernetes.io/service-name": "kubernetes", **fields.pop("labels", {})}
    return obj(
        "EndpointSlice",
        name,
        fields.pop("namespace", "default"),
        "discovery.k8s.io/v1",
        metadata={"labels": labels, **fields.pop("metadata", {})},
        **{"addressType": "IPv6" if ":" in first else "IPv4", "endpoints": listed, "ports": [HTTPS], **fields},
    )


def api_endpoints(*subsets: Json) -> Json:
    return obj("Endpoints", "kubernetes", "default", subsets=list(subsets))


def api_service(*cluster_ips: str, **spec: t.Any) -> Json:
    ips = list(cluster_ips or ("10.96.0.1",))
    ports = [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443}]
    return obj(
        "Service", "kubernetes", "default", spec={"clusterIP": ips[0], "clusterIPs": ips, "ports": ports, **spec}
    )


def node(name: str, *addresses: str, pod_cidrs: t.Sequence[str] = ()) -> Json:
    listed = [{"type": "InternalIP", "address": address} for address in addresses]
    return obj(
        "Node",
        name,
        spec={"podCIDR": pod_cidrs[0], "podCIDRs": list(pod_cidrs)} if pod_cidrs else {},
        status={"addresses": [*listed, {"type": "Hostname", "address": name}]},
    )


def daemon_set(name: str, *containers: Json, namespace: str = "kube-system", status: Json | None = None) -> Json:
    """An engine's DaemonSet; without containers, one with an image that tells no version."""
    listed = list(containers) or [{"name": name, "image": "registry.example/agent@sha256:0123"}]
    spec = {"template": {"spec": {"containers": listed}}}
    return obj("DaemonSet", name, namespace, "apps/v1", spec=spec, status=status or {})


def detect(*daemon_sets: Json, groups: t.Iterable[str] = (), nodes: t.Iterable[Json] = (), **data: t.Any) -> Detected:
    """The engine of a cluster that shows these; every ConfigMap of settings holds `data`."""
    around = Surroundings(frozenset(f"{group}/v1" for group in groups), daemon_sets, tuple(nodes))
    lines = {key.replace("_", "-"): value for key, value in data.items()}
    maps = {
        (namespace, name): obj("ConfigMap", name, namespace, data=lines)
        for namespace, name in engine.settings_wanted(around)
    }
    return engine.detect(around, maps)


def cilium(version: str = "", **settings: t.Any) -> Detected:
    """A cluster that shows Cilium, with these lines in its ConfigMap; without a version, only its API."""
    agent = {"name": "cilium-agent", "image": f"quay.io/cilium/cilium:{version}@sha256:0123"}
    agents = [daemon_set("cilium", agent)] if version else []
    return detect(*agents, groups=["apps", "cilium.io"], **settings)


def memory_policy(seen: str = "", kept: str = "", *, manager: str = ownership.FIELD_MANAGER, **changes: t.Any) -> Json:
    """A live allow policy of ours with its memory, both annotations written by `manager`."""
    annotations = {key: text for key, text in ((SEEN_ANNOTATION, seen), (KEPT_ANNOTATION, kept)) if text}
    fields: Json = {"f:metadata": {"f:annotations": {f"f:{key}": {} for key in annotations}}}
    written = {"manager": manager, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": fields}
    metadata = {"labels": ownership.labels_for(INSTANCE), "annotations": annotations, "managedFields": [written]}
    return obj(
        "NetworkPolicy",
        "netguard-ignite-allow-server",
        "cache-ns",
        "networking.k8s.io/v1",
        metadata={**metadata, **changes},
    )


def resolve_api(*slices: Json, seen: Json | None = None, **wanted: t.Any) -> ApiServer:
    """Resolve the API server from these slices; `seen` replaces facts, the rest are options of the module."""
    facts: Json = {
        "service": api_service(),
        "endpoints": None,
        "ranges": cluster.Ranges(),
        "nodes": frozenset(),
        "engine": Detected(),
        **(seen or {}),
    }
    return api_server.resolve(Options.from_params(wanted), Seen(slices=list(slices), **facts))


def recall(*policies: Json, seconds: int = 3600, now: datetime = NOW) -> Recall:
    return Recall(remember(policies, INSTANCE), now, seconds)


# DNS


def dns_service(name: str = "kube-dns", namespace: str = "kube-system", **spec: t.Any) -> Json:
    ports = [
        {"name": "dns", "protocol": "UDP", "port": 53, "targetPort": 53},
        {"name": "dns-tcp", "protocol": "TCP", "port": 53, "targetPort": 53},
        {"name": "metrics", "protocol": "TCP", "port": 9153, "targetPort": 9153},
    ]
    usual = {"selector": {"k8s-app": "kube-dns"}, "clusterIP": "10.96.0.10", "clusterIPs": ["10.96.0.10"]}
    return obj("Service", name, namespace, spec={**usual, "ports": ports, **spec})


def dns_slice(
    *pods: str, service: str = "kube-dns", namespace: str = "kube-system", name: str = "", **fields: t.Any
) -> Json:
    """A slice whose backends are these pods ("!name" for one that is not ready), at 10.244.0.N."""
    endpoints = [
        {
            "addresses": [pod_address(pod.lstrip("!"))],
            "conditions": {"ready": not pod.startswith("!")},
            "targetRef": {"kind": "Pod", "namespace": namespace, "name": pod.lstrip("!")},
        }
        for pod in pods
    ]
    return obj(
        "EndpointSlice",
        name or f"{service}-1",
        namespace,
        "discovery.k8s.io/v1",
        metadata={"labels": {"kubernetes.io/service-name": service}},
        **{"addressType": "IPv4", "endpoints": endpoints, "ports": DNS_SLICE_PORTS, **fields},
    )


def pod_address(name: str) -> str:
    return f"10.244.0.{sum(name.encode()) % 250 + 2}"


def pod(
    name: str, namespace: str = "kube-system", *, ready: bool = True, phase: str = "Running", **spec: t.Any
) -> Json:
    return obj(
        "Pod",
        name,
        namespace,
        spec=spec,
        status={
            "phase": phase,
            "podIPs": [{"ip": pod_address(name)}],
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    )


def kubelet_config(*cluster_dns: str) -> Json:
    text = yaml.safe_dump({"kind": "KubeletConfiguration", "clusterDNS": list(cluster_dns)})
    return obj("ConfigMap", "kubelet-config", "kube-system", data={"kubelet": text})
