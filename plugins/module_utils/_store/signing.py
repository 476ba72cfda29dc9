# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Detached signatures by ssh-keygen (OpenSSH 8.2 or newer), which controllers and execution environments have.

An auditor checks them with the same tool and the public key. A shared secret would let whoever verifies forge too, and
a library would be one more thing to install.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ansible_collections.netguard.lockdown.plugins.module_utils._core.errors import LockdownError
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.chain import BAD, MISSING, VERIFIED
from ansible_collections.netguard.lockdown.plugins.module_utils._core.evidence.pack import SIGNATURE_NAMESPACE

SUFFIX = ".sig"
_PROGRAM = "ssh-keygen"
_SECONDS = 30


def sign(path: Path, key: str) -> None:
    """Write the file's signature beside it.

    :arg key: path of a private key without a passphrase, or of a public key whose private one an agent holds.
    """
    done = _run("-Y", "sign", "-f", key, "-n", SIGNATURE_NAMESPACE, str(path))
    if done.returncode != 0:
        raise LockdownError(
            "cannot_sign",
            f"Cannot sign the evidence with {key}",
            _told(done),
            "Give an SSH private key without a passphrase that only you may read, or a public key whose private one is "
            "in an ssh-agent",
        )


def judge(path: Path, allowed_signers: str) -> str:
    """Whether one of the allowed signers signed the file: verified, bad or missing."""
    signature = path.with_name(path.name + SUFFIX)
    if not signature.is_file():
        return MISSING
    content = path.read_bytes()
    found = _run("-Y", "find-principals", "-f", allowed_signers, "-s", str(signature), content=content)
    for signer in found.stdout.decode(errors="replace").splitlines() if found.returncode == 0 else []:
        arguments = ("-f", allowed_signers, "-I", signer.strip(), "-n", SIGNATURE_NAMESPACE, "-s", str(signature))
        if _run("-Y", "verify", *arguments, content=content).returncode == 0:
            return VERIFIED
    return BAD


def _run(*arguments: str, content: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    # A key with a passphrase must fail at once, not ask: no terminal, and an askpass program that says no.
    environment = {**os.environ, "SSH_ASKPASS": "false", "SSH_ASKPASS_REQUIRE": "force", "LC_ALL": "C"}
    try:
        # There is no module object here, which alone has run_command.
        return subprocess.run(  # pylint: disable=ansible-bad-function
            [_PROGRAM, *arguments],
            input=content,
            capture_output=True,
            env=environment,
            timeout=_SECONDS,
            start_new_session=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise LockdownError(
            "missing_program",
            "Cannot work with signatures",
            f"{_PROGRAM} is not on PATH",
            "Install OpenSSH's client programs, or leave signatures out",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise LockdownError(
            "cannot_sign",
            "Cannot work with signatures",
            f"{_PROGRAM} did not end within {_SECONDS} s",
            "Use a key that needs no confirmation",
        ) from error


def _told(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode(errors="replace").split("\n")
    return (
        "; ".join(line.strip().rstrip(".") for line in lines if line.strip())
        or f"{_PROGRAM} ended with {done.returncode}"
    )
