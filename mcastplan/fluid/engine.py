"""Flows over time: they start, share arcs max-min fairly, are rerouted or stopped, and finish.

Not modelled: propagation delay (a byte sent has arrived), ramp-up, packets. Background is constant
and is served first.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Hashable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from operator import attrgetter

import msgspec

from mcastplan.fluid.rates import SAME, max_min
from mcastplan.fluid.run import Run

# So few subtractions leave sums good to far better than `SAME`.
NO_DRIFT = 10_000

_RATE = attrgetter("rate_bps")
_NUMBER = attrgetter("number")


class Finished(msgspec.Struct, frozen=True):
    flow: Hashable
    at_s: float


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
            left(capacity, self._background.get(arc, 0.0))
            for arc, capacity in enumerate(capacity_bps)
        ]
        self._used = [0.0] * len(self._room)
        self._peak: dict[int, float] = {}
        self._touched: set[int] = set()  # arcs whose use changed since time last moved
        self._runs: dict[Hashable, Run] = {}
        self._past: dict[Hashable, Run] = {}
        self._ranked: list[Run] = []  # by rate; all of them have one
        self._fresh: list[Run] = []  # started or rerouted, not yet given a rate
        self._stale = False
        self._right_below_bps = math.inf  # rates under it hold, whatever has changed
        self._incidences = 0  # arcs x flows running
        self._churn = 0  # arcs x flows taken off since all was last summed afresh
        self._ends: list[tuple[float, int, Run]] = []  # heap; an entry holds if finish_s agrees
        self._pushes = 0
        self._starts = 0

    def start(
        self,
        flow: Hashable,
        weights: Mapping[int, float],
        size_bytes: float,
        count: int = 1,
        rate_cap_bps: float = math.inf,
        traced: bool = False,
    ) -> None:
        """Start ``count`` equal flows of ``size_bytes`` each, now. ``weights[arc]``: wire bytes on
        the arc for one byte of one of them. ``traced``: `bends` are kept."""
        if flow in self._runs:
            raise ValueError(f"flow {flow!r} is running")
        self._starts += 1
        run = Run(flow, self._starts, weights, size_bytes, count, rate_cap_bps, self.now_s)
        if traced:
            run.bends = []
        self._attach(run)
        self._past.pop(flow, None)

    def reroute(self, flow: Hashable, weights: Mapping[int, float]) -> None:
        """Move a running flow to other arcs; what is done stays done."""
        run = self._runs[flow]
        run.settle(self.now_s)
        # A dead run may linger in the ranks and the heap, so the flow lives on as another.
        moved = Run(
            flow, run.number, weights, run.remaining_bytes, run.count, run.cap_bps, self.now_s
        )
        moved.start_s, moved.held_s, moved.bends = run.start_s, run.held_s, run.bends
        self._detach(run)
        self._attach(moved)

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
            ending = self._take_ending(at_s)
            assert ending, "a flow finishes and does not end: time would stand still"
            for run in sorted(ending, key=_NUMBER):
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

    def bends(self, flow: Hashable, first: int = 0) -> list[tuple[float, float]]:
        """(when [s], bytes then left of one of ``count``) at every change of a traced flow's rate
        after its start, in order, from number ``first`` on. Raises `KeyError`."""
        return (self._find(flow).bends or [])[first:]

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

    def _find(self, flow: Hashable) -> Run:
        return self._runs[flow] if flow in self._runs else self._past[flow]

    def _take_ending(self, at_s: float) -> list[Run]:
        """Take off the flows that end now, or so soon that only rounding tells it from now."""
        ending, ends = [], self._ends
        while ends and ends[0][0] <= at_s + SAME * (at_s - ends[0][2].start_s):
            finish_s, _, run = heappop(ends)
            if run.alive and run.finish_s == finish_s:
                self._detach(run)
                run.remaining_bytes = 0.0
                ending.append(run)
        return ending

    def _attach(self, run: Run) -> None:
        self._runs[run.flow] = run
        self._incidences += len(run.weights)
        self._fresh.append(run)
        self._stale = True
        self._right_below_bps = 0.0

    def _detach(self, run: Run) -> None:
        run.settle(self.now_s)
        run.alive = False
        del self._runs[run.flow]
        self._incidences -= len(run.weights)
        self._take_off(run)
        self._stale = True
        self._right_below_bps = min(self._right_below_bps, run.rate_bps)

    def _take_off(self, run: Run) -> None:
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
        if self._churn > max(self._incidences, NO_DRIFT):
            self._right_below_bps = 0.0
        below = self._right_below_bps
        self._right_below_bps = math.inf
        ranked = self._ranked
        cut = bisect_left(ranked, below * (1 - SAME), key=_RATE) if below > 0 else 0
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
            again.sort(key=_RATE)
            ranked += again

    def _rate(self, runs: list[Run]) -> None:
        rates, holds = max_min(
            [run.weights for run in runs], [run.cap_bps for run in runs], self._room, self._used
        )
        used, ends = self._used, []
        for run, rate, hold in zip(runs, rates, holds, strict=True):
            if run.set_rate(rate, hold, self.now_s) and run.finish_s < math.inf:
                self._pushes += 1
                ends.append((run.finish_s, self._pushes, run))
            if rate < math.inf:
                for arc, weight in run.weights.items():
                    used[arc] += weight * rate
                self._touched.update(run.weights)
        if len(ends) > len(self._ends) // 4 or len(self._ends) > 2 * len(self._runs):
            # Many new ends, or many old ones that no longer hold: cheaper to sort out at once.
            ends += [end for end in self._ends if end[2].alive and end[2].finish_s == end[0]]
            heapify(ends)
            self._ends = ends
        else:
            for end in ends:
                heappush(self._ends, end)


def left(capacity_bps: float, background_bps: float) -> float:
    """What background leaves; nothing, where only rounding separates the two."""
    rest = capacity_bps - background_bps
    return rest if rest > SAME * capacity_bps or capacity_bps == math.inf else 0.0
