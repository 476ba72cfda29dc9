# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a ServiceAccount may do, evaluated from roles and bindings."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, metadata

Json = dict[str, t.Any]

_GROUPS = ("system:authenticated", "system:serviceaccounts")
# What every authenticated user may ask anywhere: about itself, and the API's own description.
_HARMLESS = ("system:basic-user", "system:discovery", "system:public-info-viewer")


class Right(t.NamedTuple):
    """A rule of a role in force for an account; an empty namespace is the whole cluster."""

    namespace: str
    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...]
    by: str

    def as_record(self) -> Json:
        return {
            "namespace": self.namespace,
            "verbs": list(self.verbs),
            "resources": list(self.resources),
            "names": list(self.names),
            "by": self.by,
        }

    def __str__(self) -> str:
        named = f" named {', '.join(self.names)}" if self.names else ""
        where = f"namespace {self.namespace}" if self.namespace else "the whole cluster"
        return f"{', '.join(self.verbs)} {', '.join(self.resources)}{named} in {where}"

    @property
    def is_discovery(self) -> bool:
        """Whether this is the one thing that Ignite's address finder needs: to read one Endpoints object."""
        return self.verbs == ("get",) and self.resources == ("endpoints",) and len(self.names) == 1


def rights(objects: t.Sequence[Raw], namespace: str, account: str) -> list[Right]:
    """What roles and bindings give a ServiceAccount, beyond what every user has."""
    roles = {
        (each.get("kind"), metadata(each).get("namespace") or "", metadata(each).get("name")): each for each in objects
    }
    found: list[Right] = []
    for binding in objects:
        if not str(binding.get("kind")).endswith("Binding") or not _binds(binding, namespace, account):
            continue
        reference = binding.get("roleRef") or {}
        if reference.get("name") in _HARMLESS:
            continue
        home = str(metadata(binding).get("namespace") or "") if binding.get("kind") == "RoleBinding" else ""
        by = f"{binding['kind']} {home + '/' if home else ''}{metadata(binding).get('name')}"
        role = roles.get(
            (reference.get("kind"), home if reference.get("kind") == "Role" else "", reference.get("name"))
        )
        if role is None:
            found.append(Right(home, ("unknown",), (f"{reference.get('kind')} {reference.get('name')}",), (), by))
            continue
        found += [_right(rule, home, by) for rule in role.get("rules") or []]
    return sorted(found)


def _binds(binding: Raw, namespace: str, account: str) -> bool:
    groups = {*_GROUPS, f"system:serviceaccounts:{namespace}"}
    for subject in binding.get("subjects") or []:
        kind, name = subject.get("kind"), subject.get("name")
        if kind == "ServiceAccount" and (subject.get("namespace"), name) == (namespace, account):
            return True
        if kind == "Group" and name in groups:
            return True
        if kind == "User" and name == f"system:serviceaccount:{namespace}:{account}":
            return True
    return False


def _right(rule: Raw, namespace: str, by: str) -> Right:
    resources = tuple(rule.get("resources") or rule.get("nonResourceURLs") or ())
    return Right(namespace, tuple(rule.get("verbs") or ()), resources, tuple(rule.get("resourceNames") or ()), by)
