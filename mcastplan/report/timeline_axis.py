"""The time since an event, so that a millisecond stays visible beside a minute.

Linear where that shows everything; logarithmic where things happen on several scales; and broken
where nothing at all happens for most of the time (a dead timer of 40 s runs, say).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from mcastplan.report.axis import tick_text

_FAR = 5.0  # the end over a typical instant: beyond this a linear axis hides the early ones
_IDLE = 0.8  # of the whole time without an instant: that stretch is cut out
_BREAK = 0.05  # of the width, for a stretch that is cut out
_APART = 0.085  # of the width, between two ticks
_APART_NARROW = 0.24  # the same on a phone
_LEAST_S = 1e-4  # finer steps are one point
_SAME_S = 1e-7
_DECADES = (*(10.0**p for p in range(-4, 2)), 60.0, 600.0, 3600.0, 86400.0)
_ROUND = (
    *(n * 10.0**p for p in range(-4, 0) for n in (5, 2)),
    *(5.0, 2.0, 30.0, 20.0, 40.0, 300.0, 120.0, 1800.0, 1200.0, 7200.0, 14400.0, 43200.0),
)


class Part(msgspec.Struct, frozen=True):
    """``start_s`` .. ``end_s`` after the event lie between ``left`` and ``right`` of the width.

    ``bend_s``: even for so long, then logarithmic; None: even throughout.
    """

    start_s: float
    end_s: float
    left: float
    right: float
    bend_s: float | None

    def place(self, seconds: float) -> float:
        inside = min(max(seconds, self.start_s), self.end_s) - self.start_s
        share = _share(inside, self.end_s - self.start_s, self.bend_s)
        return self.left + (self.right - self.left) * share


class Tick(msgspec.Struct, frozen=True):
    """``minor``: too close to another one for the width of a phone."""

    place: float
    text: str
    minor: bool = False


class EventAxis(msgspec.Struct, frozen=True):
    """``parts`` from left to right; between two of them a stretch of time is cut out."""

    parts: tuple[Part, ...]
    ticks: tuple[Tick, ...]

    @property
    def end_s(self) -> float:
        return self.parts[-1].end_s

    @property
    def bent(self) -> bool:
        return any(part.bend_s is not None for part in self.parts)

    @property
    def breaks(self) -> tuple[tuple[float, float], ...]:
        """Left and right of each stretch that is cut out."""
        return tuple((a.right, b.left) for a, b in pairwise(self.parts))

    def place(self, seconds: float) -> float:
        """0 at the event, 1 at the right end."""
        for part, later in pairwise(self.parts):
            if seconds <= part.end_s:
                return part.place(seconds)
            if seconds < later.start_s:
                cut = (seconds - part.end_s) / (later.start_s - part.end_s)
                return part.right + (later.left - part.right) * cut
        return self.parts[-1].place(seconds)


def event_axis(instants: Iterable[float]) -> EventAxis:
    """An axis for instants [s] after an event."""
    found = sorted({0.0, *(s for s in instants if s > _SAME_S)})
    stretches = _stretches(found)
    widths = _widths(stretches)
    parts: list[Part] = []
    left = 0.0
    for number, ((start_s, end_s, inside), width) in enumerate(zip(stretches, widths, strict=True)):
        bend_s = _bend(inside, end_s - start_s)
        # To the very edge, whatever the sum of the widths rounds to.
        right = 1.0 if number == len(stretches) - 1 else left + width
        parts.append(Part(start_s, end_s, left, right, bend_s))
        left = right + _BREAK
    ticks = [tick for part in parts for tick in _ticks(part)]
    return EventAxis(tuple(parts), _narrowed(ticks, [part.left for part in parts]))


def _narrowed(ticks: Sequence[Tick], kept: list[float]) -> tuple[Tick, ...]:
    """``kept`` are the places of those that a phone shows: the beginnings of parts, and more."""
    done = []
    for tick in ticks:
        minor = tick.place not in kept
        if minor and all(abs(tick.place - place) >= _APART_NARROW for place in kept):
            kept.append(tick.place)
            minor = False
        done.append(msgspec.structs.replace(tick, minor=minor))
    return tuple(done)


Stretch = tuple[float, float, list[float]]  # from, to, and the instants within, from its beginning


def _stretches(found: Sequence[float]) -> list[Stretch]:
    """The time in pieces, without those in which nothing happens for long."""
    whole = found[-1] - found[0]
    longest = max(pairwise(found), key=lambda pair: pair[1] - pair[0], default=(0.0, 0.0))
    before = [s for s in found if s <= longest[0]]
    after = [s for s in found if s >= longest[1]]
    # What is cut out must leave something on its right: the last instant alone needs no room.
    if len(after) < 2 or longest[1] - longest[0] < _IDLE * whole:
        span_s = 1.03 * whole or 1e-3
        return [(found[0], found[0] + span_s, [s - found[0] for s in found])]
    return [*_stretches(before), *_stretches(after)]


def _widths(stretches: Sequence[Stretch]) -> list[float]:
    """Shares of the width: by how much happens in a stretch."""
    room = 1.0 - _BREAK * (len(stretches) - 1)
    weights = [max(0.12, len(inside) / 10 if len(inside) < 10 else 1.0) for *_, inside in stretches]
    return [room * weight / sum(weights) for weight in weights]


def _bend(inside: Sequence[float], span_s: float) -> float | None:
    after = [s for s in inside if s > _SAME_S]
    if not after or span_s / after[len(after) // 2] <= _FAR:
        return None
    return max(after[len(after) // 8], span_s * 1e-6, _LEAST_S)


def _share(seconds: float, span_s: float, bend_s: float | None) -> float:
    if bend_s is None:
        return seconds / span_s
    return math.log1p(seconds / bend_s) / math.log1p(span_s / bend_s)


def _ticks(part: Part) -> list[Tick]:
    """The beginning of a part, and round times after it that are far enough apart."""
    first = f"{tick_text(part.start_s)}" if part.start_s else "0"
    plus = "+" if part.start_s else ""
    span_s, wide = part.end_s - part.start_s, part.right - part.left
    ticks = [Tick(part.left, first)]
    for seconds in _candidates(span_s, part.bend_s):
        at = part.left + wide * _share(seconds, span_s, part.bend_s)
        if all(abs(at - other.place) >= _APART for other in ticks):
            ticks.append(Tick(at, f"{plus}{tick_text(seconds)}"))
    return sorted(ticks, key=lambda tick: tick.place)


def _candidates(span_s: float, bend_s: float | None) -> list[float]:
    """Round times within a part, the best first."""
    if bend_s is not None:
        return [s for s in (*_DECADES, *_ROUND) if s <= span_s]
    step = 10.0 ** math.floor(math.log10(span_s))
    size = next(n * step for n in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0) if span_s / (n * step) <= 7)
    return [size * n for n in range(1, int(span_s / size) + 1)]
