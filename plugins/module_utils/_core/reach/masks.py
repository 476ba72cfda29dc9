# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of numbered things as the bits of one integer, and the selection of labelled things by selectors."""

from __future__ import annotations

import typing as t

from ansible_collections.netguard.lockdown.plugins.module_utils._core import selectors

Mask = int


def mask_of(numbers: t.Iterable[int], size: int) -> Mask:
    """The set of these numbers, all of them below the size."""
    cells = bytearray((size >> 3) + 1)
    for number in numbers:
        cells[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(cells, "little")


def full(size: int) -> Mask:
    return (1 << size) - 1


def members(mask: Mask) -> list[int]:
    """The numbers in the set, in order."""
    return [number for number, digit in enumerate(reversed(bin(mask))) if digit == "1"]


def selector_key(selector: selectors.Selector) -> tuple[t.Any, ...]:
    """Equal for selectors that say the same."""
    labels = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or []
    return (
        tuple(sorted(labels.items())),
        tuple((each["key"], each["operator"], tuple(each.get("values") or ())) for each in expressions),
    )


def label_keys(selector: selectors.Selector) -> t.Iterator[str]:
    """The labels that a selector asks about."""
    yield from selector.get("matchLabels") or {}
    yield from (each["key"] for each in selector.get("matchExpressions") or [])


class LabelIndex:
    """Selects among labelled things by set operations, one for each requirement instead of one for each thing."""

    def __init__(self, labelled: t.Sequence[selectors.Labels]) -> None:
        self._labelled = labelled
        self._size = len(labelled)
        self._by_key: dict[str, dict[str, Mask]] = {}
        self._with_key: dict[str, Mask] = {}
        self._selected: dict[tuple[t.Any, ...], Mask] = {}

    def select(self, selector: selectors.Selector) -> Mask:
        key = selector_key(selector)
        if key not in self._selected:
            self._selected[key] = self._select(selector)
        return self._selected[key]

    def _select(self, selector: selectors.Selector) -> Mask:
        mask = full(self._size)
        for key, value in (selector.get("matchLabels") or {}).items():
            mask &= self._values(key).get(value, 0)
        for each in selector.get("matchExpressions") or []:
            mask &= self._satisfying(each["key"], each["operator"], each.get("values") or ())
        return mask

    def _satisfying(self, key: str, operator: str, wanted: t.Sequence[str]) -> Mask:
        values = self._values(key)
        if operator in ("In", "NotIn"):
            mask = 0
            for value in wanted:
                mask |= values.get(value, 0)
        else:
            mask = self._with_key[key]
        return mask if operator in ("In", "Exists") else full(self._size) & ~mask

    def _values(self, key: str) -> dict[str, Mask]:
        if key not in self._by_key:
            found: dict[str, list[int]] = {}
            for number, labels in enumerate(self._labelled):
                value = labels.get(key)
                if value is not None:
                    found.setdefault(value, []).append(number)
            self._by_key[key] = {value: mask_of(numbers, self._size) for value, numbers in found.items()}
            self._with_key[key] = mask_of((n for numbers in found.values() for n in numbers), self._size)
        return self._by_key[key]
