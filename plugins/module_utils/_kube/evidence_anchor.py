# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The head of an instance's chain of evidence, kept in its cluster: a copy that the directory's owner cannot change."""

from __future__ import annotations

import json

from ansible_collections.netguard.lockdown.plugins.module_utils._core import undo
from ansible_collections.netguard.lockdown.plugins.module_utils._core.canonical import canonical_json
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.pack import Head
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.instance_record import InstanceRecord
from ansible_collections.netguard.lockdown.plugins.module_utils._kube.session import Session

_KEY = "evidence.json"


class EvidenceAnchor:
    """Reads and writes the head; a write meets the state that was read, or fails."""

    def __init__(self, session: Session, namespace: str, instance: str) -> None:
        self._record = InstanceRecord(session, namespace, instance)
        self._exists = False

    def read(self) -> Head | None:
        data = self._record.read()
        self._exists = data is not None
        text = (data or {}).get(_KEY)
        if text is None:
            return None
        try:
            record = json.loads(text)
        except ValueError:
            record = None
        return Head.read(record, f"{self._record.reference}, key {_KEY}")

    def write(self, head: Head) -> None:
        # Whoever makes the ConfigMap makes it complete: an undo record without revisions says that nothing was changed.
        history = {} if self._exists else undo.dump(undo.History())
        self._record.write({**history, _KEY: canonical_json(head.as_record())})
