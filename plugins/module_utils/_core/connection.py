# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cluster, as whom: one source of authentication, or an error that names the two that disagree."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

# Option of a task -> environment variable, both spelt as in kubernetes.core.
ENVIRONMENT: dict[str, str] = {
    "kubeconfig": "K8S_AUTH_KUBECONFIG",
    "context": "K8S_AUTH_CONTEXT",
    "host": "K8S_AUTH_HOST",
    "api_key": "K8S_AUTH_API_KEY",
    "username": "K8S_AUTH_USERNAME",
    "password": "K8S_AUTH_PASSWORD",
    "client_cert": "K8S_AUTH_CERT_FILE",
    "client_key": "K8S_AUTH_KEY_FILE",
    "ca_cert": "K8S_AUTH_SSL_CA_CERT",
    "validate_certs": "K8S_AUTH_VERIFY_SSL",
    "proxy": "K8S_AUTH_PROXY",
    "no_proxy": "K8S_AUTH_NO_PROXY",
    "impersonate_user": "K8S_AUTH_IMPERSONATE_USER",
    "impersonate_groups": "K8S_AUTH_IMPERSONATE_GROUPS",
}
_FROM_FILE = ("kubeconfig", "context")
_DIRECT = ("host", "api_key", "username", "password", "client_cert", "client_key", "ca_cert")
_IDENTITY = (*_FROM_FILE, *_DIRECT)
_SECRET = ("api_key", "password")
_FALSE = ("false", "no", "off", "0", "n", "f")
_TRUE = ("true", "yes", "on", "1", "y", "t")


@dataclass(frozen=True)
class Connection:
    """The resolved answer. `source` is for people: where host and credentials come from."""

    source: str
    values: t.Mapping[str, t.Any]
    verify_tls: bool
    insecure_by_task: bool

    @property
    def is_direct(self) -> bool:
        return bool(self.values.get("host"))


def resolve(task: t.Mapping[str, t.Any], environ: t.Mapping[str, str]) -> Connection:
    """Merge task options and K8S_AUTH_* variables; whatever is left open is the client's default look-up."""
    given = {name: task[name] for name in ENVIRONMENT if task.get(name) not in (None, "", [])}
    inherited = {name: environ[var] for name, var in ENVIRONMENT.items() if environ.get(var)}
    _refuse_contradictions(given, inherited)
    merged: dict[str, t.Any] = {**inherited, **given}
    origin = {name: _label(name, name in given) for name in merged}
    _refuse_mixture(merged, origin)
    _refuse_halves(merged, origin)
    _refuse_nothing(merged, environ)
    verify_tls = _verify_tls(given, inherited)
    if isinstance(merged.get("impersonate_groups"), str):
        merged["impersonate_groups"] = [part.strip() for part in merged["impersonate_groups"].split(",")]
    named = [origin[name] for name in _IDENTITY if name in merged]
    return Connection(
        source=", ".join(named) or "default kubeconfig or in-cluster ServiceAccount",
        values=merged,
        verify_tls=verify_tls,
        insecure_by_task=given.get("validate_certs") is False,
    )


def _label(name: str, by_task: bool) -> str:
    return f"option {name}" if by_task else f"environment variable {ENVIRONMENT[name]}"


def _refuse_contradictions(given: t.Mapping[str, t.Any], inherited: t.Mapping[str, str]) -> None:
    for name in _IDENTITY:
        if name in given and name in inherited and given[name] != inherited[name]:
            both = "" if name in _SECRET else f" ({given[name]!r} and {inherited[name]!r})"
            raise _contradiction(
                f"option {name} and environment variable {ENVIRONMENT[name]} differ{both}",
                f"Unset {ENVIRONMENT[name]} or remove option {name}",
            )


def _refuse_mixture(merged: t.Mapping[str, t.Any], origin: t.Mapping[str, str]) -> None:
    files = [name for name in _FROM_FILE if name in merged]
    direct = [name for name in _DIRECT if name in merged]
    if files and direct:
        raise _contradiction(
            f"{origin[files[0]]} names a kubeconfig and {origin[direct[0]]} a server or credential beside it",
            "Keep one of the two; a Kubernetes credential of AWX sets K8S_AUTH_HOST and K8S_AUTH_API_KEY",
        )


def _refuse_halves(merged: t.Mapping[str, t.Any], origin: t.Mapping[str, str]) -> None:
    direct = [name for name in _DIRECT if name in merged]
    if direct and "host" not in merged:
        raise _contradiction(
            f"{origin[direct[0]]} is set but no host is, so it would go to another cluster's server",
            "Set option host (or K8S_AUTH_HOST) beside it, or use a kubeconfig alone",
        )
    for one, other in (("username", "password"), ("client_cert", "client_key")):
        if (one in merged) != (other in merged):
            present, missing = (one, other) if one in merged else (other, one)
            raise _contradiction(f"{origin[present]} is set without {missing}", f"Set {missing} too")
    if "api_key" in merged and "username" in merged:
        raise _contradiction(f"{origin['api_key']} and {origin['username']} are both set", "Keep one of the two")


def _refuse_nothing(merged: t.Mapping[str, t.Any], environ: t.Mapping[str, str]) -> None:
    """A credential that was filled with nothing must not lead to whatever cluster is the default."""
    empty = [ENVIRONMENT[name] for name in ("kubeconfig", "host", "api_key") if environ.get(ENVIRONMENT[name]) == ""]
    if empty and not any(name in merged for name in _IDENTITY):
        raise _contradiction(
            f"{' and '.join(empty)} set to an empty text, and nothing else names a cluster",
            f"Give the credential its values, or unset {' and '.join(empty)} to use the default kubeconfig",
        )


def _verify_tls(given: t.Mapping[str, t.Any], inherited: t.Mapping[str, str]) -> bool:
    if "validate_certs" in given:
        return bool(given["validate_certs"])
    text = inherited.get("validate_certs", "true").strip().lower()
    if text in _FALSE:
        raise LockdownError(
            "tls_verification_off",
            "Refused to connect without TLS verification",
            "environment variable K8S_AUTH_VERIFY_SSL switches it off (AWX does so when its credential holds no CA)",
            "Give the CA (ca_cert, K8S_AUTH_SSL_CA_CERT) and set validate_certs: true in the task, "
            "or accept the risk with validate_certs: false in the task",
        )
    if text not in _TRUE:
        raise _contradiction(f"K8S_AUTH_VERIFY_SSL is {text!r}, which is neither true nor false", "Correct or unset it")
    return True


def _contradiction(why: str, next_step: str) -> LockdownError:
    return LockdownError("contradicting_auth", "Cannot tell which cluster is meant", why, next_step)
