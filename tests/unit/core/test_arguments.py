# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the role's variables to typed module arguments."""

from __future__ import annotations

import typing as t

import pytest
from flow_builders import Json, variables

from ansible_collections.netguard.lockdown.plugins.module_utils._core.arguments import (
    ENTRY_POINTS,
    Arguments,
    read_arguments,
    read_connection,
)

KNOWN = [
    *variables(),
    "ignite_lockdown_grace_seconds",
    "ignite_lockdown_remove_confirmed",
    "ignite_lockdown_render_dir",
    "ignite_lockdown_evidence_dir",
    "ignite_lockdown_fleet_action",
    "ignite_lockdown_cluster_uid",
    "ignite_lockdown_accept_no_pods",
]


def arguments(entry_point: str = "main", **given: t.Any) -> Arguments:
    whole = variables(**given)
    return read_arguments(whole, [*KNOWN, *whole], entry_point)


def errors(entry_point: str = "main", **given: t.Any) -> str:
    found = arguments(entry_point, **given).errors
    assert found
    return "\n".join(map(str, found))


def given_to(found: Arguments) -> Json:
    """The plugins that get any argument, with what they get."""
    return {plugin: given for plugin, given in found.plugins.items() if given}


def test_every_argument_has_its_type() -> None:
    found = arguments(
        cluster_uid="4f9c",
        api_form="both",
        extra_api_slices="one\ntwo",
        allowed_api_cidrs=["172.30.0.0/24"],
        api_server_addresses=["172.30.0.2", {"address": "172.30.0.3", "port": "6443"}],
        grace_seconds="300",
        dns={"namespace": "kube-system"},
        inspect_dns="yes",
        accept_unenforced="no",
        replace_policies="one\n",
        expected_digest="sha256:1",
        accept_uncovered_pods="yes",
        accept_foreign_policies=[],
        accept_no_pods=False,
        accept_unisolated_pods="false",
        lock_timeout="5",
        server_dry_run="no",
    )
    assert found.errors == []
    assert (found.namespace, found.instance) == ("cache-ns", "ignite")
    assert found.plugins["cluster_network_info"] == {
        "cluster_uid": "4f9c",
        "form": "both",
        "extra_api_slices": ["one", "two"],
        "allowed_api_cidrs": ["172.30.0.0/24"],
        "api_server_addresses": ["172.30.0.2", {"address": "172.30.0.3", "port": 6443}],
        "grace_seconds": 300,
        "resolve_dns": True,
        "dns": {"namespace": "kube-system"},
        "inspect_dns": True,
        "accept_unenforced": False,
    }
    assert found.plugins["network_policies"] == {
        "cluster_uid": "4f9c",
        "replace_policies": ["one"],
        "expected_digest": "sha256:1",
        "accept_uncovered_pods": True,
        "accept_foreign_policies": [],
        "accept_no_pods": False,
        "accept_unisolated_pods": False,
        "lock_timeout": 5,
        "server_dry_run": False,
    }


@pytest.mark.parametrize("nothing", [None, "", " \n"])
def test_what_says_nothing_is_left_out(nothing: t.Any) -> None:
    found = arguments(cluster_uid=nothing, grace_seconds=nothing, accept_no_pods=nothing, lock_timeout=nothing)
    assert found.errors == []
    selector = {"pod_selector": {"matchLabels": {"app": "ignite"}}}
    assert given_to(found) == {"cluster_network_info": {"resolve_dns": True}, "enforcement_canary": selector}


def test_the_canary_gets_what_it_is_asked_for() -> None:
    found = arguments(canary="always", canary_namespace="birds", canary_start_timeout="5", accept_unproven_canary="yes")
    assert found.errors == []
    assert found.canary == "always"
    assert found.plugins["enforcement_canary"] == {
        "pod_selector": {"matchLabels": {"app": "ignite"}},
        "canary_namespace": "birds",
        "start_timeout": 5,
        "accept_inconclusive": True,
    }
    assert arguments(canary="").canary == "never"
    (error,) = arguments(canary="sometimes").errors
    assert "ignite_lockdown_canary" in str(error)


def test_the_minimal_profile_resolves_no_dns() -> None:
    assert arguments(profile="minimal").plugins["cluster_network_info"]["resolve_dns"] is False


def test_an_entry_point_gets_its_own_arguments_only() -> None:
    given = {"replace_policies": ["one"], "rollback_revision": 0, "accept_unisolated_pods": True, "grace_seconds": 9}
    for revision in (0, "0"):
        rollback = arguments("rollback", **{**given, "rollback_revision": revision})
        assert given_to(rollback) == {"network_policies": {"revision": "0", "accept_unisolated_pods": True}}
    assert "is not a non-empty text" in errors("rollback", rollback_revision=False)
    remove = arguments("remove", remove_confirmed=True, **given)
    assert given_to(remove) == {"network_policies": {"accept_unisolated_pods": True}}
    render = arguments("render", render_dir="rendered", **given)
    assert (given_to(render), render.errors) == ({}, [])


