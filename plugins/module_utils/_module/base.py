# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module of this collection does: one way in, one way to fail."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._module.contract import Contract


def run(module: AnsibleModule, contract: Contract) -> t.NoReturn:
    """Do the work, and end the module with its result or a structured failure."""
    try:
        result = contract.fulfil(module.params, check_mode=module.check_mode)
    except LockdownError as error:
        raise module.fail_json(msg=str(error), failure=error.as_result()) from error
    for warning in result.pop("warnings", []):
        module.warn(warning)
    raise module.exit_json(**result)
