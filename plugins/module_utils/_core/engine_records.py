# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of policy engines and of the cluster that runs one."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core.source import Raw, Source, metadata

ENDPOINTS, SERVICE, BOTH, ENTITY, AUTO = "endpoints", "service", "both", "entity", "auto"
# How sure a detection is: an agent was seen to be installed, only its API is served, nothing was seen.
CERTAIN, LIKELY, NONE = "certain", "likely", "none"

_RELEASE = re.compile(r"^v?(\d+)\.(\d+)")


@dataclass(frozen=True)
class Surroundings:
    """What the API server holds that may give an engine away. `apis` are GROUP/VERSION."""

    apis: frozenset[str] = frozenset()
    daemon_sets: tuple[Raw, ...] = ()
    nodes: tuple[Raw, ...] = ()

    @property
    def groups(self) -> frozenset[str]:
        return frozenset(api.partition("/")[0] for api in self.apis)


@dataclass(frozen=True)
class Agent:
    """The DaemonSet of an engine."""

    raw: Raw

    @property
    def source(self) -> Source:
        return Source.of(self.raw)

    def container(self, name: str) -> Raw | None:
        return next((each for each in self._containers() if each.get("name") == name), None)

    def arguments(self, container: str = "") -> list[str]:
        """Command and arguments of one container, or of all."""
        chosen = [each for each in self._containers() if container in ("", each.get("name"))]
        return [str(word) for each in chosen for key in ("command", "args") for word in each.get(key) or []]

    def variable(self, name: str) -> str:
        """The value of an environment variable of any container; empty where none has it."""
        values = [
            str(entry.get("value") or "")
            for each in self._containers()
            for entry in each.get("env") or []
            if entry.get("name") == name
        ]
        return values[0] if values else ""

    def version(self, container: str) -> str:
        """The tag of a container's image, of the first one if that container is not there."""
        chosen = self.container(container) or next(iter(self._containers()), {})
        image = str(chosen.get("image") or "").partition("@")[0].rpartition("/")[2]
        return image.partition(":")[2]

    def _containers(self) -> list[Raw]:
        spec = ((self.raw.get("spec") or {}).get("template") or {}).get("spec") or {}
        return list(spec.get("containers") or [])


@dataclass(frozen=True)
class Reading:
    """What an entry of the table may look at to tell how its engine behaves here."""

    agent: Agent | None
    nodes: tuple[Raw, ...]
    version: str
    settings: t.Mapping[str, str]

    @property
    def release(self) -> tuple[int, int] | None:
        """Major and minor version; None where the version does not tell."""
        match = _RELEASE.match(self.version)
        return (int(match[1]), int(match[2])) if match else None


@dataclass(frozen=True)
class Behaviour:
    """How an engine judges. None is "cannot be told".

    :arg enforces: whether policies have an effect at all.
    :arg after_translation: whether a connection is judged on the address that a Service's was translated to.
    :arg cidr_matches_nodes: whether an ipBlock matches addresses of Nodes.
    :arg cidr_matches_pods: whether an ipBlock matches addresses of pods.
    :arg entity: whether a rule can name the API server itself; `additive` if that rule can be kept from isolating.
    :arg next_step: what makes policies enforced, or an address of a Node expressible.
    """

    enforces: bool | None = True
    after_translation: bool | None = True
    cidr_matches_nodes: bool | None = True
    cidr_matches_pods: bool | None = True
    entity: bool = False
    additive: bool = False
    limits: tuple[str, ...] = ()
    next_step: str = ""


@dataclass(frozen=True)
class Engine:
    """One entry of the table: what gives an engine away, and how it judges.

    :arg agents: names of DaemonSets that only it has.
    :arg namespaces: where those are believed; anyone can give a DaemonSet of their own such a name.
    :arg group: the API group that only its CRDs serve.
    :arg node_label: a label `key` or `key=value` of its nodes, for an engine without a DaemonSet.
    :arg kubelet: a part of the kubelet's version, for an engine that is built into a distribution.
    :arg container: the container whose image tag is the version; by default the first.
    :arg settings_from: namespace and name of the ConfigMap that holds its settings.
    :arg settings: the keys of that ConfigMap that are reported.
    """

    name: str
    read: t.Callable[[Reading], Behaviour]
    agents: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ("kube-system",)
    group: str = ""
    node_label: str = ""
    kubelet: str = ""
    container: str = ""
    settings_from: tuple[str, str] | None = None
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """An engine that shows itself, with what gave it away."""

    engine: Engine
    confidence: str
    evidence: tuple[str, ...]
    behaviour: Behaviour
    version: str = ""
    settings: t.Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True)
