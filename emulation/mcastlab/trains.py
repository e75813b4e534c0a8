"""The highest rate at which the scheme's own forwarding loses nothing, found by trains of packets.

Knows nothing of the plan: it sends packets of UFTP's size to the push's group and looks at when
they arrive at every receiver. A queue that grows shows in the one-way delay (one clock) long before
it is full and loses: at a rate r above the capacity C of the narrowest port, delay grows by
``r / C - 1`` seconds each second, so that one train of a fraction of a second gives C to a few
parts in a thousand. Each window takes the *smallest* delay in it: a host that was busy for
milliseconds adds delay to some packets, never takes it away.

1. A burst of 16 packets, which every queue holds: a first guess, good to a factor of 2.
2. Trains of 40 ms, twice as fast each, until delay grows or a packet is lost.
3. Trains of 0.4 s, 3 % above the guess: C at the narrowest receiver.
4. Trains of 0.6 s at 0.998 C, until one arrives whole everywhere with a delay that does not grow.
   A second train forgives a loss; then the rate goes down by 1 %.

Only the second half of a train counts: HTB's bucket of 1 ms passes 3 % too much for 33 ms. Where no
port is the limit but the sender's own processor, that is the answer.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from mcastlab.errors import LabError
from mcastlab.sender import Send, Sender
from mcastlab.tap import TRAIN_PACKETS, Tap
from mcastlab.uftp import HEADERS_BYTES
from mcastplan.lab.spec import TRAIN_PORT, LabPush
from mcastplan.units import BITS_PER_BYTE

if TYPE_CHECKING:
    from mcastlab.network import Network

BURST_PACKETS = 16  # the shortest queue of the lab
LEAST_PACKETS = 60  # of a train: its windows must hold some
SHORT_S, LONG_S, CONFIRM_S = 0.040, 0.4, 0.6
FASTER, ABOVE, BELOW, STEP = 2.0, 1.03, 0.998, 0.99
GROWS_COARSE, GROWS, STEADY = 0.05, 0.005, 0.003  # delay's growth [s/s]
HELD_BACK = 0.9  # a sender that reaches less of what it was asked for is itself the limit
ROUNDS = 12  # of each step, before it is called unsteady
SETTLE_S = 0.1  # nothing more arrives in it: all that was on the way is here or lost
SETTLE_POLL_S = 0.005

# Of all trains of this process: a tap keeps what it saw of earlier ones.
_numbers = itertools.count(1)


class _Seen(msgspec.Struct, frozen=True):
    """One train at one receiver."""

    host: str
    lost: int
    growth: float  # of delay [s/s]; what was lost does not count
    rate_bps: float  # at which it arrived


class _Train(msgspec.Struct, frozen=True):
    sent_bps: float
    seen: tuple[_Seen, ...]

    @property
    def lost(self) -> int:
        return max(each.lost for each in self.seen)

    @property
    def growth(self) -> float:
        return max(each.growth for each in self.seen)

    @property
    def capacity_bps(self) -> float:
        """What the narrowest receiver can get. Behind a queue that overflows, delay has stopped
        to grow and the rate of arrivals says it."""
        return min(
            each.rate_bps if each.lost else self.sent_bps / (1 + max(0.0, each.growth))
            for each in self.seen
        )


def highest_rate(network: Network, push: LabPush, taps: Sequence[Tap], payload_bytes: int) -> float:
    """IP packets at the origin [bit/s], loss-free at every tap's replica; ``payload_bytes`` is
    UFTP's block. Takes 2 to 4 s. Other traffic (a probe) keeps its share.

    Raises `LabError` naming a receiver that nothing reaches, or if no rate is steady.
    """
    sender = Sender(network, push, "trains")
    try:
        search = _Search(sender, push, taps, payload_bytes + HEADERS_BYTES)
        return search.confirmed(search.refined(search.guessed()))
    finally:
        sender.close()


def overload(
    network: Network, push: LabPush, taps: Sequence[Tap], payload_bytes: int, rate_bps: float
) -> None:
    """One train at this rate of IP packets, for where it is too much to drop: the ports' counters
    then say which do."""
    sender = Sender(network, push, "overload")
    try:
        _Search(sender, push, taps, payload_bytes + HEADERS_BYTES).at(rate_bps, CONFIRM_S)
    finally:
        sender.close()


class _Search:
    def __init__(
        self, sender: Sender, push: LabPush, taps: Sequence[Tap], packet_bytes: int
    ) -> None:
        self._sender, self._push, self._taps = sender, push, taps
        self._packet_bytes = packet_bytes

    def guessed(self) -> float:
        """Steps 1 and 2."""
        burst = self._send(BURST_PACKETS, 1.0)
        deaf = sorted(each.host for each in burst.seen if each.lost == BURST_PACKETS)
        if deaf:
            raise LabError(
                f"{self._push.transfer}: no packet of {self._packet_bytes} B to"
                f" {self._push.group} reaches {', '.join(deaf)}"
            )
        rate_bps = min(each.rate_bps for each in burst.seen) / FASTER
        for _ in range(ROUNDS):
            train = self.at(rate_bps, SHORT_S)
            if train.lost or train.growth > GROWS_COARSE:
                return train.capacity_bps
            if train.sent_bps < HELD_BACK * rate_bps:
                return train.sent_bps
            rate_bps *= FASTER
        return rate_bps

    def refined(self, guess_bps: float) -> float:
        """Step 3."""
        for _ in range(ROUNDS):
            train = self.at(ABOVE * guess_bps, LONG_S)
            if train.sent_bps < HELD_BACK * guess_bps:
                return train.sent_bps
            found_bps = train.capacity_bps
            # Too far off to be exact: the queue may have overflown, or hardly grown.
            if not train.lost and GROWS < train.growth < GROWS_COARSE:
                return found_bps
            guess_bps = found_bps
        return guess_bps

    def confirmed(self, rate_bps: float) -> float:
        """Step 4."""
        rate_bps *= BELOW
        for _ in range(ROUNDS):
            for _ in range(2):
                train = self.at(rate_bps, CONFIRM_S)
                if not train.lost and train.growth < STEADY:
                    return train.sent_bps
            rate_bps = min(STEP * rate_bps, BELOW * train.capacity_bps)
        raise LabError(
            f"{self._push.transfer}: packets are lost even at {rate_bps / 1e6:.2f} Mb/s;"
            " is the machine busy?"
        )

    def at(self, rate_bps: float, seconds: float) -> _Train:
        """One train."""
        gap_ns = self._packet_bytes * BITS_PER_BYTE * 1e9 / rate_bps
        count = min(TRAIN_PACKETS, max(LEAST_PACKETS, round(seconds * 1e9 / gap_ns)))
        return self._send(count, gap_ns)

    def _send(self, count: int, gap_ns: float) -> _Train:
        group, number, size = (self._push.group,), next(_numbers), self._packet_bytes
        self._sender.send(Send(group, TRAIN_PORT, number, size, count, gap_ns))
        sent_ns = self._sender.wait()
        arrived = self._settled(number, count)
        bits = size * BITS_PER_BYTE * 1e9
        seen = tuple(
            _seen(tap.replica.host, sent_ns, each[:count], bits)
            for tap, each in zip(self._taps, arrived, strict=True)
        )
        return _Train(bits * (count - 1) / max(1, int(sent_ns[-1] - sent_ns[0])), seen)

    def _settled(self, number: int, count: int) -> list[NDArray[np.int64]]:
        """Arrivals by receiver, once all have come or nothing comes any more."""
        before, quiet_s = -1, 0.0
        while True:
            arrived = [tap.train(number) for tap in self._taps]
            here = sum(int(np.count_nonzero(each)) for each in arrived)
            if here == count * len(self._taps) or quiet_s >= SETTLE_S:
                return arrived
            quiet_s = quiet_s + SETTLE_POLL_S if here == before else 0.0
            before = here
            time.sleep(SETTLE_POLL_S)


def _seen(
    host: str, sent_ns: NDArray[np.int64], arrived_ns: NDArray[np.int64], bits: float
) -> _Seen:
    here = np.flatnonzero(arrived_ns)
    lost = len(sent_ns) - len(here)
    if len(here) < 2:
        return _Seen(host, lost, 0.0, 0.0)
    span_ns = max(1, int(arrived_ns[here].max() - arrived_ns[here].min()))
    rate_bps = bits * (len(here) - 1) / span_ns
    return _Seen(host, lost, _growth(sent_ns[here], arrived_ns[here]), rate_bps)


def _growth(sent_ns: NDArray[np.int64], arrived_ns: NDArray[np.int64]) -> float:
    """Of the smallest delay from the train's middle to its end, per second."""
    count = len(sent_ns)
    width = max(1, count // 10)
    delay_ns = arrived_ns - sent_ns
    early = slice((count - width) // 2, (count - width) // 2 + width)
    first, last = delay_ns[early].argmin() + early.start, delay_ns[-width:].argmin()
    last += count - width
    if last <= first:
        return 0.0
    return float(delay_ns[last] - delay_ns[first]) / max(1.0, float(sent_ns[last] - sent_ns[first]))
