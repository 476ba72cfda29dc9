# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of module reachability_info: answers to single questions, and the matrix."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import ports
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.evaluate import Answer, Evaluator
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.masks import Mask, mask_of, members
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.matrix import Matrix, PlaceClass, matrix
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.reading import Reading
from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach.universe import PODS

Json = dict[str, t.Any]

_UNTOLD = "some objects could not be read, see problems"


def reachability(
    reading: Reading, queries: t.Sequence[t.Any], *, with_matrix: bool, namespaces: t.Sequence[str]
) -> Json:
    """Answers in the order of the queries.

    :arg namespaces: of which the matrix has the pods at one end at least; all where none is named.
    """
    unsound = reading.unsound()
    evaluator = Evaluator(reading.world, reading.profile)
    return {
        "answers": [
            _answer(evaluator, query, f"queries[{index}]", unsound=bool(unsound))
            for index, query in enumerate(options.entries(queries, "queries"))
        ],
        "matrix": _matrix(matrix(reading.world, reading.profile), set(namespaces)) if with_matrix else None,
        "problems": [str(error) for error in reading.world.problems] + reading.unread,
        "ignored": dict(sorted(reading.world.ignored.items())),
        "ended_pods": reading.world.ended,
        "sources": reading.sources,
    }


def _answer(evaluator: Evaluator, query: Json, where: str, *, unsound: bool) -> Json:
    options.reject_unknown(query, ("from", "to", "protocol", "port"), where)
    source, destination = (options.text(query.get(key), f"{where}.{key}") for key in ("from", "to"))
    protocol = options.choice(query.get("protocol") or "TCP", f"{where}.protocol", options.PROTOCOLS)
    port = options.port(query.get("port"), f"{where}.port")
    answer = evaluator.ask(source, destination, protocol, port)
    if unsound:
        answer = Answer(None, answer.egress, answer.ingress, _UNTOLD)
    asked = {"from": source, "to": destination, "protocol": protocol, "port": port}
    return {**asked, **answer.as_record(), "because": answer.because or _because(answer)}


def _because(answer: Answer) -> str:
    """The side that decides, in one sentence."""
    for side in (answer.egress, answer.ingress):
        if side.allowed is answer.allowed and answer.allowed is not True:
            return side.because
    return f"{answer.egress.because}; {answer.ingress.because}"


def _matrix(found: Matrix, namespaces: set[str]) -> Json:
    shown = mask_of((each.id for each in found.classes if _is_shown(each, namespaces)), len(found.classes))
    cells = [cell for source in found.classes for cell in _cells(found, source.id, shown)]
    used = {cell["from"] for cell in cells} | {number for cell in cells for number in cell["to"]}
    classes = [
        {"id": each.id, "kind": each.kind, "members": each.members()}
        for each in found.classes
        if each.id in used or shown >> each.id & 1
    ]
    return {"classes": classes, "cells": cells}


def _cells(found: Matrix, source: int, shown: Mask) -> t.Iterator[Json]:
    """What one class can open: destinations with the same ports together."""
    row = found.row(source)
    limit = -1 if shown >> source & 1 else shown
    told = [
        (members(mask & limit & ~row.unknown & some), granted, allowed)
        for mask, granted in row.pieces
        for some, allowed in ((~row.doubtful, True), (row.doubtful, None))
    ]
    for destinations, granted, allowed in [*told, (members(row.unknown & limit), ports.NONE, None)]:
        if destinations:
            yield {"from": source, "to": destinations, "allowed": allowed, "ports": ports.as_records(granted)}


def _is_shown(each: PlaceClass, namespaces: set[str]) -> bool:
    if not namespaces:
        return True
    return each.kind == PODS and any(pod.namespace in namespaces for group in each.groups for pod in group.pods)
