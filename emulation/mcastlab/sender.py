"""Paced UDP out of the origin: trains that look for a rate, and the probe that looks for outages.

One worker in the origin's namespace. It sends what is due once a millisecond, so that its bursts
are 1 ms of rate, and notes when each packet was handed to the kernel in memory that the engine
shares. Python manages about 50,000 packets a second here (15 us each through a veth pair).
"""

from __future__ import annotations

import gc
import mmap
import socket
import struct
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from mcastlab.tap import PROBES, TRAIN_PACKETS
from mcastlab.workers import Channel, Worker, first_in_line
from mcastplan.lab.spec import LabPush

if TYPE_CHECKING:
    from mcastlab.network import Network

TTL = 64
TICK_NS = 1_000_000
SOCKET_BYTES = 8 << 20  # more than any port's queue: too much is dropped there and does not wait
LABEL = struct.Struct("!II")  # train, sequence; as in ebpf/tap.bpf.c
UDP_BYTES = 28  # IPv4 and UDP
_SO_SNDBUFFORCE = 32


class Send(msgspec.Struct, frozen=True, tag="send"):
    """``count`` packets of ``packet_bytes`` (IP) to each address, one every ``gap_ns``."""

    addresses: tuple[str, ...]
    port: int
    train: int
    packet_bytes: int
    count: int
    gap_ns: float


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """End what is being sent."""


class Sent(msgspec.Struct, frozen=True, tag="sent"):
    """All, or all until it was told to stop: ``count`` packets to each address."""

    count: int


class Sender:
    """The engine's end of the worker."""

    def __init__(self, network: Network, push: LabPush, what: str) -> None:
        self._memory = mmap.mmap(-1, 8 * max(PROBES, TRAIN_PACKETS))
        self._times: NDArray[np.int64] = np.frombuffer(self._memory, np.int64)
        times = self._times
        source = push.origin.address
        self._worker: Worker[Sent] = Worker(
            network,
            push.origin.host,
            f"{what} of {push.transfer}",
            lambda channel: _serve(channel, source, times),
            commands=Send | Stop,
            events=Sent,
        )

    def send(self, command: Send) -> None:
        """Begin to send; `wait` or `stop` ends it."""
        self._times[: command.count] = 0
        self._worker.send(command)

    def wait(self) -> NDArray[np.int64]:
        """Once all is sent: when each packet was [ns], by sequence."""
        return self._times[: self._worker.receive().count].copy()

    def stop(self) -> NDArray[np.int64]:
        """End it early; as `wait`."""
        self._worker.send(Stop())
        return self.wait()

    def close(self) -> None:
        self._worker.close()


def _serve(channel: Channel[Send | Stop], source: str, times: NDArray[np.int64]) -> None:
    first_in_line()
    gc.disable()  # nothing here makes cycles, and a collection would delay packets
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, SOCKET_BYTES)
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, TTL)
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
    out.bind((source, 0))
    while True:
        command = channel.receive()
        if isinstance(command, Send):
            channel.send(Sent(_send(channel, out, command, times)))


def _send(
    channel: Channel[Send | Stop], out: socket.socket, command: Send, times: NDArray[np.int64]
) -> int:
    """How many packets went to each address before the end or `Stop`."""
    places = [(address, command.port) for address in command.addresses]
    packet = bytearray(max(command.packet_bytes - UDP_BYTES, LABEL.size))
    clock, number = time.monotonic_ns, 0
    begin_ns = wake_ns = clock()
    while number < command.count:
        due = min(command.count, int((clock() - begin_ns) / command.gap_ns) + 1)
        while number < due:
            LABEL.pack_into(packet, 0, command.train, number)
            times[number] = clock()
            _to_all(out, packet, places)
            number += 1
        wake_ns = max(wake_ns + TICK_NS, begin_ns + round(number * command.gap_ns))
        if channel.receive(max(0, wake_ns - clock()) / 1e9) is not None:
            break
    return number


def _to_all(out: socket.socket, packet: bytearray, places: Sequence[tuple[str, int]]) -> None:
    for place in places:
        try:
            out.sendto(packet, place)
        except OSError:  # no route, carrier lost, queue full: a lost packet, as anywhere on the way
            continue
