"""UFTP 4.10.2 over the multicast schemes, unchanged: one session for all receivers of a push.

What was read off the wire and in its source, and what follows:

* A block travels in an IP packet of 52 B more: IPv4 20, UDP 8, UFTP 16, its FILESEG header 8.
* ``-R n`` is n x 1024 bit/s of these IP packets, kept to 0.1 % over a second (usleep with the
  overrun carried along). `pacing` says why the origin's port is limited as well.
* GRTT is what the session's timers are multiples of; its floor (``-r init:min:max``) is what it
  is here, since the lab's own round trips are far below. A session begins with one GRTT of waiting
  for late registrations. A receiver that hears nothing for robust x GRTT gives up for good. A
  repair round begins 4 GRTT after its pass: the receiver waits one before it sends its NAKs, the
  sender three for those of others. The sender gives a silent receiver up 3 x robust x GRTT after a
  pass; until then the shards that follow wait, for all.
* Files follow one another within 3 ms; a receiver without gaps completes within 1 ms of DONE.

Not used: encryption, TFMCC congestion control, restart files, proxies.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mcastlab.errors import LabError
from mcastlab.pacing import Pacer
from mcastlab.shards import Manifest
from mcastlab.workers import die_with_parent, first_in_line
from mcastplan.converge.transport import UFTP_BYTES, UFTP_ROBUST, uftp_grtt_s
from mcastplan.lab.spec import DATA_PORT, LabPush, LabReplica

if TYPE_CHECKING:
    from mcastlab.network import Network

HEADERS_BYTES = UFTP_BYTES
SSM = ipaddress.IPv4Network("232.0.0.0/8")  # RFC 4607
KILOBIT = 1024  # of -R
EVICT_AFTER_S = 10.0
MOST_GRTT_S = 15.0
TTL = 64
# The pacer's rate over UFTP's own: HTB may run 1 % low, and must not be what sets the rate.
PACE = 1.02
RECEIVE_BYTES = 4 << 20
SEND_BYTES = 1 << 18
LISTEN_S = 20.0  # budget for uftpd to start on a busy machine
LISTEN_POLL_S = 0.002
END_S = 2.0  # budget for uftp to abort its session when told to end

_NAKS = re.compile(r"Got (\d+) NAKs for section \d+ from client (0x[0-9A-F]{8})")
_PASS = re.compile(r"Starting pass (\d+)")
_NO_CONNECT = re.compile(r"CONNECT;failed;(0x[0-9A-F]{8})")
_RESULT = re.compile(r"RESULT;(0x[0-9A-F]{8});([^;]*);[^;]*;([a-z]+)")
# Exit codes of uftp(1) that say how a session went; any other says that it could not run.
_RAN = frozenset({0, 6, 7, 8, 9, 10})


class Outcome(msgspec.Struct, frozen=True):
    """How a session went. ``gave_up``: receivers (hosts) without every file, and why."""

    began_ns: int
    ended_ns: int
    gave_up: dict[str, str]
    naks: int  # blocks asked for again, each receiver's counted
    rounds: int  # passes after the first, of all files


def uid(address: str) -> str:
    """UFTP's id of a host: its IPv4 address."""
    return f"0x{int(ipaddress.IPv4Address(address)):08X}"


def receiver_argv(push: LabPush, address: str, folder: Path, servers: Path) -> list[str]:
    """``uftpd`` for one replica, in the foreground, its results on standard error. It accepts this
    push's origin only and joins the groups for this source (SSM). UFTP does that in 232/8 alone:
    in a group of ASM it is joined for any source."""
    only = []
    if ipaddress.IPv4Address(push.announce) in SSM:
        servers.write_text(f"{uid(push.origin.address)}|{push.origin.address}\n")
        only = ["-S", str(servers)]
    # fmt: off
    return ["uftpd", "-d", "-q", "-x", "1", "-F", "@LOG", "-p", str(DATA_PORT), "-I", "eth0",
            "-M", push.announce, *only, "-U", uid(address), "-D", str(folder),
            "-B", str(RECEIVE_BYTES)]
    # fmt: on


def wait_listening(daemon: subprocess.Popen[bytes], push: LabPush) -> None:
    """Until ``uftpd`` has joined the group of announcements. Raises `LabError` if it does not."""
    # As the kernel writes it: a number in the machine's own byte order.
    group = f"{int.from_bytes(ipaddress.IPv4Address(push.announce).packed, sys.byteorder):08X}"
    end = time.monotonic() + LISTEN_S
    while group not in _joined(daemon.pid):
        if daemon.poll() is not None:
            assert daemon.stderr is not None
            said = daemon.stderr.read().decode(errors="replace").split("\n")[0]
            raise LabError(f"uftpd ended at once ({daemon.returncode}): {said}")
        if time.monotonic() > end:
            raise LabError(f"uftpd has not joined {push.announce} in {LISTEN_S:g} s")
        time.sleep(LISTEN_POLL_S)


