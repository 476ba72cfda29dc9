# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading typed values where what is unknown becomes a finding and never a guess."""

from __future__ import annotations

import re
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.advice import (
    ERROR,
    NOTE,
    WARNING,
    Finding,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.spring import (
    Bean,
    Items,
    Unknown,
    Value,
)

__all__ = ["ERROR", "NOTE", "NUMBER", "WARNING", "Finding", "Part", "Reader"]

NUMBER = re.compile(r"-?[0-9]{1,9}")


@dataclass(frozen=True)
class Part:
    """A bean of the configuration: as it is set, Ignite's own (`bean` is None), switched off by null, or unknown."""

    bean: Bean | None = None
    is_null: bool = False
    is_known: bool = True

    @property
    def line(self) -> int:
        return self.bean.line if self.bean else 0


@dataclass
class Reader:
    """Reads properties of one document and notes what is wrong with them."""

    document: str
    findings: list[Finding] = field(default_factory=list)
    _listener: str = ""

    @contextmanager
    def about(self, listener: str) -> t.Iterator[None]:
        """What is noted within concerns the port of one listener."""
        before, self._listener = self._listener, listener
        try:
            yield
        finally:
            self._listener = before

    def where(self, line: int) -> str:
        return f"{self.document}, line {line}" if line else self.document

    def note(self, code: str, level: str, line: int, message: str, fix: str) -> None:
        finding = Finding(code, level, self.where(line), message, fix, self._listener)
        if finding not in self.findings:
            self.findings.append(finding)

    def part(self, holder: Part, name: str, level: str = ERROR) -> Part:
        """The bean that a property holds."""
        if holder.bean is None or not holder.bean.has(name):
            return self._inherited(holder, name, level)
        value = holder.bean.get(name)
        if isinstance(value, Bean):
            return Part(value)
        if value is None:
            return Part(is_null=True)
        return self._unknown_part(holder.bean, name, value, level)

    def _inherited(self, holder: Part, name: str, level: str) -> Part:
        """A property that is not set: Ignite's own, unless something unknown may set it."""
        value = holder.bean.get(name, "") if holder.bean else ""
        if holder.bean and isinstance(value, Unknown):
            return self._unknown_part(holder.bean, name, value, level)
        return Part(is_known=holder.is_known, is_null=holder.is_null)

    def _unknown_part(self, bean: Bean, name: str, value: Value, level: str) -> Part:
        self._unreadable(bean, name, value, "a bean", level)
        return Part(is_known=False)

    def number(self, holder: Part, name: str, default: int, level: str = ERROR) -> int | None:
        value = self._value(holder, name, str(default))
        if isinstance(value, str) and NUMBER.fullmatch(value):
            return int(value)
        self._nothing(holder, name, value, "a whole number", level)
        return None

    def flag(self, holder: Part, name: str, default: bool = False) -> bool | None:
        value = self._value(holder, name, str(default).lower())
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        self._nothing(holder, name, value, "true or false", WARNING)
        return None

    def text(self, holder: Part, name: str, default: str) -> str | None:
        value = self._value(holder, name, default)
        if isinstance(value, str):
            return value
        self._nothing(holder, name, value, "a text", ERROR)
        return None

    def is_set(self, holder: Part, name: str) -> bool | None:
        """Whether a property holds something, whatever that is."""
        value = self._value(holder, name, None)
        if isinstance(value, Unknown):
            self._nothing(holder, name, value, "known", WARNING)
            return None
        return value is not None

    def items(self, holder: Part, name: str) -> list[Value] | None:
        """A list's items, None where it is not known."""
        value = self._value(holder, name, "")
        if isinstance(value, Items):
            return value.values()
        if isinstance(value, str):
            return [value] if value else []
        self._nothing(holder, name, value, "a list", ERROR)
        return None

    def _value(self, holder: Part, name: str, default: Value) -> Value:
        if not holder.is_known:
            return Unknown("")
        return holder.bean.get(name, default) if holder.bean else default

    def _nothing(self, holder: Part, name: str, value: Value, wanted: str, level: str) -> None:
        if holder.bean and holder.is_known:
            self._unreadable(holder.bean, name, value, wanted, level)

    def _unreadable(self, bean: Bean, name: str, value: Value, wanted: str, level: str) -> None:
        """The value itself stays out of the message, for it may hold a secret."""
        what = f"{bean.class_name.rpartition('.')[2] or 'bean'}.{name}"
        if isinstance(value, Unknown):
            fix = f"Write {name} out in the configuration"
            self.note("unknown_value", level, value.line or bean.line, f"{what} is not known: {value.why}", fix)
        else:
            self.note("invalid_value", level, bean.line_of(name), f"{what} is not {wanted}", f"Correct {name}")