@pytest.mark.parametrize("word", [None, "", False, "no"])
def test_removing_needs_the_users_word(word: t.Any) -> None:
    assert "Refused to remove the policies" in errors("remove", remove_confirmed=word)
    assert arguments("remove", remove_confirmed="yes").errors == []
    assert arguments("main", remove_confirmed=word).errors == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"namespace": None}, "ignite_lockdown_namespace: it is not set"),
        ({"namespace": "Cache"}, "ignite_lockdown_namespace: 'Cache' is not a DNS label"),
        ({"instance": ""}, "ignite_lockdown_instance: it is not set"),
        ({"instance": "x" * 41}, "at most 40 lower-case letters"),
        ({"grace_seconds": -1}, "ignite_lockdown_grace_seconds: -1 is not between 0 and 86400"),
        ({"grace_seconds": "an hour"}, "is not a whole number"),
        ({"lock_timeout": 0.5}, "ignite_lockdown_lock_timeout: 0.5 is not a whole number"),
        ({"accept_no_pods": "perhaps"}, "ignite_lockdown_accept_no_pods: 'perhaps' is neither true nor false"),
        ({"replace_policies": {"a": 1}}, "ignite_lockdown_replace_policies: {'a': 1} is not a list"),
        ({"dns": "kube-dns"}, "ignite_lockdown_dns: 'kube-dns' is not a mapping"),
        ({"api_server_addresses": [5]}, "ignite_lockdown_api_server_addresses[0]: 5 is not a mapping"),
        ({"api_server_addresses": [{"port": "x"}]}, "addresses[0].port: 'x' is not a whole number"),
    ],
)
def test_a_bad_value_is_an_error_with_its_name(given: Json, why: str) -> None:
    assert why in errors(**given)


def test_rendering_needs_a_directory() -> None:
    assert "ignite_lockdown_render_dir: it is not set" in errors("render", render_dir="")


def test_a_typo_is_named_with_the_nearest_variable_in_every_entry_point() -> None:
    for entry_point in ENTRY_POINTS:
        needed = {
            "remove_confirmed": True,
            "render_dir": "rendered",
            "evidence_dir": "evidence",
            "fleet_action": "drift",
        }
        whole = variables(**needed, client=[])
        found = read_arguments(whole, KNOWN, entry_point).errors
        assert [error.code for error in found] == ["unknown_variable"]
        assert "Unknown variable ignite_lockdown_client: " in str(found[0])
        assert "the nearest one is ignite_lockdown_clients" in str(found[0])


def test_only_connection_options_that_are_set_are_passed_on() -> None:
    found = read_connection(
        variables(
            kubeconfig="~/.kube/config",
            context="",
            host=None,
            validate_certs=False,
            impersonate_groups=[],
            request_timeout=2.5,
        )
    )
    assert found == {"kubeconfig": "~/.kube/config", "validate_certs": False, "request_timeout": 2.5}


def test_an_error_never_holds_a_secret() -> None:
    secrets = {"api_key": "topsecret", "password": "topsecret"}
    assert "topsecret" not in errors(namespace="Cache", **secrets)


def test_verify_gives_every_plugin_its_own() -> None:
    found = arguments(
        "verify",
        pod_selector={"matchLabels": {"app": "ignite"}},
        ports={"discovery": "47600"},
        replace_policies=["old"],
        expected_digest="not asked for here",
        control_pod={"namespace": "ops", "pod": "shell"},
        probe_timeout="2",
        verify_deadline="30",
        expected_servers="3",
        on_failure="restore",
        accept_surviving_sockets="yes",
    )
    assert found.errors == []
    assert given_to(found) == {
        "cluster_network_info": {"grace_seconds": 300},
        "network_policies": {"replace_policies": ["old"]},
        "flow_probe": {"control": {"namespace": "ops", "pod": "shell"}, "timeout": 2, "deadline": 30},
        "ignite_topology_info": {
            "pod_selector": {"matchLabels": {"app": "ignite"}},
            "discovery_port": 47600,
            "expected_servers": 3,
            "deadline": 30,
        },
        "ignite_verdict": {"on_failure": "restore", "accept_surviving_sockets": True},
    }


def test_bad_values_of_verify_are_named() -> None:
    found = errors("verify", on_failure="restor", expected_servers=0, ports={"discovery": "x"})
    assert "ignite_lockdown_on_failure: 'restor' is none of keep, restore; the nearest one is restore" in found
    assert "ignite_lockdown_expected_servers" in found
    assert "ignite_lockdown_ports.discovery" in found
