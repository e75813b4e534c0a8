"""Routers and arcs by name; every router's own shortest path; maximum flow."""

from __future__ import annotations

import heapq
import math
from fractions import Fraction
from typing import Any, NamedTuple


class Arc(NamedTuple):
    tail: str
    head: str
    link: str


def exact(value: float) -> Fraction:
    """The decimal that the value was written as: 0.1 is a tenth."""
    return Fraction(repr(value))


class Net:
    """``metric``, ``delay`` [s], ``room`` [bit/s] by arc; ``full``: background leaves nothing."""

    def __init__(self, topology: Any, background: Any = ()) -> None:
        self.names = [node.name for node in topology.nodes]
        self.metric: dict[Arc, int] = {}
        self.delay: dict[Arc, Fraction] = {}
        self.capacity: dict[Arc, Fraction] = {}
        self.into: dict[str, list[Arc]] = {name: [] for name in self.names}
        self.out: dict[str, list[Arc]] = {name: [] for name in self.names}
        for link in topology.links:
            ahead = Arc(link.a, link.b, link.id), link.metric, link.capacity_bps
            back = Arc(link.b, link.a, link.id), link.metric_reverse, link.capacity_reverse_bps
            for arc, metric, capacity_bps in (ahead, back):
                self.metric[arc] = metric
                self.delay[arc] = exact(link.delay_s)
                self.capacity[arc] = exact(capacity_bps)
                self.out[arc.tail].append(arc)
                self.into[arc.head].append(arc)
        self._towards: dict[str, tuple[dict[str, int], dict[str, Arc]]] = {}
        self.background: dict[Arc, Fraction] = {}
        for row in background:
            for arc in self.route(row.source, row.target) or ():
                self.background[arc] = self.background.get(arc, Fraction(0)) + exact(row.rate_bps)
        self.room = {
            arc: max(Fraction(0), rate - self.background.get(arc, 0))
            for arc, rate in self.capacity.items()
        }
        self.full = {arc for arc, left in self.room.items() if not left}

    def towards(self, dest: str) -> tuple[dict[str, int], dict[str, Arc]]:
        """(distance, own next arc) of every router that reaches ``dest``: Dijkstra backwards, then
        each takes the tight arc to the smallest neighbour, of these the smallest link id."""
        if dest not in self._towards:
            distance = {dest: 0}
            heap = [(0, dest)]
            while heap:
                far, at = heapq.heappop(heap)
                if far > distance[at]:
                    continue
                for arc in self.into[at]:
                    longer = far + self.metric[arc]
                    if longer < distance.get(arc.tail, math.inf):
                        distance[arc.tail] = longer
                        heapq.heappush(heap, (longer, arc.tail))
            own = {}
            for name, far in distance.items():
                tight = [
                    arc
                    for arc in self.out[name]
                    if arc.head in distance and far == self.metric[arc] + distance[arc.head]
                ]
                if name != dest:
                    own[name] = min(tight, key=lambda arc: (arc.head, arc.link))
            self._towards[dest] = distance, own
        return self._towards[dest]

    def route(self, source: str, dest: str) -> list[Arc] | None:
        _, own = self.towards(dest)
        way: list[Arc] = []
        at = source
        while at != dest:
            if at not in own:
                return None
            way.append(own[at])
            at = own[at].head
        return way

    def away(self, source: str, dest: str) -> Fraction:
        """Propagation [s] along the route."""
        way = self.route(source, dest)
        assert way is not None
        return sum((self.delay[arc] for arc in way), Fraction(0))

    def most(self, source: str, dest: str) -> Fraction:
        """Maximum flow [bit/s] on what background leaves: shortest augmenting paths."""
        left: dict[tuple[str, str], Fraction] = {}
        beside: dict[str, set[str]] = {name: set() for name in self.names}
        for arc, rate in self.room.items():
            pair = arc.tail, arc.head
            left[pair] = left.get(pair, Fraction(0)) + rate
            left.setdefault((arc.head, arc.tail), Fraction(0))
            beside[arc.tail].add(arc.head)
            beside[arc.head].add(arc.tail)
        total = Fraction(0)
        while True:
            before = {source: source}
            queue = [source]
            for at in queue:
                for other in sorted(beside[at]):
                    if other not in before and left[at, other] > 0:
                        before[other] = at
                        queue.append(other)
            if dest not in before:
                return total
            way, at = [], dest
            while at != source:
                way.append((before[at], at))
                at = before[at]
            least = min(left[step] for step in way)
            for a, b in way:
                left[a, b] -= least
                left[b, a] += least
            total += least
