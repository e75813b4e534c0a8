"""The link-state IGP through one episode: who hears of what when, and by what routes it forwards.

Each router next to a failed element takes its interface out of use, originates its LSA, which is
flooded (`mcastplan.converge.flooding`); each LSA that a router hears, and each change of its own
links, is an event of its SPF throttle; the SPF runs on the database it has then, and its FIB is
written route by route, one SPF's routes after the other's. A link counts while both ends advertise
it. Routers are worked out when asked about. RFC 2328 sections 12.4, 13, 16; RFC 8405.

A router's own database follows its own links at once, also while ``lsa_interval_s`` holds its LSA
back. Counted as written: routes to PEs with a cloud or origin.

Not modelled: areas, designated routers, lost or delayed LSAs (see `flooding`), MinLSArrival, LSA
ageing, graceful restart, IS-IS's own timers, incremental SPF, overload on start-up; micro-loop
prevention. While a second interface fails within ``protect_s`` of a first one, backups wait for it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

import msgspec

from mcastplan.converge.adjacency import Adjacencies, Links, Lsa, View
from mcastplan.converge.failures import Span, physical
from mcastplan.converge.fib import Fib, Spf
from mcastplan.converge.flooding import Flood, Flooding, Life
from mcastplan.converge.reroutes import Reroutes
from mcastplan.converge.throttle import spf_runs
from mcastplan.model.change import Cause, Heard, Update
from mcastplan.model.failure import Failure
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Arc, Graph, Node
from mcastplan.schemes.bier import homes
from mcastplan.underlay.routes import IgpRoutes


class News(msgspec.Struct, frozen=True):
    """What LSAs say, and its flood: one LSA, or the two of one link's ends."""

    lsas: tuple[Lsa, ...]
    flood: Flood


class Event(msgspec.Struct, frozen=True):
    """A router's database changes; ``down`` is what it then holds to be down."""

    at_s: float
    down: frozenset[Arc]
    cause: Cause


