"""One running flow: its rate, its end, and what held it back."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping

from mcastplan.units import BITS_PER_BYTE


class Run:
    """One flow on one set of arcs. ``weights`` are of all its ``count`` together."""

    __slots__ = (
        "alive",
        "anchor_s",
        "bends",
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
        self,
        flow: Hashable,
        number: int,
        weights: Mapping[int, float],
        size_bytes: float,
        count: int,
        cap_bps: float,
        now_s: float,
    ) -> None:
        if min(weights.values(), default=1.0) <= 0:
            raise ValueError(f"flow {flow!r}: a weight is not above 0")
        if not (size_bytes >= 0 and count >= 1 and cap_bps >= 0):
            raise ValueError(f"flow {flow!r}: size, count or rate cap is out of range")
        self.flow = flow
        self.number = number
        self.weights = (
            {arc: weight * count for arc, weight in weights.items()} if count > 1 else dict(weights)
        )
        self.count = count
        self.cap_bps = cap_bps
        self.start_s = now_s
        self.alive = True
        self.rate_bps = 0.0
        self.remaining_bytes = size_bytes  # at anchor_s; the rate has been the same since
        self.anchor_s = now_s
        self.finish_s = math.inf
        self.hold: int | None = None  # what binds it since hold_since_s
        self.hold_since_s = now_s
        self.held_s: dict[int | None, float] = {}  # how long each bound it, until then
        self.bends: list[tuple[float, float]] | None = None  # (s, bytes left) as its rate changed

    def remaining_at(self, now_s: float) -> float:
        elapsed = now_s - self.anchor_s
        if elapsed <= 0:
            return self.remaining_bytes
        return max(0.0, self.remaining_bytes - self.rate_bps * elapsed / BITS_PER_BYTE)

    def held_at(self, now_s: float) -> dict[int | None, float]:
        held = dict(self.held_s)
        held[self.hold] = held.get(self.hold, 0.0) + now_s - self.hold_since_s
        return held

    def settle(self, now_s: float) -> None:
        """Book what was done, and what bound it, up to now."""
        self.remaining_bytes = self.remaining_at(now_s)
        self.held_s = self.held_at(now_s)
        self.anchor_s = self.hold_since_s = now_s

    def set_rate(self, rate_bps: float, hold: int | None, now_s: float) -> bool:
        """True where the time of its end changes."""
        if hold != self.hold:
            self.held_s = self.held_at(now_s)
            self.hold, self.hold_since_s = hold, now_s
        if rate_bps == self.rate_bps and self.finish_s < math.inf:
            return False
        self.remaining_bytes = self.remaining_at(now_s)
        if self.bends is not None and now_s > self.start_s:
            self.bends.append((now_s, self.remaining_bytes))
        self.anchor_s = now_s
        self.rate_bps = rate_bps
        if self.remaining_bytes <= 0 or rate_bps == math.inf:
            self.finish_s = now_s
        elif rate_bps > 0:
            self.finish_s = now_s + self.remaining_bytes * BITS_PER_BYTE / rate_bps
        else:
            self.finish_s = math.inf
        return True
