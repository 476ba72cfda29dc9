# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration's place follows from the workload, or an error says why not."""

from __future__ import annotations

import typing as t

import pytest
from ignite_xml import stateful_set, workload

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.place import Place, locate
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.workload import Workload

Json = dict[str, t.Any]


def mounted(path: str, source: Json, uri: str | None = "file:///config/ignite.xml", **more: t.Any) -> Workload:
    container = {key: more.pop(key) for key in ("command", "args") if key in more}
    return workload(
        {"CONFIG_URI": uri},
        pod={"volumes": [{"name": "config", **source}]},
        volumeMounts=[{"name": "config", "mountPath": path, **more}],
        **container,
    )


MAP: Json = {"configMap": {"name": "cfg"}}
HOME = "/opt/ignite/apache-ignite"


@pytest.mark.parametrize(
    ("path", "source", "options", "place"),
    [
        ("/config", MAP, {}, ("ConfigMap", "ignite.xml")),
        ("/config/", MAP, {}, ("ConfigMap", "ignite.xml")),
        ("/config", MAP, {"uri": "/config/../config/ignite.xml"}, ("ConfigMap", "ignite.xml")),
        ("/config/ignite.xml", MAP, {"subPath": "node.xml"}, ("ConfigMap", "node.xml")),
        ("/config", {"secret": {"secretName": "cfg"}}, {}, ("Secret", "ignite.xml")),
        ("/config", {"configMap": {"name": "cfg", "items": [{"key": "a", "path": "ignite.xml"}]}}, {},
         ("ConfigMap", "a")),
        ("/", {"configMap": {"name": "cfg", "items": [{"key": "a", "path": "config/ignite.xml"}]}}, {},
         ("ConfigMap", "a")),
        ("/config", {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}},
                                               {"secret": {"name": "cfg"}}]}}, {}, ("Secret", "ignite.xml")),
        (f"{HOME}/config", MAP, {"uri": None}, ("ConfigMap", "default-config.xml")),
        (f"{HOME}/config", MAP, {"uri": "config/own.xml"}, ("ConfigMap", "own.xml")),
        ("/config", MAP, {"uri": None, "command": ["ignite.sh"], "args": ["/config/a.xml"]}, ("ConfigMap", "a.xml")),
        # The official image has no entry point, so arguments alone replace its start script.
        ("/config", MAP, {"args": ["ignite.sh", "-J-Dlog4j.configurationFile=/config/log.xml", "/config/a.xml"]},
         ("ConfigMap", "a.xml")),
        ("/config", MAP, {"command": ["sh", "-c", "ignite.sh '/config/a.xml'; sleep 1"]}, ("ConfigMap", "a.xml")),
        ("/config", MAP, {"command": ["sh", "-c", "ignite.sh $CONFIG_URI"]}, ("ConfigMap", "ignite.xml")),
    ],
)  # fmt: skip
def test_the_place_is_found(path: str, source: Json, options: Json, place: tuple[str, str]) -> None:
    found = locate(mounted(path, source, **options))
    assert found == Place(place[0], "cfg", place[1])


@pytest.mark.parametrize(
    ("path", "source", "options", "why"),
    [
        ("/other", MAP, {}, "no volume"),
        ("/config", {"emptyDir": {}}, {}, "neither a ConfigMap nor a Secret"),
        ("/config", MAP, {"name": "a-claim"}, "neither a ConfigMap nor a Secret"),
        ("/config", MAP, {"subPathExpr": "$(POD)"}, "by an expression"),
        ("/config", {"configMap": {"name": "cfg", "items": [{"key": "a", "path": "b.xml"}]}}, {}, "no volume"),
        ("/config", {"projected": {"sources": [MAP, {"secret": {"name": "cfg"}}]}}, {}, "several parts"),
        (
            "/config",
            MAP,
            {"uri": "http://u:hunter2@x.example/a.xml?hunter2"},
            "downloads it at its start, from http://x.ex",
        ),
        ("/config", MAP, {"uri": "http://[x"}, "what is no URL"),
        ("/config", MAP, {"args": ["/config/a.xml", "/config/b.xml"]}, "several files"),
        ("/config", MAP, {"command": ["sh", "-c", "ignite.sh $FOLDER/a.xml"]}, "through a variable"),
        ("/config", MAP, {"uri": None}, "no volume"),
    ],
)
def test_a_place_that_cannot_be_read_is_an_error(path: str, source: Json, options: Json, why: str) -> None:
    with pytest.raises(LockdownError) as caught:
        locate(mounted(path, source, **options))
    assert caught.value.code == "config_not_found"
    assert why in caught.value.why
    assert "hunter2" not in str(caught.value)


def test_the_longest_mount_path_wins() -> None:
    volumes = [{"name": name, "configMap": {"name": name}} for name in ("outer", "inner")]
    mounts = [{"name": "outer", "mountPath": "/"}, {"name": "inner", "mountPath": "/config"}]
    found = locate(workload(pod={"volumes": volumes}, volumeMounts=mounts))
    assert found == Place("ConfigMap", "inner", "ignite.xml")


def test_a_variable_from_elsewhere_hides_the_place() -> None:
    entry = {"name": "CONFIG_URI", "valueFrom": {"configMapKeyRef": {"name": "env", "key": "uri"}}}
    with pytest.raises(LockdownError, match="CONFIG_URI is not known"):
        locate(workload({"CONFIG_URI": None}, entries=[entry]))


SIDECAR: Json = {"name": "proxy", "image": "proxy:1"}
PLAIN: Json = {"name": "ignite", "image": "apacheignite/ignite:2.17.0"}
OWN: Json = {"name": "cache", "image": "own:1", "env": [{"name": "OPTION_LIBS", "value": "ignite-kubernetes"}]}


@pytest.mark.parametrize(
    ("containers", "given", "name"),
    [
        ([OWN], "", "cache"),
        ([{**OWN, "env": []}], "", "cache"),
        ([SIDECAR, PLAIN], "", "ignite"),
        ([SIDECAR, OWN], "", "cache"),
        ([SIDECAR, PLAIN], "proxy", "proxy"),
        ([SIDECAR, {**SIDECAR, "name": "other"}], "", None),
        ([PLAIN, {**PLAIN, "name": "other"}], "", None),
        ([SIDECAR, PLAIN], "gone", None),
    ],
)
def test_the_container_is_found_or_asked_for(containers: list[Json], given: str, name: str | None) -> None:
    raw = stateful_set({"containers": containers})
    if name:
        assert Workload.of(raw, given).container["name"] == name
        return
    with pytest.raises(LockdownError) as caught:
        Workload.of(raw, given)
    assert caught.value.code == "unknown_container"
    assert all(each["name"] in caught.value.why for each in containers)
