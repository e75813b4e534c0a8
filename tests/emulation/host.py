"""What the host looks like, to compare before and after; and outer processes to kill.

Several tests, and other labs, may run on the machine at once. So processes are told by a mark in
their environment, which all that they start inherits.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import msgspec

from mcastlab import record

ROOT = Path(__file__).parents[2]
GONE_BUDGET_S = 30.0  # the kernel takes namespaces apart in its own time
MARK = "MCASTPLAN_TEST_MARK"
# Counters that move on their own, in any network namespace.
_MOVING = ("nf_conntrack_count", "/random", "file-nr")


class Host(msgspec.Struct, frozen=True):
    """All that a lab must leave as it was."""

    links: tuple[str, ...]
    namespaces: tuple[str, ...]
    qdiscs: tuple[str, ...]
    mounts: tuple[str, ...]
    folders: tuple[str, ...]
    sysctls: dict[str, str]


def host() -> Host:
    return Host(
        links=tuple(line.split(":")[1].strip() for line in _lines("ip", "-o", "link")),
        namespaces=_lines("ip", "netns", "list"),
        qdiscs=_lines("tc", "qdisc", "show"),
        mounts=tuple(sorted(Path("/proc/self/mountinfo").read_text().splitlines())),
        folders=tuple(
            str(entry)
            for folder in ("/run", "/run/netns", "/etc/frr", "/sys/fs/bpf", "/sys/class/net")
            if Path(folder).is_dir()
            for entry in sorted(Path(folder).iterdir())
            if entry != record.FOLDER  # other labs may come and go
        ),
        sysctls=_sysctls(),
    )


def _lines(*argv: str) -> tuple[str, ...]:
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return tuple(sorted(done.stdout.splitlines()))


def _sysctls() -> dict[str, str]:
    values = {}
    for folder, _, names in os.walk("/proc/sys/net"):
        for name in names:
            path = f"{folder}/{name}"
            if not any(part in path for part in _MOVING):
                with contextlib.suppress(OSError, UnicodeDecodeError):
                    values[path] = Path(path).read_text()
    return values


def marked(mark: str) -> list[int]:
    """Processes that run and carry the mark."""
    found = []
    wanted = f"{MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and record.process(int(entry.name)) is not None:
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def wait_until(state: Callable[[], bool], what: str) -> None:
    """Returns as soon as it holds; fails the test when it never does."""
    deadline = time.monotonic() + GONE_BUDGET_S
    while not state():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


class Outer:
    """A command with a lab, in a process of its own: `tests.emulation.outer`.

    It starts with these signals ignored and no others, whatever this process was started with.
    """

    def __init__(self, function: str, *args: Any, ignored: Collection[int] = ()) -> None:
        def ignore() -> None:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

        self.mark = secrets.token_hex(8)
        self.process = subprocess.Popen(
            (sys.executable, "-m", "tests.emulation.outer", function, json.dumps(args)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env={**os.environ, MARK: self.mark},
            cwd=ROOT,
            start_new_session=True,
            preexec_fn=ignore,
        )
        self.pids: dict[str, int] = {}

    def read(self, kind: str) -> dict[str, Any]:
        """The next event of this kind; the first of all, "pids", has the process ids."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["kind"] == "pids":
                self.pids = {name: pid for name, pid in event.items() if name != "kind"}
            if event["kind"] == kind:
                return event
        raise AssertionError(f"no {kind} before the end")

    def gone(self) -> None:
        """Wait until nothing that carries the mark is left, and no process that is known by its id:
        one that is ending has no environment any more."""
        self.process.wait(GONE_BUDGET_S)
        wait_until(lambda: not marked(self.mark), "processes are left")
        wait_until(lambda: not any(map(record.process, self.pids.values())), "the sandbox is left")

    @property
    def records(self) -> list[str]:
        """Of this process."""
        return [each.id for each in record.records() if each.owner.pid == self.process.pid]


@contextlib.contextmanager
def outer(function: str, *args: Any, ignored: Collection[int] = ()) -> Iterator[Outer]:
    made = Outer(function, *args, ignored=ignored)
    try:
        yield made
    finally:
        made.process.kill()
        assert made.process.stdout is not None
        made.process.stdout.close()
        made.gone()
