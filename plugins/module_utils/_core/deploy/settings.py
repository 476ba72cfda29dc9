# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's variables about an Ignite that is to be deployed, typed and judged."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.netguard.lockdown.plugins.module_utils._core import options, selectors
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite import PREFIX, told_version
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config import versions
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.versions import Image, Version
from ansible_collections.netguard.lockdown.plugins.module_utils._core.quantity import amount

Given = t.Mapping[str, t.Any]

_DEPLOY = f"{PREFIX}deploy_"
# [REGISTRY[:PORT]/]PATH[:TAG][@DIGEST], as container runtimes take it.
_PATH = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    r"(?:(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?/)?"
    rf"{_PATH}(?:/{_PATH})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)
_SERVICE_NAME = re.compile(r"[a-z][a-z0-9-]*")
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?([munkKMGTPE]|[KMGTPE]i)?")
_SECRET_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_OPTION = re.compile(r"-[^\s$]+")
_RESERVED_LABELS = ("app.kubernetes.io/managed-by", "app.kubernetes.io/instance")
# A StatefulSet's controller sets them, to another value in each pod or each revision.
_LABELS_OF_PODS = (
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "controller-revision-hash",
    "pod-template-hash",
)
_MEBIBYTE = 1024 * 1024
# Ignite's write-ahead log alone has ten segments of 64 MiB.
_LEAST_STORAGE = 1024 * _MEBIBYTE
_RESOURCES = ("requests", "limits")
_RESOURCE_NAMES = ("cpu", "memory", "ephemeral-storage", "hugepages-")
_LONGEST_OPTIONS = 65536  # of the 128 KiB that Linux gives to one variable
_LONGEST_WAIT = 86400  # seconds

_T = t.TypeVar("_T")


@dataclass(frozen=True)
class Tls:
    """Where the stores and their password are: names of Secrets and a key. The stores' own keys are cert-manager's."""

    secret: str
    password_secret: str
    password_key: str
    client_certificates: bool


@dataclass(frozen=True)
class Settings:
    """Texts are empty where nothing is given."""

    image: str
    version: Version
    selector: dict[str, str]
    pull_secrets: list[str]
    replicas: int
    resources: dict[str, dict[str, str]]
    heap_mb: int
    data_region_mb: int
    jvm_options: list[str]
    persistence_size: str
    persistence_class: str
    priority_class: str
    spread_key: str
    spread_required: bool
    user: int
    labels: dict[str, str]
    annotations: dict[str, str]
    tls: Tls | None
    authentication: bool
    startup_seconds: int
    stop_seconds: int

    @property
    def persistent(self) -> bool:
        return bool(self.persistence_size)


@dataclass
class _Reader:
    """Reads variables by their short names; one bad value does not hide the next."""

    given: Given
    errors: list[LockdownError] = field(default_factory=list)

    def read(self, name: str, reader: t.Callable[[t.Any, str], _T], unset: _T) -> _T:
        value = self.given.get(_DEPLOY + name)
        if options.is_unset(value):
            return unset
        try:
            return reader(value, _DEPLOY + name)
        except LockdownError as error:
            self.errors.append(error)
            return unset


def read_settings(given: Given) -> tuple[Settings | None, list[LockdownError]]:
    """:arg given: the role's variables by their full names, as templates left them.
    :returns: no settings where something is wrong.
    """
    reader = _Reader(given)
    image = reader.read("image", _image, "")
    if not image and not reader.errors:
        reader.errors.append(options.invalid(f"{_DEPLOY}image", "it is not set"))
    version = _version(reader, image)
    selector: dict[str, str] = {}
    with options.collected(reader.errors):
        selector = _selector(given)
    with options.collected(reader.errors):
        _check_instance(given)
    found = Settings(
        image=image,
        version=version or versions.NEWEST,
        selector=selector,
        pull_secrets=reader.read("image_pull_secrets", _names, []),
        replicas=reader.read("replicas", _number(1, 100), 3),
        resources=reader.read("resources", _resources, {}),
        heap_mb=reader.read("heap_mb", _number(128, 1_048_576), 768),
        data_region_mb=reader.read("data_region_mb", _number(64, 16_777_216), 512),
        jvm_options=reader.read("jvm_options", _jvm_options, []),
        persistence_size=reader.read("persistence_size", _storage, ""),
        persistence_class=reader.read("persistence_class", options.object_name, ""),
        priority_class=reader.read("priority_class", options.object_name, ""),
        spread_key=reader.read("spread_key", _label_key, ""),
        spread_required=reader.read("spread_required", options.flag, False),
        user=reader.read("run_as_user", _number(1, 2_147_483_647), 10001),
        labels=reader.read("labels", _labels, {}),
        annotations=reader.read("annotations", _annotations, {}),
        tls=_tls(reader),
        authentication=reader.read("authentication", options.flag, False),
        startup_seconds=reader.read("startup_seconds", _number(10, _LONGEST_WAIT), 300),
        stop_seconds=reader.read("stop_seconds", _number(0, _LONGEST_WAIT), 0),
    )
    for check in (_memory, _requests, _clashing_labels, _authentication):
        with options.collected(reader.errors):
            check(found)
    return (None if reader.errors else found), reader.errors


