# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state folder of a cluster: which files, and who owns what runs."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from dataclasses import dataclass
from pathlib import Path

from lab.cluster import engines
from lab.errors import LabError
from lab.processes import Identity

LIFETIME_SECONDS = 2 * 3600.0


@dataclass(frozen=True)
class Options:
    """What `up` was asked for; a second `up` must ask for the same."""

    servers: int = 1
    lifetime: float = LIFETIME_SECONDS
    engine: str = engines.DEFAULT
    dual_stack: bool = False


@dataclass(frozen=True)
class Files:
    """The names in a state folder; nothing else in it is touched."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state.json"

    @property
    def report(self) -> Path:
        """Written by the supervisor when the cluster works."""
        return self.folder / "report.json"

    @property
    def log(self) -> Path:
        return self.folder / "supervisor.log"

    @property
    def run(self) -> Path:
        """Keys, data and the log of every process."""
        return self.folder / "run"

    @property
    def orders(self) -> Path:
        return self.folder / "orders"

    def kubeconfig(self, server: int) -> Path:
        return self.folder / ("kubeconfig" if server == 0 else f"kubeconfig-{server}")

    @property
    def all(self) -> list[Path]:
        kubeconfigs = [self.kubeconfig(number) for number in range(2)]
        return [self.state, self.report, self.log, self.run, self.orders, *kubeconfigs]


@dataclass(frozen=True)
class State:
    """What state.json says, and the supervisor's report once there is one."""

    options: Options
    unshare: Identity
    ready: bool = False
    kube_system_uid: str = ""
    urls: tuple[str, ...] = ()
    seconds: float = 0.0


def write(folder: Path, options: Options, unshare: Identity) -> None:
    """Replace state.json in one step."""
    draft = Files(folder).state.with_suffix(".new")
    draft.write_text(json.dumps({"options": dataclasses.asdict(options), "unshare": dataclasses.asdict(unshare)}))
    draft.replace(Files(folder).state)


def read(folder: Path) -> State | None:
    """The state of a folder; None where nothing was started."""
    files = Files(folder)
    raw = _load(files.state)
    if raw is None:
        return None
    options, unshare = Options(**raw["options"]), Identity(**raw["unshare"])
    report = _load(files.report)
    if report is None:
        return State(options, unshare)
    return State(options, unshare, True, report["kube_system_uid"], tuple(report["urls"]), report["seconds"])


def _load(path: Path) -> dict[str, t.Any] | None:
    try:
        raw: dict[str, t.Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise LabError(f"{path} is not readable: {error}", "", "run `down`, then `up` again") from error
    return raw
