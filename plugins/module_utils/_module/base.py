# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module of this collection shares: connection options, one way in, one way to fail."""

from __future__ import annotations

import sys
import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session

ArgumentSpec = dict[str, t.Any]

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


def run(module: AnsibleModule, work: t.Callable[[Session], dict[str, t.Any]]) -> t.NoReturn:
    """Open the session, do the work, and end the module with its result or a structured failure."""
    try:
        result = work(_session(module))
    except LockdownError as error:
        fail(module, error)
    for warning in result.pop("warnings", []):
        module.warn(warning)
    raise module.exit_json(**result)


def fail(module: AnsibleModule, error: LockdownError) -> t.NoReturn:
    """End the module with the error as a sentence and as data."""
    raise module.fail_json(msg=str(error), failure=error.as_result())


def _session(module: AnsibleModule) -> Session:
    for option in ("connect_timeout", "request_timeout"):
        if module.params[option] <= 0:
            raise LockdownError(
                "invalid_option", f"Invalid {option}", f"{module.params[option]} s is not positive", f"Correct {option}"
            )
    try:
        return Session.from_params(module.params)
    except ImportError as error:
        library = missing_required_lib("kubernetes")
        raise module.fail_json(
            msg=f"{library} The interpreter is {sys.executable}.",
            exception=traceback.format_exc(),
            failure=LockdownError(
                "missing_library",
                "Cannot import the kubernetes library",
                f"{error} (interpreter {sys.executable})",
                "Install kubernetes>=28.1.0,!=36.0.* for this interpreter, or set ansible_python_interpreter",
            ).as_result(),
        ) from error
