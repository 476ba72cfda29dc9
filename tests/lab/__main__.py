# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's command line: PYTHONPATH=tests python -m lab {build,up,down,env,cluster}."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from lab import binaries, state
from lab.cluster import command
from lab.environment import reaches_a_cluster
from lab.errors import LabError


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], None] = options.run
    try:
        run(options)
    except LabError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    return 0


def build(_: argparse.Namespace) -> None:
    found = binaries.find_or_build()
    print(f"kube-apiserver: {found.kube_apiserver}\netcd: {found.etcd}\nfrom: {found.origin}")


def up(arguments: argparse.Namespace) -> None:
    found, started = state.up(arguments.state, _options(arguments))
    where = "your own cluster" if found.own else ", ".join(found.urls)
    print(f"{'up' if started else 'up already'}: {where}\nkubeconfig: {found.kubeconfig}")


def down(arguments: argparse.Namespace) -> None:
    print("down" if state.down(arguments.state) else "nothing was up")


def env(arguments: argparse.Namespace) -> None:
    found = state.running(arguments.state)
    for name in sorted(filter(reaches_a_cluster, os.environ)):
        print(f"unset {name}")
    print(f"export K8S_AUTH_KUBECONFIG={shlex.quote(found.kubeconfig)}")


def supervise(arguments: argparse.Namespace) -> None:
    state.supervise(arguments.state, _options(arguments))


def _options(arguments: argparse.Namespace) -> state.Options:
    return state.Options(
        servers=arguments.servers,
        endpoint_reconciler=arguments.endpoint_reconciler,
        ip_family=arguments.ip_family,
        question=arguments.question or arguments.policies,
        policies=arguments.policies,
        lifetime=arguments.lifetime,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab", description="A real control plane on loopback, without root."
    )
    commands = parser.add_subparsers(required=True, metavar="{build,up,down,env,cluster}")
    _command(commands, "build", build, "find or build kube-apiserver and etcd")
    _cluster_options(_command(commands, "up", up, "start a control plane that stays"))
    for name, run, text in (
        ("down", down, "end it and remove all it left"),
        ("env", env, 'print shell lines that lead clients to it: eval "$(python -m lab env --state DIR)"'),
    ):
        _state_option(_command(commands, name, run, text))
    _cluster_options(_command(commands, "supervise", supervise, None))
    text = "a real cluster with a worker and a policy engine, in network namespaces; needs root"
    command.add(commands.add_parser("cluster", help=text, description=text))
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], None],
    text: str | None,
) -> argparse.ArgumentParser:
    # Without a help text a command is not listed: `supervise` is only for `up` to call.
    parser = commands.add_parser(name, help=text, description=text) if text else commands.add_parser(name)
    parser.set_defaults(run=run)
    return parser


def _state_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="where its files are")


def _cluster_options(parser: argparse.ArgumentParser) -> None:
    usual = state.Options()
    _state_option(parser)
    parser.add_argument("--servers", type=int, choices=(1, 2), default=usual.servers, help="API servers on one etcd")
    parser.add_argument("--endpoint-reconciler", choices=("lease", "none"), default=usual.endpoint_reconciler)
    parser.add_argument("--ip-family", choices=("ipv4", "ipv6", "dual"), default=usual.ip_family)
    parser.add_argument("--question", action="store_true", help="with the question's namespaces, pods and DNS")
    parser.add_argument("--policies", action="store_true", help="--question, and its hand-made policies")
    parser.add_argument("--lifetime", type=float, default=usual.lifetime, metavar="SECONDS")


if __name__ == "__main__":
    sys.exit(main())
