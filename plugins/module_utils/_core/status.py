# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run went on one cluster, as a record of bounded size for fact caches and job artifacts; and on all of them.

A record holds nothing that another host's record needs, so records of slices and of several jobs can be put together.
"""

from __future__ import annotations

import hashlib
import html
import re
import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import drift, options

Json = dict[str, t.Any]
Given = t.Mapping[str, t.Any]

OK, CHANGED, DRIFTED, FAILED = "ok", "changed", "drift", "failed"
OUTCOMES = (OK, CHANGED, DRIFTED, FAILED)
GOOD = (OK, CHANGED)

_LONGEST_TEXT = 600
_MOST_POLICIES = 10
_MOST_WRITERS = 3
# What XML 1.0 cannot hold in any form.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def artifact_name(record: Given) -> str:
    """A variable name of each instance's own: of two artifacts with one name, a controller keeps the last."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", record["host"]).strip("_").lower()[:40]
    return f"ignite_lockdown_status_{plain}_{hashlib.sha256('/'.join(_key(record)).encode()).hexdigest()[:8]}"


def _key(record: Given) -> tuple[str, str, str]:
    """Whose record it is. One host may stand for several instances."""
    return str(record["host"]), str(record.get("namespace") or ""), str(record.get("instance") or "")


def of_run(given: t.Any, *, host: str, entry_point: str) -> Json:
    """The status of a host from ignite_lockdown_result, or from the result of the task that failed."""
    result = options.mapping(given, "the result of the run")
    record: Json = {
        "host": host,
        "entry_point": entry_point,
        "namespace": str(result.get("namespace") or ""),
        "instance": str(result.get("instance") or ""),
        "cluster_uid": str((result.get("cluster") or {}).get("uid") or ""),
        "outcome": CHANGED if result.get("changed") else OK,
        "drift": None,
        "code": None,
        "message": "",
        "next_step": "",
        "policies": [],
        "more_policies": 0,
        "checked_at": None,
    }
    if result.get("failed"):
        return {**record, **_failure(result)}
    if result.get("drift"):
        return {**record, **_drift(options.mapping(result["drift"], "drift"))}
    return {**record, "message": _changes(result)}


def _failure(result: Given) -> Json:
    failure = result.get("failure") or {}
    told = f"{failure['what']}: {failure['why']}" if failure.get("what") else str(result.get("msg") or "it failed")
    return {
        "outcome": FAILED,
        "code": failure.get("code"),
        "message": _short(told),
        "next_step": _short(str(failure.get("next_step") or "")),
    }


def _drift(found: Given) -> Json:
    differing = [item for item in found["policies"] if item["class"] != drift.NO_DRIFT]
    told = [f"{item['kind']} {item['name']} is {item['class']}: {item['reason']}{_who(item)}" for item in differing]
    return {
        "outcome": DRIFTED if differing else OK,
        "drift": found["class"],
        "message": _short("; ".join(told) or "no drift"),
        "next_step": _NEXT.get(found["class"], "Look at the plan (lockdown in check mode), and run lockdown"),
        "policies": [_policy(item) for item in differing[:_MOST_POLICIES]],
        "more_policies": max(0, len(differing) - _MOST_POLICIES),
        "checked_at": found.get("checked_at"),
    }


_NEXT = {drift.NO_DRIFT: "", drift.TARGETS_MOVED: "Run refresh"}


def _policy(item: Given) -> Json:
    writers = [{key: writer[key] for key in ("manager", "time")} for writer in item["changed_by"][:_MOST_WRITERS]]
    return {
        **{key: item[key] for key in ("kind", "name", "class")},
        "reason": _short(item["reason"]),
        "changed_by": writers,
    }


def _who(item: Given) -> str:
    named = [f"{writer['manager']} at {writer['time']}" for writer in item["changed_by"][:_MOST_WRITERS]]
    return f" ({', '.join(named)})" if named else ""


def _changes(result: Given) -> str:
    done = [f"{change['action']} {change['name']}" for change in result.get("plan") or [] if change["action"] != "none"]
    return _short(", ".join(done) or "nothing to change")


