# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rendered configuration and the rendered policies say the same, whatever the ports; the reader would notice."""

from __future__ import annotations

import typing as t

import pytest
from deployments import Json, Rendered, given, rendered
from flow_builders import client
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st

from ansible_collections.netguard.lockdown.plugins.module_utils._core.deploy.agreement import compare
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.ignite import Config, read_ignite
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.workload import Workload

NAMES = ("discovery", "communication", "thin_client", "connector", "rest")
NEWER = ["2.12.0", "2.13.0", "2.14.0", "2.16.0", "2.17.0"]  # a discovery port of one's own needs 2.12
VERSIONS = ["2.9.1", "2.10.0", "2.11.1", *NEWER]
VARIANTS: dict[str, Json] = {
    "kubernetes": {},
    "minimal": {"profile": "minimal"},
    "dns": {"discovery": "dns"},
    "tls": {"deploy_tls_secret": "stores"},
    "persistence": {"deploy_persistence_size": "20Gi", "deploy_authentication": True},
}

many_ports = st.lists(st.integers(1024, 65535), min_size=5, max_size=5, unique=True)


def image(version: str) -> str:
    return f"docker.io/apacheignite/ignite:{version}"


def allowed(made: Rendered, direction: str) -> list[t.Any]:
    """Ports of the allow policy's rules."""
    rules = made.policies[0]["spec"][direction] or []
    return [port["port"] for rule in rules for port in rule["ports"]]


@settings(max_examples=40, deadline=None)
@generated(
    numbers=many_ports,
    version=st.sampled_from(NEWER),
    variant=st.sampled_from(sorted(VARIANTS)),
    dialled=st.sets(st.sampled_from(NAMES), min_size=1),
)
def test_configuration_and_policies_agree(numbers: list[int], version: str, variant: str, dialled: set[str]) -> None:
    ports = dict(zip(NAMES, numbers, strict=True))
    web = client(kind="custom", ports=sorted(dialled))
    made = rendered(ports=ports, clients=[web], deploy_image=image(version), **VARIANTS[variant])
    assert made.agreement.errors == []
    read = read_ignite(Config(made.xml, "ignite.xml"), Workload.of(made.one("StatefulSet")))
    assert read.as_dict()["ports"] == ports
    assert all(listener.port == listener.last_port for listener in read.listeners)
    wanted = {ports["discovery"], ports["communication"], *(ports[name] for name in dialled)}
    assert set(allowed(made, "ingress")) == wanted
    assert set(allowed(made, "egress")) - {53, 6443} == {ports["discovery"], ports["communication"]}
    assert (6443 in allowed(made, "egress")) == (variant != "dns")
    assert (53 in allowed(made, "egress")) == (variant != "minimal")
    served = {port["port"] for port in made.one("Service", "ignite-client")["spec"]["ports"]}
    assert served == {ports["thin_client"], *(ports[name] for name in dialled & {"connector", "rest"})}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_and_variant_is_read_as_it_was_meant(version: str, variant: str) -> None:
    made = rendered(deploy_image=image(version), **VARIANTS[variant])
    assert made.agreement.errors == []
    assert [finding.code for finding in made.agreement.findings if finding.level == "warning"] == []


BROKEN = {
    "port": ('name="localPort" value="47100"', 'name="localPort" value="47101"'),
    "range": ('name="localPortRange" value="0"', 'name="localPortRange" value="10"'),
    "finder": ("TcpDiscoveryKubernetesIpFinder", "TcpDiscoveryMulticastIpFinder"),
    "no-tls": ('"sslContextFactory"', '"sslContextFactoryNot"'),
    "name": ("https://10.96.0.1:443", "https://kubernetes.default.svc:443"),
    "malformed": ("</beans>", ""),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_template_that_differs_from_the_policies_is_an_error(case: str) -> None:
    made = rendered(profile="minimal", deploy_tls_secret="stores")  # noqa: S106
    assert compare(made.objects, made.deployment).errors == []
    data = made.one("ConfigMap", "ignite-config")["data"]
    assert BROKEN[case][0] in data["ignite.xml"]
    data["ignite.xml"] = data["ignite.xml"].replace(*BROKEN[case], 1)
    assert compare(made.objects, made.deployment).errors


def test_a_jvm_option_that_opens_a_port_of_another_listener_is_an_error() -> None:
    made = rendered(deploy_jvm_options=["-Dcom.sun.management.jmxremote.port=47100"])
    assert "use the same port" in str(made.agreement.errors)
    assert given()["ignite_lockdown_deploy_jvm_options"] == []
