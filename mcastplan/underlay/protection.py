"""What a router does at once when it has taken arcs of its own out of use, before any SPF.

`local_routes` is that router's forwarding from then on; every other router is where it was. It is
computed for the links that went down, and for nothing else: where the router at their far end has
failed, or a second link elsewhere, the packets it sends off may meet that, and the walk shows it.

- ``none``: what is left of an equal-cost set (under ``ecmp: first`` one path is installed).
- ``lfa``: the basic loop-free alternate of RFC 5286 (s3): inequality 1, and inequality 3 preferred.
- ``ti-lfa``: RFC 9855 (s6): the path after convergence, as a tunnel up to the first router whose
  own way does not come back over the failed links. It covers whatever is still connected.

Not modelled: node and SRLG protection as computed, remote LFA (RFC 7490), RFC 5286's ECMP of
alternates and its stub links, micro-loop avoidance when the SPF result replaces the backup.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mcastplan.model.plan import Key
from mcastplan.model.topology import Arc, Node
from mcastplan.underlay.routes import IgpRoutes, choose

Protection = Literal["none", "lfa", "ti-lfa"]


def local_routes(
    routes: IgpRoutes, node: Node, own_down: frozenset[Arc], protection: Protection
) -> LocalRoutes:
    """How ``node`` forwards by ``routes`` without ``own_down``: arcs out of it, and back."""
    return LocalRoutes(routes, node, own_down, protection)


def _installed(routes: IgpRoutes, node: Node, dest: Node) -> list[Arc]:
    arcs = routes.next_arcs(node, dest)
    return arcs if routes.ecmp == "hash" else arcs[:1]


class LocalRoutes:
    """Routes as one router has them between the loss of its links and its next SPF.

    Other nodes' choices are those of the routes before; they have them at that moment.
    """

    def __init__(
        self, routes: IgpRoutes, node: Node, own_down: frozenset[Arc], protection: Protection
    ) -> None:
        self.graph = routes.graph
        self._routes = routes
        self._node = node
        self._down = own_down
        self._protection = protection
        self._backups: dict[Node, tuple[Arc, ...]] = {}

    @property
    def whole(self) -> IgpRoutes:
        """The routes that its links were taken out of."""
        return self._routes

    def next_arcs(self, node: Node, dest: Node) -> list[Arc]:
        """What ``node`` has installed: what is left, or else a backup that is one next hop."""
        before = _installed(self._routes, node, dest)
        if node != self._node or not before:
            return before
        left = [arc for arc in before if arc not in self._down]
        if left:
            return left
        backup = self._backup(dest, before)
        return list(backup) if len(backup) == 1 else []

    def next_arc(self, node: Node, dest: Node, key: Key = None, spread: bool = False) -> Arc | None:
        arcs = self.next_arcs(node, dest)
        return choose(self.graph, arcs, key, dest if spread else None) if arcs else None

    def detour(self, node: Node, dest: Node) -> tuple[Arc, ...] | None:
        before = _installed(self._routes, node, dest)
        if node != self._node or not before or not self._down.issuperset(before):
            return None
        backup = self._backup(dest, before)
        return backup if len(backup) > 1 else None

    def way(self, node: Node, dest: Node, key: Key = None) -> tuple[Arc, ...]:
        """The next arc, or the tunnel in its place; () where ``node`` has neither for now."""
        arc = self.next_arc(node, dest, key)
        return (self.detour(node, dest) or ()) if arc is None else (arc,)

    def path(self, source: Node, dest: Node, key: Key = None) -> tuple[Arc, ...] | None:
        arcs: list[Arc] = []
        node = source
        while node != dest:
            way = self.way(node, dest, key)
            if not way:
                return None
            arcs += way
            node = self.graph.head[way[-1]]
        return tuple(arcs)

    def union(self, source: Node, dests: Sequence[Node]) -> list[Arc]:
        paths = (self.path(source, dest) or () for dest in dests)
        return list(dict.fromkeys(arc for path in paths for arc in path))

    def without(self, down: frozenset[Arc]) -> LocalRoutes:
        routes = self._routes.without(down)
        return LocalRoutes(routes, self._node, self._down, self._protection)

    def _backup(self, dest: Node, lost: Sequence[Arc]) -> tuple[Arc, ...]:
        """The strict path that takes the place of the next hops ``lost``; one arc: a next hop."""
        if dest not in self._backups:
            if self._protection == "lfa":
                found = self._alternate(dest, lost)
            elif self._protection == "ti-lfa":
                found = self._repair_path(dest)
            else:
                found = ()
            self._backups[dest] = found
        return self._backups[dest]

    def _alternate(self, dest: Node, lost: Sequence[Arc]) -> tuple[Arc, ...]:
        """RFC 5286 inequality 1; of those that meet it, one that meets inequality 3 for every far
        end that no link leads to any more, then the nearest to ``dest`` over it, then the smallest
        name and link id.
        """
        routes, head, node = self._routes, self.graph.head, self._node
        onward, back = routes.dist_to(dest), routes.dist_to(node)
        usable = [each for each in self.graph.out[node] if each[2] not in self._down]
        alive = {neighbour for neighbour, _, _ in usable}
        doubtful = {head[arc] for arc in lost} - alive - {dest}
        best: tuple[bool, int, Node, Arc] | None = None
        for n, w, arc in usable:
            d = onward[n]
            if d < 0 or 0 <= back[n] <= d - onward[node]:
                continue
            risky = any(0 <= routes.dist_to(e)[n] <= d - onward[e] for e in doubtful)
            candidate = risky, w + d, n, arc
            if best is None or candidate < best:
                best = candidate
        return () if best is None else (best[3],)

    def _repair_path(self, dest: Node) -> tuple[Arc, ...]:
        """The path after convergence up to the first node in the Q-space of ``dest``: none of its
        equally short ways there, before the failure, crosses a link that is down."""
        head = self.graph.head
        path = self._routes.without(self._down).path(self._node, dest) or ()
        for end, arc in enumerate(path, 1):
            if not any(self._crossed(lost, head[arc], dest) for lost in self._down):
                return path[:end]
        return path

    def _crossed(self, arc: Arc, source: Node, dest: Node) -> bool:
        """Whether some shortest path from ``source`` to ``dest``, before the failure, had it."""
        graph, onward = self.graph, self._routes.dist_to(dest)
        tail, left = graph.tail[arc], onward[graph.head[arc]]
        if left < 0 or onward[tail] != graph.metric[arc] + left or arc in self._routes.down:
            return False
        start = self._routes.dist_to(tail)[source]
        return start >= 0 and start + onward[tail] == onward[source]
