# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every configuration that is rendered starts a real node, which listens where the policies say and nowhere else."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t

import pytest
from deployments import TARGETS, Json, Rendered, rendered

from enforced import nodes
from enforced.table import Table
from lab.cluster import jars
from lab.cluster.images import ignite_image

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
SMALL: Json = {
    "deploy_heap_mb": 128,
    "deploy_data_region_mb": 64,
    "deploy_jvm_options": ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
}
SECONDS = 300.0


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, t.Any]:
    """All of them in one go; each has its machine's processors for itself."""
    cases = {
        f"{version} {name}": _case(version, _made(version, name)) for version in jars.VERSIONS for name in VARIANTS
    }
    answer = subprocess.run(
        ["unshare", "--net", "--mount", sys.executable, "-I", nodes.__file__, str(tmp_path_factory.mktemp("nodes"))],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    found: dict[str, t.Any] = json.loads(answer.stdout)
    return found


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("version", jars.VERSIONS)
def test_a_node_starts(table: Table, observed: dict[str, t.Any], version: str, variant: str) -> None:
    seen = observed[f"{version} {variant}"]
    started = nodes.STARTED.search(seen["log"]) is not None
    wanted = sorted(_made(version, variant).deployment["ports"].values())
    print(seen["log"][-4000:])
    with table.case(f"rendered: {version}, {variant}") as case:
        case.record("the node", "started", "started" if started else "did not start")
        case.record("ports", str(wanted), str(seen["ports"]))


def _made(version: str, variant: str) -> Rendered:
    service = {"cluster_ips": ["127.0.0.1"], "port": nodes.API_PORT}
    targets = {**TARGETS, "api_server": {**TARGETS["api_server"], "service": service}}
    return rendered(targets, deploy_image=ignite_image(version), **SMALL, **VARIANTS[variant])


def _case(version: str, made: Rendered) -> Json:
    """As the image's start script does it."""
    parts = jars.fetch(version, print)
    options = [jar for name in made.environment["OPTION_LIBS"].split(",") for jar in parts.options[name]]
    classpath = ":".join(map(str, [*parts.base, *options]))
    main = "org.apache.ignite.startup.cmdline.CommandLineStartup"
    env = {name: value for name, value in made.environment.items() if value is not None and name.startswith("IGNITE_")}
    words = [*made.environment["JVM_OPTS"].split(), f"-DIGNITE_QUIET={env['IGNITE_QUIET']}", "-cp", classpath]
    return {"xml": made.xml, "command": ["java", *words, main], "env": env}
