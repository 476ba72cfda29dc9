# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One control plane as a process of its own, so that several start at the same time.

Prints where it is as one line of JSON, and ends with its standard input. The line `down` stops the API server before.
"""

from __future__ import annotations

import json
import sys

from lab.control_plane import ControlPlane
from lab.question import arrange_question


def main() -> None:
    with ControlPlane() as plane:
        arrange_question(plane)
        where = {
            "kubeconfig": str(plane.kubeconfig),
            "nobody": str(plane.user_kubeconfig("nobody-in-particular")),
            "uid": plane.kube_system_uid,
            "port": plane.port,
        }
        print(json.dumps(where), flush=True)
        for line in sys.stdin:
            if line.strip() == "down":
                plane.stop_server(0)
                print("null", flush=True)


if __name__ == "__main__":
    main()
