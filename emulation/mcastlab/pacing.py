"""A limit on what an origin may send while an open-loop sender runs.

UFTP 4.10.2 makes up for time in which it slept too long: it sends what it is behind with at the
speed of the interface. It counts the pause between two passes as such a time, so that every repair
pass begins with a burst of one GRTT of its rate (measured: 0.21 s with a GRTT of 0.2 s), which no
queue of 20 ms holds. The origin's own queue does, since a full socket buffer makes UFTP wait.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mcastlab.shaping import ETHERNET_BYTES, WIRE_BYTES, Shaped, burst_bytes, tc_lines
from mcastplan.lab.spec import LabOrigin

if TYPE_CHECKING:
    from mcastlab.network import Network

PORT = "eth0"
QUEUE_BYTES = 16 << 20  # more than any socket buffer: the socket waits, the queue never drops


class Pacer:
    """Holds the origin's ``eth0`` to a rate of IP packets from `start` until `stop`."""

    def __init__(self, network: Network, origin: LabOrigin) -> None:
        self._network, self._origin = network, origin
        self._mtu = network.spec.mtu
        self._shaped = math.isfinite(origin.egress_bps)

    def start(self, rate_bps: float, packet_bytes: int) -> None:
        """``rate_bps`` counts IP packets of ``packet_bytes``. Raises `LabError`."""
        wire = packet_bytes + ETHERNET_BYTES + WIRE_BYTES
        rate = round(rate_bps * wire / packet_bytes)
        burst = burst_bytes(rate, self._mtu)
        bucket = f"burst {burst} cburst {burst} overhead {WIRE_BYTES}"
        limits = f"htb rate {rate}bit ceil {rate}bit {bucket}"
        if self._shaped:
            self._tc(
                f"class change dev {PORT} parent 1:1 classid 1:10 {limits} prio 1",
                f"qdisc change dev {PORT} parent 1:10 handle 10: bfifo limit {QUEUE_BYTES}",
            )
        else:
            self._tc(
                f"qdisc add dev {PORT} root handle 1: htb default 10",
                f"class add dev {PORT} parent 1: classid 1:10 {limits}",
                f"qdisc add dev {PORT} parent 1:10 handle 10: bfifo limit {QUEUE_BYTES}",
            )

    def stop(self) -> None:
        """The port as `mcastlab.shaping` made it; counters of its queue go on."""
        if not self._shaped:
            self._tc(f"qdisc del dev {PORT} root")
            return
        port = Shaped(self._origin.host, PORT, self._origin.egress_bps, 0.0, "origin egress")
        own = [
            line.replace(" add ", " change ", 1)
            for line in tc_lines(port, self._mtu)
            if "classid 1:10 " in line or "parent 1:10 " in line
        ]
        self._tc(*own)

    def _tc(self, *lines: str) -> None:
        self._network.run(
            self._origin.host, "tc", "-batch", "-", text="".join(f"{line}\n" for line in lines)
        )
