"""How a copy comes in at a site, and what waits behind it: a fabric, files to verify and load.

A copy comes in at the pace of its flow, which other flows change. Between two bends it comes
evenly. Not modelled: which files an outage tore: they are taken in the order in which bytes come.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from mcastplan.fluid.rates import SAME
from mcastplan.units import BITS_PER_BYTE


class Bend(NamedTuple):
    """``size_bytes`` of the copy are there ``at_s`` after its data start, and the pace changes."""

    at_s: float
    size_bytes: float


class Arrival(msgspec.Struct, frozen=True):
    """``count`` equal copies of one flow: seconds from data start to the last byte of the first
    pass, then of repair. ``bends``: in order, inside that time; () where all came evenly."""

    count: int
    transfer_s: float
    repair_s: float = 0.0
    bends: tuple[Bend, ...] = ()

    @property
    def here_s(self) -> float:
        return self.transfer_s + self.repair_s


def straightened(points: Sequence[Bend], end: Bend) -> tuple[Bend, ...]:
    """Of points on the way from nothing to ``end``, in order, those where the pace does change."""
    kept = [Bend(0.0, 0.0)]
    for point, after in pairwise([*points, end]):
        from_s, from_bytes = kept[-1]
        ahead_s, ahead = after.at_s - from_s, after.size_bytes - from_bytes
        bent = (point.at_s - from_s) * ahead - (point.size_bytes - from_bytes) * ahead_s
        if abs(bent) > SAME * ahead_s * end.size_bytes and point not in (kept[-1], end):
            kept.append(point)
    return tuple(kept[1:])


def queue_s(pull: Arrival, size_bytes: float, rate_bps: float) -> float:
    """Seconds after the last byte until all has left at ``rate_bps`` what stood in front of it.

    What is not there by any bend cannot leave before it, nor faster than at that rate.
    """
    last_s = size_bytes * BITS_PER_BYTE / rate_bps
    for bend in pull.bends:
        rest = size_bytes - bend.size_bytes
        last_s = max(last_s, bend.at_s + rest * BITS_PER_BYTE / rate_bps)
    return max(0.0, last_s - pull.here_s)


def streamed_s(
    pull: Arrival, size_bytes: float, fabric_bps: float, shards: int, verify_s: float, load_s: float
) -> float:
    """Seconds after the last byte is through the fabric until the last of ``shards`` equal files is
    loaded: each is verified, then loaded, as soon as it is there and the one before it is done.

    ``verify_s``, ``load_s`` are of one file. With file i there at b(i), the last is loaded at the
    largest of b(i) + verify + load + (n - i) max(verify, load). b is straight between bends, so the
    files next to one, the first and the last decide.
    """
    slower_s = max(verify_s, load_s)
    arrivals = list(_through(pull, size_bytes, fabric_bps, shards))
    last_s = max(at_s + (shards - number) * slower_s for number, at_s in arrivals)
    return last_s + verify_s + load_s - arrivals[-1][1]


def _through(
    pull: Arrival, size_bytes: float, fabric_bps: float, shards: int
) -> Iterator[tuple[int, float]]:
    """(file, when it is through the fabric) of the files next to a bend, the first and the last."""
    points = [Bend(0.0, 0.0), *pull.bends, Bend(pull.here_s, float(size_bytes))]
    lag_s, place = -math.inf, 0  # the fabric's: when its first byte left, had it never paused
    for number in _beside(pull.bends, size_bytes, shards):
        there = size_bytes if number == shards else number * size_bytes / shards
        while points[place].size_bytes < there:
            passed = points[place]
            lag_s = max(lag_s, passed.at_s - passed.size_bytes * BITS_PER_BYTE / fabric_bps)
            place += 1
        before, after = points[place - 1], points[place]
        share = (there - before.size_bytes) / (after.size_bytes - before.size_bytes)
        came_s = before.at_s + share * (after.at_s - before.at_s)
        yield number, max(came_s, lag_s + there * BITS_PER_BYTE / fabric_bps)


def _beside(bends: Iterable[Bend], size_bytes: float, shards: int) -> list[int]:
    numbers = {1, shards}
    for bend in bends:
        place = bend.size_bytes * shards / size_bytes
        numbers.update((math.floor(place), math.floor(place) + 1))
    return sorted(number for number in numbers if 1 <= number <= shards)
