# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a workload's pod template says about the Ignite that runs in it."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError, ObjectRef
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.spring import Unknown
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.versions import Image
from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, metadata

Setting = t.Union[str, Unknown, None]  # noqa: UP007

_TELLING = ("CONFIG_URI", "OPTION_LIBS")
# Where the JVM takes options from, the later ones winning. The image's start script splits JVM_OPTS at blanks and gives
# them on the command line.
_COMMAND_LINE = "JVM_OPTS"
JVM_VARIABLES = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "JVM_OPTS", "_JAVA_OPTIONS")
_REFERENCE = re.compile(r"\$(\$|\(([A-Za-z_][\w.-]*)\))")
# Options that take further ones from a file.
_FILES = ("@", "-XX:VMOptionsFile=")


@dataclass(frozen=True)
class Workload:
    """The Ignite container of a StatefulSet, Deployment or DaemonSet, and its pod.

    :arg is_current: whether no pod of an earlier template runs any more, as far as its controller says.
    """

    ref: ObjectRef
    pod: Raw
    container: Raw
    is_current: bool = True

    @classmethod
    def of(cls, raw: Raw, container: str = "") -> Workload:
        """:arg container: its name; found by what it looks like if left out."""
        meta = metadata(raw)
        ref = ObjectRef(str(raw.get("kind", "")), meta.get("name", ""), meta.get("namespace", ""))
        pod = raw["spec"]["template"]["spec"]
        return cls(ref, pod, _choose(pod["containers"], container, ref), _is_current(raw.get("status") or {}))

    @property
    def where(self) -> str:
        return f"{self.ref}, container {self.container['name']}"

    def as_dict(self) -> dict[str, str]:
        return {
            **self.ref.as_dict(),
            "container": str(self.container["name"]),
            "image": str(self.container.get("image", "")),
        }

    @property
    def image(self) -> Image:
        return Image.of(self.container.get("image", ""))

    @property
    def replaces_start(self) -> bool:
        """Whether the image's start script, which reads the environment, may not run."""
        return bool(self.container.get("command") or self.container.get("args"))

    @property
    def words(self) -> list[str]:
        """The command and its arguments, a shell's script as its words."""
        given = [*(self.container.get("command") or []), *(self.container.get("args") or [])]
        return [word.strip("\"';&") for text in given for word in text.split()]

    @property
    def environment(self) -> dict[str, str | Unknown]:
        """The variables that the template names; those that it takes from elsewhere are unknown."""
        found: dict[str, str | Unknown] = {}
        for entry in self.container.get("env") or []:
            value = _expanded(entry.get("value") or "", found, more=bool(self.container.get("envFrom")))
            found[entry["name"]] = Unknown("its value is taken from another object") if "valueFrom" in entry else value
        return found

    def variable(self, name: str) -> Setting:
        """A variable of the environment, None where it is not set."""
        value = self.environment.get(name)
        if value is None and self.container.get("envFrom"):
            return Unknown("it may be set by envFrom")
        return value

    @property
    def options(self) -> dict[str, str]:
        """JVM options that can be read, by what holds them."""
        found = {**{name: self.variable(name) for name in JVM_VARIABLES}, "the command": " ".join(self.words)}
        return {name: value for name, value in found.items() if isinstance(value, str)}

    def system_property(self, name: str) -> Setting:
        """A system property of the JVM, None where it is not set."""
        for variable in reversed(JVM_VARIABLES):
            value = self.variable(variable)
            if isinstance(value, Unknown):
                return Unknown(f"environment variable {variable} cannot be read: {value.why}")
            given = _given(name, (value or "").split(), f"environment variable {variable}")
            if variable == _COMMAND_LINE:
                given = _either(given, _given(name, self.words, "the command"))
            if given is not None:
                return given
        return None

    def ignite_setting(self, name: str) -> Setting:
        """One of Ignite's settings, which are system properties first and variables of the environment then."""
        given = self.system_property(name)
        return self.variable(name) if given is None else given

    @property
    def libraries(self) -> tuple[str, ...] | Unknown:
        """The optional libraries that the start script adds."""
        value = self.variable("OPTION_LIBS")
        return value if isinstance(value, Unknown) else tuple(filter(None, "".join((value or "").split()).split(",")))

    @property
    def external_libraries(self) -> Setting:
        return self.variable("EXTERNAL_LIBS")

    def refuses_names_at_once(self) -> bool:
        """Whether the pods' only resolvers are loopback addresses, where nothing listens, so that no name waits."""
        servers = (self.pod.get("dnsConfig") or {}).get("nameservers") or []
        own = self.pod.get("dnsPolicy") == "None"
        return own and bool(servers) and all(ipaddress.ip_address(each).is_loopback for each in servers)

    def has_hosts_file(self) -> bool:
        """Whether Java resolves names from a file alone."""
        value = self.system_property("jdk.net.hosts.file")
        return isinstance(value, str) and bool(value)


def _is_current(status: Raw) -> bool:
    """By the counts of StatefulSets and Deployments, or of DaemonSets; a count of 0 is left out."""
    pods = status.get("replicas") or status.get("desiredNumberScheduled") or 0
    return (status.get("updatedReplicas") or status.get("updatedNumberScheduled") or 0) >= pods


def _choose(containers: t.Sequence[Raw], name: str, ref: ObjectRef) -> Raw:
    chosen = [each for each in containers if each["name"] == name] if name else _likely(containers)
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(str(each["name"]) for each in containers)
    why = f"it has no container {name}" if name else "nothing tells which of its containers Ignite runs in"
    raise LockdownError(
        "unknown_container", f"Cannot read {ref}", f"{why}; there are {names}", "Name the container", obj=ref
    )


def _likely(containers: t.Sequence[Raw]) -> list[Raw]:
    if len(containers) == 1:
        return list(containers)
    told = [each for each in containers if any(one["name"] in _TELLING for one in each.get("env") or [])]
    return told or [each for each in containers if Image.of(each.get("image", "")).name.startswith("ignite")]


def _given(name: str, words: t.Sequence[str], where: str) -> Setting:
    """What a system property is set to, the last word counting; Ignite's start script takes -J in front of it.

    The variables of the java launcher take words in quotes.
    """
    for word in (each.strip("\"'") for each in reversed(words)):
        option, _equals, value = word.removeprefix("-J").partition("=")
        if option == f"-D{name}":
            return value
        if word.startswith(_FILES):
            return Unknown(f"{where} names a file with options")
    return None


def _either(one: Setting, other: Setting) -> Setting:
    """Of two places whose order is not known."""
    if one is None or other is None or one == other:
        return other if one is None else one
    return Unknown(f"the command and {_COMMAND_LINE} give it differently")


def _expanded(text: str, earlier: t.Mapping[str, str | Unknown], *, more: bool) -> str | Unknown:
    """The text with $(NAME) filled in, as the kubelet does, and $$ as one; a name that it does not know stays.

    :arg more: whether there are variables that are not known by name.
    """
    names = {match[2] for match in _REFERENCE.finditer(text) if match[2]}
    unread = sorted(name for name in names if isinstance(earlier.get(name), Unknown) or (more and name not in earlier))
    if unread:
        return Unknown(f"it holds $({unread[0]}), whose value is taken from another object")
    return _REFERENCE.sub(lambda match: str(earlier.get(match[2], match[0])) if match[2] else "$", text)
