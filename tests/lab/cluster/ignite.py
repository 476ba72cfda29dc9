# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Ignite cluster as its users run it: a StatefulSet with the Kubernetes IP finder and the least rights."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

from lab import objects
from lab.client import Manifest
from lab.cluster import clients
from lab.cluster.cluster import Cluster
from lab.cluster.images import ignite_image
from lab.processes import wait_until

NAME = "ignite"
LABELS = {"app": "ignite"}
DISCOVERY, COMMUNICATION, THIN_CLIENT, CONNECTOR, REST = 47500, 47100, 10800, 11211, 8080
# What Ignite needs on Java 17 and newer; in the official images, too, they are given by JVM_OPTS.
OPENED = [
    "java.base/jdk.internal.access",
    "java.base/jdk.internal.misc",
    "java.base/sun.nio.ch",
    "java.base/sun.util.calendar",
    "java.base/sun.reflect.generics.reflectiveObjects",
    "java.base/java.io",
    "java.base/java.nio",
    "java.base/java.net",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.locks",
    "java.base/java.util.concurrent.atomic",
    "java.base/java.lang",
    "java.base/java.lang.invoke",
    "java.base/java.math",
    "java.base/java.lang.reflect",
    "java.base/java.time",
    "java.base/java.text",
    "java.management/com.sun.jmx.mbeanserver",
    "java.management/sun.management",
    "jdk.internal.jvmstat/sun.jvmstat.monitor",
    "jdk.management/com.sun.management.internal",
    "java.sql/java.sql",
    "java.desktop/java.awt.font",
]
# Small and quick to start: many of them share a test machine's two processors. A replaced pod has another address, and
# its peers would dial the old one for as long as Java remembers it, which is 30 s.
JVM_OPTS = [
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-DIGNITE_UPDATE_NOTIFIER=false",
    "-Dsun.net.inetaddr.ttl=0",
]
NO_DNS: Manifest = {
    "dnsPolicy": "None",
    "dnsConfig": {
        "nameservers": ["127.0.0.1"],
        "options": [
            {"name": "timeout", "value": "1"},
            {"name": "attempts", "value": "1"},
            {"name": "ndots", "value": "1"},
        ],
    },
}
FINDER = "org.apache.ignite.spi.discovery.tcp.ipfinder.kubernetes.TcpDiscoveryKubernetesIpFinder"
FINDER_SETTINGS = "org.apache.ignite.kubernetes.configuration.KubernetesConnectionConfiguration"
FORM_SECONDS = 90.0
POLL_SECONDS = 0.25
# Quiet and verbose logs say it differently.
STARTED = re.compile(r"Ignite node started OK|Node started : \[")
SNAPSHOT = re.compile(r"Topology snapshot \[ver=(\d+),.*?servers=(\d+)")


