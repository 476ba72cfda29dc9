# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may ask: kubeconfigs with client certificates or bearer tokens, and rights for their users."""

from __future__ import annotations

import re
import typing as t
import uuid
from collections.abc import Sequence
from pathlib import Path

from lab import kubeconfig, objects
from lab.certificates import Authority
from lab.client import Manifest, Requests

ADMIN_GROUP = "system:masters"


class Access(Requests):
    """Makes users of a control plane; a subclass says where its servers and files are."""

    def __init__(self) -> None:
        self._authority = Authority()

    @property
    def folder(self) -> Path:
        raise NotImplementedError

    @property
    def urls(self) -> list[str]:
        raise NotImplementedError

    @property
    def kubeconfig(self) -> Path:
        """The cluster admin's, for the first server."""
        return self.admin_kubeconfig()

    def admin_kubeconfig(self, server: int = 0) -> Path:
        """A kubeconfig of the cluster admin (client certificate) for one of the servers."""
        path = self.folder / f"admin-{server}.kubeconfig"
        return path if path.exists() else self._certificate_kubeconfig(path, "admin", [ADMIN_GROUP], server)

    def user_kubeconfig(self, user: str, groups: Sequence[str] = (), *, server: int = 0) -> Path:
        """A kubeconfig with a client certificate for any user name and groups; grant() gives it rights."""
        return self._certificate_kubeconfig(self._fresh(user), user, groups, server)

    def token_kubeconfig(self, name: str, namespace: str = "default", *, server: int = 0) -> Path:
        """A kubeconfig with a bearer token of a ServiceAccount, which is made if it is not there.

        Its user name for grant() is system:serviceaccount:NAMESPACE:NAME.
        """
        user = kubeconfig.token_user(self.token(name, namespace))
        return self._write(self._fresh(f"{namespace}-{name}"), user, server)

    def token(self, name: str, namespace: str = "default", seconds: int = 3600) -> str:
        """A bearer token of a ServiceAccount, which is made if it is not there."""
        account = objects.service_account(name, namespace)
        if not self.exists(account):
            self.create(account)
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        return str(self.api("POST", path, request)["status"]["token"])

    def grant(self, user: str, rules: Sequence[Manifest], namespace: str = "") -> None:
        """Give a user rights in a namespace, or in the whole cluster; for `rules` see objects.rule()."""
        self.create_all(objects.grant(user, rules, namespace))

    @property
    def authority(self) -> bytes:
        """The CA certificate (PEM) that signed the servers' certificates."""
        return self._authority.certificate

    def _certificate_kubeconfig(self, path: Path, user: str, groups: Sequence[str], server: int) -> Path:
        return self._write(path, kubeconfig.certificate_user(self._authority.client(user, groups)), server)

    def _write(self, path: Path, user: dict[str, t.Any], server: int) -> Path:
        return kubeconfig.write(path, server=self.urls[server], authority=self.authority, user=user)

    def _fresh(self, name: str) -> Path:
        safe = re.sub(r"[^A-Za-z0-9-]+", "-", name)
        return self.folder / f"{safe}-{uuid.uuid4().hex[:8]}.kubeconfig"
