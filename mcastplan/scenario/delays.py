"""Link delays that a source does not give: from distance, from neighbours' positions, or assumed.

An unknown delay is never better than a known one. A node without a position is taken to lie amid
its neighbours (the mean of their unit vectors, again and again until none moves): by the triangle
inequality no way over it is then shorter than the great circle, and each link there is rounded up
and 1 us longer, so that the direct link wins a tie. Where nobody near has a position, the largest
delay that is known stands in. Either is lengthened where a way of known delays would lose by it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from heapq import heappop, heappush

import msgspec

from mcastplan.model.topology import NodeInfo
from mcastplan.scenario.raw import (
    EARTH_RADIUS_M,
    FIBRE_US_PER_KM,
    RawLink,
    RawTopology,
    fibre_delay_us,
    great_circle_m,
)
from mcastplan.scenario.words import listed
from mcastplan.units import MICROSECONDS, counted, show_time

_Place = tuple[float, float, float]  # a point of the unit sphere

_ROUNDS = 200  # a long chain may not settle; no way is the shorter for it
_STILL = 1e-9  # of the radius: 6 mm


class Filled(msgspec.Struct, frozen=True):
    """``notes`` are sentences. ``guessed``: nodes whose position was guessed for a delay;
    ``assumed``: links whose delay nothing tells, as ``a--b``."""

    notes: list[str]
    gaps: list[str]  # sentences on what is not known, where other delays are
    guessed: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()


def fill_delays(raw: RawTopology, route_factor: float) -> Filled:
    """Give every link a delay, in place. Linear, but for the rounds of guessing positions."""
    links, by_name = raw.links, {node.name: node for node in raw.nodes}
    derived, missing = 0, list[RawLink]()
    for link in links:
        if link.delay_us is not None:
            continue
        distance_m = link.distance_m
        if distance_m is None:
            distance_m = great_circle_m(by_name[link.a], by_name[link.b])
        if distance_m is None:
            missing.append(link)
        else:
            link.delay_us = fibre_delay_us(distance_m, route_factor)
            derived += 1
    notes = []
    if derived:
        notes.append(
            f"Delay from distance for {derived:,} of {len(links):,} links:"
            f" {FIBRE_US_PER_KM} us per km of fibre, fibre {route_factor:g} times as long as the"
            " great circle (ITU-T Y.1541 reckons 1.5 below 1,000 km, 1.25 above 1,200 km)."
        )
    if not missing:
        return Filled(notes, [])
    places = _guess(by_name, links)
    near = [link for link in missing if link.a in places and link.b in places]
    rest = [link for link in missing if link.a not in places or link.b not in places]
    known = [link for link in links if link.delay_us is not None]
    for link in near:
        link.delay_us = _between_us(places[link.a], places[link.b], route_factor)
    longest_us = max((link.delay_us or 0 for link in known or near), default=0)
    for link in rest:
        link.delay_us = longest_us
    _lengthen(known, missing)
    ends = {end for link in near for end in (link.a, link.b)}
    guessed = tuple(sorted(end for end in ends if by_name[end].lon is None))
    gaps = []
    if near:
        gaps.append(
            f"Position unknown for {counted(len(guessed), 'node')} ({listed(guessed)}): taken to"
            f" lie amid the neighbours, for the delay of {counted(len(near), 'link')}; no way over"
            " them is shorter than one that is known."
        )
    number = f"{len(rest):,} of {len(links):,} links"
    without = "which have neither a delay nor positions"
    if raw.unread:
        without = "of which neither a delay nor positions are read"
    if rest and (known or near):
        gaps.append(
            f"Delay unknown for {number}, {without}: taken as long as the longest that is known, or"
            " longer where a known way would lose by it"
            f" ({show_time(max(link.delay_us or 0 for link in rest) / MICROSECONDS)} at most)."
        )
    elif rest:
        notes.append(f"Delay 0 for {number}, {without}.")
    assumed = tuple(sorted("--".join(sorted((link.a, link.b))) for link in rest))
    return Filled(notes, gaps, guessed, assumed if known or near else ())


def _lengthen(known: Sequence[RawLink], unknown: Sequence[RawLink]) -> None:
    """Make no way over ``unknown`` links, between two nodes that known ones join, as short as what
    is known: what is lacking is added at either end. A search a node where both kinds meet."""
    beside: dict[str, list[RawLink]] = {}
    for link in unknown:
        for end in (link.a, link.b):
            beside.setdefault(end, []).append(link)
    ends = {end for link in known for end in (link.a, link.b)} & beside.keys()
    there, guess = _neighbours(known), _neighbours(unknown)
    extra: dict[str, float] = {}
    for start in sorted(ends):
        over_us = {end: at_us for end, at_us in _distances(guess, start).items() if end in ends}
        by_us = _distances(there, start, over_us.keys())
        lacking = [
            by_us[end] + 1 - at_us
            for end, at_us in over_us.items()
            if end != start and end in by_us
        ]
        extra[start] = max(0, math.ceil(max(lacking, default=0) / 2))
    for end, more in extra.items():
        for link in beside[end]:
            link.delay_us = (link.delay_us or 0) + more


def _neighbours(links: Sequence[RawLink]) -> dict[str, list[tuple[str, float]]]:
    found: dict[str, list[tuple[str, float]]] = {}
    for link in links:
        for end, other in ((link.a, link.b), (link.b, link.a)):
            found.setdefault(end, []).append((other, link.delay_us or 0))
    return found


def _distances(
    neighbours: Mapping[str, Sequence[tuple[str, float]]],
    start: str,
    wanted: Collection[str] | None = None,
) -> dict[str, float]:
    """Least delay [us] from ``start`` to all that can be reached, at least those ``wanted``."""
    found: dict[str, float] = {}
    heap = [(0.0, start)]
    left = set(wanted) if wanted is not None else None
    while heap and left != set():
        so_far, node = heappop(heap)
        if node in found:
            continue
        found[node] = so_far
        if left is not None:
            left.discard(node)
        for other, delay_us in neighbours.get(node, ()):
            if other not in found:
                heappush(heap, (so_far + delay_us, other))
    return found


def _guess(nodes: Mapping[str, NodeInfo], links: Sequence[RawLink]) -> dict[str, _Place]:
    """Positions of all nodes that have one, or from which a way leads to one that has."""
    places = {name: place for name, node in nodes.items() if (place := _placed(node)) is not None}
    beside: dict[str, list[str]] = {name: [] for name in sorted(nodes) if name not in places}
    for link in links:
        for end, other in ((link.a, link.b), (link.b, link.a)):
            if end in beside:
                beside[end].append(other)
    order: list[str] = []
    ring = list(beside)
    while ring:  # outwards from the nodes that have one
        found = {name: place for name in ring if (place := _mean(beside[name], places)) is not None}
        if not found:
            break
        places |= found
        order += found
        ring = [name for name in ring if name not in found]
    for number in range(_ROUNDS):
        moved = 0.0
        for name in order if number % 2 else reversed(order):
            place = _mean(beside[name], places) or places[name]
            moved = max(moved, math.dist(place, places[name]))
            places[name] = place
        if moved < _STILL:
            break
    return places


def _placed(node: NodeInfo) -> _Place | None:
    if node.lon is None or node.lat is None:
        return None
    lon, lat = math.radians(node.lon), math.radians(node.lat)
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


def _mean(names: Sequence[str], places: Mapping[str, _Place]) -> _Place | None:
    """None without anybody who has a place, or where they are all around."""
    known = sorted(places[name] for name in names if name in places)
    x, y, z = (math.fsum(each[axis] for each in known) for axis in range(3))
    length = math.sqrt(x * x + y * y + z * z)
    if length <= _STILL:
        return known[0] if known else None
    return x / length, y / length, z / length


def _between_us(a: _Place, b: _Place, route_factor: float) -> int:
    half = min(1.0, math.dist(a, b) / 2)
    distance_km = 2 * math.asin(half) * EARTH_RADIUS_M / 1000
    delay_us = distance_km * route_factor * FIBRE_US_PER_KM
    return math.ceil(delay_us - 1e-3) + 1  # what is less is rounding
