# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache Ignite's jars from Maven's repository; Maven verifies their checksums."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab.binaries import TOOLS, Report, cache_folder
from lab.errors import LabError

POM = TOOLS / "ignite" / "pom.xml"
VERSIONS = ("2.10.0", "2.17.0")
BASE = "ignite-spring"  # brings ignite-core
KUBERNETES, REST = "ignite-kubernetes", "ignite-rest-http"
OPTIONS = (KUBERNETES, REST)
# Started as single nodes only. Maven's repository has no ignite-kubernetes 2.9.1 and 2.11.1, none after 2.17.0, and no
# ignite-rest-http of 2.11.
OTHERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("2.9.0", "2.12.0", "2.13.0", "2.14.0", "2.15.0", "2.16.0"), OPTIONS),
    "2.11.0": (KUBERNETES,),
}
FETCH_SECONDS = 600


@dataclass(frozen=True)
class Parts:
    """The jars of one version: what always runs, and what OPTION_LIBS adds."""

    base: list[Path]
    options: dict[str, list[Path]]


def fetch(version: str, report: Report) -> Parts:
    """The jars from the cache, or fetched. The caller holds the lock of the images."""
    wanted = OTHERS.get(version, OPTIONS)
    folder = cache_folder() / f"ignite-{version}-{hashlib.sha256(POM.read_bytes()).hexdigest()[:16]}"
    if not folder.exists():
        report(f"Fetching Apache Ignite {version}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="ignite-", dir=folder.parent) as scratch:
            for part in (BASE, *wanted):
                _copy(version, part, Path(scratch) / "result" / part)
            (Path(scratch) / "result").replace(folder)
    base = sorted((folder / BASE).glob("*.jar"))
    names = {jar.name for jar in base}
    options = {part: [jar for jar in sorted((folder / part).glob("*.jar")) if jar.name not in names] for part in wanted}
    return Parts(base, options)


def _copy(version: str, part: str, folder: Path) -> None:
    maven = shutil.which("mvn") or "mvn"
    command = [
        maven,
        "--batch-mode",
        "--quiet",
        "--strict-checksums",
        f"--file={POM}",
        f"-Dignite.version={version}",
        f"-Dignite.part={part}",
        "-DincludeScope=runtime",
        f"-DoutputDirectory={folder}",
        "dependency:copy-dependencies",
    ]
    answer = subprocess.run(
        command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False, stdin=subprocess.DEVNULL
    )
    if answer.returncode != 0 or not any(folder.glob("*.jar")):
        raise LabError(
            f"Maven could not fetch {part} {version}",
            "\n".join((answer.stdout + answer.stderr).splitlines()[-15:]),
            "fix what the lines above name (often the network or Maven's settings.xml), then run this again",
        )