def report(records: t.Iterable[t.Any], hosts: t.Iterable[str] = ()) -> Json:
    """All hosts together.

    :arg hosts: those that were asked; one without a record is a failure.
    """
    given = [_legible(record) for record in records if record]
    known = {_key(record): record for record in given}
    told = {host for host, _namespace, _instance in known}
    silent = [_silent(str(host)) for host in hosts if str(host) not in told]
    rows = sorted([*known.values(), *silent], key=_key)
    names = _names(rows)
    bad = [row for row in rows if row["outcome"] not in GOOD]
    return {
        "good": bool(rows) and not bad,
        "counts": {outcome: sum(row["outcome"] == outcome for row in rows) for outcome in OUTCOMES},
        "hosts": rows,
        "bad": list(dict.fromkeys(row["host"] for row in bad)),
        "text": _text(rows, names),
        "junit": _junit(rows, names),
        "message": _message(rows, bad, names),
    }


def _legible(record: t.Any) -> Json:
    """A record as this collection writes it. Whatever else a job before has left is a failure, and not passed over."""
    if isinstance(record, t.Mapping) and isinstance(record.get("host"), str):
        # An empty text may be null by the time that it has been an extra variable.
        texts = {name: record.get(name) or "" for name in ("entry_point", "message", "next_step")}
        if record.get("outcome") in OUTCOMES and all(isinstance(text, str) for text in texts.values()):
            return {"drift": None, "code": None, **record, **texts}
        return _unread(record["host"])
    return _unread("not known")


def _unread(host: str) -> Json:
    failed = {"failed": True, "msg": "its status cannot be read; it is not one that a run of this collection left"}
    return of_run(failed, host=host, entry_point="")


def _names(rows: t.Sequence[Json]) -> dict[tuple[str, str, str], str]:
    """What each row is called: its host, and the instance where the host has several."""
    hosts = [row["host"] for row in rows]
    return {
        _key(row): row["host"] if hosts.count(row["host"]) == 1 else f"{row['host']} {'/'.join(_key(row)[1:])}"
        for row in rows
    }


def _silent(host: str) -> Json:
    failed = {"failed": True, "msg": "it gave no status; its run has not come to an end, or did not start"}
    return of_run(failed, host=host, entry_point="")


def _message(rows: t.Sequence[Json], bad: t.Sequence[Json], names: t.Mapping[t.Any, str]) -> str:
    if not rows:
        return "No cluster gave a status: look at the jobs before, and let this one have their artifacts"
    lines = [f"{names[_key(row)]}: {row['outcome']}: {_sentence(row)}" for row in bad]
    return "\n".join([f"{len(rows) - len(bad)} of {len(rows)} clusters are as they should be", *lines])


def _sentence(row: Json) -> str:
    return f"{row['message']}. {row['next_step']}." if row["next_step"] else str(row["message"])


def _text(rows: t.Sequence[Json], names: t.Mapping[t.Any, str]) -> str:
    """A table for people, with as many columns as the text needs."""
    head = ("cluster", "outcome", "drift", "what")
    cells = [
        tuple(map(_plain, (names[_key(row)], row["outcome"], row["drift"] or "-", _sentence(row)))) for row in rows
    ]
    lines = [head, *cells]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return "".join("  ".join([*map(str.ljust, line, widths), line[3]]) + "\n" for line in lines)


def _junit(rows: t.Sequence[Json], names: t.Mapping[t.Any, str]) -> str:
    bad = sum(row["outcome"] not in GOOD for row in rows)
    cases = [_case(row, names[_key(row)]) for row in rows]
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<testsuite name="netguard.lockdown" tests="{len(rows)}" failures="{bad}">',
            *cases,
            "</testsuite>",
            "",
        ]
    )


def _case(row: Json, called: str) -> str:
    name = f"<testcase classname={_quoted(row['entry_point'] or 'fleet')} name={_quoted(called)}"
    if row["outcome"] in GOOD:
        return f"  {name}/>"
    kind = row["drift"] or row["code"] or row["outcome"]
    text = html.escape(_plain(_sentence(row)))
    return f"  {name}><failure type={_quoted(kind)}>{text}</failure></testcase>"


def _quoted(text: t.Any) -> str:
    return f'"{html.escape(_plain(str(text)))}"'


def _plain(text: str) -> str:
    """One line without control characters: messages quote what others wrote."""
    return " ".join(_NO_XML.sub(" ", text).split())


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
