# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the event source, as they come from a rulebook: typed, or an error that names the option.

What a rulebook leaves empty is not set. No message quotes the value of a connection option.
"""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.netguard.lockdown.plugins.module_utils._core import arguments, options, ownership
from ansible_collections.netguard.lockdown.plugins.module_utils._core.connection import ENVIRONMENT

Given = t.Mapping[str, t.Any]
_Reader = t.Callable[[t.Any, str], t.Any]

_LONGEST = 86400.0
# What ansible-rulebook itself adds.
_OF_THE_HOST = ("eda_feedback_queue",)


def _line(value: t.Any, where: str) -> str:
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        raise options.invalid(where, "it is not a text")
    return str(value)


def _path(value: t.Any, where: str) -> str:
    return str(Path(_line(value, where)).expanduser())


def _names(value: t.Any, where: str) -> list[str]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return options.words(value, where)


def _seconds(low: float) -> _Reader:
    def read(value: t.Any, where: str) -> float:
        try:
            number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
        except ValueError:
            number = math.nan
        if not low <= number <= _LONGEST:
            raise options.invalid(where, f"{value!r} is not a number of seconds between {low:g} and {_LONGEST:g}")
        return number

    return read


_PATHS = ("kubeconfig", "client_cert", "client_key", "ca_cert")
_CONNECTION: dict[str, _Reader] = {
    **{name: _path if name in _PATHS else _line for name in ENVIRONMENT},
    "validate_certs": options.flag,
    "impersonate_groups": _names,
    "connect_timeout": _seconds(0.1),
    "request_timeout": _seconds(0.1),
}
# What is resolved, and from what: as in a refresh.
_RESOLVE: dict[str, _Reader] = {
    **{option: reader for _variable, option, reader in arguments.TABLES["refresh"]["cluster_network_info"]},
    "resolve_dns": options.flag,
}
_OWN: dict[str, _Reader] = {
    "namespace": options.dns_label,
    "instance": options.dns_label,
    "initial": options.flag,
    "debounce_seconds": _seconds(0.0),
    "interval_seconds": _seconds(0.0),
    "resync_seconds": _seconds(5.0),
}
_READERS = {**_CONNECTION, **_RESOLVE, **_OWN}
_DEFAULTS: dict[str, t.Any] = {
    "connect_timeout": 3.0,
    "request_timeout": 6.0,
    "accept_unenforced": False,
    "resolve_dns": True,
    "inspect_dns": False,
    "grace_seconds": arguments.GRACE_SECONDS,
    "instance": "ignite",
    "initial": True,
    "debounce_seconds": 0.3,
    "interval_seconds": 5.0,
    "resync_seconds": 300.0,
}
NAMES = tuple(_READERS)


@dataclass(frozen=True)
class WatchOptions:
    """`params` are those of module cluster_network_info, with the connection's."""

    namespace: str
    instance: str
    params: Given
    grace_seconds: int
    initial: bool
    debounce_seconds: float
    interval_seconds: float
    resync_seconds: float

    @classmethod
    def from_args(cls, given: Given) -> WatchOptions:
        args = {name: value for name, value in given.items() if name not in _OF_THE_HOST}
        options.reject_unknown(args, _READERS, "the event source's arguments")
        known = {name: value for name, value in args.items() if not options.is_unset(value) and value not in ([], {})}
        values = {**_DEFAULTS, **{name: _READERS[name](value, name) for name, value in known.items()}}
        namespace = options.dns_label(values.get("namespace"), "namespace")
        ownership.require_instance_name(values["instance"])
        return cls(
            namespace=namespace,
            # The memory of policies is left out: what has vanished is news, however long it is kept.
            params={**{name: values.get(name) for name in (*_CONNECTION, *_RESOLVE)}, "grace_seconds": 0},
            **{name: values[name] for name in cls.__dataclass_fields__ if name not in ("namespace", "params")},
        )
