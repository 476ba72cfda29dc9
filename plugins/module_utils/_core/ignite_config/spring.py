# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spring's beans, as far as a configuration says them itself: inheritance, references, p- and c-namespace.

Nothing is guessed: placeholders, SpEL, factories, imports and beans of other files are `Unknown`. Beans and lists are
looked into on demand only, so references that multiply cost nothing.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.elements import Element, parse

_SCHEMA = "http://www.springframework.org/schema/"
_P, _C = f"{_SCHEMA}p", f"{_SCHEMA}c"
_BEANS, _UTIL = ("", f"{_SCHEMA}beans"), f"{_SCHEMA}util"
_LISTS = ("list", "set", "array")
_REMARKS = ("description", "meta", "qualifier")
_CHANGERS = (
    "PropertyOverrideConfigurer",
    "property-override",
    "ConfigurationClassPostProcessor",
    "annotation-config",
    "component-scan",
)
_NOT_WIRED = ("", "no", "default")
_PLACEHOLDER = re.compile(r"\$\{([\w.\-]{1,80})")


@dataclass(frozen=True)
class Unknown:
    """A value that only the running Ignite knows. `why` never quotes it, for it may hold a secret."""

    why: str
    line: int = 0
    expression: str = ""


@dataclass(frozen=True)
class Bean:
    """A bean with what it inherits. `class_name` is empty where it is not said, as for what a factory makes.

    :arg wiring: how Spring sets by itself what is not set, empty if it does not.
    """

    class_name: str
    line: int
    properties: t.Mapping[str, Element]
    arguments: tuple[Element, ...]
    document: Document
    missing_parent: str = ""
    wiring: str = ""

    def has(self, name: str) -> bool:
        return any(given == name or given.startswith((f"{name}.", f"{name}[")) for given in self.properties)

    def get(self, name: str, default: Value = None) -> Value:
        """A property's value, `default` where it is not set, None where it is null."""
        nested = next((each for key, each in self.properties.items() if key.startswith((f"{name}.", f"{name}["))), None)
        if nested is not None:
            return Unknown("a nested property changes it", nested.line)
        if name in self.properties:
            return self.document.value(self.properties[name])
        why = self._sets_elsewhere(name)
        return Unknown(why, self.line) if why else default

    def _sets_elsewhere(self, name: str) -> str:
        """What may give a value to a property that is not set here."""
        if self.missing_parent:
            return f"its parent bean {self.missing_parent} is not in this file"
        if self.arguments:
            return "its bean is made from constructor arguments"
        if not self.class_name:
            return "its bean is made by a factory, or of a class that is not written out"
        if self.wiring and (self.wiring != "byName" or self.document.names(name)):
            return f"Spring may wire it to another bean (autowire {self.wiring})"
        return ""

    def line_of(self, name: str) -> int:
        return self.properties[name].line if name in self.properties else self.line

    def only_argument(self) -> Value:
        """The value of the one constructor argument; None without any."""
        if len(self.arguments) > 1:
            return Unknown("it has several constructor arguments", self.line)
        return self.document.value(self.arguments[0]) if self.arguments else None


@dataclass(frozen=True)
class Items:
    """A list, set or array; its items are read one level at a time."""

    elements: tuple[Element, ...]
    document: Document

    def values(self) -> list[Value]:
        return [self.document.nested(element) for element in self.elements]


Value = t.Union[str, Bean, Items, Unknown, None]  # noqa: UP007


