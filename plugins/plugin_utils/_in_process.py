# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module's work in the controller's worker process, where a process of its own would make no difference.

Starting Python and importing from a zip file costs more than the work. On the local connection, with
the controller's own interpreter, as the same user and with the same environment, the outcome is the
same without that. In any other case the module is executed as usual.
"""

from __future__ import annotations

import sys
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase

# A worker inherits what the controller has imported when it asks for a task's action. Without these every task that
# uses a filter would compile the collection's code anew, for a tenth of a second.
from ansible_collections.netguard.lockdown.plugins.filter import (  # noqa: F401  # pylint: disable=unused-import
    ignite_arguments,
    ignite_connection,
    ignite_flows,
    ignite_targets,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._module.contract import Contract

Json = dict[str, t.Any]


class InProcessAction(ActionBase):
    """The action of a module that is given by its contract."""

    CONTRACT: t.ClassVar[Contract]
    # Ansible asks the action whether the module may be run in the background.
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: Json | None = None) -> Json:
        result: Json = super().run(tmp, task_vars)
        given = _plain(self._task.args)
        sent = self.CONTRACT.conceal(given)
        if not self._may_run_here(task_vars or {}):
            executed = self._execute_module(
                module_args=None if sent is given else sent,
                task_vars=task_vars,
                wrap_async=bool(self._task.async_val),
            )
            return {**result, **executed}
        return {**result, **self._run_here(sent)}

    def _may_run_here(self, task_vars: Json) -> bool:
        local = self._connection.transport in ("local", "ansible.builtin.local")
        interpreter = self._templar.template(task_vars.get("ansible_python_interpreter"))
        environment: Json = {}
        self._compute_environment_string(environment)
        return (
            local
            and interpreter == sys.executable
            and not environment
            and not self._task.become
            and not self._task.async_val
        )

    def _run_here(self, given: Json) -> Json:
        validator = ArgumentSpecValidator(
            self.CONTRACT.spec,
            mutually_exclusive=self.CONTRACT.mutually_exclusive,
            required_if=self.CONTRACT.required_if,
        )
        secrets = {
            given[name] for name, option in self.CONTRACT.spec.items() if option.get("no_log") and given.get(name)
        }
        validated = validator.validate(given)
        if validated.error_messages:
            return t.cast(Json, remove_values({"failed": True, "msg": "; ".join(validated.error_messages)}, secrets))
        params = validated.validated_parameters
        try:
            outcome = self.CONTRACT.fulfil(params, check_mode=bool(self._task.check_mode))
        except LockdownError as error:
            outcome = {"failed": True, "msg": str(error), "failure": error.as_result()}
        for warning in outcome.pop("warnings", []):
            self._display.warning(str(remove_values(warning, secrets)))
        return t.cast(Json, remove_values({**outcome, "invocation": {"module_args": params}}, secrets))


def _plain(value: t.Any) -> t.Any:
    """The value in the types that a module would get from JSON: no template wrappers, no tags."""
    if isinstance(value, t.Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value
