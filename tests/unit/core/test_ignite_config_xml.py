# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""XML that is broken, dangerous or not Ignite's is refused with the place and without its content."""

from __future__ import annotations

import time

import pytest
from ignite_xml import PINNED, bean, beans, codes, discovery, ignite, kubernetes, listed, message, read

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.elements import LARGEST, parse
from ansible_collections.netguard.lockdown.plugins.module_utils._core.ignite_config.ignite import Config, read_ignite

BOMB = """<!DOCTYPE beans [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<beans>&b;</beans>"""
EXTERNAL = '<!DOCTYPE beans [<!ENTITY secret SYSTEM "file:///etc/passwd">]><beans>&secret;</beans>'
OLD = '<!DOCTYPE beans PUBLIC "-//SPRING//DTD BEAN//EN" "http://127.0.0.1:9/spring-beans.dtd"><beans/>'


def refusal(data: str | bytes) -> LockdownError:
    with pytest.raises(LockdownError) as caught:
        read_ignite(Config(data, "ignite.xml"))
    assert "ignite.xml" in str(caught.value)
    return caught.value


@pytest.mark.parametrize("document", [BOMB, EXTERNAL, OLD], ids=["a bomb", "an external entity", "a document type"])
def test_document_types_are_refused(document: str) -> None:
    error = refusal(document)
    assert (error.code, "line 1" in error.why) == ("unsafe_xml", True)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("", "no element found"),
        ("port: 47500", "line 1, column 1"),
        ("<beans>\n<bean></beans>", "mismatched tag in line 2"),
        ("<beans a='1' a='2'/>", "duplicate attribute"),
        ("<beans>&undefined;</beans>", "undefined entity"),
        ("<beans>\ud800</beans>", "encoding"),
        (b"<?xml version='1.0' encoding='EBCDIC-CP-XX'?><beans/>", "encoding"),
        (b"<beans>\xff\xfe</beans>", "not well-formed"),
        (b"\x00\x01\x02", "line 1"),
    ],
)
def test_malformed_xml_is_refused_with_its_place(document: str | bytes, why: str) -> None:
    error = refusal(document)
    assert error.code == "malformed_xml"
    assert why in error.why


def test_oversized_and_deep_xml_is_refused_at_once() -> None:
    began = time.monotonic()
    assert refusal("<beans>" + "a" * LARGEST + "</beans>").code == "oversized_xml"
    assert refusal("<a>" * 100_000).code == "oversized_xml"
    assert time.monotonic() - began < 5


def test_a_malformed_file_is_refused_without_quoting_it() -> None:
    assert "hunter2" not in str(refusal("<beans><property name='password' value='hunter2'></beans>"))


def test_every_encoding_that_xml_demands_is_read() -> None:
    text = '<?xml version="1.0" encoding="{}"?><beans>ä</beans>'
    for encoding in ("UTF-8", "UTF-16", "ISO-8859-1"):
        assert parse(text.format(encoding).encode(encoding), "x").text == "ä"
    assert parse(text.format("UTF-16"), "x").text == "ä"


@pytest.mark.parametrize(
    ("document", "code", "why"),
    [
        ("<configuration/>", "invalid_spring_xml", "root element is configuration"),
        (beans(), "no_ignite_configuration", "it has none"),
        (beans('<import resource="a.xml"/>'), "no_ignite_configuration", "other files"),
        (beans('<beans profile="x">', bean("IgniteConfiguration"), "</beans>"), "no_ignite_configuration", "profiles"),
        (beans(bean("IgniteConfiguration"), bean("IgniteConfiguration")), "no_ignite_configuration", "it has 2"),
        (ignite().replace("IgniteConfiguration", "Other"), "no_ignite_configuration", "it has none"),
        (beans('<bean id="a"/>', '<bean name="b, a"/>'), "invalid_spring_xml", "bean a is defined twice"),
        (beans('<bean id="a" parent="b"/>', '<bean id="b" parent="a"/>'), "invalid_spring_xml", "its own parent"),
    ],
)
def test_what_is_no_configuration_is_refused(document: str, code: str, why: str) -> None:
    error = refusal(document)
    assert error.code == code
    assert why in error.why


def configuration(spi: str, *others: str, attributes: str = "") -> str:
    return beans(bean("IgniteConfiguration", attributes=attributes, **{**PINNED, "discoverySpi": spi}), *others)


