# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make demo: `python -m demo` with tests/ on PYTHONPATH.

Without DEMO_KUBECONFIG everything happens on an embedded control plane. With it, and NAMESPACE, the
plan for that cluster is shown, and nothing but reading requests are sent.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import yaml

from demo import show
from demo.playbooks import PlaybookFailedError, Playbooks
from lab.control_plane import ControlPlane
from lab.errors import LabError
from lab.question import arrange_question

QUESTION = Path(__file__).parents[2] / "playbooks" / "vars" / "question.yml"


def main() -> int:
    kubeconfig = os.environ.get("DEMO_KUBECONFIG", "")
    try:
        if kubeconfig:
            _plan_for(Path(kubeconfig).expanduser(), os.environ.get("NAMESPACE", ""), os.environ.get("VARS", ""))
        else:
            _embedded(Path(os.environ.get("NETGUARD_BUILD", "build")) / "demo")
    except (LabError, PlaybookFailedError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def _embedded(output: Path) -> None:
    show.step("A control plane of its own: kube-apiserver and etcd on loopback")
    with ControlPlane() as plane, tempfile.TemporaryDirectory() as scratch:
        show.step("The world of the question: namespace cache-ns, its Ignite, clients, DNS, two hand-made policies")
        arrange_question(plane, policies=True)
        playbooks = Playbooks(plane.kubeconfig, Path(scratch))
        variables = yaml.safe_load(QUESTION.read_text(encoding="utf-8"))

        show.step("Lock down: ansible-playbook netguard.lockdown.lockdown")
        first, seconds = _timed(lambda: playbooks.lockdown(variables))
        show.result(first, seconds)

        show.step("The same once more: nothing may change")
        mark = plane.mark()
        second, seconds = _timed(lambda: playbooks.lockdown(variables))
        requests = plane.audit(mark)
        writes = [str(event) for event in requests if event.mutating]
        show.second_run(second, seconds, len(requests), writes)
        if second["changed"] or writes:
            raise PlaybookFailedError("The second run changed something: that is a bug")

        show.step("The same policies as files, for those who apply them by other means")
        targets = Path(scratch) / "targets.json"
        targets.write_text(json.dumps(first["targets"]), encoding="utf-8")
        show.files(playbooks.render(variables, targets, output.absolute()))


def _plan_for(kubeconfig: Path, namespace: str, variables_file: str) -> None:
    if not namespace:
        raise PlaybookFailedError("DEMO_KUBECONFIG is set: name the namespace too, as in NAMESPACE=cache-ns")
    variables: dict[str, t.Any] = {"ignite_lockdown_namespace": namespace, "ignite_lockdown_server_dry_run": False}
    if variables_file:
        given = yaml.safe_load(Path(variables_file).expanduser().read_text(encoding="utf-8")) or {}
        variables = {**given, **variables}
    show.step(f"The plan for namespace {namespace}; this only reads")
    with tempfile.TemporaryDirectory() as scratch:
        plan, seconds = _timed(lambda: Playbooks(kubeconfig, Path(scratch)).lockdown(variables, check=True))
    show.result(plan, seconds)
    show.nothing_was_written()


def _timed(work: t.Callable[[], dict[str, t.Any]]) -> tuple[dict[str, t.Any], float]:
    started = time.monotonic()
    return work(), time.monotonic() - started


if __name__ == "__main__":
    sys.exit(main())