@dataclass
class Document:
    """The beans of one file. `unread` names, with their lines, the parts of the file whose content stays unknown."""

    where: str
    root: Element
    top: list[Element] = field(default_factory=list)
    named: dict[str, Element] = field(default_factory=dict)
    imports: list[int] = field(default_factory=list)
    profiles: list[int] = field(default_factory=list)
    changers: list[int] = field(default_factory=list)
    _aliases: dict[str, str] = field(default_factory=dict)
    _wiring: str = ""
    _merges: bool = False

    @classmethod
    def read(cls, data: str | bytes, where: str) -> Document:
        root = parse(data, where)
        if root.name != "beans" or root.space not in _BEANS:
            raise _invalid(where, root.line, f"the root element is {root.name}, not Spring's beans")
        document = cls(where, root)
        document.include(root)
        return document

    def include(self, beans: Element) -> None:
        self._wiring = _wiring(beans.attributes.get("default-autowire")) or self._wiring
        self._merges = self._merges or beans.attributes.get("default-merge") == "true"
        for element in beans.children:
            if element.space in _BEANS and element.name == "beans":
                self._add_group(element)
            elif element.space in _BEANS and element.name == "import":
                self.imports.append(element.line)
            elif element.space in _BEANS and element.name == "alias":
                self._aliases[element.attributes.get("alias", "")] = element.attributes.get("name", "")
            else:
                if _changes_others(element):
                    self.changers.append(element.line)
                self._add_named(element)

    def _add_group(self, beans: Element) -> None:
        if "profile" in beans.attributes:
            self.profiles.append(beans.line)
        else:
            self.include(beans)

    def _add_named(self, element: Element) -> None:
        names = [element.attributes.get("id", ""), *re.split(r"[,;\s]+", element.attributes.get("name", ""))]
        for name in dict.fromkeys(filter(None, names)):
            if name in self.named:
                raise _invalid(self.where, element.line, f"bean {name} is defined twice")
            self.named[name] = element
        if element.space in _BEANS and element.name == "bean":
            self.top.append(element)

    def names(self, name: str) -> bool:
        """Whether a bean of the file has this name."""
        return self._find(name) is not None

    def beans(self) -> list[Bean]:
        """The file's own beans that are not abstract."""
        return [self.bean(element) for element in self.top if element.attributes.get("abstract") != "true"]

    def bean(self, element: Element) -> Bean:
        """A bean as it stands after its parents, the nearest winning."""
        chain, missing = self._chain(element)
        properties: dict[str, Element] = {}
        for each in reversed(chain):
            properties.update(self._own_properties(each))
        return Bean(
            class_name=next(filter(None, map(_class_name, chain)), ""),
            line=element.line,
            properties=properties,
            arguments=next(filter(None, map(_arguments, chain)), ()),
            document=self,
            missing_parent=missing,
            wiring=next(filter(None, (_wiring(each.attributes.get("autowire")) for each in chain)), self._wiring),
        )

    def value(self, holder: Element) -> Value:
        """What a property or constructor argument is set to."""
        if "value" in holder.attributes:
            return _literal(holder.attributes["value"], holder.line)
        if "ref" in holder.attributes:
            return self._reference(holder.attributes["ref"], holder.line)
        children = [child for child in holder.children if child.name not in _REMARKS]
        if len(children) != 1:
            raise _invalid(self.where, holder.line, f"{holder.name} has {len(children)} values in place of one")
        return self.nested(children[0])

    def nested(self, element: Element) -> Value:
        """The value that an element is."""
        name, attributes = element.name, element.attributes
        if name in _LISTS and element.space in (*_BEANS, _UTIL):
            merged = attributes.get("merge", "default") in (("true", "default") if self._merges else ("true",))
            return Unknown("it merges two lists", element.line) if merged else Items(element.children, self)
        if element.space not in _BEANS:
            return Unknown(f"it is given by an element {name} of another schema", element.line)
        if name == "bean":
            return self.bean(element)
        if name == "ref":
            return self._reference(attributes.get("bean") or attributes.get("local") or "", element.line)
        if name == "value":
            return _literal(element.text, element.line)
        return None if name == "null" else Unknown(f"it is given by an element {name}", element.line)

    def _reference(self, name: str, line: int) -> Value:
        element = self._find(name)
        if element is None:
            return Unknown("it refers to a bean that is not in this file", line)
        return self.nested(element)

    def _find(self, name: str) -> Element | None:
        return self.named.get(name) or self.named.get(self._aliases.get(name, ""))

    def _chain(self, element: Element) -> tuple[list[Element], str]:
        """The bean and its parents, nearest first, and the name of a parent that is not here."""
        chain = [element]
        while parent := chain[-1].attributes.get("parent"):
            found = self._find(parent)
            if found is None:
                return chain, parent
            if any(found is each for each in chain):
                raise _invalid(self.where, element.line, f"bean {parent} is its own parent")
            chain.append(found)
        return chain, ""

    def _own_properties(self, element: Element) -> dict[str, Element]:
        found: dict[str, Element] = {}
        written = [child for child in element.children if child.name == "property" and child.space in _BEANS]
        for each in (*written, *_short_forms(element, _P, "property")):
            name = _property_name(each.attributes.get("name", ""))
            if name in found:
                raise _invalid(self.where, each.line, f"property {name} is set twice")
            found[name] = each
        return found


def _changes_others(element: Element) -> bool:
    """Whether Spring lets it change properties of other beans, or bring beans that are written elsewhere."""
    own = element.attributes.get("class", "") if element.space in _BEANS else element.name
    return own.endswith(_CHANGERS)


def _class_name(element: Element) -> str:
    made = "factory-method" in element.attributes or "factory-bean" in element.attributes
    name = "" if made else element.attributes.get("class", "").strip()
    return name if isinstance(_literal(name, element.line), str) else ""


def _arguments(element: Element) -> tuple[Element, ...]:
    written = [child for child in element.children if child.name == "constructor-arg" and child.space in _BEANS]
    return (*written, *_short_forms(element, _C, "constructor-arg"))


def _short_forms(element: Element, space: str, name: str) -> t.Iterator[Element]:
    """Attributes of the p- or c-namespace as the elements that they stand for."""
    for (given, key), value in element.qualified.items():
        if given == space:
            kind = "ref" if key.endswith("-ref") else "value"
            named = re.sub("-(.)", lambda match: match[1].upper(), key.removesuffix("-ref"))
            yield Element(name, element.line, attributes={"name": named, kind: value})


def _property_name(name: str) -> str:
    """Spring takes a property with a capital for the one without, where there is no other."""
    return name[:1].lower() + name[1:]


def _wiring(word: str | None) -> str:
    return "" if (word or "") in _NOT_WIRED else str(word)


def _literal(text: str, line: int) -> str | Unknown:
    placeholder = _PLACEHOLDER.search(text)
    if placeholder:
        return Unknown(f"placeholder {placeholder[1]} is filled in when Ignite starts", line)
    if "${" in text or "#{" in text:
        return Unknown("an expression (SpEL) is evaluated when Ignite starts", line, text)
    return text.strip()


def _invalid(where: str, line: int, why: str) -> LockdownError:
    return LockdownError("invalid_spring_xml", f"Cannot read {where}", f"line {line}: {why}", "Correct it")