def _version(reader: _Reader, image: str) -> Version | None:
    try:
        found = told_version(reader.given)
        return _known_version(image, found) if image else found
    except LockdownError as error:
        reader.errors.append(error)
        return None


def _known_version(image: str, found: Version | None) -> Version:
    """The version that the user gives, or the tag; the two must not contradict each other."""
    told, where = Image.of(image).version, f"{PREFIX}version"
    if found and told and found != told:
        raise options.invalid(where, f"it is {found}, and the tag of {image} says {told}")
    if found is None:
        raise options.invalid(where, f"it is not set, and the tag of {image} does not begin with a version")
    if not versions.is_known(found):
        raise options.invalid(where, f"{found} is not among the versions that can be deployed (2.9 to 2.17)")
    return found


def _selector(given: Given) -> dict[str, str]:
    """The labels by which the policies know the pods, which the pods therefore get."""
    where = f"{PREFIX}pod_selector"
    selector = given.get(where)
    selectors.validate(selector, where)
    found = dict((selector or {}).get("matchLabels") or {})
    if (selector or {}).get("matchExpressions") or not found:
        raise options.invalid(where, "pods that are deployed get its labels, so it must hold matchLabels alone")
    _refuse_labels_of_pods(found, where)
    return found


def _refuse_labels_of_pods(labels: t.Mapping[str, str], where: str) -> None:
    """By such a label the policies would leave out most of the pods."""
    found = sorted(set(labels) & set(_LABELS_OF_PODS))
    if found:
        raise options.invalid(where, f"{', '.join(found)} is set by Kubernetes, in each pod to another value")


def _check_instance(given: Given) -> None:
    """It is the name of Services and of a ServiceAccount; an error of theirs would come after the first writes."""
    where = f"{PREFIX}instance"
    name = given.get(where)
    if not isinstance(name, str) or not _SERVICE_NAME.fullmatch(name) or name == "default":
        raise options.invalid(where, f"{name!r} is to name a Service, so it begins with a letter, and is not default")


def _tls(reader: _Reader) -> Tls | None:
    secret = reader.read("tls_secret", options.object_name, "")
    found = Tls(
        secret=secret,
        password_secret=reader.read("tls_password_secret", options.object_name, "") or secret,
        password_key=reader.read("tls_password_key", _secret_key, "password"),
        client_certificates=reader.read("tls_client_certificates", options.flag, True),
    )
    if not secret and found.password_secret:
        reader.errors.append(options.invalid(f"{_DEPLOY}tls_password_secret", f"{_DEPLOY}tls_secret is not set"))
    return found if secret else None


def _memory(found: Settings) -> None:
    limit = amount(found.resources.get("limits", {}).get("memory", ""))
    needed = found.heap_mb + found.data_region_mb
    if limit is not None and needed * _MEBIBYTE > limit:
        raise options.invalid(
            f"{_DEPLOY}resources",
            f"the memory limit is {int(limit // _MEBIBYTE)} MiB, and heap and data region alone have {needed} MiB",
        )


def _requests(found: Settings) -> None:
    """The API server refuses it, which is too late in a namespace that is yet to be created."""
    limits = found.resources.get("limits", {})
    for name, asked in found.resources.get("requests", {}).items():
        wanted, limit = amount(asked), amount(limits.get(name, ""))
        if wanted is not None and limit is not None and wanted > limit:
            raise options.invalid(
                f"{_DEPLOY}resources", f"{asked} of {name} is requested, over the limit {limits[name]}"
            )


