"""Max-min fair rates by progressive filling (Bertsekas and Gallager, Data Networks, 6.5.2).

Not modelled: round-trip times, loss and queues. A flow takes its fair share at once, and every flow
has the same weight in the sharing, however many copies of it an arc carries.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush, heapreplace

# Levels, and instants, that differ by less than this share are one: arcs that fill together in
# exact arithmetic must not be told apart by the last bits of a float.
SAME = 1e-9


def max_min(
    weights: Sequence[Mapping[int, float]],
    caps_bps: Sequence[float],
    room_bps: Sequence[float],
    used_bps: Sequence[float],
) -> tuple[list[float], list[int | None]]:
    """Rate of every flow [bit/s], and the arc that holds it there (None: its cap, or nothing).

    ``weights[i][arc]`` is what one bit/s of flow ``i`` takes of ``arc``, > 0. ``room_bps`` by arc
    is what flows may take in all, ``used_bps`` what flows outside this problem take of it. All
    rates rise together; where an arc is full, or a cap reached, the flows concerned stop. Of arcs
    that fill together, the one with the smallest number is said to hold the flow; an arc goes
    before a cap. A flow that nothing holds has an infinite rate.
    """
    filling = _Filling(weights, room_bps, used_bps)
    # Caps are heap entries behind the arcs: flow i's cap is entry len(room_bps) + i.
    heap = [(filling.level(arc), arc) for arc, left in filling.left.items() if left < math.inf]
    caps = len(room_bps)
    heap += [(cap, caps + i) for i, cap in enumerate(caps_bps) if cap < math.inf]
    heapify(heap)
    while heap and filling.open:
        level, first = heap[0]
        if first < caps:
            # Levels only rise while other flows stop, so an entry may lie too low: put it back.
            # Sums kept by subtraction drift, so the arc that looks lowest is summed afresh.
            if filling.level(first) <= _upto(level):
                filling.refresh(first)
            now = filling.level(first)
            if now > _upto(level):
                if now < math.inf:
                    heapreplace(heap, (now, first))
                else:
                    heappop(heap)
                continue
            level = now
        heappop(heap)
        together = [first]
        while heap and heap[0][0] <= _upto(level):
            together.append(heappop(heap)[1])
        together.sort()
        for entry in together:
            if entry >= caps:
                filling.freeze(entry - caps, min(level, caps_bps[entry - caps]), None)
            elif entry == first or filling.level(entry) <= _upto(level):
                for i in filling.members[entry]:
                    filling.freeze(i, level, entry)
            elif filling.level(entry) < math.inf:
                heappush(heap, (filling.level(entry), entry))
    return filling.rates, filling.holds


def _upto(level: float) -> float:
    return level * (1 + SAME)


class _Filling:
    """Flows still rising, and per arc what is left for them and what they weigh."""

    def __init__(
        self,
        weights: Sequence[Mapping[int, float]],
        room_bps: Sequence[float],
        used_bps: Sequence[float],
    ) -> None:
        self.weights = weights
        self.open = len(weights)
        self.rates = [math.inf] * len(weights)
        self.holds: list[int | None] = [None] * len(weights)
        self._rising = bytearray(b"\1" * len(weights))
        self.members: dict[int, list[int]] = {}  # flows by arc
        self._weight: dict[int, float] = {}  # of the rising flows, by arc
        members, total = self.members, self._weight
        for i, row in enumerate(weights):
            for arc, weight in row.items():
                if arc in members:
                    members[arc].append(i)
                    total[arc] += weight
                else:
                    members[arc] = [i]
                    total[arc] = weight
        self._room = {arc: room_bps[arc] - used_bps[arc] for arc in members}
        self.left = dict(self._room)

    def level(self, arc: int) -> float:
        """Rate at which the arc is full; infinite where none of its flows rises any more."""
        if self._weight[arc] <= 0:
            self.refresh(arc)
            if not self._weight[arc]:
                return math.inf
        return max(0.0, self.left[arc]) / self._weight[arc]

    def refresh(self, arc: int) -> None:
        rising, rates = self._rising, self.rates
        weights, members = self.weights, self.members[arc]
        self._weight[arc] = math.fsum(weights[i][arc] for i in members if rising[i])
        taken = math.fsum(weights[i][arc] * rates[i] for i in members if not rising[i])
        self.left[arc] = self._room[arc] - taken

    def freeze(self, i: int, rate: float, hold: int | None) -> None:
        """Stop flow ``i`` at ``rate``, if it still rises."""
        if not self._rising[i]:
            return
        self._rising[i] = 0
        self.open -= 1
        self.rates[i] = rate
        self.holds[i] = hold
        left, total = self.left, self._weight
        for arc, weight in self.weights[i].items():
            left[arc] -= weight * rate
            total[arc] -= weight
