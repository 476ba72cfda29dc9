# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment in which tests run: nothing of the user's clusters or Ansible settings reaches them."""

from __future__ import annotations

import configparser
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from gate.paths import BUILD, ROOT, cache_base, cache_dir
from gate.pythons import interpreters
from gate.tree import COLLECTION

SCRUBBED = re.compile(r"KUBECONFIG$|K8S_AUTH_|KUBERNETES_|ANSIBLE_|MOLECULE_|PYTHON|PYENV_VERSION$|VIRTUAL_ENV")


def scrubbed() -> dict[str, str]:
    """Return the environment without what names a cluster or changes how Python and Ansible behave."""
    return {name: value for name, value in os.environ.items() if not SCRUBBED.match(name)}


def environment(venv: Path, tree: Path, home: Path) -> dict[str, str]:
    """Return the environment for tools of a virtual environment that work on an exported collection."""
    programs = [venv / "bin", *(python.parent for python in interpreters().values())]
    user = Path.home()
    # Go's settings and modules stay the user's: the programs that the lab builds are kept by them.
    go = {"GOENV": str(user / ".config" / "go" / "env"), "GOPATH": str(user / "go")}
    return {
        **go,
        **scrubbed(),
        "PATH": os.pathsep.join([*map(str, programs), os.environ.get("PATH", os.defpath)]),
        "HOME": str(home),
        "XDG_CACHE_HOME": str(cache_base()),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(tree),
        "ANSIBLE_FORCE_COLOR": "false",
        "ANSIBLE_NOCOWS": "true",
        "PYTHONPATH": os.pathsep.join([str(tree), str(tree / COLLECTION / "tests")]),
    }


def fresh_home(name: str) -> Path:
    """Make an empty home directory: no kubeconfig, no Ansible settings, no collection of another run."""
    home = BUILD / "homes" / name
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    return home


def kept_home(name: str) -> Path:
    """Make or take a home directory in the cache, for the environments that ansible-test makes below its home."""
    home = cache_dir() / "homes" / name
    home.mkdir(parents=True, exist_ok=True)
    return home


def prepare_ansible_test(venv: Path, home: Path) -> None:
    """Give ansible-test pip's settings and, where it would look for a downloaded one, our pip bootstrap."""
    settings = home / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True, exist_ok=True)
    replace(settings, _pip_settings())
    source = next(venv.glob("lib/python*/site-packages/ansible_test/_internal/python_requirements.py"))
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in set(re.findall(r"""pip=['"]([0-9.]+)['"]""", source.read_text())):
        script = cache / f"get_pip_{version.replace('.', '_')}.py"
        replace(script, (ROOT / "tests" / "tools" / "gate" / "get_pip.py").read_text())


def replace(path: Path, text: str) -> None:
    """Write a file readable by its owner only, at once: a step that runs beside this one never sees half of it."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.chmod(0o600)
    temporary.rename(path)


def _pip_settings() -> str:
    """Return pip's settings in force, those from the environment included: ansible-test drops that."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    parser = configparser.RawConfigParser()
    parser["global"] = {"quiet": "1"}
    for name, value in re.findall(r"^(\S+)='(.*)'$", listed, re.MULTILINE):
        section, key = name.rsplit(".", 1)
        section = "global" if section == ":env:" else section
        if not parser.has_section(section):
            parser.add_section(section)
        parser.set(section, key, value)
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()
