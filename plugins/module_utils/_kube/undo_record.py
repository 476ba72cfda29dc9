# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The undo record's home: a key of ConfigMap netguard-lockdown-INSTANCE in the instance's namespace."""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._core import undo
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.instance_record import InstanceRecord
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session


class UndoRecord:
    """Reads and writes the history; a write meets the state that was read, or fails."""

    def __init__(self, session: Session, namespace: str, instance: str) -> None:
        self._record = InstanceRecord(session, namespace, instance)
        self.reference = self._record.reference

    def read(self) -> undo.History:
        return undo.load(self._record.read())

    def write(self, history: undo.History) -> None:
        self._record.write(undo.dump(history))
