# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source's arguments: typed, documented, and told apart from typos."""

from __future__ import annotations

import json
import runpy
import typing as t
from pathlib import Path

import jsonschema
import pytest
import yaml

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.watch import settings
from ansible_collections.netguard.lockdown.plugins.module_utils._core.watch.settings import WatchOptions

SOURCES = Path(__file__).parents[3] / "extensions" / "eda" / "plugins" / "event_source"
SCHEMA = json.loads((SOURCES / "schemas" / "network_targets.json").read_text(encoding="utf-8"))


def documented() -> dict[str, t.Any]:
    text = runpy.run_path(str(SOURCES / "network_targets.py"))["DOCUMENTATION"]
    options: dict[str, t.Any] = yaml.safe_load(text)["options"]
    return options


def test_documentation_and_schema_have_every_option_with_its_default() -> None:
    defaults = {name: option["default"] for name, option in documented().items() if "default" in option}
    assert sorted(documented()) == sorted(SCHEMA["properties"]) == sorted(settings.NAMES)
    assert defaults == settings._DEFAULTS
    assert {name: entry["default"] for name, entry in SCHEMA["properties"].items() if "default" in entry} == defaults


def test_texts_of_templates_become_numbers_and_flags_and_empty_ones_are_not_set() -> None:
    given = {
        "namespace": "cache-ns",
        "instance": "",
        "initial": "false",
        "debounce_seconds": "0.1",
        "resolve_dns": "False",
        "extra_api_slices": "",
        "kubeconfig": "~/config",
        "impersonate_groups": "one, two",
        "context": None,
        "grace_seconds": "60",
        "eda_feedback_queue": object(),
    }
    read = WatchOptions.from_args(given)
    assert (read.namespace, read.instance, read.initial, read.debounce_seconds) == ("cache-ns", "ignite", False, 0.1)
    assert (read.grace_seconds, read.params["grace_seconds"]) == (60, 0)
    assert read.params["resolve_dns"] is False
    assert read.params["extra_api_slices"] is None
    assert read.params["context"] is None
    assert read.params["kubeconfig"].startswith("/")
    assert read.params["impersonate_groups"] == ["one", "two"]
    jsonschema.validate({name: value for name, value in given.items() if name != "eda_feedback_queue"}, SCHEMA)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({}, "namespace"),
        ({"namespace": "Cache"}, "namespace"),
        ({"namespace": "a", "instance": "x" * 41}, "Invalid instance"),
        ({"namespace": "a", "debounce": 1}, "nearest one is debounce_seconds"),
        ({"namespace": "a", "debounce_seconds": "soon"}, "debounce_seconds"),
        ({"namespace": "a", "debounce_seconds": -1}, "debounce_seconds"),
        ({"namespace": "a", "debounce_seconds": True}, "debounce_seconds"),
        ({"namespace": "a", "interval_seconds": "nan"}, "interval_seconds"),
        ({"namespace": "a", "resync_seconds": 0}, "resync_seconds"),
        ({"namespace": "a", "request_timeout": 0}, "request_timeout"),
        ({"namespace": "a", "initial": "perhaps"}, "initial"),
        ({"namespace": "a", "grace_seconds": -1}, "grace_seconds"),
        ({"namespace": "a", "dns": "kube-dns"}, "dns"),
        ({"namespace": "a", "extra_api_slices": {"a": 1}}, "extra_api_slices"),
    ],
)
def test_a_bad_argument_is_an_error_that_names_it(bad: dict[str, t.Any], message: str) -> None:
    with pytest.raises(LockdownError, match=message):
        WatchOptions.from_args(bad)


@pytest.mark.parametrize("option", ["kubeconfig", "api_key", "password"])
def test_no_message_quotes_a_secret(option: str) -> None:
    with pytest.raises(LockdownError, match=option) as caught:
        WatchOptions.from_args({"namespace": "a", option: {"token": "secret-word"}})
    assert "secret-word" not in str(caught.value)
