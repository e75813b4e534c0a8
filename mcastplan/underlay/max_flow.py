"""Maximum flow from one PE to others, and the widest path: what no way of sending can beat.

Dinic's algorithm with levels counted back from the sink, so that a search ends at the first source
it meets. Arcs ``2*l`` and ``2*l + 1`` are each other's reverse in the residual graph too. Rates are
floats: an arc counts as full when less than `DUST` of its link's capacity is left on it, and the
value returned is the exact sum over the minimum cut, not what was pushed.

References: Dinic, Soviet Math. Doklady 11 (1970); Ford, Fulkerson, Canadian J. Math. 8 (1956).
Not done: multicommodity flow, flows with costs, network coding's or tree packing's achievability.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from heapq import heappop, heappush

from mcastplan.model.topology import Arc, Graph, Node

DUST = 1e-12


def widest(graph: Graph, capacity_bps: Sequence[float], source: Node) -> list[float]:
    """Bottleneck [bit/s] of the widest path to each node: 0 unreached, infinite at the source."""
    out = graph.out
    width = [0.0] * graph.size
    width[source] = math.inf
    done = bytearray(graph.size)
    heap = [(-math.inf, source)]
    while heap:
        rate, u = heappop(heap)
        if done[u]:
            continue
        done[u] = 1
        rate = -rate
        for v, _, arc in out[u]:
            reached = capacity_bps[arc]
            if reached > rate:
                reached = rate
            if reached > width[v]:
                width[v] = reached
                heappush(heap, (-reached, v))
    return width


class Flows:
    """Questions about flows from one source to many sinks, each cheap where sources are near.

    ``capacity_bps`` by arc [bit/s]; below zero counts as zero.
    ``absorb`` adds a node to the source. That is sound for a node which the source can send at
    least L to, as long as only cuts below L matter: a cut below L cannot lie between the two.
    A question touches only nodes nearer to the sink than the nearest source (and the arcs it fills,
    which it restores), so many sinks on one network cost little more than one.
    """

    def __init__(self, graph: Graph, capacity_bps: Sequence[float], source: Node) -> None:
        self._graph = graph
        self._capacity = [max(0.0, c) for c in capacity_bps]
        self._left = self._capacity.copy()
        pairs = zip(self._capacity[0::2], self._capacity[1::2], strict=True)
        finite = (max((c for c in pair if c < math.inf), default=0.0) for pair in pairs)
        self._dust = [DUST * capacity for capacity in finite for _ in range(2)]
        self._source = bytearray(graph.size)
        self._source[source] = 1

    def absorb(self, node: Node) -> None:
        """Count ``node`` as a source from now on."""
        self._source[node] = 1

    def to(self, sink: Node, limit: float = math.inf) -> tuple[float, list[Arc]]:
        """(maximum flow [bit/s] but at most ``limit``, minimum cut's arcs; none where it got
        there).

        Of several minimum cuts, the one nearest to the sink, in arc order.
        """
        if self._source[sink]:
            return limit, []
        touched: list[Arc] = []
        try:
            return self._push(sink, limit, touched)
        finally:
            for arc in touched:
                self._left[arc] = self._capacity[arc]
                self._left[arc ^ 1] = self._capacity[arc ^ 1]

    def _push(self, sink: Node, limit: float, touched: list[Arc]) -> tuple[float, list[Arc]]:
        flow = 0.0
        while True:
            level, starts = self._levels(sink)
            if not starts:
                cut = self._cut(level)
                value = math.fsum(self._capacity[arc] for arc in cut)
                return (value, cut) if value < limit else (limit, [])
            tried: dict[Node, int] = {}
            for start in starts:
                while (path := self._path(start, sink, level, tried)) is not None:
                    amount = min(min(map(self._left.__getitem__, path)), limit - flow)
                    if amount == math.inf:
                        return math.inf, []
                    for arc in path:
                        self._left[arc] -= amount
                        self._left[arc ^ 1] += amount
                    touched += path
                    flow += amount
                    if flow >= limit * (1 - DUST):
                        return limit, []

    def _levels(self, sink: Node) -> tuple[dict[Node, int], list[Node]]:
        """Hops to the sink over arcs with room, and the nearest sources, if any is that near."""
        into, left, dust, source = self._graph.into, self._left, self._dust, self._source
        level = {sink: 0}
        ring, hops = [sink], 0
        starts: list[Node] = []
        while ring and not starts:
            hops += 1
            nearer, ring = ring, []
            for v in nearer:
                for u, _, arc in into[v]:
                    if u not in level and left[arc] > dust[arc]:
                        level[u] = hops
                        (starts if source[u] else ring).append(u)
        return level, starts

    def _path(
        self, start: Node, sink: Node, level: dict[Node, int], tried: dict[Node, int]
    ) -> list[Arc] | None:
        """Arcs down the levels. ``tried`` counts the arcs of a node that led nowhere this round."""
        out, left, dust = self._graph.out, self._left, self._dust
        path: list[Arc] = []
        at = [start]
        while at[-1] != sink:
            u = at[-1]
            arcs, below = out[u], level[u] - 1
            number = tried.get(u, 0)
            while number < len(arcs):
                v, _, arc = arcs[number]
                if level.get(v) == below and left[arc] > dust[arc]:
                    path.append(arc)
                    at.append(v)
                    break
                number += 1
            tried[u] = number
            if number == len(arcs):
                at.pop()
                if not at:
                    return None
                path.pop()
                tried[at[-1]] += 1
        return path

    def _cut(self, behind: dict[Node, int]) -> list[Arc]:
        """Arcs with a capacity into the nodes that still reach the sink."""
        return sorted(
            arc
            for v in behind
            for u, _, arc in self._graph.into[v]
            if u not in behind and self._capacity[arc] > 0
        )