@pytest.mark.parametrize(
    ("spi", "why"),
    [
        ('<bean class="x.TcpDiscoverySpi"><property name="ipFinder"/></bean>', "has 0 values"),
        ('<bean class="x.TcpDiscoverySpi"><property name="ipFinder"><null/><null/></property></bean>', "has 2 values"),
        (bean("TcpDiscoverySpi", attributes='p:localPort="1"', localPort=2), "property localPort is set twice"),
    ],
)
def test_what_spring_refuses_is_refused(spi: str, why: str) -> None:
    assert why in refusal(configuration(spi)).why


def test_all_ways_to_write_a_bean_lead_to_the_same() -> None:
    finder = kubernetes(namespace="cache-ns", masterUrl="https://172.30.0.1:443")
    expected = read(configuration(discovery(finder, localPort=47600, localPortRange=0))).listeners[0]
    assert (expected.port, expected.last_port) == (47600, 47600)
    named = bean("TcpDiscoverySpi", attributes='id="spi"', localPort=47600, localPortRange=0, ipFinder=finder)
    parent = bean("TcpDiscoverySpi", attributes='id="base" abstract="true"', localPort=1, localPortRange=0)
    child = '<bean id="spi" parent="base" p:localPort="47600"/>'
    for document in (
        configuration('<ref bean="spi"/>', named),
        configuration('<ref bean="also"/>', named, '<alias name="spi" alias="also"/>'),
        configuration('<ref bean="spi"/>', parent, child),
        configuration(
            bean("TcpDiscoverySpi", attributes='p:localPort="47600" p:localPortRange="0" p:ipFinder-ref="f"'),
            finder.replace("<bean ", '<bean id="f" ', 1),
        ),
        configuration(discovery(finder, localPort="<value> 47600 </value>", localPortRange="<value>0</value>")),
        beans("<beans>", *configuration('<ref bean="spi"/>', named).splitlines()[3:-1], "</beans>"),
        # Spring takes capitals and hyphens for the same property.
        ignite(DiscoverySpi=bean("TcpDiscoverySpi", LocalPort=47600, LocalPortRange=0, IpFinder=finder)),
        configuration(
            bean("TcpDiscoverySpi", attributes='p:local-port="47600" p:local-port-range="0"', ipFinder=finder)
        ),
    ):
        found = read(document)
        assert (found.listeners[0].port, found.listeners[0].last_port) == (47600, 47600), document


def test_a_configuration_inherits_from_an_abstract_one() -> None:
    base = bean("IgniteConfiguration", attributes='id="base" abstract="true"', **PINNED)
    without = '<property name="clientConnectorConfiguration"><null/></property>'
    found = read(beans(base, f'<bean parent="base">{without}</bean>'))
    assert found.as_dict()["ports"] == {"discovery": 47500, "communication": 47100, "connector": 11211, "rest": 8080}


@pytest.mark.parametrize(
    "port",
    ["${IGNITE_PORT}", "${IGNITE_PORT:47500}", "#{T(java.lang.Integer).valueOf('47500')}", "<ref bean='elsewhere'/>",
     "<util:constant static-field='a.B.C'/>", "<bean class='java.lang.Integer'/>", "many", "0x1", "\uff11", "<null/>"],
)  # fmt: skip
def test_a_port_that_is_not_written_out_is_never_guessed(port: str) -> None:
    found = read(configuration(discovery(kubernetes(), localPort=port, localPortRange=0)))
    assert found.listeners[0].port is None
    assert found.as_dict()["ports"] is None
    assert {"unknown_value", "invalid_value"} & set(codes(found, "error"))


@pytest.mark.parametrize(
    "connector",
    [
        '<bean class="org.apache.ignite.configuration.ClientConnectorConfiguration" factory-method="make"/>',
        bean("org.springframework.beans.factory.config.MethodInvokingFactoryBean", targetMethod="setPort"),
        bean("com.example.PinnedClientConnector"),
    ],
)
@pytest.mark.parametrize("name", ["thin_client", "connector"])
def test_a_connector_that_may_set_its_own_port_is_not_taken_for_ignites(name: str, connector: str) -> None:
    holder = {"thin_client": "clientConnectorConfiguration", "connector": "connectorConfiguration"}[name]
    found = read(ignite(**{**PINNED, holder: connector}))
    assert {listener.name: listener.port for listener in found.listeners}[name] is None
    assert f"other_{name}" in codes(found, "error")
    assert found.as_dict()["ports"] is None


