"""Which routers' routes to the PEs of interest differ between two states of the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mcastplan.model.topology import Arc, Node
from mcastplan.underlay.routes import IgpRoutes, rerouted


class Reroutes:
    """Routes to ``dests`` (PEs with a cloud or origin); ``routes`` are those of the intact
    network."""

    def __init__(self, routes: IgpRoutes, dests: Sequence[Node]) -> None:
        self._routes = routes
        self._dests = dests
        self._counts: dict[tuple[IgpRoutes, IgpRoutes], dict[Node, int]] = {}

    def count(self, node: Node, before: IgpRoutes, after: IgpRoutes) -> int:
        """Routes of ``node`` that differ in metric or next hop (``ecmp: hash``: next hops)."""
        return 0 if before is after else self.counts(before, after).get(node, 0)

    def counts(self, before: IgpRoutes, after: IgpRoutes) -> Mapping[Node, int]:
        """`count` of every router that has any."""
        pair = before, after
        counts = self._counts.get(pair)
        if counts is None:
            counts = self._counts[pair] = {}
            for dest in self._dests:
                for each in rerouted(before, after, dest):
                    counts[each] = counts.get(each, 0) + 1
        return counts

    def above(self, arcs: Iterable[Arc]) -> set[Node]:
        """Routers with one of ``arcs`` on a shortest path to some dest: without some of the arcs,
        whichever, no other router's routes change."""
        arcs = tuple(arcs)
        return set[Node]().union(*(self._routes.above(arcs, dest) for dest in self._dests))
