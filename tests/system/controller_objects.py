# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of extensions/awx as the modules of awx.awx get them: the real modules, without their API."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from harness import COLLECTIONS

from gate import awx

Json = dict[str, t.Any]

EXTENSION = COLLECTIONS / "ansible_collections" / "netguard" / "lockdown" / "extensions" / "awx"
# In the place of the class that talks to the controller: Ansible still checks the options by the module's own spec.
RECORDER = """
import json, os
from ansible.module_utils.basic import AnsibleModule


class ControllerAPIModule(AnsibleModule):
    def __init__(self, argument_spec=None, **kwargs):
        super().__init__(argument_spec=argument_spec, **kwargs)
        line = json.dumps({"module": self._name, "options": self.params})
        with open(os.environ["NETGUARD_RECORD"], "a", encoding="utf-8") as record:
            record.write(line + "\\n")
        self.exit_json(changed=True)
"""


@dataclass(frozen=True)
class Objects:
    """What every module was given, by the module's name, with the options that were left out as None."""

    made: list[tuple[str, Json]]
    output: str

    def of(self, module: str) -> dict[str, Json]:
        return {options["name"]: options for name, options in self.made if name.rpartition(".")[2] == module}


def without_api(folder: Path) -> Path:
    """Collection awx.awx whose modules write down their options; the collections path that it is on."""
    source, target = awx.collection(), folder / awx.COLLECTION
    for part in ("meta", "plugins/modules"):
        shutil.copytree(source / part, target / part)
    utilities = target / "plugins" / "module_utils"
    utilities.mkdir()
    (utilities / "controller_api.py").write_text(RECORDER)
    return folder


def configure(folder: Path, settings: Json) -> tuple[subprocess.CompletedProcess[str], Objects]:
    """Run configure.yml."""
    record = folder / "record.jsonl"
    record.touch()
    env = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join([str(without_api(folder / "collections")), str(COLLECTIONS)]),
        "ANSIBLE_CONFIG": str(Path(__file__).with_name("ansible.cfg")),
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "NETGUARD_RECORD": str(record),
    }
    command = [
        sys.executable,
        "-m",
        "ansible",
        "playbook",
        str(EXTENSION / "configure.yml"),
        "-e",
        json.dumps(settings),
    ]
    done = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )
    lines = map(json.loads, record.read_text().splitlines())
    return done, Objects([(line["module"], line["options"]) for line in lines], done.stdout + done.stderr)
