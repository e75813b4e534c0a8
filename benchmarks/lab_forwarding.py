"""Packets a second of the lab's eBPF forwarders against the kernel's own IP multicast (as root).

All contestants stand in one router, are sent the same 1,400-byte packets and replicate them to the
same sinks (`benchmarks.lab_bench`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.budget import Report
from benchmarks.lab_bench import (
    FAN_OUTS,
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
from mcastlab.schemes import bier_maps as maps
from mcastlab.schemes.bier_maps import Bift, Imposition, Neighbour
from mcastplan.schemes.bift import bift_id
from mcastplan.wire import ip
from mcastplan.wire.bier import BierHeader

BSL = 256
PINS = Path("/run/bpf/bier")
AT_LEAST = 1.0  # of the kernel's packets a second


def measure(report: Report) -> None:
    report.section(f"Forwarding, 1,400-byte packets, median of {ROUNDS} rounds")
    for name, fan_out, ratio in raced(report, f"{__name__}:inside", "forwarding"):
        report.line(f"{name}, fan-out {fan_out}, to the kernel's", ratio, AT_LEAST, "x", "at least")


def inside(job: None, emit: object) -> dict[str, Any]:
    """In the sandbox."""
    bench = Bench()
    contestants: list[Contestant] = [KernelMulticast(), BierImposition(bench), BierTransit(bench)]
    return answer(bench, contestants)


class _Bier:
    """One BFR with a neighbour behind each output; the lowest bits are theirs."""

    program = ""

    def __init__(self, bench: Bench) -> None:
        self._loaded = bpf.load(bpf.compile("bier"), PINS / self.program)
        neighbours = [Neighbour(port.ifindex, port.peer_mac, port.mac) for port in bench.outputs]
        bift = Bift(BSL, neighbours)
        for number in range(max(FAN_OUTS)):
            bift.assign(number + 1, maps.FIRST_NEIGHBOUR + number)
        self._id = bift_id(BSL, 0, 0)
        maps.write(self._loaded, "bifts", {maps.bift_key(self._id): bift.value})

    def install(self, bench: Bench, fan_out: int) -> bytes:
        self._bench = bench
        program = self._loaded.program(self.program)
        bpf.attach(bench, bench.host, bench.input.name, "ingress", program)  # type: ignore[arg-type]
        return self._frame(bench, (1 << fan_out) - 1)

    def remove(self) -> None:
        bench = self._bench
        bpf.detach(bench, bench.host, bench.input.name, "ingress")  # type: ignore[arg-type]

    def _frame(self, bench: Bench, bits: int) -> bytes:
        raise NotImplementedError


class BierImposition(_Bier):
    """A BFIR: the native packet comes in, BIER goes out."""

    name, program = "BIER imposition", "bier_impose"

    def _frame(self, bench: Bench, bits: int) -> bytes:
        value = maps.imposition_value(Imposition(BSL, 1, ((self._id, bits),)))
        maps.write(self._loaded, "impositions", {maps.flow_key(SOURCE, GROUP): value})
        return multicast_frame(bench)


class BierTransit(_Bier):
    """A BFR that is no BFER of the packet: BIER in, BIER out."""

    name, program = "BIER transit", "bier_forward"

    def _frame(self, bench: Bench, bits: int) -> bytes:
        header = BierHeader(bift_id=self._id, bsl=BSL, bits=bits, bfir_id=99, ttl=255)
        ends = mac_bytes(bench.input.mac) + mac_bytes(bench.input.peer_mac)
        return (
            ip.ethernet(ends[:6], ends[6:], ip.BIER) + header.encode() + multicast_frame(bench)[14:]
        )
