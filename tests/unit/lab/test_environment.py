# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No test reaches a cluster that it was not told to use, twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.environment import own_cluster, scrubbed_env
from lab.errors import LabError

VARIABLES = ("NETGUARD_TEST_KUBECONFIG", "NETGUARD_TEST_CLUSTER_UID")


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def test_no_way_to_another_cluster_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    ways = ("KUBECONFIG", "K8S_AUTH_HOST", "K8S_AUTH_API_KEY", "K8S_AUTH_KUBECONFIG", "KUBERNETES_SERVICE_HOST")
    for variable in ways:
        monkeypatch.setenv(variable, "elsewhere")
    monkeypatch.setenv("LANG", "C")
    env = scrubbed_env("/the/lab's")
    assert "elsewhere" not in env.values()
    assert env["K8S_AUTH_KUBECONFIG"] == "/the/lab's"
    assert env["LANG"] == "C"


def test_nothing_named_means_the_labs_own() -> None:
    assert own_cluster() is None


@pytest.mark.parametrize(("given", "missing"), [VARIABLES, VARIABLES[::-1]])
def test_a_cluster_named_once_only_is_an_error(monkeypatch: pytest.MonkeyPatch, given: str, missing: str) -> None:
    monkeypatch.setenv(given, "something")
    with pytest.raises(LabError, match=f"{given} is set, {missing} is not"):
        own_cluster()


def test_a_kubeconfig_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLES[0], str(tmp_path / "none"))
    monkeypatch.setenv(VARIABLES[1], "uid")
    with pytest.raises(LabError, match="there is no such file"):
        own_cluster()


def test_a_kubeconfig_that_leads_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("no kubeconfig")
    monkeypatch.setenv(VARIABLES[0], str(tmp_path / "config"))
    monkeypatch.setenv(VARIABLES[1], "uid")
    with pytest.raises(LabError, match="cannot be reached"):
        own_cluster()