@pytest.mark.parametrize("wiring", ["byName", "byType"])
def test_what_spring_wires_by_itself_is_unknown(wiring: str) -> None:
    """Ignite takes the bean discoverySpi here, though nobody refers to it."""
    spi = bean("TcpDiscoverySpi", attributes='id="discoverySpi"', localPort=48500, ipFinder=kubernetes())
    by_root = beans(spi, bean("IgniteConfiguration")).replace("<beans ", f'<beans default-autowire="{wiring}" ', 1)
    by_bean = beans(spi, bean("IgniteConfiguration", attributes=f'autowire="{wiring}"'))
    for document in (by_root, by_bean):
        found = read(document)
        assert (found.listeners[0].port, found.discovery.mode) == (None, "unknown")
        assert "unknown_value" in codes(found, "error")


def test_wiring_by_name_where_no_bean_has_the_name_sets_nothing() -> None:
    document = beans(bean("IgniteConfiguration", **PINNED))
    wired = document.replace("<beans ", '<beans default-autowire="byName" ', 1)
    assert read(wired).as_dict() == read(document).as_dict()


def test_lists_that_are_merged_by_default_are_unknown() -> None:
    finder = bean("TcpDiscoveryVmIpFinder", attributes='id="base" abstract="true"', addresses=listed("a.b"))
    child = '<bean parent="base"><property name="addresses"><list><value>10.0.0.1</value></list></property></bean>'
    document = configuration(discovery(child), finder).replace("<beans ", '<beans default-merge="true" ', 1)
    assert read(document).discovery.mode == "unknown"
    plain = read(document.replace("<list>", '<list merge="false">'))
    assert plain.discovery.addresses == ("10.0.0.1",)


def test_the_finders_own_properties_win_over_the_bean_that_it_is_made_from() -> None:
    settings = bean("KubernetesConnectionConfiguration", namespace="one", serviceName="a", masterUrl="https://10.0.0.1")
    own = {"namespace": "two", "masterUrl": "https://10.0.0.2:6443"}
    found = read(configuration(discovery(bean("TcpDiscoveryKubernetesIpFinder", settings, **own)))).discovery
    assert (found.namespace, found.service, found.master_url) == ("two", "a", "https://10.0.0.2:6443")


def test_a_finder_made_from_what_is_no_connection_bean_is_unknown() -> None:
    made = "<bean class='com.example.Connection' factory-method='make'/>"
    found = read(configuration(discovery(bean("TcpDiscoveryKubernetesIpFinder", made))))
    assert found.discovery.mode == "unknown"
    assert "unknown_value" in codes(found, "error")


def test_a_placeholder_is_named_without_its_default() -> None:
    found = read(configuration(discovery(kubernetes(), localPort="${PORT:hunter2}")))
    assert "placeholder PORT " in message(found, "unknown_value")
    assert "hunter2" not in str(found.as_dict())


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (beans(bean("IgniteConfiguration", **PINNED), '<import resource="classpath:other.xml"/>'), "import_not_read"),
        (beans(bean("IgniteConfiguration", **PINNED), '<beans profile="prod"/>'), "profile_not_read"),
        (configuration(discovery(kubernetes()), attributes='p:discoverySpi.localPort="47999"'), "unknown_value"),
        (beans('<bean class="org.apache.ignite.configuration.IgniteConfiguration" parent="gone"/>'), "unknown_value"),
        (beans(bean("IgniteConfiguration", '<ref bean="gone"/>')), "unknown_value"),
        (configuration('<ref bean="gone"/>'), "unknown_value"),
        (beans(bean("IgniteConfiguration", **PINNED), bean("org.x.PropertyOverrideConfigurer")), "override_not_read"),
        (
            beans(
                bean("IgniteConfiguration", **PINNED),
                '<context:component-scan xmlns:context="http://www.springframework.org/schema/context"/>',
            ),
            "override_not_read",
        ),
        (configuration("<bean class='x.Factory' factory-method='make'/>"), "other_discovery"),
        (configuration(bean("org.apache.ignite.spi.discovery.zk.ZookeeperDiscoverySpi")), "other_discovery"),
    ],
)
def test_what_is_elsewhere_is_reported_as_an_error(document: str, code: str) -> None:
    assert code in codes(read(document), "error")


def test_references_that_multiply_cost_nothing() -> None:
    lists = [f'<util:list id="l{n}"><ref bean="l{n + 1}"/><ref bean="l{n + 1}"/></util:list>' for n in range(50)]
    began = time.monotonic()
    finder = '<bean class="x.TcpDiscoveryVmIpFinder"><property name="addresses" ref="l0"/></bean>'
    assert "unknown_discovery" in codes(read(configuration(discovery(finder), *lists, '<util:list id="l50"/>')))
    assert time.monotonic() - began < 1
