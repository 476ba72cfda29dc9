# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a live object says what we want, and whether we are the ones who say it.

managedFields tells which fields we applied, which lists go by key, and which values are one piece. So a live
object is compared without a schema, and without asking the API server to try a write.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import ownership
from ansible_collections.netguard.lockdown.plugins.module_utils._core.objects.kinds import SECRET, Json, Object
from ansible_collections.netguard.lockdown.plugins.module_utils._core.quantity import amount

Fields = t.Mapping[str, t.Any]

# What the API server fills into values that are one piece to server-side apply.
_FILLED_IN: tuple[tuple[str, t.Any], ...] = (
    ("apiVersion", "v1"),
    ("apiGroup", "rbac.authorization.k8s.io"),
    ("defaultMode", 420),
    ("divisor", "0"),
    ("expirationSeconds", 3600),
    ("kind", "PersistentVolumeClaim"),
    ("protocol", "TCP"),
    ("status", {"phase": "Pending"}),
    ("volumeMode", "Filesystem"),
)
_QUANTITY_FIELDS = re.compile(r"^spec\b.*\b(limits|requests|sizeLimit|divisor)\b")
_IDENTITY = ("apiVersion", "kind")
_HIDDEN_BEFORE, _HIDDEN_AFTER = "not shown", "changed"


class Difference(t.NamedTuple):
    """A field that is to be written; `before` and `after` are None where it is absent.

    They may be equal: then the value is right, and not ours.
    """

    path: str
    before: t.Any
    after: t.Any

    def as_dict(self) -> Json:
        return self._asdict()


def differences(wanted: Object, live: Object | None) -> list[Difference]:
    """What applying `wanted` would change of `live`; empty where it stands and is ours."""
    before = _content(live) if live else {}
    fields = ownership.owned_fields(live) if live else None
    found = _walk(fields or None, _content(wanted), before, "")
    return [_hidden(each) if wanted["kind"] == SECRET else each for each in found]


def surplus(wanted: Object, stored: Object) -> list[Difference]:
    """The wanted fields that an answer of the API server holds differently: something changed them on the way."""
    found = _walk(ownership.owned_fields(stored), _content(wanted), _content(stored), "")
    return [each for each in found if not same(each.after, each.before, each.path)]


def disputed(wanted: Object, live: Object, fields: Fields) -> list[str]:
    """The paths among `fields` of another manager that hold something else than what we want."""
    return list(_disputed(fields, _content(wanted), _content(live), ""))


def equal_content(one: Object, other: Object) -> bool:
    """Whether two states of an object differ in nothing but the time and number of a write."""
    return _content(one) == _content(other) and ownership.owned_fields(one) == ownership.owned_fields(other)


def _content(obj: Object) -> Json:
    metadata = obj.get("metadata") or {}
    kept = {key: value for key, value in obj.items() if key not in (*_IDENTITY, "metadata", "status")}
    return {"metadata": {key: metadata[key] for key in ("labels", "annotations") if key in metadata}, **kept}


def _walk(fields: Fields | None, wanted: t.Any, live: t.Any, path: str) -> t.Iterator[Difference]:
    """Compare along what we own; `fields` is None where we own nothing yet."""
    children = {name: node for name, node in (fields or {}).items() if name != "."}
    by_name = all(name.startswith("f:") for name in children)
    if children and by_name and isinstance(wanted, t.Mapping):
        yield from _walk_mapping(children, wanted, live if isinstance(live, t.Mapping) else {}, path)
    elif children and not by_name and isinstance(wanted, list):
        yield from _walk_list(children, wanted, live if isinstance(live, list) else [], path)
    else:
        yield from _whole(fields, wanted, live, path)


def _walk_mapping(children: Fields, wanted: Object, live: Object, path: str) -> t.Iterator[Difference]:
    for key, value in wanted.items():
        yield from _walk(children.get(f"f:{key}"), value, live.get(key), _step(path, key))
    for name, node in children.items():
        if name[2:] not in wanted:
            yield from _given_up(node, live.get(name[2:]), _step(path, name[2:]))


def _given_up(fields: Fields, live: t.Any, path: str) -> t.Iterator[Difference]:
    """What we own and no longer want; parts that others added beside it stay."""
    parts = {name: node for name, node in fields.items() if name.startswith(("f:", "k:"))}
    if not parts or not isinstance(live, (t.Mapping, list)):
        yield from () if _is_empty(live) else (Difference(path, live, None),)
        return
    for name, node in parts.items():
        if name.startswith("k:"):
            yield Difference(f"{path}[{_words(name)}]", _member(name, t.cast("list[t.Any]", live)), None)
        else:
            held = t.cast("Object", live)
            yield from _given_up(node, held.get(name[2:]), _step(path, name[2:]))


