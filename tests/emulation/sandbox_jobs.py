"""What test_sandbox and test_clean_hands run inside. A job with `emit` gets it from `call`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from mcastlab.errors import LabError
from mcastlab.events import Emit
from mcastlab.inside import BPF_DIR, RUN_DIR
from mcastplan.errors import UsageError


def run(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def names(folder: str) -> list[str]:
    return sorted(entry.name for entry in Path(folder).iterdir())


def echo(value: Any) -> Any:
    return value


def view() -> dict[str, Any]:
    """What can be seen from inside."""
    return {
        "links": run("ip", "-o", "link").splitlines(),
        "interfaces": names("/sys/class/net"),
        "pins": names("/sys/fs/bpf"),
        "run": names("/run"),
        "netns": run("ip", "netns", "list"),
        "processes": [name for name in names("/proc") if name.isdigit()],
        "pid": os.getpid(),
        "parent": os.getppid(),
        "frr": names("/etc/frr") if Path("/etc/frr").is_dir() else [],
        "temporary": os.environ["TMPDIR"],
        "stdin": os.fstat(0).st_rdev == Path(os.devnull).stat().st_rdev,
        "now_ns": time.monotonic_ns(),
    }


def fail(kind: str) -> None:
    sys.stdout.write("not an event\n")
    raise {"lab": LabError, "usage": UsageError, "defect": ValueError}[kind](f"a {kind} error")


def no_json() -> object:
    return {"bytes": object()}


def end_oneself(number: int) -> None:
    os.kill(os.getpid(), number)


def events(emit: Emit, number: int) -> int:
    for index in range(number):
        emit("tick", index=index, filling="x" * 1000)
        os.write(1, b"noise on standard output\n")
        os.write(2, b"noise on standard error\n")
    return number


def detached(*argv: str) -> None:
    """Start a daemon as daemons start: its parent ends, PID 1 inherits it."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp(argv[0], argv)
        os._exit(0)
    os.wait()


def leave_daemons() -> int:
    """Ends with daemons still there."""
    for _ in range(3):
        detached("sleep", "1000")
    return os.getpid()


def orphans(number: int) -> int:
    """How many zombies stay when that many daemons have ended."""
    for _ in range(number):
        detached("true")

    def zombies() -> int:
        found = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                found += path.read_text().rpartition(")")[2].split()[0] == "Z"
        return found

    deadline = time.monotonic() + 10
    while zombies() and time.monotonic() < deadline:
        time.sleep(0.01)
    return zombies()


def write_around() -> None:
    """Everything that a careless daemon might write outside of its own folder."""
    for name in ("ipv4/ip_forward", "ipv4/conf/all/rp_filter", "ipv6/conf/all/forwarding"):
        path = Path("/proc/sys/net") / name
        path.write_text("0" if path.read_text().strip() == "1" else "1")
    for folder in ("/run", "/run/frr", "/run/netns", "/var/tmp", "/etc/frr", "/run/lock"):
        if Path(folder).is_dir():
            (Path(folder) / "left-by-a-test").write_text("leftover")
    logs = Path("/var/tmp/frr")
    logs.mkdir()
    (logs / "zebra.1").write_text("a crash log")
    run("hostname", "left-by-a-test")


def read_var_tmp(name: str) -> str:
    """Through the private /var/tmp to a file of the host's; and writes beside it."""
    place = Path("/var/tmp") / name
    (place / "written").write_text("inside")
    return (place / "given").read_text()


def messy(emit: Emit, name: str, steps: int, hold: bool) -> None:
    """Namespaces, veths, shaping, daemons, BPF pins, step by step."""
    run("bpftool", *("map", "create", str(BPF_DIR / name), "type", "array", "key", "4"),
        *("value", "8", "entries", "4", "name", name))  # fmt: skip
    for step in range(steps):
        run("ip", "netns", "add", f"n{step}")
        run("ip", "link", "add", f"a{step}", "type", "veth", "peer", "name", f"b{step}")
        run("ip", "link", "set", f"b{step}", "netns", f"n{step}")
        run("tc", "qdisc", "add", "dev", f"a{step}", "root", "tbf", "rate", "1mbit",
            "burst", "10k", "latency", "10ms")  # fmt: skip
        detached("ip", "netns", "exec", f"n{step}", "sleep", "1000")
        (RUN_DIR / f"file{step}").write_bytes(bytes(1000))
        emit("step", step=step)
    emit("ready")
    while hold:
        signal.pause()


def deaf(emit: Emit) -> None:
    """Ignores every signal that can be ignored."""
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        signal.signal(number, signal.SIG_IGN)
    emit("ready")
    while True:
        time.sleep(1000)
