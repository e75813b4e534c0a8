"""A reliable multicast push: one pass to all, then rounds that resend what any receiver lacks.

Negative acknowledgements as in RFC 5740 (NORM), without their cost: they are never lost, take no
capacity, and the sender has them all the moment a pass ends (``uftp``: one status round trip
later). Not modelled: NACK suppression, FEC, congestion control, random loss. A receiver that is
out still sets the pace: nobody has told the sender that it may go faster, until it is evicted.
"""

from __future__ import annotations

import math

from mcastplan.converge.courses import CloudDelivery, FlowCourse
from mcastplan.converge.ranges import Range, minus, split, total, union, within
from mcastplan.converge.sending import Sender
from mcastplan.evaluate.arrival import Arrival, Bend, straightened
from mcastplan.fluid import Fluid


class _Receiver:
    """One cloud. It needs ``lacking``: at first all; bytes are whole, so nothing is lost twice by
    rounding. ``out_since_s`` None: what is sent now reaches it."""

    def __init__(self, size_bytes: int) -> None:
        self.lacking: list[Range] = [(0, size_bytes)]
        self.out_since_s: float | None = None
        self.evicted = False
        self.done_s = math.inf
        self.points: list[Bend] = []  # how its bytes came
        self.lost = self.offered = self.duplicate = 0

    @property
    def waits(self) -> bool:
        return bool(self.lacking) and not self.evicted


