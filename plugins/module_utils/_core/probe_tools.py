# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What opens connections from inside a container: constant scripts for what its image has, and what they said.

A script gets its targets as arguments and tries them all at once. It says `probe-N: =WORD`, or what the
system says of a failure. Whatever cannot be told from that is `failed`, never blocked.
"""

from __future__ import annotations

import ipaddress
import re
import struct
import typing as t
from dataclasses import dataclass

TCP, DNS_UDP, DNS_TCP = "tcp", "dns+udp", "dns+tcp"

CONNECTED, REFUSED, TIMED_OUT, UNREACHABLE = "connected", "refused", "timed_out", "unreachable"
DNS_ANSWERED, DNS_FAILED = "dns_answered", "dns_failed"
NO_TOOL, FAILED, MISSING, RESTARTED, NOT_PROBED = "no_tool", "failed", "missing", "restarted", "not_probed"

# Nothing listens there, and nothing on the way can interfere: it tells whether a tool tells the truth.
_LOOPBACK, _CLOSED_PORT = "127.0.0.1", 1
# Both bytes are letters: a shell cannot read others.
_QUERY_ID = b"NG"
_PTR, _IN = 12, 1

# Only what can do all that its script needs: `wait -n` came with bash 4.3, and not every nc is the one of BusyBox.
_FIND = (
    "python3 -I -c '' 2>/dev/null && echo python3\n"
    "case $(bash -c 'help wait' 2>/dev/null) in *-n*) command -v sleep >/dev/null && echo bash ;; esac\n"
    'case $(nc --help 2>&1) in *BusyBox*"-e PROG"*) echo nc ;; esac\n'
    "exit 0\n"
)
FIND = ("sh", "-c", _FIND)

_BASH = r"""
export LC_ALL=C
one='case $1 in
tcp) exec 3<>"/dev/tcp/$2/$3" && echo "$0: =connected" ;;
dns+udp) exec 3<>"/dev/udp/$2/$3" && printf %b "$4" >&3 && IFS= read -r -N 1 -u 3 reply &&
  case $reply in N) echo "$0: =answered" ;; *) echo "$0: =garbled" ;; esac ;;
dns+tcp) exec 3<>"/dev/tcp/$2/$3" && echo "$0: =open" && printf %b "$4" >&3 && IFS= read -r -N 3 -u 3 reply &&
  case $reply in *NG*) echo "$0: =answered" ;; *) echo "$0: =garbled" ;; esac ;;
esac'
sleep "$1" & clock=$!
shift
pids=()
while [ $# -gt 0 ]; do
  bash -c "$one" "probe-${#pids[@]}" "$1" "$2" "$3" "$4" 2>&1 &
  pids+=($!)
  shift 4
done
while :; do
  running=$(jobs -pr)
  running=" ${running//$'\n'/ } "
  case $running in "  " | " $clock ") break ;; *" $clock "*) wait -n ;; *) break ;; esac
done
for pid in $running; do kill -9 "$pid"; done 2>/dev/null
wait "$clock" 2>/dev/null && over=yes
for number in "${!pids[@]}"; do
  wait "${pids[number]}" 2>/dev/null
  [ "$?$over" != 137yes ] || echo "probe-$number: =timed_out"
done
exit 0
"""

_PYTHON = r"""
import socket, struct, sys, threading
def attempt(kind, address, port, query):
    if kind == "dns+udp":
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as link:
            link.settimeout(seconds)
            link.connect((address, int(port)))
            link.send(query)
            return "=answered" if link.recv(4096)[:2] == query[:2] else "=garbled"
    with socket.create_connection((address, int(port)), seconds) as link:
        if kind == "tcp":
            return "=connected"
        try:
            link.sendall(query)
            reply = link.recv(4096)
            while reply and len(reply) < 4:
                reply += link.recv(4096)
        except OSError:
            return "=open"
        return "=answered" if reply[2:4] == query[2:4] else "=garbled"
def run(number, kind, address, port, query):
    try:
        said = attempt(kind, address, port, bytes.fromhex(query))
    except TimeoutError as error:
        said = "=timed_out" if error.errno is None else "Connection timed out"
    except OSError as error:
        said = "connect: " + str(error.strerror or error)
    with lock:
        print("probe-%d: %s" % (number, said), flush=True)
