# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m gate.files: every tracked file names its licence, and none names a machine or a package registry."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from gate.paths import ROOT
from gate.tree import tracked_files

HEAD = 600  # characters in which the licence must be named
LICENCE = "SPDX-License-Identifier: GPL-3.0-or-later"
NAMES = {
    "a path of one machine": re.compile(r"(?<![\w.\-])/(?:work|root|home|Users)/\w"),
    "a package registry's host": re.compile(
        r"pypi\.org|pythonhosted\.org|proxy\.golang\.org|sum\.golang\.org|repo1?\.maven|registry\.npmjs|deb\.debian\.org"
    ),
}


def main() -> int:
    """Print every finding and return the exit code."""
    findings = list(all_findings(ROOT))
    for finding in findings:
        print(finding)
    return 1 if findings else 0


def all_findings(root: Path) -> Iterator[str]:
    """Yield what is wrong with the tracked files of a checkout."""
    annotations = tomllib.loads((root / "REUSE.toml").read_text())["annotations"]
    exempt = [pattern for annotation in annotations for pattern in annotation["path"]]
    for path in tracked_files(root):
        text = (root / path).read_bytes().decode(errors="replace")
        if LICENCE not in text[:HEAD] and not any(_matches(path, pattern) for pattern in exempt):
            yield f"{path}: has no line '{LICENCE}' at its top (or no entry in REUSE.toml)"
        for number, line in enumerate(text.splitlines(), 1):
            for what, pattern in NAMES.items():
                if pattern.search(line):
                    yield f"{path}:{number}: names {what}"


def _matches(path: Path, pattern: str) -> bool:
    return path.match(pattern.removeprefix("**/")) if pattern.startswith("**/") else str(path) == pattern


if __name__ == "__main__":
    sys.exit(main())
