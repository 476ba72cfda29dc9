# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed request means: the verb, the object, the address, and the next step."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError, ObjectRef

_PATH = re.compile(
    r"^/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<resource>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<sub>[^/]+)(?:/.*)?)?)?$"
)
# What every authorizer's refusal says, and no admission plugin's.
_UNAUTHORIZED_VERB = re.compile(r"\bcannot (?P<verb>\w+) (resource|path)\b")
# The second check of an upgrade leaves the reason out.
_UNAUTHORIZED_UPGRADE = re.compile(r"\bis forbidden:?$")
# A WebSocket begins as a GET; newer API servers ask for the right to create as well.
_UPGRADED, _UPGRADE_VERBS = ("exec", "attach", "portforward"), ["create", "get"]
MANIFESTS = "all rights of each playbook are in files/rbac of role netguard.lockdown.ignite_lockdown"
_REQUEST_TIMEOUT = 408
# TLS that ends without a word is a server or a load balancer that has gone, not a certificate.
_CUT_OFF = {"SSLEOFError", "SSLZeroReturnError", "ConnectionResetError"}
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class ApiError(LockdownError):
    """The API server answered, and the answer was no. `status` is the HTTP status."""

    status: int = 0

    @property
    def lacks_right(self) -> bool:
        """Whether authorization refused it; admission refuses with the same status."""
        return "rbac_rule" in self.details


def is_refusal(error: LockdownError) -> bool:
    """Whether the request was surely not carried out. Without an answer, or where the server failed, nobody knows."""
    return isinstance(error, ApiError) and 400 <= error.status < 500 and error.status != _REQUEST_TIMEOUT


def from_status(method: str, path: str, host: str, status: int, answer: t.Mapping[str, t.Any]) -> ApiError:
    """The error for an HTTP status of 400 or more."""
    message = str(answer.get("message") or f"HTTP status {status}").strip().rstrip(".")
    lacks_right = status == 403 and _is_unauthorized(path, message)
    rule = _missing_rule(method, path, message) if lacks_right else {}
    code, next_step = _advice(path, status, rule)
    details: dict[str, t.Any] = {"status": status, "verb": _verb(method, path), "path": path, "host": host}
    if lacks_right:
        details["rbac_rule"] = rule
    error = ApiError(code, f"{method} {host}{path} failed", message, next_step, obj=_object(path), details=details)
    error.status = status
    return error


def _is_unauthorized(path: str, message: str) -> bool:
    if _is_upgrade(path) and _UNAUTHORIZED_UPGRADE.search(message):
        return True
    return _UNAUTHORIZED_VERB.search(message) is not None


def _is_upgrade(path: str) -> bool:
    match = _PATH.match(path)
    return match is not None and match["sub"] in _UPGRADED


def _missing_rule(method: str, path: str, message: str) -> dict[str, t.Any]:
    """The rule that permits the request; an apply of an object that does not exist lacks the right to create it."""
    refused = _UNAUTHORIZED_VERB.search(message)
    if refused and method == "PATCH" and refused["verb"] == "create":
        return rbac_rule("POST", path.rpartition("/")[0])
    return rbac_rule(method, path)


def _advice(path: str, status: int, rule: t.Mapping[str, t.Any]) -> tuple[str, str]:
    if status == 401:
        return "api_unauthorized", "Renew the credentials: the API server does not know this token, certificate or user"
    if rule:
        needed = f"{_role_kind(path)}: {_flow_style(rule)}"
        return "api_forbidden", f"Grant this in {needed}; {MANIFESTS}"
    if status == 404:
        return "api_not_found", "Check the name and the namespace"
    if status == 409:
        return "api_conflict", "The object changed meanwhile: run again, the plan is computed anew"
    if status == 403:
        return "api_refused", "An admission policy, webhook or quota refuses it: satisfy or change that"
    if status in (400, 422):
        return "api_invalid", "Correct what the API server rejects"
    return "api_failed", "Try again; if it stays so, look into the API server's log"


def from_transport(method: str, path: str, host: str, error: Exception) -> LockdownError:
    """The error for a request that got no answer."""
    text = _innermost(error)
    names = {type(link).__name__ for link in _chain(error)}
    code, next_step = "api_unreachable", "Check the server's address, the network and the proxy"
    if "ReadTimeoutError" in names:
        code, next_step = (
            "api_timeout",
            "The server accepted the connection and went silent: raise request_timeout or check it",
        )
    elif any("SSL" in name or "Certificate" in name for name in names) and not names & _CUT_OFF:
        code, next_step = "api_tls", "Give the CA that signed the server's certificate (ca_cert or kubeconfig)"
    return LockdownError(
        code,
        f"{method} {host}{path} got no answer",
        text,
        next_step,
        obj=_object(path),
        details={"host": host, "path": path},
    )


def not_kubernetes(method: str, path: str, host: str) -> LockdownError:
    return LockdownError(
        "api_not_kubernetes",
        f"{method} {host}{path} was answered with something that no API server sends",
        "the address belongs to another service or to a proxy's login page",
        "Check host and proxy",
        details={"host": host, "path": path},
    )


def rbac_rule(method: str, path: str) -> dict[str, t.Any]:
    """The RBAC rule that permits this request, as small as RBAC can express it."""
    match = _PATH.match(path)
    if match is None:
        return {"nonResourceURLs": [path], "verbs": ["get"]}
    rule: dict[str, t.Any] = {
        "apiGroups": [match["group"] or ""],
        "resources": ["/".join(filter(None, (match["resource"], match["sub"])))],
        "verbs": _UPGRADE_VERBS if _is_upgrade(path) else [_verb(method, path)],
    }
    if match["name"]:
        rule["resourceNames"] = [match["name"]]
    return rule


def _verb(method: str, path: str) -> str:
    match = _PATH.match(path)
    if method == "GET":
        return "list" if match and not match["name"] else "get"
    return _VERBS.get(method, method.lower())


def _role_kind(path: str) -> str:
    match = _PATH.match(path)
    namespace = match["namespace"] if match else None
    return f"a Role in namespace {namespace}" if namespace else "a ClusterRole"


def _flow_style(rule: t.Mapping[str, t.Any]) -> str:
    parts = (f"{key}: [{', '.join(item or repr(item) for item in value)}]" for key, value in rule.items())
    return "{" + ", ".join(parts) + "}"


def _object(path: str) -> ObjectRef | None:
    match = _PATH.match(path)
    if match is None:
        return None
    return ObjectRef(kind=match["resource"], namespace=match["namespace"] or "", name=match["name"] or "")


def _chain(error: BaseException | None) -> t.Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = (
            getattr(error, "reason", None)
            if isinstance(getattr(error, "reason", None), BaseException)
            else (error.__cause__ or error.__context__)
        )


def _innermost(error: Exception) -> str:
    # urllib3 1.26 tries an argument that only Python 2 knew before it reads an answer.
    texts = [str(link) for link in _chain(error) if str(link) and not isinstance(link, TypeError)]
    return (texts[-1] if texts else type(error).__name__).rstrip(".")
