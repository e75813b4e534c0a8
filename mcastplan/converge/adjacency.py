"""What routers know about their own links over time, and the LSAs they originate about it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence

import msgspec

from mcastplan.converge.failures import Physical, Span
from mcastplan.model.change import Cause
from mcastplan.model.timers import Timers
from mcastplan.model.topology import Graph, Node

Links = frozenset[int]  # link numbers


class Lapse(msgspec.Struct, frozen=True):
    """One time without adjacency on one link: it failed, that was noticed, it came up, the
    adjacency over it was full again (infinite: never)."""

    failed_s: float
    noticed_s: float
    up_s: float
    full_s: float


class View(msgspec.Struct, frozen=True):
    """A router's own links without adjacency, from ``at_s`` on."""

    at_s: float
    down: Links
    cause: Cause


class Lsa(msgspec.Struct, frozen=True):
    """One origination. It describes all the router's links as they are to it at ``at_s``."""

    router: Node
    at_s: float
    down: Links
    cause: Cause


class Adjacencies:
    """Every router's own part of an episode; routers that no failure touches do not appear.

    A failure is noticed ``carrier_s`` after the light goes out, and ``silent_s`` after the link
    stops carrying packets, whichever is first, unless it is over by then: a shorter flap is not
    noticed. A neighbour that restarts is noticed at once, by its Hello that names nobody
    (RFC 2328 section 10.2, 1-WayReceived). An adjacency needs ``adjacency_s`` of unbroken link.
    """

    def __init__(self, graph: Graph, physical: Physical, timers: Timers) -> None:
        self._graph = graph
        self._physical = physical
        self._timers = timers
        self.lapses: dict[int, tuple[Lapse, ...]] = {
            link: tuple(self._lapses(link)) for link in physical.links
        }
        ends = {end for link, found in self.lapses.items() if found for end in self._ends(link)}
        self.routers: tuple[Node, ...] = tuple(sorted(ends | set(physical.nodes)))
        self._views = {
            node: [self._seen(node, life) for life in self.lives(node)] for node in self.routers
        }

    def lives(self, node: Node) -> list[Span]:
        """Spans in which the node runs, the first from minus infinity; a restart loses all."""
        found, born_s = [], -math.inf
        for from_s, to_s in self._physical.nodes.get(node, ()):
            found.append((born_s, from_s))
            born_s = to_s
        if born_s < math.inf:
            found.append((born_s, math.inf))
        return found

    def views(self, node: Node, life: int) -> Sequence[View]:
        """What the node holds of its own links in one life, in time order; a restarted router
        begins without any adjacency."""
        return self._views[node][life] if node in self._views else ()

    def lsas(self) -> list[Lsa]:
        """Every LSA, in the order of origination."""
        found = [
            lsa
            for node in self.routers
            for life, (born_s, died_s) in enumerate(self.lives(node))
            for lsa in self._originated(node, self.views(node, life), born_s, died_s)
        ]
        return sorted(found, key=lambda lsa: (lsa.at_s, lsa.router))

    def _ends(self, link: int) -> tuple[Node, Node]:
        return self._graph.tail[2 * link], self._graph.head[2 * link]

    def _lapses(self, link: int) -> Iterable[Lapse]:
        timers = self._timers
        restarts = [
            to_s for end in self._ends(link) for _, to_s in self._physical.nodes.get(end, ())
        ]
        dark = self._physical.dark.get(link, ())
        found: list[Lapse] = []
        for from_s, to_s in self._physical.links[link]:
            full_s = to_s + timers.adjacency_s
            if found and found[-1].full_s > from_s:
                found[-1] = msgspec.structs.replace(found[-1], up_s=to_s, full_s=full_s)
                continue
            noticed = [from_s + timers.silent_s]
            for out_s, back_s in dark:
                seen_s = out_s + timers.carrier_s
                if from_s <= out_s < to_s and seen_s < back_s:
                    noticed.append(seen_s)
            within = [each for each in noticed if each < to_s]
            within += [each for each in restarts if from_s < each <= to_s]
            if within:
                found.append(Lapse(from_s, min(within), to_s, full_s))
        return found

    def _seen(self, node: Node, life: Span) -> list[View]:
        born_s, died_s = life
        own = sorted({arc >> 1 for _, _, arc in self._graph.out[node]} & set(self.lapses))
        changes: list[tuple[float, int, bool, Cause]] = []
        for link in own:
            for lapse in self.lapses[link]:
                if born_s < lapse.noticed_s < died_s:
                    cause = Cause("down", lapse.failed_s).then("detection", lapse.noticed_s)
                    changes.append((lapse.noticed_s, link, False, cause))
                if born_s < lapse.full_s < died_s:
                    cause = Cause("down", lapse.up_s).then("adjacency", lapse.full_s)
                    changes.append((lapse.full_s, link, True, cause))
        changes.sort(key=lambda change: change[:3])
        views: list[View] = []
        down: Links = frozenset()
        if born_s > -math.inf:
            down = frozenset(own)  # a failed router's links have all failed
            views.append(View(born_s, down, Cause("down", born_s)))
        for at_s, link, up, cause in changes:
            if up != (link in down):
                continue
            down = down - {link} if up else down | {link}
            if views and views[-1].at_s == at_s:
                views[-1] = View(at_s, down, views[-1].cause)
            else:
                views.append(View(at_s, down, cause))
        return views

    def _originated(
        self, node: Node, views: Sequence[View], born_s: float, died_s: float
    ) -> Iterable[Lsa]:
        """An LSA at each change, but not sooner than ``lsa_interval_s`` after the last one."""
        last_s, told, place = -math.inf, None if born_s > -math.inf else frozenset[int](), 0
        if told is None:
            place = 1  # a restarted router without an adjacency has nobody to tell
        times = [view.at_s for view in views]
        while place < len(views):
            at_s = max(times[place], last_s + self._timers.lsa_interval_s)
            if at_s >= died_s:
                return
            newest = bisect_right(times, at_s) - 1
            if views[newest].down != told:
                yield Lsa(node, at_s, views[newest].down, views[place].cause)
                last_s, told = at_s, views[newest].down
            place = newest + 1
