"""Packets a second of SRv6 replication in eBPF against the kernel's own IP multicast (as root).

All contestants stand in one router, are sent the same 1,400-byte packets and replicate them to the
same sinks (`benchmarks.lab_bench`). Every branch is looked up in the kernel's FIB, as in the lab:
one /48 for each sink's locator.
"""

from __future__ import annotations

import struct
import time
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from benchmarks.budget import Report
from benchmarks.lab_bench import (
    GROUP,
    ROUNDS,
    SOURCE,
    Bench,
    Contestant,
    KernelMulticast,
    answer,
    mac_bytes,
    multicast_frame,
    raced,
)
from mcastlab import bpf
from mcastlab.errors import LabError
from mcastlab.schemes.sr_segments import (
    Branch,
    Segment,
    node_value,
    policy_value,
    segment_value,
    sid,
    sid_key,
    stream_keys,
)
from mcastplan.lab.spec import LabOrigin, LabPush, LabRouter
from mcastplan.wire import ip

PINS = Path("/run/bpf/replicate")
AT_LEAST = 1.0  # of the kernel's packets a second
FROM_FAN_OUT = 4
# Longer than the kernel waits between two reports of its own groups.
SILENT_S, SILENT_BUDGET_S = 1.5, 30.0
HERE, FIRST_THERE = 1, 16  # numbers of the router and of the first router behind a sink


def measure(report: Report) -> None:
    report.section(f"SRv6 replication, 1,400-byte packets, median of {ROUNDS} rounds")
    for name, fan_out, ratio in raced(report, f"{__name__}:inside", "replication"):
        what = f"{name}, fan-out {fan_out}, to the kernel's"
        if fan_out >= FROM_FAN_OUT:
            report.line(what, ratio, AT_LEAST, "x", "at least")
        elif ratio < AT_LEAST:
            report.note(f"{what}: {ratio:.2f} x: encapsulation and FIB lookup on so few copies")


def inside(job: None, emit: object) -> dict[str, Any]:
    """In the sandbox."""
    bench = Bench()
    _ipv6(bench)
    contestants: list[Contestant] = [KernelMulticast(), SrImposition(bench), SrTransit(bench)]
    return answer(bench, contestants)


def _ipv6(bench: Bench) -> None:
    """A locator behind every output."""
    bench.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
    for number, port in enumerate(bench.outputs):
        gateway, locator = f"fe80::{number + 1:x}", _router(FIRST_THERE + number).locator
        permanent = f"lladdr {port.peer_mac} dev {port.name} nud permanent"
        bench.run(*f"ip neigh add {gateway} {permanent}".split())
        bench.run(*f"ip route add {locator} via {gateway} dev {port.name}".split())
    _fall_silent(bench)


def _fall_silent(bench: Bench) -> None:
    """The kernel reports its IPv6 groups for a while, and every packet at a sink counts."""
    end_s = time.monotonic() + SILENT_BUDGET_S
    before, after = "", bench.run("cat", "/proc/net/dev")
    while before != after:
        if time.monotonic() > end_s:
            raise LabError("the benchmark's router does not fall silent")
        time.sleep(SILENT_S)
        before, after = after, bench.run("cat", "/proc/net/dev")


def _router(number: int) -> LabRouter:
    locator = f"fd00:0:{number:x}::"
    return LabRouter(
        f"R{number}", f"r{number}", number, "", f"{locator}1", f"{locator}/48", None, ()
    )


def _push(bench: Bench) -> LabPush:
    mac = bench.input.mac
    origin = LabOrigin("o1", 1, f"r{HERE}", "in", mac, "", SOURCE, bench.input.peer_mac, 0.0)
    return LabPush("push", 1, origin, GROUP, "232.2.0.1", 0, 1, "after", ())


class _Replication:
    """A replication segment with a branch to the router behind each output."""

    program = ""

    def __init__(self, bench: Bench) -> None:
        self._loaded = bpf.load(bpf.compile("replicate"), PINS / self.program)
        self.push = _push(bench)
        self._loaded.map("node").update(bytes(4), node_value(_router(HERE)))
        for key in stream_keys(self.push):
            self._loaded.map("policies").update(key, policy_value(self.push, 1))

    def install(self, bench: Bench, fan_out: int) -> bytes:
        self._bench = bench
        there = range(FIRST_THERE, FIRST_THERE + fan_out)
        segment = Segment(tuple(Branch(_router(number)) for number in there), ())
        value = segment_value(segment, self.push, 1)
        self._loaded.map("segments").update(sid_key(self.push, 1), value)
        program = self._loaded.program(self.program)
        bpf.attach(bench, bench.host, bench.input.name, "ingress", program)  # type: ignore[arg-type]
        return self._frame(bench)

    def remove(self) -> None:
        bench = self._bench
        bpf.detach(bench, bench.host, bench.input.name, "ingress")  # type: ignore[arg-type]

    def _frame(self, bench: Bench) -> bytes:
        raise NotImplementedError


class SrImposition(_Replication):
    """A root: the native packet comes in, SRv6 goes out."""

    name, program = "SR imposition", "impose"

    def _frame(self, bench: Bench) -> bytes:
        return multicast_frame(bench)


class SrTransit(_Replication):
    """A replication node that is no leaf: SRv6 in, SRv6 out."""

    name, program = "SR transit", "replicate"

    def _frame(self, bench: Bench) -> bytes:
        inner = multicast_frame(bench)[14:]
        source = IPv6Address(_router(HERE + 1).loopback6).packed
        to = sid(_router(HERE), self.push, 1)
        label = struct.unpack("!I", IPv4Address(SOURCE).packed)[0] & 0xFFFFF
        return (
            ip.ethernet(mac_bytes(bench.input.mac), mac_bytes(bench.input.peer_mac), ip.IPV6)
            + ip.ipv6(source, to, ip.PROTO_IPIP, len(inner), 64, label)
            + inner
        )
