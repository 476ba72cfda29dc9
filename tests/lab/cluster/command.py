# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the real cluster: PYTHONPATH=tests python -m lab cluster {check,build,up,down,status,probe}."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import json
import time
import urllib.parse
from pathlib import Path

from lab import objects
from lab.binaries import to_stderr
from lab.cluster import builds, engines, images, jars, life, question, requirements
from lab.cluster.cluster import Cluster
from lab.cluster.state import Files, Options

STATE = Path("build/cluster")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the cluster's commands to a parser."""
    commands = parser.add_subparsers(required=True, metavar="{check,build,up,down,status,probe}")
    names = ", ".join(engines.ENGINES)
    checking = commands.add_parser("check", help="install the programs that are missing and try the machine")
    checking.set_defaults(run=check)
    building = commands.add_parser("build", help="find, build or assemble all programs and images")
    building.set_defaults(run=build)
    starting = commands.add_parser("up", help="start a cluster that stays")
    starting.set_defaults(run=up)
    for command in (checking, building):
        command.add_argument("--engine", default=engines.DEFAULT, help=f"{names}, or {engines.ALL} of them")
    usual = Options()
    starting.add_argument("--servers", type=int, choices=(1, 2), default=usual.servers, help="API servers on one etcd")
    starting.add_argument("--lifetime", type=float, default=usual.lifetime, metavar="SECONDS")
    starting.add_argument("--engine", default=usual.engine, help=f"policy engine: {names}")
    starting.add_argument("--dual-stack", action="store_true", help="pods, Services and nodes with IPv6 besides")
    starting.add_argument("--question", action="store_true", help="with the question's namespaces, Ignite and clients")
    ending = commands.add_parser("down", help="end it and remove all it left")
    ending.set_defaults(run=down)
    telling = commands.add_parser("status", help="say whether it is up, and how to reach it")
    telling.set_defaults(run=status)
    trying = commands.add_parser("probe", help="try to reach targets from a pod's network; the outcomes as JSON")
    trying.add_argument("--from", dest="source", required=True, metavar="POD.NAMESPACE")
    trying.add_argument("targets", nargs="+", metavar="TARGET", help="tcp://HOST:PORT, dns+udp://HOST:PORT/NAME, …")
    trying.set_defaults(run=probe)
    for command in (starting, ending, telling, trying):
        command.add_argument("--state", type=Path, default=STATE, metavar="DIR", help=f"its files (default {STATE})")


def check(arguments: argparse.Namespace) -> None:
    for engine in engines.chosen(arguments.engine):
        requirements.check(engine, to_stderr)
    print("this machine can run the cluster")


def build(arguments: argparse.Namespace) -> None:
    for engine in engines.chosen(arguments.engine):
        requirements.check(engine, to_stderr)
        print(images.find_or_assemble(builds.find_or_build(engine, to_stderr), to_stderr))
    for version in jars.OTHERS:
        images.jars_of(version, to_stderr)


def up(arguments: argparse.Namespace) -> None:
    began = time.monotonic()
    options = Options(arguments.servers, arguments.lifetime, arguments.engine, arguments.dual_stack)
    found, started = life.up(arguments.state, options)
    print(f"{'up' if started else 'up already'}: {', '.join(found.urls)}, {time.monotonic() - began:.0f} s")
    if started and arguments.question:
        question.arrange(Cluster(arguments.state))
        print("Ignite has formed its cluster")
    _show(arguments.state)


def down(arguments: argparse.Namespace) -> None:
    print("down" if life.down(arguments.state) else "nothing was up")


def status(arguments: argparse.Namespace) -> None:
    found = life.running(arguments.state)
    print(f"up: {', '.join(found.urls)}, kube-system {found.kube_system_uid}")
    _show(arguments.state)


def probe(arguments: argparse.Namespace) -> None:
    cluster = Cluster(arguments.state)
    targets = {target: _addressed(cluster, target) for target in arguments.targets}
    seen = cluster.probe(cluster.pod(_address(cluster, arguments.source)), list(targets.values()))
    print(json.dumps({target: seen[to] for target, to in targets.items()}, indent=2))


def _addressed(cluster: Cluster, target: str) -> str:
    """The target with an address in place of a pod's name."""
    url = urllib.parse.urlsplit(target)
    return url._replace(netloc=f"{_address(cluster, url.hostname or '')}:{url.port}").geturl()


def _address(cluster: Cluster, host: str) -> str:
    """The address of POD.NAMESPACE; an address stays as it is."""
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(host))
    name, _, namespace = host.partition(".")
    pod = cluster.read(objects.reference("v1", "Pod", name, namespace))
    return str(pod["status"].get("podIP", ""))


def _show(folder: Path) -> None:
    print(f"kubeconfig: {Files(folder).kubeconfig(0)}\nlogs: {Files(folder).run}")
