"""IGP routes of one state of the network: one area, every router on the same link-state database.

Not modelled here: areas, prefix summaries, administrative distance, unequal-cost multipath.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b
from itertools import islice
from typing import Literal

from mcastplan.model.plan import Key
from mcastplan.model.topology import Arc, Graph, Node
from mcastplan.underlay.repair import cut_off, repaired_distances, repaired_tree
from mcastplan.underlay.spf import distances, distances_and_tree, first_path, first_tree

# Trees tried for a path between two nodes before a search: a scenario's first few origins.
TREES_TRIED = 4


def choose(graph: Graph, arcs: Sequence[Arc], key: Key, spread: Node | None = None) -> Arc:
    """One of a node's equal-cost ``arcs``, by a stable hash of flow key and node.

    First the neighbour, then one of the links to it. Every neighbour has a rank of its own for a
    key, and the best one present wins (rendezvous hashing: Thaler, Ravishankar 1998), so that
    destinations with different equal-cost sets still share a neighbour where they can. ``spread``
    hashes a destination of its own into the neighbour's rank, never into the link.
    """
    if len(arcs) == 1:
        return arcs[0]
    node, head = graph.tail[arcs[0]], graph.head
    whose = key if spread is None else (key, spread)
    best = min({head[arc] for arc in arcs}, key=lambda to: (_hash(whose, node, to), to))
    links = [arc for arc in arcs if head[arc] == best]
    return links[_hash(key, node, best) % len(links)]


def _hash(key: Key, node: Node, neighbour: Node) -> int:
    digest = blake2b(f"{node}|{neighbour}|{key!r}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


class IgpRoutes:
    """Shortest-path routes, computed where asked and kept.

    ``ecmp="first"``: neighbour with the smallest name, then smallest link id. ``"hash"``: `choose`
    among the equal-cost arcs.

    With ``down``, what is left of ``base`` (never itself a remainder) without those arcs: every
    answer is the base's own object where they do not touch it, else a repaired copy.
    """

    def __init__(
        self,
        graph: Graph,
        ecmp: Literal["first", "hash"] = "first",
        base: IgpRoutes | None = None,
        down: frozenset[Arc] = frozenset(),
    ) -> None:
        self.graph = graph
        self.ecmp = ecmp
        self.base = base
        self.down = down
        self._dist_from: dict[Node, list[int]] = {}
        self._dist_to: dict[Node, list[int]] = {}
        self._parent: dict[Node, list[Arc]] = {}
        self._near: dict[tuple[Node, Node], tuple[Arc, ...] | None] = {}
        # Nodes whose distance differs from the base's: (root, False) from it, (dest, True) to it.
        self._grown: dict[tuple[Node, bool], Collection[Node]] = {}
        self._moved: dict[Node, frozenset[Node]] = {}
        self._stays: dict[tuple[Node, Node], bool] = {}
        self._rest: IgpRoutes | None = None  # the last one made: a failure is asked about often

    def without(self, down: frozenset[Arc]) -> IgpRoutes:
        """The same network with these arcs down as well; repairs only what they cut, when asked."""
        if down <= self.down:
            return self
        base, down = self.base or self, self.down | down
        rest = base._rest
        if rest is None or rest.down != down:
            rest = base._rest = IgpRoutes(base.graph.without(down), self.ecmp, base, down)
        return rest

    def detour(self, node: Node, dest: Node) -> None:
        """No fast reroute here."""

    def dist_from(self, root: Node) -> list[int]:
        """IGP distance from ``root`` by node; -1 where unreachable."""
        dist = self._dist_from.get(root)
        if dist is None:
            if self.base is not None:
                dist = self._repaired(self.base.dist_from(root), root, towards=False)
            else:
                dist = distances(self.graph.size, self.graph.out, root)
            self._dist_from[root] = dist
        return dist

    def dist_to(self, dest: Node) -> list[int]:
        """IGP distance of every node to ``dest``; -1 where unreachable."""
        dist = self._dist_to.get(dest)
        if dist is None:
            if self.graph.symmetric:
                dist = self.dist_from(dest)
            elif self.base is not None:
                dist = self._repaired(self.base.dist_to(dest), dest, towards=True)
            else:
                dist = distances(self.graph.size, self.graph.into, dest)
            self._dist_to[dest] = dist
        return dist

    def parents(self, root: Node) -> list[Arc]:
        """Arc into each node on its path from ``root`` under ``first``; -1 at the root."""
        parent = self._parent.get(root)
        if parent is None:
            if self.base is not None:
                parent = self._repaired_parents(self.base, root)
            elif root in self._dist_from:
                parent = first_tree(self.graph, root, self._dist_from[root])
            else:
                self._dist_from[root], parent = distances_and_tree(self.graph, root)
            self._parent[root] = parent
        return parent

    def _repaired(self, dist: list[int], root: Node, *, towards: bool) -> list[int]:
        """The base's distances from ``root``, or ``towards`` it, after the loss of ``down``."""
        ahead, back = self.graph.out, self.graph.into
        if towards:
            ahead, back = back, ahead
        return repaired_distances(dist, ahead, back, self._cut_off(dist, root, towards))

    def _cut_off(self, dist: list[int], root: Node, towards: bool) -> Collection[Node]:
        """Nodes farther from ``root``, or on the way ``towards`` it, than in the base."""
        found = self._grown.get((root, towards))
        if found is None:
            graph = self.graph
            ahead, back, tail, head = graph.out, graph.into, graph.tail, graph.head
            if towards:
                ahead, back, tail, head = back, ahead, head, tail
            metric = graph.metric
            heads = [
                head[arc]
                for arc in self.down
                if dist[head[arc]] - dist[tail[arc]] == metric[arc] and dist[tail[arc]] >= 0
            ]
            found = self._grown[root, towards] = cut_off(dist, ahead, back, heads) if heads else ()
        return found

    def _repaired_parents(self, base: IgpRoutes, root: Node) -> list[Arc]:
        """The base's tree from ``root`` after the loss of ``down``; sets the distances too."""
        parent, dist, head = base.parents(root), base.dist_from(root), self.graph.head
        heads = [head[arc] for arc in self.down if parent[head[arc]] == arc]
        if heads:
            dist, parent = repaired_tree(self.graph, dist, parent, heads)
        self._dist_from.setdefault(root, dist)
        return parent

    def moved(self, dest: Node) -> frozenset[Node]:
        """Nodes whose distance or choice towards ``dest`` is not the base's, from the repair."""
        found = self._moved.get(dest)
        if found is None:
            found = self._moved[dest] = frozenset(() if self.base is None else self._move(dest))
        return found

    def _move(self, dest: Node) -> Collection[Node]:
        assert self.base is not None
        base, dist, graph = self.base, self.base.dist_to(dest), self.base.graph
        tail, head = graph.tail, graph.head
        on_the_way = [
            (tail[arc], arc)
            for arc in self.down
            if dist[tail[arc]] - dist[head[arc]] == graph.metric[arc] and dist[head[arc]] >= 0
        ]
        if not on_the_way:
            return ()
        grown = self._cut_off(dist, dest, towards=not self.graph.symmetric)
        for v in grown:
            d = dist[v]
            on_the_way += [(u, arc) for u, w, arc in graph.into[v] if dist[u] == d + w]
        moved = set(grown)
        for u, arc in on_the_way:
            # One of u's equal-cost arcs is gone, and another is left.
            if u not in moved and (self.ecmp == "hash" or base.next_arc(u, dest) == arc):
                moved.add(u)
        return moved

    def stays(self, node: Node, dest: Node) -> bool:
        """Whether all equal-cost arcs towards ``dest`` are the base's."""
        found = self._stays.get((node, dest))
        if found is None:
            routes = self.base or self
            found = list(routes.next_arcs(node, dest)) == list(self.next_arcs(node, dest))
            self._stays[node, dest] = found
        return found

    def above(self, arcs: Iterable[Arc], dest: Node) -> set[Node]:
        """Nodes with one of ``arcs`` on a shortest path to ``dest``."""
        graph, dist = self.graph, self.dist_to(dest)
        tail, head, metric = graph.tail, graph.head, graph.metric
        found = {
            tail[arc]
            for arc in arcs
            if dist[head[arc]] >= 0 and dist[tail[arc]] == metric[arc] + dist[head[arc]]
        }
        todo = list(found)
        while todo:
            v = todo.pop()
            for u, w, _ in graph.into[v]:
                if u not in found and dist[u] == w + dist[v]:
                    found.add(u)
                    todo.append(u)
        return found

    def next_arcs(self, node: Node, dest: Node) -> list[Arc]:
        dist = self.dist_to(dest)
        here = dist[node]
        if here <= 0:
            return []
        return [arc for v, w, arc in self.graph.out[node] if w + dist[v] == here and dist[v] >= 0]

    def next_arc(self, node: Node, dest: Node, key: Key = None, spread: bool = False) -> Arc | None:
        if self.ecmp == "hash":
            arcs = self.next_arcs(node, dest)
            return choose(self.graph, arcs, key, dest if spread else None) if arcs else None
        dist = self.dist_to(dest)
        here = dist[node]
        if here > 0:
            for v, w, arc in self.graph.out[node]:
                if w + dist[v] == here and dist[v] >= 0:
                    return arc
        return None

    def path(self, source: Node, dest: Node, key: Key = None) -> tuple[Arc, ...] | None:
        if self.ecmp == "first":
            return self._first_path(source, dest)
        head, arcs, node = self.graph.head, [], source
        while node != dest:
            arc = self.next_arc(node, dest, key)
            if arc is None:
                return None
            arcs.append(arc)
            node = head[arc]
        return tuple(arcs)

    def union(self, source: Node, dests: Sequence[Node]) -> list[Arc]:
        if len(dests) == 1 and source not in self._roots:
            return list(self._first_path(source, dests[0]) or ())
        parent, tail = self.parents(source), self.graph.tail
        arcs: list[Arc] = []
        if len(dests) == 1:
            node = dests[0]
            while node != source:
                arc = parent[node]
                if arc < 0:
                    return []
                arcs.append(arc)
                node = tail[arc]
            return arcs
        seen = {source}
        for dest in dests:
            node = dest
            while node not in seen:
                seen.add(node)
                arc = parent[node]
                if arc < 0:
                    break
                arcs.append(arc)
                node = tail[arc]
        return arcs

    def _first_path(self, source: Node, dest: Node) -> tuple[Arc, ...] | None:
        if source == dest:
            return ()
        if self.base is not None:
            path = self.base._first_path(source, dest)
            if path is None or self.down.isdisjoint(path):
                return path
        roots = self._roots
        if source in roots:
            return self._up_tree(source, source, dest)
        # A suffix of a lexicographically smallest shortest path is one too, so an origin's tree
        # also answers for the nodes above ``dest`` in it.
        for root in islice(roots, TREES_TRIED):
            arcs = self._up_tree(root, source, dest)
            if arcs is not None:
                return arcs
        pair = source, dest
        if pair not in self._near:
            self._near[pair] = first_path(self.graph, source, dest, *self._landmark())
        return self._near[pair]

    @property
    def _roots(self) -> Collection[Node]:
        """Roots of the trees that are known, or cheap to repair."""
        return self._parent if self.base is None else self.base._parent

    def _landmark(self) -> tuple[list[int] | None, bool]:
        """The first known distances, for `first_path`. The base's serve what is left of it too: no
        two nodes are nearer to each other there, and its arcs are some of the base's."""
        base = self.base or self
        return next(iter(base._dist_from.values()), None), base.graph.symmetric

    def _up_tree(self, root: Node, source: Node, dest: Node) -> tuple[Arc, ...] | None:
        """Arcs from ``source`` down to ``dest`` in the root's tree; None if it is not above."""
        parent, tail, dist = self.parents(root), self.graph.tail, self.dist_from(root)
        arcs, node, start = [], dest, dist[source]
        while node != source:
            arc = parent[node]
            if arc < 0 or dist[node] <= start:
                return None
            arcs.append(arc)
            node = tail[arc]
        arcs.reverse()
        return tuple(arcs)


def rerouted(before: IgpRoutes, after: IgpRoutes, dest: Node) -> frozenset[Node]:
    """Nodes whose choice (under ``hash``: equal-cost set) or distance towards ``dest`` differs.

    Where both are the same network or what is left of it, in time proportional to what the two
    masks cut; else by comparing all nodes.
    """
    if (before.base or before) is (after.base or after):
        one, other = before.moved(dest), after.moved(dest)
        if not one:
            return other
        differ, unsure = one ^ other, one & other
    else:
        differ, unsure = frozenset(), frozenset(range(after.graph.size))
    return differ | {
        node for node in unsure if _route(before, node, dest) != _route(after, node, dest)
    }


def _route(routes: IgpRoutes, node: Node, dest: Node) -> tuple[int, list[Arc]]:
    arcs = routes.next_arcs(node, dest)
    return routes.dist_to(dest)[node], arcs if routes.ecmp == "hash" else arcs[:1]