class LinkState:
    """`mcastplan.schemes.base.Igp` for one scenario: ``routes`` are those before ``failures``."""

    def __init__(self, scenario: Scenario, routes: IgpRoutes, failures: Sequence[Failure]) -> None:
        self.graph: Graph = routes.graph
        self.timers = scenario.timers
        self.before = routes
        self._protection = scenario.protection
        self._physical = physical(scenario, failures)
        self.down = self._physical.down
        self._by_mask: dict[frozenset[Arc], IgpRoutes] = {frozenset(): routes}
        forever = (arc for arc, spans in self.down.items() if spans[-1][1] == math.inf)
        self.after = self._routes(frozenset(forever))
        dests = sorted(self.graph.index[name] for name in homes(scenario))
        self._reroutes = Reroutes(routes, dests)
        self._adjacencies = Adjacencies(self.graph, self._physical, self.timers)
        self._flooding = Flooding(
            self.graph, self._physical, self._adjacencies, self.timers.flood_s
        )
        self._one_step = self._one_link_fails()
        self._news = self._all_news()
        self._databases = self._database_flood()
        self._events: dict[Life, list[Event]] = {}
        self._flips: dict[Node, list[Update]] = {}
        self._changing: list[Node] | None = None

    def flips(self, node: Node) -> Sequence[Update]:
        found = self._flips.get(node)
        if found is None:
            found = []
            for number, span in enumerate(self._adjacencies.lives(node)):
                found += self._forwarding((node, number), span)
            self._flips[node] = found
        return found

    def heard(self, node: Node) -> Sequence[Heard]:
        found: list[Heard] = []
        for number, _ in enumerate(self._adjacencies.lives(node)):
            for event in self._heard((node, number)):
                if event.down != (found[-1].down if found else frozenset()):
                    found.append(Heard(event.at_s, event.down, event.cause))
        return found

    def own(self, node: Node) -> Sequence[Heard]:
        return [
            Heard(view.at_s, _arcs(view.down), view.cause)
            for number, _ in enumerate(self._adjacencies.lives(node))
            for view in self._adjacencies.views(node, number)
        ]

    def rewritten(self, node: Node, before: IgpRoutes, after: IgpRoutes) -> int:
        return self._reroutes.count(node, before, after)

    def changing(self) -> Sequence[Node]:
        if self._changing is None:
            noticed = {link for link, found in self._adjacencies.lapses.items() if found}
            if self._one_step:
                touched = set(self._reroutes.counts(self.before, self.after))
            else:
                touched = self._reroutes.above(sorted(_arcs(noticed)))
            self._changing = sorted(touched.union(self._adjacencies.routers))
        return self._changing

    def up(self, arc: Arc, from_s: float, to_s: float) -> bool:
        return not any(
            down_s <= from_s < up_s or from_s < down_s < to_s
            for down_s, up_s in self.down.get(arc, ())
        )

    def alive(self, node: Node, at_s: float) -> bool:
        return not any(down_s <= at_s < up_s for down_s, up_s in self.node_down(node))

    def node_down(self, node: Node) -> Sequence[Span]:
        return self._physical.nodes.get(node, ())

    def _routes(self, down: frozenset[Arc]) -> IgpRoutes:
        found = self._by_mask.get(down)
        if found is None:
            found = self._by_mask[down] = self.before.without(down)
        return found

    def _all_news(self) -> list[News]:
        lsas = self._adjacencies.lsas()
        groups = [tuple(lsas)] if self._one_step else [(lsa,) for lsa in lsas]
        return [
            News(group, Flood(self._flooding, [self._source(lsa) for lsa in group]))
            for group in groups
        ]

    def _one_link_fails(self) -> bool:
        """One link fails for good: its ends' two LSAs, of one instant, are one piece of news.

        The first of the two to reach a router changes its routes; the second sets off an SPF that
        changes none, and no later event is there to be delayed by it. Their common flood finds the
        first arrival also on an intact network: a way from one end over the failed link passes the
        other end, which has the news itself.
        """
        spans = [span for found in self._physical.links.values() for span in found]
        return len(spans) == 1 and spans[0][1] == math.inf and not self._physical.nodes

    def _source(self, lsa: Lsa) -> tuple[Life, float]:
        starts = [born_s for born_s, _ in self._adjacencies.lives(lsa.router)]
        life = lsa.router, bisect_right(starts, lsa.at_s) - 1
        return life, lsa.at_s + self.timers.flood_s

    def _database_flood(self) -> Flood | None:
        """When restarted routers have the database of before the episode again."""
        if not any(len(self._adjacencies.lives(node)) > 1 for node in self._physical.nodes):
            return None
        sources = [((node, 0), -math.inf) for node in range(self.graph.size)]
        return Flood(self._flooding, sources)

    def _heard(self, life: Life) -> list[Event]:
        found = self._events.get(life)
        if found is None:
            found = self._events[life] = list(self._listen(life))
        return found

    def _listen(self, life: Life) -> list[Event]:
        """Every change of the database of one life, LSA by LSA; those of one instant are one."""
        node, number = life
        changes: list[tuple[float, int, View | Lsa | None, Cause]] = []
        for view in self._adjacencies.views(node, number):
            changes.append((view.at_s, -1, view, view.cause))
        for place, news in enumerate(self._news):
            if any(lsa.router == node for lsa in news.lsas):
                continue
            at_s = news.flood.arrived(life)
            if at_s < math.inf:
                first = news.lsas[0]
                changes.append((at_s, place, first, first.cause.then("flooding", at_s)))
        if number and self._databases is not None:
            at_s = self._databases.arrived(life)
            if at_s < math.inf:
                cause = Cause("down", self._adjacencies.lives(node)[number][0])
                changes.append((at_s, len(self._news), None, cause.then("adjacency", at_s)))
        changes.sort(key=lambda change: change[:2])
        database = _Database(self.graph, node, whole=number == 0)
        events: list[Event] = []
        for at_s, place, change, cause in changes:
            database.learn(place, change)
            if events and events[-1].at_s == at_s:
                cause = events.pop().cause
            events.append(Event(at_s, database.down(), cause))
        return events

    def _forwarding(self, life: Life, span: Span) -> list[Update]:
        """The updates of one life: local ones as interfaces go, and those of its SPFs."""
        node, number = life
        # A router that starts has nothing to run an SPF on.
        events = [event for event in self._heard(life) if event.at_s > span[0]]
        if not events and not number:
            return []
        fib = Fib(node, self.timers, self._protection, self._reroutes)
        start = _arcs({arc >> 1 for _, _, arc in self.graph.out[node]}) if number else frozenset()
        spfs = [
            Spf(start_s, self._routes(down), down, cause)
            for start_s, down, cause in self._spfs(events, start)
        ]
        views = [
            (view.at_s, _arcs(view.down), view.cause)
            for view in self._adjacencies.views(node, number)
        ]
        updates = fib.updates(self._routes(start), start, views, spfs)
        return [update for update in updates if update.at_s < span[1]]

    def _spfs(
        self, events: Sequence[Event], start: frozenset[Arc]
    ) -> list[tuple[float, frozenset[Arc], Cause]]:
        """(start, what the database holds to be down then, what it waited for) of each SPF. It is
        put down to the first event since the last SPF that changed what is down."""
        found = []
        times = [event.at_s for event in events]
        known, held = 0, start
        for start_s in spf_runs(times, self.timers):
            upto = bisect_right(times, start_s)
            batch = events[known:upto] or events[upto - 1 : upto]
            cause = next((each.cause for each in batch if each.down != held), batch[0].cause)
            known, held = upto, batch[-1].down
            found.append((start_s, held, cause.then("throttle", start_s)))
        return found


class _Database:
    """What one router holds of the others' links."""

    def __init__(self, graph: Graph, node: Node, whole: bool) -> None:
        self._graph = graph
        self._node = node
        self._whole = whole  # it has an LSA of every router
        self._links: dict[Node, Links] = {}
        self._newest: dict[Node, int] = {}

    def learn(self, place: int, change: View | Lsa | None) -> None:
        """``place`` orders LSAs by origination; None: the database of before the episode."""
        if change is None:
            self._whole = True
        elif isinstance(change, View):
            self._links[self._node] = change.down
        elif change.router != self._node and place > self._newest.get(change.router, -1):
            self._newest[change.router] = place
            self._links[change.router] = change.down

    def down(self) -> frozenset[Arc]:
        down = set().union(*self._links.values())
        if not self._whole:
            known, head, tail = self._links, self._graph.head, self._graph.tail
            down.update(
                arc >> 1
                for arc in range(0, len(head), 2)
                if head[arc] not in known or tail[arc] not in known
            )
        return _arcs(down)


def _arcs(links: Links | set[int]) -> frozenset[Arc]:
    return frozenset(arc for link in links for arc in (2 * link, 2 * link + 1))
