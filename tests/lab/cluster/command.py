# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the real cluster: PYTHONPATH=tests python -m lab cluster {check,build,up,down,status}."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from lab.binaries import to_stderr
from lab.cluster import builds, engines, images, life, requirements
from lab.cluster.state import Files, Options

STATE = Path("build/cluster")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the cluster's commands to a parser."""
    commands = parser.add_subparsers(required=True, metavar="{check,build,up,down,status}")
    checking = commands.add_parser("check", help="install the programs that are missing and try the machine")
    checking.set_defaults(run=check)
    building = commands.add_parser("build", help="find, build or assemble all programs and images")
    building.set_defaults(run=build)
    starting = commands.add_parser("up", help="start a cluster that stays")
    starting.set_defaults(run=up)
    usual = Options()
    starting.add_argument("--servers", type=int, choices=(1, 2), default=usual.servers, help="API servers on one etcd")
    starting.add_argument("--lifetime", type=float, default=usual.lifetime, metavar="SECONDS")
    starting.add_argument("--engine", default=usual.engine, help=f"policy engine: {', '.join(engines.ENGINES)}")
    ending = commands.add_parser("down", help="end it and remove all it left")
    ending.set_defaults(run=down)
    telling = commands.add_parser("status", help="say whether it is up, and how to reach it")
    telling.set_defaults(run=status)
    for command in (starting, ending, telling):
        command.add_argument("--state", type=Path, default=STATE, metavar="DIR", help=f"its files (default {STATE})")


def check(_: argparse.Namespace) -> None:
    requirements.check(to_stderr)
    print("this machine can run the cluster")


def build(_: argparse.Namespace) -> None:
    requirements.check(to_stderr)
    print(images.find_or_assemble(builds.find_or_build(to_stderr), to_stderr))


def up(arguments: argparse.Namespace) -> None:
    began = time.monotonic()
    found, started = life.up(arguments.state, Options(arguments.servers, arguments.lifetime, arguments.engine))
    print(f"{'up' if started else 'up already'}: {', '.join(found.urls)}, {time.monotonic() - began:.0f} s")
    _show(arguments.state)


def down(arguments: argparse.Namespace) -> None:
    print("down" if life.down(arguments.state) else "nothing was up")


def status(arguments: argparse.Namespace) -> None:
    found = life.running(arguments.state)
    print(f"up: {', '.join(found.urls)}, kube-system {found.kube_system_uid}")
    _show(arguments.state)


def _show(folder: Path) -> None:
    print(f"kubeconfig: {Files(folder).kubeconfig(0)}\nlogs: {Files(folder).run}")
