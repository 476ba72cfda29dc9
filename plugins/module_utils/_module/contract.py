# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module takes and does, apart from how it is run: as a module, or in the controller's own process."""

from __future__ import annotations

import sys
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import NoSession, Session

ArgumentSpec = dict[str, t.Any]
Params = t.Mapping[str, t.Any]
Result = dict[str, t.Any]

CONNECTION_SPEC: ArgumentSpec = {
    "kubeconfig": {"type": "path"},
    "context": {"type": "str"},
    "host": {"type": "str"},
    "api_key": {"type": "str", "no_log": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "ca_cert": {"type": "path", "aliases": ["ssl_ca_cert"]},
    "validate_certs": {"type": "bool", "aliases": ["verify_ssl"]},
    "proxy": {"type": "str"},
    "no_proxy": {"type": "str"},
    "impersonate_user": {"type": "str"},
    "impersonate_groups": {"type": "list", "elements": "str"},
    "connect_timeout": {"type": "float", "default": 3.0},
    "request_timeout": {"type": "float", "default": 6.0},
}


def _always(params: Params) -> bool:
    return True


def _as_given(arguments: Result) -> Result:
    return arguments


class Contract(t.NamedTuple):
    """`work` gets the validated options and whether this is check mode; it returns the module's result.

    :arg conceal: moves what no log may show from a task's arguments into an option that is never logged.
    :arg connects: whether these options need the cluster; without it the session is one that refuses every request.
    """

    spec: ArgumentSpec
    work: t.Callable[[Session, Params, bool], Result]
    mutually_exclusive: t.Sequence[tuple[str, ...]] = ()
    required_if: t.Sequence[tuple[t.Any, ...]] = ()
    connects: t.Callable[[Params], bool] = _always
    conceal: t.Callable[[Result], Result] = _as_given

    def fulfil(self, params: Params, *, check_mode: bool) -> Result:
        """Open the session and do the work. Raises LockdownError, and nothing else for bad input."""
        session = open_session(params) if self.connects(params) else NoSession()
        result = self.work(session, params, check_mode)
        if session.insecure:
            result["warnings"] = [*result.get("warnings", []), insecure_warning(session.host)]
        return result


def insecure_warning(host: str) -> str:
    return (
        f"The certificate of {host} was not verified (validate_certs: false): "
        "whoever answers there gets the credentials and decides what is read"
    )


def open_session(params: Params) -> Session:
    """Raises LockdownError where the options contradict each other or the library is missing."""
    for option in ("connect_timeout", "request_timeout"):
        if params[option] <= 0:
            raise LockdownError(
                "invalid_option", f"Invalid {option}", f"{params[option]} s is not positive", f"Correct {option}"
            )
    try:
        return Session.from_params(params)
    except ImportError as error:
        raise LockdownError(
            "missing_library",
            "Cannot import the kubernetes library",
            f"{error} (interpreter {sys.executable})",
            "Install kubernetes>=28.1.0,!=36.0.* for this interpreter, or set ansible_python_interpreter",
        ) from error