@dataclass(frozen=True)
class Ignite:
    """What the Ignite cluster of a namespace is like."""

    namespace: str
    version: str = "2.10.0"
    replicas: int = 2
    master_url: str = ""  # the API server; empty for the IP finder's default, a host name
    dns: bool = True
    syn_retries: int = 0  # 0 is the kernel's default: about 130 s until a connection attempt fails
    rest: bool = False  # with REST over HTTP, and readiness asked from it
    backups: int = 0
    idle_connection_seconds: int = 0  # 0 is Ignite's default
    hacked: bool = False  # with a second container in each pod, that calls the C&C host all the time
    labels: dict[str, str] = field(default_factory=lambda: dict(LABELS))

    def manifests(self) -> list[Manifest]:
        """The account with its rights, the Service, the configuration and the StatefulSet."""
        user = f"system:serviceaccount:{self.namespace}:{NAME}"
        ports = [{"name": "discovery", "port": DISCOVERY}]
        spec = {"publishNotReadyAddresses": True}
        return [
            objects.service_account(NAME, self.namespace),
            *objects.grant(user, [objects.rule(["get"], ["endpoints"], names=[NAME])], self.namespace),
            objects.service(NAME, self.namespace, selector=self.labels, ports=ports, cluster_ip="None", spec=spec),
            objects.config_map(NAME, self.namespace, {"ignite.xml": self.configuration()}),
            self._stateful_set(),
        ]

    def configuration(self) -> str:
        """Ignite's configuration.

        Every port range is 0, or a busy port would silently become the next one. Writes reach the backups before
        they are confirmed, or a node that reads from its backup may not see what has just been written.
        """
        finder = _properties(
            namespace=self.namespace, serviceName=NAME, **({"masterUrl": self.master_url} if self.master_url else {})
        )
        idle = {"idleConnectionTimeout": self.idle_connection_seconds * 1000} if self.idle_connection_seconds else {}
        communication = _properties(localPort=COMMUNICATION, localPortRange=0, **idle)
        return f"""<?xml version="1.0" encoding="UTF-8"?>
<beans xmlns="http://www.springframework.org/schema/beans" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans
                      http://www.springframework.org/schema/beans/spring-beans.xsd">
 <bean class="org.apache.ignite.configuration.IgniteConfiguration">
  <property name="discoverySpi">
   <bean class="org.apache.ignite.spi.discovery.tcp.TcpDiscoverySpi">
    {_properties(localPort=DISCOVERY, localPortRange=0)}
    <property name="ipFinder"><bean class="{FINDER}"><constructor-arg>
     <bean class="{FINDER_SETTINGS}">{finder}</bean>
    </constructor-arg></bean></property>
   </bean>
  </property>
  <property name="communicationSpi">
   <bean class="org.apache.ignite.spi.communication.tcp.TcpCommunicationSpi">{communication}</bean>
  </property>
  <property name="clientConnectorConfiguration">
   <bean class="org.apache.ignite.configuration.ClientConnectorConfiguration">
    {_properties(port=THIN_CLIENT, portRange=0)}
   </bean>
  </property>
  <property name="cacheConfiguration">
   <bean class="org.apache.ignite.configuration.CacheConfiguration">
    {_properties(name="lab", backups=self.backups, writeSynchronizationMode="FULL_SYNC")}
   </bean>
  </property>
 </bean>
</beans>
"""

    def _stateful_set(self) -> Manifest:
        options = [*JVM_OPTS, *(f"--add-opens={package}=ALL-UNNAMED" for package in OPENED)]
        libraries = ["ignite-kubernetes", *(["ignite-rest-http"] if self.rest else [])]
        env = {
            "OPTION_LIBS": ",".join(libraries),
            "CONFIG_URI": "file:///config/ignite.xml",
            "JVM_OPTS": " ".join(options),
            "IGNITE_QUIET": "false",
        }
        ports = {"discovery": DISCOVERY, "communication": COMMUNICATION, "client": THIN_CLIENT}
        container: Manifest = {
            "name": NAME,
            "image": ignite_image(self.version),
            "env": [{"name": name, "value": value} for name, value in env.items()],
            "ports": [{"name": name, "containerPort": port} for name, port in ports.items()],
            "volumeMounts": [{"name": "config", "mountPath": "/config"}],
        }
        if self.rest:
            probe = {"httpGet": {"path": "/ignite?cmd=probe", "port": REST}, "periodSeconds": 1, "timeoutSeconds": 2}
            container["readinessProbe"] = {**probe, "failureThreshold": 120}
        return {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": NAME, "namespace": self.namespace, "labels": self.labels},
            "spec": {
                "replicas": self.replicas,
                "serviceName": NAME,
                "podManagementPolicy": "Parallel",
                "selector": {"matchLabels": self.labels},
                "template": {"metadata": {"labels": self.labels}, "spec": self._pod(container)},
            },
        }

    def _pod(self, container: Manifest) -> Manifest:
        sysctls = [{"name": "net.ipv4.tcp_syn_retries", "value": str(self.syn_retries)}] if self.syn_retries else []
        return {
            "serviceAccountName": NAME,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 10,
            "securityContext": {"sysctls": sysctls},
            "containers": [container, *([clients.container("hacked", clients.CALL_HOME)] if self.hacked else [])],
            "volumes": [{"name": "config", "configMap": {"name": NAME}}],
            **({} if self.dns else NO_DNS),
        }


def logs(cluster: Cluster, ignite: Ignite) -> list[str]:
    """What each node has printed, by the names of their pods."""
    pods = cluster.pods(ignite.namespace, ignite.labels)
    return [cluster.pod_log(ignite.namespace, pod["metadata"]["name"], NAME) for pod in pods]


def formed(cluster: Cluster, ignite: Ignite, servers: int, seconds: float = FORM_SECONDS) -> bool:
    """Whether, within so many seconds, every node has started and sees so many servers."""

    def met() -> bool:
        found = logs(cluster, ignite)
        return len(found) == ignite.replicas and all(started(log) and topology(log)[1] == servers for log in found)

    return wait_until(met, seconds, POLL_SECONDS)


def started(log: str) -> bool:
    """Whether a node's log says that it has started."""
    return STARTED.search(log) is not None


def topology(log: str) -> tuple[int, int]:
    """The newest topology that a node's log names: its version and the number of servers; zeros before the first.

    Snapshots are not logged in the order of their versions: the last line may tell of an older one.
    """
    return max(((int(version), int(servers)) for version, servers in SNAPSHOT.findall(log)), default=(0, 0))


def _properties(**values: t.Any) -> str:
    return "".join(
        f"<property name={quoteattr(name)} value={quoteattr(str(value))}/>" for name, value in values.items()
    )
