"""When a piece of link-state news reaches each router: an earliest-arrival search, done lazily.

A router passes news on ``flood_s`` after it has it from the wire; ``arrived`` is that instant, so
that each hop costs propagation + ``flood_s``. A link without adjacency carries nothing until the
adjacency is full, and then everything its ends know (database exchange, RFC 2328 section 10.8). An
LSA that a link fails to carry before its failure is noticed crosses when the link is back.

Not modelled: retransmission intervals, lost LSAs, MinLSArrival, pacing, areas, the duration of a
database exchange.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

from mcastplan.converge.adjacency import Adjacencies
from mcastplan.converge.failures import Physical
from mcastplan.model.topology import Arc, Graph, Node

# One life of a router: what it knew before a restart is gone.
Life = tuple[Node, int]


class Flooding:
    """The network of one episode as LSAs see it."""

    def __init__(
        self, graph: Graph, physical: Physical, adjacencies: Adjacencies, flood_s: float
    ) -> None:
        self.graph = graph
        self.flood_s = flood_s
        self.touched = physical.links
        self._down = physical.down
        self._lapses = adjacencies.lapses
        self._lives = {node: adjacencies.lives(node) for node in physical.nodes}

    def crossings(self, life: Life, arc: Arc, at_s: float) -> Iterator[tuple[Life, float]]:
        """Lives of the router at the arc's head that ``life``, knowing at ``at_s``, tells over an
        arc that fails at some time, and when they know."""
        node, number = life
        head = self.graph.head[arc]
        ends_s = self._lives[node][number][1] if node in self._lives else math.inf
        for place, (born_s, died_s) in enumerate(self._lives.get(head, [(-math.inf, math.inf)])):
            known_s = self._crossed(arc, max(at_s, born_s))
            if known_s < min(ends_s, died_s):
                yield (head, place), known_s

    def _crossed(self, arc: Arc, at_s: float) -> float:
        """When news that is ready at ``at_s`` is known at the head."""
        delay_s = self.graph.delay_s[arc]
        for lapse in self._lapses[arc >> 1]:
            if at_s < lapse.full_s and at_s + delay_s >= lapse.failed_s:
                return lapse.full_s
        for down_s, up_s in self._down[arc]:
            if at_s < up_s and at_s + delay_s >= down_s:
                at_s = up_s
        return at_s + delay_s + self.flood_s


class Flood:
    """One piece of news from where it arises; as much of the search as was asked for."""

    def __init__(self, flooding: Flooding, sources: Iterable[tuple[Life, float]]) -> None:
        self._flooding = flooding
        self._known: dict[Life, float] = {}
        self._heap = [(at_s, life) for life, at_s in sources]
        self._heap.sort()
        self._best = {life: at_s for at_s, life in reversed(self._heap)}

    def arrived(self, life: Life) -> float:
        """When ``life`` has the news and has handled it [s]; infinite if never."""
        known, heap, best = self._known, self._heap, self._best
        flooding = self._flooding
        out, delay, touched = flooding.graph.out, flooding.graph.delay_s, flooding.touched
        flood_s = flooding.flood_s
        while life not in known and heap:
            at_s, here = heappop(heap)
            if here in known:
                continue
            known[here] = at_s
            for head, _, arc in out[here[0]]:
                if arc >> 1 in touched:
                    for there, then_s in flooding.crossings(here, arc, at_s):
                        if then_s < best.get(there, math.inf):
                            best[there] = then_s
                            heappush(heap, (then_s, there))
                    continue
                there, then_s = (head, 0), at_s + delay[arc] + flood_s
                if then_s < best.get(there, math.inf):
                    best[there] = then_s
                    heappush(heap, (then_s, there))
        return known.get(life, math.inf)
