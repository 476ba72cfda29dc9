# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the role's variables to typed arguments of the modules; what is not set is left out.

Left-out arguments keep what a play's module_defaults gave; an empty value would wipe it.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options
from ansible_collections.netguard.lockdown.plugins.module_utils._core.connection import ENVIRONMENT
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite import DEFAULT_PORTS, PREFIX, PROFILES
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config import wanted
from ansible_collections.netguard.lockdown.plugins.module_utils._core.verdict import ON_FAILURE

INSTANCE_LENGTH = 40

Given = t.Mapping[str, t.Any]
_Reader = t.Callable[[t.Any, str], t.Any]

_TIMEOUTS = ("connect_timeout", "request_timeout")
_LONGEST_WAIT = 86400  # seconds


def _seconds(value: t.Any, where: str) -> int:
    return options.integer(value, where, 0, _LONGEST_WAIT)


def _addresses(value: t.Any, where: str) -> list[t.Any]:
    """Addresses as texts or {address, port}; the module judges the addresses themselves."""
    if isinstance(value, str):
        return list(options.words(value, where))
    return [_address(item, f"{where}[{index}]") for index, item in enumerate(options.sequence(value, where))]


def _address(item: t.Any, where: str) -> t.Any:
    if isinstance(item, str):
        return options.text(item, where)
    fields = options.mapping(item, where)
    return {**fields, "port": options.port(fields["port"], f"{where}.port")} if "port" in fields else fields