def _clashing_labels(found: Settings) -> None:
    where = f"{_DEPLOY}labels"
    clash = sorted(key for key, value in found.labels.items() if found.selector.get(key, value) != value)
    if clash:
        raise options.invalid(where, f"{', '.join(clash)} has another value in {PREFIX}pod_selector")


def _authentication(found: Settings) -> None:
    if found.authentication and not found.persistent:
        raise LockdownError(
            "authentication_without_persistence",
            f"Refused {_DEPLOY}authentication",
            "Ignite keeps its users on disk, and does not start with authentication and without persistence",
            f"Set {_DEPLOY}persistence_size, or do without authentication",
        )


def _image(value: t.Any, where: str) -> str:
    text = options.text(value, where)
    if not _IMAGE.fullmatch(text):
        raise options.invalid(where, f"{text!r} is not the reference of an image")
    found = Image.of(text)
    if not found.tag and "@" not in text:
        raise options.invalid(where, f"{text} has neither tag nor digest, so servers of different versions could meet")
    if found.tag == "latest":
        raise options.invalid(where, "tag latest moves, so servers of different versions could meet")
    return text


def _number(low: int, high: int) -> t.Callable[[t.Any, str], int]:
    return lambda value, where: options.integer(value, where, low, high)


def _names(value: t.Any, where: str) -> list[str]:
    return [options.object_name(name, where) for name in options.words(value, where)]


def _quantity(value: t.Any, where: str) -> str:
    text = str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else options.text(value, where)
    if not _QUANTITY.fullmatch(text):
        raise options.invalid(where, f"{text!r} is not a quantity such as 500m or 2Gi")
    return text


def _storage(value: t.Any, where: str) -> str:
    text = _quantity(value, where)
    if (amount(text) or 0) < _LEAST_STORAGE:
        raise options.invalid(where, f"{text} is less than 1Gi, which Ignite's write-ahead log needs when it starts")
    return text


def _resources(value: t.Any, where: str) -> dict[str, dict[str, str]]:
    fields = options.mapping(value, where)
    options.reject_unknown(fields, _RESOURCES, where)
    return {part: _amounts(amounts, f"{where}.{part}") for part, amounts in fields.items()}


def _amounts(value: t.Any, where: str) -> dict[str, str]:
    found = options.mapping(value, where)
    for name in found:
        _label_key(name, where)
        if "/" not in name and not name.startswith(_RESOURCE_NAMES):
            raise options.invalid(where, f"{name} is none of the standard resources, and others have a prefix")
    return {name: _quantity(given, f"{where}.{name}") for name, given in found.items()}


def _jvm_options(value: t.Any, where: str) -> list[str]:
    """Words that the start script splits at blanks, and in which the kubelet fills in nothing."""
    found = options.words(value, where)
    odd = next((word for word in found if not _OPTION.fullmatch(word)), None)
    if odd is not None:
        raise options.invalid(where, f"{odd!r} is not one option: it begins with a hyphen and has no blank and no $")
    if len(" ".join(found)) > _LONGEST_OPTIONS:
        raise options.invalid(where, f"they are longer than {_LONGEST_OPTIONS} characters together")
    return found


def _label_key(value: t.Any, where: str) -> str:
    text = options.text(value, where)
    selectors.validate({"matchExpressions": [{"key": text, "operator": "Exists"}]}, where)
    return text


def _labels(value: t.Any, where: str) -> dict[str, str]:
    fields = options.mapping(value, where)
    selectors.validate({"matchLabels": fields}, where)
    reserved = sorted(set(fields) & set(_RESERVED_LABELS))
    if reserved:
        raise options.invalid(where, f"{', '.join(reserved)} is set by the role")
    _refuse_labels_of_pods(fields, where)
    return {key: str(text) for key, text in fields.items()}


def _annotations(value: t.Any, where: str) -> dict[str, str]:
    fields = options.mapping(value, where)
    for key, text in fields.items():
        _label_key(key, f"{where}.{key}")
        if not isinstance(text, str):
            raise options.invalid(f"{where}.{key}", f"{text!r} is not a text")
    return dict(fields)


def _secret_key(value: t.Any, where: str) -> str:
    text = options.text(value, where)
    if not _SECRET_KEY.fullmatch(text):
        raise options.invalid(where, f"{text!r} is not a key of a Secret")
    return text
