"""Does every shaped port send at the rate that was asked for? Measured before the experiment.

A train of full-size UDP packets keeps the port's queue from running empty; what the port sent is
read from its counters between two instants. The packets carry a destination MAC that no bridge
forwards (IEEE 802.1Q table 8-1) and end at the other end of the veth. The socket's send buffer is
smaller than the port's queue: the kernel holds the sender back, and nothing is dropped.
"""

from __future__ import annotations

import errno
import math
import select
import socket
import struct
import time
from collections.abc import Sequence

import msgspec

from mcastlab.counters import traffic
from mcastlab.errors import LabError
from mcastlab.network import Network
from mcastlab.shaping import ETHERNET_BYTES, WIRE_BYTES, Shaped, queue_bytes, shaped_ports
from mcastplan.lab.spec import TRAIN_PORT, LabSpec
from mcastplan.units import BITS_PER_BYTE, show_rate

WORST = 0.05
GOOD = 0.02  # what HTB holds on a machine that does nothing else
ATTEMPTS = 5  # another process may have taken the processor meanwhile
TOGETHER_BPS = 600e6  # what one sender feeds at once and still has half a processor left
TOGETHER_PORTS = 16
WINDOW_S = 0.05
ALONE_S = 0.15  # a port measured again, by itself
WINDOW_PACKETS = 200  # at least, for counting whole packets to cost 0.5 % at most
AT_ONCE = 32  # packets into one queue before the others and the clock have their turn
WARM_UP_S = 0.01  # the bursts with which an idle port starts are over
_NOT_FORWARDED = bytes.fromhex("0180c200000e")
_SOURCE = bytes.fromhex("020000000001")
_SNDBUFFORCE = 32  # SO_SNDBUFFORCE
_SKB_BYTES = 800  # of a packet's buffer beyond its data, as SO_SNDBUF counts


class Rate(msgspec.Struct, frozen=True):
    """What one port sent [bit/s on the wire] against what was asked."""

    port: Shaped
    achieved_bps: float

    @property
    def error(self) -> float:
        return self.achieved_bps / self.port.rate_bps - 1.0


def measure(network: Network, spec: LabSpec) -> float:
    """The worst relative error over all shaped ports.

    Raises `LabError` naming link and rate if a port is off by more than 5 % each time.
    """
    worst = 0.0
    ports = [each for each in shaped_ports(spec) if math.isfinite(each.rate_bps)]
    for group in groups(ports):
        for rate in trains(network, group, spec.mtu):
            for _ in range(ATTEMPTS - 1):
                if abs(rate.error) <= GOOD:
                    break
                again = trains(network, [rate.port], spec.mtu, ALONE_S)[0]
                rate = min(rate, again, key=lambda each: abs(each.error))
            if abs(rate.error) > WORST:
                raise LabError(
                    f"link {rate.port.link}: asked for {show_rate(rate.port.rate_bps)}, this"
                    f" machine sends {show_rate(rate.achieved_bps)}; lower --rate-scale"
                )
            worst = max(worst, abs(rate.error))
    return worst


def groups(ports: Sequence[Shaped]) -> list[list[Shaped]]:
    """Ports to be measured together: similar ones, within what one sender can feed."""
    found: list[list[Shaped]] = []
    total = math.inf
    for port in sorted(ports, key=lambda each: each.rate_bps):
        if total + port.rate_bps > TOGETHER_BPS or len(found[-1]) == TOGETHER_PORTS:
            found.append([])
            total = 0.0
        found[-1].append(port)
        total += port.rate_bps
    return found


def trains(
    network: Network, ports: Sequence[Shaped], mtu: int, least_s: float = WINDOW_S
) -> list[Rate]:
    """One train through each port, all at once, for at least ``least_s`` [s]."""
    frame = _frame(mtu)
    senders = {}
    poll = select.poll()
    for port in ports:
        sender = _sender(network, port, mtu)
        senders[sender.fileno()] = sender
        poll.register(sender, select.POLLOUT)
    packet_bits = (mtu + ETHERNET_BYTES + WIRE_BYTES) * BITS_PER_BYTE
    window_s = max(least_s, *(WINDOW_PACKETS * packet_bits / port.rate_bps for port in ports))
    try:
        _feed(poll, senders, frame, WARM_UP_S)
        before = [_sent(network, port) for port in ports]
        _feed(poll, senders, frame, window_s)
        after = [_sent(network, port) for port in ports]
    finally:
        for sender in senders.values():
            sender.close()
    return [
        Rate(port, (last[1] - first[1]) * BITS_PER_BYTE / (last[0] - first[0]))
        for port, first, last in zip(ports, before, after, strict=True)
    ]


def _feed(
    poll: select.poll, senders: dict[int, socket.socket], frame: bytes, seconds: float
) -> None:
    """Fill every queue again whenever there is room, until the time is over."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        for number, _ in poll.poll(math.ceil(left * 1e3)):
            try:
                for _ in range(AT_ONCE):
                    senders[number].send(frame)
            except OSError as full:
                if full.errno not in (errno.EAGAIN, errno.ENOBUFS):
                    raise


def _sender(network: Network, port: Shaped, mtu: int) -> socket.socket:
    with network.inside(port.host):
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sender.bind((port.port, 0))
    sender.setblocking(False)
    packets = queue_bytes(port.rate_bps, mtu) // (mtu + ETHERNET_BYTES) * 2 // 3
    room = packets * (mtu + ETHERNET_BYTES + _SKB_BYTES)
    # The kernel doubles what it is given.
    sender.setsockopt(socket.SOL_SOCKET, _SNDBUFFORCE, room // 2)
    return sender


def _sent(network: Network, port: Shaped) -> tuple[float, float]:
    """(when, bytes on the wire since the port exists)."""
    _, _, count, packets = traffic(network, port.host)[port.port]
    return time.monotonic(), count + WIRE_BYTES * packets


def _frame(mtu: int) -> bytes:
    """Ethernet, IPv4 and UDP without a checksum (RFC 768), to the discard of the other end."""
    ip = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, mtu, 0, 0, 1, 17, 0, b"\x7f\0\0\x01", b"\x7f\0\0\x01"
    )
    total = sum(struct.unpack("!10H", ip))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    ip = ip[:10] + struct.pack("!H", ~total & 0xFFFF) + ip[12:]
    udp = struct.pack("!HHHH", TRAIN_PORT, TRAIN_PORT, mtu - 20, 0)
    return _NOT_FORWARDED + _SOURCE + b"\x08\x00" + ip + udp + bytes(mtu - 28)
