"""One router between a source and sinks, for forwarders that are to be compared side by side.

::

    bench ---- in [ router ] o1 ... o16 ---- sink: a program on tc ingress counts and drops

Frames come from the kernel's own test facility (BPF_PROG_TEST_RUN with live frames,
linux/net/bpf/test_run.c): each is handed to the port ``in`` as a driver hands over what it has
received, so that hardly any time but the forwarder's and the sinks' is measured. All on one CPU.
Contestants take turns, round by round, so that what else the machine does meets all of them.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import msgspec

from benchmarks.budget import Report
from mcastlab import bpf, bpf_maps
from mcastlab.errors import LabError
from mcastlab.sandbox import Sandbox
from mcastplan.wire import ip

FAN_OUTS = (1, 2, 4, 8, 16)
PACKET_BYTES = 1400  # of IP
SOURCE, GROUP = "198.18.1.2", "232.1.0.1"
ROUNDS = 7
COPIES = 100_000  # in a round
BATCH = 16  # frames at once; times 16 copies, what the kernel receives in one go (netdev_budget)
MTU = 1700
LATE_S = 20.0  # a round takes a fraction of a second

_HEAD_BYTES = 192
_TEST_RUN = 10
_LIVE_FRAMES = 1 << 1
# linux/mroute.h
_MRT_INIT, _MRT_ADD_VIF, _MRT_ADD_MFC = 200, 202, 204
_VIFF_USE_IFINDEX = 8
_MAXVIFS = 32


class _TestRun(ctypes.Structure):
    """`bpf_attr` of BPF_PROG_TEST_RUN."""

    _fields_ = (
        ("prog_fd", ctypes.c_uint32),
        ("retval", ctypes.c_uint32),
        ("data_size_in", ctypes.c_uint32),
        ("data_size_out", ctypes.c_uint32),
        ("data_in", ctypes.c_uint64),
        ("data_out", ctypes.c_uint64),
        ("repeat", ctypes.c_uint32),
        ("duration", ctypes.c_uint32),
        ("ctx_size_in", ctypes.c_uint32),
        ("ctx_size_out", ctypes.c_uint32),
        ("ctx_in", ctypes.c_uint64),
        ("ctx_out", ctypes.c_uint64),
        ("flags", ctypes.c_uint32),
        ("cpu", ctypes.c_uint32),
        ("batch_size", ctypes.c_uint32),
    )


class Port(msgspec.Struct, frozen=True):
    """A port of the router: its own address, and that of the other end."""

    name: str
    ifindex: int
    mac: str
    peer_mac: str
    address: str  # IPv4, the peer's is the next one


class Rate(msgspec.Struct, frozen=True):
    """Median over the rounds; ``ratio`` to the first contestant, round by round."""

    contestant: str
    fan_out: int
    packets_per_s: float
    ratio: float


class Contestant(Protocol):
    """A way to forward."""

    name: str

    def install(self, bench: Bench, fan_out: int) -> bytes:
        """Forward to the first ``fan_out`` outputs; the frame that is to arrive."""

    def remove(self) -> None:
        """Undo `install`."""


class _Namespace:
    """Held by a process that sleeps and ends with the sandbox."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo ready; exec sleep infinity"],
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        self._holder.stdout.readline()  # unshare has happened
        self.pid = self._holder.pid


