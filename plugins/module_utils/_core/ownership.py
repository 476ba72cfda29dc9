# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is ours: our two labels AND our field manager. Labels alone can be copied by anyone."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

FIELD_MANAGER = "netguard.lockdown"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
INSTANCE_LABEL = "app.kubernetes.io/instance"

_GITOPS_MARKS = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}
_GITOPS_MANAGERS = {
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
}

Object = t.Mapping[str, t.Any]


def labels_for(instance: str) -> dict[str, str]:
    return {MANAGED_BY_LABEL: FIELD_MANAGER, INSTANCE_LABEL: instance}


def has_our_labels(obj: Object, instance: str | None = None) -> bool:
    """Whether the object claims to be ours, of this instance if one is given."""
    labels = obj.get("metadata", {}).get("labels") or {}
    claimed = labels.get(MANAGED_BY_LABEL) == FIELD_MANAGER
    return claimed and (instance is None or labels.get(INSTANCE_LABEL) == instance)


def is_ours(obj: Object, instance: str | None = None) -> bool:
    return has_our_labels(obj, instance) and any(_is_our_apply(entry) for entry in _entries(obj))


def belongs(obj: Object, instance: str) -> bool:
    """Whether a policy of an outcome is this instance's; one that is yet to be written has no managedFields."""
    if "managedFields" in obj["metadata"]:
        return is_ours(obj, instance)
    return has_our_labels(obj, instance)


def why_not_ours(obj: Object, instance: str) -> str:
    """The sentence for an object that has our name and is not ours."""
    managers = sorted({str(entry.get("manager")) for entry in _entries(obj)}) or ["nobody known"]
    if has_our_labels(obj, instance):
        return f"it carries our labels, but its fields were written by {', '.join(managers)}"
    return f"it lacks the labels of instance {instance} and was written by {', '.join(managers)}"


def gitops_owner(obj: Object) -> str:
    """Which GitOps controller keeps the object, by its own marks; empty where none does."""
    metadata = obj.get("metadata", {})
    marks = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    found = [f"{name} ({key}: {marks[key]})" for key, name in _GITOPS_MARKS.items() if key in marks]
    managers = {str(entry.get("manager")) for entry in _entries(obj)}
    found += [f"{name} (field manager {key})" for key, name in _GITOPS_MANAGERS.items() if key in managers]
    return found[0] if found else ""


def owned_keys(obj: Object, field: str) -> set[str]:
    """The keys of metadata.labels or metadata.annotations that our manager applied."""
    keys: set[str] = set()
    for entry in _entries(obj):
        if _is_our_apply(entry):
            metadata = (entry.get("fieldsV1") or {}).get("f:metadata") or {}
            keys.update(key[2:] for key in metadata.get(f"f:{field}") or {} if key.startswith("f:"))
    return keys


def owned_fields(obj: Object) -> dict[str, t.Any]:
    """The fields that our manager applied, in the form of managedFields (FieldsV1)."""
    found = [entry.get("fieldsV1") or {} for entry in _entries(obj) if _is_our_apply(entry)]
    return {name: node for fields in found for name, node in fields.items()}


def foreign_entries(obj: Object) -> list[Object]:
    """What other managers hold, status apart."""
    return [entry for entry in _entries(obj) if not _is_our_apply(entry) and entry.get("subresource") != "status"]


def applied_at(obj: Object) -> str:
    """When our manager last changed something, in the API's form; empty where it never did."""
    return max((str(entry.get("time", "")) for entry in _entries(obj) if _is_our_apply(entry)), default="")


def foreign_spec_owners(obj: Object) -> list[dict[str, t.Any]]:
    """Other managers that own parts of the spec: they edited what is ours."""
    owners = []
    for entry in _entries(obj):
        fields = sorted((entry.get("fieldsV1") or {}).get("f:spec") or {})
        if fields and not _is_our_apply(entry) and not entry.get("subresource"):
            owners.append(
                {
                    "manager": str(entry.get("manager", "")),
                    "time": str(entry.get("time", "")),
                    "fields": [f"spec.{field[2:]}" for field in fields if field.startswith("f:")],
                }
            )
    return owners


def require_instance_name(instance: str) -> None:
    """Instance names become parts of object names and a label value."""
    allowed = "abcdefghijklmnopqrstuvwxyz0123456789-"
    valid = 0 < len(instance) <= 40 and not set(instance) - set(allowed)
    if not valid or instance[0] == "-" or instance[-1] == "-":
        raise LockdownError(
            "invalid_instance",
            f"Invalid instance {instance!r}",
            "an instance is 1 to 40 lower-case letters, digits and inner hyphens",
            "Correct option instance",
        )


def _entries(obj: Object) -> list[Object]:
    return obj.get("metadata", {}).get("managedFields") or []


def _is_our_apply(entry: Object) -> bool:
    return entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply"