socket.timeout = TimeoutError
lock, seconds, words = threading.Lock(), float(sys.argv[1]), sys.argv[2:]
threads = [
    threading.Thread(target=run, args=(at // 4, *words[at : at + 4]), daemon=True) for at in range(0, len(words), 4)
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(seconds * 3)
"""

# nc limits its time itself, and runs a program once it is connected.
_NC = r"""
export LC_ALL=C
seconds=$1
shift
number=0
while [ $# -gt 0 ]; do
  (
    said="=no_tool"
    [ "$1" != tcp ] || said=$(nc -w "$seconds" "$2" "$3" -e sh -c 'echo =connected >&2' </dev/null 2>&1)
    echo "probe-$number: $said"
  ) &
  number=$((number + 1))
  shift 4
done
wait
exit 0
"""

_LINE = re.compile(r"^probe-(\d+): (?:line \d+: )?(.*)$", re.MULTILINE)
_WORDS = {
    "=connected": CONNECTED,
    "=answered": DNS_ANSWERED,
    "=garbled": DNS_FAILED,
    "=open": DNS_FAILED,
    "=timed_out": TIMED_OUT,
    "=no_tool": NO_TOOL,
}
# As glibc and as musl say it. The first that fits counts.
_SAYINGS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile("connection refused", re.IGNORECASE), REFUSED),
    (re.compile("connection reset", re.IGNORECASE), DNS_FAILED),
    (re.compile("timed out", re.IGNORECASE), TIMED_OUT),
    (re.compile("no route to host|(host|network)( is)? unreachable", re.IGNORECASE), UNREACHABLE),
    (re.compile("connect.*(operation not permitted|permission denied)", re.IGNORECASE), UNREACHABLE),
)
_LONGEST_SAYING = 200


@dataclass(frozen=True)
class Destination:
    """One address that a container tries to reach; `query` only for the kinds that ask a DNS server."""

    kind: str
    address: str
    port: int
    query: bytes = b""


@dataclass(frozen=True)
class Observation:
    """What one attempt came to, and what was said about it."""

    outcome: str
    text: str = ""


@dataclass(frozen=True)
class Batch:
    """Attempts from one container at once, with some on loopback whose outcome is known beforehand."""

    tool: str
    destinations: tuple[Destination, ...]
    seconds: int
    listener: tuple[str, int] | None = None  # an address of the pod itself, with a port on which it listens

    @property
    def _controls(self) -> list[tuple[Destination, str]]:
        controls = [(Destination(TCP, _LOOPBACK, _CLOSED_PORT), REFUSED)]
        if self.listener:
            controls.append((Destination(TCP, *self.listener), CONNECTED))
        if any(destination.kind == DNS_UDP for destination in self.destinations) and self.tool != "nc":
            controls.append((Destination(DNS_UDP, _LOOPBACK, _CLOSED_PORT, _query(_LOOPBACK)), REFUSED))
        return controls

    def command(self) -> list[str]:
        """The argument vector."""
        start, encode = _TOOLS[self.tool]
        every = [*self.destinations, *(destination for destination, _outcome in self._controls)]
        words = [(each.kind, each.address, str(each.port), encode(each.query)) for each in every]
        return [*start, str(self.seconds), *(word for group in words for word in group)]

    def read(self, output: str, elapsed: float) -> list[Observation]:
        """One observation per destination, from the script's output and the seconds that it took."""
        said: dict[int, list[str]] = {}
        for number, text in _LINE.findall(output):
            said.setdefault(int(number), []).append(text.strip())
        observed = [_observe(said.get(index, [])) for index in range(len(self.destinations) + len(self._controls))]
        wrong = self._wrong(observed[len(self.destinations) :])
        if not wrong and elapsed < self.seconds and any("=timed_out" in texts for texts in said.values()):
            wrong = f"it gave up after {elapsed:.1f} s instead of {self.seconds} s"
        if wrong:
            return [Observation(FAILED, f"{self.tool} cannot be trusted here: {wrong}")] * len(self.destinations)
        return observed[: len(self.destinations)]

    def _wrong(self, observed: t.Sequence[Observation]) -> str:
        """Why the tool cannot be trusted; empty when every control came out as it must."""
        for (destination, expected), seen in zip(self._controls, observed, strict=True):
            if seen.outcome != expected:
                where = f"{destination.kind} {destination.address}:{destination.port}"
                return f"{where} is {expected}, it says {seen.outcome} {seen.text}".rstrip()
        return ""


def choose(found: str) -> str | None:
    """The best of the tools that FIND listed."""
    return next((name for name in _TOOLS if name in found.split()), None)


def dns_destination(protocol: str, address: str, port: int, asked: str) -> Destination:
    """A query for the name that belongs to an address: every cluster DNS knows its Services' addresses itself."""
    query = _query(asked)
    if protocol == "UDP":
        return Destination(DNS_UDP, address, port, query)
    return Destination(DNS_TCP, address, port, struct.pack("!H", len(query)) + query)


def _query(address: str) -> bytes:
    labels = ipaddress.ip_address(address).reverse_pointer.split(".")
    name = b"".join(bytes([len(label)]) + label.encode() for label in labels)
    flags = 0x0100  # recursion desired, as every resolver asks
    return _QUERY_ID + struct.pack("!5H", flags, 1, 0, 0, 0) + name + b"\0" + struct.pack("!2H", _PTR, _IN)


def _observe(texts: t.Sequence[str]) -> Observation:
    words = [_WORDS[text] for text in texts if text in _WORDS]
    # A name server's connection opens before it answers; then the answer is what counts.
    if words:
        return Observation(DNS_ANSWERED if DNS_ANSWERED in words else words[0])
    said = " ".join(texts)[:_LONGEST_SAYING]
    for pattern, outcome in _SAYINGS:
        if pattern.search(said):
            return Observation(outcome, said)
    return Observation(FAILED, said or "the tool said nothing")


def _escaped(query: bytes) -> str:
    """For printf %b of a shell."""
    return "".join(f"\\0{byte:03o}" for byte in query)


_TOOLS: dict[str, tuple[tuple[str, ...], t.Callable[[bytes], str]]] = {
    "python3": (("python3", "-I", "-c", _PYTHON), bytes.hex),
    "bash": (("bash", "-c", _BASH, "bash"), _escaped),
    "nc": (("sh", "-c", _NC, "sh"), _escaped),
}
