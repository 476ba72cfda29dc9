# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the role reads Ignite's own configuration, and from where: variables to arguments of ignite_config_info."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options

Given = t.Mapping[str, t.Any]

PREFIX = "ignite_lockdown_"
KINDS = ("StatefulSet", "Deployment", "DaemonSet")
PLACES = ("config_map", "secret", "path")
KEYS = (*PLACES, "key", "container")

_READ, _WORKLOAD, _CONFIG = (f"{PREFIX}{name}" for name in ("read_config", "workload", "config"))


def reads(given: Given) -> bool:
    """Whether to read; a word that is none is reported where the arguments are made."""
    word = given.get(_READ)
    asked = not options.is_unset(word) and not (isinstance(word, str) and word.strip().lower() in options.FALSE)
    return bool(asked and word) or not options.is_unset(given.get(_WORKLOAD)) or bool(given.get(_CONFIG))


def read_place(given: Given, *, offline: bool) -> dict[str, t.Any]:
    """What names the configuration; with nothing else, the workload is found by its pods' labels.

    :arg offline: whether no cluster may be asked.
    """
    if not options.is_unset(given.get(_READ)):
        options.flag(given[_READ], _READ)
    config = {} if options.is_unset(given.get(_CONFIG)) else options.mapping(given[_CONFIG], _CONFIG)
    options.reject_unknown(config, KEYS, _CONFIG)
    found = {
        name: options.text(value, f"{_CONFIG}.{name}") for name, value in config.items() if not options.is_unset(value)
    }
    places = [name for name in PLACES if name in found]
    if len(places) > 1:
        raise options.invalid(_CONFIG, f"{' and '.join(places)} exclude each other")
    if offline and (places != ["path"] or not options.is_unset(given.get(_WORKLOAD))):
        raise options.invalid(_CONFIG, "this entry point asks no cluster; give path, and no workload")
    if "key" in found and not {"config_map", "secret"} & set(places):
        raise options.invalid(f"{_CONFIG}.key", "it belongs to config_map or secret, and neither is given")
    return {**found, **({} if offline else _workload(given, with_place=bool(places)))}


def _workload(given: Given, *, with_place: bool) -> dict[str, t.Any]:
    word = given.get(_WORKLOAD)
    if not options.is_unset(word):
        kind, slash, name = options.text(word, _WORKLOAD).rpartition("/")
        kind = options.choice(kind, _WORKLOAD, KINDS) if slash else KINDS[0]
        return {"workload": options.object_name(name, _WORKLOAD), "workload_kind": kind}
    asked = not options.is_unset(given.get(_READ)) and options.flag(given[_READ], _READ)
    if with_place and not asked:
        return {}
    return {"pod_selector": given.get(f"{PREFIX}pod_selector")}
