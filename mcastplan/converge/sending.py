"""One flow on its course: the piece it is in, and its run in the fluid engine."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

from mcastplan.converge.courses import CloudDelivery, FlowCourse, Piece
from mcastplan.fluid import Fluid
from mcastplan.model.topology import Arc


class Sender(ABC):
    """Times are the engine's, which begins ``zero_s`` into scenario time.

    ``rate_bps`` is the goodput that held until the event at hand; before the first, the planned.
    ``traced``: it matters how the bytes come.
    """

    def __init__(
        self,
        fluid: Fluid,
        course: FlowCourse,
        *,
        begin_s: float,
        zero_s: float,
        planned_bps: float = math.inf,
        traced: bool = False,
    ) -> None:
        self.flow = course.flow
        self.begin_s = begin_s
        self.running = False
        self.rate_bps = planned_bps
        self.sent_bytes = 0.0  # payload bytes, of all the flow's count
        self.repaired_bytes = 0.0
        self._fluid = fluid
        self._pieces = course.pieces
        self._edges_s = [piece.to_s - zero_s for piece in course.pieces]
        self._place = 0
        self._weights: Mapping[Arc, float] = {}
        self._cap_bps = math.inf
        self._traced = traced
        self._bends_told = 0

    @abstractmethod
    def step(self, now_s: float) -> float:
        """Book what was sent until now, go on, and say when to be called again (infinite: never,
        unless the run ends)."""

    @abstractmethod
    def delivery(self, cloud: str) -> CloudDelivery:
        """Of this flow alone."""

    def note_rate(self) -> None:
        if self.running:
            self.rate_bps = self._fluid.rate_bps(self.flow.name)

    @property
    def _piece(self) -> Piece:
        return self._pieces[self._place]

    def _enter(self, now_s: float) -> float:
        """Move to the piece of this instant; when it ends."""
        while self._edges_s[self._place] <= now_s:
            self._place += 1
        return self._edges_s[self._place]

    def _start(self, size_bytes: float, cap_bps: float) -> None:
        self._weights, self._cap_bps, self.running = self._piece.weights, cap_bps, True
        flow, self._bends_told = self.flow, 0
        self._fluid.start(flow.name, self._weights, size_bytes, flow.count, cap_bps, self._traced)

    def _bends(self) -> list[tuple[float, float]]:
        """Of the run, since the last time asked: (when its rate changed, bytes then left of it)."""
        if not self._traced:
            return []
        bends = self._fluid.bends(self.flow.name, self._bends_told)
        self._bends_told += len(bends)
        return bends

    def _stop(self) -> None:
        self._fluid.stop(self.flow.name)
        self.running = False

    def _go_on(self, cap_bps: float) -> None:
        """The running flow, on this piece's arcs and under this cap."""
        if cap_bps != self._cap_bps:
            left = self._fluid.remaining_bytes(self.flow.name)
            self._stop()
            self._start(left, cap_bps)
        elif self._piece.weights != self._weights:
            self._weights = self._piece.weights
            self._fluid.reroute(self.flow.name, self._weights)
