"""TCP pulls of one cloud: they stall while it is out, and resume at a retransmission timeout.

A sender goes on for one round trip into the black hole; what it sends then is lost and sent again.
Then it takes nothing until the first retransmission that gets through: the timer expires ``rto``
after the loss and doubles each time (RFC 6298 sections 5.5 and 5.6), up to 120 s. It resumes at its
fair share at once.

Not modelled: fast retransmit (an outage shorter than a round trip also waits for the timer), slow
start after the timeout, retransmission to other paths, and the end of a connection: Linux gives up
after about 924 s (tcp_retries2 = 15); a pull here waits for ever, and is never evicted.
"""

from __future__ import annotations

import math

from mcastplan.converge.courses import CloudDelivery, FlowCourse
from mcastplan.converge.sending import Sender
from mcastplan.evaluate.arrival import Arrival, Bend, straightened
from mcastplan.fluid import Fluid

# Linux include/net/tcp.h: TCP_RTO_MAX 120 s; RFC 6298 section 2.5 allows a maximum of 60 s or more.
RTO_MAX_S = 120.0


def retransmits_s(lost_s: float, rto_s: float, after_s: float) -> float:
    """The first retransmission at or after ``after_s`` of what was lost at ``lost_s``: they come
    at lost + rto, + 3 rto, + 7 rto ..."""
    at_s, wait_s = lost_s + rto_s, rto_s
    while at_s < after_s:
        wait_s = min(2 * wait_s, RTO_MAX_S)
        at_s += wait_s
    return at_s


class Pull(Sender):
    """``flow.count`` equal pulls of one cloud; bytes inside are of one of them."""

    def __init__(
        self,
        fluid: Fluid,
        course: FlowCourse,
        *,
        begin_s: float,
        zero_s: float,
        rto_s: float,
        traced: bool = False,
    ) -> None:
        super().__init__(fluid, course, begin_s=begin_s, zero_s=zero_s, traced=traced)
        (self._cloud,) = course.flow.clouds
        self._rto_s, self._rtt_s = rto_s, course.rtt_s
        self._size = float(course.flow.size_bytes)
        self._left = self._size  # not yet delivered
        self._run_left = 0.0  # of the engine's run, at the last event
        self._reached = 0.0  # the highest offset ever sent
        self._lost_s: float | None = None  # since then nothing gets through
        self._lost = self._offered = self._duplicate = 0.0
        self._done_s = math.inf
        self._points: list[Bend] = []

    def step(self, now_s: float) -> float:
        self._book(now_s)
        if not self._left:
            return math.inf
        edge_s = self._enter(now_s)
        out = self._cloud in self._piece.missing
        if self._lost_s is None and out:
            self._lost_s = now_s
        if self._lost_s is None:
            self._move()
            return edge_s
        if out and self.running and now_s < self._lost_s + self._rtt_s:
            self._move(self.rate_bps)  # nothing has told it to go faster
            return min(edge_s, self._lost_s + self._rtt_s)
        self._halt()
        if out:
            return edge_s
        again_s = retransmits_s(self._lost_s, self._rto_s, now_s)
        if again_s > now_s:
            return again_s  # until then it does not matter who is out
        self._lost_s = None
        self._point(now_s, self._left)
        self._move()
        return edge_s

    def _move(self, cap_bps: float = math.inf) -> None:
        cap_bps = min(cap_bps, self.flow.rate_cap_bps)
        if self.running:
            self._go_on(cap_bps)
        else:
            self._start(self._left, cap_bps)
            self._run_left = self._left

    def _halt(self) -> None:
        if self.running:
            self._stop()
        self._run_left = 0.0

    def _book(self, now_s: float) -> None:
        if not self._run_left:
            return
        bends = self._bends()
        left = self._fluid.remaining_bytes(self.flow.name)
        if left < 0.5:  # bytes are whole: what is left is rounding
            left = 0.0
        emitted, end = self._run_left - left, self._size - left
        self._run_left = left
        self.sent_bytes += emitted * self.flow.count
        again = min(end, self._reached) - (end - emitted)
        self.repaired_bytes += max(0.0, again) * self.flow.count
        self._reached = max(self._reached, end)
        self._offered += emitted
        if self._lost_s is not None:
            self._lost += emitted
            return
        self._points += (Bend(at_s - self.begin_s, self._size - rest) for at_s, rest in bends)
        self._point(now_s, left)
        self._left = left
        self._duplicate += emitted * self._piece.extra.get(self._cloud, 0)
        if not left:
            self._halt()
            self._done_s = now_s

    def _point(self, at_s: float, left: float) -> None:
        if self._traced:
            self._points.append(Bend(at_s - self.begin_s, self._size - left))

    def delivery(self, cloud: str) -> CloudDelivery:
        count, complete = self.flow.count, self._done_s < math.inf
        return CloudDelivery(
            pulls=(self._arrival(),) if complete else (),
            lost_bytes=self._lost * count,
            duplicate_bytes=self._duplicate * count,
            evicted=False,
            complete=complete,
            delivered_bytes=(self._size - self._left) * count,
            offered_bytes=self._offered * count,
        )

    def _arrival(self) -> Arrival:
        lasted_s = self._done_s - self.begin_s
        bends = straightened(self._points, Bend(lasted_s, self._size))
        return Arrival(self.flow.count, lasted_s, bends=bends)
