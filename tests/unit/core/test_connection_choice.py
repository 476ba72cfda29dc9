# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One source of authentication, or an error that names the two that disagree."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.netguard.lockdown.plugins.module_utils._core.connection import ENVIRONMENT, Connection, resolve
from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError

HOST = "https://192.0.2.1:6443"


def refused(task: dict[str, t.Any], environ: dict[str, str]) -> LockdownError:
    with pytest.raises(LockdownError) as caught:
        resolve(task, environ)
    return caught.value


def test_nothing_given_leaves_it_to_the_default() -> None:
    found = resolve({}, {})
    assert found == Connection("default kubeconfig or in-cluster ServiceAccount", {}, True, False)


@pytest.mark.parametrize("empty", [None, "", []])
def test_an_option_that_is_empty_is_not_given(empty: t.Any) -> None:
    assert resolve({"host": empty, "impersonate_groups": empty}, {}).values == {}


def test_every_option_has_its_variable() -> None:
    values = {name: "true" if name == "validate_certs" else f"value of {name}" for name in ENVIRONMENT}
    for name in ("kubeconfig", "context", "username", "password"):
        del values[name]
    found = resolve({}, {ENVIRONMENT[name]: value for name, value in values.items()})
    assert {**found.values, "impersonate_groups": "value of impersonate_groups"} == values


def test_the_source_says_where_it_comes_from() -> None:
    found = resolve({"host": HOST}, {"K8S_AUTH_API_KEY": "secret"})
    assert found.source == "option host, environment variable K8S_AUTH_API_KEY"
    assert found.is_direct


def test_the_same_value_twice_is_no_contradiction() -> None:
    assert resolve({"kubeconfig": "/a"}, {"K8S_AUTH_KUBECONFIG": "/a"}).values == {"kubeconfig": "/a"}


@pytest.mark.parametrize(
    ("task", "environ", "named"),
    [
        ({"kubeconfig": "/a"}, {"K8S_AUTH_KUBECONFIG": "/b"}, ("option kubeconfig", "K8S_AUTH_KUBECONFIG")),
        ({"host": HOST}, {"K8S_AUTH_HOST": "https://other"}, ("option host", "K8S_AUTH_HOST")),
        ({"kubeconfig": "/a"}, {"K8S_AUTH_HOST": HOST}, ("option kubeconfig", "K8S_AUTH_HOST")),
        ({"context": "prod"}, {"K8S_AUTH_HOST": HOST, "K8S_AUTH_API_KEY": "s"}, ("option context", "K8S_AUTH_HOST")),
        ({"kubeconfig": "/a", "host": HOST}, {}, ("option kubeconfig", "option host")),
        ({}, {"K8S_AUTH_KUBECONFIG": "/a", "K8S_AUTH_API_KEY": "s"}, ("K8S_AUTH_KUBECONFIG", "K8S_AUTH_API_KEY")),
        ({"api_key": "s"}, {}, ("option api_key", "no host")),
        ({"host": HOST, "username": "u"}, {}, ("option username", "password")),
        ({"host": HOST, "client_key": "/k"}, {}, ("option client_key", "client_cert")),
        ({"host": HOST, "api_key": "s", "username": "u", "password": "p"}, {}, ("option api_key", "option username")),
    ],
)
def test_contradictions_name_both_sides(
    task: dict[str, t.Any], environ: dict[str, str], named: t.Sequence[str]
) -> None:
    error = refused(task, environ)
    assert error.code == "contradicting_auth"
    assert all(part in str(error) for part in named)


def test_a_credential_filled_with_nothing_does_not_lead_to_the_default() -> None:
    for empty in (("K8S_AUTH_HOST", "K8S_AUTH_API_KEY"), ("K8S_AUTH_KUBECONFIG",)):
        error = refused({}, dict.fromkeys(empty, ""))
        assert error.code == "contradicting_auth"
        assert all(name in error.why for name in empty)
        assert resolve({"kubeconfig": "/a"}, dict.fromkeys(empty, "")).values == {"kubeconfig": "/a"}


def test_a_contradiction_of_secrets_does_not_print_them() -> None:
    error = refused({"host": HOST, "api_key": "secret-one"}, {"K8S_AUTH_API_KEY": "secret-two"})
    assert "secret-" not in str(error)
    assert "secret-" not in str(error.as_result())


class TestTls:
    @pytest.mark.parametrize("word", ["false", "False", "no", "off", "0"])
    def test_the_environment_cannot_switch_verification_off(self, word: str) -> None:
        error = refused({}, {"K8S_AUTH_VERIFY_SSL": word})
        assert error.code == "tls_verification_off"
        assert "K8S_AUTH_VERIFY_SSL" in str(error)

    def test_the_task_can(self) -> None:
        found = resolve({"validate_certs": False}, {"K8S_AUTH_VERIFY_SSL": "true"})
        assert not found.verify_tls
        assert found.insecure_by_task

    @pytest.mark.parametrize("environ", [{}, {"K8S_AUTH_VERIFY_SSL": "true"}, {"K8S_AUTH_VERIFY_SSL": "1"}])
    def test_it_is_on_by_default(self, environ: dict[str, str]) -> None:
        assert resolve({}, environ).verify_tls

    def test_the_task_wins_over_the_environment(self) -> None:
        assert resolve({"validate_certs": True}, {"K8S_AUTH_VERIFY_SSL": "false"}).verify_tls

    def test_an_odd_word_is_an_error(self) -> None:
        assert refused({}, {"K8S_AUTH_VERIFY_SSL": "maybe"}).code == "contradicting_auth"


def test_groups_are_a_list_whoever_gives_them() -> None:
    assert resolve({}, {"K8S_AUTH_IMPERSONATE_GROUPS": "a, b"}).values["impersonate_groups"] == ["a", "b"]
    assert resolve({"impersonate_groups": ["a"]}, {}).values["impersonate_groups"] == ["a"]