class Bench:
    """The router's namespace and the sinks'; as much of a lab's `Network` as `bpf` asks for."""

    host = "router"

    def __init__(self, outputs: int = max(FAN_OUTS)) -> None:
        self._names = {"router": _Namespace(), "sink": _Namespace()}
        self.input = self._cable("in", 0)
        self.outputs = tuple(self._cable(f"o{n}", n) for n in range(1, outputs + 1))
        compiled = bpf.compile("bench", sources=Path(__file__).parent / "ebpf")
        self._loaded = bpf.load(compiled, Path("/run/bpf/bench"))
        for port in self.outputs:
            bpf.attach(self, "sink", port.name, "ingress", self._loaded.program("sink"))  # type: ignore[arg-type]
        self.run("ip", "link", "set", "dev", "in", "xdpdrv", "pinned", self._pin("pass"))
        self._program = bpf_maps.open_pin(self._loaded.program("generate"))
        self._head, self._arrived = self._loaded.map("head"), self._loaded.map("arrived")
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    def pid(self, host: str) -> int:
        return self._names[host].pid

    def run(self, *argv: str, host: str = "router") -> str:
        """In the namespace, as root. Raises CalledProcessError."""
        net = f"--net=/proc/{self.pid(host)}/ns/net"
        return subprocess.run(
            ["nsenter", net, *argv], capture_output=True, text=True, check=True
        ).stdout

    def enter(self) -> None:
        """This process into the router's namespace, for good."""
        with Path(f"/proc/{self.pid(self.host)}/ns/net").open() as namespace:
            if ctypes.CDLL(None).setns(namespace.fileno(), 0):
                raise LabError("setns into the benchmark's router failed")

    def send(self, frame: bytes, frames: int, copies: int) -> float:
        """Seconds until so many frames have become so many copies at the sinks. Needs `enter`.

        Raises `LabError` if fewer arrive.
        """
        self._head.update(bytes(4), frame[:_HEAD_BYTES])
        before = self._count()
        data = ctypes.create_string_buffer(frame, len(frame))
        context = ctypes.create_string_buffer(
            struct.pack("=IIIIII", 0, len(frame), 0, self.input.ifindex, 0, 0), 24
        )
        attr = _TestRun(
            prog_fd=self._program,
            data_size_in=len(frame),
            data_in=ctypes.addressof(data),
            repeat=frames,
            ctx_size_in=24,
            ctx_in=ctypes.addressof(context),
            flags=_LIVE_FRAMES,
            batch_size=BATCH,
        )
        began = time.perf_counter()
        result = bpf_maps.call(_TEST_RUN, attr)
        if result < 0:
            raise LabError(f"the kernel runs no live frames: {os.strerror(-result)}")
        # Nearly always they are all there; the kernel may leave the rest to another thread.
        while (arrived := self._count() - before) < copies:
            if time.perf_counter() - began > LATE_S:
                raise LabError(f"{arrived} of {copies} copies arrived")
            time.sleep(0.0001)
        return time.perf_counter() - began

    def _count(self) -> int:
        return sum(self._arrived.sum_u64(port) for port in range(64))

    def _pin(self, program: str) -> str:
        return str(self._loaded.program(program))

    def _cable(self, name: str, number: int) -> Port:
        mac, peer = f"02:00:00:00:01:{number:02x}", f"02:00:00:00:02:{number:02x}"
        address = f"10.9.{number}.1"
        router, sink = (self._names[each].pid for each in ("router", "sink"))
        line = (
            f"ip link add name {name} netns {router} address {mac} mtu {MTU}"
            f" type veth peer name {name} netns {sink} address {peer} mtu {MTU}"
        )
        subprocess.run(line.split(), check=True)
        self.run("ip", "address", "add", f"{address}/24", "dev", name)
        for host in ("router", "sink"):
            # Without IPv6 nobody sends but the benchmark.
            self.run("ip", "link", "set", name, "addrgenmode", "none", "up", host=host)
        self.run(*f"ip neigh add 10.9.{number}.2 lladdr {peer} dev {name} nud permanent".split())
        shown = self.run("ip", "-o", "link", "show", name)
        return Port(name, int(shown.split(":")[0]), mac, peer, address)


def race(bench: Bench, contestants: Sequence[Contestant]) -> list[Rate]:
    """Every contestant at every fan-out. Raises `LabError` if copies are lost."""
    found = []
    for fan_out in FAN_OUTS:
        rates: dict[str, list[float]] = {each.name: [] for each in contestants}
        for _ in range(ROUNDS):
            for each in contestants:
                frame = each.install(bench, fan_out)
                try:
                    rates[each.name].append(_rate(bench, each.name, frame, fan_out))
                finally:
                    each.remove()
        first = rates[contestants[0].name]
        for name, listed in rates.items():
            ratios = [mine / its for mine, its in zip(listed, first, strict=True)]
            found.append(Rate(name, fan_out, median(listed), median(ratios)))
    return found


