# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every form of the report, by the name of its file."""

from __future__ import annotations

from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence import machine, page, picture, texts
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.plain import Json
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.view import Report


def files(pack: Json, before: Json | None = None) -> dict[str, str]:
    """The same pack gives the same bytes.

    :arg before: the facts of the pack before, to show what has changed.
    """
    report = Report(pack, before)
    return {
        "report.html": page.render(report),
        "report.md": texts.as_markdown(report),
        "flows.svg": picture.standalone(report.drawing()),
        "matrix.csv": texts.as_csv(report),
        "junit.xml": machine.as_junit(report),
        "report.sarif": machine.as_sarif(report),
    }
