# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of module policy_drift_info."""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._module import policy_drift_info
from ansible_collections.netguard.lockdown.plugins.plugin_utils._in_process import InProcessAction


class ActionModule(InProcessAction):
    CONTRACT = policy_drift_info.CONTRACT
