# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specs are the one source: generated files, entry points and Python agree with them."""

from __future__ import annotations

import ast
import shutil
import typing as t
from pathlib import Path

import generate
import pytest
import yaml

from ansible_collections.netguard.lockdown.plugins.module_utils._core import arguments, clients, ports, verdict
from ansible_collections.netguard.lockdown.plugins.module_utils._core.connection import ENVIRONMENT
from ansible_collections.netguard.lockdown.plugins.module_utils._core.deploy.settings import read_settings
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite import (
    DEFAULT_PORTS,
    DISCOVERIES,
    PREFIX,
    PROFILES,
)
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config import wanted

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "ignite_lockdown"
SPECS = generate.Specs((ROOT / generate.SPECS).read_text())
EVERY = SPECS.every_option()


def load(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text())


def spec(name: str) -> dict[str, t.Any]:
    return EVERY[PREFIX + name][0]


def plugin_options(plugin: str) -> dict[str, t.Any]:
    """The options that a module or filter documents."""
    (path,) = [path for path in ROOT.glob(f"plugins/*/{plugin}.py") if path.parent.name in ("modules", "filter")]
    tree = ast.parse(path.read_text())
    texts = [
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "DOCUMENTATION"
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    found: dict[str, t.Any] = yaml.safe_load(texts[0])["options"]
    return found


def test_no_generated_file_differs() -> None:
    assert generate.differing(ROOT) == []


def test_a_difference_is_found_in_every_generated_file(tmp_path: Path) -> None:
    for path in [generate.SPECS, generate.QUESTIONS, *generate.wanted(ROOT)]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    assert generate.differing(tmp_path) == []
    text = (tmp_path / generate.SPECS).read_text()
    (tmp_path / generate.SPECS).write_text(
        text.replace("47500", "47501").replace("default: standard", "default: minimal")
    )
    assert set(generate.differing(tmp_path)) == {
        Path("README.md"),
        Path("roles/ignite_lockdown/README.md"),
        Path("roles/ignite_lockdown/defaults/main.yml"),
        Path("playbooks/lockdown.meta.yml"),
        Path("playbooks/verify.meta.yml"),
        Path("playbooks/refresh.meta.yml"),
        Path("playbooks/drift.meta.yml"),
        Path("playbooks/fleet.meta.yml"),
        Path("playbooks/render.meta.yml"),
        Path("playbooks/deploy.meta.yml"),
        Path("playbooks/audit.meta.yml"),
        Path("extensions/awx/controller/surveys.yml"),
    }
    (tmp_path / "playbooks" / "remove.meta.yml").unlink()
    assert Path("playbooks/remove.meta.yml") in generate.differing(tmp_path)


def test_a_variable_with_two_meanings_is_an_error() -> None:
    option = {"description": "x", "type": "str"}
    text = {"one": {"options": {"name": option}}, "two": {"options": {"name": {**option, "type": "int"}}}}
    with pytest.raises(ValueError, match="name means different things in one and two"):
        generate.Specs(yaml.safe_dump({"argument_specs": text})).every_option()


def test_defaults_have_the_keys_and_values_of_the_specs() -> None:
    defaults = load(ROLE / "defaults" / "main.yml")
    assert defaults == {name: option["default"] for name, (option, _) in EVERY.items() if "default" in option}
    assert not [name for name in defaults if EVERY[name][0].get("required")]


def test_every_variable_is_known_and_described() -> None:
    known = load(ROLE / "vars" / "main" / "known.yml")["__ignite_lockdown_known"]
    assert set(known) == {*EVERY, "ignite_lockdown_hosts", "ignite_lockdown_result"}
    assert all(name.startswith(PREFIX) and option["description"] for name, (option, _) in EVERY.items())


def test_each_entry_point_has_tasks_a_playbook_and_a_reader() -> None:
    assert set(SPECS.entry_points) == set(arguments.ENTRY_POINTS) == set(generate.PLAYBOOKS)
    for entry_point, playbook in generate.PLAYBOOKS.items():
        assert (ROLE / "tasks" / f"{entry_point}.yml").is_file()
        play, *_ = load(ROOT / "playbooks" / f"{playbook}.yml")
        assert play["tasks"][0]["ansible.builtin.import_role"].get("tasks_from", "main") == entry_point
        meta = load(ROOT / "playbooks" / f"{playbook}.meta.yml")["argument_specs"][playbook]
        assert set(meta["options"]) == {"ignite_lockdown_hosts", *SPECS.options(entry_point)}


def test_python_and_specs_agree_on_ports_choices_and_keys() -> None:
    listed = spec("ports")["options"]
    assert {name: option["default"] for name, option in listed.items() if "default" in option} == DEFAULT_PORTS
    assert tuple(name for name in listed if name not in DEFAULT_PORTS) == ports.OPTIONAL
    # With a default of its own, a port that is read could not be told from one that the user gives.
    assert "default" not in spec("ports")
    assert set(spec("config")["options"]) == set(wanted.KEYS)
    assert tuple(spec("discovery")["choices"]) == DISCOVERIES
    assert tuple(spec("profile")["choices"]) == PROFILES
    assert tuple(spec("discovery")["choices"]) == DISCOVERIES
    entries = spec("clients")["options"]
    assert tuple(entries["kind"]["choices"]) == clients.KINDS
    assert set(entries) == set(clients.CLIENT_KEYS)
    assert set(spec("extra_flows")["options"]) == set(clients.EXTRA_KEYS)
    assert set(spec("forbidden")["options"]) == set(clients.EXTRA_KEYS)
    assert tuple(spec("on_failure")["choices"]) == verdict.ON_FAILURE


def test_python_and_specs_agree_on_the_verdicts_that_fail() -> None:
    assert tuple(spec("audit_fail_on")["choices"]) == tuple(arguments.FAIL_ON)


def test_python_and_specs_agree_on_when_the_canary_flies() -> None:
    assert tuple(spec("canary")["choices"]) == arguments.CANARY
    assert spec("canary")["default"] == arguments.Arguments().canary


def test_every_connection_option_is_a_variable_without_a_default() -> None:
    for name in (*ENVIRONMENT, "connect_timeout", "request_timeout"):
        option, users = EVERY[PREFIX + name]
        assert "default" not in option
        assert users == [
            "main",
            "verify",
            "refresh",
            "drift",
            "fleet",
            "deploy",
            "rollback",
            "remove",
            "audit",
            "verify_evidence",
        ]
    assert [name for name, (option, _) in EVERY.items() if option.get("no_log")] == [
        "ignite_lockdown_api_key",
        "ignite_lockdown_password",
    ]


def _deployment_variables() -> set[str]:
    """What is read where a deployment is worked out, seen by handing it a mapping that notes its keys."""

    class Noting(dict[str, t.Any]):
        seen: t.ClassVar[set[str]] = set()

        def get(self, key: str, default: t.Any = None) -> t.Any:
            self.seen.add(key)
            return super().get(key, default)

    read_settings(Noting({f"{PREFIX}pod_selector": {"matchLabels": {"app": "ignite"}}}))
    return Noting.seen | {f"{PREFIX}deploy_create_namespace", f"{PREFIX}deploy_verify"}


@pytest.mark.parametrize("entry_point", arguments.ENTRY_POINTS)
def test_every_variable_of_an_entry_point_is_read_by_someone(entry_point: str) -> None:
    def rows(name: str) -> t.Iterator[str]:
        return (row[0] for table in arguments.TABLES[name].values() for row in table)

    read = {PREFIX + row for row in rows(entry_point)}
    connection = {PREFIX + name for name in (*ENVIRONMENT, "connect_timeout", "request_timeout")}
    flows = {
        PREFIX + name
        for name in (
            "pod_selector",
            "ports",
            "clients",
            "extra_flows",
            "forbidden",
            "discovery",
            "profile",
            "minimal_confirmed",
            "read_config",
            "workload",
            "config",
            "accept_config_findings",
        )
    }
    own = {
        PREFIX + name
        for name in (
            "namespace",
            "instance",
            "targets",
            "render_dir",
            "remove_confirmed",
            "probes",
            "topology",
            "canary",
            "canary_proof",
            "audit_fail_on",
            "fail_on_drift",
            "fleet_action",
            "serial",
            "report_dir",
        )
    } | _deployment_variables()
    if entry_point == "fleet":
        read |= {PREFIX + row for name in arguments.FLEET.values() for row in rows(name)}
    declared = set(SPECS.options(entry_point))
    assert read <= declared
    assert declared <= read | connection | flows | own


# Variables whose values are not passed on as they are.
DERIVED = ("grace_seconds", "profile", "rollback_revision", "ports", "pod_selector")


@pytest.mark.parametrize("plugin", arguments.PLUGINS)
def test_plugins_take_what_the_role_passes_on(plugin: str) -> None:
    options = plugin_options(plugin)
    for tables in arguments.TABLES.values():
        for variable, option, _ in tables.get(plugin, ()):
            assert option in options
            if variable not in DERIVED:
                assert spec(variable).get("default") == options[option].get("default")
