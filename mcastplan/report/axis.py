"""A time axis: linear, or logarithmic where the slowest is far behind the fastest."""

from __future__ import annotations

import math

import msgspec

from mcastplan.units import show_time

FAR = 8.0  # the longest time over the shortest: beyond this a linear axis hides the fast ones
_TICKS = 6
_LOG_TICKS = 9

# Round times [s] that people use, from a millisecond to ten days.
_ROUND = (
    *(n * 10.0**p for p in (-3, -2, -1) for n in (1, 2, 5)),
    *(1.0, 2.0, 5.0, 10.0, 15.0, 30.0),
    *(60.0 * n for n in (1, 2, 5, 10, 15, 30)),
    *(3600.0 * n for n in (1, 2, 4, 8, 12, 24, 48, 120, 240)),
)


class TimeAxis(msgspec.Struct, frozen=True):
    """From ``low_s`` to ``high_s``; ``ticks`` are round times between them."""

    low_s: float
    high_s: float
    logarithmic: bool
    ticks: tuple[float, ...]

    def place(self, seconds: float) -> float:
        """0 at the left end, 1 at the right end."""
        if self.high_s <= self.low_s:
            return 0.5
        inside = min(max(seconds, self.low_s), self.high_s)
        if self.logarithmic:
            return math.log(inside / self.low_s) / math.log(self.high_s / self.low_s)
        return (inside - self.low_s) / (self.high_s - self.low_s)


def time_axis(first_s: float, last_s: float) -> TimeAxis:
    """An axis for events between the two times."""
    if first_s > 0 and last_s / first_s > FAR:
        low = max((t for t in _ROUND if t <= first_s / 1.15), default=first_s / 1.5)
        high = last_s * 1.15
        inside = [t for t in _ROUND if low <= t <= high]
        step = math.ceil(len(inside) / _LOG_TICKS) or 1
        return TimeAxis(low, high, True, tuple(inside[::step]))
    high = last_s * 1.06 or 1.0
    step_s = next((t for t in _ROUND if high / t <= _TICKS), high / _TICKS)
    ticks = tuple(step_s * n for n in range(int(high / step_s) + 1))
    return TimeAxis(0.0, high, False, ticks)


def tick_text(seconds: float) -> str:
    """``30 min``, ``4 h``: round times without the zeros of `show_time`."""
    for unit_s, unit in ((3600.0, "h"), (60.0, "min")):
        whole = seconds / unit_s
        if whole >= 1 and abs(whole - round(whole)) < 1e-9:
            return f"{round(whole)} {unit}"
    return show_time(seconds)