def _walk_list(children: Fields, wanted: list[t.Any], live: list[t.Any], path: str) -> t.Iterator[Difference]:
    seen: list[t.Any] = []
    for name, node in children.items():
        mine, theirs = _member(name, wanted), _member(name, live)
        seen.append(mine)
        place = f"{path}[{_words(name)}]"
        if mine is None:
            yield Difference(place, theirs, None)
        elif name.startswith("v:"):
            yield from () if theirs == mine else (Difference(place, theirs, mine),)
        else:
            yield from _walk(node, mine, theirs, place)
    for item in wanted:
        if not any(item is one for one in seen):
            yield Difference(f"{path}[{_name_of(item)}]", None, item)


def _whole(fields: Fields | None, wanted: t.Any, live: t.Any, path: str) -> t.Iterator[Difference]:
    """Compare one piece; what is not ours yet is a difference even where the value is right."""
    if fields is not None:
        if not same(wanted, live, path):
            yield Difference(path, live, wanted)
    elif isinstance(wanted, t.Mapping) and wanted and isinstance(live, (t.Mapping, type(None))):
        for key, value in wanted.items():
            yield from _whole(None, value, (live or {}).get(key), _step(path, key))
    else:
        yield Difference(path, live, wanted)


def _disputed(fields: Fields, wanted: t.Any, live: t.Any, path: str) -> t.Iterator[str]:
    if not fields and not same(wanted, live, path):
        yield path
    for name, node in fields.items():
        if name.startswith("f:") and isinstance(wanted, t.Mapping) and name[2:] in wanted:
            held = live.get(name[2:]) if isinstance(live, t.Mapping) else None
            yield from _disputed(node, wanted[name[2:]], held, _step(path, name[2:]))
        elif name.startswith("k:") and isinstance(wanted, list):
            mine = _member(name, wanted)
            if mine is not None:
                held = _member(name, live) if isinstance(live, list) else None
                yield from _disputed(node, mine, held, f"{path}[{_words(name)}]")


def same(wanted: t.Any, live: t.Any, path: str = "") -> bool:
    """Whether the API server stores `wanted` as `live`: with defaults filled in, and without what is empty."""
    if _is_empty(wanted) and _is_empty(live):
        return True
    if isinstance(wanted, t.Mapping) and isinstance(live, t.Mapping):
        mine = all(same(value, live.get(key), _step(path, key)) for key, value in wanted.items())
        return mine and all(_is_filled_in(key, value) for key, value in live.items() if key not in wanted)
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(same(one, other, path) for one, other in zip(wanted, live, strict=True))
    if wanted == live and isinstance(wanted, bool) == isinstance(live, bool):
        return True
    return bool(_QUANTITY_FIELDS.match(path)) and amount(wanted) is not None and amount(wanted) == amount(live)


def _is_filled_in(key: str, value: t.Any) -> bool:
    return _is_empty(value) or (key, value) in _FILLED_IN


def _is_empty(value: t.Any) -> bool:
    """Whether the API server may leave the value out."""
    return value is None or value in (False, 0, "") or value in ([], {})


def _member(name: str, items: list[t.Any]) -> t.Any:
    """The item that managedFields names by its key or value; None if there is none."""
    key = json.loads(name[2:])
    if name.startswith("v:"):
        return key if key in items else None
    filled_in = dict(_FILLED_IN)
    for item in items:
        if isinstance(item, t.Mapping) and all(item.get(part, filled_in.get(part)) == key[part] for part in key):
            return item
    return None


def _words(name: str) -> str:
    key = json.loads(name[2:])
    return ",".join(f"{part}={value}" for part, value in key.items()) if isinstance(key, dict) else str(key)


def _name_of(item: t.Any) -> str:
    return f"name={item['name']}" if isinstance(item, t.Mapping) and "name" in item else "new"


def _step(path: str, key: str) -> str:
    if not path:
        return key
    return f"{path}[{key}]" if "." in key or "/" in key else f"{path}.{key}"


def _hidden(each: Difference) -> Difference:
    """The difference of a Secret, without its values."""
    if not each.path.startswith("data"):
        return each
    before = None if each.before is None else _HIDDEN_BEFORE
    return Difference(each.path, before, None if each.after is None else _HIDDEN_AFTER)
