# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builders of Kubernetes objects for tests; each returns a manifest for create()."""

from __future__ import annotations

import ipaddress
import typing as t
import uuid
from collections.abc import Mapping, Sequence

Manifest = dict[str, t.Any]
Labels = Mapping[str, str]

STARTED = "2026-01-01T00:00:00Z"
IMAGE = "registry.invalid/never-pulled:1"


def reference(api_version: str, kind: str, name: str, namespace: str = "") -> Manifest:
    """An object's identity only, for read(), exists(), patch() and delete()."""
    return _object(api_version, kind, name, namespace)


def namespace(name: str, labels: Labels | None = None) -> Manifest:
    return _object("v1", "Namespace", name, labels=labels)


def node(
    name: str, *, address: str = "192.0.2.11", pod_cidrs: Sequence[str] = (), labels: Labels | None = None
) -> Manifest:
    """A ready node."""
    spec = {"podCIDR": pod_cidrs[0], "podCIDRs": list(pod_cidrs)} if pod_cidrs else {}
    status = {
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        "nodeInfo": {"kubeletVersion": "v1.36.3", "operatingSystem": "linux", "architecture": "amd64"},
    }
    return _object("v1", "Node", name, labels=labels, spec=spec, status=status)


def pod(
    name: str,
    namespace: str,
    labels: Labels | None = None,
    *,
    ip: str = "",
    ready: bool = True,
    phase: str = "Running",
    host_network: bool = False,
    node_name: str = "node-1",
    ports: Sequence[Manifest] = (),
    spec: Mapping[str, t.Any] | None = None,
) -> Manifest:
    """A pod with a kubelet's status; `ports` are containerPorts, `spec` adds to or replaces fields."""
    container = {"name": "main", "image": IMAGE, "ports": list(ports)}
    full_spec = {
        "containers": [container],
        "nodeName": node_name,
        "hostNetwork": host_network,
        **(spec or {}),
    }
    status: Manifest = {
        "phase": phase,
        "startTime": STARTED,
        "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
    }
    if ip:
        status |= {"podIP": ip, "podIPs": [{"ip": ip}]}
    return _object("v1", "Pod", name, namespace, labels, spec=full_spec, status=status)


def service(
    name: str,
    namespace: str,
    *,
    selector: Labels | None = None,
    ports: Sequence[Manifest] = (),
    cluster_ip: str = "",
    labels: Labels | None = None,
    spec: Mapping[str, t.Any] | None = None,
) -> Manifest:
    """A Service; `ports` as in its spec, `cluster_ip` in the Service range, "None", or "" for any."""
    full_spec: Manifest = {"ports": list(ports), **(spec or {})}
    if selector:
        full_spec["selector"] = dict(selector)
    if cluster_ip:
        full_spec["clusterIP"] = cluster_ip
    return _object("v1", "Service", name, namespace, labels, spec=full_spec)


def endpoint_slice(
    name: str,
    namespace: str,
    *,
    service: str,
    addresses: Sequence[str],
    ports: Sequence[Manifest],
    ready: bool | None = True,
    address_type: str = "",
    pods: Sequence[str] = (),
    labels: Labels | None = None,
) -> Manifest:
    """A slice of a Service: `ports` as in the slice (name, port, protocol), `pods` names of the targets.

    The address type is read from the addresses; FQDN must be given. `ready=None` leaves the condition out.
    """
    endpoints: list[Manifest] = [
        {"addresses": [address], "conditions": {} if ready is None else {"ready": ready}} for address in addresses
    ]
    for endpoint, pod_name in zip(endpoints, pods, strict=False):
        endpoint["targetRef"] = {"kind": "Pod", "name": pod_name, "namespace": namespace}
    known = {"kubernetes.io/service-name": service, "endpointslice.kubernetes.io/managed-by": "netguard-lab"}
    slice_ = _object("discovery.k8s.io/v1", "EndpointSlice", name, namespace, {**known, **(labels or {})})
    return slice_ | {
        "addressType": address_type or _address_type(addresses),
        "endpoints": endpoints,
        "ports": list(ports),
    }


def config_map(name: str, namespace: str, data: Mapping[str, str], labels: Labels | None = None) -> Manifest:
    return _object("v1", "ConfigMap", name, namespace, labels, data=dict(data))


def service_account(name: str, namespace: str) -> Manifest:
    return _object("v1", "ServiceAccount", name, namespace)


def network_policy(name: str, namespace: str, spec: Mapping[str, t.Any], labels: Labels | None = None) -> Manifest:
    return _object("networking.k8s.io/v1", "NetworkPolicy", name, namespace, labels, spec=dict(spec))


def custom_resource_definition(group: str, version: str, kind: str, *, namespaced: bool = True) -> Manifest:
    """A CRD that accepts any content, for tests of what its presence alone changes."""
    plural = f"{kind.lower()[:-1]}ies" if kind.endswith("y") else f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    spec = {
        "group": group,
        "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
        "scope": "Namespaced" if namespaced else "Cluster",
        "versions": [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
    }
    return _object("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{plural}.{group}", spec=spec)


def rule(verbs: Sequence[str], resources: Sequence[str], api_group: str = "", names: Sequence[str] = ()) -> Manifest:
    """A rule of a Role: rule(["get", "list"], ["networkpolicies"], "networking.k8s.io")."""
    return {
        "verbs": list(verbs),
        "resources": list(resources),
        "apiGroups": [api_group],
        **({"resourceNames": list(names)} if names else {}),
    }


def grant(user: str, rules: Sequence[Manifest], namespace: str = "") -> list[Manifest]:
    """A Role (ClusterRole without a namespace) with its binding to a user; names are generated."""
    prefix, group = "" if namespace else "Cluster", "rbac.authorization.k8s.io"
    name = f"lab-{uuid.uuid4().hex[:12]}"
    role = _object(f"{group}/v1", f"{prefix}Role", name, namespace, rules=list(rules))
    binding = _object(
        f"{group}/v1",
        f"{prefix}RoleBinding",
        name,
        namespace,
        roleRef={"apiGroup": group, "kind": f"{prefix}Role", "name": name},
        subjects=[{"apiGroup": group, "kind": "User", "name": user}],
    )
    return [role, binding]


def _address_type(addresses: Sequence[str]) -> str:
    return f"IPv{ipaddress.ip_address(addresses[0]).version}" if addresses else "IPv4"


def _object(
    api_version: str, kind: str, name: str, namespace: str = "", labels: Labels | None = None, **fields: t.Any
) -> Manifest:
    metadata: Manifest = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = dict(labels)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}
