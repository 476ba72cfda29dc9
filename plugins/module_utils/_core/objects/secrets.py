# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Secrets hold, on its way to the module: as one text that no log shows."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options
from ansible_collections.netguard.lockdown.plugins.module_utils._core.objects.kinds import SECRET, Json

_FIELDS = ("data", "stringData")


def conceal(arguments: Json) -> Json:
    """The arguments with what Secrets hold moved from `definitions` to `secret_data`.

    Ansible logs the arguments of a module and shows them in its result. An option that is never logged may not be a
    list: Ansible would blot out every name and kind in it wherever else they occur.
    """
    given = arguments.get("definitions")
    if not isinstance(given, list) or arguments.get("secret_data"):
        return arguments
    held = {str(index): _part(item, inside=True) for index, item in enumerate(given) if _is_secret(item)}
    if not any(held.values()):
        return arguments
    stubs = [_part(item, inside=False) if _is_secret(item) else item for item in given]
    # A value that JSON has no form for becomes a text: without it, the failure would be one of this very function.
    return {**arguments, "definitions": stubs, "secret_data": json.dumps(held, default=str)}


def reveal(definitions: t.Sequence[t.Any], text: str | None) -> list[t.Any]:
    """The definitions with what was moved back in its place."""
    held = _parsed(text) if text else {}
    known = {str(index) for index, item in enumerate(definitions) if _is_secret(item)}
    if set(held) - known:
        raise options.invalid("secret_data", "it names definitions that are no Secret")
    return [{**item, **held[str(index)]} if str(index) in held else item for index, item in enumerate(definitions)]


def _parsed(text: str) -> Json:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if isinstance(found, dict) and all(isinstance(item, dict) for item in found.values()):
        return found
    raise options.invalid("secret_data", "it is no mapping of mappings in JSON")


def _is_secret(item: t.Any) -> bool:
    return isinstance(item, Mapping) and item.get("kind") == SECRET


def _part(item: Json, *, inside: bool) -> Json:
    return {key: value for key, value in item.items() if (key in _FIELDS) == inside}
