"""What the kernel really does, tried in a sandbox: `mcastlab.doctor` calls `main` inside one.

Nothing is read out of a kernel's configuration: a feature may be configured, forbidden, a module
that is not installed, or there without a word.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mcastlab import bpf
from mcastlab.errors import LabError
from mcastlab.events import Emit
from mcastlab.inside import BPF_DIR

BLAST_S = 0.4
BLAST_BYTES = 1400  # UDP payload
COMMAND_BUDGET_S = 30.0
_CLONE_NEWNET = 0x40000000
_MRT_INIT, _MRT_PIM = 200, 208  # linux/mroute.h
_PORT = 7001


def main(asked: None, emit: Emit) -> dict[str, tuple[bool, str]]:
    """What was tried -> whether it works, and what came of it or what stood in the way."""
    return {name: _outcome(trial) for name, trial in _TRIALS.items()}


def _outcome(trial: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, trial()
    except (LabError, OSError, ImportError, subprocess.TimeoutExpired) as error:
        return False, str(error)


def _run(*argv: str) -> str:
    """What a command printed. Raises LabError with the last line of its complaint."""
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=COMMAND_BUDGET_S, check=False
    )
    if done.returncode:
        said = (done.stderr.strip() or f"exit {done.returncode}").splitlines()[-1]
        raise LabError(f"{' '.join(argv)}: {said}")
    return done.stdout


@contextlib.contextmanager
def _pair() -> Iterator[tuple[str, str]]:
    """Two ends of a veth, both up, gone afterwards."""
    _run("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1")
    try:
        for end in ("v0", "v1"):
            _run("ip", "link", "set", end, "up")
        yield "v0", "v1"
    finally:
        _run("ip", "link", "del", "v0")


def _mnexec() -> str:
    links = _run("mnexec", "-n", "ip", "-o", "link").splitlines()
    if len(links) != 1:
        raise LabError(f"mnexec -n: a new network namespace has {len(links)} links")
    return ""


def _bridge() -> str:
    _run("ip", "link", "add", "b0", "type", "bridge", "mcast_snooping", "0")
    _run("ip", "link", "del", "b0")
    return ""


def _htb() -> str:
    with _pair() as (port, _):
        _run("tc", "qdisc", "add", "dev", port, "root", "handle", "1:", "htb", "default", "1")
        _run(
            *("tc", "class", "add", "dev", port, "parent", "1:", "classid", "1:1", "htb"),
            *("rate", "100mbit", "burst", "12500", "cburst", "12500", "overhead", "24"),
        )
    return ""


def _netem() -> str:
    with _pair() as (port, _):
        _run("tc", "qdisc", "add", "dev", port, "root", "netem", "delay", "1ms")
    return ""


def _vxlan() -> str:
    _run(
        *("ip", "link", "add", "x0", "type", "vxlan", "id", "1"),
        *("local", "127.0.0.1", "dstport", "4789", "nolearning"),
    )
    try:
        zero = "00:00:00:00:00:00"
        _run("bridge", "fdb", "append", zero, "dev", "x0", "dst", "127.0.0.2")
    finally:
        _run("ip", "link", "del", "x0")
    return ""


def _ipv6() -> str:
    with _pair() as (port, _):
        _run("ip", "-6", "addr", "add", "fd00:1::1/64", "dev", port, "nodad")
        _run("ip", "-6", "route", "add", "fd00:2::/48", "via", "fd00:1::2", "dev", port)
    for name in ("forwarding", "seg6_enabled"):
        Path(f"/proc/sys/net/ipv6/conf/all/{name}").read_text(encoding="ascii")
    return ""


def _multicast() -> str:
    """What pimd opens: the kernel's multicast forwarding cache, with PIM's register interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP) as router:
        router.setsockopt(socket.IPPROTO_IP, _MRT_INIT, 1)
        router.setsockopt(socket.IPPROTO_IP, _MRT_PIM, 1)
    return ""


def _ebpf() -> str:
    """Compile, load, attach, and see the program count a packet."""
    loaded = bpf.load(bpf.compile("trial"), BPF_DIR / "trial")
    with _pair() as (near, far):
        _run("tc", "qdisc", "add", "dev", near, "clsact")
        _run(
            *("tc", "filter", "add", "dev", near, "ingress", "protocol", "all", "prio", "1"),
            *("bpf", "da", "object-pinned", str(loaded.program("trial"))),
        )
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind((far, 0))
            sender.send(bytes(12) + b"\x88\xb5" + bytes(46))  # ethertype for local experiments
        if loaded.map("seen").sum_u64(0) < 1:
            raise LabError("the program was attached and saw no packet")
    return "BTF" if Path("/sys/kernel/btf/vmlinux").exists() else "no BTF"


# --- packets per second ---------------------------------------------------------------------------


def _rate() -> str:
    """Packets a second that come out of a chain of three namespaces, as a number's text.

    One process sends as fast as it can; on veth its core also does all of the forwarding. So this
    is what one core carries over two hops, the cost of sending included, without any queue, eBPF
    program or replication.
    """
    for name in "abc":
        _run("ip", "netns", "add", name)
    for number, (one, other) in enumerate((("a", "b"), ("b", "c"))):
        ends = (f"p{number}", one, f"10.0.{number}.1"), (f"q{number}", other, f"10.0.{number}.2")
        _run("ip", "link", "add", ends[0][0], "type", "veth", "peer", "name", ends[1][0])
        for port, host, address in ends:
            _run("ip", "link", "set", port, "netns", host)
            _run("ip", "-n", host, "addr", "add", f"{address}/30", "dev", port)
            _run("ip", "-n", host, "link", "set", port, "up")
    _run("ip", "netns", "exec", "b", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
    _run("ip", "-n", "a", "route", "add", "default", "via", "10.0.0.2")
    _run("ip", "-n", "c", "route", "add", "default", "via", "10.0.1.1")
    try:
        return _blast("10.0.1.2")
    finally:
        for name in "abc":
            _run("ip", "netns", "del", name)


def _blast(target: str) -> str:
    sink, sender = _udp_socket("c"), _udp_socket("a")
    with sink, sender:
        sink.bind((target, _PORT))  # or else each packet draws an ICMP message
        sender.connect((target, _PORT))
        sender.send(b"resolve")
        sink.settimeout(COMMAND_BUDGET_S)
        sink.recv(64)  # the way is there, and the address of every next hop known
        payload, before = bytes(BLAST_BYTES), _received()
        start = time.monotonic()
        while time.monotonic() - start < BLAST_S:
            for _ in range(64):
                sender.send(payload)
        elapsed = time.monotonic() - start
        return str(round((_received() - before) / elapsed))


def _received() -> int:
    """Packets that reached the last port of the chain."""
    counters = _run("ip", "netns", "exec", "c", "cat", "/sys/class/net/q1/statistics/rx_packets")
    return int(counters)


def _udp_socket(name: str) -> socket.socket:
    """A socket of that namespace; it stays there. `os.setns` is not in Python 3.11."""
    libc = ctypes.CDLL(None, use_errno=True)
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        for namespace, act in ((there, True), (here, False)):
            if libc.setns(namespace, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            if act:
                made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        return made
    finally:
        os.close(here)
        os.close(there)


_TRIALS: dict[str, Callable[[], str]] = {
    "mnexec": _mnexec,
    "bridge": _bridge,
    "htb": _htb,
    "netem": _netem,
    "vxlan": _vxlan,
    "ipv6": _ipv6,
    "multicast": _multicast,
    "ebpf": _ebpf,
    "rate": _rate,
}