class Session(Sender):
    """``round_trip_s``: from the end of a pass to the next round, which needs to know who lacks
    what. ``cap_bps``: of an open-loop sender."""

    def __init__(
        self,
        fluid: Fluid,
        course: FlowCourse,
        *,
        begin_s: float,
        zero_s: float,
        planned_bps: float,
        cap_bps: float,
        round_trip_s: float,
        evict_after_s: float,
        traced: bool = False,
    ) -> None:
        super().__init__(
            fluid, course, begin_s=begin_s, zero_s=zero_s, planned_bps=planned_bps, traced=traced
        )
        size = course.flow.size_bytes
        self._receivers = {cloud: _Receiver(size) for cloud in course.flow.clouds}
        # Of this pass, not yet sent.
        self._queue = union(each.lacking for each in self._receivers.values())
        self._segment = 0  # bytes of the queue that the engine's run has still to send
        self._first_s = math.inf  # the first pass has ended
        self._round_s: float | None = None  # earliest start of the next round
        self._own_cap_bps = min(course.flow.rate_cap_bps, cap_bps)
        self._held_bps = math.inf
        self._booked_s = begin_s  # the last event
        self._round_trip_s = round_trip_s
        self._evict_after_s = evict_after_s

    def step(self, now_s: float) -> float:
        self._book(now_s)
        edge_s = self._enter(now_s)
        self._watch(now_s)
        if self._evict(now_s):
            self._drop()
        if not self._queue:
            self._between_passes(now_s)
        self._hold()
        if self._queue:
            self._send()
        return min(edge_s, self._next_s(now_s)) if self._waiting() else math.inf

    def _waiting(self) -> list[_Receiver]:
        return [each for each in self._receivers.values() if each.waits]

    def _book(self, now_s: float) -> None:
        """What left since the last event, under the piece that held."""
        from_s, self._booked_s = self._booked_s, now_s
        if not self._segment:
            return
        sent_at = [(from_s, 0.0)]
        if self._first_s == math.inf:
            sent_at += ((at_s, self._segment - rest) for at_s, rest in self._bends())
        left = round(self._fluid.remaining_bytes(self.flow.name))
        if not left and self.running:
            self._stop()  # less than half a byte away from its end
        emitted, self._queue = split(self._queue, self._segment - left)
        self._segment = left
        sent = total(emitted) * self.flow.count
        self.sent_bytes += sent
        if self._first_s < math.inf:
            self.repaired_bytes += sent
        for name, receiver in self._receivers.items():
            if receiver.waits:
                got = self.flow.size_bytes - total(receiver.lacking)
                self._receive(name, receiver, emitted, now_s)
                if self._traced and name not in self._piece.missing:
                    self._trace(receiver, got, sent_at, now_s)

    def _trace(
        self, receiver: _Receiver, got: int, sent_at: list[tuple[float, float]], now_s: float
    ) -> None:
        """``sent_at``: (when, bytes of this segment sent by then). What a repair round brings, with
        others' bytes between, is taken to come evenly from event to event."""
        receiver.points += (Bend(at_s - self.begin_s, got + sent) for at_s, sent in sent_at)
        here = self.flow.size_bytes - total(receiver.lacking)
        receiver.points.append(Bend(now_s - self.begin_s, here))

    def _receive(self, name: str, receiver: _Receiver, emitted: list[Range], now_s: float) -> None:
        needed = total(within(emitted, receiver.lacking))
        receiver.offered += needed
        if name in self._piece.missing:
            receiver.lost += needed
            return
        receiver.duplicate += needed * self._piece.extra.get(name, 0)
        for low, high in emitted:
            receiver.lacking = minus(receiver.lacking, low, high)
        if not receiver.lacking:
            receiver.done_s = now_s

    def _watch(self, now_s: float) -> None:
        """Who is out, and since when."""
        for name, receiver in self._receivers.items():
            if name not in self._piece.missing:
                receiver.out_since_s = None
            elif receiver.out_since_s is None:
                receiver.out_since_s = now_s

    def _evict(self, now_s: float) -> bool:
        """Drop who has been out too long; whoever comes back at this very instant stays."""
        gone = [
            each
            for each in self._waiting()
            if each.out_since_s is not None and each.out_since_s + self._evict_after_s <= now_s
        ]
        for each in gone:
            each.evicted = True
        return bool(gone)

    def _drop(self) -> None:
        """What only the evicted lack is sent no more."""
        self._queue = within(self._queue, union(each.lacking for each in self._waiting()))
        if self.running:
            self._stop()
        self._segment = 0

    def _between_passes(self, now_s: float) -> None:
        """Start the next round if it is time and somebody who lacks something hears it."""
        self._first_s = min(self._first_s, now_s)
        if self._round_s is None:
            self._round_s = now_s + self._round_trip_s
        waiting = self._waiting()
        if now_s >= self._round_s and any(each.out_since_s is None for each in waiting):
            self._queue = union(each.lacking for each in waiting)
            self._round_s = None

    def _hold(self) -> None:
        """While a receiver is out, the rate is at most what it was when the first went."""
        if all(each.out_since_s is None for each in self._waiting()):
            self._held_bps = math.inf
        elif self._held_bps == math.inf:
            self._held_bps = self.rate_bps

    def _send(self) -> None:
        cap = min(self._own_cap_bps, self._held_bps)
        if self.running:
            self._go_on(cap)
            return
        # A run ends where some receiver gets its last byte, so that the engine tells when.
        first = self._queue[0][0]
        ends = [each.lacking[-1][1] for each in self._waiting()]
        end = min(each for each in ends if each > first)
        self._segment = total(within(self._queue, [(first, end)]))
        self._start(self._segment, cap)

    def _next_s(self, now_s: float) -> float:
        """The next eviction, or the round that is due."""
        due = [
            each.out_since_s + self._evict_after_s
            for each in self._waiting()
            if each.out_since_s is not None
        ]
        if self._round_s is not None and self._round_s > now_s:
            due.append(self._round_s)
        return min(due, default=math.inf)

    def delivery(self, cloud: str) -> CloudDelivery:
        receiver, count = self._receivers[cloud], self.flow.count
        complete = receiver.done_s < math.inf
        pulls: tuple[Arrival, ...] = ()
        if complete:
            # A run that ends half a byte early must not give a repair of -1e-15 s.
            repair = max(0.0, receiver.done_s - self._first_s)
            first = self._first_s - self.begin_s
            end = Bend(first + repair, self.flow.size_bytes)
            pulls = (Arrival(count, first, repair, straightened(receiver.points, end)),)
        lacking = total(receiver.lacking)
        return CloudDelivery(
            pulls=pulls,
            lost_bytes=float(receiver.lost * count),
            duplicate_bytes=float(receiver.duplicate * count),
            evicted=receiver.evicted,
            complete=complete,
            delivered_bytes=float((self.flow.size_bytes - lacking) * count),
            offered_bytes=float(receiver.offered * count),
        )