def _revision(value: t.Any, where: str) -> str:
    """A word, or a number with or without quotes."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else options.text(value, where)


def _wants_dns(value: t.Any, where: str) -> bool:
    return options.choice(value, where, PROFILES) != "minimal"


def _on_failure(value: t.Any, where: str) -> str:
    return options.choice(value, where, ON_FAILURE)


def _count(value: t.Any, where: str) -> int:
    return options.integer(value, where, 1, 10_000)


def _discovery_port(value: t.Any, where: str) -> int:
    ports = options.mapping(value, where)
    return options.port(ports.get("discovery", DEFAULT_PORTS["discovery"]), f"{where}.discovery")


def _wait_seconds(value: t.Any, where: str) -> int:
    return options.integer(value, where, 1, _LONGEST_WAIT)


def _version(value: t.Any, where: str) -> str:
    return options.text(str(value), where)


_CLUSTER_UID = ("cluster_uid", "cluster_uid", options.text)
_UNISOLATED = ("accept_unisolated_pods", "accept_unisolated_pods", options.flag)
_LOCK_TIMEOUT = ("lock_timeout", "lock_timeout", _seconds)
_SERVER_DRY_RUN = ("server_dry_run", "server_dry_run", options.flag)

# Variable (without prefix), option of the module, reader.
_Table = tuple[tuple[str, str, _Reader], ...]
_RESOLVE: _Table = (
    _CLUSTER_UID,
    ("api_form", "form", options.text),
    ("accept_unenforced", "accept_unenforced", options.flag),
    ("extra_api_slices", "extra_api_slices", options.words),
    ("allowed_api_cidrs", "allowed_api_cidrs", options.words),
    ("api_server_addresses", "api_server_addresses", _addresses),
    ("grace_seconds", "grace_seconds", _seconds),
    ("profile", "resolve_dns", _wants_dns),
    ("dns", "dns", options.mapping),
    ("inspect_dns", "inspect_dns", options.flag),
)
_APPLY: _Table = (
    _CLUSTER_UID,
    _UNISOLATED,
    _LOCK_TIMEOUT,
    _SERVER_DRY_RUN,
    ("replace_policies", "replace_policies", options.words),
    ("expected_digest", "expected_digest", options.text),
    ("accept_uncovered_pods", "accept_uncovered_pods", options.flag),
    ("accept_foreign_policies", "accept_foreign_policies", options.words),
    ("accept_no_pods", "accept_no_pods", options.flag),
)
_FOREIGN = ("accept_foreign_policies", "accept_foreign_policies", options.words)
_REFRESH: _Table = (
    _CLUSTER_UID,
    _LOCK_TIMEOUT,
    _SERVER_DRY_RUN,
    _FOREIGN,
    ("accept_no_pods", "accept_no_pods", options.flag),
)
_DRIFT: _Table = (_CLUSTER_UID, _FOREIGN, ("replace_policies", "replace_policies", options.words))
_CANARY: _Table = (
    _CLUSTER_UID,
    ("pod_selector", "pod_selector", options.mapping),
    ("canary_namespace", "canary_namespace", options.dns_label),
    ("canary_start_timeout", "start_timeout", _seconds),
    ("canary_deadline", "deadline", _seconds),
    ("accept_unproven_canary", "accept_inconclusive", options.flag),
)
_ROLL_BACK: _Table = (
    _CLUSTER_UID,
    _UNISOLATED,
    _LOCK_TIMEOUT,
    _SERVER_DRY_RUN,
    ("rollback_revision", "revision", _revision),
    ("expected_digest", "expected_digest", options.text),
)
_REMOVE: _Table = (_CLUSTER_UID, _UNISOLATED, _LOCK_TIMEOUT, _SERVER_DRY_RUN)
# In profile minimal the DNS is what must not be reached, so it has to be known all the same.
_RESOLVE_ALL: _Table = tuple(row for row in _RESOLVE if row[1] != "resolve_dns")
_COMPARE: _Table = tuple(row for row in _APPLY if row[0] != "expected_digest")
_PROBE: _Table = (
    _CLUSTER_UID,
    ("control_pod", "control", options.mapping),
    ("probe_timeout", "timeout", _seconds),
    ("verify_deadline", "deadline", _seconds),
)
_OBJECTS: _Table = (
    _CLUSTER_UID,
    _SERVER_DRY_RUN,
    ("deploy_adopt", "adopt", options.words),
    ("deploy_wait", "wait", options.flag),
    ("deploy_wait_timeout", "wait_timeout", _wait_seconds),
)
_ORDER: _Table = (
    ("deploy_full_restart", "full_restart", options.flag),
    ("deploy_wait", "wait", options.flag),
)
_TOPOLOGY: _Table = (
    _CLUSTER_UID,
    ("pod_selector", "pod_selector", options.mapping),
    ("ports", "discovery_port", _discovery_port),
    ("expected_servers", "expected_servers", _count),
    ("verify_deadline", "deadline", _seconds),
)
_VERDICT: _Table = (
    ("on_failure", "on_failure", _on_failure),
    ("accept_surviving_sockets", "accept_surviving_sockets", options.flag),
)

_ANCHOR = ("evidence_anchor", "anchor", options.flag)
_DIRECTORY = ("evidence_dir", "directory", options.text)
_KEEP: _Table = (
    _CLUSTER_UID,
    _ANCHOR,
    _DIRECTORY,
    ("evidence_sign_key", "sign_key", options.text),
    ("evidence_signer", "signer", options.text),
    ("accept_evidence_gap", "accept_gap", options.text),
    ("accept_not_probed", "accept_not_probed", options.flag),
    ("accept_vanishing_evidence", "accept_vanishing", options.flag),
)
_VERIFY_EVIDENCE: _Table = (
    _CLUSTER_UID,
    _ANCHOR,
    _DIRECTORY,
    ("evidence_allowed_signers", "allowed_signers", options.text),
)

# Where the configuration stands is a step of its own.
_FIND_CONFIG: _Table = (("version", "ignite_version", _version),)
_READ_CONFIG: _Table = (_CLUSTER_UID, *_FIND_CONFIG)

# Entry point of the role -> plugin -> what it is given.
TABLES: dict[str, dict[str, _Table]] = {
    "main": {
        "ignite_config_info": _READ_CONFIG,
        "cluster_network_info": _RESOLVE,
        "enforcement_canary": _CANARY,
        "network_policies": _APPLY,
    },
    "verify": {
        "ignite_config_info": _READ_CONFIG,
        "cluster_network_info": _RESOLVE_ALL,
        "network_policies": _COMPARE,
        "flow_probe": _PROBE,
        "ignite_topology_info": _TOPOLOGY,
        "ignite_verdict": _VERDICT,
    },
    "refresh": {"ignite_config_info": _READ_CONFIG, "cluster_network_info": _RESOLVE, "network_policies": _REFRESH},
    "drift": {"ignite_config_info": _READ_CONFIG, "cluster_network_info": _RESOLVE, "policy_drift_info": _DRIFT},
    "fleet": {},
    "fleet_report": {},
    "render": {"ignite_config_info": _FIND_CONFIG},
    "deploy": {
        "cluster_network_info": _RESOLVE,
        "network_policies": _COMPARE,
        "kube_objects": _OBJECTS,
        "ignite_config_info": (_CLUSTER_UID,),
        "ignite_rollout": _ORDER,
        "flow_probe": _PROBE,
        "ignite_topology_info": _TOPOLOGY,
        "ignite_verdict": _VERDICT,
    },
    "rollback": {"network_policies": _ROLL_BACK},
    "remove": {"network_policies": _REMOVE},
    "audit": {"ignite_config_info": _READ_CONFIG, "cluster_network_info": _RESOLVE, "evidence_pack": _KEEP},
    "verify_evidence": {"evidence_info": _VERIFY_EVIDENCE},
}
ENTRY_POINTS = tuple(TABLES)
PLUGINS = tuple(dict.fromkeys(plugin for tables in TABLES.values() for plugin in tables))

# Entry points that grant a grace unless told otherwise; reading the memory is a request that main does not make.
REMEMBERING = ("verify", "refresh", "drift", "audit")
GRACE_SECONDS = 300

# What a fleet may do -> the entry point that does it.
FLEET = {"lockdown": "main", "refresh": "refresh", "drift": "drift"}

CANARY = ("never", "changes", "always")
FAIL_ON = {"never": (), "fail": ("fail",), "not_pass": ("fail", "inconclusive")}
_READERS = ("main", "verify", "refresh", "drift", "render", "audit")
_OFFLINE = ("render",)
_WITHOUT_INSTANCE = ("verify_evidence", "fleet_report")
_DIRECTORIES = {
    "render": f"{PREFIX}render_dir",
    "audit": f"{PREFIX}evidence_dir",
    "verify_evidence": f"{PREFIX}evidence_dir",
}


@dataclass
class Arguments:
    """What an entry point of the role passes to each plugin, and what is wrong with its variables."""

    namespace: str = ""
    instance: str = ""
    plugins: dict[str, dict[str, t.Any]] = field(default_factory=lambda: {plugin: {} for plugin in PLUGINS})
    probes: dict[str, t.Any] | None = None
    topology: dict[str, t.Any] | None = None
    canary_proof: dict[str, t.Any] | None = None
    fail_on: tuple[str, ...] = ()
    proves: bool = True
    create_namespace: bool = False
    fail_on_drift: bool = True
    fleet_action: str = ""
    canary: str = CANARY[0]
    reads: bool = False
    errors: list[LockdownError] = field(default_factory=list)

    def as_record(self) -> dict[str, t.Any]:
        return {
            "namespace": self.namespace,
            "instance": self.instance,
            **self.plugins,
            "probes": self.probes,
            "topology": self.topology,
            "canary_proof": self.canary_proof,
            "fail_on": list(self.fail_on),
            "proves": self.proves,
            "create_namespace": self.create_namespace,
            "fail_on_drift": self.fail_on_drift,
            "fleet_action": self.fleet_action,
            "canary": self.canary,
            "reads": self.reads,
            "errors": [str(error) for error in self.errors],
        }


def read_arguments(given: Given, known: t.Collection[str], entry_point: str) -> Arguments:
    """Typed arguments for one entry point.

    :arg given: the role's variables by their full names.
    :arg known: every variable that some entry point reads; any other is an error.
    """
    arguments = Arguments(errors=options.unknown_variables(given, known))
    if entry_point in REMEMBERING:
        arguments.plugins["cluster_network_info"]["grace_seconds"] = GRACE_SECONDS
    steps: tuple[t.Callable[[], None], ...] = (
        lambda: _name(arguments, given, entry_point),
        lambda: _instance(arguments, given, entry_point),
        lambda: _confirm(given, entry_point),
        lambda: _directory(given, entry_point),
        lambda: _canary(arguments, given, entry_point),
        *_audit_steps(arguments, given, entry_point),
        *_deploy_steps(arguments, given, entry_point),
        lambda: _config(arguments, given, entry_point),
        lambda: _drift(arguments, given, entry_point),
        lambda: _fleet(arguments, given, entry_point),
        *(
            _step(arguments.plugins[plugin], given, row)
            for plugin, table in TABLES[entry_point].items()
            for row in table
        ),
    )
    for step in steps:
        with options.collected(arguments.errors):
            step()
    return arguments


def read_connection(given: Given) -> dict[str, t.Any]:
    """Connection options that are set; their values hold secrets and are left to the module to judge."""
    names = (*ENVIRONMENT, *_TIMEOUTS)
    values = {name: given.get(f"{PREFIX}{name}") for name in names}
    return {name: value for name, value in values.items() if not options.is_unset(value) and value != []}


def _step(into: dict[str, t.Any], given: Given, row: tuple[str, str, _Reader]) -> t.Callable[[], None]:
    variable, option, reader = row

    def step() -> None:
        value = given.get(f"{PREFIX}{variable}")
        if not options.is_unset(value):
            into[option] = reader(value, f"{PREFIX}{variable}")

    return step


def _name(arguments: Arguments, given: Given, entry_point: str) -> None:
    if entry_point not in _WITHOUT_INSTANCE:
        arguments.namespace = options.dns_label(given.get(f"{PREFIX}namespace"), f"{PREFIX}namespace")


def _instance(arguments: Arguments, given: Given, entry_point: str) -> None:
    where = f"{PREFIX}instance"
    if entry_point not in _WITHOUT_INSTANCE:
        arguments.instance = options.dns_label(given.get(where), where, INSTANCE_LENGTH)


def _config(arguments: Arguments, given: Given, entry_point: str) -> None:
    arguments.reads = entry_point in _READERS and wanted.reads(given)
    if arguments.reads:
        place = wanted.read_place(given, offline=entry_point in _OFFLINE)
        arguments.plugins["ignite_config_info"].update(place)


def _confirm(given: Given, entry_point: str) -> None:
    variable = f"{PREFIX}remove_confirmed"
    word = given.get(variable)
    if entry_point == "remove" and (options.is_unset(word) or not options.flag(word, variable)):
        raise LockdownError(
            "remove_not_confirmed",
            "Refused to remove the policies",
            "without them the namespace's pods may talk to anything",
            f"Set {variable}: true if this is what you want",
        )


def _directory(given: Given, entry_point: str) -> None:
    variable = _DIRECTORIES.get(entry_point)
    if variable and options.is_unset(given.get(variable)):
        raise options.invalid(variable, "it is not set")


def _canary(arguments: Arguments, given: Given, entry_point: str) -> None:
    where = f"{PREFIX}canary"
    word = given.get(where)
    if entry_point == "main" and not options.is_unset(word):
        arguments.canary = options.choice(word, where, CANARY)


def _audit_steps(arguments: Arguments, given: Given, entry_point: str) -> tuple[t.Callable[[], None], ...]:
    if entry_point != "audit":
        return ()

    def probes() -> None:
        arguments.probes = _result(given, "probes")

    def topology() -> None:
        arguments.topology = _result(given, "topology")

    def canary_proof() -> None:
        arguments.canary_proof = _result(given, "canary_proof")

    def fail_on() -> None:
        where = f"{PREFIX}audit_fail_on"
        word = given.get(where)
        arguments.fail_on = FAIL_ON[options.choice("fail" if options.is_unset(word) else word, where, tuple(FAIL_ON))]

    return probes, topology, canary_proof, fail_on


def _deploy_steps(arguments: Arguments, given: Given, entry_point: str) -> tuple[t.Callable[[], None], ...]:
    if entry_point != "deploy":
        return ()

    def proves() -> None:
        arguments.proves = _flag(given, "deploy_verify", True) and _flag(given, "deploy_wait", True)

    def create_namespace() -> None:
        arguments.create_namespace = _flag(given, "deploy_create_namespace", False)

    return proves, create_namespace


def _drift(arguments: Arguments, given: Given, entry_point: str) -> None:
    if entry_point in ("drift", "fleet", "fleet_report"):
        arguments.fail_on_drift = _flag(given, "fail_on_drift", True)


def _fleet(arguments: Arguments, given: Given, entry_point: str) -> None:
    if entry_point == "fleet":
        variable = f"{PREFIX}fleet_action"
        arguments.fleet_action = FLEET[options.choice(given.get(variable), variable, tuple(FLEET))]


def _flag(given: Given, name: str, unset: bool) -> bool:
    word = given.get(f"{PREFIX}{name}")
    return unset if options.is_unset(word) else options.flag(word, f"{PREFIX}{name}")


def _result(given: Given, name: str) -> dict[str, t.Any] | None:
    """The result of a check that may not have been made."""
    where = f"{PREFIX}{name}"
    return None if options.is_unset(given.get(where)) else options.mapping(given[where], where)
