# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the versions of Ignite and of Java in its image want to be told, when a configuration is made for them."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config import versions
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.versions import Image, Version

_SHUTDOWN_POLICY = Version(2, 10)
_IGNORES_HOST_NAME = Version(2, 14)  # until peers' names are no longer resolved at all
_PROBE_WITHOUT_LOGIN = Version(2, 14)
_NO_JAVA_8 = Version(2, 17)
_KNOWS_JAVA_17 = Version(2, 13)
_MODULES = 9  # the first Java with modules

# Packages of the JDK that Ignite looks into; Java 17 and newer keep them closed.
_OPENED = {
    "java.base": (
        "jdk.internal.access jdk.internal.misc sun.nio.ch sun.util.calendar sun.reflect.generics.reflectiveObjects "
        "java.io java.nio java.net java.util java.util.concurrent java.util.concurrent.locks "
        "java.util.concurrent.atomic java.lang java.lang.invoke java.math java.lang.reflect java.time java.text"
    ),
    "java.management": "com.sun.jmx.mbeanserver sun.management",
    "jdk.internal.jvmstat": "sun.jvmstat.monitor",
    "jdk.management": "com.sun.management.internal",
    "java.sql": "java.sql",
    "java.desktop": "java.awt.font",
}


def java_options(version: Version, image: Image) -> t.Iterator[str]:
    """Options without which this Ignite does not start on the Java of its image."""
    if version < _NO_JAVA_8 and image.java < _MODULES:
        # Java 8 knows no modules, and an image that does not tell its Java may have it.
        yield "-XX:+IgnoreUnrecognizedVMOptions"
    for module, packages in _OPENED.items():
        yield from (f"--add-opens={module}/{package}=ALL-UNNAMED" for package in packages.split())


def persistence_options(version: Version) -> t.Iterator[str]:
    """Before Java 17 was supported, Ignite could not unmap the files of its log there."""
    if version < _KNOWS_JAVA_17:
        yield "-DIGNITE_WAL_MMAP=false"


def ignores_host_name(version: Version) -> bool:
    """Whether a server can be told not to ask for its own name."""
    return _IGNORES_HOST_NAME <= version < versions.NO_PEER_NAMES


def probe_path(version: Version) -> str:
    """What is asked of REST: requests hang until the node has joined; then probe is refused until it has started."""
    return f"/ignite?cmd={'probe' if version >= versions.REST_PROBE else 'version'}"


def hands_over(version: Version) -> bool:
    """Whether a server can wait, when it is stopped, until others have a copy of all that it holds."""
    return version >= _SHUTDOWN_POLICY


def probe_is_blunt(version: Version, authentication: bool) -> bool:
    """Whether a node that has joined and not yet started gives an answer that the kubelet takes for a good one.

    Command version always does; command probe, where it wants a login, and is refused with status 200.
    """
    return version < versions.REST_PROBE or (authentication and version < _PROBE_WITHOUT_LOGIN)
