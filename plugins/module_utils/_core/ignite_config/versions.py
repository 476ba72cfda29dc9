# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of Apache Ignite, as images name them, and what each can do."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options

_TEXT = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")
_TAG = re.compile(rf"{_TEXT.pattern}(?:[-_].*)?")
_JAVA = re.compile(r"(?:jdk|jre|java)-?(\d+)")
_OLD_JAVA = 8  # of the images up to 2.13 that do not say another


class Version(t.NamedTuple):
    major: int
    minor: int
    patch: int = 0

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


# The range of versions whose behaviour is known.
OLDEST, NEWEST = Version(2, 9), Version(2, 17, 99)
CONNECTION_CONFIGURATION = Version(2, 10)  # KubernetesConnectionConfiguration
REST_PROBE = Version(2, 10)  # REST command probe
ALL_ADDRESSES = Version(2, 11)  # the static finder takes every address of a name
FINDER_PORT = Version(2, 12)  # KubernetesConnectionConfiguration.discoveryPort
CONTROL_BY_THIN_CLIENT = Version(2, 17)  # control.sh talks to the thin client port, no longer to the connector
NO_PEER_NAMES = Version(2, 17)  # peers' names are no longer resolved


class Image(t.NamedTuple):
    """What a container image's reference says. `java` is 0 where it says nothing."""

    repository: str
    tag: str

    @classmethod
    def of(cls, reference: str) -> Image:
        path = reference.partition("@")[0]
        repository, colon, tag = path.rpartition(":")
        return cls(repository, tag) if colon and "/" not in tag else cls(path, "")

    @property
    def is_official(self) -> bool:
        """Whether it is Apache's image by name, whatever registry it comes from."""
        return self.repository == "apacheignite/ignite" or self.repository.endswith("/apacheignite/ignite")

    @property
    def name(self) -> str:
        return self.repository.rpartition("/")[2]

    @property
    def version(self) -> Version | None:
        """Ignite's version; tags of other products, as GridGain's, do not count in Ignite's versions."""
        match = _TAG.fullmatch(self.tag) if self.name.startswith("ignite") else None
        return _version(match) if match else None

    @property
    def java(self) -> int:
        """The least Java that the image can have."""
        found = _JAVA.search(self.tag)
        return int(found[1]) if found else _OLD_JAVA


def read_version(text: str, where: str) -> Version:
    match = _TEXT.fullmatch(text.strip())
    if not match:
        raise options.invalid(where, f"{text!r} is not a version such as 2.17.0")
    return _version(match)


def is_known(version: Version | None) -> bool:
    return version is not None and OLDEST <= version <= NEWEST


def _version(match: re.Match[str]) -> Version:
    return Version(int(match[1]), int(match[2]), int(match[3] or 0))
