# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every configuration that is rendered starts a real node, which listens where the policies say and nowhere else."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from deployments import TARGETS, Json, Rendered, rendered

from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.versions import (
    FINDER_PORT,
    read_version,
)
from enforced import nodes
from enforced.table import Table
from lab.cluster import jars
from lab.cluster.images import ignite_image, jars_of

VARIANTS: dict[str, Json] = {
    "kubernetes": {"profile": "minimal"},
    "dns": {"discovery": "dns", "deploy_replicas": 1},
    "tls": {"profile": "minimal", "deploy_tls_secret": "stores"},
    "persistence and authentication": {
        "profile": "minimal",
        "deploy_persistence_size": "1Gi",
        "deploy_authentication": True,
    },
}
# For the versions that the lab's cluster does not run, what differs by version comes all at once.
COMBINED: Json = VARIANTS["tls"] | VARIANTS["persistence and authentication"]
CASES: dict[tuple[str, str], Json] = {
    **{(version, name): variables for version in jars.VERSIONS for name, variables in VARIANTS.items()},
    **{(version, "combined"): COMBINED for version in jars.OTHERS},
    ("2.9.0", "kubernetes"): VARIANTS["kubernetes"],  # its probe is blunt without authentication too
}
SMALL: Json = {
    "deploy_heap_mb": 128,
    "deploy_data_region_mb": 64,
    "deploy_jvm_options": ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
}
SECONDS = 480.0
SIDE_BY_SIDE = 2


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], t.Any]:
    """All of them in one go, each with a network of its own."""
    cases = {key: _case(*key) for key in CASES}
    lanes = [list(cases)[lane::SIDE_BY_SIDE] for lane in range(SIDE_BY_SIDE)]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        answers = pool.map(lambda lane: _started([cases[key] for key in lane], tmp_path_factory.mktemp("nodes")), lanes)
        return {
            key: seen for lane, found in zip(lanes, answers, strict=True) for key, seen in zip(lane, found, strict=True)
        }


def _started(cases: list[Json], folder: Path) -> list[Json]:
    answer = subprocess.run(
        ["unshare", "--net", "--mount", sys.executable, "-I", nodes.__file__, str(folder)],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    found: list[Json] = json.loads(answer.stdout)
    return found


@pytest.mark.parametrize(("version", "variant"), CASES)
def test_a_node_starts(table: Table, observed: dict[tuple[str, str], t.Any], version: str, variant: str) -> None:
    seen = observed[version, variant]
    started = nodes.STARTED.search(seen["log"]) is not None
    made = _made(version, variant)
    print(seen["log"][-4000:])
    with table.case(f"rendered: {version}, {variant}") as case:
        case.record("the node", "started", "started" if started else "did not start")
        case.record("ports", str(_ports(version, made)), str(seen["ports"]))
        case.record("asked the API server", str(_asked(made)), str(seen["asked"]))
        case.record("a stranger's greeting", "welcome" if _is_open(made) else "no", _welcome(seen["greeting"]))
        for moment, expected in _probes(version, made).items():
            case.record(f"the probe, {moment}", expected, str(seen[moment]))


def _ports(version: str, made: Rendered) -> list[int]:
    without = {"rest"} if jars.REST not in _libraries(version) else set[str]()
    return sorted(number for name, number in made.deployment["ports"].items() if name not in without)


def _asked(made: Rendered) -> list[str]:
    """All that the right to read one object allows."""
    by_api = made.deployment["finder"]["mode"] == "kubernetes"
    return ["/api/v1/namespaces/cache-ns/endpoints/ignite"] if by_api else []


def _is_open(made: Rendered) -> bool:
    return not made.deployment["authentication"] and not made.deployment["tls"]


def _welcome(greeting: str) -> str:
    return "welcome" if greeting == "welcome" else f"no: {greeting}"


def _probes(version: str, made: Rendered) -> dict[str, str]:
    """A probe that is not blunt is only answered well by a node that has started."""
    if jars.REST not in _libraries(version):
        return {}
    blunt = bool(made.deployment["probe"]["min_ready"])
    late = "200: successStatus 2" if blunt and made.deployment["authentication"] else "200: successStatus 0"
    if not _asked(made):
        return {"late": late}  # nothing holds such a node back
    return {"early": nodes.HANGS, **({"joined": late} if blunt else {}), "late": late}


def _made(version: str, variant: str) -> Rendered:
    service = {"cluster_ips": ["127.0.0.1"], "port": nodes.API_PORT}
    targets = {**TARGETS, "api_server": {**TARGETS["api_server"], "service": service}}
    variables = {**SMALL, **CASES[version, variant]}
    if variant == "combined" and read_version(version, "version") >= FINDER_PORT:
        variables["ports"] = {"discovery": 47555}
    return rendered(targets, deploy_image=ignite_image(version), **variables)


def _libraries(version: str) -> tuple[str, ...]:
    """Without that of REST a node has no port for it, and answers no probe."""
    return jars.OTHERS.get(version, jars.OPTIONS)


def _case(version: str, variant: str) -> Json:
    """As the image's start script does it."""
    made = _made(version, variant)
    parts = jars_of(version, print)
    libraries = made.environment["OPTION_LIBS"].split(",")
    options = [jar for name in libraries if name in parts.options for jar in parts.options[name]]
    classpath = ":".join(map(str, [*parts.base, *options]))
    main = "org.apache.ignite.startup.cmdline.CommandLineStartup"
    env = {name: value for name, value in made.environment.items() if value is not None and name.startswith("IGNITE_")}
    words = [*made.environment["JVM_OPTS"].split(), f"-DIGNITE_QUIET={env['IGNITE_QUIET']}", "-cp", classpath]
    probe = "" if jars.REST not in _libraries(version) else made.deployment["probe"]["path"]
    return {"xml": made.xml, "command": ["java", *words, main], "env": env, "probe": probe}
