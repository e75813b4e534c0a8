"""Flows that share places: max-min fair by filling, from one start or end to the next."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

Place = Hashable
Curve = list[tuple[Fraction, Fraction]]  # (s, bits that are there), straight in between


class Flow(NamedTuple):
    """``weights``: wire bits at each place for one bit of payload, of all its pulls together."""

    start: Fraction
    bits: Fraction  # of one pull
    weights: Mapping[Place, Fraction]


def shares(
    weights: Sequence[Mapping[Place, Fraction]], room: Mapping[Place, Fraction]
) -> list[Fraction]:
    """All rates rise together; at the lowest level at which a place is full, the flows there stop.

    ``room`` has no place that is unlimited; every flow crosses one that is limited.
    """
    rates: dict[int, Fraction] = {}
    left = dict(room)
    rising: dict[Place, set[int]] = {}
    heavy: dict[Place, Fraction] = {}  # what the rising flows weigh together
    for number, row in enumerate(weights):
        for place, weight in row.items():
            if place in room:
                rising.setdefault(place, set()).add(number)
                heavy[place] = heavy.get(place, Fraction(0)) + weight
    while len(rates) < len(weights):
        levels = {place: left[place] / heavy[place] for place, at in rising.items() if at}
        level = min(levels.values())
        full = [place for place, height in levels.items() if height == level]
        for number in {number for place in full for number in rising[place]}:
            rates[number] = level
            for place, weight in weights[number].items():
                if place in room:
                    left[place] -= weight * level
                    heavy[place] -= weight
                    rising[place].remove(number)
    return [rates[number] for number in range(len(weights))]


def run(
    flows: Sequence[Flow], room: Mapping[Place, Fraction]
) -> tuple[list[Curve], dict[Place, Fraction]]:
    """(how the bits of each flow came, the most that all together took of each place)."""
    curves: list[Curve] = [[(flow.start, Fraction(0))] for flow in flows]
    done = [Fraction(0)] * len(flows)
    peak: dict[Place, Fraction] = {}
    now = min((flow.start for flow in flows), default=Fraction(0))
    while True:
        here = [
            number
            for number, flow in enumerate(flows)
            if flow.start <= now and done[number] < flow.bits
        ]
        starts = [flow.start for flow in flows if flow.start > now]
        if not here and not starts:
            return curves, peak
        rates = shares([flows[number].weights for number in here], room)
        ends = [
            now + (flows[number].bits - done[number]) / rate
            for number, rate in zip(here, rates, strict=True)
        ]
        then = min([*starts, *ends])
        taken: dict[Place, Fraction] = {}
        for number, rate in zip(here, rates, strict=True):
            done[number] += rate * (then - now)
            curves[number].append((then, done[number]))
            for place, weight in flows[number].weights.items():
                taken[place] = taken.get(place, Fraction(0)) + weight * rate
        for place, rate in taken.items():
            peak[place] = max(peak.get(place, Fraction(0)), rate)
        now = then