def _joined(pid: int) -> str:
    """The table of groups in the namespace of that process; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/net/igmp").read_text()
    except OSError:
        return ""


def prepare() -> None:
    """Between fork and exec of a UFTP process: it dies with its parent, and runs when it has to."""
    die_with_parent()
    first_in_line()


class Session:
    """One push to a closed group: `start`, `poll` until it is over, `outcome`; `stop` at any time.

    ``rate_bps`` counts IP packets, ``payload_bytes`` is the block. ``evict_after_s``: how long a
    receiver may hear nothing.
    """

    def __init__(
        self,
        network: Network,
        push: LabPush,
        manifest: Manifest,
        folder: Path,
        receivers: Sequence[LabReplica],
        *,
        rate_bps: float,
        payload_bytes: int,
        evict_after_s: float = EVICT_AFTER_S,
    ) -> None:
        self._network, self._push, self._manifest = network, push, manifest
        self._folder, self._payload_bytes = folder, payload_bytes
        self._hosts = {uid(each.address): each.host for each in receivers}
        self._kilobits = math.floor(rate_bps / KILOBIT)
        if self._kilobits < 1:
            raise LabError(f"{push.transfer}: UFTP cannot send at {rate_bps:.0f} bit/s")
        self._grtt_s = uftp_grtt_s(evict_after_s)
        self._pacer = Pacer(network, push.origin)
        self._process: subprocess.Popen[bytes] | None = None
        self._paced = False
        self._began_ns = self._ended_ns = 0
        self._rest = b""
        self._said: list[str] = []
        self._gave_up: dict[str, str] = {}
        self._naks = self._rounds = 0

    @property
    def sent_bps(self) -> float:
        """What ``-R`` means on the wire, in IP packets."""
        return self._kilobits * float(KILOBIT)

    def start(self) -> None:
        """Announce the session. Raises `LabError` if uftp is not there."""
        self._pacer.start(PACE * self.sent_bps, self._payload_bytes + HEADERS_BYTES)
        self._paced = True
        self._began_ns = time.monotonic_ns()
        self._process = self._network.popen(
            self._push.origin.host,
            *self._argv(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=prepare,
        )
        assert self._process.stderr is not None
        os.set_blocking(self._process.stderr.fileno(), False)

    def fileno(self) -> int:
        """Readable when `poll` has something to do."""
        assert self._process is not None
        assert self._process.stderr is not None
        return self._process.stderr.fileno()

    def poll(self) -> bool:
        """Read what uftp says; whether the session still runs. Raises `LabError` if it failed."""
        if self._process is None:
            return False
        assert self._process.stderr is not None
        while True:
            content = self._process.stderr.read(1 << 16)
            if not content:  # None: nothing yet; empty: it has closed it
                break
            *lines, self._rest = (self._rest + content).split(b"\n")
            for line in lines:
                self._read(line.decode(errors="replace"))
        if content is None:
            return True
        self._end(self._process.wait())
        return False

    def outcome(self) -> Outcome:
        """Of a session that is over."""
        assert self._process is None, "the session still runs"
        return Outcome(
            self._began_ns, self._ended_ns, dict(self._gave_up), self._naks, self._rounds
        )

    def stop(self) -> None:
        """End the session, if it still runs: every receiver that is not done is given up."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)
            self._process.kill()
            self.poll()
            self._finish()
        if self._paced:
            self._paced = False
            self._pacer.stop()

    def _argv(self) -> list[str]:
        push, grtt = self._push, self._grtt_s
        files = [str(self._folder / shard.name) for shard in self._manifest.shards]
        # fmt: off
        return ["uftp", "-x", "2", "-S", "@LOG", "-R", str(self._kilobits),
                "-b", str(self._payload_bytes), "-t", str(TTL), "-p", str(DATA_PORT),
                "-I", "eth0", "-M", push.announce, "-P", push.group,
                "-U", uid(push.origin.address), "-H", ",".join(sorted(self._hosts)),
                "-s", str(UFTP_ROBUST), "-r", f"{grtt:g}:{grtt:g}:{MOST_GRTT_S:g}",
                "-B", str(SEND_BYTES), *files]
        # fmt: on

    def _read(self, line: str) -> None:
        self._said = [*self._said[-4:], line]
        if match := _NAKS.search(line):
            self._naks += int(match[1])
        elif match := _PASS.search(line):
            self._rounds += int(match[1]) > 1
        elif match := _NO_CONNECT.search(line):
            self._give_up(match[1], "it never answered the announcement")
        elif (match := _RESULT.search(line)) and match[3] != "copy":
            self._give_up(match[1], f"{match[2]}: {match[3]}")

    def _give_up(self, receiver: str, why: str) -> None:
        if receiver in self._hosts:
            self._gave_up.setdefault(self._hosts[receiver], why)

    def _end(self, code: int) -> None:
        self._finish()
        if code not in _RAN:
            said = next((line for line in reversed(self._said) if line.strip()), "")
            raise LabError(f"uftp of {self._push.transfer} failed ({code}): {said.strip()}")

    def _finish(self) -> None:
        if self._process is not None:
            assert self._process.stderr is not None
            self._process.stderr.close()
            self._process = None
            self._ended_ns = time.monotonic_ns()
