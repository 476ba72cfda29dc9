# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes that modules of this collection declare."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return the same result without changing anything.
  diff_mode:
    description: Returns what changed, or would change in check mode, when diff mode is on.
  idempotent:
    description: When run twice in a row on an unchanged cluster, the second run changes nothing.
  action:
    description: Has an action plugin, so that it can run on the controller.
    support: full
    details:
      - On the local connection, with the interpreter that runs Ansible, as the same user and without C(environment) or
        C(async), the work is done in Ansible's own process, which saves about half of the time. Otherwise it is executed
        as any module. The results are the same.
"""

    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module only reads.
  diff_mode:
    support: none
    details:
      - This module changes nothing that could differ.
  idempotent:
    support: full
    details:
      - This module only reads.
"""

    ACTIONGROUP_ALL = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/netguard.lockdown.all) in C(module_defaults) to set the connection options of all modules at once.
    support: full
    membership:
      - netguard.lockdown.all
"""
