# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubernetes library's transport, used below its API classes.

`ApiClient.call_api` changed its signature in client 36; the connection pool and the configuration
did not, so this works on every supported version.
"""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.connection import Connection
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

MISSING_LIBRARY: ImportError | None = None
try:
    from kubernetes import config as kube_config
    from kubernetes.client.api_client import ApiClient
    from kubernetes.client.configuration import Configuration
    from urllib3 import Timeout
    from urllib3._collections import HTTPHeaderDict  # urllib3 1.26 does not export it
except ImportError as error:
    # Documentation and argument checks have to work without it.
    MISSING_LIBRARY = error

_USER_AGENT = "netguard.lockdown"
# Where the library keeps a bearer token: from version 36 on, and before.
_TOKEN_NAMES = ("BearerToken", "authorization")


class Transport:
    """Sends one request and returns status, headers and body; knows no Kubernetes semantics.

    Raises ImportError where the library is missing.
    """

    def __init__(self, connection: Connection, *, connect_timeout: float, request_timeout: float) -> None:
        if MISSING_LIBRARY is not None:
            raise MISSING_LIBRARY
        self._timeout = Timeout(connect=connect_timeout, read=request_timeout)
        self._configuration = _configure(connection)
        self.host: str = self._configuration.host.rstrip("/")
        self.pool: t.Any = ApiClient(self._configuration).rest_client.pool_manager
        self._impersonation = _impersonation(connection)

    def send(
        self, method: str, target: str, payload: bytes | None, content_type: str
    ) -> tuple[int, t.Mapping[str, str], bytes]:
        headers = self.credentials()
        headers["Accept"], headers["Content-Type"] = "application/json", content_type
        response = self.pool.request(
            method,
            self.host + target,
            headers=headers,
            body=payload,
            timeout=self._timeout,
            retries=False,
            redirect=False,
        )
        return response.status, response.headers, response.data

    def open(self, target: str, silence: float) -> t.Any:
        """The answer to a GET, to be read as it comes and closed by the caller.

        :arg silence: seconds that the server may pause within the answer.
        """
        headers = self.credentials()
        headers["Accept"] = "application/json"
        return self.pool.request(
            "GET",
            self.host + target,
            headers=headers,
            timeout=Timeout(connect=self._timeout.connect_timeout, read=silence),
            retries=False,
            redirect=False,
            preload_content=False,
        )

    def credentials(self) -> t.Any:
        """The headers that say who asks."""
        headers = HTTPHeaderDict({"User-Agent": _USER_AGENT})
        # Asked for each request, because this is what refreshes the token of an exec plugin.
        token = next(filter(None, map(self._configuration.get_api_key_with_prefix, _TOKEN_NAMES)), None)
        if token:
            headers["Authorization"] = _in_one_line(token, "bearer token")
        elif self._configuration.username:
            headers["Authorization"] = self._configuration.get_basic_auth_token()
        for name, value in self._impersonation:
            headers.add(name, _in_one_line(value, name))
        return headers


def _in_one_line(value: str, what: str) -> str:
    """A header's value. The library below would quote one that it refuses in its error, and it may be a secret."""
    if value.isascii() and value.isprintable():
        return value
    raise LockdownError(
        "unusable_credential",
        f"Cannot send the {what}",
        "it holds a line break or another character that no header may hold",
        "Give it without; what was read from a file often ends with a line break",
    )


def _configure(connection: Connection) -> t.Any:
    values = connection.values
    configuration = Configuration()
    if connection.is_direct:
        _set_direct(configuration, values)
    else:
        _load(configuration, values)
    if not connection.verify_tls:
        configuration.verify_ssl = False
    _refuse_silent_insecurity(configuration, connection)
    if values.get("proxy"):
        configuration.proxy = values["proxy"]
    if values.get("no_proxy"):
        configuration.no_proxy = values["no_proxy"]
    return configuration


def _set_direct(configuration: t.Any, values: t.Mapping[str, t.Any]) -> None:
    configuration.host = values["host"]
    if values.get("api_key"):
        configuration.api_key = {"BearerToken": f"Bearer {values['api_key']}"}
    configuration.username = values.get("username")
    configuration.password = values.get("password")
    configuration.cert_file = values.get("client_cert")
    configuration.key_file = values.get("client_key")
    configuration.ssl_ca_cert = values.get("ca_cert")


def _load(configuration: t.Any, values: t.Mapping[str, t.Any]) -> None:
    try:
        kube_config.load_kube_config(
            config_file=values.get("kubeconfig"),
            context=values.get("context"),
            client_configuration=configuration,
            persist_config=False,
        )
    except Exception as error:
        if values.get("kubeconfig") or values.get("context") or not _load_incluster(configuration):
            raise _unusable_kubeconfig(values, error) from error


def _load_incluster(configuration: t.Any) -> bool:
    try:
        kube_config.load_incluster_config(client_configuration=configuration)
    except kube_config.ConfigException:
        return False
    return True


def _unusable_kubeconfig(values: t.Mapping[str, t.Any], error: Exception) -> LockdownError:
    name = values.get("kubeconfig") or "the default kubeconfig"
    context = f", context {values['context']}" if values.get("context") else ""
    # A YAML error quotes the lines it stumbled over, and those may hold a token.
    why = str(error) if isinstance(error, (kube_config.ConfigException, OSError)) else type(error).__name__
    return LockdownError(
        "unusable_kubeconfig",
        f"Cannot load {name}{context}",
        why.strip().rstrip(".") or type(error).__name__,
        "Name a readable kubeconfig (option kubeconfig, K8S_AUTH_KUBECONFIG or KUBECONFIG) and an existing context",
    )


def _refuse_silent_insecurity(configuration: t.Any, connection: Connection) -> None:
    if connection.insecure_by_task:
        return
    plain = not str(configuration.host).startswith("https://")
    if plain or not configuration.verify_ssl:
        why = (
            f"{configuration.host} is not an https address" if plain else "the kubeconfig sets insecure-skip-tls-verify"
        )
        raise LockdownError(
            "tls_verification_off",
            "Refused to connect without TLS verification",
            why,
            "Use a verified https server, or accept the risk with validate_certs: false in the task",
        )


def _impersonation(connection: Connection) -> list[tuple[str, str]]:
    values = connection.values
    headers = [("Impersonate-User", values["impersonate_user"])] if values.get("impersonate_user") else []
    return headers + [("Impersonate-Group", group) for group in values.get("impersonate_groups") or []]