class Detected:
    """The engines of a cluster; nearly always one. Where several enforce, a connection must pass each of them."""

    found: tuple[Found, ...] = ()
    policy_apis: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.found[0].engine.name if self.found else "unknown"

    @property
    def enforces(self) -> bool | None:
        """True if one engine does, False if all are known not to."""
        words = {each.behaviour.enforces for each in self.found}
        return True if True in words else False if words == {False} else None

    @property
    def sources(self) -> tuple[Source, ...]:
        return tuple(source for each in self.found for source in each.sources)

    @property
    def warnings(self) -> tuple[str, ...]:
        if len(self.found) < 2:
            return ()
        names = " and ".join(each.engine.name for each in self.found)
        return (f"{names} are installed side by side: a connection has to be permitted by each that enforces policies",)

    def as_dict(self) -> dict[str, t.Any]:
        first = self.found[0] if self.found else None
        behaviour = first.behaviour if first else Behaviour(None, None, None, None)
        return {
            "name": self.name,
            "version": first.version if first else "",
            "confidence": first.confidence if first else NONE,
            "enforces": self.enforces,
            "judges": _judges(behaviour.after_translation),
            "cidr_matches_nodes": behaviour.cidr_matches_nodes,
            "cidr_matches_pods": behaviour.cidr_matches_pods,
            "limits": list(dict.fromkeys(text for each in self.found for text in each.behaviour.limits)),
            "settings": {key: text for key, text in first.settings.items() if key in first.engine.settings}
            if first
            else {},
            "also": [each.engine.name for each in self.found[1:]],
            "policy_apis": list(self.policy_apis),
            "evidence": [text for each in self.found for text in each.evidence],
        }


@dataclass(frozen=True)
class Situation:
    """What the form depends on besides the engine."""

    endpoints: frozenset[t.Any]
    node_addresses: frozenset[t.Any]

    @property
    def on_nodes(self) -> list[str]:
        return sorted(map(str, self.endpoints & self.node_addresses))


@dataclass(frozen=True)
class Verdict:
    """A form and why; without a form, why none is certain and what the user can do."""

    form: str | None
    reason: str
    next_step: str = ""


@dataclass(frozen=True)
class Form:
    """The form that was chosen for `requested`, with the reason and what the user should be warned of.

    `additive` tells that the entity's policy can be kept from isolating the pods that it selects.
    """

    name: str
    requested: str
    reason: str
    warnings: tuple[str, ...] = ()
    additive: bool = False

    @property
    def uses_endpoints(self) -> bool:
        return self.name in (ENDPOINTS, BOTH, ENTITY)

    @property
    def uses_service(self) -> bool:
        return self.name in (SERVICE, BOTH)

    @property
    def uses_entity(self) -> bool:
        return self.name == ENTITY


def is_idle(daemon_set: Raw) -> bool:
    """Whether a DaemonSet is known to want no pod on any node: what is left of it after a migration, or switched off.

    As long as no controller has looked at it, its counts say nothing.
    """
    status = daemon_set.get("status") or {}
    return bool(status.get("observedGeneration")) and status.get("desiredNumberScheduled") == 0


def node_sign(engine: Engine, nodes: t.Iterable[Raw]) -> str:
    """What a Node shows of an engine that is part of it; empty where no Node does."""
    key, _sign, value = engine.node_label.partition("=")
    for node in nodes:
        labels = metadata(node).get("labels") or {}
        if engine.node_label and key in labels and value in ("", labels[key]):
            return f"Node {metadata(node).get('name')} has label {key}={labels[key]}"
        version = str(((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion") or "")
        if engine.kubelet and engine.kubelet in version:
            return f"Node {metadata(node).get('name')} runs kubelet {version}"
    return ""


def _judges(after_translation: bool | None) -> str:
    if after_translation is None:
        return "unknown"
    return "after_translation" if after_translation else "before_translation"
