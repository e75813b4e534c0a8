"""Flows over time: they start, share arcs max-min fairly, are rerouted or stopped, and finish.

Not modelled: propagation delay (a byte sent has arrived), ramp-up, packets. Background is constant
and is served first.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Hashable, Mapping, Sequence
from heapq import heapify, heappop, heappush

import msgspec

from mcastplan.fluid.rates import SAME, max_min
from mcastplan.units import BITS_PER_BYTE


class Finished(msgspec.Struct, frozen=True):
    flow: Hashable
    at_s: float


class _Run:
    """One flow on one set of arcs. ``weights`` are of all its ``count`` together."""

    __slots__ = (
        "alive",
        "anchor_s",
        "cap_bps",
        "count",
        "finish_s",
        "flow",
        "held_s",
        "hold",
        "hold_since_s",
        "number",
        "rate_bps",
        "remaining_bytes",
        "start_s",
        "weights",
    )

    def __init__(
        self, flow: Hashable, number: int, size_bytes: float, count: int, cap_bps: float, now_s: float
    ) -> None:
        self.flow = flow
        self.number = number
        self.count = count
        self.cap_bps = cap_bps
        self.start_s = now_s
        self.held_s: dict[int | None, float] = {}  # how long each arc bound it, until hold_since_s
        self.remaining_bytes = size_bytes  # at anchor_s, since when the rate is what it is
        self.attach({}, now_s)

    def attach(self, weights: Mapping[int, float], now_s: float) -> None:
        self.weights = {arc: weight * self.count for arc, weight in weights.items()}
        self.anchor_s = self.hold_since_s = now_s
        self.rate_bps = 0.0
        self.hold: int | None = None
        self.finish_s = math.inf
        self.alive = True

    def remaining_at(self, now_s: float) -> float:
        elapsed = now_s - self.anchor_s
        if elapsed <= 0:
            return self.remaining_bytes
        return max(0.0, self.remaining_bytes - self.rate_bps * elapsed / BITS_PER_BYTE)

    def settle(self, now_s: float) -> None:
        """Book what was done, and who bound it, up to now."""
        self.remaining_bytes = self.remaining_at(now_s)
        self.held_s = self.held_at(now_s)
        self.anchor_s = self.hold_since_s = now_s

    def held_at(self, now_s: float) -> dict[int | None, float]:
        held = dict(self.held_s)
        held[self.hold] = held.get(self.hold, 0.0) + now_s - self.hold_since_s
        return held

    def set_rate(self, rate_bps: float, hold: int | None, now_s: float) -> bool:
        """True where the time of its end changes."""
        if hold != self.hold:
            self.held_s = self.held_at(now_s)
            self.hold, self.hold_since_s = hold, now_s
        if rate_bps == self.rate_bps and self.finish_s < math.inf:
            return False
        self.remaining_bytes = self.remaining_at(now_s)
        self.anchor_s = now_s
        self.rate_bps = rate_bps
        if self.remaining_bytes <= 0 or rate_bps == math.inf:
            self.finish_s = now_s
        elif rate_bps > 0:
            self.finish_s = now_s + self.remaining_bytes * BITS_PER_BYTE / rate_bps
        else:
            self.finish_s = math.inf
        return True


class Fluid:
    """Arcs are numbers 0..n-1; a capacity may be infinite.

    A flow that crosses an arc with nothing left beside its background stalls: rate 0, no end. Ask
    for anything at any time: rates are worked out when they are needed.
    """

    def __init__(
        self, capacity_bps: Sequence[float], background_bps: Mapping[int, float] | None = None
    ) -> None:
        self.now_s = 0.0
        self._background = dict(background_bps or {})
        self._room = [
            _left(capacity, self._background.get(arc, 0.0))
            for arc, capacity in enumerate(capacity_bps)
        ]
        self._used = [0.0] * len(self._room)
        self._peak: dict[int, float] = {}
        self._touched: set[int] = set()  # arcs whose use changed since time last moved
        self._runs: dict[Hashable, _Run] = {}
        self._past: dict[Hashable, _Run] = {}
        self._ranked: list[_Run] = []  # by rate; all of them have one
        self._fresh: list[_Run] = []  # started or rerouted, not yet given a rate
        self._stale = False
        self._right_below_bps = math.inf  # rates under it hold, whatever has changed
        self._churn = 0  # arcs x flows taken off since all was last summed afresh
        self._ends: list[tuple[float, int, _Run]] = []  # heap; an entry holds if finish_s agrees
        self._pushes = 0
        self._starts = 0

    def start(
        self,
        flow: Hashable,
        weights: Mapping[int, float],
        size_bytes: float,
        count: int = 1,
        rate_cap_bps: float = math.inf,
    ) -> None:
        """Start ``count`` equal flows of ``size_bytes`` each, now. ``weights[arc]``: wire bytes on
        the arc for one byte of one of them."""
        if flow in self._runs:
            raise ValueError(f"flow {flow!r} is running")
        if size_bytes < 0 or count < 1 or rate_cap_bps < 0:
            raise ValueError(f"flow {flow!r}: size, count or rate cap is out of range")
        self._starts += 1
        run = _Run(flow, self._starts, size_bytes, count, rate_cap_bps, self.now_s)
        self._past.pop(flow, None)
        self._attach(run, weights)

    def reroute(self, flow: Hashable, weights: Mapping[int, float]) -> None:
        """Move a running flow to other arcs; what is done stays done."""
        run = self._runs[flow]
        _check(flow, weights)
        self._detach(run)
        # The old place in ranks and heap keeps the dead run; the flow lives on in a new one.
        moved = _Run(flow, run.number, run.remaining_bytes, run.count, run.cap_bps, self.now_s)
        moved.start_s, moved.held_s = run.start_s, run.held_s
        self._attach(moved, weights)

    def stop(self, flow: Hashable) -> None:
        """Take a running flow off; what it had not yet sent stays in `remaining_bytes`."""
        run = self._runs[flow]
        self._detach(run)
        self._past[flow] = run

    def next_finish_s(self) -> float:
        """When the next flow finishes if nothing else happens; infinite if none will."""
        self._solve()
        ends = self._ends
        while ends:
            at_s, _, run = ends[0]
            if run.alive and run.finish_s == at_s:
                return max(at_s, self.now_s)
            heappop(ends)
        return math.inf

    def run_until(self, time_s: float) -> list[Finished]:
        """Let time pass; flows that end, in order (together: in the order they were started).

        Up to infinity, time stops where nothing can finish any more.
        """
        if not time_s >= self.now_s:
            raise ValueError(f"time does not run back from {self.now_s} s to {time_s} s")
        done: list[Finished] = []
        while (at_s := self.next_finish_s()) <= time_s and at_s < math.inf:
            self._advance(at_s)
            ending = []
            while self._ends and self._ends[0][0] <= at_s + SAME * (at_s - self._ends[0][2].start_s):
                finish_s, _, run = heappop(self._ends)
                if run.alive and run.finish_s == finish_s:
                    self._detach(run)
                    run.remaining_bytes = 0.0
                    ending.append(run)
            for run in sorted(ending, key=_number):
                self._past[run.flow] = run
                done.append(Finished(run.flow, at_s))
        if time_s < math.inf:
            self._advance(time_s)
        return done

    def rate_bps(self, flow: Hashable) -> float:
        """Goodput now, of one of ``count``; 0 for a flow that is no more. Raises `KeyError`."""
        self._solve()
        run = self._find(flow)
        return run.rate_bps if run.alive else 0.0

    def remaining_bytes(self, flow: Hashable) -> float:
        """Bytes not yet sent, of one of ``count``. Raises `KeyError`."""
        run = self._find(flow)
        return run.remaining_at(self.now_s) if run.alive else run.remaining_bytes

    def binding(self, flow: Hashable) -> int | None:
        """The arc that bound this flow for most of its time so far; None: its cap, or nothing."""
        self._solve()
        run = self._find(flow)
        held = run.held_at(self.now_s) if run.alive else run.held_s
        lasting = {hold: time_s for hold, time_s in held.items() if time_s > 0}
        if not lasting:
            return run.hold
        return min(lasting, key=lambda hold: (-lasting[hold], hold is None, hold or 0))

    def peak_bps(self, arc: int) -> float:
        """The most that wire rate and background took together at any time so far."""
        return max(self._peak.get(arc, 0.0), self._background.get(arc, 0.0))

    def _find(self, flow: Hashable) -> _Run:
        return self._runs[flow] if flow in self._runs else self._past[flow]

    def _attach(self, run: _Run, weights: Mapping[int, float]) -> None:
        _check(run.flow, weights)
        run.attach(weights, self.now_s)
        self._runs[run.flow] = run
        self._fresh.append(run)
        self._stale = True
        self._right_below_bps = 0.0

    def _detach(self, run: _Run) -> None:
        run.settle(self.now_s)
        run.alive = False
        del self._runs[run.flow]
        self._take_off(run)
        self._stale = True
        self._right_below_bps = min(self._right_below_bps, run.rate_bps)

    def _take_off(self, run: _Run) -> None:
        if run.rate_bps < math.inf:
            used = self._used
            for arc, weight in run.weights.items():
                used[arc] -= weight * run.rate_bps
        self._churn += len(run.weights)

    def _advance(self, time_s: float) -> None:
        """Time passes: what arcs carry now has lasted, so it counts as a peak."""
        if time_s <= self.now_s:
            return
        for arc in self._touched:
            now = self._used[arc] + self._background.get(arc, 0.0)
            if now > self._peak.get(arc, 0.0):
                self._peak[arc] = now
        self._touched.clear()
        self.now_s = time_s

    def _solve(self) -> None:
        """Give every flow its rate, touching only those that the changes can reach.

        When flows go whose rates were L or more, rates below L stay as they are. Fill up to a
        level under L, once with these flows and once without. An arc that fills there does not
        carry any of them, or they would have been held at its level, below L. Every other arc
        carries only more with them, and is not full even so. So both fillings stop the same flows
        at the same levels, up to L. (Equal sizes started together end fastest first: the end of
        each leaves nothing to solve.) A start or a new route may change any rate.
        """
        if not self._stale:
            return
        self._stale = False
        # Sums kept by subtraction drift, so all is summed afresh once as much has been taken off
        # as is there: that at most doubles the work.
        if self._churn > sum(len(run.weights) for run in self._ranked):
            self._right_below_bps = 0.0
        below = self._right_below_bps
        self._right_below_bps = math.inf
        ranked = self._ranked
        cut = bisect_left(ranked, below * (1 - SAME), key=_rate) if below > 0 else 0
        again = [run for run in ranked[cut:] if run.alive]
        del ranked[cut:]
        if cut:
            for run in again:
                self._take_off(run)
        else:
            self._used = [0.0] * len(self._used)
            self._churn = 0
        again += [run for run in self._fresh if run.alive]
        self._fresh.clear()
        if again:
            self._rate(again)
            again.sort(key=_rate)
            ranked += again

    def _rate(self, runs: list[_Run]) -> None:
        rates, holds = max_min(
            [run.weights for run in runs], [run.cap_bps for run in runs], self._room, self._used
        )
        used, ends = self._used, self._ends
        for run, rate, hold in zip(runs, rates, holds, strict=True):
            if run.set_rate(rate, hold, self.now_s) and run.finish_s < math.inf:
                self._pushes += 1
                ends.append((run.finish_s, self._pushes, run))
            if rate < math.inf:
                for arc, weight in run.weights.items():
                    used[arc] += weight * rate
            self._touched.update(run.weights)
