# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the two pods of a canary run: one listens, the other one waits for commands. Only what images have anyway."""

from __future__ import annotations

# The exit code that says: nothing in this image can listen.
NO_LISTENER = 78

_PYTHON = r"""
import selectors, socket, sys
waiting = selectors.DefaultSelector()
for port in map(int, sys.argv[1:]):
    if socket.has_dualstack_ipv6():
        server = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    else:
        server = socket.create_server(("", port))
    waiting.register(server, selectors.EVENT_READ)
while True:
    for key, _events in waiting.select():
        key.fileobj.accept()[0].close()
"""

# Every Java runtime can serve RMI's registry: an Ignite image that has nothing else has that. It lets nobody bind a
# name from another host, and holds none.
_LISTEN = r"""
python=$1
shift
python3 -I -c '' 2>/dev/null && exec python3 -I -c "$python" "$@"
case $(nc --help 2>&1) in
*BusyBox*"-e PROG"*)
  for port in "$@"; do nc -ll -p "$port" -e sh -c : & done
  wait
  exit 1 ;;
esac
java=$(command -v java || echo "${JAVA_HOME:-/nowhere}/bin/java")
[ -x "$java" ] || exit 78
for port in "$@"; do
  "$java" -Xmx8m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData sun.rmi.registry.RegistryImpl "$port" &
done
wait
exit 1
"""


def listen(ports: tuple[int, ...]) -> list[str]:
    """The argument vector of a process that accepts connections on each port."""
    return ["sh", "-c", _LISTEN, "sh", _PYTHON, *map(str, ports)]


def idle(seconds: int) -> list[str]:
    """The argument vector of a process that does nothing for so long."""
    return ["sh", "-c", 'exec sleep "$0"', str(seconds)]