def answer(bench: Bench, contestants: Sequence[Contestant]) -> dict[str, Any]:
    """What a race's sandbox tells: its table, and each one's ratio to the first contestant."""
    bench.enter()
    rates = race(bench, contestants)
    ratios = [
        (each.contestant, each.fan_out, each.ratio)
        for each in rates
        if each.contestant != contestants[0].name
    ]
    return {"lines": table(rates), "ratios": ratios}


def raced(report: Report, function: str, what: str) -> list[tuple[str, int, float]]:
    """Ratios of what ``module:function`` answers in a sandbox; its table is told."""
    with Sandbox(function, None, what=what, path=(Path(__file__).parents[1],)) as sandbox:
        for _ in sandbox.events():
            pass
        found = sandbox.result
    for line in found["lines"]:
        report.note(line)
    return [(name, fan_out, ratio) for name, fan_out, ratio in found["ratios"]]


def _rate(bench: Bench, name: str, frame: bytes, fan_out: int) -> float:
    """Copies a second of one round."""
    frames = COPIES // fan_out // BATCH * BATCH
    try:
        bench.send(frame, 2 * BATCH, 2 * BATCH * fan_out)  # caches, and pages of the pool
        return frames * fan_out / bench.send(frame, frames, frames * fan_out)
    except LabError as error:
        raise LabError(f"{name}, fan-out {fan_out}: {error}") from None


def table(rates: Sequence[Rate]) -> list[str]:
    """Lines: thousand copies a second, and the ratio to the first contestant."""
    names = list(dict.fromkeys(each.contestant for each in rates))
    lines = [f"{'fan-out':>7}" + "".join(f"{name:>24}" for name in names)]
    for fan_out in FAN_OUTS:
        row = [each for each in rates if each.fan_out == fan_out]
        cells = [f"{each.packets_per_s / 1e3:.0f} k  {each.ratio:.2f}" for each in row]
        lines.append(f"{fan_out:>7}" + "".join(f"{cell:>24}" for cell in cells))
    return lines


def multicast_frame(bench: Bench) -> bytes:
    """A UDP datagram to the group, `PACKET_BYTES` of IP, as it arrives from the origin."""
    src, group = socket.inet_aton(SOURCE), socket.inet_aton(GROUP)
    payload = PACKET_BYTES - 28
    return (
        ip.ethernet(ip.multicast_mac(group), mac_bytes(bench.input.peer_mac), ip.IPV4)
        + ip.ipv4(src, group, ip.PROTO_UDP, 8 + payload, 64)
        + ip.udp(src, group, (4000, 1044), b"", payload)
        + bytes(payload)
    )


def mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


class KernelMulticast:
    """The kernel's own IP multicast forwarding: one MFC entry, set as a routing daemon sets it."""

    name = "kernel multicast"

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def install(self, bench: Bench, fan_out: int) -> bytes:
        control = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
        control.setsockopt(socket.IPPROTO_IP, _MRT_INIT, 1)
        ports = (bench.input, *bench.outputs[:fan_out])
        for number, port in enumerate(ports):  # struct vifctl
            vif = struct.pack("=HBBIII", number, _VIFF_USE_IFINDEX, 1, 0, port.ifindex, 0)
            control.setsockopt(socket.IPPROTO_IP, _MRT_ADD_VIF, vif)
        ttls = bytes([0] + [1] * fan_out).ljust(_MAXVIFS, b"\0")  # struct mfcctl
        ends = socket.inet_aton(SOURCE) + socket.inet_aton(GROUP)
        entry = ends + struct.pack(f"=H{_MAXVIFS}s2xIIIi", 0, ttls, 0, 0, 0, 0)
        control.setsockopt(socket.IPPROTO_IP, _MRT_ADD_MFC, entry)
        self._socket = control
        return multicast_frame(bench)

    def remove(self) -> None:
        if self._socket is not None:
            self._socket.close()  # the kernel forgets VIFs and entries with the socket
            self._socket = None
